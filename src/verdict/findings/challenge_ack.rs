//! `challenge-ack`: the target answered a SYN with a pure ACK of another connection's numbers.
//!
//! RFC 5961 section 4: a SYN for a connection that is there is answered with an ACK; who sees an ACK of numbers it
//! never used answers with RST of exactly that number, and that one is believed. A socket in TIME_WAIT does the
//! same with a SYN that its timestamps (RFC 7323) or numbers call old.

use super::{cite, count, counters, distinct, lapse, quoted};
use crate::verdict::Finding;
use crate::verdict::trace::{Challenge, Trace, delivered, is_syn_ack};
use std::collections::{BTreeMap, BTreeSet, HashSet};

pub(super) const KIND: &str = "challenge-ack";

/// Counts challenges to SYNs on connections that stand, and nothing else (Linux 3.4 and later).
const COUNTER: &str = "TcpExtTCPSYNChallenge";

pub(super) fn find(trace: &Trace) -> Option<Finding> {
    let evidence = trace.evidence;
    let counting = counting(trace);
    let summary = match trace.challenges.as_slice() {
        [] if counting.is_empty() => return None,
        [] => counted(trace, &counting),
        [one] => tell(trace, one),
        many => tell_many(trace, many),
    };
    let seen = &trace.challenges;
    let connections: BTreeSet<usize> = seen
        .iter()
        .flat_map(|c| [c.owner, Some(c.connection), c.delivered_to])
        .flatten()
        .collect();
    let packets = seen
        .iter()
        .take(4)
        .flat_map(|c| [Some(c.syn), Some(c.ack), c.rst, c.again])
        .flatten();
    let counting = counting.into_keys();
    let targets = distinct(seen.iter().map(|c| c.host.as_str()).chain(counting));
    let clients = distinct(
        seen.iter()
            .map(|c| evidence.connections[c.connection].from.as_str()),
    );
    let mut counted = counters(
        evidence,
        targets,
        &[
            COUNTER,
            "TcpExtTCPChallengeACK",
            "TcpExtTCPACKSkippedChallenge",
            "TcpExtPAWSTimewait",
            "TcpEstabResets",
        ],
    );
    counted.extend(counters(evidence, clients, &["TcpOutRsts"]));
    Some(Finding {
        kind: KIND.into(),
        summary,
        packets: cite(trace, packets),
        connections: connections.into_iter().collect(),
        counters: counted,
        values: Vec::new(),
    })
}

/// Hosts whose counter says more than their connections' own packets explain, and how much more.
fn counting<'a>(trace: &Trace<'a>) -> BTreeMap<&'a str, i64> {
    let hosts = trace.evidence.hosts.iter();
    let counted = hosts.filter_map(|(name, host)| {
        let counted = host.counters.get(COUNTER).copied().unwrap_or(0);
        (counted > 0).then_some((name.as_str(), counted))
    });
    let mut counted: BTreeMap<&str, i64> = counted.collect();
    if !counted.is_empty() {
        subtract_repeated_answers(trace, &mut counted);
    }
    counted.retain(|_, more| *more > 0);
    counted
}

/// SYN-ACKs that reached a client whose connection stood already: its kernel counts each as it counts a SYN that comes
/// too late, and acknowledges it again (RFC 9293 section 3.10.7.4). A lost SYN-ACK is repeated by both sides at once, and
/// a server whose accept queue is full repeats its own to each that waits. Where they are not all on record, nothing is
/// left of what a client counted.
fn subtract_repeated_answers(trace: &Trace, counted: &mut BTreeMap<&str, i64>) {
    for (number, connection) in trace.evidence.connections.iter().enumerate() {
        let Some(left) = counted.get_mut(connection.from.as_str()) else {
            continue;
        };
        if trace.evidence.packets_cut > 0 {
            *left = 0;
            continue;
        }
        let answers = trace.by_connection[number].iter().filter(|p| {
            let passage = &trace.passages[**p];
            !passage.toward_target && is_syn_ack(trace.sent(**p)) && delivered(trace.ended(**p))
        });
        *left -= (answers.count() as i64 - 1).max(0);
    }
    // To programs that opened connections of their own.
    let mut answered = HashSet::new();
    let strangers = (0..trace.passages.len()).filter(|p| trace.passages[*p].connection.is_none());
    for packet in strangers.map(|passage| trace.ended(passage)) {
        let Some(left) = counted.get_mut(packet.receiver.as_str()) else {
            continue;
        };
        if !is_syn_ack(packet) || !delivered(packet) {
            continue;
        }
        let first = answered.insert((&packet.to_after, &packet.from_after, packet.ack));
        if trace.evidence.packets_cut > 0 {
            *left = 0;
        } else if !first {
            *left -= 1;
        }
    }
}

