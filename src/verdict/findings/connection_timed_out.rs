//! `connection-timed-out`: an end's kernel gave a connection up that had stood (ETIMEDOUT), because nothing came back for what it sent.
//!
//! Observed on: every TCP (RFC 9293 section 3.8.3, RFC 1122 section 4.2.3.6). Linux gives up after tcp_retries2 repetitions, after
//! TCP_USER_TIMEOUT, or after tcp_keepalive_probes keepalives. Not this: a connection that never stood (see `syn_unanswered`); a
//! limit of the program's own; an end that has not given up yet (see `vanished_peer`); a window that stays closed, where every
//! question is answered (see `zero_window`).

use super::{cite, count, counters, distinct, join, lapse, name_all, quoted};
use crate::verdict::Finding;
use crate::verdict::trace::{Trace, delivered, drop_reason, is_later_fragment, is_pure_ack};

pub(super) const KIND: &str = "connection-timed-out";

/// An end that gave up.
struct End {
    connection: usize,
    /// Its kernel is the client's; else the server's.
    client: bool,
    /// What it did to be heard, in words,
    asked: &'static str,
    /// and the passages of that since it last heard anything, in order; never empty.
    said: Vec<usize>,
    /// Passages of what was sent to it in that time, of which nothing arrived.
    unheard: Vec<usize>,
}

pub(super) fn find(trace: &Trace) -> Option<Finding> {
    let stalls = trace.stalls();
    let stalled = |connection: &usize| stalls.iter().any(|stall| stall.connection == *connection);
    let connections = 0..trace.evidence.connections.len();
    let ends: Vec<End> = connections
        .filter(|connection| !stalled(connection))
        .flat_map(|connection| [true, false].map(|client| given_up(trace, connection, client)))
        .flatten()
        .collect();
    let first = ends.first()?;
    let connections = distinct(ends.iter().map(|end| end.connection));
    let others = match connections.as_slice() {
        [_] => String::new(),
        several => format!(
            " It is so with {}: {}.",
            count(several.len(), "connection"),
            name_all(trace, several)
        ),
    };
    let senders = ends.iter().map(|end| sender(trace, end));
    Some(Finding {
        kind: KIND.into(),
        summary: format!("{}{others}", tell(trace, first)),
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
fn given_up(trace: &Trace, connection: usize, client: bool) -> Option<End> {
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
        .filter(|passage| !trace.passages[*passage].behind)
        .collect();
    let to_it = |passage: &usize| trace.passages[*passage].toward_target != client;
    let heard = own
        .iter()
        .rposition(|passage| to_it(passage) && delivered(trace.ended(*passage)));
    let since = &own[heard.map_or(0, |heard| heard + 1)..];
    let (unheard, said): (Vec<usize>, Vec<usize>) =
        since.iter().partition(|passage| to_it(passage));
    let (asked, said) = asking(trace, &own, &said)?;
    Some(End {
        connection,
        client,
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
    // It has the number of a byte that is long acknowledged, as a window probe has.
    let sender = trace.passages[*said.first()?].toward_target;
    let by_it = own
        .iter()
        .filter(|passage| trace.passages[**passage].toward_target == sender);
    let next = by_it
        .map(|passage| trace.passages[*passage].seq.at + trace.sent(*passage).len)
        .max()?;
    let probes =
        those(&|passage| is_pure_ack(trace.sent(passage)) && trace.passages[passage].seq.at < next);
    (!probes.is_empty()).then_some(("sent a keepalive", probes))
}

fn tell(trace: &Trace, end: &End) -> String {
    let (who, peer) = (sender(trace, end), peer(trace, end));
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
        fate(trace, end, peer),
    )
}

/// What became of it, and of what came back.
fn fate(trace: &Trace, end: &End, peer: &str) -> String {
    let arrived = |passage: &&usize| delivered(trace.ended(**passage));
    let arrived = end.said.iter().filter(arrived).count();
    let lost = reasons(trace, &end.said);
    let of_it = match (arrived, lost.as_slice()) {
        (0, []) => "What became of that is not known".to_owned(),
        (0, lost) => format!("None of it arrived: {}", dropped(lost)),
        (_, []) => format!("All of it came to {peer}"),
        (_, lost) => format!(
            "{} came to {peer}, the rest not: {}",
            count(arrived, "packet"),
            dropped(lost)
        ),
    };
    let back = reasons(trace, &end.unheard);
    let back = match (arrived, back.as_slice()) {
        (0, []) => String::new(),
        (_, []) => format!(", and {peer} said nothing"),
        (_, lost) => format!(
            ", and nothing that {peer} said came back: {}",
            dropped(lost)
        ),
    };
    format!("{of_it}{back}.")
}

fn dropped(reasons: &[String]) -> String {
    format!("dropped ({})", join(reasons))
}

/// Why packets did not arrive, each reason once.
fn reasons(trace: &Trace, passages: &[usize]) -> Vec<String> {
    distinct(
        passages
            .iter()
            .filter_map(|passage| drop_reason(trace.ended(*passage)))
            .map(str::to_owned),
    )
}

fn sender<'a>(trace: &Trace<'a>, end: &End) -> &'a str {
    &trace.sent(end.said[0]).sender
}

fn peer<'a>(trace: &Trace<'a>, end: &End) -> &'a str {
    let c = &trace.evidence.connections[end.connection];
    match (end.client, c.proxied) {
        (true, true) => &c.via,
        (true, false) => &c.target,
        (false, _) => &c.from,
    }
}
