//! The typed mirror of a lab: one struct a section, spans kept, no behaviour.
//!
//! A lab's cases differ by `set`, which patches the tree before it is typed; so each case has its own [`Body`].
//! Values are as written: names are not resolved, cloud durations not scaled (see `plan`).

use super::guards::{Endpoint, EndpointService, NetworkAcl, Peering, SecurityGroup, Vpc};
use super::kubernetes::Kubernetes;
use super::nat::NatGateway;
use crate::diag::{Span, Spanned};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

/// A lab file: what does not change from case to case, and the cases.
#[derive(Clone, Debug)]
pub struct Lab {
    /// The file's name as given, for diagnostics and reports.
    pub file: String,
    /// The source text, for rendering.
    pub text: String,
    /// One line.
    pub title: Spanned<String>,
    /// A paragraph or two.
    pub story: Option<Spanned<String>>,
    /// Links.
    pub sources: Vec<Spanned<String>>,
    /// The word that asks for this lab where it is not named itself; none: it needs no asking.
    pub opt_in: Option<Spanned<String>>,
    /// The promise, in the user's words.
    pub works: Vec<Claim>,
    /// The lab as written, without any `set`.
    pub body: Body,
    /// The cases, in order.
    pub cases: Vec<Case>,
}

/// One `- EXPR` or `- claim in words: EXPR`.
#[derive(Clone, Debug)]
pub struct Claim {
    /// The words; none when only an expression is written.
    pub words: Option<Spanned<String>>,
    /// The expression's source text, spanned so that offset 0 of it is `span.start`
    /// (approximate when YAML quoting or folding moved it).
    pub that: Spanned<String>,
}

/// One case.
#[derive(Clone, Debug)]
pub struct Case {
    /// Its key under `cases`.
    pub name: Spanned<String>,
    /// Its kind.
    pub kind: Spanned<Kind>,
    /// What it shows, one line.
    pub shows: Option<Spanned<String>>,
    /// What it changes, as text: path, value before (none: not written), value after (none: removed). YAML flow style.
    pub set: Vec<Patch>,
    /// Findings it must show.
    pub finds: Vec<Spanned<String>>,
    /// Findings it may show beside those.
    pub may_find: Vec<Spanned<String>>,
    /// What it claims.
    pub expect: Vec<Claim>,
    /// The lab's body after `set`.
    pub body: Body,
}

/// One entry of `set`.
#[derive(Clone, Debug)]
pub struct Patch {
    /// The dotted path as written.
    pub path: Spanned<String>,
    /// What stood there before, as compact YAML.
    pub before: Option<String>,
    /// What stands there now, as compact YAML; none: removed.
    pub after: Option<String>,
    /// Where a map stood and stands: the entries that differ; else empty.
    pub parts: Vec<Part>,
}

/// An entry of a map that a patch changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The dotted path to it.
    pub path: String,
    /// As of [`Patch`]; none: not there.
    pub before: Option<String>,
    /// Likewise.
    pub after: Option<String>,
}

/// What a case is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Breaks the promise.
    Fault,
    /// Keeps it.
    Fix,
    /// A mitigation or another symptom.
    Partial,
    /// Keeps it, and never was in danger.
    Control,
}

