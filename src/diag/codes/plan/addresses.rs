//! Rules of the area `plan`: addresses that the lab fixes, and those given out (0310..0319).

use crate::diag::codes::{Code, Rule};

/// One address for two.
pub const ADDRESS_TAKEN: Code = Code(310);
/// Multicast, loopback and such.
pub const ADDRESS_UNUSABLE: Code = Code(311);
/// A public address inside the VPC.
pub const ADDRESS_NOT_PRIVATE: Code = Code(312);
/// A private address out on the internet.
pub const ADDRESS_NOT_PUBLIC: Code = Code(313);
/// A range is used up.
pub const NO_ADDRESS_LEFT: Code = Code(314);
/// `count` with a fixed address.
pub const ONE_ADDRESS_FOR_MANY: Code = Code(315);
/// `public_address` on the internet.
pub const PUBLIC_WITHOUT_ZONE: Code = Code(316);

/// In order of their codes.
#[rustfmt::skip]
pub(in crate::diag::codes) const RULES: &[Rule] = &[
    Rule {
        code: ADDRESS_TAKEN,
        title: "an address is taken already",
        page: "Every host and every zonal address has its own. Addresses that the lab does not write are given out around those\n\
        that it does.\n\
        \n\
        Wrong:\n\
        \x20   hosts: { web1: { zone: a, address: 10.0.0.7 }, web2: { zone: a, address: 10.0.0.7 } }\n\
        Right:\n\
        \x20   hosts: { web1: { zone: a, address: 10.0.0.7 }, web2: { zone: a } }",
    },
    Rule {
        code: ADDRESS_UNUSABLE,
        title: "no host can have this address",
        page: "0.0.0.0/8, 127.0.0.0/8, 169.254.0.0/16, 224.0.0.0/4 and 240.0.0.0/4 mean something else. In a VPC, AWS\n\
        reserves the first four addresses and the last one of each subnet; the sixteen subnets of 10.0.0.0/16 are /20.\n\
        \n\
        Wrong:\n\
        \x20   hosts: { web: { zone: a, address: 127.0.0.1 } }\n\
        Right:\n\
        \x20   hosts: { web: { zone: a, address: 10.0.0.7 } }",
    },
    Rule {
        code: ADDRESS_NOT_PRIVATE,
        title: "an address inside the VPC is not private",
        page: "A host in a zone has a private address on its device; its public one, if any, is translated 1:1 by the internet\n\
        gateway and never seen by the host. The same holds for the addresses of an internal load balancer.\n\
        \n\
        Wrong:\n\
        \x20   hosts: { web: { zone: a, address: 203.0.113.7 } }\n\
        Right:\n\
        \x20   hosts: { web: { zone: a, public_address: 203.0.113.7 } }",
    },
    Rule {
        code: ADDRESS_NOT_PUBLIC,
        title: "an address on the internet is private",
        page: "A host without a zone is out on the internet, which routes no private address. The addresses chosen for an\n\
        internet-facing load balancer are its public ones.\n\
        \n\
        Wrong:\n\
        \x20   hosts: { client: { address: 192.168.0.7 } }\n\
        Right:\n\
        \x20   hosts: { client: { address: 198.51.100.7 } }",
    },
    Rule {
        code: NO_ADDRESS_LEFT,
        title: "no address is left",
        page: "A zone has room for some 3,500 hosts and 245 zonal addresses.\n\
        \n\
        Wrong: 4,000 hosts in zone a.\n\
        Right: 2,000 in zone a and 2,000 in zone b.",
    },
    Rule {
        code: ONE_ADDRESS_FOR_MANY,
        title: "one address for several hosts",
        page: "Wrong:\n\
        \x20   hosts: { web: { count: 3, zone: a, address: 10.0.0.7 } }\n\
        Right:\n\
        \x20   hosts: { web: { count: 3, zone: a } }",
    },
    Rule {
        code: PUBLIC_WITHOUT_ZONE,
        title: "a public address for a host on the internet",
        page: "A host without a zone is on the internet: its one address is public. Only a host in a zone has a second one.\n\
        \n\
        Wrong:\n\
        \x20   hosts: { client: { public_address: auto } }\n\
        Right:\n\
        \x20   hosts: { client: { zone: a, public_address: auto } }",
    },
];
