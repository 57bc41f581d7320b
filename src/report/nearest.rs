//! What is nearest to what a case had to show and did not: the part of the claim that is false, the last packets of
//! the connections it speaks of, what the kernels it speaks of counted instead.

use super::Outcome;
use super::last_words;
use super::wrap::count;
use crate::evidence::{Connection, Detail, Evidence, Packet, from_sending_to_end};
use crate::plan::Kind;
use crate::verdict::ladder::{self, Ladder};
use crate::verdict::{ClaimTruth, ClaimVerdict, Verdict, cited, findings};
use serde_json::Value;
use std::collections::BTreeMap;

/// Packets told of one connection.
const PACKETS: usize = 6;
/// Connections told of.
const CONNECTIONS: usize = 3;
/// Programs told of that failed.
const PROGRAMS: usize = 3;
/// Counters told of one host.
const COUNTERS: usize = 12;
/// Beginnings of counters that traffic itself moves, whatever went wrong.
const DULL: &[&str] = &[
    "IpExt",
    "IpIn",
    "IpOut",
    "Ip6",
    "Icmp",
    "TcpInSegs",
    "TcpOutSegs",
    "TcpCurrEstab",
    "TcpActiveOpens",
    "TcpPassiveOpens",
    "TcpExtTCPAutoCorking",
    "TcpExtTCPDelivered",
    "TcpExtTCPHP",
    "TcpExtTCPOrigDataSent",
    "TcpExtTCPPureAcks",
    "UdpIn",
    "UdpOut",
];

/// Traffic itself moves this counter.
pub(super) fn is_dull(counter: &str) -> bool {
    DULL.iter().any(|dull| counter.starts_with(dull))
}

/// What is nearest, of a case that did not come out as claimed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Nearest {
    /// What was claimed and is not true, with the values met.
    pub claims: Vec<String>,
    /// The connections spoken of, as indexes into the evidence's.
    pub connections: Vec<usize>,
    /// Their last packets.
    pub packets: Vec<String>,
    /// What else the evidence has.
    pub instead: Vec<String>,
}

impl Nearest {
    /// All of it, the most telling first.
    pub fn lines(self) -> Vec<String> {
        let Self {
            claims,
            connections: _,
            packets,
            instead,
        } = self;
        [claims, packets, instead].concat()
    }
}

/// Empty for a case that came out as claimed or could not be run.
pub fn nearest(outcome: &Outcome) -> Nearest {
    let mut nearest = Nearest::default();
    let (Some(verdict), Some(evidence)) = (&outcome.verdict, &outcome.evidence) else {
        return nearest;
    };
    if !outcome.is_amiss() {
        return nearest;
    }
    let claims = missed(verdict, outcome.case.kind);
    nearest.claims = claims.iter().flat_map(|claim| parts(claim)).collect();
    let paths = || {
        claims
            .iter()
            .flat_map(|claim| &claim.values)
            .map(|(path, _)| path)
    };
    for connection in paths().filter_map(|path| spoken_of(evidence, path)) {
        let connections = &mut nearest.connections;
        if !connections.contains(&connection) && connections.len() < CONNECTIONS {
            connections.push(connection);
        }
    }
    let told = nearest.connections.iter();
    nearest.packets = told.flat_map(|c| last_packets(evidence, *c)).collect();
    let mut hosts: Vec<&str> = paths()
        .filter_map(|path| findings::item_of("hosts", path))
        .collect();
    hosts.sort_unstable();
    hosts.dedup();
    nearest.instead = hosts
        .iter()
        .filter_map(|host| counted(evidence, host))
        .collect();
    nearest.instead.extend(programs(evidence));
    nearest.instead.extend(no_tls(evidence));
    if !verdict.missing_finds.is_empty() && !verdict.findings.is_empty() {
        let found: Vec<&str> = verdict.findings.iter().map(|f| f.kind.as_str()).collect();
        let found = found.join(", ");
        nearest
            .instead
            .push(format!("the evidence shows instead: {found}"));
    }
    nearest
}

/// The ladder of a case: of the connections that are worth one, and of what its findings cite.
pub fn pictured(outcome: &Outcome, evidence: &Evidence) -> Ladder {
    let found = outcome.verdict.as_ref().map(|v| v.findings.as_slice());
    match (drawn(outcome), found) {
        (chosen, None) if chosen.is_empty() => ladder::rows(evidence, &[]),
        (chosen, Some(found)) if chosen.is_empty() => ladder::rows_chosen(evidence, found),
        (chosen, found) => ladder::rows_of(evidence, chosen, found.unwrap_or_default()),
    }
}

