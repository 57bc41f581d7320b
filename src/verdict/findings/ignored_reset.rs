//! `ignored-reset`: a RST came to an end of a connection with a number that is not the one expected, and the connection lives on.
//!
//! Observed on: every kernel since RFC 5961 (Linux 3.6); boxes on the way that make a RST of counters of their own. Inside the
//! window it is answered with a challenge ACK, outside of it with nothing. Not this: a RST that meant another connection of
//! the same addresses (see `flow_collision`), or one that came to a socket that was closing anyway.

use super::{cite, counters, distinct, quoted};
use crate::verdict::Finding;
use crate::verdict::trace::{Trace, delivered, is_pure_ack, is_reset};

pub(super) const KIND: &str = "ignored-reset";

/// Where an end's expectations come from, and what came instead: passages.
struct Ignored {
    connection: usize,
    reset: usize,
    /// The next number that the receiver expects.
    expected: i64,
    /// The challenge ACK.
    challenge: Option<usize>,
}

pub(super) fn find(trace: &Trace) -> Option<Finding> {
    let connections = 0..trace.evidence.connections.len();
    let found: Vec<Ignored> = connections
        .flat_map(|connection| ignored(trace, connection))
        .collect();
    let first = found.first()?;
    let receiver = trace.ended(first.reset).receiver.as_str();
    let off = off(trace, first).abs();
    let answer = match first.challenge {
        Some(_) => {
            "It was inside the window, so it was answered with a challenge ACK (RFC 5961 section 3), from which its sender could \
             have learnt the right one"
        }
        None => "It was dropped without an answer",
    };
    let others = match found.len() {
        1 => String::new(),
        several => format!(" So it was with {} more.", several - 1),
    };
    let receivers = distinct(
        found
            .iter()
            .map(|one| trace.ended(one.reset).receiver.as_str()),
    );
    Some(Finding {
        kind: KIND.into(),
        summary: format!(
            "{receiver} did not believe a RST to {}: its number was {off} off the one that was expected next. {answer}, and the \
             connection is as open as before.{others}",
            quoted(trace, first.connection),
        ),
        packets: cite(
            trace,
            found
                .iter()
                .flat_map(|one| [Some(one.reset), one.challenge])
                .flatten(),
        ),
        connections: distinct(found.iter().map(|one| one.connection)),
        counters: counters(
            trace.evidence,
            receivers,
            // TcpEstabResets grows by resets that are believed, so what there is of it is another connection's.
            &["TcpExtTCPChallengeACK"],
        ),
        values: Vec::new(),
    })
}

/// RSTs that were not believed: passage, how far off it was, passage of the challenge ACK.
pub fn resets_in_vain(trace: &Trace) -> Vec<(usize, i64, Option<usize>)> {
    let connections = 0..trace.evidence.connections.len();
    let ignored = connections.flat_map(|connection| ignored(trace, connection));
    let told = ignored.map(|one| (one.reset, off(trace, &one).abs(), one.challenge));
    told.collect()
}

fn ignored(trace: &Trace, connection: usize) -> Vec<Ignored> {
    let c = &trace.evidence.connections[connection];
    if c.protocol != "tcp" || !trace.lookalikes(connection).is_empty() {
        return Vec::new();
    }
    let own: Vec<usize> = trace.by_connection[connection]
        .iter()
        .copied()
        .filter(|p| !trace.passages[*p].behind)
        .collect();
    let resets = own.iter().enumerate().filter(|(_, reset)| {
        let ended = trace.ended(**reset);
        is_reset(ended) && delivered(ended)
    });
    let found = resets.filter_map(|(place, reset)| {
        let toward_target = trace.passages[*reset].toward_target;
        let state = if toward_target {
            &c.server_state
        } else {
            &c.client_state
        };
        // What the receiver has acknowledged is what it expects.
        let said = |p: &&usize| {
            trace.passages[**p].toward_target != toward_target
                && trace.sent(**p).flags.contains('.')
                && !is_reset(trace.sent(**p))
        };
        let expected = trace.passages[**own[..place].iter().rfind(said).as_ref()?]
            .ack
            .at;
        let next = own[place + 1..].iter().find(said).copied();
        let challenge = next.filter(|p| {
            let asked_back = trace.passages[*p].ack.at == expected;
            asked_back
                && is_pure_ack(trace.sent(*p))
                && trace.sent(*p).t - trace.ended(*reset).t < AT_ONCE
        });
        let one = Ignored {
            connection,
            reset: *reset,
            expected,
            challenge,
        };
        (state == "ESTABLISHED" && off(trace, &one) != 0).then_some(one)
    });
    found.collect()
}

/// A challenge ACK follows its cause within this, ms.
const AT_ONCE: f64 = 20.0;

/// How far a RST is from what was expected; both ways round, as numbers are modulo 2^32.
fn off(trace: &Trace, one: &Ignored) -> i64 {
    let reset = trace.passages[one.reset].seq;
    match reset.of {
        Some(_) => reset.at - one.expected,
        // Nobody's number: absolute, and so is that of the receiver's last acknowledgement.
        None => {
            let own = trace.by_connection[one.connection].iter();
            let toward_target = trace.passages[one.reset].toward_target;
            let absolute = own
                .filter(|p| trace.passages[**p].toward_target != toward_target)
                .map(|p| (trace.passages[*p].ack.at, trace.sent(*p).ack))
                .find(|(relative, _)| *relative == one.expected);
            let absolute = absolute.map_or(one.expected, |(_, absolute)| absolute);
            (reset.at - absolute).rem_euclid(1 << 32)
        }
    }
}
