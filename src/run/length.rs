//! How long a case will take, roughly, reckoned from its plan. Not here: the descriptors that it needs (see `need`).

use crate::expr::Truth;
use crate::fabric::Config;
use crate::plan::{Claim, Kind, Plan, Request, Server, Step, Verb};
use crate::spec::{App, Http};
use std::cmp::Reverse;
use std::time::Duration;

/// A program's own time, which no plan tells: longer than most steps take.
const PROGRAM: Duration = Duration::from_secs(1);

/// What a segment carries on an ordinary Ethernet, bytes.
const SEGMENT: f64 = 1448.0;

/// How long a story will take: what it waits for by its own words, what its links and servers delay, a program's time where
/// programs serve, and the limits that are run into: of the steps of which the lab says that they fail, and the longest one
/// besides: in a fault a client's, and where all is well that of waiting for what comes with the fault only. Good for an order,
/// not for a promise.
pub fn of(plan: &Plan) -> Duration {
    let (mut way, service) = (Way::of(&plan.fabric), Service::of(plan));
    let lapses = plan.steps.iter().map(|step| {
        if let Verb::Set { network, .. } = &step.verb {
            way = Way::of(network);
        }
        lapse(&step.verb, &way, &service)
    });
    let (failing, others): (Vec<&Step>, Vec<&Step>) =
        plan.steps.iter().partition(|step| fails(plan, step));
    let certain = failing
        .iter()
        .filter_map(|step| limit(&step.verb).or_else(|| patience(&step.verb)));
    let possible = others.iter().filter_map(|step| match plan.kind {
        Kind::Fault | Kind::Partial if failing.is_empty() => limit(&step.verb),
        Kind::Fault | Kind::Partial => None,
        Kind::Fix | Kind::Control => patience(&step.verb).filter(|_| !is_promised(plan, step)),
    });
    lapses.sum::<Duration>()
        + certain.sum::<Duration>()
        + possible.max().unwrap_or_default()
        + service.programs
}

/// The slowest way of a network.
struct Way {
    /// What links delay, there and back.
    around: Duration,
    /// Bits per second; none: no limit.
    rate: Option<u64>,
    /// Share of packets lost, 0.0..=1.0.
    loss: f64,
}

impl Way {
    fn of(network: &Config) -> Self {
        let ports = network.ports.iter();
        let around = ports.clone().map(|port| port.up.delay + port.down.delay);
        let directions = ports.flat_map(|port| [&port.up, &port.down]);
        Self {
            around: around.max().unwrap_or_default(),
            rate: directions.clone().filter_map(|one| one.rate).min(),
            loss: directions.map(|one| one.loss).fold(0.0, f64::max),
        }
    }

    /// How long so many bytes take, and their answer. Where packets are lost a congestion window comes to about the square root of 1.5 / loss
    /// segments (Mathis and others, "The Macroscopic Behavior of the TCP Congestion Avoidance Algorithm").
    fn trip(&self, bytes: f64) -> Duration {
        let on_the_line = self
            .rate
            .map_or(0.0, |rate| bytes * 8.0 / rate.max(1) as f64);
        let windows = bytes / SEGMENT * (self.loss / 1.5).sqrt();
        self.around + Duration::from_secs_f64(on_the_line) + self.around.mul_f64(windows)
    }
}

/// The slowest HTTP server of a plan, and servers that are programs.
struct Service {
    delay: Duration,
    /// How many it serves at a time; none: all.
    workers: Option<u32>,
    /// What programs may take for their part of the story.
    programs: Duration,
}

