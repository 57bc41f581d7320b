//! The machine: namespaces, devices, rules, programs. The only home of unshare, setns, ioctl, netlink, nft, processes.
//!
//! [`World::build`] makes what a plan says and gives it back as one value. Everything in it is held by descriptors
//! and threads, so a build can stop anywhere and a dead runner leaves nothing. Not here: what happens in the world
//! (see `run`) and any decision about a packet (see `fabric`).

pub mod annex;
pub mod builders;
pub mod clocks;
pub mod conntrack;
pub mod counters;
mod ctnetlink;
mod devices;
pub mod driver;
pub mod drops;
mod dump;
pub mod error;
mod host;
mod inside;
pub mod lag;
mod mounts;
pub mod namespace;
mod netlink;
pub mod observer;
mod outbox;
mod output;
mod patience;
pub mod privilege;
pub mod probe;
pub mod proc;
pub mod program;
mod recorder;
mod rtnl;
pub mod socket;
pub mod supervise;
mod sysctl;
pub mod tap;
pub mod tcp_sockets;
pub mod tracked;
mod tun;
mod wires;

pub use error::Error;
pub use host::Host;
pub use recorder::Recording;
pub use sysctl::inherited_of_tcp;

use crate::fabric::config::{BACKEND_PORTS, KERNEL_PORTS, Port, PortId};
use crate::fabric::host_address;
use crate::plan::{Attachment, Host as HostPlan, HostId, Plan, Verb, Wiring};
use builders::Site;
use driver::Driver;
use namespace::{Namespace, Pending};
use netlink::Netlink;
use observer::Observer;
use recorder::Recorder;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::Duration;
use sysctl::Settings;

/// Of a zonal address's device, bytes: an ordinary Ethernet.
const ZONAL_MTU: u16 = 1500;
/// How long rules and set-up scripts of one host may take.
const SETUP_LIMIT: Duration = Duration::from_secs(30);

/// A built lab.
#[derive(Debug)]
pub struct World {
    hosts: Vec<Arc<Host>>,
    /// How many of them have a port of the fabric.
    on_fabric: usize,
    zonals: Vec<Namespace>,
    observers: Mutex<Vec<inside::Observed>>,
    recorder: Option<Recorder>,
    driver: Driver,
}

