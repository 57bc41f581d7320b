//! Lifelines and arrows: what stands in which column.

use super::clip;
use crate::evidence::Packet;
use crate::verdict::trace::{Trace, delivered, drop_reason};

/// The lifelines of a ladder, from left to right: clients, addresses of balancers, targets.
pub struct Lanes {
    list: Vec<Lane>,
    width: usize,
    /// Columns between two lifelines.
    step: usize,
}

struct Lane {
    what: What,
    x: usize,
}

#[derive(Clone, PartialEq, Eq)]
enum What {
    Client(String),
    /// Label `front/a`, address `203.0.113.10`.
    Zonal(String, String),
    Target(String),
}

impl What {
    fn name(&self) -> &str {
        match self {
            What::Client(name) | What::Zonal(name, _) | What::Target(name) => name,
        }
    }
}

/// Lifelines in one ladder.
const LANES: usize = 7;
/// Connections in one ladder, however few their ends.
const CONNECTIONS: usize = 12;
/// Longest name over a lifeline.
const NAME: usize = 14;
/// Between a lifeline and the next, besides the longest name.
const GAP: usize = 4;
/// Right of the first lifeline, for words on arrows, at least.
const WORDS: usize = 24;
/// Right of the last lifeline.
const RIGHT: usize = 5;

impl Lanes {
    /// How many of the first connections have few enough ends to be drawn beside each other.
    pub fn fitting(trace: &Trace, chosen: &[usize]) -> usize {
        let fits = |n: &usize| ends(trace, &chosen[..*n]).len() <= LANES;
        (0..=chosen.len().min(CONNECTIONS))
            .rev()
            .find(fits)
            .unwrap_or(0)
    }

    /// Lanes for the connections' ends, right of a margin.
    pub fn new(trace: &Trace, chosen: &[usize], margin: usize, width: usize) -> Self {
        let list = ends(trace, chosen);
        let wanted = list
            .iter()
            .map(|what| length(what.name()))
            .max()
            .unwrap_or(0)
            .min(NAME)
            + GAP;
        let room =
            width.saturating_sub(margin + WORDS + RIGHT) / list.len().max(2).saturating_sub(1);
        let step = wanted.min(room).max(GAP);
        // Right to left each lane takes what it needs; the first client's side, where the words stand, gets the rest.
        let mut x = width.saturating_sub(RIGHT + 1);
        let mut lanes: Vec<Lane> = Vec::new();
        for (i, what) in list.iter().enumerate().rev() {
            lanes.push(Lane {
                what: what.clone(),
                x: if i == 0 { margin + 1 } else { x },
            });
            x = x.saturating_sub(step).max(margin + 1 + i);
        }
        lanes.reverse();
        Self {
            list: lanes,
            width,
            step,
        }
    }

    /// Names and addresses over the lifelines.
    pub fn head(&self) -> Vec<String> {
        let mut names = vec![' '; self.width];
        let mut addresses = vec![' '; self.width];
        for (i, lane) in self.list.iter().enumerate() {
            let address = match &lane.what {
                What::Client(_) | What::Target(_) => "",
                What::Zonal(_, address) => address,
            };
            let tail = address
                .rsplit_once('.')
                .map(|(_, tail)| format!(".{tail}"))
                .unwrap_or_default();
            for (row, text) in [
                (&mut names, clip(lane.what.name(), self.step - 2)),
                (&mut addresses, tail),
            ] {
                let middle = lane.x.saturating_sub(length(&text) / 2);
                // The first stands over its lane and what is right of it, the last keeps within the width.
                let start = if i == 0 {
                    lane.x
                } else {
                    middle.min(self.width - length(&text))
                };
                put(row, start, &text);
            }
        }
        let zonal = self
            .list
            .iter()
            .any(|lane| matches!(lane.what, What::Zonal(..)));
        let mut lines = vec![names.into_iter().collect::<String>()];
        if zonal {
            lines.push(addresses.into_iter().collect());
        }
        lines
    }

    /// A packet's line: margin, arrow, words on the arrow.
    pub fn row(&self, trace: &Trace, passage: usize, margin: &str, words: &str) -> String {
        let mut row = self.lifelines();
        put(&mut row, 0, margin);
        let (sent, ended) = (trace.sent(passage), trace.ended(passage));
        let toward_target = trace.passages[passage].toward_target;
        let via = self.via(sent, ended, toward_target);
        let client = self.find(toward_target, &sent.sender, &ended.receiver, true);
        let target = self.find(toward_target, &sent.sender, &ended.receiver, false);
        let made_here = !trace.evidence.hosts.contains_key(&sent.sender);
        let (begin, goal) = if toward_target {
            (client, target)
        } else {
            (target, client)
        };
        let begin = if made_here {
            via.unwrap_or(begin)
        } else {
            begin
        };
        let end = if delivered(ended) {
            goal
        } else {
            self.stopped(begin, goal, via, ended)
        };
        let (left, right) = (begin.min(end), begin.max(end));
        for (x, cell) in row.iter_mut().enumerate().take(right).skip(left + 1) {
            *cell = if *cell == '|' && Some(x) != via {
                '|'
            } else {
                '-'
            };
        }
        if let Some(x) = via.filter(|x| left < *x && *x < right) {
            row[x] = 'o';
        }
        if !delivered(ended) {
            row[end] = if ended.fate == "held" { '~' } else { 'x' };
        } else if begin < end {
            row[end - 1] = '>';
        } else {
            row[end + 1] = '<';
        }
        self.write_on(&mut row, left, right, words);
        row.into_iter().collect()
    }

