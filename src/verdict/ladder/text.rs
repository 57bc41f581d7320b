//! The ladder for a terminal: one line a packet, its remark under it.

use super::clip;
use super::cut::cut;
use super::model::{Arrow, Ladder, Lane, PacketRow, Place, Role, Row, Tuple};
use super::words::shortened;

/// Longest name of a connection in the margin.
const LABEL: usize = 12;
/// Longest name over a lifeline.
const NAME: usize = 14;
/// Shortest name of several letters that can be told from others.
const SHORTEST: usize = 5;
/// Between a lifeline and the next, besides the longest name.
const GAP: usize = 4;
/// Right of the first lifeline, for words on arrows, at least.
const WORDS: usize = 24;
/// Right of the last lifeline.
const RIGHT: usize = 5;

/// The ladder in lines of at most `width` columns (60 or more), long stories cut; empty when there is no packet.
pub fn text(ladder: &Ladder, width: usize) -> String {
    if ladder.rows.is_empty() {
        return String::new();
    }
    let width = width.max(60);
    let names: Vec<String> = ladder.tuples.iter().map(|t| clip(&t.name, LABEL)).collect();
    let label = names.iter().map(|name| length(name)).max().unwrap_or(0);
    let page = Page::new(ladder, label + 10, width);
    let name_of = |connection: Option<usize>| {
        let name = connection.and_then(|c| names.get(c));
        format!("{:<label$}", name.map_or("", String::as_str))
    };
    let lines_of = |row: &PacketRow| {
        let margin = format!("{:>9.2} {}", row.time, name_of(row.connection));
        let mut lines = vec![page.row(&row.arrow, &margin, &row.words)];
        lines.extend(row.note.iter().flat_map(|note| page.note(note)));
        lines
    };
    let rows = cut(&ladder.rows, &|row| lines_of(row).len());
    let body = rows.iter().flat_map(|row| match row {
        Row::Packet(packet) => lines_of(packet),
        Row::More { count, begin, end } => {
            vec![format!("      ... {count} more, {}", span(*begin, *end))]
        }
    });
    let mut text = head(ladder, &name_of, width);
    for line in page.head().into_iter().chain(body) {
        text.push_str(line.trim_end());
        text.push('\n');
    }
    if ladder.left_out > 0 {
        let one = if ladder.left_out == 1 { "" } else { "s" };
        text.push_str(&format!(
            "      ... {} more connection{one}\n",
            ladder.left_out
        ));
    }
    text
}

/// `1021.4 to 1022.0 ms`; `at 1021.4 ms` where the two look alike.
fn span(begin: f64, end: f64) -> String {
    let (begin, end) = (format!("{begin:.1}"), format!("{end:.1}"));
    match begin == end {
        true => format!("at {end} ms"),
        false => format!("{begin} to {end} ms"),
    }
}

/// What each connection is called by its client, by whoever sees it as something else, and by its target; of those drawn
/// in part by its client alone.
fn head(ladder: &Ladder, name_of: &dyn Fn(Option<usize>) -> String, width: usize) -> String {
    let mut text = String::new();
    let margin = |name: Option<usize>| format!("{:>9} {} ", "", name_of(name));
    let (in_part, whole): (Vec<_>, Vec<_>) = ladder
        .tuples
        .iter()
        .enumerate()
        .partition(|(_, t)| t.in_part);
    for (i, tuple) in whole {
        let mut line = margin(Some(i));
        for (number, piece) in pieces(tuple).into_iter().enumerate() {
            if number > 0 && length(&line) + length(&piece) + 3 > width {
                text.push_str(&format!("{line},\n"));
                line = margin(None);
            } else if number > 0 {
                line.push_str(", ");
            }
            line.push_str(&piece);
        }
        text.push_str(&line);
        text.push('\n');
    }
    if !in_part.is_empty() {
        text.push_str(&format!(
            "{}of these only what findings cite:\n",
            margin(None)
        ));
    }
    for (i, tuple) in in_part {
        text.push_str(&format!("{}{}\n", margin(Some(i)), pieces(tuple)[0]));
    }
    text
}

