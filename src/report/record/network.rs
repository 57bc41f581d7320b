//! What the boxes of the network and the kernels of the hosts have on record, as far as a reader needs it: what is
//! alike stands once, with how often it was met.

use crate::evidence::{
    Carried, Connection, Detail, Evidence, LinkDid, Lookup, Mapping, Pair, Refusal, Socket,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Entries of one list.
const ENTRIES: usize = 20;
/// Proxied connections and mappings that stand each by itself; of more those stand together that are alike.
const SINGLE: usize = 12;
/// Ports from here on are a client's own choice, another for each connection.
const EPHEMERAL: u16 = 32_768;

/// The network's side of a case.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Network {
    /// Where the clients' connections went, when there are more than a few.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<Taken>,
    /// What clients asked the resolver.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lookups: Vec<Asked>,
    /// What names of balancers said that did not always say the same.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<Named>,
    /// What security groups and network ACLs refused.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub refusals: Vec<Refused>,
    /// Packets that a box answered by itself, by its words for it; the resolver's answers left out.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub answered: BTreeMap<String, i64>,
    /// Connections of proxying balancers to targets, each with the client's that led to it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub legs: Vec<Leg>,
    /// NAT gateways.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gateways: Vec<Gateway>,
    /// What they translated.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mappings: Vec<Mapped>,
    /// What links did to packets besides carrying, delaying and losing them, by link and by what it was: `damaged`,
    /// `copies made`, `overtook others`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub links: BTreeMap<String, BTreeMap<String, i64>>,
    /// What kernels dropped, by host and by the kernel's own reason.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub kernel_drops: BTreeMap<String, BTreeMap<String, i64>>,
    /// Why that is not known; empty when it is.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub no_kernel_drops: String,
    /// Sockets with something unread, not acknowledged, or sent again, in words.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stuck: Vec<String>,
    /// Entries that are not in a list, by the list's name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub left_out: BTreeMap<String, usize>,
}

/// Connections of one step by one way.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Taken {
    /// The step that opened them.
    pub step: String,
    /// The client, or how many.
    pub from: String,
    /// What was dialled: `front/a`, `web1`.
    pub via: String,
    /// The host they were sent to; empty: to none.
    pub target: String,
    /// How many.
    pub connections: usize,
    /// Of those, came to stand.
    pub stood: usize,
    /// Needed more than one SYN.
    pub retried: usize,
    /// By error word of connect(2).
    pub errors: BTreeMap<String, usize>,
    /// HTTP answers by status.
    pub status: BTreeMap<String, usize>,
}

/// The same question with the same answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    /// The client.
    pub from: String,
    /// The name.
    pub name: String,
    /// The answer's addresses, in the order of the first such answer.
    pub addresses: Vec<String>,
    /// `no-address` when there are none.
    pub error: String,
    /// How often.
    pub times: usize,
    /// When first, ms.
    pub first: f64,
    /// When last, ms.
    pub last: f64,
    /// How long it may be kept, real ms.
    pub keep_ms: f64,
    /// Connections that took their address from it.
    pub used: usize,
    /// When the last of those was begun, ms.
    pub last_used: Option<f64>,
}

/// A balancer's name from a moment on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Named {
    /// The balancer.
    pub name: String,
    /// From when on, ms.
    pub at: f64,
    /// Zones whose addresses it had.
    pub zones: Vec<String>,
}

/// Packets that a guard refused for one reason.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Refused {
    /// `security group locked at web2`, `network ACL of zone b's subnet`
    pub guard: String,
    /// `ingress`, `egress`, `inbound`, `outbound`
    pub direction: String,
    /// The rule that denied it; none: no rule allows it.
    pub rule: Option<i64>,
    /// `tcp`, ...
    pub protocol: String,
    /// Source as the guard saw it, without a client's port.
    pub from: String,
    /// Destination likewise.
    pub to: String,
    /// TCP flags.
    pub flags: String,
    /// They belong to health checks.
    pub probe: bool,
    /// How many.
    pub packets: usize,
}