/// The connections worth a ladder: those that a missed claim speaks of, then those that findings cite.
fn drawn(outcome: &Outcome) -> Vec<usize> {
    let mut list = nearest(outcome).connections;
    let findings = outcome
        .verdict
        .as_ref()
        .map(|verdict| cited(&verdict.findings));
    for connection in findings.unwrap_or_default() {
        if !list.contains(&connection) {
            list.push(connection);
        }
    }
    list
}

/// What programs that failed said at last.
fn programs(evidence: &Evidence) -> Vec<String> {
    let mut out = Vec::new();
    let told = evidence
        .steps
        .iter()
        .map(|step| (step, last_words::of(step)));
    for (step, said) in told.filter(|(_, said)| !said.is_empty()).take(PROGRAMS) {
        out.push(format!(
            "\"{}\" {}, and its program said:",
            step.name, step.error
        ));
        out.extend(said.into_iter().map(|line| format!("  {line}")));
    }
    out
}

/// Servers that were spoken to plainly and speak TLS.
fn no_tls(evidence: &Evidence) -> Vec<String> {
    let mut met: BTreeMap<&str, usize> = BTreeMap::new();
    let connections = evidence.connections.iter();
    for connection in connections.filter(|c| c.server_error == "tls") {
        *met.entry(&connection.target).or_default() += 1;
    }
    let lines = met.into_iter().map(|(host, n)| {
        let connections = count(n, "connection");
        format!(
            "{host}'s server speaks TLS, and what came over {connections} is none: `tls: true` in the step \
             that opens them, or a TLS listener with a group of `protocol: TLS`"
        )
    });
    lines.collect()
}

/// The claims that decided against the case; of a fault that broke nothing, the promise.
fn missed(verdict: &Verdict, kind: Kind) -> Vec<&ClaimVerdict> {
    let untrue = |claims: &'_ [ClaimVerdict]| -> Vec<usize> {
        let untrue =
            |(i, claim): (usize, &ClaimVerdict)| (claim.truth != ClaimTruth::True).then_some(i);
        claims.iter().enumerate().filter_map(untrue).collect()
    };
    let mut list: Vec<&ClaimVerdict> = untrue(&verdict.expect)
        .into_iter()
        .map(|i| &verdict.expect[i])
        .collect();
    match kind {
        Kind::Fix | Kind::Control => {
            list.extend(
                untrue(&verdict.works)
                    .into_iter()
                    .map(|i| &verdict.works[i]),
            );
        }
        Kind::Fault if list.is_empty() => list.extend(&verdict.works),
        Kind::Fault | Kind::Partial => {}
    }
    list
}

/// Of several claims joined by `&&` those that are not true, with what they mention.
fn parts(claim: &ClaimVerdict) -> Vec<String> {
    let whole = [(claim.that.clone(), claim.truth)];
    let parts = if claim.parts.is_empty() {
        whole.as_slice()
    } else {
        claim.parts.as_slice()
    };
    parts
        .iter()
        .filter(|(_, truth)| *truth != ClaimTruth::True)
        .map(|(that, truth)| {
            let word = match truth {
                ClaimTruth::True => "true",
                ClaimTruth::False => "false",
                ClaimTruth::Unknown => "unknown",
            };
            let met = claim.values.iter().filter(|(path, _)| mentions(that, path));
            let met: Vec<String> = met
                .map(|(path, value)| format!("{path} is {}", said(value)))
                .collect();
            if met.is_empty() {
                format!("{word}: {that}")
            } else {
                format!("{word}: {that}, and {}", met.join(", "))
            }
        })
        .collect()
}

/// The path stands in the expression, not merely the beginning of a longer one.
fn mentions(that: &str, path: &str) -> bool {
    let goes_on = |c: char| c.is_alphanumeric() || c == '_';
    that.match_indices(path).any(|(at, _)| {
        let before = that[..at].chars().next_back();
        let after = that[at + path.len()..].chars().next();
        !before.is_some_and(|c| goes_on(c) || c == '.') && !after.is_some_and(goes_on)
    })
}

fn said(value: &Value) -> String {
    match value {
        Value::Null => "not in the evidence".to_owned(),
        Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)
        | Value::Object(_) => value.to_string(),
    }
}

