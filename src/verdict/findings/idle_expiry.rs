//! `idle-expiry`: a balancer or a NAT gateway forgot an idle flow; whoever spoke next was reset, or met silence.
//!
//! Observed on: AWS Network Load Balancers (350 s by default, RST to the next to speak), AWS NAT gateways (350 s, RST to
//! the host behind it; the other side meets silence), and in silence on other clouds. Azure can reset both ends at the
//! moment of expiry.

use super::{cite, cloud, connections_of, distinct, join, lapse, name_all};
use crate::evidence::Packet;
use crate::verdict::Finding;
use crate::verdict::trace::{Trace, answer, drop_reason, is_reset};
use std::collections::HashMap;

pub(super) const KIND: &str = "idle-expiry";

pub(super) fn find(trace: &Trace) -> Option<Finding> {
    let reset = |p: usize| answer(trace.ended(p)) == Some("reset, expired flow");
    // A flow that the balancer ended by itself leaves the same tombstone.
    let terminated = |p: usize| {
        let flow = trace.sent(p).flow;
        flow.and_then(|flow| trace.evidence.flows.get(flow))
            .is_some_and(|flow| flow.terminated)
    };
    let silent = |p: usize| drop_reason(trace.ended(p)) == Some("expired-flow") && !terminated(p);
    let late: Vec<usize> = (0..trace.passages.len())
        .filter(|p| reset(*p) || silent(*p))
        .collect();
    let Some(&first) = late.first() else {
        return ended_in_time(trace);
    };
    let connections = connections_of(trace, late.iter().copied());
    let packet = trace.sent(first);
    let names = if connections.is_empty() {
        format!("a flow of {}", packet.from)
    } else {
        name_all(trace, &connections)
    };
    let who = who(trace.ended(first));
    let took = |ms: f64| format!("{}{}", lapse(ms), cloud(trace.evidence, ms));
    let limit = forgotten_after(trace, first);
    let silence = match limit {
        Some(ms) => format!(" after {} of silence", took(ms)),
        None => String::new(),
    };
    // Not the moment of forgetting, of which nobody is told.
    let spoke =
        idle_before(trace, first).map_or(String::new(), |ms| format!(", after {}", took(ms)));
    let (first_to_speak, second) = by_turn(trace, &late);
    let became = |of: &[usize]| {
        let resets = of.iter().filter(|p| reset(**p)).count();
        what_became(resets, of.len() - resets)
    };
    let then = became(&first_to_speak);
    let other = match second.is_empty() {
        true => "The other end was told nothing.".to_owned(),
        false => {
            let who = distinct(second.iter().map(|p| trace.sent(*p).sender.clone()));
            format!("When {} spoke, {}.", few(&who), became(&second))
        }
    };
    Some(Finding {
        kind: KIND.into(),
        summary: format!(
            "{who} forgot {names}{silence}. {} was the first to speak again{spoke}: {then}. {other}",
            packet.sender
        ),
        packets: cite(trace, late),
        connections,
        counters: Vec::new(),
        values: Vec::new(),
    })
}

/// Late packets of the end of each connection that spoke first, and those of the other end.
fn by_turn(trace: &Trace, late: &[usize]) -> (Vec<usize>, Vec<usize>) {
    let mut first = HashMap::new();
    late.iter().partition(|p| {
        let packet = trace.sent(**p);
        let of = (trace.passages[**p].connection, packet.flow);
        *first.entry(of).or_insert(packet.sender.as_str()) == packet.sender
    })
}

fn what_became(resets: usize, drops: usize) -> String {
    match (resets, drops) {
        (0 | 1, 0) => "it was answered with RST".to_owned(),
        (resets, 0) => format!("{resets} such segments were answered with RST"),
        (0, 1) => "it was dropped without a word".to_owned(),
        (0, drops) => format!(
            "it was dropped without a word, and so were {} more",
            drops - 1
        ),
        (resets, drops) => {
            format!("{resets} such segments were answered with RST and {drops} dropped")
        }
    }
}

/// `a`, `a and b`, `5 others`
fn few(names: &[String]) -> String {
    match names.len() {
        ..=3 => join(names),
        many => format!("{many} others"),
    }
}

/// A NAT gateway reset both ends of connections at the moment they had been idle for too long.
fn ended_in_time(trace: &Trace) -> Option<Finding> {
    let unasked = |p: &usize| {
        let sent = trace.sent(*p);
        let made = !sent.gateway.is_empty() && sent.sender == sent.gateway;
        made && is_reset(sent) && sent.mapping.is_some()
    };
    let resets: Vec<usize> = (0..trace.passages.len()).filter(unasked).collect();
    let first = *resets.first()?;
    let connections = connections_of(trace, resets.iter().copied());
    let names = match connections.is_empty() {
        true => format!("a flow of {}", trace.sent(first).to),
        false => name_all(trace, &connections),
    };
    let who = who(trace.sent(first));
    Some(Finding {
        kind: KIND.into(),
        summary: format!(
            "{who} had seen no packet of {names} for its idle timeout, and reset both ends."
        ),
        packets: cite(trace, resets),
        connections,
        counters: Vec::new(),
        values: Vec::new(),
    })
}

/// Who forgot.
fn who(packet: &Packet) -> String {
    match packet.gateway.as_str() {
        "" => "The balancer".to_owned(),
        gateway => format!("The NAT gateway {gateway}"),
    }
}

/// The silence after which the flow, or the mapping, of a late packet was forgotten, ms; none: it is not on record.
fn forgotten_after(trace: &Trace, late: usize) -> Option<f64> {
    let (packet, ended) = (trace.sent(late), trace.ended(late));
    let evidence = trace.evidence;
    let silence = match ended.gateway.as_str() {
        "" => {
            evidence
                .flows
                .get(packet.flow.or(ended.flow)?)?
                .forgotten_after
        }
        _ => evidence.mappings.get(ended.mapping?)?.forgotten_after,
    };
    (silence > 0.0).then_some(silence)
}

/// Milliseconds since the packet before this one on the same connection.
fn idle_before(trace: &Trace, passage: usize) -> Option<f64> {
    let connection = trace.passages[passage].connection?;
    let before = trace.by_connection[connection]
        .iter()
        .rev()
        .find(|p| **p < passage)?;
    Some(trace.sent(passage).t - trace.sent(*before).t)
}
