//! What a packet is by its flags, and what became of it by the words of its last record.

use crate::evidence::Packet;

/// A SYN without ACK.
pub fn is_syn(packet: &Packet) -> bool {
    opens(&packet.flags)
}

/// The flags of a SYN without ACK, whatever else it bears: one that offers ECN is `SEW`.
pub fn opens(flags: &str) -> bool {
    flags.contains('S') && !flags.contains('.')
}

/// The flags of a SYN with ACK.
pub fn accepts(flags: &str) -> bool {
    flags.contains('S') && flags.contains('.')
}

/// A SYN with ACK.
pub fn is_syn_ack(packet: &Packet) -> bool {
    accepts(&packet.flags)
}

/// RST, with or without ACK.
pub fn is_reset(packet: &Packet) -> bool {
    packet.flags.contains('R')
}

/// A fragment of a TCP segment or a datagram that does not begin it: the header, with numbers, flags and ports, is in another one. A
/// segment has a flag at least, a datagram ports, which the network knows of each fragment and a device of the first only.
pub fn is_later_fragment(packet: &Packet) -> bool {
    let without = |end: &str| end.ends_with(":0");
    match packet.protocol.as_str() {
        "tcp" => packet.flags.is_empty(),
        "udp" => without(&packet.from) && without(&packet.to),
        _ => false,
    }
}

/// Nothing but an acknowledgement.
pub fn is_pure_ack(packet: &Packet) -> bool {
    packet.flags.contains('.') && !packet.flags.contains(['S', 'F', 'R', 'P']) && packet.len == 0
}

/// Nothing but the number before the next one of its sender, which the other end has had: a question for an acknowledgement, as a
/// keepalive is and a window probe (RFC 9293 sections 3.8.4 and 3.8.6.1). `at` and `next` count from the same number.
pub fn asks_again(packet: &Packet, at: i64, next: Option<i64>) -> bool {
    is_pure_ack(packet) && next == Some(at + 1)
}

/// The packet, by its last record, came to its receiver, by the network or on a device.
pub fn came(ended: &Packet) -> bool {
    delivered(ended) || ended.fate == "seen"
}

/// The packet, by its last record, came to a host.
pub fn delivered(ended: &Packet) -> bool {
    !ended.receiver.is_empty() && ended.fate == "forwarded"
}

/// It left its host: a quirk that withholds a packet stands for a kernel that would not have sent it.
pub fn left(ended: &Packet) -> bool {
    drop_reason(ended) != Some("kernel-quirk")
}

/// Why a packet was dropped, by its last record: `no-listener`.
pub fn drop_reason(ended: &Packet) -> Option<&str> {
    ended.fate.strip_prefix("dropped: ")
}

/// Answers to a packet that was too large for a link, in the words of each family.
pub const TOO_LARGE: [&str; 2] = ["ICMP, fragmentation needed", "ICMPv6, packet too big"];

/// How the fabric answered a packet itself: `reset, no flow`.
pub fn answer(ended: &Packet) -> Option<&str> {
    ended.fate.strip_prefix("answered: ")
}
