//! Hosts and their links. What they serve: see `servers`.

use super::Need::{Default, Optional};
use super::servers::APPS;
use super::{Field, Key, MTU, Section, Type, Words, field};

/// How long a client keeps an answer of the resolver.
pub static DNS_CACHES: Words = Words {
    now: &["ttl", "forever", "none"],
    later: &[],
};

/// `hosts.X`
pub static HOST: Section = Section {
    name: "a host",
    doc: "A machine: a network namespace with a real kernel stack.",
    fields: &[
        field(
            "address",
            Optional,
            Type::Address,
            "Its IPv4 address. Without it, one is given out.",
        ),
        field(
            "public_address",
            Optional,
            Type::PublicAddress,
            "How the internet reaches it: `none`, `auto` (one is given out), or this address, translated 1:1.",
        ),
        field(
            "ipv6",
            Optional,
            Type::Ipv6Address,
            "Its IPv6 address besides: `auto` (one is given out), or this one. Without it, its kernel has no IPv6.",
        ),
        field(
            "zone",
            Optional,
            Type::Name,
            "The zone it is in. Without it, the host is out on the internet.",
        ),
        field(
            "count",
            Optional,
            Type::Int { min: 1, max: 1000 },
            "Makes so many alike: `desk` becomes desk-1, desk-2, ..., and `desk` names them all.",
        ),
        field(
            "serve",
            Optional,
            Type::Map {
                key: Key::ServePort,
                of: &Type::Variants(&APPS),
                item: "port",
            },
            "What it serves, by port: `80: echo`, `53/udp: name`.",
        ),
        field(
            "sysctls",
            Optional,
            Type::Free,
            "Kernel settings of its namespace, by sysctl name.",
        ),
        field(
            "nft",
            Optional,
            Type::Text,
            "Its firewall rules, as `nft -f` reads them. `$name` becomes a host's address.",
        ),
        field(
            "iptables",
            Optional,
            Type::Text,
            "The same, as `iptables-restore` reads them.",
        ),
        field(
            "setup",
            Optional,
            Type::Text,
            "Shell text, run in its namespace before the servers start.",
        ),
        field(
            "link",
            Optional,
            Type::Section(&LINK),
            "What its link to the fabric does to packets.",
        ),
        field(
            "mtu",
            Default("1500"),
            MTU,
            "MTU of its device, in bytes. The wire's own is `link.mtu`, and where that is not written: what a receiver's device takes, and 1500 \
                over the internet, as AWS has it, cut into fragments where the packet may be.",
        ),
        field(
            "kernel",
            Optional,
            Type::Free,
            "Behaviour of other kernels, emulated at the fabric's edge, by quirk.",
        ),
        field(
            "dns_cache",
            Default("ttl"),
            Type::Word(&DNS_CACHES),
            "How long its clients keep the addresses of a name: for the answer's `ttl`; `forever`, as a JVM does with \
                `networkaddress.cache.ttl=-1`; `none`: each connection asks anew. Programs in it have their own ways.",
        ),
        field(
            "vpc",
            Optional,
            Type::Name,
            "The VPC it is in. Without it, the default one.",
        ),
        field(
            "behind",
            Optional,
            Type::OneOf(&[
                Type::Name,
                Type::Map {
                    key: Key::Name,
                    of: &Type::Name,
                    item: "router",
                },
            ]),
            "The host that routes for it: it hangs on that host's bridge `lan0`, and has its own address there. \
                `{ router: members }` is a second segment, with a bridge of that name.",
        ),
        field(
            "gateway",
            Optional,
            Type::Address,
            "Its default route, when it is `behind` a router: an address of its segment. Without it, the bridge's.",
        ),
        field(
            "nat",
            Optional,
            Type::Name,
            "The NAT gateway by which it reaches the internet. Without it and without a public address, it does not.",
        ),
        field(
            "security_groups",
            Optional,
            Type::List {
                of: &Type::Name,
                min: 1,
            },
            "The security groups of its interface. Without them, it is unguarded.",
        ),
        field(
            "addresses",
            Optional,
            Type::List {
                of: &Type::Address,
                min: 1,
            },
            "Further IPv4 addresses of its device: the secondary addresses of its interface.",
        ),
    ],
};

const IMPAIRMENTS: [Field; 9] = [
    field(
        "delay",
        Optional,
        Type::Time { zero: true },
        "Each packet arrives this much later.",
    ),
    field(
        "jitter",
        Optional,
        Type::Time { zero: true },
        "Each packet arrives up to this much later still; the order stays.",
    ),
    field(
        "loss",
        Optional,
        Type::Percent,
        "This share of the packets is lost, by the lab's seed.",
    ),
    field(
        "rate",
        Optional,
        Type::Rate,
        "The link carries this many bits per second.",
    ),
    field(
        "mtu",
        Optional,
        MTU,
        "Larger packets are cut into fragments where they may be (IPv4 without DF), as by a router before a narrower wire; any other is dropped and \
                answered with ICMP. In bytes.",
    ),
    field(
        "queue",
        Optional,
        Type::Int {
            min: 1,
            max: 1_000_000,
        },
        "The link's queue holds this many packets that wait for `rate`.",
    ),
    field(
        "duplicate",
        Optional,
        Type::Percent,
        "This share of the packets arrives twice.",
    ),
    field(
        "reorder",
        Optional,
        Type::Percent,
        "This share of the packets is not delayed and so overtakes others; without a delay it does nothing.",
    ),
    field(
        "corrupt",
        Optional,
        Type::Percent,
        "This share of the packets has one bit flipped behind its headers, or in its checksum when there is nothing behind \
         them: the receiver's checksum fails.",
    ),
];

/// `link.up`, `link.down`
pub static DIRECTION: Section = Section {
    name: "one direction of a link",
    doc: "What happens to packets in this direction; wins over what the link says for both.",
    fields: &IMPAIRMENTS,
};

/// `link.randomize_sequence`
static RANDOMIZED: Words = Words {
    now: &["header-only", "with-sack"],
    later: &[],
};

/// `link`
pub static LINK: Section = {
    const FIELDS: [Field; 12] = {
        let [
            delay,
            jitter,
            loss,
            rate,
            mtu,
            queue,
            duplicate,
            reorder,
            corrupt,
        ] = IMPAIRMENTS;
        [
            delay,
            jitter,
            loss,
            rate,
            mtu,
            queue,
            field(
                "up",
                Optional,
                Type::Section(&DIRECTION),
                "Only from the host to the fabric.",
            ),
            field(
                "down",
                Optional,
                Type::Section(&DIRECTION),
                "Only from the fabric to the host.",
            ),
            duplicate,
            reorder,
            corrupt,
            field(
                "randomize_sequence",
                Optional,
                Type::Word(&RANDOMIZED),
                "A firewall between the host and its link gives both directions of each connection other sequence numbers, as Cisco's do \
                    (`random-sequence-number`): `with-sack` those in SACK blocks as well; `header-only` leaves these as they were. \
                    Packets have the numbers of the link's side in records, and each side's own in captures.",
            ),
        ]
    };
    Section {
        name: "a link",
        doc: "What a host's link does to packets, in both directions.",
        fields: &FIELDS,
    }
};
