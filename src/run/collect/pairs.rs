//! What proxies did, as evidence: pairs of connections, and which of them a client's connection was.

use crate::evidence::{Carried, OwnAnswer, Pair};
use crate::fabric::config::{Balancer, Kind};
use crate::plan::{Host, Plan};
use crate::run::client::Client;
use crate::run::proxy::Closed;
use crate::run::story::Story;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};

/// Every pair, in the order they came about.
pub(super) fn pairs(story: &Story) -> Vec<Pair> {
    let plan = &story.plan;
    let count = |bytes: &AtomicU64| bytes.load(Ordering::Relaxed) as i64;
    let of = |pair: &crate::run::proxy::Pair| {
        let balancer = &plan.fabric.balancers[usize::from(pair.place.balancer.0)];
        let zonal = &balancer.zonal[usize::from(pair.place.zonal.0)];
        let group = &plan.fabric.groups[usize::from(pair.group.0)];
        let closed = pair.closed.get();
        let resumed = pair.resumed.lock().expect("no holder of this lock panics");
        Pair {
            balancer: balancer.name.clone(),
            via: format!("{}/{}", balancer.name, zonal.zone),
            port: pair.place.port.into(),
            protocol: protocol(balancer, pair.place.port).to_owned(),
            target: group.targets[pair.target].name.clone(),
            client: pair.client.to_string(),
            seen_as: pair.local.to_string(),
            target_address: pair.address.to_string(),
            opened: story.millis(pair.opened),
            resumed: resumed.iter().map(|at| story.millis(*at)).collect(),
            bytes: Carried {
                from_client: count(&pair.bytes.from_client),
                to_target: count(&pair.bytes.to_target),
                from_target: count(&pair.bytes.from_target),
                to_client: count(&pair.bytes.to_client),
            },
            target_closed: pair.target_closed.get().map(|at| story.millis(*at)),
            closed: closed.map(|(at, _)| story.millis(*at)),
            why: closed.map_or("", |(_, why)| word(*why)).to_owned(),
        }
    };
    let pairs = story.journal.pairs();
    pairs.iter().map(|pair| of(pair)).collect()
}

/// Every answer that proxies gave by themselves, in order.
pub(super) fn own_answers(story: &Story) -> Vec<OwnAnswer> {
    let plan = &story.plan;
    let of = |answer: &crate::run::proxy::OwnAnswer| {
        let balancer = &plan.fabric.balancers[usize::from(answer.place.balancer.0)];
        let zonal = &balancer.zonal[usize::from(answer.place.zonal.0)];
        OwnAnswer {
            via: format!("{}/{}", balancer.name, zonal.zone),
            port: answer.place.port.into(),
            client: answer.client.to_string(),
            at: story.millis(answer.asked),
            ms: (answer.answered - answer.asked).as_secs_f64() * 1e3,
            status: answer.status.into(),
        }
    };
    let answers = story.journal.own_answers();
    answers.iter().map(of).collect()
}

/// What a proxy reads of what it carries.
fn protocol(balancer: &Balancer, port: u16) -> &'static str {
    let mut listeners = balancer.listeners.iter();
    match balancer.kind {
        Kind::Network => "TLS",
        Kind::Classic(_) | Kind::Application(_) => {
            match listeners.any(|one| one.http && one.port == port) {
                true => "HTTP",
                false => "TCP",
            }
        }
    }
}

fn word(why: Closed) -> &'static str {
    match why {
        Closed::Finished => "finished",
        Closed::ClientReset => "client-reset",
        Closed::TargetReset => "target-reset",
        Closed::ClientBrokeOff => "client-broke-off",
        Closed::TargetBrokeOff => "target-broke-off",
        Closed::Idle => "idle",
        Closed::OutOfService => "out-of-service",
    }
}

/// Pairs by what a client knows of them.
pub(super) struct Index<'a> {
    pairs: &'a [Pair],
    /// By zonal address, listener's port and client's port.
    found: HashMap<(&'a str, i64, u16), Vec<usize>>,
}

impl<'a> Index<'a> {
    /// Makes them ready to be found.
    pub(super) fn new(pairs: &'a [Pair]) -> Self {
        let mut found: HashMap<_, Vec<usize>> = HashMap::new();
        for (number, pair) in pairs.iter().enumerate() {
            if let Ok(client) = pair.client.parse::<SocketAddr>() {
                let key = (pair.via.as_str(), pair.port, client.port());
                found.entry(key).or_default().push(number);
            }
        }
        Self { pairs, found }
    }

    /// The first pair of a client's connection, by its place. A port that was used again is told by the time.
    /// `left_as`: its own end as it entered the fabric, for a client inside another host, or as its NAT gateway made it.
    pub(super) fn of_client(
        &self,
        story: &Story,
        client: &Client,
        left_as: Option<SocketAddr>,
    ) -> Option<usize> {
        if client.udp || self.pairs.is_empty() {
            return None;
        }
        let began = story.millis(client.began);
        let local = left_as.or(client.local)?;
        let host = &story.plan.hosts[story.plan.port(client.from).0 as usize];
        let zonal = zonal_address(&story.plan, client.to.address, |_| true)?;
        let port = i64::from(client.to.address.port());
        let candidates = self.found.get(&(zonal.as_str(), port, local.port()))?;
        let own = |number: &&usize| {
            let pair = &self.pairs[**number];
            let seen = pair.client.parse::<SocketAddr>();
            pair.opened >= began && seen.is_ok_and(|seen| seen == local || is(host, seen.ip()))
        };
        candidates.iter().find(own).copied()
    }
}

/// An address of a host, or the one it has at the internet gateway.
fn is(host: &Host, address: IpAddr) -> bool {
    host.has(address) || host.public_address.map(IpAddr::from) == Some(address)
}

/// The zonal address (`chat/a`) that a destination is, when connections end there: at a proxy, or at a listener that
/// terminates TLS.
pub(super) fn proxied(plan: &Plan, destination: SocketAddr) -> Option<String> {
    zonal_address(plan, destination, |balancer| {
        let mut listeners = balancer.listeners.iter();
        let port = destination.port();
        balancer.kind.is_proxy() || listeners.any(|one| one.terminates && one.port == port)
    })
}

/// The zonal address that a destination is, of such balancers.
fn zonal_address(
    plan: &Plan,
    destination: SocketAddr,
    of: impl Fn(&Balancer) -> bool,
) -> Option<String> {
    let balancers = plan.fabric.balancers.iter().filter(|one| of(one));
    let mut places = balancers.flat_map(|one| one.zonal.iter().map(move |zonal| (one, zonal)));
    let inside = plan.fabric.stand_ins.inside(destination)?;
    let at = |address: Option<std::net::Ipv4Addr>| address == Some(*inside.ip());
    let (balancer, zonal) =
        places.find(|(_, zonal)| at(Some(zonal.private)) || at(zonal.public) || at(zonal.ipv6))?;
    Some(format!("{}/{}", balancer.name, zonal.zone))
}
