//! One case, checked and resolved: names are indexes, defaults are values, addresses are given out.
//!
//! Plain data that says what will be built and done. Not here: how (see `world`, `run`).
//! All durations are real time; cloud time has been divided by `time_scale` already.

use crate::diag::Span;
use crate::expr::{Expr, Shape};
use crate::fabric;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

pub use crate::spec::{App, Kind};

/// Index into [`Plan::hosts`]; of a host on the fabric, the same number is its [`fabric::config::PortId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HostId(pub u32);

/// Index into [`Plan::steps`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StepId(pub u32);

/// One case of one lab, ready to build.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The lab's file as given on the command line.
    pub file: String,
    /// The lab's name: topic and file stem, as `nlb/source-port-collision`.
    pub lab: String,
    /// One line.
    pub title: String,
    /// May be empty.
    pub story: String,
    /// Links.
    pub sources: Vec<String>,
    /// The word that asks for the lab in runs of whole folders; none: it needs no asking.
    pub opt_in: Option<String>,
    /// The case's name.
    pub case: String,
    /// Its kind.
    pub kind: Kind,
    /// What it shows; may be empty.
    pub shows: String,
    /// Line of the case in the file, from 1.
    pub line: usize,
    /// What this case changes.
    pub changes: Vec<Change>,
    /// The promise.
    pub works: Vec<Claim>,
    /// What the case claims beyond it.
    pub expect: Vec<Claim>,
    /// Findings the case must show.
    pub finds: Vec<String>,
    /// Findings the case may show beside those.
    pub may_find: Vec<String>,
    /// Findings named by any fault of the lab: a fix or control must show none of them.
    pub fault_finds: Vec<String>,
    /// The lab's fixes, in the order of the file; of a fault only.
    pub fixes: Vec<Fix>,
    /// Target groups whose targets are registered by address instead of instance id.
    pub ip_groups: Vec<String>,
    /// The seed in force.
    pub seed: u64,
    /// Cloud time runs this many times faster.
    pub time_scale: f64,
    /// Hosts with `count` expanded; those on the fabric first.
    pub hosts: Vec<Host>,
    /// Names that stand for several hosts (`count`).
    pub groups: Vec<(String, Vec<HostId>)>,
    /// Further names of single hosts: pods that run in their node's namespace.
    pub aliases: Vec<(String, HostId)>,
    /// The story.
    pub steps: Vec<Step>,
    /// What expressions may say in this very lab.
    pub shape: Shape,
    /// The network between the hosts. Its `ports` are the `hosts` on it, one to one, and behind them the zonal addresses
    /// that have a kernel.
    pub fabric: fabric::Config,
    /// Groups whose targets' states must have settled before the story starts.
    pub settles: Vec<fabric::config::GroupId>,
}

impl Plan {
    /// How many of the hosts are on the fabric: they are the first ones, and its first ports.
    pub fn on_fabric(&self) -> usize {
        self.hosts
            .partition_point(|host| host.attachment == Attachment::Fabric)
    }

    /// Where a host's packets meet the fabric: at its own port, or at that of the host it is inside of.
    pub fn port(&self, host: HostId) -> fabric::config::PortId {
        match &self.hosts[host.0 as usize].attachment {
            Attachment::Fabric => fabric::config::PortId(host.0),
            Attachment::Inside(veth) => fabric::config::PortId(veth.parent.0),
        }
    }

    /// The host of an address, as seen from another one: addresses on a bridge inside a host are known only there.
    pub fn host_of(&self, address: IpAddr, from: HostId) -> Option<HostId> {
        let port = self.port(from);
        let known = |(id, host): &(HostId, &Host)| {
            let visible = host.is_known_everywhere() || self.port(*id) == port;
            visible && (host.has(address) || host.public_address.map(IpAddr::from) == Some(address))
        };
        (0..)
            .map(HostId)
            .zip(&self.hosts)
            .find(known)
            .map(|(id, _)| id)
    }

