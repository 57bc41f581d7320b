//! The packet ladder: chosen connections packet by packet, as rows that every report draws in its own way.
//!
//! Client at the left, routers, NAT gateways and the balancer's addresses between, the target at the right; each packet
//! one row from where it was sent to where it ended, more where its way turns, with its numbers relative to its own
//! connection, and where the numbers are another connection's, that one's name beside them. Not here: which packet is
//! whose (see `trace`), who stands in which lane (see `lanes`), from where to where it went (`arrows`), what connections and packets are called (`tuples`,
//! `words`), what segments are in the light of those before (`streams`), the remarks (`notes`), the drawing for a terminal (`text`).

mod arrows;
mod choice;
mod cut;
mod lanes;
mod model;
mod notes;
pub(super) mod programs;
mod streams;
mod text;
mod tuples;
mod words;

pub use choice::cited;
pub use cut::{Height, LINES, cut};
pub use model::{
    Arrow, Ladder, Lane, Leg, PacketRow, Place, Role, Row, Stop, Through, Tuple, Weight,
};
pub use text::text;

use super::findings;
use super::model::Finding;
use super::trace::{Journey, Stretch, Trace};
use crate::evidence::Evidence;
use lanes::{Chosen, Lanes};
use notes::Notes;
use std::collections::HashSet;

/// The ladder of `connections` in lines of at most `width` columns (60 or more). With none given it chooses
/// (see `choice`), and where no step opened any takes those that programs opened (`programs`). Empty when there is no packet to show.
pub fn ladder(evidence: &Evidence, connections: &[usize], width: usize) -> String {
    text(&rows(evidence, connections), width)
}

/// Every packet of the ladder, in the order of sending; [`cut`] makes it short enough to read.
pub fn rows(evidence: &Evidence, connections: &[usize]) -> Ladder {
    if !connections.is_empty() {
        return rows_of(evidence, connections.to_vec(), &[]);
    }
    rows_chosen(evidence, &findings::recognise(evidence))
}

/// The same where it chooses, for who knows what is found in the evidence already.
pub fn rows_chosen(evidence: &Evidence, found: &[Finding]) -> Ladder {
    rows_of(evidence, choice::choose(evidence, found), found)
}

/// As [`rows`], with what findings cite: each such packet has its row, whosever it is, and the connections that tell most
/// of it are drawn whole, too.
pub fn rows_of(evidence: &Evidence, connections: Vec<usize>, found: &[Finding]) -> Ladder {
    let cited: HashSet<usize> = found.iter().flat_map(|f| &f.packets).copied().collect();
    let trace = Trace::new(evidence);
    let journeys = trace.journeys();
    let mut wanted = connections;
    let mut seen = HashSet::new();
    wanted.retain(|c| seen.insert(*c) && journeys.iter().any(|j| j.connection == Some(*c)));
    let telling = choice::of_packets(journeys, &wanted, found);
    let nothing = wanted.is_empty() && telling.is_empty();
    let owned = journeys.iter().filter(|j| j.connection.is_some());
    let owned: HashSet<usize> = owned.flat_map(Journey::records).collect();
    let mut strays: Vec<usize> = cited.difference(&owned).copied().collect();
    // Of many runs, those that came out as claimed do not keep their packets.
    strays.retain(|packet| *packet < evidence.packets.len());
    strays.sort_unstable();
    let Some(told) = programs::told(&trace, nothing, &strays) else {
        wanted.extend(telling);
        return drawn(&trace, journeys, wanted, &cited);
    };
    let trace = Trace::new(&told.evidence);
    let journeys = trace.journeys();
    wanted.extend(choice::of_packets(journeys, &wanted, found));
    let first = told.first.filter(|c| !wanted.contains(c));
    let first: Vec<usize> = first.collect();
    wanted.extend(first);
    drawn(&trace, journeys, wanted, &cited)
}