impl World {
    /// Builds all hosts of a plan and starts its fabric. Rules and set-up scripts have run when it returns.
    /// `connections`: how many there may be at once, for the size of kernels' tables and the room of observers. `capture`: bytes of packets to keep for
    /// a capture, none without.
    ///
    /// # Errors
    /// The first operation that failed; what was built by then is gone when the error arrives.
    pub async fn build(
        plan: &Plan,
        connections: usize,
        capture: Option<usize>,
    ) -> Result<Self, Error> {
        let names = names(plan, &[]);
        let names_in_pods = match plan.services[..] {
            [] => names.clone(),
            ref services => self::names(plan, services),
        };
        let held = held(plan, connections);
        let limited = limited(plan, connections);
        let mut hosts = Vec::with_capacity(plan.hosts.len());
        let mut pending: Vec<Pending<OwnedFd>> = Vec::with_capacity(plan.fabric.ports.len());
        let mut doors: Vec<Pending<OwnedFd>> = Vec::new();
        let mut site = Site::default();
        for (id, host) in (0..).map(HostId).zip(&plan.hosts) {
            let (held, has_limits) = (held[id.0 as usize], limited[id.0 as usize]);
            let (namespace, descriptor) = match &host.attachment {
                Attachment::Fabric => add_host(&mut site, host, held, has_limits),
                Attachment::Inside(_) => inside::add(&mut site, host, held),
            };
            let port = plan.port(id);
            hosts.push(Arc::new(Host {
                name: host.name.clone(),
                namespace,
                has_ipv6: host.ipv6.is_some(),
                resolver: match plan.fabric.ports[port.0 as usize].internet {
                    false => plan.fabric.resolver.private,
                    true => plan.fabric.resolver.public,
                },
                is_settled: match &host.attachment {
                    Attachment::Fabric => sets_ipv6(host),
                    Attachment::Inside(_) => true,
                },
                has_limits: match &host.attachment {
                    Attachment::Fabric => has_limits,
                    Attachment::Inside(_) => true,
                },
                reaches_itself: match &host.attachment {
                    Attachment::Fabric if !answers_itself(host) => OnceLock::new(),
                    Attachment::Fabric | Attachment::Inside(_) => OnceLock::from(()),
                },
                names: match &host.attachment {
                    Attachment::Inside(veth) if veth.wiring == Wiring::Routed => {
                        Arc::clone(&names_in_pods[port.0 as usize])
                    }
                    Attachment::Fabric | Attachment::Inside(_) => {
                        Arc::clone(&names[port.0 as usize])
                    }
                },
                inside: OnceLock::new(),
            }));
            match &host.attachment {
                Attachment::Fabric => pending.push(descriptor),
                Attachment::Inside(_) => doors.push(descriptor),
            }
        }
        let kernels = &plan.fabric.ports[plan.on_fabric()..];
        let mut zonals = Vec::with_capacity(kernels.len());
        for port in kernels {
            let reserved = reserved(plan, port);
            let (namespace, device) = add_zonal(&mut site, plan, port, connections, reserved);
            zonals.push(namespace);
            pending.push(device);
        }
        let wait_all = |pending: Vec<Pending<OwnedFd>>| {
            let results = pending.into_iter().map(Pending::wait);
            results.collect::<Result<Vec<_>, _>>()
        };
        tokio::task::block_in_place(|| site.build())?;
        let (devices, doors) = (wait_all(pending)?, wait_all(doors)?);
        let (observers, ears) =
            inside::attach(plan, &hosts, doors, connections, capture.is_some()).await?;
        // What passes inside hosts has its own half of the room.
        let capture = capture.map(|limit| if ears.is_empty() { limit } else { limit / 2 });
        let driver = Driver::start(plan.fabric.clone(), devices, capture)?;
        let recorder = match capture.filter(|_| !ears.is_empty()) {
            Some(limit) => Some(Recorder::start(ears, limit, driver.epoch())?),
            None => None,
        };
        let world = Self {
            hosts,
            on_fabric: plan.on_fabric(),
            zonals,
            observers: Mutex::new(observers),
            recorder,
            driver,
        };
        for (host, plan) in world.hosts.iter().zip(&plan.hosts) {
            set_up(host, plan).await?;
        }
        Ok(world)
    }

    /// A host by its number in the plan.
    pub fn host(&self, id: HostId) -> &Arc<Host> {
        &self.hosts[id.0 as usize]
    }

    /// Network namespaces of all hosts and zonal addresses.
    pub fn namespaces(&self) -> usize {
        self.hosts.len() + self.zonals.len()
    }

    /// All hosts, in the plan's order.
    pub fn hosts(&self) -> &[Arc<Host>] {
        &self.hosts
    }

    /// The namespace of a zonal address that has a kernel. Panics for any other port.
    pub fn zonal(&self, port: PortId) -> &Namespace {
        &self.zonals[port.0 as usize - self.on_fabric]
    }

    /// Who sees the packets of hosts inside others, with their hosts by device. None after [`World::stop_observing`].
    pub fn observers(&self) -> MutexGuard<'_, Vec<(Observer, HashMap<u32, HostId>)>> {
        self.observers
            .lock()
            .expect("no holder of this lock panics")
    }

    /// Observes no more, and does not wait for it. An observer ends after two grace periods of the kernel, in which it has no
    /// lock that others need; so all of them end side by side.
    pub fn stop_observing(&self) {
        for observed in std::mem::take(&mut *self.observers()) {
            tokio::task::spawn_blocking(move || drop(observed));
        }
    }

    /// Takes what was captured of hosts inside others, and ends that. None when there was nothing to capture.
    pub fn take_recording(&self) -> Option<Recording> {
        self.recorder.as_ref()?.take()
    }

    /// A copy of what was captured of hosts inside others behind so many packets; capturing goes on. None when there is
    /// nothing to capture.
    pub fn recording_behind(&self, packets: u64) -> Option<Recording> {
        Some(self.recorder.as_ref()?.behind(packets))
    }

    /// The fabric's driver.
    pub fn driver(&self) -> &Driver {
        &self.driver
    }
}

