//! `keepalive-in-vain`: a proxying balancer closed a connection for its idle timeout, while keepalives crossed it.
//!
//! Observed on: AWS Classic and Application Load Balancers, and every proxy whose clock is its program's: a keepalive has no
//! byte, so the balancer's kernel acknowledges it and its program hears nothing. Not this: an idle timeout that passed without
//! a keepalive (first one due too late), and a network balancer, whose clock is a packet's.

use super::{cite, cloud, count, counters, distinct, first_few, lapse, name_all, quoted};
use crate::evidence::{Pair, connections_of_pairs};
use crate::verdict::Finding;
use crate::verdict::trace::{Trace, asks_again, delivered, is_pure_ack, length};
use std::collections::HashMap;

pub(super) const KIND: &str = "keepalive-in-vain";

/// A connection that keepalives did not keep.
struct Vain<'a> {
    connection: usize,
    pair: &'a Pair,
    /// Passages of keepalives, each with that of its acknowledgement.
    probes: Vec<(usize, usize)>,
    /// From the last byte to the balancer's closing, ms.
    silence: f64,
}

pub(super) fn find(trace: &Trace) -> Option<Finding> {
    let evidence = trace.evidence;
    let pairs = evidence.pairs.iter().zip(connections_of_pairs(evidence));
    let found: Vec<Vain> = pairs
        .filter_map(|(pair, connection)| in_vain(trace, pair, connection?))
        .collect();
    let first = found.first()?;
    let connections = distinct(found.iter().map(|vain| vain.connection));
    let vias = distinct(found.iter().map(|vain| vain.pair.via.clone()));
    let prober = |vain: &Vain| trace.sent(vain.probes[0].0).sender.as_str();
    let summary = format!(
        "{} closed {}, over which no byte had come for {}{}. {}{} had sent {} in that time, and the balancer's kernel \
         acknowledged each: its program, which counts the time, hears of none.",
        first_few(&vias),
        name_all(trace, &connections),
        lapse(first.silence),
        cloud(evidence, first.silence),
        match connections.as_slice() {
            [_] => String::new(),
            _ => format!("Over {} ", quoted(trace, first.connection)),
        },
        prober(first),
        count(first.probes.len(), "keepalive"),
    );
    Some(Finding {
        kind: KIND.into(),
        summary,
        packets: cite(
            trace,
            found
                .iter()
                .flat_map(|vain| &vain.probes)
                .flat_map(|(probe, answer)| [*probe, *answer]),
        ),
        connections,
        counters: counters(
            evidence,
            distinct(found.iter().map(prober)),
            &["TcpExtTCPKeepAlive"],
        ),
        values: Vec::new(),
    })
}

/// What one end has sent on a connection of the client's, or on one to the target.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Side {
    leg: Option<usize>,
    toward_target: bool,
}

fn in_vain<'a>(trace: &Trace<'a>, pair: &'a Pair, connection: usize) -> Option<Vain<'a>> {
    let closed = pair.target_closed.into_iter().chain(pair.closed);
    let closed = closed.min_by(f64::total_cmp)?;
    if pair.why != "idle" {
        return None;
    }
    let mut next: HashMap<Side, i64> = HashMap::new();
    let mut spoken = pair.opened;
    let mut unanswered: HashMap<Side, usize> = HashMap::new();
    let mut probes = Vec::new();
    let passages = trace.by_connection[connection].iter().copied();
    for passage in passages.filter(|p| belongs(trace, *p, pair)) {
        let (packet, of) = (trace.sent(passage), &trace.passages[passage]);
        if packet.t >= closed || packet.flags.contains(['F', 'R']) {
            break;
        }
        let side = |toward_target| Side {
            leg: of.leg,
            toward_target,
        };
        let own = side(of.toward_target);
        if packet.len > 0 {
            spoken = packet.t;
            probes.clear();
        }
        if asks_again(packet, of.seq.at, next.get(&own).copied()) {
            unanswered.insert(own, passage);
        } else if let Some(probe) = unanswered
            .remove(&side(!of.toward_target))
            .filter(|_| is_pure_ack(packet) && delivered(trace.ended(passage)))
        {
            probes.push((probe, passage));
        }
        let end = of.seq.at + length(packet);
        let reached = next.entry(own).or_insert(end);
        *reached = end.max(*reached);
    }
    (!probes.is_empty()).then_some(Vain {
        connection,
        pair,
        probes,
        silence: closed - spoken,
    })
}

/// A packet of the client's connection, or of the very one to a target.
fn belongs(trace: &Trace, passage: usize, pair: &Pair) -> bool {
    let leg = trace.passages[passage].leg.map(|leg| &trace.legs[leg]);
    leg.is_none_or(|leg| leg.seen_as == pair.seen_as && leg.target_address == pair.target_address)
}