/// The rows of connections that have some, and of what else is cited.
fn drawn(
    trace: &Trace,
    journeys: &[Journey],
    wanted: Vec<usize>,
    cited: &HashSet<usize>,
) -> Ladder {
    if wanted.is_empty() {
        return Ladder::default();
    }
    let mut chosen = Chosen::new(trace, journeys, wanted);
    let left_out = chosen.fit(trace);
    let whole = chosen.connections.clone();
    let is_whole = |j: &&Journey| j.connection.is_some_and(|c| whole.contains(&c));
    let is_drawn = |j: &&Journey| is_whole(j) || (j.connection.is_some() && is_cited(j, cited));
    let others = journeys.iter().filter(is_drawn).filter(|j| !is_whole(j));
    chosen.cite(trace, others);
    let lanes = Lanes::new(trace, &chosen);
    let mut notes = Notes::new(trace, journeys);
    let shown: Vec<&Journey> = journeys.iter().filter(is_drawn).collect();
    let legs = legs(trace, &whole, &shown);
    let mut rows = Vec::new();
    for journey in shown {
        let note = notes.on(journey);
        let leg = leg(trace, journey);
        let tuple = match leg {
            None => chosen.place(journey.connection),
            Some(leg) => {
                let at = legs.iter().position(|one| *one == leg);
                at.map(|at| chosen.connections.len() + at)
            }
        };
        let sent = &trace.evidence.packets[journey.stretches[0].sent];
        let weight = notes::weight(sent, note.as_deref());
        let is_cited = is_cited(journey, cited);
        let arrows = lanes.arrows(trace, journey);
        let last = arrows.len().saturating_sub(1);
        // It goes on when it has come, even where two clocks that tell the time differ a little.
        let mut time = f64::NEG_INFINITY;
        for (number, (arrow, begins, ends)) in arrows.into_iter().enumerate() {
            let stretches = &journey.stretches[begins..=ends];
            time = trace.evidence.packets[stretches[0].sent].t.max(time);
            rows.push(PacketRow {
                packets: numbers(trace, stretches),
                time,
                connection: tuple,
                serves: leg.and_then(|leg| served(trace, leg, journey.connection)),
                words: match number {
                    0 => words::words(trace, journey),
                    _ => format!(".. {}", words::words(trace, journey)),
                },
                way: stretches.iter().map(|s| words::way(trace, *s)).collect(),
                arrow,
                weight,
                cited: is_cited,
                note: note.clone().filter(|_| number == last),
            });
        }
    }
    // Others may pass between two parts of one way.
    rows.sort_by(|a: &PacketRow, b| a.time.total_cmp(&b.time));
    Ladder {
        rows: rows.into_iter().map(Row::Packet).collect(),
        tuples: tuples::tuples(trace, journeys, &chosen, &legs),
        lanes: lanes.told(),
        left_out,
    }
}

/// Of the packet, place by place.
fn numbers(trace: &Trace, stretches: &[Stretch]) -> Vec<i64> {
    let packets = &trace.evidence.packets;
    stretches.iter().map(|s| packets[s.sent].id).collect()
}

/// One of its records is among these.
fn is_cited(journey: &Journey, cited: &HashSet<usize>) -> bool {
    journey.records().any(|record| cited.contains(&record))
}

/// The connection of a proxy that a packet is on.
fn leg(trace: &Trace, journey: &Journey) -> Option<usize> {
    trace.passages[journey.passage?].leg
}

/// For which of the connections that a proxy's own one serves a packet of it is; none where it serves one.
fn served(trace: &Trace, leg: usize, connection: Option<usize>) -> Option<String> {
    let several = trace.legs[leg].connections.len() > 1;
    connection.filter(|_| several).map(|one| trace.name(one))
}

/// The connections of proxies to targets that some connections led to, and those with packets that are drawn, in order.
fn legs(trace: &Trace, whole: &[usize], shown: &[&Journey]) -> Vec<usize> {
    let drawn: HashSet<usize> = shown.iter().filter_map(|j| leg(trace, j)).collect();
    let legs = trace.legs.iter().enumerate();
    let own = legs.filter(|(number, leg)| {
        drawn.contains(number) || leg.connections.iter().any(|c| whole.contains(c))
    });
    own.map(|(number, _)| number).collect()
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
