//! `flow-collision`: two connections that their target cannot tell apart, and at most one way back.
//!
//! Told by a flow that lost its way back while its connection was alive; by a newcomer that met a challenge; by a
//! newcomer that never got the way back because the balancer kept it where it was; by a direct connection whose
//! answer came back under a balancer's address, or the other way round; and by a challenge to a connection that came by
//! another host than the one before.
//! Observed on: AWS Network Load Balancers with client IP preservation (cross-zone, or two balancers, or a public
//! address beside a balancer); nodes of a cluster that keep the client's address (Calico before felix #2983).

mod telling;

use super::{cite, counters, distinct};
use crate::evidence::Flow;
use crate::verdict::Finding;
use crate::verdict::trace::{Trace, is_syn_ack};
use std::collections::HashMap;
use telling::{tell, tell_many};

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
    /// There is no balancer: two hosts pass them on under the client's address.
    PassedOn,
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
    meetings.extend(passed_on(trace));
    meetings.sort_by(|a, b| a.at.total_cmp(&b.at));
    let mut findings = Vec::new();
    for wanted in [
        is_taken as fn(&How) -> bool,
        is_kept,
        is_beside,
        is_passed_on,
    ] {
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

fn is_passed_on(how: &How) -> bool {
    matches!(how, How::PassedOn)
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

/// Newcomers that were challenged by what another connection has left, where both came by hosts that pass them on: there is no
/// flow, and each of the two bears the address of another host.
fn passed_on(trace: &Trace) -> Vec<Meeting> {
    let connections = &trace.evidence.connections;
    let met = trace.challenges.iter().filter_map(|challenge| {
        let (old, new) = (challenge.owner?, challenge.connection);
        let [one, other] = [old, new].map(|connection| &connections[connection]);
        let direct = one.flow.is_none() && other.flow.is_none();
        let passed_on = [old, new].iter().any(|c| trace.beyond(*c).is_some());
        (direct && passed_on && one.remote != other.remote).then_some((old, new, challenge.syn))
    });
    let party = |connection| Party {
        flow: None,
        connection: Some(connection),
    };
    met.map(|(old, new, syn)| Meeting {
        how: How::PassedOn,
        at: trace.sent(syn).t,
        old: party(old),
        new: party(new),
    })
    .collect()
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
        let new = &evidence.connections[meeting.new.connection?];
        Some(match (&meeting.how, new.server.as_str()) {
            (How::PassedOn, server) if !server.is_empty() => server,
            _ => new.target.as_str(),
        })
    })
}