/// Names and addresses, as /etc/hosts has them, by port of the fabric: what the resolver says of hosts to who asks there. What
/// is inside a host is known there only. Pods know the services of their cluster besides, and no host by a name that one of these
/// has.
fn names(plan: &Plan, services: &[(Vec<String>, Ipv4Addr)]) -> Vec<Arc<str>> {
    let is_service = |host: &str| services.iter().any(|(names, _)| names[0] == host);
    let line = |host: &HostPlan, address: Option<Ipv4Addr>| -> String {
        let addresses = [address.map(IpAddr::from), host.ipv6.map(IpAddr::from)];
        let lines = addresses.into_iter().flatten();
        lines
            .filter(|_| !is_service(&host.name))
            .map(|address| format!("{address} {}\n", host.name))
            .collect()
    };
    let (on_fabric, inside) = plan.hosts.split_at(plan.on_fabric());
    let ports = &plan.fabric.ports[..on_fabric.len()];
    let told_to = |asker: &Port| -> Arc<str> {
        let of_cluster = services
            .iter()
            .map(|(names, address)| format!("{address} {}\n", names.join(" ")));
        let hosts = on_fabric.iter().zip(ports);
        let hosts = hosts.map(|(host, port)| line(host, host_address(asker, port)));
        of_cluster.chain(hosts).collect::<String>().into()
    };
    let mut own = vec![String::new(); on_fabric.len()];
    for host in inside {
        if let Attachment::Inside(veth) = &host.attachment {
            own[veth.parent.0 as usize].push_str(&line(host, Some(host.address)));
        }
    }
    // It depends on nothing else of who asks.
    let mut told = HashMap::new();
    ports
        .iter()
        .zip(own)
        .map(|(asker, own)| {
            let kind = (asker.internet, asker.reaches_internet());
            let common = told.entry(kind).or_insert_with(|| told_to(asker));
            match own.is_empty() {
                true => Arc::clone(common),
                false => format!("{common}{own}").into(),
            }
        })
        .collect()
}

/// Connections that the steps open, by host; none where there may be more, since whoever builds the world may open some, too.
fn opened(plan: &Plan, connections: usize) -> Option<Vec<usize>> {
    let mut own = vec![0usize; plan.hosts.len()];
    for step in &plan.steps {
        let mut each = 1;
        if let Verb::Load { connections, .. } = &step.verb {
            each = *connections as usize;
        }
        for dial in step.verb.dials() {
            own[dial.from.0 as usize] += each;
        }
    }
    (own.iter().sum::<usize>() >= connections).then_some(own)
}

/// Connections that a host's kernel may have at once, by host: who only opens some its own, anybody else all that there are. A
/// larger table costs a namespace more, which a thousand clients of a few connections need not have.
fn held(plan: &Plan, connections: usize) -> Vec<usize> {
    let Some(own) = opened(plan, connections) else {
        return vec![connections; plan.hosts.len()];
    };
    let hosts = plan.hosts.iter().zip(own);
    let only_opens = |host: &HostPlan, own| host.servers.is_empty() && own > 0;
    hosts
        .map(|(host, own)| match only_opens(host, own) {
            true => own.min(connections),
            false => connections,
        })
        .collect()
}

/// Whose kernel needs the machine's limits of connections from the beginning, by host: not that of hosts who open a few and
/// otherwise do nothing, unless the lab has settings, which come after ours.
fn limited(plan: &Plan, connections: usize) -> Vec<bool> {
    let Some(own) = opened(plan, connections) else {
        return vec![true; plan.hosts.len()];
    };
    let hosts = plan.hosts.iter().zip(own);
    let has_few = |host: &HostPlan, own| {
        host.servers.is_empty() && host.sysctls.is_empty() && own <= sysctl::SMALL_TIME_WAIT
    };
    hosts.map(|(host, own)| !has_few(host, own)).collect()
}

fn add_host(
    site: &mut Site,
    plan: &HostPlan,
    connections: usize,
    has_limits: bool,
) -> (Namespace, Pending<OwnedFd>) {
    let (address, ipv6, mtu, sysctls) = (plan.address, plan.ipv6, plan.mtu, plan.sysctls.clone());
    let (further, bridges) = (plan.addresses.clone(), plan.bridges.clone());
    let (sets_ipv6, answers_itself) = (sets_ipv6(plan), answers_itself(plan));
    site.add(&plan.name, connections, move || {
        let device = open_device(address, &further, ipv6, mtu)?;
        if answers_itself {
            Netlink::open()?.bring_up_loopback()?;
        }
        inside::add_bridges(&bridges, mtu)?;
        if sets_ipv6 {
            sysctl::settle_ipv6(ipv6.is_some())?;
        }
        let mut settings = Settings::default();
        if has_limits {
            sysctl::limits_of_the_machine(&mut settings)?;
        }
        for (name, value) in &sysctls {
            settings.write(name, value)?;
        }
        Ok(device)
    })
}