/// A client's connection to a proxying balancer and that to the target; or several that are alike.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Leg {
    /// How many.
    pub connections: usize,
    /// `address:port` of the client; of several its address or how many.
    pub client: String,
    /// `chat/a`
    pub via: String,
    /// `address:port` of the balancer toward the target; of several empty.
    pub seen_as: String,
    /// The target's host.
    pub target: String,
    /// `address:port` of the target.
    pub target_address: String,
    /// When the (first) connection to the target stood, ms.
    pub opened: f64,
    /// What was carried; none where the balancer cannot say for one client.
    #[serde(flatten)]
    pub bytes: Option<Carried>,
    /// When the connection to the target was over, ms; of several none.
    pub target_closed: Option<f64>,
    /// When the client's connection had ended as well, ms; of several none.
    pub closed: Option<f64>,
    /// Why; empty while it is open.
    pub why: String,
}

/// A NAT gateway.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Gateway {
    /// Its name.
    pub name: String,
    /// `aws`, ...
    pub profile: String,
    /// Its public addresses.
    pub addresses: Vec<String>,
    /// The hosts behind it.
    pub hosts: Vec<String>,
    /// Connections at one time toward one destination, at most.
    pub ports: i64,
    /// Mappings made during the steps.
    pub mappings: i64,
}

/// A NAT gateway's mapping, or several that are alike.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Mapped {
    /// How many.
    pub connections: usize,
    /// The gateway.
    pub gateway: String,
    /// The host behind it.
    pub host: String,
    /// `address:port` of the host; of several its address.
    pub inside: String,
    /// `address:port` that the destination sees; of several the address.
    pub outside: String,
    /// `address:port` of the destination.
    pub remote: String,
    /// First packet (of the first), ms.
    pub opened: f64,
    /// Last packet (of the last), ms.
    pub last: f64,
    /// `established`, ...
    pub state: String,
}

impl Network {
    /// Of a case.
    pub(crate) fn of(evidence: &Evidence) -> Self {
        let mut network = Self {
            paths: paths(evidence),
            lookups: lookups(evidence),
            names: names(evidence),
            refusals: refusals(&evidence.refusals),
            answered: answered(evidence),
            legs: legs(&evidence.pairs),
            gateways: gateways(evidence),
            mappings: mappings(&evidence.mappings),
            links: links(evidence),
            kernel_drops: kernel_drops(evidence),
            no_kernel_drops: evidence.no_kernel_drops.clone(),
            stuck: stuck(evidence),
            left_out: BTreeMap::new(),
        };
        let Self {
            paths,
            lookups,
            names,
            refusals,
            legs,
            mappings,
            stuck,
            left_out,
            answered: _,
            gateways: _,
            links: _,
            kernel_drops: _,
            no_kernel_drops: _,
        } = &mut network;
        shorten("paths", paths, left_out);
        shorten("lookups", lookups, left_out);
        shorten("names", names, left_out);
        shorten("refusals", refusals, left_out);
        shorten("legs", legs, left_out);
        shorten("mappings", mappings, left_out);
        shorten("stuck", stuck, left_out);
        network
    }