fn pieces(tuple: &Tuple) -> Vec<String> {
    let via = match tuple.via.as_str() {
        "" => String::new(),
        via => format!(" ({via})"),
    };
    let mut pieces = vec![format!("{}{via}", tuple.at_client)];
    let legs = tuple.legs.iter();
    pieces.extend(legs.map(|leg| format!("{} {}", leg.place, leg.ends)));
    if !tuple.serves.is_empty() {
        pieces.push(format!(
            "to {} for {}",
            tuple.target,
            tuple.serves.join(", ")
        ));
    }
    pieces
}

/// Columns for the lifelines.
struct Page<'a> {
    ladder: &'a Ladder,
    /// The column of each lane.
    x: Vec<usize>,
    width: usize,
    /// Columns between two lifelines.
    step: usize,
}

impl<'a> Page<'a> {
    /// Right of a margin.
    fn new(ladder: &'a Ladder, margin: usize, width: usize) -> Self {
        let lanes = &ladder.lanes;
        let wanted = lanes.iter().map(|lane| length(&lane.name)).max();
        let wanted = wanted.unwrap_or(0).min(NAME) + GAP;
        let room =
            width.saturating_sub(margin + WORDS + RIGHT) / lanes.len().max(2).saturating_sub(1);
        let step = wanted.min(room).max(GAP);
        // Right to left each lane takes what it needs; the first client's side, where the words stand, gets the rest.
        let mut next = width.saturating_sub(RIGHT + 1);
        let mut x = Vec::new();
        for i in (0..lanes.len()).rev() {
            x.push(if i == 0 { margin + 1 } else { next });
            next = next.saturating_sub(step).max(margin + 1 + i);
        }
        x.reverse();
        Self {
            ladder,
            x,
            width,
            step,
        }
    }

    /// Names and addresses over the lifelines; names that would be nothing but dots beside each other stand above each other.
    fn head(&self) -> Vec<String> {
        let blank = || vec![' '; self.width];
        let mut names = vec![blank()];
        let mut addresses = blank();
        for (i, lane) in self.ladder.lanes.iter().enumerate() {
            let beside = self.step - 2;
            let name = shorten(&lane.name, if beside < SHORTEST { NAME } else { beside });
            let at = self.over(i, &name);
            let around = at.saturating_sub(1)..(at + length(&name) + 1).min(self.width);
            let is_free = |row: &Vec<char>| row[around.clone()].iter().all(|cell| *cell == ' ');
            let row = names.iter().position(is_free).unwrap_or_else(|| {
                names.push(blank());
                names.len() - 1
            });
            put(&mut names[row], at, &name);
            if !is_host(lane) {
                let tail = lane.address.rsplit_once('.');
                let tail = tail.map(|(_, tail)| format!(".{tail}"));
                let tail = tail.unwrap_or_default();
                put(&mut addresses, self.over(i, &tail), &tail);
            }
        }
        if !self.ladder.lanes.iter().all(is_host) {
            names.insert(0, addresses);
        }
        let lines = names.into_iter().rev();
        lines.map(|line| line.into_iter().collect()).collect()
    }

    /// Where a text over a lane begins: that over the first stands over its lane and what is right of it, that over the
    /// last keeps within the width.
    fn over(&self, lane: usize, text: &str) -> usize {
        let middle = self.x[lane].saturating_sub(length(text) / 2);
        match lane {
            0 => self.x[0],
            _ => middle.min(self.width - length(text)),
        }
    }

    /// A packet's line: margin, arrow, words on the arrow.
    fn row(&self, arrow: &Arrow, margin: &str, words: &str) -> String {
        let mut row = self.lifelines();
        put(&mut row, 0, margin);
        let (begin, end) = (self.begin(arrow), self.end(arrow));
        let (left, right) = (begin.min(end), begin.max(end));
        for (x, cell) in row.iter_mut().enumerate().take(right).skip(left + 1) {
            *cell = if *cell == '|' && self.x.contains(&x) {
                '|'
            } else {
                '-'
            };
        }
        for through in &arrow.through {
            let x = self.at(through.lane);
            if left < x && x < right {
                row[x] = if through.translated { 'o' } else { '+' };
            }
        }
        match arrow.stop {
            Some(stop) => row[end] = if stop.held { '~' } else { 'x' },
            None if begin < end => row[end - 1] = '>',
            None => row[end + 1] = '<',
        }
        self.write_on(&mut row, left, right, words);
        row.into_iter().collect()
    }

    fn at(&self, lane: usize) -> usize {
        self.x.get(lane).copied().unwrap_or(0)
    }

