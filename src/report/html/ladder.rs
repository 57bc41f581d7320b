//! The ladder as a picture: lifelines from top to bottom, a row a packet, remarks under the packets that matter.

use super::escape;
use crate::report::wrap::{cut, length, wrap};
pub(super) use crate::verdict::ladder::Tuple as Named;
use crate::verdict::ladder::{Arrow, Ladder, PacketRow, Place, Row, Weight};

/// Colours of connections.
pub(super) const COLOURS: usize = 4;
/// Left of the first lifeline: time, connection.
const MARGIN: f64 = 176.0;
/// From the first lifeline to the second, where the words stand.
const WORDS: f64 = 300.0;
/// From a lifeline to the next.
const STEP: f64 = 150.0;
/// Right of the last one.
const RIGHT: f64 = 74.0;
/// Over the first row.
const HEAD: f64 = 46.0;
/// Of a packet.
const ROW: f64 = 22.0;
/// Of a line of a remark.
const NOTE: f64 = 17.0;

/// Width of a letter at 12 px, in the widest of the fonts that the page names.
const GLYPH: f64 = 7.3;

/// The picture.
pub(super) fn svg(ladder: &Ladder) -> String {
    let page = Page::new(ladder);
    let mut body = String::new();
    let mut y = HEAD;
    for row in &ladder.rows {
        match row {
            Row::Packet(packet) => y = page.packet(packet, y, &mut body),
            Row::More { count, begin, end } => {
                body.push_str(&format!(
                    "<text class=\"more\" x=\"{:.0}\" y=\"{:.0}\">\u{22ee} {count} more, {begin:.1} to {end:.1} ms</text>",
                    MARGIN + 8.0,
                    y + 15.0
                ));
                y += ROW;
            }
        }
    }
    let height = y + 8.0;
    let mut out = format!(
        "<svg class=\"ladder\" role=\"img\" viewBox=\"0 0 {w:.0} {height:.0}\" width=\"{w:.0}\" height=\"{height:.0}\" \
         aria-label=\"{}\">",
        escape(&label(ladder)),
        w = page.width
    );
    page.lanes(height, &mut out);
    out.push_str(&body);
    if ladder.left_out > 0 {
        out.push_str(&format!(
            "<text class=\"more\" x=\"4\" y=\"{:.0}\">{} more connections</text>",
            height - 4.0,
            ladder.left_out
        ));
    }
    out.push_str("</svg>");
    out
}

/// What one reads who points at a packet: for whom it is, and under which addresses it was seen where.
fn way(row: &PacketRow) -> String {
    let served = row.serves.iter().map(|name| format!("for {name}"));
    let told: Vec<String> = served.chain(row.way.iter().cloned()).collect();
    told.join("; ")
}

/// What one hears who does not see it: the remarks.
fn label(ladder: &Ladder) -> String {
    let names: Vec<&str> = ladder.lanes.iter().map(|lane| lane.name.as_str()).collect();
    let mut text = format!("Packets between {}.", names.join(", "));
    for row in &ladder.rows {
        if let Row::Packet(PacketRow {
            time,
            words,
            note: Some(note),
            ..
        }) = row
        {
            text.push_str(&format!(" At {time:.1} ms {words}: {note}."));
        }
    }
    text
}

struct Page<'a> {
    ladder: &'a Ladder,
    x: Vec<f64>,
    width: f64,
}

impl<'a> Page<'a> {
    fn new(ladder: &'a Ladder) -> Self {
        let place = |i: usize| match i {
            0 => MARGIN,
            i => MARGIN + WORDS + STEP * (i - 1) as f64,
        };
        let x: Vec<f64> = (0..ladder.lanes.len()).map(place).collect();
        let width = x.last().copied().unwrap_or(MARGIN).max(MARGIN + WORDS) + RIGHT;
        let mut page = Self { ladder, x, width };
        let ends = ladder.rows.iter().map(|row| match row {
            Row::Packet(packet) => page.words_at(packet) + GLYPH * length(&packet.words) as f64,
            Row::More { .. } => 0.0,
        });
        page.width = ends.fold(page.width, f64::max);
        page
    }

    fn lanes(&self, height: f64, out: &mut String) {
        for (lane, x) in self.ladder.lanes.iter().zip(&self.x) {
            out.push_str(&format!(
                "<text class=\"name\" x=\"{x}\" y=\"16\">{}<title>{}</title></text>\
                 <text class=\"address\" x=\"{x}\" y=\"32\">{}</text><path class=\"life\" d=\"M{x} 38V{height:.0}\"/>",
                escape(&cut(&lane.name, 20)),
                escape(&lane.stands_for.join(", ")),
                escape(&lane.address)
            ));
        }
    }

