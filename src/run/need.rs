//! What a case will take, reckoned from its plan: descriptors that it has open at once, places in the kernel's table of
//! neighbours. Not here: its time (see `length`).

use crate::fabric::config::Balancer;
use crate::plan::{App, Attachment, HostId, Plan, Request, Verb, Veth, Wiring};
use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::time::Duration;

/// Descriptors of a case besides its hosts' and its sockets': the fabric's own, files that are open for a moment.
const OTHERS: usize = 16;
/// A case with more sockets than one part in so many of a table has them in annexes, so that others find room beside it.
const SHARE: usize = 4;

/// What a case needs at once, at most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Need {
    /// Descriptors in the process's own table.
    pub here: usize,
    /// Seats in annexes.
    pub seats: usize,
    /// Places in the table of neighbours that all namespaces of a machine share: who is on a bridge asks for the one whose it
    /// is, and for those there that it speaks to. What needs no ARP takes none, since the kernel lets go of that when it needs
    /// the place.
    pub neighbours: usize,
}

impl Need {
    /// Of a case, where a table has room for so many descriptors.
    pub fn of(plan: &Plan, table: usize) -> Self {
        let connections = connections(plan);
        // A client's socket and the server's.
        let ends = 2 * connections;
        let listeners: usize = plan.hosts.iter().map(|host| host.servers.len()).sum();
        let devices = plan.fabric.ports.len();
        let balancers = plan.fabric.balancers.iter();
        let ends_there = |balancer: &&Balancer| {
            balancer.kind.is_proxy() || balancer.listeners.iter().any(|one| one.terminates)
        };
        let proxies = balancers.filter(ends_there);
        // Each listener at each address, and once more to be looked at; besides the proxies' connections.
        let at_proxies = |balancer: &Balancer| 2 * balancer.zonal.len() * balancer.listeners.len();
        let proxies = match proxies.clone().next() {
            // Both ends, and attempts to connect once more, to be looked at too.
            Some(_) => ends + connections + proxies.map(at_proxies).sum::<usize>(),
            None => 0,
        };
        let here = OTHERS + devices + listeners + proxies;
        let (here, seats) = match here + ends <= table / SHARE {
            true => (here + ends, 0),
            false => (here, ends),
        };
        Self {
            here,
            seats,
            neighbours: neighbours(plan),
        }
    }
}

/// Of each bridge: all on it with the one whose it is, and with each other where one may speak to the other.
fn neighbours(plan: &Plan) -> usize {
    let dials = || plan.steps.iter().flat_map(|step| step.verb.dials());
    let dialers: HashSet<HostId> = dials().map(|dial| dial.from).collect();
    let dialled: HashSet<IpAddr> = dials()
        .flat_map(|dial| &dial.to)
        .map(|endpoint| endpoint.address.ip())
        .collect();
    let run_on = plan.steps.iter().filter_map(|step| match &step.verb {
        Verb::Run { host, .. } => Some(*host),
        _ => None,
    });
    let run_on: HashSet<HostId> = run_on.collect();
    let mut bridges: HashMap<(HostId, &str), OnBridge> = HashMap::new();
    for (id, host) in (0..).map(HostId).zip(&plan.hosts) {
        if let Attachment::Inside(Veth {
            parent,
            wiring: Wiring::Bridged { bridge, .. },
            ..
        }) = &host.attachment
        {
            let mut servers = host.servers.iter();
            let has_programs = host.setup.is_some()
                || run_on.contains(&id)
                || servers.any(|server| matches!(server.app, App::Command { .. }));
            let mut addresses = std::iter::once(&host.address).chain(&host.addresses);
            let asked = !host.servers.is_empty()
                || addresses.any(|address| dialled.contains(&IpAddr::from(*address)));
            let all = bridges.entry((*parent, bridge)).or_default();
            all.add(has_programs, dialers.contains(&id), asked);
        }
    }
    bridges.values().map(OnBridge::neighbours).sum()
}

/// Hosts on a bridge.
#[derive(Debug, Default)]
struct OnBridge {
    all: usize,
    /// With programs, which may speak to anybody.
    programs: usize,
    /// Of the others, those from which steps connect, those to which somebody may, and those that are both.
    dialers: usize,
    asked: usize,
    both: usize,
}

impl OnBridge {
    fn add(&mut self, has_programs: bool, dials: bool, asked: bool) {
        self.all += 1;
        if has_programs {
            self.programs += 1;
            return;
        }
        self.dialers += usize::from(dials);
        self.asked += usize::from(asked);
        self.both += usize::from(dials && asked);
    }

    /// Two of each pair: each knows the other.
    fn neighbours(&self) -> usize {
        let among = |number: usize| number * number.saturating_sub(1) / 2;
        let of_programs = self.programs * (self.all - self.programs) + among(self.programs);
        let of_steps = self.dialers * self.asked - self.both - among(self.both);
        2 * (self.all + of_programs + of_steps)
    }
}

