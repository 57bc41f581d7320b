//! PROXY protocol and TLS: 0630..0649.

use super::{Code, Rule};

/// `proxy_protocol_v2.enabled` on a group of datagrams.
pub const PROXY_PROTOCOL_OVER_UDP: Code = Code(630);

/// `proxy_protocol` of a UDP server.
pub const HEADER_OF_DATAGRAMS: Code = Code(631);

/// The rules of this area.
pub static RULES: &[Rule] = &[
    Rule {
        code: PROXY_PROTOCOL_OVER_UDP,
        title: "PROXY protocol over UDP is not emulated",
        page: "A Network Load Balancer writes the PROXY protocol's header over UDP as well, but before which datagrams of a flow is\n\
    not documented, and this emulator does not guess.\n\
    \n\
    Wrong:\n\
    \x20   target_groups: { dns: { protocol: UDP, attributes: { proxy_protocol_v2.enabled: true } } }\n\
    Right:\n\
    \x20   target_groups: { dns: { protocol: TCP, attributes: { proxy_protocol_v2.enabled: true } } }",
    },
    Rule {
        code: HEADER_OF_DATAGRAMS,
        title: "a PROXY protocol header of datagrams",
        page: "The servers of a lab read the header at the beginning of a TCP connection.\n\
        \n\
        Wrong:\n\
        \x20   serve: { 53/udp: { name: { proxy_protocol: v2 } } }\n\
        Right:\n\
        \x20   serve: { 53: { name: { proxy_protocol: v2 } } }",
    },
];