    /// The column where a packet begins.
    fn begin(&self, arrow: &Arrow) -> usize {
        let from = self.at(arrow.from);
        let next = arrow.through.first().map_or(arrow.to, |next| next.lane);
        match arrow.midway {
            true => usize::midpoint(from, self.at(next)),
            false => from,
        }
    }

    /// The column where a packet comes to its end.
    fn end(&self, arrow: &Arrow) -> usize {
        let (begin, goal) = (self.at(arrow.from), self.at(arrow.to));
        let last = arrow
            .through
            .last()
            .map_or(begin, |past| self.at(past.lane));
        match arrow.stop.map(|stop| stop.place) {
            None | Some(Place::End) => goal,
            Some(Place::Start) => (begin * 2 + goal) / 3,
            // With nothing beside it there is room for words.
            Some(Place::Way) if self.x.len() == 1 => self.width - RIGHT,
            Some(Place::Way) if begin == goal => (begin + 2).min(self.width - 1),
            // Beside any lifeline that is not concerned.
            Some(Place::Way) => {
                let middle = usize::midpoint(last, goal);
                if self.x.contains(&middle) {
                    middle + 1
                } else {
                    middle
                }
            }
        }
    }

    /// A remark under a packet, wrapped, in the clients' part of the ladder.
    fn note(&self, note: &str) -> Vec<String> {
        let indent = self.x.first().map_or(0, |x| *x) + 6;
        let mut lines: Vec<String> = Vec::new();
        for word in note.split_whitespace() {
            match lines.last_mut() {
                Some(line) if length(line) + 1 + length(word) + indent <= self.width => {
                    line.push(' ');
                    line.push_str(word);
                }
                Some(_) | None => lines.push(word.to_owned()),
            }
        }
        lines
            .iter()
            .enumerate()
            .map(|(i, line)| {
                let mut row = self.lifelines();
                put(&mut row, indent - 2, if i == 0 { "^ " } else { "  " });
                put(&mut row, indent, &format!("{line} "));
                row.truncate(self.width);
                row.into_iter().collect()
            })
            .collect()
    }

    fn lifelines(&self) -> Vec<char> {
        let mut row = vec![' '; self.width];
        for x in &self.x {
            row[*x] = '|';
        }
        row
    }

    /// Puts the words on the arrow, near the client, never over an end or a lifeline; left of it where it is short.
    fn write_on(&self, row: &mut [char], left: usize, right: usize, words: &str) {
        let inside = self.x.iter().copied().filter(|x| left < *x && *x < right);
        let edges: Vec<usize> = std::iter::once(left).chain(inside).chain([right]).collect();
        let longest = edges
            .windows(2)
            .max_by_key(|pair| (pair[1] - pair[0], usize::MAX - pair[0]));
        let Some([from, to]) = longest else { return };
        let room = (to - from).saturating_sub(7);
        let lanes: Vec<usize> = self.x.iter().copied().take_while(|x| *x <= left).collect();
        let gap = lanes
            .windows(2)
            .map(|pair| (pair[1] - pair[0], pair[1]))
            .max();
        let (room_before, end) = gap.map_or((0, 0), |(gap, end)| (gap.saturating_sub(3), end));
        if room < length(words) && room_before > room {
            let words = shortened(words, room_before);
            put(row, end - 1 - length(&words), &words);
        } else if room >= 3 {
            put(row, from + 3, &format!(" {} ", shortened(words, room)));
        }
    }
}

/// It is told from others by its name alone.
fn is_host(lane: &Lane) -> bool {
    match lane.role {
        Role::Client | Role::Router | Role::Target => true,
        Role::Gateway | Role::Endpoint | Role::Zonal => false,
    }
}

/// Keeps the end as well: that is where names of many alike differ.
fn shorten(name: &str, width: usize) -> String {
    let letters: Vec<char> = name.chars().collect();
    if letters.len() <= width || width < SHORTEST {
        return clip(name, width);
    }
    let tail = (width - 2) / 2;
    let head: String = letters[..width - 2 - tail].iter().collect();
    let tail: String = letters[letters.len() - tail..].iter().collect();
    format!("{head}..{tail}")
}

fn length(text: &str) -> usize {
    text.chars().count()
}

fn put(row: &mut [char], at: usize, text: &str) {
    for (cell, letter) in row.iter_mut().skip(at).zip(text.chars()) {
        *cell = letter;
    }
}