/// The part of a lab that `set` can change.
#[derive(Clone, Debug)]
pub struct Body {
    /// Fixes the emulator's random choices.
    pub seed: u64,
    /// Cloud time runs this many times faster; 1 or more.
    pub time_scale: Spanned<f64>,
    /// `aws-current` and such.
    pub profile: Spanned<String>,
    /// Zone names, in order.
    pub zones: Vec<Spanned<String>>,
    /// In order of writing.
    pub hosts: Vec<(Spanned<String>, Host)>,
    /// In order of writing.
    pub target_groups: Vec<(Spanned<String>, TargetGroup)>,
    /// In order of writing.
    pub load_balancers: Vec<(Spanned<String>, Balancer)>,
    /// In order of writing.
    pub security_groups: Vec<(Spanned<String>, SecurityGroup)>,
    /// By zone.
    pub network_acls: Vec<(Spanned<String>, NetworkAcl)>,
    /// In order of writing, the default one left out.
    pub vpcs: Vec<(Spanned<String>, Vpc)>,
    /// In order of writing.
    pub peerings: Vec<(Spanned<String>, Peering)>,
    /// `kubernetes:`; none: no cluster.
    pub kubernetes: Option<Kubernetes>,
    /// In order of writing.
    pub nat_gateways: Vec<(Spanned<String>, NatGateway)>,
    /// In order of writing.
    pub endpoint_services: Vec<(Spanned<String>, EndpointService)>,
    /// In order of writing.
    pub endpoints: Vec<(Spanned<String>, Endpoint)>,
    /// The story.
    pub steps: Vec<Step>,
}

/// `hosts.X`
#[derive(Clone, Debug, Default)]
pub struct Host {
    /// The item's place.
    pub span: Span,
    /// `address:`; none: given out.
    pub address: Option<Spanned<Ipv4Addr>>,
    /// `addresses:`, beside `address`.
    pub addresses: Vec<Spanned<Ipv4Addr>>,
    /// `public_address: none | auto | A`
    pub public_address: Option<Spanned<PublicAddress>>,
    /// `ipv6: auto | A`; none: no IPv6.
    pub ipv6: Option<Spanned<Ipv6>>,
    /// `zone:`; none: on the internet.
    pub zone: Option<Spanned<String>>,
    /// `count:`; none: one host named by the key itself.
    pub count: Option<Spanned<u32>>,
    /// `serve:` by port.
    pub serve: Vec<(Spanned<ServePort>, Serve)>,
    /// `sysctls:` key and value text.
    pub sysctls: Vec<(Spanned<String>, Spanned<String>)>,
    /// `nft:` text.
    pub nft: Option<Spanned<String>>,
    /// `iptables:` text (iptables-restore format).
    pub iptables: Option<Spanned<String>>,
    /// `setup:` shell text.
    pub setup: Option<Spanned<String>>,
    /// `link:`, both directions resolved: a direction's own value wins over the common one.
    pub up: Link,
    /// See `up`.
    pub down: Link,
    /// Device MTU; none: 1500.
    pub mtu: Option<Spanned<u16>>,
    /// `kernel:` quirks by name.
    pub kernel: Vec<(Spanned<String>, Spanned<String>)>,
    /// `dns_cache: ttl | forever | none`; none: `ttl`.
    pub dns_cache: Option<Spanned<String>>,
    /// `vpc:`; none: the default one.
    pub vpc: Option<Spanned<String>>,
    /// `behind:`; none: on the fabric.
    pub behind: Option<Behind>,
    /// `gateway:`; none: the bridge that it hangs on.
    pub gateway: Option<Spanned<Ipv4Addr>>,
    /// `nat:`; none: it reaches the internet by a public address of its own, or not at all.
    pub nat: Option<Spanned<String>>,
    /// `security_groups:`; empty: unguarded.
    pub security_groups: Vec<Spanned<String>>,
}

/// A host's `behind`.
#[derive(Clone, Debug)]
pub struct Behind {
    /// Where it is written.
    pub span: Span,
    /// Routers, each with the name of a segment; none: its first one. There should be one.
    pub routers: Vec<(Spanned<String>, Option<Spanned<String>>)>,
}

/// A host's `public_address`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PublicAddress {
    /// No way to or from the internet.
    None,
    /// Given out.
    Auto,
    /// This one.
    Fixed(Ipv4Addr),
}

/// A host's `ipv6`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ipv6 {
    /// Given out.
    Auto,
    /// This one.
    Fixed(Ipv6Addr),
}

