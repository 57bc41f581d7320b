//! The packet ladder: chosen connections packet by packet, as rows that every report draws in its own way.
//!
//! Client at the left, the balancer's addresses between, the target at the right; each packet one row, with its
//! numbers relative to its own connection, and where the numbers are another connection's, that one's name beside
//! them. Not here: which packet is whose (see `trace`), who stands in which lane (see `lanes`), the remarks (`notes`),
//! the drawing for a terminal (`text`).

mod cut;
mod lanes;
mod model;
mod notes;
mod text;

pub use cut::{Height, LINES, cut};
pub use model::{Arrow, Ladder, Lane, PacketRow, Place, Role, Row, Stop, Tuple, Weight};
pub use text::text;

use super::findings;
use super::model::Finding;
use super::trace::{self, Trace, target_side};
use crate::evidence::{Detail, Evidence, Packet};
use lanes::Lanes;
use notes::Notes;

/// Connections in one ladder when nobody chose any; more are hard to follow.
const CONNECTIONS: usize = 4;

/// The ladder of `connections` in lines of at most `width` columns (60 or more). With none given it chooses those
/// that findings cite, else those with a name. Empty when there is no packet to show.
pub fn ladder(evidence: &Evidence, connections: &[usize], width: usize) -> String {
    text(&rows(evidence, connections), width)
}

/// Every packet of the ladder, in the order of sending; [`cut`] makes it short enough to read.
pub fn rows(evidence: &Evidence, connections: &[usize]) -> Ladder {
    let trace = Trace::new(evidence);
    let mut chosen = if connections.is_empty() {
        choose(evidence)
    } else {
        connections.to_vec()
    };
    chosen.retain(|c| {
        trace
            .by_connection
            .get(*c)
            .is_some_and(|passages| !passages.is_empty())
    });
    let mut seen = std::collections::HashSet::new();
    chosen.retain(|c| seen.insert(*c));
    let left_out = chosen.split_off(Lanes::fitting(&trace, &chosen)).len();
    let mut passages: Vec<usize> = chosen
        .iter()
        .flat_map(|c| trace.by_connection[*c].iter().copied())
        .collect();
    passages.sort_unstable();
    passages.dedup();
    let Some(first) = passages.first() else {
        return Ladder::default();
    };
    let start = trace.sent(*first).t;
    let lanes = Lanes::new(&trace, &chosen);
    let mut notes = Notes::new(&trace);
    let rows = passages.iter().map(|passage| {
        let note = notes.on(*passage);
        let sent = trace.sent(*passage);
        let connection = trace.passages[*passage].connection;
        PacketRow {
            time: sent.t - start,
            connection: connection.and_then(|c| chosen.iter().position(|one| *one == c)),
            words: words(&trace, *passage),
            arrow: lanes.arrow(&trace, *passage),
            weight: notes::weight(sent, note.as_deref()),
            note,
        }
    });
    let rows = rows.map(Row::Packet).collect();
    Ladder {
        tuples: chosen.iter().map(|c| tuple(&trace, *c)).collect(),
        lanes: lanes.told(),
        rows,
        left_out,
    }
}

/// The connections of findings that are worth a ladder, in the order of the findings: all of a few, of many the
/// first pair. Empty when findings name none.
pub fn cited(findings: &[Finding]) -> Vec<usize> {
    let mut chosen: Vec<usize> = Vec::new();
    for connection in findings.iter().flat_map(|f| &f.connections) {
        if chosen.len() <= CONNECTIONS && !chosen.contains(connection) {
            chosen.push(*connection);
        }
    }
    if chosen.len() > CONNECTIONS {
        chosen.truncate(2);
    }
    chosen
}

/// Connections that findings cite, else those opened by a step of their own, else the first of a load.
fn choose(evidence: &Evidence) -> Vec<usize> {
    let chosen = cited(&findings::recognise(evidence));
    if !chosen.is_empty() {
        return chosen;
    }
    let named = evidence.steps.iter().filter_map(|step| match step.detail {
        Detail::Connect { connection } => Some(connection),
        Detail::Plain
        | Detail::Load(_)
        | Detail::Transfer { .. }
        | Detail::TransferAll { .. }
        | Detail::Drop { .. }
        | Detail::Refused { .. }
        | Detail::Run { .. } => None,
    });
    let named: Vec<usize> = named.take(CONNECTIONS).collect();
    if named.is_empty() {
        (0..evidence.connections.len()).take(2).collect()
    } else {
        named
    }
}

/// What a connection is called by its client and by its target.
fn tuple(trace: &Trace, connection: usize) -> Tuple {
    let c = &trace.evidence.connections[connection];
    let at_client = format!("{} -> {}", c.local, c.remote);
    let at_target =
        target_side(trace.evidence, c).map(|(client, target)| format!("{client} -> {target}"));
    Tuple {
        name: trace.name(connection),
        via: if c.via == c.target {
            String::new()
        } else {
            c.via.clone()
        },
        target: c.target.clone(),
        at_target: at_target.filter(|seen| *seen != at_client),
        at_client,
    }
}

/// Flags in words, then the numbers as tcpdump has them: `PSH-ACK seq 1:65 ack 1`.
fn words(trace: &Trace, passage: usize) -> String {
    let packet = trace.sent(passage);
    let places = &trace.passages[passage];
    if packet.protocol != "tcp" {
        return format!("{} {} bytes", packet.protocol, packet.len);
    }
    let bearer = places.connection;
    let has_ack = packet.flags.contains('.');
    let foreign = |place: trace::Place| place.of.filter(|of| Some(*of) != bearer);
    let number = |place: trace::Place, named: bool| match foreign(place) {
        Some(of) if named => format!("{} (of {})", place.at, clip(&trace.name(of), 16)),
        Some(_) => place.at.to_string(),
        None if place.of.is_none() && place.at != 0 => format!("{} (absolute)", place.at),
        None => place.at.to_string(),
    };
    // When both numbers are another connection's, its name once behind them is enough.
    let alike = has_ack && foreign(places.seq).is_some() && places.seq.of == places.ack.of;
    let mut text = format!("{} seq {}", flag_words(packet), number(places.seq, !alike));
    if packet.len > 0 && places.seq.of == bearer {
        text.push_str(&format!(":{}", places.seq.at + packet.len));
    }
    if has_ack {
        text.push_str(&format!(" ack {}", number(places.ack, true)));
    }
    let held = trace.ended(passage).t - packet.t;
    // Links that delay nothing pass a packet on within the same microseconds.
    if held >= 0.05 {
        text.push_str(&format!(", in {held:.1} ms"));
    }
    text
}

/// `SYN-ACK`, `PSH-ACK`, `FIN-ACK`, `RST`, ...
fn flag_words(packet: &Packet) -> String {
    let names = [
        ('S', "SYN"),
        ('F', "FIN"),
        ('R', "RST"),
        ('P', "PSH"),
        ('U', "URG"),
        ('.', "ACK"),
    ];
    let words: Vec<&str> = names
        .iter()
        .filter(|(letter, _)| packet.flags.contains(*letter))
        .map(|(_, word)| *word)
        .collect();
    if words.is_empty() {
        "no flags".into()
    } else {
        words.join("-")
    }
}

fn clip(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let kept: String = text.chars().take(width.saturating_sub(2)).collect();
    format!("{kept}..")
}

#[cfg(test)]
mod tests;
