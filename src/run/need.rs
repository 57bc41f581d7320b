//! What a case will take, reckoned from its plan: descriptors that it has open at once, and time.

use crate::expr::Truth;
use crate::fabric::config::Balancer;
use crate::plan::{Kind, Plan, Request, Step, Verb};
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
        match here + ends <= table / SHARE {
            true => Self {
                here: here + ends,
                seats: 0,
            },
            false => Self { here, seats: ends },
        }
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

/// A program's own time, which no plan tells: longer than most steps take.
const PROGRAM: Duration = Duration::from_secs(1);

/// The slowest way of a plan.
struct Way {
    /// What links delay, there and back.
    around: Duration,
    /// Bits per second; none: no limit.
    rate: Option<u64>,
}

impl Way {
    fn of(plan: &Plan) -> Self {
        let ports = plan.fabric.ports.iter();
        let around = ports.clone().map(|port| port.up.delay + port.down.delay);
        let rates = ports.flat_map(|port| [port.up.rate, port.down.rate]);
        Self {
            around: around.max().unwrap_or_default(),
            rate: rates.flatten().min(),
        }
    }

    /// How long so many bytes take, and their answer.
    fn trip(&self, bytes: f64) -> Duration {
        let on_the_line = self
            .rate
            .map_or(0.0, |rate| bytes * 8.0 / rate.max(1) as f64);
        self.around + Duration::from_secs_f64(on_the_line)
    }
}

/// How long a story will take, roughly: what it waits for by its own words, what its links delay, and the longest limit that
/// is run into: in a fault a client's, and where all is well that of waiting for what comes with the fault only. Good for
/// an order, not for a promise.
pub fn length(plan: &Plan) -> Duration {
    let way = Way::of(plan);
    let limits = plan.steps.iter().filter_map(|step| match plan.kind {
        Kind::Fault | Kind::Partial => limit(&step.verb),
        Kind::Fix | Kind::Control => patience(&step.verb).filter(|_| !is_promised(plan, step)),
    });
    let longest = limits.max().unwrap_or_default();
    let lapses = plan.steps.iter().map(|step| lapse(&step.verb, &way));
    lapses.sum::<Duration>() + longest
}

/// How long a step takes by its own words, and on its way.
fn lapse(verb: &Verb, way: &Way) -> Duration {
    if let Verb::Wait { lapse } = verb {
        return *lapse;
    }
    if let Verb::Connect { .. } | Verb::Load { rate: None, .. } = verb {
        return way.around;
    }
    if let Verb::Run { .. } = verb {
        return PROGRAM;
    }
    if let Verb::Exchange(transfer) | Verb::Send(transfer) | Verb::Receive(transfer) = verb {
        let bytes = f64::from(transfer.bytes) * f64::from(transfer.times);
        return transfer.every * transfer.times.saturating_sub(1) + way.trip(bytes);
    }
    if let Verb::Load {
        connections,
        rate: Some(rate),
        ..
    } = verb
    {
        return Duration::from_secs_f64(f64::from(*connections) / rate);
    }
    Duration::ZERO
}

/// How long a condition is waited for.
fn patience(verb: &Verb) -> Option<Duration> {
    if let Verb::WaitUntil { timeout, .. } = verb {
        return Some(*timeout);
    }
    None
}

/// True when the lab does not work unless this step comes to what it waits for: where all is well, it does.
fn is_promised(plan: &Plan, step: &Step) -> bool {
    let without = serde_json::json!({ &step.name: { "ok": false } });
    let mut works = plan.works.iter();
    works.any(|claim| claim.expr.eval(&without) == Truth::False)
}

/// The limit that a client of a step may run into.
fn limit(verb: &Verb) -> Option<Duration> {
    if let Verb::Connect { timeout, .. } = verb {
        return Some(*timeout);
    }
    if let Verb::Load {
        connections,
        rate,
        timeout,
        ..
    } = verb
    {
        let paced = match rate {
            Some(_) => Duration::ZERO,
            None => super::story::PATIENCE * *connections,
        };
        return Some(paced + *timeout);
    }
    if let Verb::Exchange(transfer) | Verb::Receive(transfer) = verb {
        return Some(transfer.timeout);
    }
    None
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
        };
        assert_eq!(Need::of(&load(10), 1000), small);
        let large = Need {
            here: 22,
            seats: 8000,
        };
        assert_eq!(Need::of(&load(1000), 1000), large);
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

    #[test]
    fn waits_and_a_fault_s_limits_make_a_story_long() {
        let plan = plan(
            "  - connect: { as: one, from: client-1, to: web }\n  - wait: 3s\n  - exchange: { over: one, times: 5, every: 1s }",
        );
        assert_eq!(length(&plan), Duration::from_secs(7));
        let fault = Plan {
            kind: Kind::Fault,
            ..plan
        };
        assert_eq!(length(&fault), Duration::from_secs(12));
    }

    #[test]
    fn links_and_attempts_that_hang_make_a_story_long() {
        let mut far = plan(
            "  - connect: { as: one, from: client-1, to: web }\n  - send: { over: one, bytes: 1000kB }",
        );
        assert_eq!(length(&far), Duration::ZERO);
        let port = &mut far.fabric.ports[0];
        port.up.delay = Duration::from_secs(1);
        port.down.rate = Some(4_000_000);
        // A round trip of a second for each, and 8 million bits.
        assert_eq!(length(&far), Duration::from_secs(4));
        let load =
            plan("  - load: { as: one, from: client, to: web, connections: 100, timeout: 2s }");
        let fault = Plan {
            kind: Kind::Fault,
            ..load
        };
        assert_eq!(length(&fault), Duration::from_secs(4));
    }

    #[test]
    fn where_all_is_well_the_fault_is_waited_for_in_vain() {
        let waits = |first: &str, wait: &str| {
            plan(&format!(
                "  - connect: {{ as: {first}, from: client-1, to: web }}\n  - wait_until: {{ as: {wait}, that: {first}.ok, timeout: 8s }}\n  - wait: 3s"
            ))
        };
        assert_eq!(length(&waits("one", "other")), Duration::from_secs(11));
        // The promise is `one.ok`: it comes true.
        assert_eq!(length(&waits("other", "one")), Duration::from_secs(3));
    }
}
