//! A meeting of two connections, in words. Not here: how one is recognised.

use super::super::{count, distinct, join, lapse, quoted, with_via};
use super::{How, Meeting, Party, target};
use crate::evidence::Connection;
use crate::verdict::trace::{Trace, is_syn_ack, target_side};
use std::collections::BTreeMap;

/// `198.51.100.7:40000 -> 10.0.1.10:80`
fn tuple(trace: &Trace, meeting: &Meeting) -> String {
    let evidence = trace.evidence;
    let of_flow = meeting.new.flow.and_then(|f| evidence.flows.get(f));
    let tuple = of_flow.map(|f| (f.seen_as.as_str(), f.target_address.as_str()));
    let of_connection = || {
        let new = meeting.new.connection?;
        let passed_on = trace.beyond(new).filter(|_| meeting.how == How::PassedOn);
        passed_on.or_else(|| target_side(evidence, &evidence.connections[new]))
    };
    match tuple.or_else(of_connection) {
        Some((client, target)) => format!("{client} -> {target}"),
        None => "one 4-tuple".into(),
    }
}

/// `"old" (by front/a)`
fn name(trace: &Trace, party: Party) -> String {
    match (
        party.connection,
        party.flow.and_then(|f| trace.evidence.flows.get(f)),
    ) {
        (Some(connection), _) => with_via(trace, connection),
        (None, Some(flow)) => format!("a connection of {} (by {})", flow.client, flow.via),
        (None, None) => "a connection".into(),
    }
}

fn short(trace: &Trace, party: Party, else_word: &str) -> String {
    party
        .connection
        .map_or(else_word.into(), |c| quoted(trace, c))
}

/// One meeting, told in full.
pub(super) fn tell(trace: &Trace, meeting: &Meeting) -> String {
    let target = target(trace, meeting).unwrap_or("the target");
    let (old, new) = (
        short(trace, meeting.old, "the old one"),
        short(trace, meeting.new, "the newcomer"),
    );
    let mut text = format!(
        "To {target}, {} and {} are one and the same 4-tuple, {}.",
        name(trace, meeting.old),
        name(trace, meeting.new),
        tuple(trace, meeting),
    );
    match &meeting.how {
        How::Taken(was) => text.push_str(&format!(
            " At {} the SYN of {new} took over the answers on it from {old}, which {}.",
            lapse(meeting.at),
            match was.as_str() {
                "syn-sent" => "was still waiting for its SYN-ACK".to_owned(),
                "closed" => format!("was closed, but {target} still remembered it"),
                "expired" => format!("the balancer had forgotten, but {target} had not"),
                other => format!("was {other}"),
            }
        )),
        How::Kept => text.push_str(&format!(
            " The balancer kept to {old}: whatever {target} answers to {new} is delivered to {old}."
        )),
        How::Beside => {
            let way = way_back(trace, meeting);
            text.push_str(&format!(
                " One of them goes past the balancer, whose table still decides under which address {target}'s \
                 answers leave{way}."
            ));
        }
        How::PassedOn => {
            let nodes = [meeting.old, meeting.new].map(|party| entry(trace, party));
            if let [Some(one), Some(other)] = nodes {
                text.push_str(&format!(
                    " {one} and {other} both keep the client's address and port on the way to it, and neither knows of the other's \
                     connections."
                ));
            }
        }
    }
    for (party, word) in [(meeting.new, &new), (meeting.old, &old)] {
        if let Some(connection) = party.connection {
            text.push_str(&fate(word, &trace.evidence.connections[connection]));
        }
    }
    text
}