impl Service {
    fn of(plan: &Plan) -> Self {
        let servers = plan.hosts.iter().flat_map(|host| &host.servers);
        let is_program = |server: &Server| matches!(server.app, App::Command { .. });
        let programs = match servers.clone().any(is_program) {
            true => PROGRAM,
            false => Duration::ZERO,
        };
        let http = servers.filter_map(|server| match &server.app {
            App::Http(http) | App::Https { http, .. } => Some(http),
            App::Echo { .. }
            | App::Sink
            | App::Banner { .. }
            | App::Name
            | App::Source { .. }
            | App::NeverAccept { .. }
            | App::Command { .. } => None,
        });
        let delay = |http: &Http<Duration>| http.delay.unwrap_or_default();
        let slowest =
            http.max_by_key(|http| (delay(http), Reverse(http.workers.unwrap_or(u32::MAX))));
        Self {
            delay: slowest.map(delay).unwrap_or_default(),
            workers: slowest.and_then(|http| http.workers),
            programs,
        }
    }

    /// How long so many requests take that come at once: those of a connection follow each other.
    fn answers(&self, connections: u32, request: &Request) -> Duration {
        let Request::Http(http) = request else {
            return Duration::ZERO;
        };
        let turns = self
            .workers
            .map_or(1, |workers| connections.div_ceil(workers.max(1)));
        http.every * http.times.saturating_sub(1) + self.delay * http.times * turns
    }
}

