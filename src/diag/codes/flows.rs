//! Rules of the area `flows`: datagrams, and faults of links and hosts.

use super::{Code, Rule};

/// SO_KEEPALIVE on datagrams.
pub const KEEPALIVE_OVER_UDP: Code = Code(610);
/// FIN or RST on datagrams.
pub const ENDING_OVER_UDP: Code = Code(611);
/// More than a datagram holds.
pub const DATAGRAM_TOO_LARGE: Code = Code(612);
/// No TCP flags.
pub const UNKNOWN_FLAGS: Code = Code(613);
/// `heal` without a fault to heal.
pub const HEALS_NO_DROP: Code = Code(614);
/// Neither a host nor a balancer's address.
pub const UNKNOWN_END: Code = Code(615);
/// Neither a number nor `all`.
pub const DROP_COUNT: Code = Code(616);
/// TCP_USER_TIMEOUT on datagrams.
pub const USER_TIMEOUT_OVER_UDP: Code = Code(617);
/// TCP_NODELAY, or a datagram in pieces.
pub const STREAM_OVER_UDP: Code = Code(618);

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
    Rule {
        code: UNKNOWN_FLAGS,
        title: "TCP flags that do not exist",
        page: "`flags` are written as tcpdump prints them or by name. SYN, FIN and RST must be as written; ACK must be where SYN is\n\
        written or ACK stands alone; PSH must be where it is written. So `S` is no SYN-ACK, and `F` is any FIN.\n\
        \n\
        Wrong:\n\
        \x20   - drop: { flags: X }\n\
        Right:\n\
        \x20   - drop: { flags: S. }            # the same as SYN-ACK",
    },
    Rule {
        code: HEALS_NO_DROP,
        title: "nothing to heal",
        page: "`heal` ends a `drop` by the name of its step, which must have come before. A host is healed by its name.\n\
        \n\
        Wrong:\n\
        \x20   - drop: { as: cut, from: web1 }\n\
        \x20   - heal: { drop: web1 }\n\
        Right:\n\
        \x20   - heal: { drop: cut }\n\
        \x20   - heal: web1                     # frozen servers, its link, its power",
    },
    Rule {
        code: UNKNOWN_END,
        title: "packets from or to nowhere",
        page: "`from` and `to` of a `drop` are hosts, groups of hosts, balancers or their zonal addresses. Ports are no part of it.\n\
        \n\
        Wrong:\n\
        \x20   - drop: { from: client, to: front:80 }\n\
        Right:\n\
        \x20   - drop: { from: client, to: front/a }",
    },
    Rule {
        code: DROP_COUNT,
        title: "a count that is none",
        page: "Wrong:\n\
        \x20   - drop: { from: web1, count: some }\n\
        Right:\n\
        \x20   - drop: { from: web1, count: 3 }\n\
        \x20   - drop: { from: web1 }           # all of them",
    },
    Rule {
        code: USER_TIMEOUT_OVER_UDP,
        title: "a user timeout over UDP",
        page: "`user_timeout` is TCP_USER_TIMEOUT: how long what was sent may stay unacknowledged. UDP acknowledges nothing.\n\
        \n\
        Wrong:\n\
        \x20   - connect: { as: ask, from: client, to: ns1:53/udp, user_timeout: 2s }\n\
        Right:\n\
        \x20   - connect: { as: ask, from: client, to: ns1:53/udp }\n\
        \x20   - exchange: { over: ask, timeout: 2s }",
    },
    Rule {
        code: STREAM_OVER_UDP,
        title: "pieces of a stream over UDP",
        page: "`nodelay` (TCP_NODELAY) and `writes` are about a stream: how its bytes are written, and what small segments wait for.\n\
        Over UDP each write is a datagram, and is sent at once.\n\
        \n\
        Wrong:\n\
        \x20   - exchange: { over: ask, bytes: 128, writes: 2 }     # ask: UDP\n\
        Right:\n\
        \x20   - exchange: { over: ask, bytes: 64, times: 2 }",
    },
];
