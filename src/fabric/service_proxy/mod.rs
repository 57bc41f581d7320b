//! Service proxies of cluster nodes: what stands between a node's pods and its device, and turns addresses of services into
//! pods' and back. Packets on the wire have pods' addresses only.
//!
//! Each node has a table of its own, by client and service, and by client and pod for the way back. An entry ends lazily: it is
//! looked at when a packet asks for it, so nothing here has a time of its own. The fabric meets this at the host's edge, as
//! it meets kernels that quirks stand for: before anything else of what a node sends, after everything else of what it gets.
//! Not here: what IPVS does with a packet (`ipvs`), and what eBPF does (`ebpf`).
//!
//! Observed on: kube-proxy in the mode ipvs, Calico's eBPF dataplane. Left out: the answer of a pod on its client's own node, which
//! does not come this way (the plan refuses such clients), and ICMP errors, which are not translated back.

mod ebpf;
mod ipvs;

use super::config::{Config, PortId, Protocol, ProxyMode, ServiceProxy, VirtualService};
use super::random::{Random, pick};
use super::record::Reason;
use crate::packet::{Headers, TCP, UDP};
use ipvs::State;
use rustc_hash::{FxHashMap, FxHashSet};
use std::net::SocketAddrV4;
use std::time::Duration;

/// Of the random streams of a seed (see [`Random::new`]); links have those from 0 on.
const STREAM: u64 = u64::MAX;

/// What becomes of a packet at a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Treatment {
    /// It goes on as it is.
    Pass,
    /// It goes on to a pod.
    To(SocketAddrV4),
    /// It goes on as if the service had sent it.
    From(SocketAddrV4),
    /// The node's own TCP, which has no such connection, answers it with RST.
    Refuse,
    /// It is gone.
    Drop(Reason),
}

/// What one node's proxy did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProxyCounters {
    /// Entries now.
    pub entries: u64,
    /// Connections that were given an endpoint (IPVS: `Conns` of `/proc/net/ip_vs_stats`).
    pub connections: u64,
    /// Of these, on a port whose entry was ended for it.
    pub rescheduled: u64,
    /// SYNs that were dropped together with the entry that they found.
    pub port_reuse_drops: u64,
    /// Packets that were dropped because their entry's endpoint is gone.
    pub no_destination_drops: u64,
    /// SYNs that were sent again and went to another endpoint than before.
    pub moved_syns: u64,
}

/// By the client's end and the other one: a service's, or a pod's.
type Key = (Protocol, SocketAddrV4, SocketAddrV4);

/// A connection of a client.
#[derive(Clone, Copy, Debug)]
struct Entry {
    /// Its service's number.
    service: usize,
    /// Its endpoint's place there.
    endpoint: usize,
    state: State,
    /// A packet of the endpoint has been seen.
    answered: bool,
    /// Sequence number of the SYN.
    isn: u32,
    /// Last packet that was let through.
    last: Duration,
}

/// A node's table.
#[derive(Debug, Default)]
struct Node {
    entries: FxHashMap<Key, Entry>,
    /// From the pod's end to the service that its packets seem to come from. By eBPF each SYN leaves one.
    back: FxHashMap<Key, usize>,
    /// By service: whose turn it is.
    turn: Vec<usize>,
    counters: ProxyCounters,
}

impl Node {
    fn remove(&mut self, key: &Key, services: &[VirtualService]) {
        if let Some(entry) = self.entries.remove(key) {
            let endpoint = services[entry.service].endpoints[entry.endpoint].address;
            self.back.remove(&(key.0, key.1, endpoint));
        }
    }

    fn insert(&mut self, key: Key, entry: Entry, services: &[VirtualService]) -> Treatment {
        let endpoint = services[entry.service].endpoints[entry.endpoint].address;
        self.back.insert((key.0, key.1, endpoint), entry.service);
        self.entries.insert(key, entry);
        self.counters.connections += 1;
        Treatment::To(endpoint)
    }
}

/// The tables of all nodes. The default: there are none.
#[derive(Debug, Default)]
pub struct ServiceProxies {
    /// By port; empty: nobody has one.
    nodes: Vec<Option<Box<Node>>>,
    services: FxHashMap<(Protocol, SocketAddrV4), usize>,
    /// Service and endpoint that were taken out.
    gone: FxHashSet<(usize, usize)>,
    random: Option<Random>,
}

impl ServiceProxies {
    /// Empty tables.
    pub fn new(config: &Config) -> Self {
        let Some(proxy) = &config.service_proxy else {
            return Self::default();
        };
        let services = proxy.services.iter().enumerate();
        let node = || Node {
            turn: vec![0; proxy.services.len()],
            ..Node::default()
        };
        let ports = (0..config.ports.len() as u32).map(PortId);
        Self {
            nodes: ports
                .map(|port| proxy.nodes.contains(&port).then(|| Box::new(node())))
                .collect(),
            services: services
                .map(|(number, service)| ((service.protocol, service.at), number))
                .collect(),
            gone: FxHashSet::default(),
            random: Some(Random::new(config.seed, STREAM)),
        }
    }

    /// A node's table is empty again, as its memory goes with its power. What was counted stays counted.
    pub fn forget(&mut self, port: PortId) {
        if let Some(Some(node)) = self.nodes.get_mut(port.0 as usize) {
            node.entries.clear();
            node.back.clear();
            node.turn.fill(0);
        }
    }