/// Connections that clients have open at once, at most.
pub fn connections(plan: &Plan) -> usize {
    let of_step = |verb: &Verb| {
        let Verb::Load {
            dials,
            connections,
            rate,
            hold,
            request,
            timeout,
            ..
        } = verb
        else {
            return verb.dials().len();
        };
        let each = match hold {
            true => *connections as usize,
            false => at_once(
                *connections as usize,
                *rate,
                life(request.as_ref(), *timeout),
            ),
        };
        dials.len() * each
    };
    plan.steps.iter().map(|step| of_step(&step.verb)).sum()
}

/// How long a connection of a load is there that is not held, at most: the limit is that of the handshake, and once more
/// that of each answer.
fn life(request: Option<&Request>, limit: Duration) -> Duration {
    let talk = match request {
        None => Duration::ZERO,
        Some(Request::Bytes(_)) => limit,
        // The next one waits for its time and for the answer before it, whichever is later.
        Some(Request::Http(http)) => {
            let until_last = http
                .every
                .max(limit)
                .saturating_mul(http.times.saturating_sub(1));
            until_last.saturating_add(limit)
        }
    };
    limit.saturating_add(talk)
}

/// Of one client of a load, as many as may be there while the first one is.
fn at_once(all: usize, rate: Option<f64>, life: Duration) -> usize {
    let per_second = rate.unwrap_or(1.0 / super::story::PATIENCE.as_secs_f64());
    all.min((per_second * life.as_secs_f64()).ceil() as usize + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(steps: &str) -> Plan {
        let text = format!(
            "title: t\nhosts:\n  client: {{ count: 4 }}\n  web: {{ serve: {{ 80: echo }} }}\nsteps:\n{steps}\nworks: [one.ok]\ncases:\n  only: {{ kind: control }}\n"
        );
        let mut plans = crate::plan::read(text.as_bytes(), "t/t.yaml")
            .unwrap_or_else(|problems| panic!("{problems:?}"));
        plans.remove(0)
    }

    #[test]
    fn a_small_load_stays_in_the_process_and_a_large_one_is_seated() {
        let load = |connections: u32| {
            plan(&format!(
                "  - load: {{ as: one, from: client, to: web, connections: {connections}, hold: true }}"
            ))
        };
        // Sixteen others, five devices, one listener; both ends of 40 connections.
        let small = Need {
            here: 22 + 80,
            seats: 0,
            neighbours: 0,
        };
        assert_eq!(Need::of(&load(10), 1000), small);
        let large = Need {
            here: 22,
            seats: 8000,
            neighbours: 0,
        };
        assert_eq!(Need::of(&load(1000), 1000), large);
    }

    #[test]
    fn who_is_on_a_bridge_knows_whom_it_may_speak_to() {
        let needed = |of_a: &str, steps: &str| {
            let text = format!(
                "title: t\nhosts:\n  router: {{}}\n  a: {{ behind: router, count: 3{of_a} }}\n  b: {{ behind: {{ router: other }} }}\n  \
                 web: {{ serve: {{ 80: echo }} }}\nsteps:\n  - connect: {{ as: one, from: b, to: web }}\n{steps}works: [one.ok]\n\
                 cases:\n  only: {{ kind: control }}\n"
            );
            let plans = crate::plan::read(text.as_bytes(), "t/t.yaml").expect("a good lab");
            Need::of(&plans[0], 1000).neighbours
        };
        // Three on one bridge and one on the other, each with the router.
        assert_eq!(needed("", ""), 8);
        let all = "  - load: { as: two, from: a, to: web, connections: 1 }\n";
        assert_eq!(needed("", all), 8);
        // Each of the three with the two others.
        let pairs = 2 * 3;
        assert_eq!(needed(", serve: { 80: echo }", all), 8 + pairs);
        assert_eq!(needed(", setup: 'true'", ""), 8 + pairs);
        assert_eq!(
            needed(", serve: { 80: { command: 'true' } }", ""),
            8 + pairs
        );
        // One with both others.
        let one = "  - connect: { as: two, from: a-1, to: 'a-2:80' }\n";
        assert_eq!(needed("", one), 8 + 2);
        assert_eq!(needed(", serve: { 80: echo }", one), 8 + 4);
        let run = "  - run: { on_host: a-1, command: 'true' }\n";
        assert_eq!(needed("", run), 8 + 4);
    }

    #[test]
    fn what_is_not_held_is_reckoned_by_how_many_may_hang() {
        let plan =
            plan("  - load: { as: one, from: client, to: web, connections: 13000, timeout: 2s }");
        // One every 20 ms for two seconds, from each of four.
        assert_eq!(Need::of(&plan, 10_000).here, 22 + 2 * 4 * 101);
    }

    #[test]
    fn what_is_asked_over_a_connection_keeps_it_open() {
        let open = |request: &str| {
            connections(&plan(&format!(
                "  - load: {{ as: one, from: client-1, to: web, connections: 13000, rate: 1000, timeout: 2s{request} }}"
            )))
        };
        assert_eq!(open(""), 2001);
        // The handshake and the answer; then three answers, one a second or as late as they may be.
        assert_eq!(open(", request: 32"), 4001);
        assert_eq!(open(", request: { times: 3, every: 1s }"), 8001);
        assert_eq!(open(", request: { times: 3, every: 4s }"), 12_001);
    }
}
