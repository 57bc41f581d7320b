//! The topology as a picture: who is on the internet at the left, and each zone a box with the balancers' addresses
//! and the hosts in it.

use super::escape;
use crate::report::plan::{Drawing, Node};
use crate::report::wrap::cut;

/// Of a node.
const WIDTH: f64 = 168.0;
/// Between the columns.
const GAP: f64 = 128.0;
/// Between nodes, one under the other.
const SPACE: f64 = 14.0;
/// Around the nodes of a box.
const PAD: f64 = 14.0;
/// Of a line of text.
const LINE: f64 = 16.0;
/// Over the nodes of a box, for its title.
const TITLE: f64 = 24.0;
/// That fit into a node's line.
const LETTERS: usize = 24;
/// Width of a letter of the words on an arrow.
const LETTER: f64 = 6.7;
/// Arrows that bear their words; more would cover each other.
const WORDED: usize = 8;

/// A node and where it stands.
struct Placed<'a> {
    node: &'a Node,
    x: f64,
    y: f64,
}

impl Placed<'_> {
    fn height(&self) -> f64 {
        height(self.node)
    }

    fn middle(&self) -> f64 {
        self.y + self.height() / 2.0
    }
}

/// Lines but the last of a host, which says the zone that the box says.
fn lines(node: &Node) -> &[String] {
    match node.lines.split_last() {
        Some((last, rest)) if last.starts_with("zone ") || last == "internet" => rest,
        Some(_) | None => &node.lines,
    }
}

fn height(node: &Node) -> f64 {
    LINE * lines(node).len() as f64 + 12.0
}

fn is_host(node: &Node) -> bool {
    node.id.starts_with("host ")
}

/// Where everything stands.
#[derive(Default)]
struct Layout<'a> {
    placed: Vec<Placed<'a>>,
    /// The boxes around them.
    boxes: String,
    /// The lower end of the boxes.
    bottom: f64,
}

/// The left side of a column's nodes.
fn column(i: usize) -> f64 {
    PAD + (WIDTH + GAP) * i as f64
}

