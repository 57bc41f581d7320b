//! `connection-timed-out`: an end's kernel gave a connection up that had stood (ETIMEDOUT), because nothing came back for what it sent.
//!
//! Observed on: every TCP (RFC 9293 section 3.8.3, RFC 1122 section 4.2.3.6). Linux gives up after tcp_retries2 repetitions, after
//! TCP_USER_TIMEOUT, or after tcp_keepalive_probes keepalives. Not this: a connection that never stood (see `syn_unanswered`); a
//! limit of the program's own; an end that has not given up yet (see `vanished_peer`); a window that stays closed, where every
//! question is answered (see `zero_window`).

use super::{cite, count, counters, distinct, join, lapse, quoted, so_with};
use crate::evidence::{Connection, Packet};
use crate::verdict::Finding;
use crate::verdict::trace::{
    Trace, answer, asks_again, came, drop_reason, is_later_fragment, length,
};
use std::collections::HashMap;

pub(super) const KIND: &str = "connection-timed-out";

/// By the passage that it begins with, where a packet ended: the last record of its whole way, on which there may be more passages.
type Ends<'a> = HashMap<usize, &'a Packet>;

/// An end that gave up.
struct End {
    connection: usize,
    /// What it did to be heard, in words,
    asked: &'static str,
    /// and the passages of that since it last heard anything, in order; never empty.
    said: Vec<usize>,
    /// Passages of what was sent to it in that time, of which nothing arrived.
    unheard: Vec<usize>,
}

pub(super) fn find(trace: &Trace) -> Option<Finding> {
    let gave_up = |c: &Connection| {
        [&c.ended, &c.server_error]
            .iter()
            .any(|why| *why == "timeout")
    };
    if !trace.evidence.connections.iter().any(gave_up) {
        return None;
    }
    let packets = &trace.evidence.packets;
    let whole = trace.journeys().iter();
    let ends_of: Ends<'_> = whole
        .filter_map(|journey| Some((journey.passage?, &packets[journey.ended()])))
        .collect();
    let stalls = trace.stalls();
    let stalled = |connection: &usize| stalls.iter().any(|stall| stall.connection == *connection);
    let connections = 0..trace.evidence.connections.len();
    let ends: Vec<End> = connections
        .filter(|connection| !stalled(connection))
        .flat_map(|connection| {
            [true, false].map(|client| given_up(trace, &ends_of, connection, client))
        })
        .flatten()
        .collect();
    let first = ends.first()?;
    let connections = distinct(ends.iter().map(|end| end.connection));
    let others = so_with(trace, &connections);
    let senders = ends.iter().map(|end| sender(trace, end));
    Some(Finding {
        kind: KIND.into(),
        summary: format!("{}{others}", tell(trace, &ends_of, first)),
        packets: cite(
            trace,
            ends.iter()
                .flat_map(|end| end.said.iter().chain(&end.unheard).copied()),
        ),
        connections,
        counters: counters(
            trace.evidence,
            senders,
            &[
                "TcpExtTCPAbortOnTimeout",
                "TcpExtTCPTimeouts",
                "TcpRetransSegs",
                "TcpExtTCPKeepAlive",
            ],
        ),
        values: Vec::new(),
    })
}

/// An end of a connection that its kernel gave up, if anything says why.
fn given_up(trace: &Trace, ends: &Ends<'_>, connection: usize, client: bool) -> Option<End> {
    let c = &trace.evidence.connections[connection];
    let gave_up = match client {
        true => c.ended == "timeout",
        // A proxy's connection to the target is another one.
        false => c.server_error == "timeout" && !c.proxied,
    };
    if c.protocol != "tcp" || !c.error.is_empty() || !gave_up {
        return None;
    }
    let own: Vec<usize> = trace.by_connection[connection]
        .iter()
        .copied()
        .filter(|passage| !trace.passages[*passage].behind && ends.contains_key(passage))
        .collect();
    let to_it = |passage: &usize| trace.passages[*passage].toward_target != client;
    let itself = own.iter().find(|passage| !to_it(passage))?;
    let itself = &trace.origin(*itself).sender;
    // What came no further than a router in front of it, it has not heard.
    let is_heard = |packet: &Packet| came(packet) && packet.receiver == *itself;
    let heard = own
        .iter()
        .rposition(|passage| to_it(passage) && is_heard(ends[passage]));
    let since = &own[heard.map_or(0, |heard| heard + 1)..];
    let (unheard, said): (Vec<usize>, Vec<usize>) =
        since.iter().partition(|passage| to_it(passage));
    let (asked, said) = asking(trace, &own, &said)?;
    Some(End {
        connection,
        asked,
        said,
        unheard,
    })
}

