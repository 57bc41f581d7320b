//! Rules about IPv6, from value to plan.

use super::{Code, Rule};

/// Text that is no IPv6 address.
pub const ADDRESS: Code = Code(590);
/// An IPv6 address that a host cannot have here.
pub const ADDRESS_UNUSABLE: Code = Code(591);
/// A group of IPv6 targets behind a balancer without IPv6.
pub const GROUP_WITHOUT_DUALSTACK: Code = Code(592);
/// A target of an IPv6 group without IPv6 address.
pub const TARGET_WITHOUT_IPV6: Code = Code(593);
/// A UDP listener of a dualstack balancer for IPv4 targets.
pub const UDP_NEEDS_IPV6: Code = Code(594);
/// A client without IPv6 that dials over it.
pub const CLIENT_WITHOUT_IPV6: Code = Code(595);
/// A destination that has no IPv6 address.
pub const NO_IPV6_THERE: Code = Code(596);
/// `family` says one, the address another.
pub const OTHER_FAMILY: Code = Code(597);
/// An IPv6 address as a destination without brackets.
pub const BRACKETS_NEEDED: Code = Code(598);
/// An MTU that IPv6 cannot live with.
pub const MTU_TOO_SMALL: Code = Code(599);

/// In order of their codes.
pub(super) const RULES: &[Rule] = &[
    Rule {
        code: ADDRESS,
        title: "no IPv6 address",
        page: "`ipv6` takes `auto` or an address. In braces an address that ends in `::` wants quotes, since YAML takes the\n\
        colon for the end of a key.\n\
        \n\
        Wrong:\n\
        \x20   client: { ipv6: 198.51.100.7 }\n\
        Right:\n\
        \x20   client: { ipv6: \"2001:db8::7\" }",
    },
    Rule {
        code: ADDRESS_UNUSABLE,
        title: "an IPv6 address that cannot be used",
        page: "Hosts and load balancers have global unicast addresses (2000::/3), as the subnets of a VPC do. Link-local, loopback,\n\
        multicast and unspecified addresses are not routed.\n\
        \n\
        Wrong:\n\
        \x20   client: { ipv6: \"fe80::1\" }\n\
        Right:\n\
        \x20   client: { ipv6: \"2001:db8::1\" }",
    },
    Rule {
        code: GROUP_WITHOUT_DUALSTACK,
        title: "IPv6 targets behind a balancer without IPv6",
        page: "A target group of `ip_address_type: ipv6` is reached from the balancer's own IPv6 addresses, so only a dualstack\n\
        balancer can forward to it (AWS refuses the listener).\n\
        \n\
        Wrong:\n\
        \x20   target_groups:  { web: { ip_address_type: ipv6, targets: [web1] } }\n\
        \x20   load_balancers: { front: { zones: [a], listeners: { 80: web } } }\n\
        Right:\n\
        \x20   load_balancers: { front: { ip_address_type: dualstack, zones: [a], listeners: { 80: web } } }",
    },
    Rule {
        code: TARGET_WITHOUT_IPV6,
        title: "a target without IPv6 address in a group of IPv6 targets",
        page: "A group of `ip_address_type: ipv6` has its targets' IPv6 addresses.\n\
        \n\
        Wrong:\n\
        \x20   web1: { zone: a, serve: { 80: echo } }\n\
        \x20   target_groups: { web: { ip_address_type: ipv6, targets: [web1] } }\n\
        Right:\n\
        \x20   web1: { zone: a, ipv6: auto, serve: { 80: echo } }",
    },
    Rule {
        code: UDP_NEEDS_IPV6,
        title: "a UDP listener of a dualstack balancer for IPv4 targets",
        page: "Over UDP the client's address is always preserved, and an IPv6 client has none that an IPv4 target could be shown.\n\
        AWS takes only groups of IPv6 targets for a UDP listener of a dualstack balancer.\n\
        \n\
        Wrong:\n\
        \x20   front: { ip_address_type: dualstack, listeners: { 53: { protocol: UDP, target_group: dns } }, ... }\n\
        \x20   dns: { protocol: UDP, targets: [ns1] }\n\
        Right:\n\
        \x20   dns: { protocol: UDP, ip_address_type: ipv6, targets: [ns1] }",
    },
    Rule {
        code: CLIENT_WITHOUT_IPV6,
        title: "a client without IPv6",
        page: "Who dials over IPv6 needs an IPv6 address.\n\
        \n\
        Wrong:\n\
        \x20   client: {}\n\
        \x20   - connect: { from: client, to: front, family: ipv6 }\n\
        Right:\n\
        \x20   client: { ipv6: auto }",
    },
    Rule {
        code: NO_IPV6_THERE,
        title: "a destination without IPv6",
        page: "A load balancer has IPv6 addresses with `ip_address_type: dualstack`, a host with `ipv6`.\n\
        \n\
        Wrong:\n\
        \x20   front: { zones: [a], listeners: { 80: web } }\n\
        \x20   - connect: { from: client, to: front, family: ipv6 }\n\
        Right:\n\
        \x20   front: { ip_address_type: dualstack, zones: [a], listeners: { 80: web } }",
    },
    Rule {
        code: OTHER_FAMILY,
        title: "an address of the other family",
        page: "Wrong:\n\
        \x20   - connect: { from: client, to: \"10.0.0.5:80\", family: ipv6 }\n\
        Right:\n\
        \x20   - connect: { from: client, to: \"[2001:db8::5]:80\" }",
    },
    Rule {
        code: BRACKETS_NEEDED,
        title: "an IPv6 address without brackets",
        page: "Without brackets nobody can tell where the address ends and the port begins (RFC 3986 section 3.2.2). The text wants\n\
        quotes, because brackets are a list in YAML.\n\
        \n\
        Wrong:\n\
        \x20   - connect: { from: client, to: \"2001:db8::5:80\" }\n\
        Right:\n\
        \x20   - connect: { from: client, to: \"[2001:db8::5]:80\" }",
    },
    Rule {
        code: MTU_TOO_SMALL,
        title: "an MTU below 1280 with IPv6",
        page: "IPv6 needs links of at least 1280 bytes (RFC 8200 section 5). Linux switches IPv6 off on a device below, and does not\n\
        believe an ICMPv6 error that asks for less.\n\
        \n\
        Wrong:\n\
        \x20   client: { ipv6: auto, mtu: 1000 }\n\
        Right:\n\
        \x20   client: { ipv6: auto, mtu: 1280 }",
    },
];
