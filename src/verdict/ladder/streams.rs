//! What each end of a connection has sent and acknowledged so far, and what that makes of its next segment: the same once more, a
//! keepalive probe, a duplicate ACK.
//!
//! By what is on the wire, in the order of sending. Not here: why a kernel sent something again, and closed windows (see
//! `trace::windows`).

use crate::evidence::Packet;
use crate::verdict::trace::{
    Journey, Place, asks_again, is_later_fragment, is_pure_ack, is_reset, is_syn, is_syn_ack,
};
use std::collections::{BTreeMap, HashMap, HashSet};

/// Begins the remark on a segment with bytes that were sent before.
pub(super) const SAME_BYTES: &str = "the same bytes again";
/// Is the remark on a question whether a window is still closed.
pub(super) const WINDOW_PROBE: &str = "window probe: is it still closed?";
/// Is the remark on a keepalive.
pub(super) const KEEPALIVE: &str = "keepalive probe: is the other end still there?";
/// Begins the remark on an acknowledgement that says once more what the one before said.
pub(super) const DUPLICATE: &str = "duplicate ACK";

/// Begins the remark on an acknowledgement that tells what came twice.
const D_SACK: &str = "D-SACK (RFC 2883)";
/// RFC 9293 section 3.5, figure 7.
const CROSSES: &str = "the SYNs cross: both ends dial each other (simultaneous open)";

/// On what a segment is.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Whose {
    /// A client's connection.
    Connection(usize),
    /// A proxy's own one.
    Leg(usize),
}

impl Whose {
    fn number(self) -> usize {
        match self {
            Self::Connection(number) | Self::Leg(number) => number,
        }
    }

    /// Whose numbers these are. A leg's are its own, whomever it serves.
    fn numbers(self, place: Place) -> Option<usize> {
        match self {
            Self::Connection(_) => place.of,
            Self::Leg(leg) => place.of.map(|_| leg),
        }
    }
}

/// On what, the direction, and the connection whose numbers they are: not always its own, and none where nobody's are known.
type Key = (Whose, bool, Option<usize>);

/// All directions of all connections.
#[derive(Default)]
pub(super) struct Streams {
    by_key: HashMap<Key, Stream>,
    /// Connections whose ends agreed on ECN as RFC 3168 has it, where ECE and CWR mean what they say.
    with_ecn: HashSet<Whose>,
}

/// One direction.
#[derive(Default)]
struct Stream {
    /// What was sent, in pieces that do not overlap: by its first number its end, and when it was last sent, ms.
    sent: BTreeMap<i64, (i64, f64)>,
    /// The number of its SYN or SYN-ACK as sent, and when that was last sent and came to its end.
    opened: Option<(i64, f64, f64)>,
    /// Its last segment had ECE.
    echoes: bool,
    /// When its FIN was last sent, and its number.
    closed: Option<(i64, f64)>,
    /// Behind everything that was sent.
    end: Option<i64>,
    /// Of the other direction: the last acknowledgement and the window in it, and how often that was said again.
    said: Option<(i64, i64)>,
    again: usize,
}

impl Streams {
    /// What a segment is in the light of those before it; it counts as sent from now on. It comes to its end at `ends`, ms.
    /// What a step put there its sender did not send.
    pub(super) fn on(
        &mut self,
        whose: Whose,
        journey: &Journey,
        packet: &Packet,
        ends: f64,
    ) -> Option<String> {
        if packet.protocol != "tcp"
            || packet.injected
            || is_later_fragment(packet)
            || is_reset(packet)
        {
            return None;
        }
        if packet.flags.contains('S') {
            let is_agreed =
                is_syn_ack(packet) && packet.flags.contains('E') && !packet.flags.contains('W');
            match is_agreed {
                true => self.with_ecn.insert(whose),
                false => self.with_ecn.remove(&whose),
            };
        }
        let toward_target = journey.toward_target;
        let own = (whose, toward_target, whose.numbers(journey.seq));
        let other = (whose, !toward_target, whose.numbers(journey.ack));
        let other = self.by_key.get(&other);
        let awaited = other.and_then(|other| other.end);
        let said = other.and_then(|other| other.said);
        let crosses = is_syn(packet) && !toward_target && self.is_dialling(whose, packet.t);
        let with_ecn = self.with_ecn.contains(&whose);
        let stream = self.by_key.entry(own).or_default();
        let probe = stream.probe(journey.seq.at, packet, said);
        let again = stream.send(journey.seq.at, packet, ends);
        let duplicate = stream.acknowledge(journey.ack.at, packet, awaited);
        let congestion = stream.tell_congestion(packet).filter(|_| with_ecn);
        let crosses = crosses.then_some(CROSSES);
        let probe = probe.map(str::to_owned);
        let told = probe.or(again);
        told.or(crosses.or(congestion).map(str::to_owned))
            .or(duplicate)
    }

    /// The client's SYN is on its way then.
    fn is_dialling(&self, whose: Whose, t: f64) -> bool {
        let own = self.by_key.get(&(whose, true, Some(whose.number())));
        let opened = own.and_then(|own| own.opened);
        opened.is_some_and(|(.., ends)| t < ends)
    }
}

