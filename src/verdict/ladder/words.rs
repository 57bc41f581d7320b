//! A packet in words.

use super::clip;
use crate::evidence::Packet;
use crate::verdict::trace::{Journey, Place, Stretch, Trace, is_later_fragment, is_reset};

/// Milliseconds from which on a delay is told: links that delay nothing pass a packet on within the same microseconds.
const TOLD: f64 = 0.05;

/// Flags in words, then the numbers as tcpdump has them: `PSH-ACK seq 1:65 ack 1`.
pub(super) fn words(trace: &Trace, journey: &Journey) -> String {
    let packets = &trace.evidence.packets;
    let packet = &packets[journey.stretches[0].sent];
    let several = several(packet);
    if packet.protocol != "tcp" {
        let part = match is_later_fragment(packet) {
            true => "later fragment, ",
            false => "",
        };
        let says = match &packet.icmp {
            Some(icmp) => icmp.words(),
            None => format!("{} bytes", packet.len),
        };
        return format!("{} {part}{says}{several}", packet.protocol);
    }
    let text = match is_later_fragment(packet) {
        true => format!("later fragment, {} bytes", packet.len),
        false => numbered(trace, journey, packet),
    };
    text + &several + &in_time(packets, journey)
}

/// Of what a kernel hands over at once and a wire has one by one (segmentation offload): how many.
fn several(packet: &Packet) -> String {
    match packet.wire_packets {
        ..2 => String::new(),
        many if packet.protocol == "tcp" => format!(", {many} segments"),
        many => format!(", {many} packets"),
    }
}

/// A segment whose header is in sight.
fn numbered(trace: &Trace, journey: &Journey, packet: &Packet) -> String {
    let bearer = journey.connection;
    let has_ack = packet.flags.contains('.');
    let foreign = |place: Place| place.of.filter(|of| Some(*of) != bearer);
    let number = |place: Place, named: bool| match foreign(place) {
        Some(of) if named => format!("{} (of {})", place.at, clip(&trace.name(of), 16)),
        Some(_) => place.at.to_string(),
        None if place.of.is_none() && place.at != 0 => format!("{} (absolute)", place.at),
        None => place.at.to_string(),
    };
    // When both numbers are another connection's, its name once behind them is enough.
    let alike = has_ack && foreign(journey.seq).is_some() && journey.seq.of == journey.ack.of;
    let mut text = format!("{} seq {}", flag_words(packet), number(journey.seq, !alike));
    if packet.len > 0 && journey.seq.of == bearer {
        text.push_str(&format!(":{}", journey.seq.at + packet.len));
    }
    if has_ack {
        text.push_str(&format!(" ack {}", number(journey.ack, true)));
    }
    let blocks = packet.sack.iter().flatten();
    let blocks: Vec<String> = blocks
        .map(|[begin, end]| format!("{}:{}", journey.ack.at + begin, journey.ack.at + end))
        .collect();
    if !blocks.is_empty() {
        text.push_str(&format!(" sack {}", blocks.join(" ")));
    }
    // Of a RST it says nothing.
    if packet.window == 0 && has_ack && !is_reset(packet) {
        text.push_str(", win 0");
    }
    text
}

/// How long links had it.
fn in_time(packets: &[Packet], journey: &Journey) -> String {
    let held = journey.stretches.iter();
    let held: f64 = held.map(|s| packets[s.ended].t - packets[s.sent].t).sum();
    let links = journey.stretches.iter();
    let links = links.filter_map(|s| packets[s.ended].links.as_ref());
    let queued: f64 = links.map(|links| links.queued_ms).sum();
    match (held >= TOLD, queued >= TOLD) {
        (true, true) => format!(", in {held:.1} ms ({queued:.1} queued)"),
        (true, false) => format!(", in {held:.1} ms"),
        // It is still in the queue.
        (false, true) => format!(", queued {queued:.1} ms"),
        (false, false) => String::new(),
    }
}

/// Words for a narrow place: what links did to the packet is kept longest, then its flags, then its sequence numbers; of an
/// ICMP message what it is called.
pub(super) fn shortened(words: &str, width: usize) -> String {
    if let Some(says) = words.strip_prefix("icmp ") {
        let name = says.split_once(" (").map_or(says, |(name, _)| name);
        let mut texts = [words, says, name].into_iter();
        let fitting = texts.find(|text| text.chars().count() <= width);
        return clip(fitting.unwrap_or(name), width);
    }
    let Some((what, links)) = words.split_once(", ") else {
        return clip(words, width);
    };
    let before = |mark: &str| what.split_once(mark).map_or(what, |(before, _)| before);
    let mut texts = [what, before(" ack "), before(" seq ")]
        .map(|what| format!("{what}, {links}"))
        .into_iter();
    let fitting = texts.find(|text| text.chars().count() <= width);
    fitting.unwrap_or_else(|| clip(links, width))
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
        ('E', "ECE"),
        ('W', "CWR"),
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

/// One part of a packet's way, with its addresses there: `on n1 eth0`.
pub(super) fn way(trace: &Trace, stretch: Stretch) -> String {
    let packets = &trace.evidence.packets;
    let (sent, ended) = (&packets[stretch.sent], &packets[stretch.ended]);
    let ends = format!("{} > {}", sent.from, sent.to);
    if !sent.seen_at.is_empty() {
        return format!(
            "{} to {}, on {}: {ends}",
            sent.sender, sent.receiver, sent.seen_at
        );
    }
    let after = format!("{} > {}", ended.from_after, ended.to_after);
    let became = match ends == after {
        true => String::new(),
        false => format!(" became {after}"),
    };
    let to = match ended.receiver.as_str() {
        "" => ended.fate.clone(),
        receiver => format!("to {receiver}"),
    };
    format!("{} {to}, by the network: {ends}{became}", sent.sender)
}