    /// True for an end of a zonal address's own kernel: nothing but its health checks comes from there.
    pub fn is_of_kernel(&self, end: SocketAddr) -> bool {
        let kernels = &self.fabric.ports[self.on_fabric()..];
        let inside = self.fabric.stand_ins.inside(end).map(|end| *end.ip());
        fabric::config::KERNEL_PORTS.contains(&end.port())
            && kernels.iter().any(|port| {
                !port.is_backend_port(end.port())
                    && inside.is_some()
                    && (inside == Some(port.address) || inside == port.ipv6)
            })
    }
}

/// One entry of `set`, for "what this changes".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Dotted path.
    pub path: String,
    /// Compact YAML; none: not written before.
    pub before: Option<String>,
    /// Compact YAML; none: removed.
    pub after: Option<String>,
}

/// A fix that the lab offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fix {
    /// The case.
    pub case: String,
    /// What it shows; may be empty.
    pub shows: String,
    /// What it changes.
    pub changes: Vec<Change>,
}

/// A checked claim.
#[derive(Clone, Debug)]
pub struct Claim {
    /// In words; none when the lab gives only the expression.
    pub words: Option<String>,
    /// The expression's source.
    pub that: String,
    /// Where it stands.
    pub span: Span,
    /// Line in the file, from 1.
    pub line: usize,
    /// Compiled and type-checked.
    pub expr: Expr,
}

/// A namespace with a kernel stack.
#[derive(Clone, Debug)]
pub struct Host {
    /// Its name.
    pub name: String,
    /// Where its eth0 leads.
    pub attachment: Attachment,
    /// Bridges in its namespace, for the hosts behind it.
    pub bridges: Vec<Bridge>,
    /// On eth0; on the fabric and by a routed veth, /32.
    pub address: Ipv4Addr,
    /// Further ones on eth0, /32.
    pub addresses: Vec<Ipv4Addr>,
    /// 1:1 at the internet gateway.
    pub public_address: Option<Ipv4Addr>,
    /// On eth0 besides, /128; none: its kernel has no IPv6.
    pub ipv6: Option<Ipv6Addr>,
    /// None: on the internet.
    pub zone: Option<String>,
    /// Of eth0, bytes.
    pub mtu: u16,
    /// Written in order, before anything runs: dotted name, value.
    pub sysctls: Vec<(String, String)>,
    /// Of a node: what stands for kube-proxy's rules and the VPC CNI's, as `nft` text; loaded before all others.
    pub rules: Option<String>,
    /// Loaded with `nft -f`; names of hosts already replaced by addresses.
    pub nft: Option<String>,
    /// Loaded with `iptables-restore`.
    pub iptables: Option<String>,
    /// Shell text, run after the rules and before the servers.
    pub setup: Option<String>,
    /// What listens.
    pub servers: Vec<Server>,
    /// How long its clients keep the addresses of a name.
    pub dns_cache: DnsCache,
}

/// Where a host's `eth0` leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attachment {
    /// It is a TUN, and the fabric sees every packet.
    Fabric,
    /// It is a veth, and its other end is in the namespace of a host on the fabric.
    Inside(Veth),
}

/// The way from a host into the one it is inside of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Veth {
    /// In whose namespace the other end is; it forwards.
    pub parent: HostId,
    /// What the other end is called there, at most 15 bytes; different for each of a parent.
    pub name: String,
    /// What the other end is there.
    pub wiring: Wiring,
}

/// What the other end of a [`Veth`] is in the parent's namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wiring {
    /// A port of a bridge.
    Bridged {
        /// The bridge's name: one of the parent's `bridges`.
        bridge: String,
        /// Of the segment's network, 1..=30.
        prefix: u8,
        /// The host's default route.
        gateway: Ipv4Addr,
    },
    /// By itself, with a route to the host's one address, as the VPC CNI attaches pods ("Proposal: CNI plugin for
    /// Kubernetes networking over AWS VPC"): the pod has a /32, and its default route leads to 169.254.1.1, a neighbour
    /// that it knows by a static entry.
    Routed,
}

