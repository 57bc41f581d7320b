//! `keep-alive-race`: an idle connection was closed just as a request came over it.
//!
//! Observed on: AWS Application Load Balancers, and HTTP listeners of AWS Classic Load Balancers, which keep connections to targets
//! for their idle timeout (60 s) and answer 502, or 504, when a target closes sooner and is not faster than a request; and clients whose pool
//! keeps connections longer than the balancer, or the server, that they lead to (RFC 9112 section 9.5). Not this: whoever resets or closes
//! while it is asked, an asker that knew of the FIN, a client that leaves before its answer.

use super::own_answers::{self, is_classic};
use super::{cite, connections_of, count, counters, distinct, item, join, lapse};
use crate::evidence::BalancerEvidence;
use crate::verdict::Finding;
use crate::verdict::trace::{Trace, ahead, delivered, is_reset, is_syn};
use std::collections::HashMap;

pub(super) const KIND: &str = "keep-alive-race";

/// One lost request: passages.
struct Race {
    /// The FIN of who was asked.
    fin: usize,
    /// The request, sent without knowing of it.
    request: usize,
    /// Its kernel's answer.
    reset: usize,
    /// From the last payload on the connection to the FIN, ms.
    silence: f64,
}

/// A connection, by who opened it.
#[derive(Default)]
struct Kept {
    /// When payload was last sent, by either.
    spoken: f64,
    /// Its last payload was sent by who opened it, or there was none: an answer is due.
    due: bool,
    /// The FIN of who is asked, and the silence before it.
    fin: Option<(usize, f64)>,
    request: Option<usize>,
}

/// No server's patience is shorter, ms: one that closes sooner has another reason, as a program that ends.
const PATIENCE: f64 = 250.0;

pub(super) fn find(trace: &Trace) -> Vec<Finding> {
    let (of_balancers, mut of_clients): (Vec<Race>, Vec<Race>) =
        races(trace).into_iter().partition(|race| {
            let asker = balancer(&trace.sent(race.request).sender);
            trace.evidence.load_balancers.contains_key(asker)
        });
    of_clients.retain(|race| race.silence >= PATIENCE);
    let found = [between(trace, of_balancers), before(trace, &of_clients)];
    found.into_iter().flatten().collect()
}

/// Between clients and who they asked: nobody answers in its place.
fn before(trace: &Trace, found: &[Race]) -> Option<Finding> {
    let first = found.first()?;
    let summary = format!(
        "{} Instead of an answer {} heard the FIN{}; the RST, with which the kernel there answered what was for no connection of it any \
         more, {}. No program there has seen the request, and no log has it.",
        closed(trace, found),
        trace.sent(first.request).sender,
        heard(trace, first),
        behind(trace, first),
    );
    let servers = senders(trace, found.iter().map(|race| race.fin));
    Some(Finding {
        kind: KIND.into(),
        summary,
        packets: cite(trace, passages(found)),
        connections: connections_of(trace, found.iter().map(|race| race.request)),
        counters: counters(
            trace.evidence,
            servers.iter().map(String::as_str),
            &["TcpExtTCPAbortOnData", "TcpOutRsts"],
        ),
        values: Vec::new(),
    })
}

/// "web1 closed an idle connection to front/a after 4.00 s of silence, and 1 request crossed the FIN: ..."
fn closed(trace: &Trace, found: &[Race]) -> String {
    let first = &found[0];
    let (fin, request) = (trace.sent(first.fin), trace.sent(first.request));
    let idle = match (found.len(), lapse(first.silence)) {
        (1, silence) => format!(
            "{} closed an idle connection to {} after {silence}",
            fin.sender, request.sender
        ),
        (n, silence) => format!(
            "{} closed, {n} times, an idle connection to {}, the first after {silence}",
            join(&senders(trace, found.iter().map(|race| race.fin))),
            join(&senders(trace, found.iter().map(|race| race.request))),
        ),
    };
    format!(
        "{idle} of silence, and {} crossed the FIN: the first was sent {} after it.",
        count(found.len(), "request"),
        lapse(request.t - fin.t),
    )
}