impl<'a> Layout<'a> {
    /// Who is on the internet, at the left.
    fn internet(&mut self, nodes: &[&'a Node]) {
        let mut y = TITLE + PAD;
        for node in nodes {
            self.placed.push(Placed {
                node,
                x: column(0),
                y,
            });
            y += height(node) + SPACE;
        }
        self.bottom = y - SPACE + PAD;
        self.boxes.push_str(&frame(
            "internet",
            2.0,
            2.0,
            WIDTH + 2.0 * PAD - 4.0,
            self.bottom - 2.0,
        ));
    }

    /// A zone, from its upper end, in two columns: hosts at the right. Gives its lower end.
    fn zone(&mut self, zone: &str, drawing: &'a Drawing, first: usize, top: f64) -> f64 {
        let mut ends = [top + TITLE + PAD; 2];
        for node in drawing.nodes.iter().filter(|node| node.zone == zone) {
            let side = usize::from(is_host(node));
            self.placed.push(Placed {
                node,
                x: column(first + side),
                y: ends[side],
            });
            ends[side] += height(node) + SPACE;
        }
        let end = ends[0].max(ends[1]) - SPACE + PAD;
        self.boxes.push_str(&frame(
            &format!("zone {zone}"),
            column(first) - PAD + 2.0,
            top,
            2.0 * WIDTH + GAP + 2.0 * PAD - 4.0,
            end - top,
        ));
        self.bottom = f64::max(self.bottom, end);
        end
    }
}

/// The picture.
pub(super) fn svg(drawing: &Drawing) -> String {
    let (outside, inside): (Vec<&Node>, Vec<&Node>) =
        drawing.nodes.iter().partition(|node| node.zone.is_empty());
    let mut zones: Vec<&str> = inside.iter().map(|node| node.zone.as_str()).collect();
    zones.sort_unstable();
    zones.dedup();
    let mut layout = Layout::default();
    if !outside.is_empty() {
        layout.internet(&outside);
    }
    // Without anybody outside the zones stand at the left.
    let first = usize::from(!outside.is_empty());
    let mut top = 2.0;
    for zone in zones {
        top = layout.zone(zone, drawing, first, top) + 12.0;
    }
    // Arrows between nodes of one column go around at its right.
    let width = column(first + 1) + WIDTH + PAD + GAP;
    let height = layout.bottom + 4.0;
    let mut out = format!(
        "<svg class=\"topology\" role=\"img\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" \
         height=\"{height:.0}\" aria-label=\"{}\">{}",
        escape(&label(drawing)),
        layout.boxes
    );
    edges(drawing, &layout.placed, &mut out);
    for place in &layout.placed {
        node(place, &mut out);
    }
    out.push_str("</svg>");
    out
}

fn label(drawing: &Drawing) -> String {
    let name = |id: &str| {
        id.split_once(' ')
            .map_or(id.to_owned(), |(_, name)| name.to_owned())
    };
    let edges = drawing.edges.iter();
    let told: Vec<String> = edges
        .map(|(from, to, text)| format!("{} to {}: {text}", name(from), name(to)))
        .collect();
    format!("Topology. {}", told.join("; "))
}

fn frame(title: &str, x: f64, y: f64, width: f64, height: f64) -> String {
    format!(
        "<rect class=\"zone\" x=\"{x:.0}\" y=\"{y:.0}\" width=\"{width:.0}\" height=\"{height:.0}\" rx=\"6\"/>\
         <text class=\"where\" x=\"{:.0}\" y=\"{:.0}\">{}</text>",
        x + 10.0,
        y + 18.0,
        escape(title)
    )
}

fn node(place: &Placed, out: &mut String) {
    let class = if is_host(place.node) { "host" } else { "zonal" };
    out.push_str(&format!(
        "<rect class=\"{class}\" x=\"{:.0}\" y=\"{:.0}\" width=\"{WIDTH}\" height=\"{:.0}\" rx=\"4\"/>",
        place.x,
        place.y,
        place.height()
    ));
    for (i, line) in lines(place.node).iter().enumerate() {
        let class = if i == 0 { "name" } else { "address" };
        out.push_str(&format!(
            "<text class=\"{class}\" x=\"{:.0}\" y=\"{:.0}\">{}</text>",
            place.x + WIDTH / 2.0,
            place.y + 17.0 + LINE * i as f64,
            escape(&cut(line, LETTERS))
        ));
    }
}

fn edges(drawing: &Drawing, placed: &[Placed], out: &mut String) {
    let find = |id: &str| placed.iter().find(|place| place.node.id == id);
    let worded = drawing.edges.len() <= WORDED;
    let mut words = String::new();
    let mut said: Vec<(f64, f64)> = Vec::new();
    for (from, to, text) in &drawing.edges {
        let (Some(a), Some(b)) = (find(from), find(to)) else {
            continue;
        };
        let (y1, y2) = (a.middle(), b.middle());
        // From the side that faces the other.
        let (x1, x2, bend, tip) = if a.x < b.x {
            (a.x + WIDTH, b.x, GAP / 2.0, -7.0)
        } else if a.x > b.x {
            (a.x, b.x + WIDTH, -GAP / 2.0, 7.0)
        } else {
            (a.x + WIDTH, b.x + WIDTH, GAP / 2.0, 7.0)
        };
        let second = if a.x == b.x { x2 + bend } else { x2 - bend };
        let class = if text.starts_with("dials") {
            "dials"
        } else {
            "forwards"
        };
        out.push_str(&format!(
            "<path class=\"{class}\" d=\"M{x1:.0} {y1:.0}C{:.0} {y1:.0} {second:.0} {y2:.0} {x2:.0} {y2:.0}\
             m{tip} -4l{} 4l{tip} 4\"><title>{}</title></path>",
            x1 + bend,
            -tip,
            escape(text)
        ));
        let told = cut(text, 22);
        let x = if a.x == b.x {
            // Beside the bend, which goes three quarters of the way to its handles.
            x1 + 0.75 * bend + 4.0 + LETTER * told.chars().count() as f64 / 2.0
        } else {
            f64::midpoint(x1, x2)
        };
        let y = f64::midpoint(y1, y2) - 5.0;
        let crowded = said
            .iter()
            .any(|(u, v)| (u - x).abs() < 80.0 && (v - y).abs() < 13.0);
        if worded && !crowded {
            said.push((x, y));
            words.push_str(&format!(
                "<text class=\"edge\" x=\"{x:.0}\" y=\"{y:.0}\">{}</text>",
                escape(&told)
            ));
        }
    }
    out.push_str(&words);
}