/// A bridge in a host's namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bridge {
    /// `lan0`
    pub name: String,
    /// The host's own address on it.
    pub address: Ipv4Addr,
    /// Of the segment's network, 1..=30.
    pub prefix: u8,
}

/// What a client does with the resolver's answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DnsCache {
    /// Keeps it for its time to live.
    #[default]
    Ttl,
    /// Keeps it for ever, as a JVM with `networkaddress.cache.ttl=-1`.
    Forever,
    /// Asks anew for each connection.
    None,
}

impl Host {
    /// True when others than its neighbours inside the same host know its address.
    pub fn is_known_everywhere(&self) -> bool {
        match &self.attachment {
            Attachment::Fabric => true,
            Attachment::Inside(veth) => veth.wiring == Wiring::Routed,
        }
    }

    /// The first address on its device, of each family.
    pub fn first_addresses(&self) -> Vec<IpAddr> {
        let ipv6 = self.ipv6.map(IpAddr::from);
        std::iter::once(self.address.into()).chain(ipv6).collect()
    }

    /// True for the addresses on its device.
    pub fn has(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(address) => address == self.address || self.addresses.contains(&address),
            IpAddr::V6(address) => Some(address) == self.ipv6,
        }
    }
}

/// A listening workload.
#[derive(Clone, Debug)]
pub struct Server {
    /// 1..=65535
    pub port: u16,
    /// Datagram socket rather than stream.
    pub udp: bool,
    /// What it does.
    pub app: App,
    /// It reads a PROXY protocol header first, and closes connections that have none.
    pub proxy_protocol: bool,
}

/// One step.
#[derive(Clone, Debug)]
pub struct Step {
    /// The result's name, or `step N` (from 1).
    pub name: String,
    /// False: the result has no name in expressions.
    pub named: bool,
    /// The verb and what it is about, for reports: `connect client -> front/a`.
    pub label: String,
    /// Line in the file, from 1.
    pub line: usize,
    /// Do not wait for its end.
    pub background: bool,
    /// What it does.
    pub verb: Verb,
}

/// From where to where a connection goes.
#[derive(Clone, Debug)]
pub struct Dial {
    /// The client.
    pub from: HostId,
    /// Where it can come to; one when the lab names one. Never empty. Without a name they are taken in turn.
    pub to: Vec<Endpoint>,
    /// The balancer's name, which the client asks the resolver for; it dials what it is told.
    pub name: Option<String>,
    /// Datagrams.
    pub udp: bool,
}

/// A place to connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// `front/a`, `web1`, `web1/public` or the address itself.
    pub label: String,
    /// What the kernel dials.
    pub address: SocketAddr,
}

/// Bytes over a connection or a load.
#[derive(Clone, Debug)]
pub struct Transfer {
    /// The `connect` or `load` step.
    pub over: StepId,
    /// Bytes each time, 1..=64 MiB.
    pub bytes: u32,
    /// How often, at least 1.
    pub times: u32,
    /// Pause between two times.
    pub every: Duration,
    /// Limit for each time.
    pub timeout: Duration,
}

/// What a load does on each of its connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Bytes to send and to get back.
    Bytes(u32),
    /// HTTP requests.
    Http(HttpRequest),
}

/// GET over HTTP/1.1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpRequest {
    /// Request target.
    pub path: String,
    /// Host header; none: the name or address that was dialled.
    pub host: Option<String>,
    /// How often, at least 1.
    pub times: u32,
    /// Pause between two times.
    pub every: Duration,
    /// False: `Connection: close`.
    pub keep_alive: bool,
}

