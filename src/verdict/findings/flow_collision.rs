//! `flow-collision`: two connections that their target cannot tell apart, and at most one way back.
//!
//! Told by a flow that lost its way back while its connection was alive; by a newcomer that met a challenge; by a
//! newcomer that never got the way back because the balancer kept it where it was; and by a direct connection whose
//! answer came back under a balancer's address, or the other way round.
//! Observed on: AWS Network Load Balancers with client IP preservation (cross-zone, or two balancers, or a public
//! address beside a balancer).

use super::{cite, count, counters, distinct, join, lapse, quoted, with_via};
use crate::evidence::{Connection, Flow};
use crate::verdict::Finding;
use crate::verdict::trace::{Trace, is_syn_ack, target_side};
use std::collections::{BTreeMap, HashMap};

pub(super) const KIND: &str = "flow-collision";

/// Two connections with one 4-tuple at the target.
struct Meeting {
    how: How,
    /// Milliseconds since the first step.
    at: f64,
    old: Party,
    new: Party,
}

/// What became of the way back.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum How {
    /// The newcomer took it; the state of the other flow then.
    Taken(String),
    /// It stayed where it was.
    Kept,
    /// One of the two goes past the balancer.
    Beside,
}

/// One of the two.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Party {
    flow: Option<usize>,
    connection: Option<usize>,
}

pub(super) fn find(trace: &Trace) -> Vec<Finding> {
    let mut meetings = taken(trace);
    meetings.extend(kept(trace));
    meetings.extend(beside(trace, &meetings));
    meetings.sort_by(|a, b| a.at.total_cmp(&b.at));
    let mut findings = Vec::new();
    for wanted in [is_taken as fn(&How) -> bool, is_kept, is_beside] {
        let of_this_kind: Vec<&Meeting> = meetings.iter().filter(|m| wanted(&m.how)).collect();
        if let Some(first) = of_this_kind.first() {
            findings.push(finding(trace, first, &of_this_kind));
        }
    }
    findings
}

fn is_taken(how: &How) -> bool {
    matches!(how, How::Taken(_))
}

fn is_kept(how: &How) -> bool {
    matches!(how, How::Kept)
}

fn is_beside(how: &How) -> bool {
    matches!(how, How::Beside)
}

/// Flows that lost their way back while alive, or whose target still held them.
fn taken(trace: &Trace) -> Vec<Meeting> {
    let evidence = trace.evidence;
    let owners = owners(trace);
    let party = |flow: usize| Party {
        flow: Some(flow),
        connection: owners.get(&flow).copied(),
    };
    let mut meetings = Vec::new();
    for (i, flow) in evidence.flows.iter().enumerate() {
        let Some(displaced) = &flow.displaced else {
            continue;
        };
        let Some(newcomer) = evidence.flows.get(displaced.by) else {
            continue;
        };
        // A client that dials the same address from the same port again has no other connection there any more.
        if same_client_side(flow, newcomer) {
            continue;
        }
        let alive = matches!(
            displaced.was.as_str(),
            "syn-sent" | "established" | "closing"
        );
        if alive || challenged(trace, displaced.by) {
            meetings.push(Meeting {
                how: How::Taken(displaced.was.clone()),
                at: displaced.at,
                old: party(i),
                new: party(displaced.by),
            });
        }
    }
    meetings
}

/// Newcomers that got nothing back because another flow had the way back and kept it.
fn kept(trace: &Trace) -> Vec<Meeting> {
    let flows = &trace.evidence.flows;
    let owners = owners(trace);
    let party = |flow: usize| Party {
        flow: Some(flow),
        connection: owners.get(&flow).copied(),
    };
    let mut by_tuple: HashMap<(&str, &str, &str), Vec<usize>> = HashMap::new();
    let mut meetings = Vec::new();
    for (j, new) in flows.iter().enumerate() {
        let earlier = by_tuple
            .entry((&new.protocol, &new.seen_as, &new.target_address))
            .or_default();
        let holder = earlier.iter().rev().find(|i| {
            let old = &flows[**i];
            let alive = matches!(old.state.as_str(), "syn-sent" | "established" | "closing");
            old.displaced.is_none()
                && !same_client_side(old, new)
                && (alive || old.last >= new.opened)
        });
        if new.state == "syn-sent"
            && new.displaced.is_none()
            && let Some(i) = holder
        {
            meetings.push(Meeting {
                how: How::Kept,
                at: new.opened,
                old: party(*i),
                new: party(j),
            });
        } else {
            // One that never got the way back is never the holder of it.
            earlier.push(j);
        }
    }
    meetings
}