/// A key of `serve`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ServePort {
    /// 1..=65535
    pub port: u16,
    /// `53/udp`
    pub udp: bool,
}

/// What a host serves on a port.
#[derive(Clone, Debug, PartialEq)]
pub enum App {
    /// Sends back what it gets.
    Echo {
        /// Close (FIN) a connection that was idle for this long.
        idle_close: Option<Duration>,
    },
    /// Reads and counts.
    Sink,
    /// Speaks first, then echoes.
    Banner {
        /// What it says; a line feed is added.
        text: String,
    },
    /// Answers everything with the host's name and a line feed.
    Name,
    /// Sends for as long as the connection takes it.
    Source {
        /// Bytes a write.
        bytes: u32,
        /// Pause between writes.
        every: Duration,
    },
    /// A minimal HTTP/1.1 server: the host's name as body.
    Http(Http),
    /// The same over TLS.
    Https {
        /// What it answers.
        http: Http,
        /// `1.2`, `1.3`; none: both.
        tls: Option<String>,
    },
    /// Listens and never accepts.
    NeverAccept {
        /// `listen(2)` backlog.
        backlog: u32,
    },
    /// A real program.
    Command {
        /// Shell text.
        command: String,
        /// Wait for this before the story starts; none: for the port to listen.
        ready: Option<String>,
    },
}

/// What a host serves on a port.
#[derive(Clone, Debug, PartialEq)]
pub struct Serve {
    /// What it does.
    pub app: App,
    /// `proxy_protocol: v2`: it reads a PROXY protocol header first.
    pub proxy_protocol: Option<Span>,
}

/// How an HTTP server answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Http {
    /// 404 unless the Host header says this.
    pub host: Option<String>,
    /// Of every other answer.
    pub status: u16,
    /// From a request to its answer.
    pub delay: Option<Duration>,
    /// Close (FIN) a connection that had no request for this long.
    pub idle_close: Option<Duration>,
    /// False: close after each answer.
    pub keep_alive: bool,
}

/// One direction of `link:`; none: not impaired in that way.
#[derive(Clone, Debug, Default)]
pub struct Link {
    /// `delay:`
    pub delay: Option<Spanned<Duration>>,
    /// `jitter:`
    pub jitter: Option<Spanned<Duration>>,
    /// `loss:` 0.0..=1.0
    pub loss: Option<Spanned<f64>>,
    /// `rate:` bits per second
    pub rate: Option<Spanned<u64>>,
    /// `mtu:` bytes
    pub mtu: Option<Spanned<u16>>,
    /// `queue:` packets
    pub queue: Option<Spanned<u32>>,
    /// `duplicate:` 0.0..=1.0
    pub duplicate: Option<Spanned<f64>>,
    /// `reorder:` 0.0..=1.0
    pub reorder: Option<Spanned<f64>>,
    /// `corrupt:` 0.0..=1.0
    pub corrupt: Option<Spanned<f64>>,
}

/// `target_groups.X`
#[derive(Clone, Debug)]
pub struct TargetGroup {
    /// The item's place.
    pub span: Span,
    /// `instance`, `ip` or `alb`
    pub target_type: Spanned<String>,
    /// `TCP`, `UDP`, ...
    pub protocol: Spanned<String>,
    /// `ipv4` or `ipv6`
    pub ip_address_type: Spanned<String>,
    /// None: the listener's.
    pub port: Option<Spanned<u16>>,
    /// Hosts by name (or a `count` group's name); with an own port where the map form was used.
    pub targets: Vec<(Spanned<String>, Option<Spanned<u16>>)>,
    /// AWS attribute names verbatim; values as text.
    pub attributes: Vec<(Spanned<String>, Spanned<String>)>,
    /// `health_check:`; none: no checks.
    pub health_check: Option<HealthCheck>,
    /// `emulate:`
    pub emulate: GroupEmulate,
}