/// What a step does.
#[derive(Clone, Debug)]
pub enum Verb {
    /// Opens one connection.
    Connect {
        /// Where.
        dial: Dial,
        /// None: the kernel's choice.
        source_port: Option<u16>,
        /// Idle time and interval of SO_KEEPALIVE, whole seconds.
        keepalive: Option<Duration>,
        /// Speaks TLS over it, whatever the certificate.
        tls: bool,
        /// The step's own limit.
        timeout: Duration,
    },
    /// Opens many.
    Load {
        /// One for each client.
        dials: Vec<Dial>,
        /// For each client.
        connections: u32,
        /// For each client, per second; none: the next when the last is done, or after 20 ms.
        rate: Option<f64>,
        /// Keep them open to the end.
        hold: bool,
        /// What to do on each before it is closed.
        request: Option<Request>,
        /// As for `Connect`.
        keepalive: Option<Duration>,
        /// For each connection.
        timeout: Duration,
    },
    /// Sends, and receives as many bytes.
    Exchange(Transfer),
    /// Sends.
    Send(Transfer),
    /// Receives.
    Receive(Transfer),
    /// close(2).
    Close {
        /// The connection or load.
        over: StepId,
    },
    /// RST.
    Abort {
        /// The connection or load.
        over: StepId,
    },
    /// One segment more to the client, as from the server.
    Inject {
        /// The connection.
        over: StepId,
        /// Bytes after the end of the last segment that came.
        beyond: u32,
        /// Of payload, at most 1400.
        bytes: u16,
    },
    /// shutdown(SHUT_WR).
    Shutdown {
        /// The connection or load.
        over: StepId,
    },
    /// Lets time pass.
    Wait {
        /// Real time.
        lapse: Duration,
    },
    /// Waits for a fact.
    WaitUntil {
        /// The condition.
        that: Box<Claim>,
        /// Limit.
        timeout: Duration,
    },
    /// Stops the servers of hosts: no more listening, live connections closed.
    Stop {
        /// Which.
        hosts: Vec<HostId>,
        /// RST instead of FIN.
        reset: bool,
    },
    /// Servers die as by SIGKILL: the kernel closes what they had open.
    Kill {
        /// Which.
        hosts: Vec<HostId>,
    },
    /// Breaks something, or mends it.
    Fault(Fault),
    /// Registers targets with their group, or deregisters them.
    Registration {
        /// Their group.
        group: fabric::config::GroupId,
        /// Their places in it.
        targets: Vec<usize>,
        /// Register.
        registered: bool,
        /// Those of them that cannot be registered: instances of another VPC than the group's balancer. One of them,
        /// and the whole call is refused (AWS: `InvalidTarget`).
        foreign: Vec<usize>,
    },
    /// Settings of the network change.
    Set {
        /// Dotted path.
        path: String,
        /// Compact YAML; none: removed.
        value: Option<String>,
        /// The whole network with this and all earlier changes; hosts, balancers, groups and targets are the same.
        network: Box<fabric::Config>,
    },
    /// A real program.
    Run {
        /// Where.
        host: HostId,
        /// Shell text.
        command: String,
        /// Limit.
        timeout: Duration,
    },
}

/// What a story breaks and mends.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Servers stop as by SIGSTOP; their kernels go on.
    Freeze(Vec<HostId>),
    /// Hosts are gone without a word.
    PowerOff(Vec<HostId>),
    /// Nothing comes in or out of these hosts.
    LinkDown(Vec<HostId>),
    /// Packets are dropped.
    Drop(fabric::faults::DropRule),
    /// Faults end.
    Heal {
        /// Of these hosts.
        hosts: Vec<HostId>,
        /// Of these `drop` steps.
        drops: Vec<StepId>,
    },
}

impl Verb {
    /// From where to where its connections go; empty for a verb that opens none.
    pub fn dials(&self) -> &[Dial] {
        match self {
            Verb::Connect { dial, .. } => std::slice::from_ref(dial),
            Verb::Load { dials, .. } => dials,
            Verb::Exchange(_)
            | Verb::Send(_)
            | Verb::Receive(_)
            | Verb::Close { .. }
            | Verb::Abort { .. }
            | Verb::Inject { .. }
            | Verb::Shutdown { .. }
            | Verb::Wait { .. }
            | Verb::WaitUntil { .. }
            | Verb::Stop { .. }
            | Verb::Kill { .. }
            | Verb::Fault(_)
            | Verb::Registration { .. }
            | Verb::Set { .. }
            | Verb::Run { .. } => &[],
        }
    }
}
