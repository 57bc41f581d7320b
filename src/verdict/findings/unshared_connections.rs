//! `unshared-connections`: a target behind a balancer has a connection for each client, or for each request, and few of them
//! have anything to do at a time.
//!
//! Observed on: AWS Network Load Balancers, which pass on each connection of a client; AWS Application Load Balancers, which
//! share theirs among all clients, as long as the target does not close them after an answer. Not this: clients who close
//! after their request, or few of them; a proxy whose requests come all at once.

use super::{CITED, answered, cite, count, counters};
use crate::evidence::{Answer, BalancerEvidence, Connection, Evidence};
use crate::verdict::Finding;
use crate::verdict::trace::Trace;
use std::collections::{BTreeMap, BTreeSet};

pub(super) const KIND: &str = "unshared-connections";

/// Fewer connections than this are no burden to speak of.
const MANY: usize = 20;

pub(super) fn find(trace: &Trace) -> Vec<Finding> {
    let balancers = trace.evidence.load_balancers.iter();
    balancers
        .flat_map(|(name, balancer)| of_balancer(trace, name, balancer))
        .collect()
}

fn of_balancer(trace: &Trace, name: &str, balancer: &BalancerEvidence) -> Vec<Finding> {
    let evidence = trace.evidence;
    let busy = at_once(&answers(evidence, name));
    let wasteful = |number: usize| busy > 0 && number >= MANY && number >= 2 * busy;
    match balancer.kind.as_str() {
        "network" => standing(evidence, name)
            .into_iter()
            .filter(|(_, connections)| wasteful(connections.len()))
            .map(|(target, connections)| passed_on(trace, name, target, connections, busy))
            .collect(),
        "application" | "classic" if shares(evidence, name) => one_for_each(trace, name)
            .into_iter()
            .filter(|(_, legs)| wasteful(legs.len()))
            .map(|(target, legs)| closed_each_time(trace, name, target, &legs, busy))
            .collect(),
        _ => Vec::new(),
    }
}

/// Requests end at it, and their connections to targets are anybody's: not at a classic balancer's TCP listener.
fn shares(evidence: &Evidence, balancer: &str) -> bool {
    let mut pairs = evidence
        .pairs
        .iter()
        .filter(|pair| pair.balancer == balancer);
    pairs.all(|pair| pair.protocol != "TCP")
}

/// A network balancer's, which stand.
fn passed_on(
    trace: &Trace,
    balancer: &str,
    target: &str,
    connections: Vec<usize>,
    busy: usize,
) -> Finding {
    let syns = connections.iter().filter_map(|c| trace.syns(*c).next());
    Finding {
        kind: KIND.into(),
        summary: format!(
            "{target} holds {} that clients opened through {balancer}, which passes on each. Never more than {} under way at \
             a time: a balancer that shares its connections among clients had needed no more than that.",
            count(connections.len(), "connection"),
            requests(busy),
        ),
        packets: cite(trace, syns),
        connections,
        counters: counters(
            trace.evidence,
            [target],
            &["TcpPassiveOpens", "TcpCurrEstab"],
        ),
        values: Vec::new(),
    }
}

/// Those of a balancer of requests, which the target closed.
fn closed_each_time(
    trace: &Trace,
    balancer: &str,
    target: &str,
    legs: &BTreeMap<usize, usize>,
    busy: usize,
) -> Finding {
    let connections: BTreeSet<usize> = legs
        .keys()
        .flat_map(|leg| trace.legs[*leg].connections.iter().copied())
        .collect();
    Finding {
        kind: KIND.into(),
        summary: format!(
            "{target} closed {} that {balancer} had made to it, each after a single answer, so that no other request could \
             share it. Never more than {} under way at a time.",
            count(legs.len(), "connection"),
            requests(busy),
        ),
        packets: cite(trace, legs.values().copied().take(CITED)),
        connections: connections.into_iter().collect(),
        counters: counters(trace.evidence, [target], &["TcpPassiveOpens"]),
        values: Vec::new(),
    }
}

/// `1 request was`, `3 requests were`
fn requests(busy: usize) -> String {
    let were = if busy == 1 { "was" } else { "were" };
    format!("{} {were}", count(busy, "request"))
}