/// What of it asks for an answer, and in which words: data, or a FIN, or what is sent to be acknowledged and nothing else.
fn asking(trace: &Trace, own: &[usize], said: &[usize]) -> Option<(&'static str, Vec<usize>)> {
    let first = |passage: &usize| !is_later_fragment(trace.sent(*passage));
    let those = |asks: &dyn Fn(usize) -> bool| -> Vec<usize> {
        let said = said.iter().copied().filter(first);
        said.filter(|passage| asks(*passage)).collect()
    };
    let data = those(&|passage| trace.sent(passage).len > 0);
    if !data.is_empty() {
        return Some(("sent what it has to say", data));
    }
    let closing = those(&|passage| trace.sent(passage).flags.contains('F'));
    if !closing.is_empty() {
        return Some(("sent its FIN", closing));
    }
    let sender = trace.passages[*said.first()?].toward_target;
    let next = |passage: usize| {
        let own = own.iter().take_while(|before| **before < passage);
        let by_it = own.filter(|before| trace.passages[**before].toward_target == sender);
        by_it
            .map(|before| trace.passages[*before].seq.at + length(trace.sent(*before)))
            .max()
    };
    let probes = those(&|passage| {
        let at = trace.passages[passage].seq.at;
        asks_again(trace.sent(passage), at, next(passage))
    });
    (!probes.is_empty()).then_some(("sent a keepalive", probes))
}

fn tell(trace: &Trace, ends: &Ends<'_>, end: &End) -> String {
    let who = sender(trace, end);
    let often = match end.said.as_slice() {
        [_] => "once".to_owned(),
        [first, .., last] => format!(
            "{} in {}",
            count(end.said.len(), "time"),
            lapse(trace.sent(*last).t - trace.sent(*first).t)
        ),
        [] => unreachable!("never empty"),
    };
    format!(
        "The kernel of {who} gave {} up, and its program is told \"Connection timed out\" (ETIMEDOUT): {who} {} {often}. {}",
        quoted(trace, end.connection),
        end.asked,
        fate(trace, ends, end),
    )
}

/// What became of packets.
struct Fate {
    /// How many came to a host,
    came: usize,
    /// and to which, perhaps one on the way.
    to: Vec<String>,
    /// Why others did not, in words.
    lost: Vec<String>,
    /// There are some of which neither is known.
    unknown: bool,
}

fn fate_of(ends: &Ends<'_>, passages: &[usize]) -> Fate {
    let ends = || passages.iter().filter_map(|passage| ends.get(passage));
    let arrived = || ends().filter(|packet| came(packet) && !packet.receiver.is_empty());
    let words = |all: Vec<&str>| join(&distinct(all.into_iter().map(str::to_owned)));
    let dropped: Vec<&str> = ends().filter_map(|packet| drop_reason(packet)).collect();
    let answered: Vec<&str> = ends().filter_map(|packet| answer(packet)).collect();
    let held = ends().filter(|packet| packet.fate == "held").count();
    let known = arrived().count() + dropped.len() + answered.len() + held;
    let mut lost = Vec::new();
    if !dropped.is_empty() {
        lost.push(format!("dropped ({})", words(dropped)));
    }
    if !answered.is_empty() {
        lost.push(format!("answered on the way ({})", words(answered)));
    }
    if held > 0 {
        lost.push("under way still when the record ended".to_owned());
    }
    Fate {
        came: arrived().count(),
        to: distinct(arrived().map(|packet| packet.receiver.clone())),
        lost,
        unknown: known < passages.len(),
    }
}

/// What became of what an end sent, and of what was sent to it.
fn fate(trace: &Trace, ends: &Ends<'_>, end: &End) -> String {
    let (there, back) = (fate_of(ends, &end.said), fate_of(ends, &end.unheard));
    let to = join(&there.to);
    let of_it = match (there.came, there.lost.is_empty()) {
        (0, true) => "What became of that is not known".to_owned(),
        (0, false) if there.unknown => format!("Some of it did not arrive: {}", join(&there.lost)),
        (0, false) => format!("None of it arrived: {}", join(&there.lost)),
        (came, true) if came == end.said.len() => format!("All of it came to {to}"),
        (came, true) => format!("{} came to {to}", count(came, "packet")),
        (came, false) => format!(
            "{} came to {to}, others not: {}",
            count(came, "packet"),
            join(&there.lost)
        ),
    };
    let rest = match there.unknown && (there.came > 0 || !there.lost.is_empty()) {
        true => "; what became of the rest is not known",
        false => "",
    };
    let senders = end.unheard.iter().map(|passage| trace.origin(*passage));
    let senders = join(&distinct(senders.map(|packet| packet.sender.clone())));
    let back = match (end.unheard.as_slice(), back.lost.as_slice()) {
        ([], _) if there.came == 0 => String::new(),
        ([], _) => ", and nothing came back".to_owned(),
        (_, []) if back.came > 0 => {
            format!(", and what {senders} said came to {}", join(&back.to))
        }
        (_, []) => format!(", and nothing that {senders} said came back"),
        (_, lost) => format!(
            ", and nothing that {senders} said came back: {}",
            join(lost)
        ),
    };
    format!("{of_it}{rest}{back}.")
}

fn sender<'a>(trace: &Trace<'a>, end: &End) -> &'a str {
    &trace.origin(end.said[0]).sender
}
