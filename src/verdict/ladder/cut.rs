//! Cutting: a long story without the parts in which nothing new happens.

use super::model::{PacketRow, Row, Weight};

/// Lines of a ladder at most, its head left out.
pub const LINES: usize = 60;

/// How many lines a packet's row takes where it is drawn.
pub type Height<'a> = &'a dyn Fn(&PacketRow) -> usize;

/// Cuts the middle out of runs of packets that tell nothing new until what is left fits, and, should that not be
/// enough, the middle of the whole.
pub fn cut(rows: &[Row], height: Height) -> Vec<Row> {
    let lines = |rows: &[Row]| rows.iter().map(|row| lines_of(row, height)).sum::<usize>();
    if lines(rows) <= LINES {
        return rows.to_vec();
    }
    let gentle = [4, 2, 1, 0].map(|keep| (Weight::Repeated, keep));
    for (least, keep) in gentle.into_iter().chain([(Weight::Telling, 1)]) {
        let shorter = cut_runs(rows, least, keep);
        if lines(&shorter) <= LINES {
            return shorter;
        }
    }
    cut_middle(cut_runs(rows, Weight::Telling, 0), height)
}

fn lines_of(row: &Row, height: Height) -> usize {
    match row {
        Row::Packet(packet) => height(packet),
        Row::More { .. } => 1,
    }
}

/// Keeps `keep` rows at both ends of each run of packets lighter than `least`.
fn cut_runs(rows: &[Row], least: Weight, keep: usize) -> Vec<Row> {
    let light = |row: &Row| match row {
        Row::Packet(packet) => packet.weight < least && !packet.cited,
        Row::More { .. } => false,
    };
    let mut kept = Vec::new();
    for run in rows.chunk_by(|a, b| light(a) && light(b)) {
        if run.len() < 2 * keep + 2 {
            kept.extend_from_slice(run);
            continue;
        }
        let (first, rest) = run.split_at(keep);
        let (middle, last) = rest.split_at(rest.len() - keep);
        kept.extend_from_slice(first);
        kept.extend(more(middle));
        kept.extend_from_slice(last);
    }
    kept
}

/// Two thirds of the lines from the beginning, one from the end, and between them what findings cite.
fn cut_middle(rows: Vec<Row>, height: Height) -> Vec<Row> {
    let fitting = |rows: &mut dyn Iterator<Item = &Row>, room: usize| {
        let mut used = 0;
        rows.take_while(|row| {
            used += lines_of(row, height);
            used <= room
        })
        .count()
    };
    let cited = rows.iter().filter(|row| is_cited(row));
    // Each with the line of what is left out before it.
    let taken: usize = cited.map(|row| 1 + lines_of(row, height)).sum();
    let room = LINES.saturating_sub(taken).max(LINES / 4);
    let first = fitting(&mut rows.iter(), room * 2 / 3);
    let last = fitting(&mut rows.iter().rev(), room / 3 - 1);
    if first + last >= rows.len() {
        return rows;
    }
    let mut kept = rows[..first].to_vec();
    for run in rows[first..rows.len() - last].chunk_by(|a, b| !is_cited(a) && !is_cited(b)) {
        match run {
            [row] if is_cited(row) => kept.push(row.clone()),
            run => kept.extend(more(run)),
        }
    }
    kept.extend_from_slice(&rows[rows.len() - last..]);
    kept
}

fn is_cited(row: &Row) -> bool {
    match row {
        Row::Packet(packet) => packet.cited,
        Row::More { .. } => false,
    }
}

/// One row in place of many.
fn more(rows: &[Row]) -> Option<Row> {
    let span = |row: &Row| match row {
        Row::Packet(packet) => (1, packet.time, packet.time),
        Row::More { count, begin, end } => (*count, *begin, *end),
    };
    let (first, last) = (span(rows.first()?), span(rows.last()?));
    Some(Row::More {
        count: rows.iter().map(|row| span(row).0).sum(),
        begin: first.1,
        end: last.2,
    })
}