/// Only a counter tells.
fn counted(trace: &Trace, counting: &BTreeMap<&str, i64>) -> String {
    let total: i64 = counting.values().sum();
    let hosts: Vec<&str> = counting.keys().copied().collect();
    let why = if trace.evidence.packets_cut > 0 {
        format!("{} packets were not recorded", trace.evidence.packets_cut)
    } else {
        "no recorded packet shows it".to_owned()
    };
    let times = if total == 1 {
        "once".to_owned()
    } else {
        format!("{total} times")
    };
    format!(
        "By its own count {} challenged a SYN {times} (RFC 5961 section 4); {why}.",
        hosts.join(", ")
    )
}

fn tell(trace: &Trace, challenge: &Challenge) -> String {
    let host = &challenge.host;
    let new = quoted(trace, challenge.connection);
    let number = trace.passages[challenge.ack].ack.at;
    let old = challenge.owner.map(|c| quoted(trace, c));
    let because = match &old {
        Some(old) if held_in_time_wait(trace, challenge) => {
            format!(
                "in the numbers of {old} (ack {number}), which it still held in TIME_WAIT on this 4-tuple"
            )
        }
        Some(old) => {
            format!("in the numbers of {old} (ack {number}), which it still had on this 4-tuple")
        }
        None => format!("of {number}, a number that {new} never used"),
    };
    let mut text = format!(
        "{host} answered the SYN of {new} at {} with a challenge ACK (RFC 5961 section 4) {because}.",
        lapse(trace.sent(challenge.syn).t),
    );
    let old = old.unwrap_or_else(|| "the old connection".into());
    match (challenge.rst, challenge.delivered_to) {
        (Some(rst), _) => text.push_str(&answered(trace, challenge, rst, &old)),
        (None, Some(to)) if to != challenge.connection => text.push_str(&format!(
            " The ACK was delivered to {} (from {}), which had nothing to say to it: no RST, and {old} stays.",
            quoted(trace, to),
            trace.ended(challenge.ack).from_after,
        )),
        (None, Some(_)) => text.push_str(" The client sent no RST for it."),
        (None, None) => text.push_str(&format!(
            " The ACK was not delivered ({}), so the client could not answer.",
            trace.ended(challenge.ack).fate
        )),
    }
    text
}

/// What came of the client's RST, with a space before it.
fn answered(trace: &Trace, challenge: &Challenge, rst: usize, old: &str) -> String {
    let number = trace.passages[rst].seq.at;
    let again = again(trace, challenge)
        .map(|ms| format!("; the SYN came again {} after the first", lapse(ms)))
        .unwrap_or_default();
    if trace.believed(challenge) {
        return format!(
            " The client, which never sent that, answered with RST, seq {number} as acknowledged, and so ended {old} at \
             {}{again}.",
            challenge.host
        );
    }
    let why = match trace.expected_of(rst) {
        Some(expected) => format!(
            "where {expected} was expected by then, so that it was not believed (RFC 5961 section 3)"
        ),
        None => "which did not get there".to_owned(),
    };
    let later = trace.by_connection[challenge.connection]
        .iter()
        .filter(|p| {
            **p > rst
                && trace
                    .expected_of(**p)
                    .is_some_and(|next| next == trace.passages[**p].seq.at)
        })
        .map(|p| {
            format!(
                " A later RST, seq {}, did end {old}.",
                trace.passages[*p].seq.at
            )
        })
        .next()
        .unwrap_or_default();
    format!(" The client answered with RST, seq {number} as acknowledged, {why}{again}.{later}")
}

