//! The packet ladder: chosen connections packet by packet, as text that fits a terminal.
//!
//! Client at the left, the balancer's addresses between, the target at the right; each packet one line, with its
//! numbers relative to its own connection, and where the numbers are another connection's, that one's name beside
//! them. Not here: which packet is whose (see `trace`), what is drawn where (see `lanes`), the remarks (`notes`).

mod lanes;
mod notes;

use super::findings;
use super::model::Finding;
use super::trace::{Place, Trace, target_side};
use crate::evidence::{Detail, Evidence, Packet};
use lanes::Lanes;
use notes::{Notes, Weight};

/// Lines of a ladder at most, its head left out.
const LINES: usize = 60;

/// Connections in one ladder when nobody chose any; more are hard to follow.
const CONNECTIONS: usize = 4;

/// The ladder of `connections` in lines of at most `width` columns (60 or more). With none given it chooses those
/// that findings cite, else those with a name. Empty when there is no packet to show.
pub fn ladder(evidence: &Evidence, connections: &[usize], width: usize) -> String {
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
        return String::new();
    };
    let start = trace.sent(*first).t;
    let names = Names::new(&trace, &chosen);
    let lanes = Lanes::new(&trace, &chosen, names.width + 10, width.max(60));
    let mut notes = Notes::new(&trace);
    let items: Vec<Item> = passages
        .iter()
        .map(|passage| {
            let note = notes.on(*passage);
            let time = trace.sent(*passage).t - start;
            let margin = format!(
                "{time:>9.2} {}",
                names.of(trace.passages[*passage].connection)
            );
            let mut lines = vec![lanes.row(&trace, *passage, &margin, &words(&trace, *passage))];
            lines.extend(note.iter().flat_map(|note| lanes.note(note)));
            Item {
                lines,
                time,
                weight: notes::weight(trace.sent(*passage), note.as_deref()),
            }
        })
        .collect();
    let mut text = head(&trace, &chosen, &names, width.max(60));
    for line in lanes.head().iter().chain(&cut(items)) {
        text.push_str(line.trim_end());
        text.push('\n');
    }
    if left_out > 0 {
        text.push_str(&format!("      ... {left_out} more connections\n"));
    }
    text
}

/// One packet's line, with what is remarked under it.
struct Item {
    lines: Vec<String>,
    time: f64,
    weight: Weight,
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

/// The connections' names in a column of their own.
struct Names {
    list: Vec<(usize, String)>,
    width: usize,
}

impl Names {
    fn new(trace: &Trace, chosen: &[usize]) -> Self {
        let list: Vec<(usize, String)> = chosen
            .iter()
            .map(|c| (*c, clip(&trace.name(*c), 12)))
            .collect();
        let width = list
            .iter()
            .map(|(_, name)| name.chars().count())
            .max()
            .unwrap_or(0);
        Self { list, width }
    }

    fn of(&self, connection: Option<usize>) -> String {
        let name = self
            .list
            .iter()
            .find(|(c, _)| Some(*c) == connection)
            .map_or("", |(_, name)| name);
        format!("{name:<width$}", width = self.width)
    }
}

/// What each connection is called by its client and by its target.
fn head(trace: &Trace, chosen: &[usize], names: &Names, width: usize) -> String {
    let mut text = String::new();
    for connection in chosen {
        let c = &trace.evidence.connections[*connection];
        let client = format!("{} -> {}", c.local, c.remote);
        let seen =
            target_side(trace.evidence, c).map(|(client, target)| format!("{client} -> {target}"));
        let via = if c.via == c.target {
            String::new()
        } else {
            format!(" ({})", c.via)
        };
        let mut line = format!("{:>9} {} {client}{via}", "", names.of(Some(*connection)));
        if let Some(seen) = seen.filter(|seen| *seen != client) {
            let more = format!(", at {} {seen}", c.target);
            if line.chars().count() + more.chars().count() > width {
                text.push_str(&format!("{line},\n"));
                line = format!("{:>9} {} at {} {seen}", "", names.of(None), c.target);
            } else {
                line.push_str(&more);
            }
        }
        text.push_str(&line);
        text.push('\n');
    }
    text
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
    let foreign = |place: Place| place.of.filter(|of| Some(*of) != bearer);
    let number = |place: Place, named: bool| match foreign(place) {
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

/// Cuts the middle out of runs of packets that tell nothing new until what is left fits, and, should that not be
/// enough, the middle of the whole.
fn cut(items: Vec<Item>) -> Vec<String> {
    let lines = |items: &[Item]| items.iter().map(|item| item.lines.len()).sum::<usize>();
    if lines(&items) <= LINES {
        return items.into_iter().flat_map(|item| item.lines).collect();
    }
    let gentle = [4, 2, 1, 0].map(|keep| (Weight::Repeated, keep));
    for (least, keep) in gentle.into_iter().chain([(Weight::Telling, 1)]) {
        let shorter = cut_runs(&items, least, keep);
        if shorter.len() <= LINES {
            return shorter;
        }
    }
    cut_middle(cut_runs(&items, Weight::Telling, 0))
}

/// Keeps `keep` items at both ends of each run of items lighter than `least`.
fn cut_runs(items: &[Item], least: Weight, keep: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for run in items.chunk_by(|a, b| a.weight < least && b.weight < least) {
        if run.len() < 2 * keep + 2 {
            lines.extend(run.iter().flat_map(|item| item.lines.iter().cloned()));
            continue;
        }
        let (first, rest) = run.split_at(keep);
        let (middle, last) = rest.split_at(rest.len() - keep);
        lines.extend(first.iter().flat_map(|item| item.lines.iter().cloned()));
        if let [begin, .., end] = middle {
            lines.push(format!(
                "      ... {} more, {:.1} to {:.1} ms",
                middle.len(),
                begin.time,
                end.time
            ));
        }
        lines.extend(last.iter().flat_map(|item| item.lines.iter().cloned()));
    }
    lines
}

fn cut_middle(mut lines: Vec<String>) -> Vec<String> {
    if lines.len() > LINES {
        let (first, last) = (LINES * 2 / 3, LINES / 3 - 1);
        let end = lines.split_off(lines.len() - last);
        let dropped = lines.len() - first;
        lines.truncate(first);
        lines.push(format!("      ... {dropped} more lines"));
        lines.extend(end);
    }
    lines
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