/// Under which address the answer to the newcomer's SYN was delivered.
fn way_back(trace: &Trace, meeting: &Meeting) -> String {
    let answer = meeting.new.connection.and_then(|new| {
        let challenge = trace
            .challenges
            .iter()
            .find(|c| c.connection == new)
            .map(|c| c.ack);
        challenge.or_else(|| {
            (0..trace.passages.len()).find(|i| {
                let passage = &trace.passages[*i];
                is_syn_ack(trace.sent(*i))
                    && passage.ack.of == Some(new)
                    && passage.connection != Some(new)
            })
        })
    });
    match answer.map(|passage| trace.ended(passage)) {
        Some(packet) if !packet.from_after.is_empty() => {
            format!(
                "; the answer to the newcomer's SYN came from {}",
                packet.from_after
            )
        }
        Some(_) | None => String::new(),
    }
}

/// What became of a connection, as a sentence with a space before it.
fn fate(word: &str, connection: &Connection) -> String {
    if !connection.error.is_empty() {
        let syns = count(connection.syns.unsigned_abs() as usize, "SYN");
        return format!(
            " {word} was never established: {} after {syns}.",
            connection.error
        );
    }
    if connection.syns > 1 {
        return format!(
            " {word} was established after {} SYNs and {}.",
            connection.syns,
            lapse(connection.ms)
        );
    }
    match (
        connection.server_error.as_str(),
        connection.client_state.as_str(),
    ) {
        ("", _) | (_, "") => String::new(),
        (error, state) => {
            format!(
                " For {word} the server's program met \"{error}\", while its client is {state}."
            )
        }
    }
}

/// Many meetings: how many of what, where, and the first in full.
pub(super) fn tell_many(trace: &Trace, first: &Meeting, meetings: &[&Meeting]) -> String {
    let evidence = trace.evidence;
    let newcomers: Vec<&Connection> = meetings
        .iter()
        .filter_map(|m| m.new.connection)
        .map(|c| &evidence.connections[c])
        .collect();
    let targets = distinct(
        meetings
            .iter()
            .filter_map(|m| target(trace, m))
            .map(str::to_owned),
    );
    let mut ways = distinct(
        meetings
            .iter()
            .flat_map(|m| [m.old, m.new])
            .filter_map(|p| p.connection)
            .map(|c| evidence.connections[c].via.clone()),
    );
    ways.sort();
    let mut text = match first.how {
        How::Taken(_) => {
            let mut states: BTreeMap<&How, usize> = BTreeMap::new();
            meetings
                .iter()
                .for_each(|m| *states.entry(&m.how).or_default() += 1);
            let states: Vec<String> = states
                .into_iter()
                .filter_map(|(how, n)| match how {
                    How::Taken(was) => Some(format!("{n} {was}")),
                    How::Kept | How::Beside | How::PassedOn => None,
                })
                .collect();
            format!(
                "{} times a SYN took over the answers on another flow's 4-tuple ({}).",
                meetings.len(),
                join(&states)
            )
        }
        How::Kept => format!(
            "{} newcomers never got an answer, because another flow with their 4-tuple kept getting it.",
            meetings.len()
        ),
        How::Beside => format!(
            "{} times a direct connection and one through the balancer met in one 4-tuple.",
            meetings.len()
        ),
        How::PassedOn => format!(
            "{} times connections that came by different hosts met in one 4-tuple.",
            meetings.len()
        ),
    };
    text.push_str(&format!(
        " {} lead to {} with the client's own port. Of {} newcomers {} were established, {} of them only after more \
         than one SYN.",
        join(&ways),
        join(&targets),
        newcomers.len(),
        newcomers.iter().filter(|c| c.error.is_empty()).count(),
        newcomers.iter().filter(|c| c.error.is_empty() && c.syns > 1).count(),
    ));
    text.push_str(&format!(" The first: {}", tell(trace, first)));
    text
}

/// The host that a connection's SYNs came to first.
fn entry<'a>(trace: &Trace<'a>, party: Party) -> Option<&'a str> {
    let syn = trace.syns(party.connection?).next()?;
    let host = trace.ended(syn).receiver.as_str();
    Some(host).filter(|host| !host.is_empty())
}
