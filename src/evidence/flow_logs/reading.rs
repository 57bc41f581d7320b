//! What flow logs read out of a packet of the evidence.

use crate::evidence::Packet;

/// An address and a port; port 0 where there is none.
pub(super) type End<'a> = (&'a str, i64);

/// Fates of packets that came to a balancer's interface, passed its guards, and went no further.
pub(super) const UNSERVED: &[&str] = &[
    "dropped: no-listener",
    "dropped: no-target",
    "dropped: port-allocation",
    "dropped: endpoint-without-service",
    "dropped: flow-table-full",
    "dropped: fragment",
    "dropped: icmp-unsupported",
    "dropped: icmp-unrelated",
    "dropped: protocol-unsupported",
];

/// A balancer's packet that arrived after its connection was closed, or without any.
pub(super) fn is_of_no_connection(fate: &str) -> bool {
    const FATES: &[&str] = &[
        "answered: reset, no flow",
        "answered: reset, expired flow",
        "answered: reset, terminated flow",
        "dropped: expired-flow",
        "dropped: missing-flow",
        "dropped: half-open",
    ];
    FATES.contains(&fate)
}

/// A balancer or the gateway has changed its ends.
pub(super) fn is_translated(sent: &Packet, ended: &Packet) -> bool {
    (&sent.from, &sent.to) != (&ended.from_after, &ended.to_after)
}

/// What never was a packet of the network, and traffic with the resolver, which flow logs leave out.
pub(super) fn is_unlogged(sent: &Packet, ended: &Packet) -> bool {
    const UNSENT: &[&str] = &[
        "dropped: malformed",
        "dropped: not-ipv4",
        "dropped: untranslatable",
        "dropped: spoofed-source",
        "dropped: kernel-quirk",
        "dropped: no-service",
        "answered: name",
    ];
    let resolver = sent.sender == "fabric" && sent.protocol == "udp";
    resolver || sent.to.starts_with("169.254.") || UNSENT.contains(&ended.fate.as_str())
}

/// `address:port`, or `[address]:port`.
pub(super) fn end(text: &str) -> End<'_> {
    match text.rsplit_once(':') {
        Some((address, port)) => {
            let address = address.trim_start_matches('[').trim_end_matches(']');
            (address, port.parse().unwrap_or(0))
        }
        None => (text, 0),
    }
}

/// The IANA number of a protocol between two ends; of ICMP that is another one over IPv6, where the evidence has the same word.
pub(super) fn protocol_number(word: &str, over_ipv6: bool) -> i64 {
    match word {
        "icmp" if over_ipv6 => 58,
        "icmp" => 1,
        "tcp" => 6,
        "udp" => 17,
        other => other.parse().unwrap_or(0),
    }
}

/// As flow logs add them up: ACK counts only with SYN.
pub(super) fn tcp_flags(packet: &Packet) -> i64 {
    let has = |letter| packet.flags.contains(letter);
    let syn = match (has('S'), has('.')) {
        (true, true) => 18,
        (true, false) => 2,
        (false, _) => 0,
    };
    syn | i64::from(has('F')) | if has('R') { 4 } else { 0 }
}