    /// Nothing is on record.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

fn shorten<T>(name: &str, list: &mut Vec<T>, left_out: &mut BTreeMap<String, usize>) {
    if list.len() > ENTRIES {
        left_out.insert(name.to_owned(), list.len() - ENTRIES);
        list.truncate(ENTRIES);
    }
}

/// Entries that have the same key become one, in the order of the first of each.
fn merged<T, K: Ord, U>(
    items: impl IntoIterator<Item = T>,
    key: impl Fn(&T) -> K,
    new: impl Fn(&T) -> U,
    mut add: impl FnMut(&mut U, &T),
) -> Vec<U> {
    let mut places: BTreeMap<K, usize> = BTreeMap::new();
    let mut list: Vec<U> = Vec::new();
    for item in items {
        let place = *places.entry(key(&item)).or_insert_with(|| {
            list.push(new(&item));
            list.len() - 1
        });
        add(&mut list[place], &item);
    }
    list
}

/// Connections told of one by one elsewhere.
const FEW: usize = 4;

fn paths(evidence: &Evidence) -> Vec<Taken> {
    if evidence.connections.len() <= FEW {
        return Vec::new();
    }
    let mut status: BTreeMap<usize, Vec<i64>> = BTreeMap::new();
    for step in &evidence.steps {
        if let Detail::Load(load) = &step.detail {
            for answer in &load.answers {
                let answers = status.entry(answer.connection).or_default();
                answers.push(answer.status);
            }
        }
    }
    let step = |c: &Connection| {
        let step = evidence.steps.get(c.step);
        step.map_or(String::new(), |step| step.name.clone())
    };
    let mut hosts: BTreeMap<(String, String, String), Vec<&str>> = BTreeMap::new();
    let mut list = merged(
        evidence.connections.iter().enumerate(),
        |(_, c)| (c.step, c.via.clone(), c.target.clone()),
        |(_, c)| Taken {
            step: step(c),
            via: c.via.clone(),
            target: c.target.clone(),
            ..Taken::default()
        },
        |taken, (i, c)| {
            taken.connections += 1;
            taken.stood += usize::from(c.error.is_empty());
            taken.retried += usize::from(c.error.is_empty() && c.syns > 1);
            if !c.error.is_empty() {
                *taken.errors.entry(c.error.clone()).or_default() += 1;
            }
            for status in status.get(i).into_iter().flatten() {
                *taken.status.entry(status.to_string()).or_default() += 1;
            }
            let key = (taken.step.clone(), taken.via.clone(), taken.target.clone());
            let from = hosts.entry(key).or_default();
            if !from.contains(&c.from.as_str()) {
                from.push(&c.from);
            }
        },
    );
    for taken in &mut list {
        let key = (taken.step.clone(), taken.via.clone(), taken.target.clone());
        taken.from = match hosts.get(&key).map(Vec::as_slice) {
            Some([one]) => (*one).to_owned(),
            Some(more) => format!("{} hosts", more.len()),
            None => String::new(),
        };
    }
    list
}

fn lookups(evidence: &Evidence) -> Vec<Asked> {
    let users = |lookup: usize| {
        let connections = evidence.connections.iter();
        connections.filter(move |c| c.lookup == Some(lookup))
    };
    let key = |(_, l): &(usize, &Lookup)| {
        let mut addresses = l.addresses.clone();
        addresses.sort();
        (l.from.clone(), l.name.clone(), addresses, l.error.clone())
    };
    merged(
        evidence.lookups.iter().enumerate(),
        key,
        |(_, l)| Asked {
            from: l.from.clone(),
            name: l.name.clone(),
            addresses: l.addresses.clone(),
            error: l.error.clone(),
            first: l.at,
            keep_ms: l.keep_ms,
            ..Asked::default()
        },
        |asked, (i, l)| {
            asked.times += 1;
            asked.last = l.at;
            asked.used += users(*i).count();
            let last = users(*i).map(|c| c.at).reduce(f64::max);
            asked.last_used = match (asked.last_used, last) {
                (Some(a), Some(b)) => Some(a.max(b)),
                (a, b) => a.or(b),
            };
        },
    )
}

fn names(evidence: &Evidence) -> Vec<Named> {
    let changed = evidence
        .load_balancers
        .iter()
        .filter(|(_, balancer)| balancer.dns.len() > 1);
    let told = changed.flat_map(|(name, balancer)| {
        balancer.dns.iter().map(|listing| Named {
            name: name.clone(),
            at: listing.at,
            zones: listing.zones.clone(),
        })
    });
    told.collect()
}

/// An end without a port that its host chose for this connection alone.
fn steady(end: &str) -> String {
    match end.rsplit_once(':') {
        Some((address, port)) if port.parse::<u16>().is_ok_and(|port| port >= EPHEMERAL) => {
            address.to_owned()
        }
        Some(_) | None => end.to_owned(),
    }
}

/// The address of an end.
fn address(end: &str) -> String {
    end.rsplit_once(':')
        .map_or(end.to_owned(), |(address, _)| address.to_owned())
}

fn refusals(list: &[Refusal]) -> Vec<Refused> {
    let told = |r: &Refusal| Refused {
        guard: if r.interface.is_empty() {
            format!("network ACL of zone {}'s subnet", r.guards.join(", "))
        } else if r.guards.is_empty() {
            format!("no security group at {}", r.interface)
        } else {
            format!("security group {} at {}", r.guards.join(", "), r.interface)
        },
        direction: r.direction.clone(),
        rule: r.rule,
        protocol: r.protocol.clone(),
        from: steady(&r.from),
        to: steady(&r.to),
        flags: r.flags.clone(),
        probe: r.probe,
        packets: 0,
    };
    let key = |r: &&Refusal| {
        let Refused {
            guard,
            direction,
            rule,
            protocol,
            from,
            to,
            flags,
            probe,
            packets: _,
        } = told(r);
        (guard, direction, rule, protocol, from, to, flags, probe)
    };
    let mut list = merged(list, key, |r| told(r), |refused, _| refused.packets += 1);
    // The story's own packets before health checks.
    list.sort_by_key(|refused| (refused.probe, std::cmp::Reverse(refused.packets)));
    list
}

fn answered(evidence: &Evidence) -> BTreeMap<String, i64> {
    let mut counts = BTreeMap::new();
    for packet in &evidence.packets {
        match packet.fate.strip_prefix("answered: ") {
            // Those are among the lookups.
            None | Some("name") => {}
            Some(how) => *counts.entry(how.to_owned()).or_default() += 1,
        }
    }
    counts
}

fn legs(pairs: &[Pair]) -> Vec<Leg> {
    let one = |p: &Pair| Leg {
        connections: 1,
        client: p.client.clone(),
        via: p.via.clone(),
        seen_as: p.seen_as.clone(),
        target: p.target.clone(),
        target_address: p.target_address.clone(),
        opened: p.opened,
        bytes: p.bytes,
        target_closed: p.target_closed,
        closed: p.closed,
        why: p.why.clone(),
    };
    if pairs.len() <= SINGLE {
        return pairs.iter().map(one).collect();
    }
    let key = |p: &&Pair| {
        let swallowed = p
            .bytes
            .map(|b| (b.from_client != b.to_target, b.from_target != b.to_client));
        (p.via.clone(), p.target.clone(), p.why.clone(), swallowed)
    };
    let new = |p: &&Pair| Leg {
        connections: 0,
        client: address(&p.client),
        seen_as: String::new(),
        bytes: p.bytes.map(|_| Carried::default()),
        target_closed: None,
        closed: None,
        ..one(p)
    };
    merged(pairs, key, new, |leg, p| {
        leg.connections += 1;
        if let (Some(sum), Some(bytes)) = (&mut leg.bytes, p.bytes) {
            *sum += bytes;
        }
        if address(&p.client) != leg.client {
            leg.client = "several clients".to_owned();
        }
    })
}

fn gateways(evidence: &Evidence) -> Vec<Gateway> {
    let gateways = evidence.nat_gateways.iter();
    gateways
        .map(|(name, gateway)| Gateway {
            name: name.clone(),
            profile: gateway.profile.clone(),
            addresses: gateway.addresses.clone(),
            hosts: gateway.hosts.clone(),
            ports: gateway.ports,
            mappings: gateway.mappings,
        })
        .collect()
}

fn mappings(list: &[Mapping]) -> Vec<Mapped> {
    let one = |m: &Mapping| Mapped {
        connections: 1,
        gateway: m.gateway.clone(),
        host: m.host.clone(),
        inside: m.inside.clone(),
        outside: m.outside.clone(),
        remote: m.remote.clone(),
        opened: m.opened,
        last: m.last,
        state: m.state.clone(),
    };
    if list.len() <= SINGLE {
        return list.iter().map(one).collect();
    }
    let key = |m: &&Mapping| {
        let ends = (address(&m.inside), address(&m.outside), m.remote.clone());
        (m.gateway.clone(), m.host.clone(), ends, m.state.clone())
    };
    let new = |m: &&Mapping| Mapped {
        connections: 0,
        inside: address(&m.inside),
        outside: address(&m.outside),
        ..one(m)
    };
    merged(list, key, new, |mapped, m| {
        mapped.connections += 1;
        mapped.last = mapped.last.max(m.last);
    })
}

fn links(evidence: &Evidence) -> BTreeMap<String, BTreeMap<String, i64>> {
    let mut links: BTreeMap<String, BTreeMap<String, i64>> = BTreeMap::new();
    let told = evidence.packets.iter().filter_map(|p| p.links.as_deref());
    for effect in told.flat_map(|links| &links.effects) {
        let what = match effect.what {
            LinkDid::Damaged { .. } => "damaged",
            LinkDid::Copied { .. } => "copies made",
            LinkDid::Overtook { .. } => "overtook others",
        };
        let link = links.entry(effect.link()).or_default();
        *link.entry(what.to_owned()).or_default() += 1;
    }
    links
}

fn kernel_drops(evidence: &Evidence) -> BTreeMap<String, BTreeMap<String, i64>> {
    let hosts = evidence.hosts.iter();
    hosts
        .filter_map(|(name, host)| {
            let drops = host.kernel_drops.iter().flatten();
            let drops: BTreeMap<String, i64> = drops
                .filter(|(_, n)| **n > 0)
                .map(|(reason, n)| (reason.clone(), *n))
                .collect();
            (!drops.is_empty()).then(|| (name.clone(), drops))
        })
        .collect()
}

fn stuck(evidence: &Evidence) -> Vec<String> {
    let hosts = evidence.hosts.iter();
    let sockets = hosts.flat_map(|(name, host)| host.sockets.iter().map(move |s| (name, s)));
    let stuck = sockets.filter(|(_, s)| s.send_queue > 0 || s.recv_queue > 0 || s.retransmits > 0);
    stuck.map(|(name, socket)| waits(name, socket)).collect()
}

/// `web1 ESTABLISHED 10.0.0.10:80 > ...: 64 bytes not acknowledged, sent again 5 times, timer on in 3300 ms`
fn waits(host: &str, socket: &Socket) -> String {
    use crate::report::wrap::count;
    let mut parts = Vec::new();
    if socket.send_queue > 0 {
        parts.push(format!(
            "{} not acknowledged",
            count(socket.send_queue as usize, "byte")
        ));
    }
    if socket.recv_queue > 0 {
        parts.push(format!(
            "{} not read",
            count(socket.recv_queue as usize, "byte")
        ));
    }
    if socket.retransmits > 0 {
        parts.push(format!(
            "sent again {} without an answer",
            count(socket.retransmits as usize, "time")
        ));
    }
    if !socket.timer.is_empty() {
        parts.push(format!("timer {} in {} ms", socket.timer, socket.timer_ms));
    }
    if let Some(info) = &socket.tcp_info {
        parts.push(format!(
            "{} acknowledged and {} sent again in its life, round trip {:.1} ms",
            count(info.bytes_acked as usize, "byte"),
            count(info.resent as usize, "segment"),
            info.rtt_ms
        ));
    }
    format!(
        "{host} {} {} > {}: {}",
        socket.state,
        socket.local,
        socket.remote,
        parts.join(", ")
    )
}