/// True when the lab has settings of IPv6 itself: they come after ours.
fn sets_ipv6(plan: &HostPlan) -> bool {
    let mut names = plan.sysctls.iter().map(|(name, _)| name);
    names.any(|name| name.starts_with("net.ipv6."))
}

/// True when a host may take a packet of its own that comes back to it, and so needs `lo` for the answer: IPv4 drops it as
/// a martian unless a setting says otherwise (`accept_local`), IPv6 does not.
fn answers_itself(plan: &HostPlan) -> bool {
    plan.ipv6.is_some() || !plan.sysctls.is_empty()
}

/// `eth0` of the calling thread's namespace, with its addresses and routes.
fn open_device(
    address: Ipv4Addr,
    further: &[Ipv4Addr],
    ipv6: Option<Ipv6Addr>,
    mtu: u16,
) -> Result<OwnedFd, Error> {
    sysctl::plain_defaults()?;
    let device = tun::create()?;
    let index = nix::net::if_::if_nametoindex(tun::NAME)
        .map_err(|errno| Error::system("find eth0", errno))?;
    let mut netlink = Netlink::open()?;
    netlink.configure(index, mtu, address)?;
    for address in further {
        netlink.add_address(index, *address, 32)?;
    }
    if let Some(ipv6) = ipv6 {
        netlink.configure_ipv6(index, ipv6)?;
    }
    Ok(device)
}

/// A zonal address's own kernel: no programs, and only its part of the ports.
fn add_zonal(
    site: &mut Site,
    plan: &Plan,
    port: &Port,
    connections: usize,
    reserved: String,
) -> (Namespace, Pending<OwnedFd>) {
    let address = port.address;
    let ipv6 = port.ipv6.and_then(|ipv6| plan.fabric.stand_ins.real(ipv6));
    let (terminates, further) = (port.terminates, port.addresses.clone());
    site.add(&port.name, connections, move || {
        let device = open_device(address, &further, ipv6, ZONAL_MTU)?;
        if ipv6.is_some() {
            Netlink::open()?.bring_up_loopback()?;
        }
        let range = format!("{} {}", KERNEL_PORTS.start(), KERNEL_PORTS.end());
        let mut settings = Settings::default();
        sysctl::limits_of_the_machine(&mut settings)?;
        settings.write("net.ipv4.ip_local_port_range", &range)?;
        if !reserved.is_empty() {
            settings.write("net.ipv4.ip_local_reserved_ports", &reserved)?;
        }
        if terminates {
            // Who decides how long a port rests is the balancer.
            settings.write("net.ipv4.tcp_tw_reuse", "1")?;
        }
        Ok(device)
    })
}

/// Listeners' ports among those of a zonal address's own kernel: no socket of it may have them.
fn reserved(plan: &Plan, port: &Port) -> String {
    let balancers = plan.fabric.balancers.iter();
    let mut ports: Vec<String> = balancers
        .filter(|balancer| balancer.zonal.iter().any(|z| z.private == port.address))
        .flat_map(|balancer| &balancer.listeners)
        .filter(|listener| KERNEL_PORTS.contains(&listener.port))
        .map(|listener| listener.port.to_string())
        .collect();
    if port.terminates {
        ports.push(format!("{}-{}", BACKEND_PORTS.start(), BACKEND_PORTS.end()));
    }
    ports.join(",")
}

/// Rules first, then the operator's script, as a machine boots.
async fn set_up(host: &Host, plan: &HostPlan) -> Result<(), Error> {
    let texts = [
        ("the cluster's rules", "nft", &["-f", "-"][..], &plan.rules),
        ("nft", "nft", &["-f", "-"][..], &plan.nft),
        ("iptables", "iptables-restore", &[][..], &plan.iptables),
        ("setup", "/bin/sh", &["-e"][..], &plan.setup),
    ];
    for (key, program, arguments, text) in texts {
        let Some(text) = text else { continue };
        let ended = host
            .inside()?
            .run(program, arguments, Some(text), SETUP_LIMIT)
            .await?;
        ended
            .success(&format!("apply `{key}`"), SETUP_LIMIT)
            .map_err(|error| error.on(&host.name))?;
    }
    Ok(())
}