    /// Draws a packet and its remark, and says where the next row begins.
    fn packet(&self, row: &PacketRow, top: f64, out: &mut String) -> f64 {
        let y = top + ROW - 5.0;
        let name = row.connection.and_then(|c| self.ladder.tuples.get(c));
        let name = name.map_or("", |tuple| tuple.name.as_str());
        let colour = row.connection.unwrap_or(0) % COLOURS;
        let weight = match row.weight {
            Weight::Telling => " telling",
            Weight::Common | Weight::Repeated => "",
        };
        out.push_str(&format!(
            "<g class=\"c{colour}{weight}\"><title>{}</title><text class=\"time\" x=\"60\" y=\"{y:.0}\">{:.2}</text>\
             <text class=\"who\" x=\"70\" y=\"{y:.0}\">{}</text>",
            escape(&way(row)),
            row.time,
            escape(&cut(name, 14))
        ));
        out.push_str(&format!(
            "<text class=\"words\" x=\"{:.0}\" y=\"{:.0}\">{}</text>",
            self.words_at(row),
            y - 4.0,
            escape(&row.words)
        ));
        // Over the words' halo.
        self.arrow(&row.arrow, y, out);
        out.push_str("</g>");
        let mut next = top + ROW;
        let Some(note) = &row.note else { return next };
        let room = ((self.width - MARGIN - 40.0) / GLYPH) as usize;
        let lines = wrap(note, room);
        out.push_str(&format!(
            "<rect class=\"note\" x=\"{:.0}\" y=\"{:.0}\" width=\"{:.0}\" height=\"{:.0}\" rx=\"3\"/>",
            MARGIN + 14.0,
            next + 1.0,
            self.width - MARGIN - 22.0,
            NOTE * lines.len() as f64 + 3.0
        ));
        for line in lines {
            next += NOTE;
            out.push_str(&format!(
                "<text class=\"remark\" x=\"{:.0}\" y=\"{:.0}\">{}</text>",
                MARGIN + 22.0,
                next - 3.0,
                escape(&line)
            ));
        }
        next + 6.0
    }

    fn arrow(&self, arrow: &Arrow, y: f64, out: &mut String) {
        let (begin, end) = (self.begin(arrow), self.end(arrow));
        // The head points the way.
        let back = if begin <= end { -7.0 } else { 7.0 };
        out.push_str(&format!("<path d=\"M{begin:.0} {y:.0}H{end:.0}"));
        match arrow.stop {
            None => out.push_str(&format!("m{back} -4l{} 4l{back} 4\"/>", -back)),
            Some(stop) if stop.held => out.push_str("\"/>"),
            Some(_) => out.push_str(&format!(
                "\"/><path class=\"lost\" d=\"M{:.0} {:.0}l10 10m0 -10l-10 10\"/>",
                end - 5.0,
                y - 5.0
            )),
        }
        let between = |x: f64| begin.min(end) < x && x < begin.max(end);
        for through in &arrow.through {
            let x = self.at(through.lane);
            let radius = if through.translated { 3.5 } else { 1.8 };
            if between(x) {
                out.push_str(&format!(
                    "<circle cx=\"{x:.0}\" cy=\"{y:.0}\" r=\"{radius}\"/>"
                ));
            }
        }
    }

    /// Where the words of a packet begin.
    fn words_at(&self, row: &PacketRow) -> f64 {
        self.begin(&row.arrow).min(self.end(&row.arrow)) + 9.0
    }

    fn at(&self, lane: usize) -> f64 {
        self.x.get(lane).copied().unwrap_or(MARGIN)
    }

    /// Where a packet begins.
    fn begin(&self, arrow: &Arrow) -> f64 {
        let from = self.at(arrow.from);
        let next = arrow.through.first().map_or(arrow.to, |next| next.lane);
        match arrow.midway {
            true => f64::midpoint(from, self.at(next)),
            false => from,
        }
    }

    /// Where a packet comes to its end.
    fn end(&self, arrow: &Arrow) -> f64 {
        let (begin, goal) = (self.at(arrow.from), self.at(arrow.to));
        let last = arrow
            .through
            .last()
            .map_or(begin, |past| self.at(past.lane));
        match arrow.stop.map(|stop| stop.place) {
            None | Some(Place::End) => goal,
            Some(Place::Start) => (begin * 2.0 + goal) / 3.0,
            Some(Place::Way) if begin == goal => begin + 24.0,
            Some(Place::Way) => f64::midpoint(last, goal),
        }
    }
}