/// A direct connection and a balancer's whose answers came back under each other's address.
fn beside(trace: &Trace, known: &[Meeting]) -> Vec<Meeting> {
    let connections = &trace.evidence.connections;
    let challenged = trace
        .challenges
        .iter()
        .filter_map(|c| Some((c.owner?, c.connection, c.syn)));
    // The SYN-ACK's numbers say whose it is, its address under whose name it was delivered.
    let astray = trace
        .passages
        .iter()
        .enumerate()
        .filter_map(|(i, passage)| {
            let owner = passage.ack.of?;
            let bearer = passage.connection?;
            (is_syn_ack(trace.sent(i)) && owner != bearer).then_some((bearer, owner, i))
        });
    let mut meetings: Vec<Meeting> = Vec::new();
    for (old, new, passage) in challenged.chain(astray) {
        let flows = [connections[old].flow, connections[new].flow];
        if flows.iter().filter(|f| f.is_none()).count() != 1 {
            continue;
        }
        let [old, new] = [old, new].map(|c| Party {
            flow: connections[c].flow,
            connection: Some(c),
        });
        if !known
            .iter()
            .chain(&meetings)
            .any(|m| m.old == old && m.new == new)
        {
            meetings.push(Meeting {
                how: How::Beside,
                at: trace.sent(passage).t,
                old,
                new,
            });
        }
    }
    meetings
}

fn same_client_side(a: &Flow, b: &Flow) -> bool {
    a.client == b.client && a.listener == b.listener
}

/// The connection of each flow.
fn owners(trace: &Trace) -> HashMap<usize, usize> {
    let connections = trace.evidence.connections.iter().enumerate();
    connections
        .filter_map(|(i, connection)| Some((connection.flow?, i)))
        .collect()
}

/// A SYN of this flow met a challenge.
fn challenged(trace: &Trace, flow: usize) -> bool {
    trace
        .challenges
        .iter()
        .any(|c| trace.ended(c.syn).flow == Some(flow))
}

fn finding(trace: &Trace, first: &Meeting, meetings: &[&Meeting]) -> Finding {
    let summary = if meetings.len() == 1 {
        tell(trace, first)
    } else {
        tell_many(trace, first, meetings)
    };
    let connections = distinct(
        meetings
            .iter()
            .flat_map(|m| [m.old.connection, m.new.connection])
            .flatten(),
    );
    let packets = meetings
        .iter()
        .take(3)
        .filter_map(|m| m.new.connection)
        .flat_map(|new| {
            let challenge = trace.challenges.iter().find(|c| c.connection == new);
            let told = challenge.map(|c| [Some(c.syn), Some(c.ack), c.rst, c.again]);
            let syn = trace.syns(new).next();
            told.unwrap_or([syn, None, None, None])
                .into_iter()
                .flatten()
                .collect::<Vec<_>>()
        });
    let targets = distinct(meetings.iter().filter_map(|m| target(trace, m)));
    let names = [
        "TcpExtTCPSYNChallenge",
        "TcpEstabResets",
        "TcpExtPAWSTimewait",
    ];
    Finding {
        kind: KIND.into(),
        summary,
        packets: cite(trace, packets),
        connections,
        counters: counters(trace.evidence, targets, &names),
        values: Vec::new(),
    }
}

/// The host that cannot tell the two apart.
fn target<'a>(trace: &Trace<'a>, meeting: &Meeting) -> Option<&'a str> {
    let evidence = trace.evidence;
    let of_flow = meeting
        .new
        .flow
        .and_then(|f| evidence.flows.get(f))
        .map(|f| f.target.as_str());
    of_flow.or_else(|| {
        meeting
            .new
            .connection
            .map(|c| evidence.connections[c].target.as_str())
    })
}

/// `198.51.100.7:40000 -> 10.0.1.10:80`
fn tuple(trace: &Trace, meeting: &Meeting) -> String {
    let evidence = trace.evidence;
    let of_flow = meeting.new.flow.and_then(|f| evidence.flows.get(f));
    let tuple = of_flow.map(|f| (f.seen_as.as_str(), f.target_address.as_str()));
    let of_connection = || target_side(evidence, &evidence.connections[meeting.new.connection?]);
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
fn tell(trace: &Trace, meeting: &Meeting) -> String {
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
fn tell_many(trace: &Trace, first: &Meeting, meetings: &[&Meeting]) -> String {
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
                    How::Kept | How::Beside => None,
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