fn tell_many(trace: &Trace, many: &[Challenge]) -> String {
    let hosts = distinct(many.iter().map(|c| c.host.clone()));
    let resets = many.iter().filter(|c| trace.believed(c)).count();
    let mut again: Vec<f64> = many.iter().filter_map(|c| again(trace, c)).collect();
    again.sort_by(f64::total_cmp);
    let whose = distinct(many.iter().map(|c| c.connection));
    let of = if whose.len() == 1 {
        format!(" of {}", quoted(trace, whose[0]))
    } else {
        String::new()
    };
    let answers = match resets {
        0 => "No RST ended the connections that the target had.".to_owned(),
        n if n == many.len() => {
            "The client answered each with RST, which ended the connection the target had.".into()
        }
        n => format!(
            "The client answered {n} of them with RST, which ended the connections the target had."
        ),
    };
    let mut text = format!(
        "{} answered {}{of} with challenge ACKs (RFC 5961 section 4). {answers}",
        super::join(&hosts),
        count(many.len(), "SYN"),
    );
    if let [least, .., most] = again.as_slice() {
        text.push_str(&format!(
            " The SYN came again {} to {} after it (median {}).",
            lapse(*least),
            lapse(*most),
            lapse(again[again.len() / 2]),
        ));
    }
    text.push_str(&format!(" The first: {}", tell(trace, &many[0])));
    text
}

/// Milliseconds from the SYN to the same SYN again.
fn again(trace: &Trace, challenge: &Challenge) -> Option<f64> {
    Some(trace.sent(challenge.again?).t - trace.sent(challenge.syn).t)
}

/// The target had closed the old connection first: it can only be TIME_WAIT that answers.
pub(in crate::verdict) fn held_in_time_wait(trace: &Trace, challenge: &Challenge) -> bool {
    let Some(owner) = challenge.owner else {
        return false;
    };
    let fin = |toward_target: bool| {
        trace.by_connection[owner].iter().copied().find(|p| {
            *p < challenge.syn
                && trace.passages[*p].toward_target == toward_target
                && trace.sent(*p).flags.contains('F')
        })
    };
    matches!((fin(false), fin(true)), (Some(target), Some(client)) if target < client)
}

#[cfg(test)]
mod tests {
    use super::{COUNTER, KIND};
    use crate::verdict::findings::recognise;
    use crate::verdict::kit::{Kit, OLD};

    #[test]
    fn a_syn_ack_that_came_twice_is_no_challenge() {
        let mut kit = Kit::new();
        let visit = kit.connect("visit", 40000, "front/a", "web1");
        kit.handshake(visit, OLD);
        kit.down(visit, "S.", OLD.server, OLD.client + 1, 0);
        kit.up(visit, ".", OLD.client + 1, OLD.server + 1, 0);
        let told = |kit: &Kit| recognise(&kit.evidence).iter().any(|f| f.kind == KIND);
        kit.counter("client", COUNTER, 1);
        assert!(!told(&kit));
        // One more than the repeated answer accounts for.
        kit.counter("client", COUNTER, 2);
        assert!(told(&kit));
        // Of what is not on record some may have been such answers; a host that dials nobody gets none.
        kit.evidence.packets_cut = 1;
        assert!(!told(&kit));
        kit.counter("client", COUNTER, 0)
            .counter("web1", COUNTER, 1);
        assert!(told(&kit));
        kit.evidence.packets_cut = 0;
        assert!(told(&kit));
    }

    #[test]
    fn one_that_came_twice_to_a_program_is_none_either() {
        let mut kit = Kit::new();
        let fetch = kit.connect("fetch", 40000, "front/a", "web1");
        kit.handshake(fetch, OLD);
        kit.down(fetch, "S.", OLD.server, OLD.client + 1, 0);
        kit.evidence.connections.clear();
        let told = |kit: &Kit| {
            let found = recognise(&kit.evidence);
            found.into_iter().find(|f| f.kind == KIND)
        };
        kit.counter("client", COUNTER, 1);
        assert_eq!(told(&kit), None);
        // What it counted besides, and no more.
        kit.counter("client", COUNTER, 2);
        let said = told(&kit).expect("one that no packet shows").summary;
        assert!(said.contains("client challenged a SYN once"), "{said}");
    }
}
