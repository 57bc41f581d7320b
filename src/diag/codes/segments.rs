//! Hosts behind other hosts: 0680..0699.

use super::{Code, Rule};

/// `behind` without a router, or with several.
pub const ONE_ROUTER: Code = Code(680);
/// A router that is behind a host itself.
pub const ROUTER_INSIDE: Code = Code(681);
/// What only a host on the fabric has.
pub const NOT_BEHIND_A_ROUTER: Code = Code(682);
/// `gateway` of a host on the fabric.
pub const GATEWAY_ON_FABRIC: Code = Code(683);
/// An address outside of its segment's range.
pub const OUTSIDE_SEGMENT: Code = Code(684);
/// Two segments of one router with addresses in common.
pub const SEGMENTS_OVERLAP: Code = Code(685);
/// A segment's name that no bridge can have.
pub const SEGMENT_NAME: Code = Code(686);
/// An address of a segment, twice.
pub const SEGMENT_ADDRESS_TAKEN: Code = Code(687);
/// A host behind a router, dialled from elsewhere.
pub const DIALLED_FROM_OUTSIDE: Code = Code(688);
/// A fault of the fabric for a host that is not on it.
pub const NO_LINK: Code = Code(689);

/// The rules of this area.
pub static RULES: &[Rule] = &[
    Rule {
        code: ONE_ROUTER,
        title: "`behind` names one router",
        page: "A host behind another has one cable, to one bridge in its router's namespace.\n\
        \n\
        Wrong:\n\
        \x20   desk: { behind: { left: lan, right: lan } }\n\
        Right:\n\
        \x20   desk: { behind: left }\n\
        \x20   desk: { behind: { left: members } }           # a second segment, the bridge `members`",
    },
    Rule {
        code: ROUTER_INSIDE,
        title: "a router is on the fabric",
        page: "What is behind a host reaches the fabric by it. Hosts behind hosts behind hosts are not built.\n\
        \n\
        Wrong:\n\
        \x20   hosts: { router: {}, switch: { behind: router }, desk: { behind: switch } }\n\
        Right:\n\
        \x20   hosts: { router: {}, desk: { behind: router } }",
    },
    Rule {
        code: NOT_BEHIND_A_ROUTER,
        title: "a host behind a host has no place in the cloud",
        page: "Zones, VPCs, public and further addresses, security groups, IPv6, link impairments and kernel quirks belong to a\n\
        host's own port at the fabric. A host behind another has none: it hangs on a real bridge, and goes out under its\n\
        router's address, when the router masquerades it.\n\
        \n\
        Wrong:\n\
        \x20   hosts: { router: {}, desk: { behind: router, zone: a, link: { delay: 5ms } } }\n\
        Right:\n\
        \x20   hosts: { router: { zone: a, link: { delay: 5ms } }, desk: { behind: router } }",
    },
    Rule {
        code: GATEWAY_ON_FABRIC,
        title: "a host on the fabric has no gateway",
        page: "Its default route is its device: the fabric is everybody's neighbour. Only a host `behind` another can have\n\
        another gateway than its segment's bridge.\n\
        \n\
        Wrong:\n\
        \x20   hosts: { client: { gateway: 198.51.100.1 } }\n\
        Right:\n\
        \x20   hosts: { router: {}, desk: { behind: router, gateway: 192.168.1.9 } }",
    },
    Rule {
        code: OUTSIDE_SEGMENT,
        title: "an address outside of its segment",
        page: "The first address that is written for a segment makes the /24 around it the segment's range. The first and the\n\
        last address of a range belong to no host.\n\
        \n\
        Wrong:\n\
        \x20   shell: { behind: docker, address: 172.17.0.2 }\n\
        \x20   web:   { behind: docker, address: 172.18.0.3 }\n\
        Right:\n\
        \x20   web:   { behind: docker, address: 172.17.0.3 }",
    },
    Rule {
        code: SEGMENTS_OVERLAP,
        title: "two segments of one router have addresses in common",
        page: "Their router routes by address, and could not tell them apart. Segments of different routers may have the same\n\
        addresses.\n\
        \n\
        Wrong:\n\
        \x20   one:   { behind: router, address: 192.168.7.2 }\n\
        \x20   other: { behind: { router: members }, address: 192.168.7.3 }\n\
        Right:\n\
        \x20   other: { behind: { router: members }, address: 192.168.8.3 }",
    },
    Rule {
        code: SEGMENT_NAME,
        title: "no bridge can be called like that",
        page: "A segment's name is that of its bridge: at most 15 bytes, and not that of another device (`lo`, `eth0`, `veth1`).\n\
        \n\
        Wrong:\n\
        \x20   desk: { behind: { router: eth1 } }\n\
        Right:\n\
        \x20   desk: { behind: { router: members } }",
    },
    Rule {
        code: SEGMENT_ADDRESS_TAKEN,
        title: "an address of a segment is taken",
        page: "The first address of a segment is its router's; each other one belongs to one host.\n\
        \n\
        Wrong:\n\
        \x20   shell: { behind: docker, address: 172.17.0.1 }\n\
        Right:\n\
        \x20   shell: { behind: docker, address: 172.17.0.2 }",
    },
    Rule {
        code: DIALLED_FROM_OUTSIDE,
        title: "a host behind a router is dialled from elsewhere",
        page: "Its address is known only behind its router. From elsewhere a port of it is reached as in life: the router\n\
        publishes it.\n\
        \n\
        Wrong:\n\
        \x20   - connect: { as: visit, from: client, to: desk }\n\
        Right:\n\
        \x20   hosts:\n\
        \x20     router:\n\
        \x20       nft: |\n\
        \x20         table ip nat { chain pre { type nat hook prerouting priority dstnat; iifname \"eth0\" tcp dport 80 dnat to $desk } }\n\
        \x20   steps:\n\
        \x20     - connect: { as: visit, from: client, to: \"router:80\" }",
    },
    Rule {
        code: NO_LINK,
        title: "a host behind a router has no link to the fabric",
        page: "`drop`, `power_off` and `link_down` are done by the fabric, to the packets of hosts that are on it.\n\
        \n\
        Wrong:\n\
        \x20   - link_down: desk-1\n\
        Right:\n\
        \x20   - run: { on_host: router, command: ip link set veth1 down }",
    },
];