/// `target_groups.X.health_check`
#[derive(Clone, Debug)]
pub struct HealthCheck {
    /// The item's place.
    pub span: Span,
    /// `TCP`, `HTTP`, `HTTPS`
    pub protocol: Spanned<String>,
    /// `traffic-port`, or a number.
    pub port: Spanned<String>,
    /// None: `/`.
    pub path: Option<Spanned<String>>,
    /// Cloud seconds.
    pub interval: Spanned<u64>,
    /// Cloud seconds; none: by protocol.
    pub timeout: Option<Spanned<u64>>,
    /// 2..=10
    pub healthy_threshold: Spanned<u32>,
    /// 2..=10
    pub unhealthy_threshold: Spanned<u32>,
    /// `200-399`, as written.
    pub matcher: Option<Spanned<String>>,
}

/// `target_groups.X.emulate`; none: the default.
#[derive(Clone, Debug, Default)]
pub struct GroupEmulate {
    /// Of each zonal address.
    pub checkers: Option<Spanned<u32>>,
    /// Cloud time, as all that follow.
    pub register_delay: Option<Spanned<Duration>>,
    /// From a deregistration on.
    pub deregister_propagation: Option<Spanned<Duration>>,
    /// From the last failed check on.
    pub unhealthy_propagation: Option<Spanned<Duration>>,
    /// From the end of the deregistration delay on.
    pub termination_delay: Option<Spanned<Duration>>,
    /// `both`, `client`, `target`, `neither`
    pub termination_reset: Option<Spanned<String>>,
}

/// `load_balancers.X`
#[derive(Clone, Debug)]
pub struct Balancer {
    /// The item's place.
    pub span: Span,
    /// `network`, `classic`, `application`
    pub kind: Spanned<String>,
    /// `internet-facing` or `internal`
    pub scheme: Spanned<String>,
    /// `ipv4` or `dualstack`
    pub ip_address_type: Spanned<String>,
    /// Zones, each with a chosen address or none.
    pub zones: Vec<(Spanned<String>, Option<Spanned<Ipv4Addr>>)>,
    /// Of `zones`, those that are not enabled now: another moment of the story has them.
    pub disabled: Vec<String>,
    /// `zonal_shift:`; none: no shift.
    pub zonal_shift: Option<Spanned<String>>,
    /// By port.
    pub listeners: Vec<(Spanned<u16>, Listener)>,
    /// `instances:`, of a classic balancer; none: not written.
    pub instances: Option<Spanned<Vec<Spanned<String>>>>,
    /// `health_check:`, of a classic balancer; none: no checks.
    pub health_check: Option<HealthCheck>,
    /// AWS attribute names verbatim; values as text.
    pub attributes: Vec<(Spanned<String>, Spanned<String>)>,
    /// `settled` or `cold`
    pub start: Spanned<String>,
    /// `vpc:`; none: the default one.
    pub vpc: Option<Spanned<String>>,
    /// `security_groups:`; empty: unguarded.
    pub security_groups: Vec<Spanned<String>>,
    /// `emulate:`
    pub emulate: Emulate,
}

/// `listeners.N`
#[derive(Clone, Debug)]
pub struct Listener {
    /// The item's place.
    pub span: Span,
    /// `TCP`, `UDP`, ...
    pub protocol: Spanned<String>,
    /// Name of a target group; a network balancer's listener has this or `target_groups`.
    pub target_group: Option<Spanned<String>>,
    /// The port of the instances; a classic balancer's listener has this.
    pub instance_port: Option<Spanned<u16>>,
    /// Names of target groups, each with its weight, 0..=999.
    pub target_groups: Vec<(Spanned<String>, Spanned<u16>)>,
    /// AWS attribute names verbatim; values as text.
    pub attributes: Vec<(Spanned<String>, Spanned<String>)>,
}

/// At which zonal address (none: at every one), and the targets to choose there.
pub type Preference = (Option<Spanned<String>>, Vec<Spanned<String>>);