/// Clients' connections through a network balancer that stand at both ends after the last step and have had an answer, by
/// target.
fn standing<'a>(evidence: &'a Evidence, balancer: &str) -> BTreeMap<&'a str, Vec<usize>> {
    let mut targets: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (index, connection) in evidence.connections.iter().enumerate() {
        let flow = connection.flow.and_then(|flow| evidence.flows.get(flow));
        let stands = [&connection.client_state, &connection.server_state]
            .into_iter()
            .all(|state| state == "ESTABLISHED");
        if stands && connection.received > 0 && flow.is_some_and(|flow| flow.balancer == balancer) {
            targets.entry(&connection.target).or_default().push(index);
        }
    }
    targets
}

/// By target, the connections of an application balancer that it closed, each with the passage of the first FIN; where there
/// was one for each request, and all were closed so.
fn one_for_each<'a>(trace: &'a Trace, balancer: &str) -> BTreeMap<&'a str, BTreeMap<usize, usize>> {
    let of = |leg: &usize| trace.legs[*leg].via.split('/').next() == Some(balancer);
    let mut made: BTreeMap<&str, usize> = BTreeMap::new();
    for leg in (0..trace.legs.len()).filter(of) {
        *made.entry(&trace.legs[leg].target).or_default() += 1;
    }
    let closed = closed_by_targets(trace);
    let mut targets: BTreeMap<&str, BTreeMap<usize, usize>> = BTreeMap::new();
    for (leg, fin) in closed.into_iter().filter(|(leg, _)| of(leg)) {
        let target = trace.legs[leg].target.as_str();
        targets.entry(target).or_default().insert(leg, fin);
    }
    targets.retain(|target, closed| {
        let asked = asked(trace, target);
        asked == made[target] && closed.len() == asked
    });
    targets
}

/// Requests that a target's programs served, health checks left out.
fn asked(trace: &Trace, target: &str) -> usize {
    let host = trace.evidence.hosts.get(target);
    host.map_or(0, |host| {
        host.requests.iter().filter(|asked| !asked.probe).count()
    })
}

/// The first FIN of each connection to a target that the target ended: it was the first to close, or its answer had said that
/// it would. Who has read that closes as well, and whose FIN is the first is then a race between two programs.
fn closed_by_targets(trace: &Trace) -> BTreeMap<usize, usize> {
    let hosts = trace.evidence.hosts.iter();
    let announced: BTreeSet<(&str, &str)> = hosts
        .flat_map(|(host, record)| {
            let closing = record.requests.iter().filter(|asked| asked.closes);
            closing.map(|asked| (host.as_str(), asked.client.as_str()))
        })
        .collect();
    let said = |leg: usize| {
        let leg = &trace.legs[leg];
        announced.contains(&(leg.target.as_str(), leg.seen_as.as_str()))
    };
    let mut ended: BTreeSet<usize> = BTreeSet::new();
    let mut closed = BTreeMap::new();
    for (index, passage) in trace.passages.iter().enumerate() {
        let packet = trace.sent(index);
        let Some(leg) = passage.leg.filter(|_| packet.flags.contains(['F', 'R'])) else {
            continue;
        };
        let closes = !passage.toward_target || said(leg);
        if ended.insert(leg) && closes && packet.flags.contains('F') {
            closed.insert(leg, index);
        }
    }
    closed
}

/// Answers that clients had through a balancer.
fn answers<'a>(evidence: &'a Evidence, balancer: &str) -> Vec<&'a Answer> {
    let through = |connection: &Connection| connection.via.split('/').next() == Some(balancer);
    answered(evidence)
        .filter(|answer| {
            let connection = evidence.connections.get(answer.connection);
            connection.is_some_and(through)
        })
        .collect()
}

/// How many were waited for at a time, at most.
fn at_once(answers: &[&Answer]) -> usize {
    let begin = answers.iter().map(|answer| (answer.at, 1));
    let end = answers.iter().map(|answer| (answer.at + answer.ms, -1));
    let mut steps: Vec<(f64, isize)> = begin.chain(end).collect();
    steps.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let under_way = steps.iter().scan(0_isize, |sum, (_, step)| {
        *sum += step;
        Some(*sum)
    });
    usize::try_from(under_way.max().unwrap_or(0)).unwrap_or(0)
}
