//! PROXY protocol and TLS: 0630..0639.

use super::{Code, Rule};

/// `proxy_protocol_v2.enabled` on a group of datagrams.
pub const PROXY_PROTOCOL_OVER_UDP: Code = Code(630);

/// `proxy_protocol` of a UDP server.
pub const HEADER_OF_DATAGRAMS: Code = Code(631);

/// A group that preserves the client's address behind a TLS listener.
pub const PRESERVATION_OVER_TLS: Code = Code(632);

/// `tls` of a connection over UDP.
pub const TLS_OVER_UDP: Code = Code(633);

/// A TLS listener of a dualstack balancer.
pub const TLS_OVER_IPV6: Code = Code(634);

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
    Rule {
        code: PRESERVATION_OVER_TLS,
        title: "client IP preservation behind a TLS listener",
        page: "A TLS listener ends the client's connection and opens one of its own. AWS lets that one bear the client's\n\
        address, and does so by default for instance targets; this release does not emulate it.\n\
        \n\
        Wrong:\n\
        \x20   target_groups: { web: { targets: [web] } }\n\
        \x20   load_balancers: { front: { zones: [a], listeners: { 443: { protocol: TLS, target_group: web } } } }\n\
        Right:\n\
        \x20   target_groups: { web: { targets: [web], attributes: { preserve_client_ip.enabled: false } } }",
    },
    Rule {
        code: TLS_OVER_UDP,
        title: "TLS over UDP",
        page: "Wrong:\n\
        \x20   - connect: { as: visit, from: client, to: web:443/udp, tls: true }\n\
        Right:\n\
        \x20   - connect: { as: visit, from: client, to: web:443, tls: true }",
    },
    Rule {
        code: TLS_OVER_IPV6,
        title: "a TLS listener of a dualstack balancer",
        page: "AWS has them; here the kernels that end TLS speak IPv4 only.\n\
        \n\
        Wrong:\n\
        \x20   front: { ip_address_type: dualstack, zones: [a], listeners: { 443: { protocol: TLS, target_group: web } } }\n\
        Right:\n\
        \x20   front: { zones: [a], listeners: { 443: { protocol: TLS, target_group: web } } }",
    },
];