/// A balancer's `emulate:`; none: the default.
#[derive(Clone, Debug, Default)]
pub struct Emulate {
    /// `prefer: web1`, `prefer: [web1, web2]`: the zonal address is none; or by zonal address (`front/a`, or just `a`).
    pub prefer: Vec<Preference>,
    /// `newest`, `keep-old`, `port-rewrite`
    pub on_collision: Option<Spanned<String>>,
    /// `reset`, `drop`
    pub on_missing_flow: Option<Spanned<String>>,
    /// `drop`, `keep`
    pub on_zone_disabled: Option<Spanned<String>>,
    /// Ports for each zonal address and target.
    pub snat_ports: Option<Spanned<u32>>,
    /// Flows in the table.
    pub flow_capacity: Option<Spanned<u32>>,
    /// Cloud time after FIN or RST in which a SYN goes the old flow's way.
    pub flow_reuse: Option<Spanned<Duration>>,
    /// `close`, `reset`, `blackhole`, `drain`
    pub on_deregister: Option<Spanned<String>>,
    /// `propagate`, `ignore`
    pub on_backend_reset: Option<Spanned<String>>,
    /// Connections that may wait at each zonal address.
    pub surge_queue: Option<Spanned<u32>>,
}

/// One step.
#[derive(Clone, Debug)]
pub struct Step {
    /// `as:`, or a made-up name that no lab can write (`step 3`).
    pub name: Spanned<String>,
    /// True when `as:` was written: only then the result has a name in expressions.
    pub named: bool,
    /// The step's place.
    pub span: Span,
    /// What it does.
    pub verb: Verb,
}

/// What a step does. Names are not resolved here.
#[derive(Clone, Debug)]
pub enum Verb {
    /// Opens one connection.
    Connect {
        /// Host.
        from: Spanned<String>,
        /// Destination text.
        to: Spanned<String>,
        /// None: the kernel's choice.
        source_port: Option<Spanned<u16>>,
        /// `ipv4` or `ipv6`; none: by the destination.
        family: Option<Spanned<String>>,
        /// SO_KEEPALIVE with this idle time and interval.
        keepalive: Option<Spanned<Lapse>>,
        /// Speaks TLS over it.
        tls: bool,
        /// The step's own limit.
        timeout: Spanned<Lapse>,
    },
    /// Opens many.
    Load {
        /// Host or group of hosts.
        from: Spanned<String>,
        /// Destination text.
        to: Spanned<String>,
        /// From each host.
        connections: Spanned<u32>,
        /// New connections per second and host; none: the next one when the last is open, or after 20 ms.
        rate: Option<Spanned<f64>>,
        /// Keep them open.
        hold: bool,
        /// What to do on each connection before it is closed; none: only connect.
        request: Option<Request>,
        /// See `Connect`.
        family: Option<Spanned<String>>,
        /// See `Connect`.
        keepalive: Option<Spanned<Lapse>>,
        /// For each connection.
        timeout: Spanned<Lapse>,
        /// Go on with the story at once.
        background: bool,
    },
    /// Sends and waits for as many bytes to come back.
    Exchange(Transfer),
    /// Only sends.
    Send(Transfer),
    /// Only receives.
    Receive(Transfer),
    /// FIN, and no more reading: `close(2)`.
    Close {
        /// Step name of the connection.
        over: Spanned<String>,
    },
    /// RST: `close(2)` with SO_LINGER 0.
    Abort {
        /// Step name of the connection.
        over: Spanned<String>,
    },
    /// One segment more to the client, as from the server.
    Inject {
        /// Step name of the connection.
        over: Spanned<String>,
        /// Bytes after the end of the last segment.
        beyond: Spanned<u32>,
        /// Of payload.
        bytes: Spanned<u16>,
    },
    /// FIN, and go on reading: `shutdown(2)` for writing.
    Shutdown {
        /// Step name of the connection.
        over: Spanned<String>,
    },
    /// Lets time pass.
    Wait {
        /// How long.
        span: Spanned<Lapse>,
    },
    /// Waits for a fact.
    WaitUntil {
        /// Expression.
        that: Spanned<String>,
        /// Limit.
        timeout: Spanned<Lapse>,
    },
    /// Stops a host's servers.
    Stop {
        /// Host or group.
        host: Spanned<String>,
        /// RST instead of FIN.
        reset: bool,
    },
    /// SIGKILL to a host's servers.
    Kill {
        /// Host or group.
        host: Spanned<String>,
    },
    /// Breaks something, or mends it.
    Fault(Fault),
    /// Registers a target with its group, or deregisters it.
    Registration {
        /// `group/target`, or the target alone.
        target: Spanned<String>,
        /// Register.
        registered: bool,
    },
    /// Changes a setting.
    Set {
        /// Dotted path.
        path: Spanned<String>,
        /// The new value as compact YAML; none: removed.
        value: Option<String>,
        /// The lab with this and all earlier changes; none before that was worked out (see `story`).
        after: Option<Box<Body>>,
    },
    /// Runs a program.
    Run {
        /// Where.
        on_host: Spanned<String>,
        /// Shell text.
        command: Spanned<String>,
        /// Limit.
        timeout: Spanned<Lapse>,
        /// Go on with the story at once.
        background: bool,
    },
}