/// How long a step takes by its own words, and on its way.
fn lapse(verb: &Verb, way: &Way, service: &Service) -> Duration {
    if let Verb::Wait { lapse } = verb {
        return *lapse;
    }
    if let Verb::Connect { .. } = verb {
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
        dials,
        connections,
        rate,
        request,
        ..
    } = verb
    {
        let coming = rate.map_or(way.around, |rate| {
            Duration::from_secs_f64(f64::from(*connections) / rate)
        });
        let all = connections.saturating_mul(dials.len() as u32);
        let answers = request
            .as_ref()
            .map(|request| service.answers(all, request));
        return coming + answers.unwrap_or_default();
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

/// True when the lab says of this step that it comes to nothing.
fn fails(plan: &Plan, step: &Step) -> bool {
    let done = serde_json::json!({ &step.name: { "ok": true, "error": "", "failed": 0 } });
    let promised: &[Claim] = match plan.kind {
        Kind::Fix | Kind::Control => &plan.works,
        Kind::Fault | Kind::Partial => &[],
    };
    let mut claims = promised.iter().chain(&plan.expect);
    claims.any(|claim| claim.expr.eval(&done) == Truth::False)
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
    if let Verb::Exchange(transfer) | Verb::Send(transfer) | Verb::Receive(transfer) = verb {
        return Some(transfer.timeout);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(steps: &str) -> Plan {
        read("{ 80: echo }", steps, "kind: control")
    }

    fn read(serve: &str, steps: &str, case: &str) -> Plan {
        let text = format!(
            "title: t\nhosts:\n  client: {{ count: 4 }}\n  web: {{ serve: {serve} }}\nsteps:\n{steps}\nworks: [one.ok]\ncases:\n  only: {{ {case} }}\n"
        );
        let mut plans = crate::plan::read(text.as_bytes(), "t/t.yaml")
            .unwrap_or_else(|problems| panic!("{problems:?}"));
        plans.remove(0)
    }

    #[test]
    fn waits_and_a_fault_s_limits_make_a_story_long() {
        let plan = plan(
            "  - connect: { as: one, from: client-1, to: web }\n  - wait: 3s\n  - exchange: { over: one, times: 5, every: 1s }",
        );
        assert_eq!(of(&plan), Duration::from_secs(7));
        let fault = Plan {
            kind: Kind::Fault,
            ..plan
        };
        assert_eq!(of(&fault), Duration::from_secs(12));
    }

    #[test]
    fn links_and_attempts_that_hang_make_a_story_long() {
        let mut far = plan(
            "  - connect: { as: one, from: client-1, to: web }\n  - send: { over: one, bytes: 1000kB }",
        );
        assert_eq!(of(&far), Duration::ZERO);
        let port = &mut far.fabric.ports[0];
        port.up.delay = Duration::from_secs(1);
        port.down.rate = Some(4_000_000);
        // A round trip of a second for each, and 8 million bits.
        assert_eq!(of(&far), Duration::from_secs(4));
        let load =
            plan("  - load: { as: one, from: client, to: web, connections: 100, timeout: 2s }");
        let fault = Plan {
            kind: Kind::Fault,
            ..load
        };
        assert_eq!(of(&fault), Duration::from_secs(4));
    }

    #[test]
    fn where_all_is_well_the_fault_is_waited_for_in_vain() {
        let waits = |first: &str, wait: &str| {
            plan(&format!(
                "  - connect: {{ as: {first}, from: client-1, to: web }}\n  - wait_until: {{ as: {wait}, that: {first}.ok, timeout: 8s }}\n  - wait: 3s"
            ))
        };
        assert_eq!(of(&waits("one", "other")), Duration::from_secs(11));
        // The promise is `one.ok`: it comes true.
        assert_eq!(of(&waits("other", "one")), Duration::from_secs(3));
    }

    #[test]
    fn a_server_s_workers_take_requests_in_turns() {
        let rush = "  - load: { as: one, from: client-1, to: web, connections: 40, rate: 50, request: GET /, timeout: 20s }";
        let served = |server: &str| of(&read(server, rush, "kind: control"));
        assert_eq!(
            served("{ 80: { http: { delay: 600ms } } }"),
            Duration::from_millis(800 + 600)
        );
        // Fourteen times three.
        assert_eq!(
            served("{ 80: { http: { delay: 600ms, workers: 3 } } }"),
            Duration::from_millis(800 + 14 * 600)
        );
    }

    #[test]
    fn loss_makes_a_transfer_long() {
        let mut lossy = plan(
            "  - connect: { as: one, from: client-1, to: web }\n  - send: { over: one, bytes: 1448kB }",
        );
        let port = &mut lossy.fabric.ports[0];
        port.up.delay = Duration::from_millis(10);
        port.up.loss = 0.015;
        // A round trip for each, and a thousand segments by windows of ten.
        assert_eq!(of(&lossy).as_millis(), 20 + 1000);
    }

    #[test]
    fn what_the_lab_says_will_fail_runs_into_its_limit() {
        let steps = "  - connect: { as: one, from: client-1, to: web }\n  - connect: { as: other, from: client-2, to: web, timeout: 4s }\n  - exchange: { over: one, as: again, timeout: 2s }";
        let length = |case: &str| of(&read("{ 80: echo }", steps, case));
        let both = "expect: [other.error == \"deadline\", \"!again.ok\"]";
        assert_eq!(length("kind: control"), Duration::ZERO);
        assert_eq!(
            length(&format!("kind: control, {both}")),
            Duration::from_secs(6)
        );
        assert_eq!(
            length(&format!("kind: fault, {both}")),
            Duration::from_secs(6)
        );
        // Nothing is said, so the longest one.
        assert_eq!(length("kind: fault"), Duration::from_secs(5));
        let never = "  - connect: { as: one, from: client-1, to: web }\n  - wait_until: { as: heard, that: \"!one.ok\", timeout: 3s }";
        let case = "kind: fault, expect: [heard.error == \"deadline\"]";
        assert_eq!(
            of(&read("{ 80: echo }", never, case)),
            Duration::from_secs(3)
        );
    }

    #[test]
    fn a_link_delays_what_comes_after_its_change() {
        let steps = "  - connect: { as: one, from: client-1, to: web }\n  - set: { path: hosts.web.link.up.delay, value: 2s }\n  - connect: { as: other, from: client-1, to: web }";
        assert_eq!(of(&plan(steps)), Duration::from_secs(2));
    }

    #[test]
    fn a_server_that_is_a_program_takes_a_program_s_time() {
        let steps = "  - connect: { as: one, from: client-1, to: web }";
        let length = of(&read("{ 80: { command: cat } }", steps, "kind: control"));
        assert_eq!(length, PROGRAM);
    }
}