    /// A remark under a packet, wrapped, in the clients' part of the ladder.
    pub fn note(&self, note: &str) -> Vec<String> {
        let indent = self.list.first().map_or(0, |lane| lane.x) + 6;
        let mut lines: Vec<String> = Vec::new();
        for word in note.split_whitespace() {
            match lines.last_mut() {
                Some(line)
                    if line.chars().count() + 1 + word.chars().count() + indent <= self.width =>
                {
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
        for lane in &self.list {
            row[lane.x] = '|';
        }
        row
    }

    /// The lane of the balancer's address that translates it.
    fn via(&self, sent: &Packet, ended: &Packet, toward_target: bool) -> Option<usize> {
        let address = ip(if toward_target {
            &sent.to
        } else {
            &ended.from_after
        });
        // What a balancer makes itself toward a target bears the client's address: its own lane is the flow's.
        let lane = self
            .list
            .iter()
            .find(|lane| matches!(&lane.what, What::Zonal(_, a) if a == address));
        lane.map(|lane| lane.x)
    }

    /// The lifeline of one end of a packet.
    fn find(&self, toward_target: bool, sender: &str, receiver: &str, client: bool) -> usize {
        let name = if toward_target == client {
            sender
        } else {
            receiver
        };
        let of_this_end = |lane: &&Lane| match &lane.what {
            What::Client(_) => client,
            What::Target(_) => !client,
            What::Zonal(..) => false,
        };
        let named = |lane: &&Lane| match &lane.what {
            What::Client(n) | What::Target(n) => n == name,
            What::Zonal(..) => false,
        };
        let ends = || self.list.iter().filter(of_this_end);
        let lane = ends().find(named).or_else(|| ends().next());
        // A connection that no host got has no target: it ends at the last lane there is.
        let fallback = if client {
            self.list.first()
        } else {
            self.list.last()
        };
        lane.or(fallback).map_or(0, |lane| lane.x)
    }

    /// Where a packet that was not delivered came to its end.
    fn stopped(&self, begin: usize, goal: usize, via: Option<usize>, ended: &Packet) -> usize {
        match via.filter(|x| *x != begin) {
            // It never left the host: short of everything else.
            _ if drop_reason(ended) == Some("kernel-quirk") => (begin * 2 + goal) / 3,
            Some(x) if ended.fate == "held" => usize::midpoint(x, goal),
            Some(x) => x,
            None if begin == goal => (begin + 2).min(self.width - 1),
            // On the way between two hosts, and beside any lifeline that is not concerned.
            None => {
                let middle = usize::midpoint(begin, goal);
                if self.list.iter().any(|lane| lane.x == middle) {
                    middle + 1
                } else {
                    middle
                }
            }
        }
    }

    /// Puts the words on the arrow, near the client, never over an end or a lifeline; left of it where it is short.
    fn write_on(&self, row: &mut [char], left: usize, right: usize, words: &str) {
        let inside = self
            .list
            .iter()
            .map(|lane| lane.x)
            .filter(|x| left < *x && *x < right);
        let edges: Vec<usize> = std::iter::once(left).chain(inside).chain([right]).collect();
        let longest = edges
            .windows(2)
            .max_by_key(|pair| (pair[1] - pair[0], usize::MAX - pair[0]));
        let Some([from, to]) = longest else { return };
        let room = (to - from).saturating_sub(7);
        let lanes: Vec<usize> = self
            .list
            .iter()
            .map(|lane| lane.x)
            .take_while(|x| *x <= left)
            .collect();
        let gap = lanes
            .windows(2)
            .map(|pair| (pair[1] - pair[0], pair[1]))
            .max();
        let (room_before, end) = gap.map_or((0, 0), |(gap, end)| (gap.saturating_sub(3), end));
        if room < length(words) && room_before > room {
            let words = clip(words, room_before);
            put(row, end - 1 - length(&words), &words);
        } else if room >= 3 {
            put(row, from + 3, &format!(" {} ", clip(words, room)));
        }
    }
}

fn length(text: &str) -> usize {
    text.chars().count()
}

/// The ends of connections from left to right: clients, balancers' addresses, targets, each once.
fn ends(trace: &Trace, chosen: &[usize]) -> Vec<What> {
    let connections = || chosen.iter().map(|c| &trace.evidence.connections[*c]);
    let clients = connections().map(|c| What::Client(c.from.clone()));
    let mut zonal: Vec<What> = connections()
        .filter(|c| is_zonal(trace, &c.via))
        .map(|c| What::Zonal(c.via.clone(), ip(&c.remote).to_owned()))
        .collect();
    zonal.sort_by(|a, b| a.name().cmp(b.name()));
    let targets = connections()
        .filter(|c| !c.target.is_empty())
        .map(|c| What::Target(c.target.clone()));
    let mut list: Vec<What> = Vec::new();
    for what in clients.chain(zonal).chain(targets) {
        if !list.contains(&what) {
            list.push(what);
        }
    }
    list
}

fn is_zonal(trace: &Trace, via: &str) -> bool {
    via.split_once('/')
        .is_some_and(|(balancer, _)| trace.evidence.load_balancers.contains_key(balancer))
}

fn ip(address: &str) -> &str {
    let ip = address.rsplit_once(':').map_or(address, |(ip, _)| ip);
    ip.trim_matches(['[', ']'])
}

fn put(row: &mut [char], at: usize, text: &str) {
    for (cell, letter) in row.iter_mut().skip(at).zip(text.chars()) {
        *cell = letter;
    }
}