/// What a story breaks and mends.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Servers stop as by SIGSTOP.
    Freeze {
        /// Host or group.
        host: Spanned<String>,
    },
    /// The host is gone without a word.
    PowerOff {
        /// Host or group.
        host: Spanned<String>,
    },
    /// Nothing comes in or out.
    LinkDown {
        /// Host or group.
        host: Spanned<String>,
    },
    /// Packets are dropped.
    Drop {
        /// Host, group or balancer; none: anybody.
        from: Option<Spanned<String>>,
        /// Host, group or balancer; none: anybody.
        to: Option<Spanned<String>>,
        /// `S.`, `SYN-ACK`
        flags: Option<Spanned<String>>,
        /// Bytes of payload.
        length: Option<Spanned<u32>>,
        /// From 1.
        nth: Spanned<u32>,
        /// A number, or `all`.
        count: Spanned<String>,
    },
    /// Faults end.
    Heal {
        /// Host or group.
        host: Option<Spanned<String>>,
        /// Step name of a `drop`.
        drop: Option<Spanned<String>>,
    },
}

/// A load's `request`.
#[derive(Clone, Debug)]
pub enum Request {
    /// `64`: bytes to send and to get back.
    Bytes(Spanned<u32>),
    /// `GET /path`, or the map.
    Http(HttpRequest),
}

/// A load's HTTP requests on each connection.
#[derive(Clone, Debug)]
pub struct HttpRequest {
    /// Request target.
    pub path: Spanned<String>,
    /// Host header; none: what was dialled.
    pub host: Option<Spanned<String>>,
    /// How often.
    pub times: Spanned<u32>,
    /// Pause between.
    pub every: Option<Spanned<Lapse>>,
    /// The connection is to stay open.
    pub keep_alive: Spanned<bool>,
}

/// `send`, `exchange`, `receive`
#[derive(Clone, Debug)]
pub struct Transfer {
    /// Step name of the connection or load.
    pub over: Spanned<String>,
    /// Bytes each time.
    pub bytes: Spanned<u32>,
    /// How often.
    pub times: Spanned<u32>,
    /// Pause between.
    pub every: Option<Spanned<Lapse>>,
    /// Limit for each time.
    pub timeout: Spanned<Lapse>,
    /// Go on with the story at once.
    pub background: bool,
}

/// A span of time as written: real, or cloud time that `time_scale` divides.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lapse {
    /// As written.
    pub length: Duration,
    /// `400s cloud`
    pub cloud: bool,
}