/// ", 2 ms after it had asked"
fn heard(trace: &Trace, race: &Race) -> String {
    let asked = trace.sent(race.request).t;
    let fin = arrived(trace, race.fin).filter(|at| *at > asked);
    fin.map_or(String::new(), |at| {
        format!(", {} after it had asked", lapse(at - asked))
    })
}

/// "came 2 ms after the FIN"
fn behind(trace: &Trace, race: &Race) -> String {
    match arrived(trace, race.reset).zip(arrived(trace, race.fin)) {
        Some((reset, fin)) => format!("came {} after the FIN", lapse(reset - fin)),
        None => "had not come when the record ended".to_owned(),
    }
}

fn passages(found: &[Race]) -> impl Iterator<Item = usize> {
    let all = found.iter();
    all.flat_map(|race| [race.fin, race.request, race.reset])
}

/// Between balancers and targets: the client is told by the balancer.
fn between(trace: &Trace, mut found: Vec<Race>) -> Option<Finding> {
    let evidence = trace.evidence;
    let metric = |name: &str| {
        let record = &evidence.load_balancers[name];
        own_answers::metric(record, status(record))
    };
    let failed = |name: &str| {
        let metrics = &evidence.load_balancers[name].metrics;
        metrics.get(&metric(name)).copied()
    };
    found.retain(|race| failed(balancer(&trace.sent(race.request).sender)).is_some_and(|n| n > 0));
    let first = found.first()?;
    let asker = balancer(&trace.sent(first.request).sender);
    let summary = format!(
        "{} Instead of an answer the balancer heard the FIN{}, and the client got {}. The RST, with which the kernel there answered what \
         was for no connection of it any more, {}.",
        closed(trace, &found),
        heard(trace, first),
        status(&evidence.load_balancers[asker]),
        behind(trace, first),
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
    let targets = senders(trace, found.iter().map(|race| race.fin));
    Some(Finding {
        kind: KIND.into(),
        summary,
        packets: cite(trace, passages(&found)),
        connections: connections_of(trace, found.iter().map(|race| race.request)),
        counters: counters(
            evidence,
            targets.iter().map(String::as_str),
            &["TcpExtTCPAbortOnData", "TcpOutRsts"],
        ),
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
    // By the ends of who opened it, as that one sees them.
    let mut open: HashMap<(&str, &str), Kept> = HashMap::new();
    let mut found = Vec::new();
    for passage in 0..trace.passages.len() {
        let packet = trace.sent(passage);
        let ends = (packet.from.as_str(), packet.to.as_str());
        if is_syn(packet) {
            let begun = Kept {
                due: true,
                ..Kept::default()
            };
            open.insert(ends, begun);
            continue;
        }
        let asks = open.contains_key(&ends);
        let ends = match asks {
            true => ends,
            false => (packet.to_after.as_str(), packet.from_after.as_str()),
        };
        let Some(kept) = open.get_mut(&ends) else {
            continue;
        };
        if asks && packet.len > 0 {
            let unaware = kept.fin.is_some_and(|(fin, _)| {
                let fin = trace.sent(fin);
                packet.seq == fin.ack && ahead(packet.ack, fin.seq + fin.len) == 0
            });
            if unaware && kept.request.is_none() {
                kept.request = Some(passage);
            }
        }
        if !asks && is_reset(packet) {
            if let (Some((fin, silence)), Some(request)) = (kept.fin, kept.request)
                && packet.seq == trace.sent(request).ack
                && packet.sender == trace.sent(fin).sender
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
        if !asks && packet.flags.contains('F') && kept.fin.is_none() && !kept.due {
            kept.fin = Some((passage, packet.t - kept.spoken));
        }
        if packet.len > 0 {
            kept.spoken = packet.t;
            kept.due = asks;
        }
    }
    found
}