impl Stream {
    /// Nothing, from one number before the next one to be sent, with all before that acknowledged: is the other end still there
    /// (RFC 9293 section 3.8.4), or, if it has closed its window, is that still so (section 3.8.6.1)?
    fn probe(&self, at: i64, packet: &Packet, said: Option<(i64, i64)>) -> Option<&'static str> {
        let (acknowledged, window) = said?;
        let asks = asks_again(packet, at, self.end) && acknowledged == at + 1;
        asks.then_some(match window {
            0 => WINDOW_PROBE,
            _ => KEEPALIVE,
        })
    }

    /// The same SYN, FIN or bytes once more.
    fn send(&mut self, at: i64, packet: &Packet, ends: f64) -> Option<String> {
        let later = |before: f64| format!("{:.1} ms later", packet.t - before);
        let mut told = None;
        let mut begin = at;
        if packet.flags.contains('S') {
            let what = match is_syn(packet) {
                true => "SYN",
                false => "SYN-ACK",
            };
            if self.opened.is_some_and(|(number, ..)| number != packet.seq) {
                *self = Self::default();
            }
            let before = self.opened.replace((packet.seq, packet.t, ends));
            told = before.map(|(_, before, _)| format!("the same {what} again, {}", later(before)));
            begin += 1;
        }
        let end = begin + packet.len;
        if packet.len > 0 {
            let before = self.cover(begin, end, packet.t);
            told = told.or(before.map(|before| format!("{SAME_BYTES}, {}", later(before))));
        }
        let mut behind = end;
        if packet.flags.contains('F') {
            let before = self.closed.replace((end, packet.t));
            let same = before.filter(|(number, _)| *number == end);
            told =
                told.or(same.map(|(_, before)| format!("the same FIN again, {}", later(before))));
            behind += 1;
        }
        self.end = Some(self.end.map_or(behind, |known| known.max(behind)));
        told
    }

    /// Puts a piece in place of what it covers of others; when its first byte was last sent, if it was.
    fn cover(&mut self, begin: i64, end: i64, t: f64) -> Option<f64> {
        let first = self.sent.range(..=begin).next_back();
        let first = first.map(|(from, (to, at))| (*from, *to, *at));
        let first = first.filter(|(_, to, _)| begin < *to);
        if let Some((from, to, at)) = first {
            self.sent.remove(&from);
            if from < begin {
                self.sent.insert(from, (begin, at));
            }
            if end < to {
                self.sent.insert(end, (to, at));
            }
        }
        while let Some((from, (to, at))) = self.sent.range(begin..end).next() {
            let (from, to, at) = (*from, *to, *at);
            self.sent.remove(&from);
            if end < to {
                self.sent.insert(end, (to, at));
            }
        }
        self.sent.insert(begin, (end, t));
        first.map(|(.., at)| at)
    }

    /// The first of a row of segments with ECE, and each with CWR (RFC 3168 section 6.1).
    fn tell_congestion(&mut self, packet: &Packet) -> Option<&'static str> {
        if packet.flags.contains('S') {
            return None;
        }
        let before = std::mem::replace(&mut self.echoes, packet.flags.contains('E'));
        if packet.flags.contains('W') {
            Some("CWR: it has been told of congestion, and sends less")
        } else if self.echoes && !before {
            Some("ECE: a packet came to it with the mark of congestion")
        } else {
            None
        }
    }

    /// The same acknowledgement while something is under way that it could acknowledge: with SACK blocks, whatever the window
    /// (RFC 6675 section 2), else with the same one (RFC 5681 section 2). Or of something that came twice (RFC 2883).
    fn acknowledge(&mut self, at: i64, packet: &Packet, awaited: Option<i64>) -> Option<String> {
        if !packet.flags.contains('.') {
            return None;
        }
        let before = self.said.replace((at, packet.window));
        let before = before.filter(|(known, _)| *known == at);
        if before.is_none() {
            self.again = 0;
        }
        let more = awaited.is_some_and(|end| end > at);
        let sack = packet.sack.as_deref().unwrap_or_default();
        if let Some([begin, end]) = twice(sack) {
            return Some(format!("{D_SACK}: {}:{} came twice", at + begin, at + end));
        }
        let same = before.is_some_and(|(_, window)| window == packet.window || !sack.is_empty());
        if !(same && more && packet.window > 0 && is_pure_ack(packet)) {
            return None;
        }
        self.again += 1;
        Some(format!("{DUPLICATE} {}: {at} is still missing", self.again))
    }
}

/// The block that says what came twice: the first, where it begins before the acknowledgement or lies within the second (RFC 2883
/// section 4).
fn twice(sack: &[[i64; 2]]) -> Option<[i64; 2]> {
    let first = *sack.first()?;
    let within = |[begin, end]: &[i64; 2]| *begin <= first[0] && first[1] <= *end;
    (first[0] < 0 || sack.get(1).is_some_and(within)).then_some(first)
}