    /// What a node's proxy did; none where there is none.
    pub fn counters(
        &self,
        port: PortId,
        proxy: Option<&ServiceProxy>,
        now: Duration,
    ) -> Option<ProxyCounters> {
        let (node, proxy) = (self.nodes.get(port.0 as usize)?.as_ref()?, proxy?);
        let live = node.entries.iter();
        let live = live.filter(|(key, entry)| is_live(&proxy.mode, key, entry, now));
        Some(ProxyCounters {
            entries: live.count() as u64,
            ..node.counters
        })
    }

    /// An endpoint comes, or is taken out.
    pub fn set_endpoint(&mut self, proxy: &ServiceProxy, place: (usize, usize), there: bool) {
        if there {
            self.gone.remove(&place);
            return;
        }
        self.gone.insert(place);
        let ProxyMode::Ipvs(knobs) = &proxy.mode else {
            return;
        };
        if !(knobs.expire_nodest_conn && knobs.since_5_9) {
            return;
        }
        for node in self.nodes.iter_mut().flatten() {
            let entries = node.entries.iter();
            let lost: Vec<Key> = entries
                .filter(|(_, entry)| (entry.service, entry.endpoint) == place)
                .map(|(key, _)| *key)
                .collect();
            lost.iter()
                .for_each(|key| node.remove(key, &proxy.services));
        }
    }

    /// A packet leaves a node, or one of its pods: toward a service?
    pub fn leaves(
        &mut self,
        now: Duration,
        from: PortId,
        headers: &Headers,
        proxy: Option<&ServiceProxy>,
    ) -> Treatment {
        let (Some(Some(node)), Some(proxy)) = (self.nodes.get_mut(from.0 as usize), proxy) else {
            return Treatment::Pass;
        };
        let Some(protocol) = protocol(headers) else {
            return Treatment::Pass;
        };
        let Some(&service) = self.services.get(&(protocol, headers.to)) else {
            return Treatment::Pass;
        };
        let key = (protocol, headers.from, headers.to);
        let found = node.entries.get(&key);
        if found.is_some_and(|entry| !is_live(&proxy.mode, &key, entry, now)) {
            node.remove(&key, &proxy.services);
        }
        let mut at = At {
            now,
            key,
            service,
            headers,
            services: &proxy.services,
            node,
            gone: &self.gone,
        };
        match &proxy.mode {
            ProxyMode::Ipvs(knobs) => at.by_ipvs(knobs),
            ProxyMode::Ebpf { pin_syn } => {
                let random = self.random.as_mut();
                at.by_ebpf(*pin_syn, random.map_or(0, Random::word))
            }
        }
    }

    /// A packet comes to a node, for it or for one of its pods: from a pod behind a service?
    pub fn comes(
        &mut self,
        now: Duration,
        to: PortId,
        headers: &Headers,
        proxy: Option<&ServiceProxy>,
    ) -> Treatment {
        let (Some(Some(node)), Some(proxy)) = (self.nodes.get_mut(to.0 as usize), proxy) else {
            return Treatment::Pass;
        };
        let Some(protocol) = protocol(headers) else {
            return Treatment::Pass;
        };
        let back = node.back.get(&(protocol, headers.to, headers.from));
        let Some(service) = back.map(|number| &proxy.services[*number]) else {
            return Treatment::Pass;
        };
        let key = (protocol, headers.to, service.at);
        let Some(entry) = node.entries.get_mut(&key) else {
            return Treatment::Pass;
        };
        if !is_live(&proxy.mode, &key, entry, now) {
            node.remove(&key, &proxy.services);
            return Treatment::Pass;
        }
        // By eBPF it may come from a pod that an earlier SYN went to: it passes, and tells nothing of the entry.
        let own = service.endpoints[entry.endpoint].address == headers.from;
        if own {
            entry.answered = true;
            entry.last = now;
            if protocol == Protocol::Tcp {
                entry.state = entry.state.after_output(headers.flags);
            }
        }
        Treatment::From(service.at)
    }
}

/// A packet for a service, at a node.
struct At<'a> {
    now: Duration,
    key: Key,
    service: usize,
    headers: &'a Headers,
    services: &'a [VirtualService],
    node: &'a mut Node,
    gone: &'a FxHashSet<(usize, usize)>,
}

impl At<'_> {
    fn is_gone(&self, entry: &Entry) -> bool {
        self.gone.contains(&(entry.service, entry.endpoint))
    }

    /// Endpoints that a new connection may get.
    fn there(&self) -> Vec<usize> {
        let all = 0..self.services[self.service].endpoints.len();
        all.filter(|endpoint| !self.gone.contains(&(self.service, *endpoint)))
            .collect()
    }

    /// Gives the connection an endpoint.
    fn give(&mut self, endpoint: usize) -> Treatment {
        let entry = Entry {
            service: self.service,
            endpoint,
            state: State::new(self.headers.flags),
            answered: false,
            isn: self.headers.seq,
            last: self.now,
        };
        self.node.insert(self.key, entry, self.services)
    }
}

/// The transport of a packet that has ports.
fn protocol(headers: &Headers) -> Option<Protocol> {
    match headers.protocol {
        _ if headers.is_untraceable() => None,
        TCP => Some(Protocol::Tcp),
        UDP => Some(Protocol::Udp),
        _ => None,
    }
}

fn is_live(mode: &ProxyMode, key: &Key, entry: &Entry, now: Duration) -> bool {
    match mode {
        ProxyMode::Ipvs(knobs) => {
            let limit = match key.0 {
                Protocol::Tcp => entry.state.timeout(&knobs.timeouts),
                Protocol::Udp => knobs.timeouts.udp,
            };
            now.saturating_sub(entry.last) < limit
        }
        // Calico's clean-up comes minutes later at the earliest: no case lasts so long.
        ProxyMode::Ebpf { .. } => true,
    }
}
