//! Rules of the area `flows`: datagrams, and faults of links and hosts.

use super::{Code, Rule};

/// SO_KEEPALIVE on datagrams.
pub const KEEPALIVE_OVER_UDP: Code = Code(610);
/// FIN or RST on datagrams.
pub const ENDING_OVER_UDP: Code = Code(611);
/// More than a datagram holds.
pub const DATAGRAM_TOO_LARGE: Code = Code(612);

/// In order of their codes.
pub(super) const RULES: &[Rule] = &[
    Rule {
        code: KEEPALIVE_OVER_UDP,
        title: "a keepalive over UDP",
        page: "Only TCP has keepalives. What keeps a UDP flow are datagrams.\n\
        \n\
        Wrong:\n\
        \x20   - connect: { as: ask, from: client, to: ns1:53/udp, keepalive: 2s }\n\
        Right:\n\
        \x20   - connect: { as: ask, from: client, to: ns1:53/udp }\n\
        \x20   - exchange: { over: ask, times: 10, every: 2s }",
    },
    Rule {
        code: ENDING_OVER_UDP,
        title: "an end that UDP does not have",
        page: "Datagrams have no FIN and no RST: nobody is told that a socket is gone. `close` is allowed, and says nothing to\n\
        the other side.\n\
        \n\
        Wrong:\n\
        \x20   - connect: { as: ask, from: client, to: ns1:53/udp }\n\
        \x20   - abort: { over: ask }\n\
        Right:\n\
        \x20   - close: { over: ask }",
    },
    Rule {
        code: DATAGRAM_TOO_LARGE,
        title: "more bytes than a datagram holds",
        page: "Over UDP `bytes` is the size of one datagram. IPv4 carries 65,507 bytes behind its headers.\n\
        \n\
        Wrong:\n\
        \x20   - exchange: { over: ask, bytes: 100000 }\n\
        Right:\n\
        \x20   - exchange: { over: ask, bytes: 1200, times: 84 }",
    },
];
