//! `keep-alive-race`: a target closed an idle connection of a balancer just as a request came over it.
//!
//! Observed on: AWS Application Load Balancers, and HTTP listeners of AWS Classic Load Balancers, which keep connections to targets
//! for their idle timeout (60 s) and answer 502, or 504, when a target closes sooner and is not faster than a request. Not this: a target that resets or closes while it is
//! asked, a balancer that knew of the FIN, a client that leaves before its answer.

use super::own_answers::{self, is_classic};
use super::{cite, connections_of, count, counters, distinct, item, join, lapse};
use crate::evidence::BalancerEvidence;
use crate::verdict::Finding;
use crate::verdict::trace::{Trace, delivered, is_reset, is_syn};
use std::collections::HashMap;

pub(super) const KIND: &str = "keep-alive-race";

const NUMBERS: i64 = 1 << 32;

/// One lost request: passages.
struct Race {
    /// The target's FIN.
    fin: usize,
    /// The request, sent without knowing of it.
    request: usize,
    /// The target's answer.
    reset: usize,
    /// From the last payload on the connection to the FIN, ms.
    silence: f64,
}

/// A connection of a balancer to a target.
#[derive(Default)]
struct Kept {
    /// When payload was last sent, by either.
    spoken: f64,
    /// The target's FIN, and the silence before it.
    fin: Option<(usize, f64)>,
    request: Option<usize>,
}

pub(super) fn find(trace: &Trace) -> Option<Finding> {
    let evidence = trace.evidence;
    let metric = |name: &str| {
        let record = &evidence.load_balancers[name];
        own_answers::metric(record, status(record))
    };
    let failed = |name: &str| {
        let metrics = &evidence.load_balancers[name].metrics;
        metrics.get(&metric(name)).copied()
    };
    let mut found = races(trace);
    found.retain(|race| failed(balancer(&trace.sent(race.request).sender)).is_some_and(|n| n > 0));
    let first = found.first()?;
    let (fin, request) = (trace.sent(first.fin), trace.sent(first.request));
    let summary = format!(
        "{} of silence, and {} crossed the FIN: the first was sent {} after it. Instead of an answer the balancer heard the \
         FIN{}, and the client got {}. The RST, with which the kernel there answered what was for no connection of it any \
         more, {}.",
        match (found.len(), lapse(first.silence)) {
            (1, silence) => format!(
                "{} closed an idle connection to {} after {silence}",
                fin.sender, request.sender
            ),
            (n, silence) => format!(
                "{} closed, {n} times, an idle connection to {}, the first after {silence}",
                join(&senders(trace, found.iter().map(|race| race.fin))),
                join(&senders(trace, found.iter().map(|race| race.request))),
            ),
        },
        count(found.len(), "request"),
        lapse(request.t - fin.t),
        arrived(trace, first.fin)
            .filter(|at| *at > request.t)
            .map_or(String::new(), |at| format!(
                ", {} after it had asked",
                lapse(at - request.t)
            )),
        status(&evidence.load_balancers[balancer(&request.sender)]),
        match arrived(trace, first.reset).zip(arrived(trace, first.fin)) {
            Some((reset, fin)) => format!("came {} after the FIN", lapse(reset - fin)),
            None => "had not come when the record ended".to_owned(),
        },
    );
    let names = distinct(
        found
            .iter()
            .map(|race| balancer(&trace.sent(race.request).sender)),
    );
    let values = names.into_iter().map(|name| {
        let path = format!("{}.metrics.{}", item("load_balancers", name), metric(name));
        (path, failed(name).unwrap_or(0).into())
    });
    let targets = distinct(
        found
            .iter()
            .map(|race| trace.sent(race.fin).sender.as_str()),
    );
    let passages = found
        .iter()
        .flat_map(|race| [race.fin, race.request, race.reset]);
    Some(Finding {
        kind: KIND.into(),
        summary,
        packets: cite(trace, passages),
        connections: connections_of(trace, found.iter().map(|race| race.request)),
        counters: counters(evidence, targets, &["TcpExtTCPAbortOnData", "TcpOutRsts"]),
        values: values.collect(),
    })
}

/// Who sent these, each once.
fn senders(trace: &Trace, passages: impl Iterator<Item = usize>) -> Vec<String> {
    distinct(passages.map(|passage| trace.sent(passage).sender.clone()))
}

/// What a balancer says then.
fn status(balancer: &BalancerEvidence) -> i64 {
    match is_classic(balancer) {
        true => 504,
        false => 502,
    }
}

/// When a packet was delivered, ms.
fn arrived(trace: &Trace, passage: usize) -> Option<f64> {
    let ended = trace.ended(passage);
    delivered(ended).then_some(ended.t)
}

/// `app` of `app/a`
fn balancer(place: &str) -> &str {
    place.split('/').next().unwrap_or(place)
}

fn races(trace: &Trace) -> Vec<Race> {
    let balancers = &trace.evidence.load_balancers;
    // By the target's end and the balancer's; only what the balancer opened.
    let mut open: HashMap<(&str, &str), Kept> = HashMap::new();
    let mut found = Vec::new();
    for passage in 0..trace.passages.len() {
        let packet = trace.sent(passage);
        let proxy = balancers.get(balancer(&packet.sender));
        let by_balancer = proxy.is_some_and(|one| one.kind == "application" || is_classic(one));
        let (from, to) = (packet.from.as_str(), packet.to.as_str());
        let ends = if by_balancer { (to, from) } else { (from, to) };
        if by_balancer && is_syn(packet) {
            open.insert(ends, Kept::default());
            continue;
        }
        let Some(kept) = open.get_mut(&ends) else {
            continue;
        };
        if by_balancer && packet.len > 0 {
            let unaware = kept.fin.is_some_and(|(fin, _)| {
                let fin = trace.sent(fin);
                packet.seq == fin.ack && packet.ack == (fin.seq + fin.len) % NUMBERS
            });
            if unaware && kept.request.is_none() {
                kept.request = Some(passage);
            }
        }
        if !by_balancer && is_reset(packet) {
            if let (Some((fin, silence)), Some(request)) = (kept.fin, kept.request)
                && packet.seq == trace.sent(request).ack
            {
                found.push(Race {
                    fin,
                    request,
                    reset: passage,
                    silence,
                });
            }
            open.remove(&ends);
            continue;
        }
        if !by_balancer && packet.flags.contains('F') && kept.fin.is_none() {
            kept.fin = Some((passage, packet.t - kept.spoken));
        }
        if packet.len > 0 {
            kept.spoken = packet.t;
        }
    }
    found
}