/// The connection that a path is about, by its step's name: the one that the step opened, or the one that it goes over. Of a
/// load, the first that failed, or else the first.
fn spoken_of(evidence: &Evidence, path: &str) -> Option<usize> {
    let name = path.split(['.', '[']).next()?;
    let step = evidence.steps.iter().find(|step| step.name == name)?;
    let opener = match step.over {
        Some(over) => evidence.steps.get(over)?,
        None => step,
    };
    // Who goes over connections that stand meets what becomes of them later.
    let failed = |c: &Connection| match step.over {
        Some(_) => ["reset", "timeout"].contains(&c.ended.as_str()) || c.unacked > 0,
        None => !c.error.is_empty(),
    };
    match &opener.detail {
        Detail::Connect { connection } => Some(*connection),
        Detail::Load(load) => {
            let failed = |c: &&usize| evidence.connections.get(**c).is_some_and(failed);
            load.connections
                .iter()
                .find(failed)
                .or(load.connections.first())
                .copied()
        }
        Detail::Plain
        | Detail::Transfer { .. }
        | Detail::TransferAll { .. }
        | Detail::Drop { .. }
        | Detail::Refused { .. }
        | Detail::Endpoints { .. }
        | Detail::Run { .. } => None,
    }
}

/// `last packets of "new" (198.51.100.7:40000 -> 203.0.113.11:80, SYN-SENT at the client):` and they.
fn last_packets(evidence: &Evidence, connection: usize) -> Vec<String> {
    let Some(c) = evidence.connections.get(connection) else {
        return Vec::new();
    };
    // Behind a router that translates it the network knows it by another end.
    let own = |end: &String| *end == c.local || (*end == c.left_as && !end.is_empty());
    let ours = |(sent, ended): &(&Packet, &Packet)| {
        let toward_target = own(&sent.from) && sent.to == c.remote;
        let toward_client = ended.from_after == c.remote && own(&ended.to_after);
        sent.protocol == c.protocol && (toward_target || toward_client)
    };
    let records = &evidence.packets;
    let all = from_sending_to_end(records).into_iter();
    let all = all.map(|(sent, ended)| (&records[sent], &records[ended]));
    let packets: Vec<(&Packet, &Packet)> = all.filter(ours).collect();
    let name = evidence
        .steps
        .get(c.step)
        .map_or("", |step| step.name.as_str());
    let state = if c.client_state.is_empty() {
        "no socket"
    } else {
        c.client_state.as_str()
    };
    if c.remote.is_empty() {
        return vec![format!(
            "\"{name}\" at {}: no address was known for {}, so that it dialled nobody",
            c.from, c.via
        )];
    }
    let head = format!(
        "\"{name}\" {} -> {}, {state} at {}",
        c.local, c.remote, c.from
    );
    if packets.is_empty() {
        return vec![format!("{head}: the network saw no packet of it")];
    }
    let shown = packets.len().min(PACKETS);
    let mut lines = vec![format!("{head}; its last packets of {}:", packets.len())];
    lines.extend(
        packets[packets.len() - shown..]
            .iter()
            .map(|(sent, ended)| packet_line(sent, ended)),
    );
    lines
}

/// `  20.10 ms  web1 -> client  10.0.1.10:80 > 198.51.100.7:40000 [S.] len 0, forwarded`
fn packet_line(sent: &Packet, ended: &Packet) -> String {
    let receiver = if ended.receiver.is_empty() {
        "nobody"
    } else {
        ended.receiver.as_str()
    };
    format!(
        "  {:.2} ms  {} to {receiver}  {} > {} [{}] len {}, {}",
        sent.t, sent.sender, sent.from, sent.to, sent.flags, sent.len, ended.fate
    )
}

/// What the kernel of a host counted.
fn counted(evidence: &Evidence, host: &str) -> Option<String> {
    let record = evidence.hosts.get(host)?;
    let moved = record.counters.iter().filter(|(_, delta)| **delta != 0);
    let telling = moved.filter(|(name, _)| !is_dull(name));
    let words: Vec<String> = telling
        .map(|(name, delta)| format!("{name} {delta}"))
        .collect();
    let more = words.len().saturating_sub(COUNTERS);
    let mut text = words[..words.len() - more].join(", ");
    if more > 0 {
        text.push_str(&format!(" and {more} more"));
    }
    Some(if text.is_empty() {
        format!("{host}'s kernel counted nothing but the traffic itself")
    } else {
        format!("{host}'s kernel counted {text}")
    })
}
