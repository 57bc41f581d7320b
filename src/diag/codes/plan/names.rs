//! Rules of the area `plan`: what a lab names and how much it holds: cases, hosts, zones (0300..0309).

use crate::diag::codes::{Code, Rule};

/// A case that the lab does not have.
pub const UNKNOWN_CASE: Code = Code(300);
/// More than a lab can hold.
pub const TOO_LARGE: Code = Code(301);
/// Two hosts of one name.
pub const HOST_NAME_TWICE: Code = Code(302);
/// A balancer and a host of one name.
pub const DESTINATION_NAME_TWICE: Code = Code(303);
/// A host that the lab does not have.
pub const UNKNOWN_HOST: Code = Code(304);
/// A group where one host is needed.
pub const ONE_HOST_NEEDED: Code = Code(305);
/// A zone that the lab does not have.
pub const UNKNOWN_ZONE: Code = Code(306);
/// More zones than 10.0.0.0/16 has /20 subnets.
pub const TOO_MANY_ZONES: Code = Code(307);
/// A name in nft rules that nobody has.
pub const UNKNOWN_IN_RULES: Code = Code(308);

/// In order of their codes.
#[rustfmt::skip]
pub(in crate::diag::codes) const RULES: &[Rule] = &[
    Rule {
        code: UNKNOWN_CASE,
        title: "no case of this name",
        page: "`--case` names a key under `cases`.",
    },
    Rule {
        code: TOO_LARGE,
        title: "a lab is too large",
        page: "A lab is built on one machine and checked within a second, so its numbers are limited: 4,000 hosts, 200 load\n\
        balancers and target groups, 1,000 steps, 50 listeners a balancer and 1,000 targets a group (AWS's own limits).\n\
        All cases together hold at most 100,000 hosts, targets, steps and claims; each load counts every host once more,\n\
        since its result names them all, and a claim counts for ten. A host's servers, its sysctls and every 64 bytes of its\n\
        rules and its setup count besides, for each of its `count`. In a cluster, so do the rules on its nodes: nodes, times\n\
        the ports of services, times their pods.\n\
        \n\
        Wrong:\n\
        \x20   hosts: { a: { count: 1000 }, b: { count: 1000 }, c: { count: 1000 }, d: { count: 1000 }, e: { count: 1000 } }\n\
        Right: fewer hosts, or several labs.",
    },
    Rule {
        code: HOST_NAME_TWICE,
        title: "two hosts have one name",
        page: "`count` makes names: `web: { count: 3 }` is web-1, web-2, web-3, and `web` names them all.\n\
        \n\
        Wrong:\n\
        \x20   hosts: { web: { count: 3 }, web-2: {} }\n\
        Right:\n\
        \x20   hosts: { web: { count: 3 }, api: {} }",
    },
    Rule {
        code: DESTINATION_NAME_TWICE,
        title: "a load balancer and a host have one name",
        page: "`to:` takes load balancers and hosts by name, and could not tell them apart. Target groups may share a name with\n\
        either: nothing dials them.\n\
        \n\
        Wrong:\n\
        \x20   hosts: { web: { zone: a } }\n\
        \x20   load_balancers: { web: { zones: [a], listeners: { 80: web } } }\n\
        Right: call the balancer `front`.",
    },
    Rule {
        code: UNKNOWN_HOST,
        title: "no host of this name",
        page: "`from`, `on_host`, `stop` and `kill` name hosts; all but `on_host` and the `from` of a `connect` also take the\n\
        name of a `count` group.\n\
        \n\
        Wrong:\n\
        \x20   hosts: { client: {} }\n\
        \x20   steps: [ { connect: { from: clinet, to: front } } ]\n\
        Right:\n\
        \x20   steps: [ { connect: { from: client, to: front } } ]",
    },
    Rule {
        code: ONE_HOST_NEEDED,
        title: "a group of hosts where one is needed",
        page: "A `connect` opens one connection, from one host, and a `run` has one place to run in. A `load` takes a group.\n\
        \n\
        Wrong:\n\
        \x20   hosts: { desk: { count: 20 } }\n\
        \x20   steps: [ { connect: { from: desk, to: front } } ]\n\
        Right:\n\
        \x20   steps: [ { connect: { from: desk-1, to: front } } ]",
    },
    Rule {
        code: UNKNOWN_ZONE,
        title: "no zone of this name",
        page: "`zones` lists the lab's zones; without it they are a, b and c.\n\
        \n\
        Wrong:\n\
        \x20   hosts: { web: { zone: eu-west-1a } }\n\
        Right:\n\
        \x20   hosts: { web: { zone: a } }\n\
        or\n\
        \x20   zones: [eu-west-1a, eu-west-1b]",
    },
    Rule {
        code: TOO_MANY_ZONES,
        title: "too many zones",
        page: "Each zone is a /20 of 10.0.0.0/16, as in a default VPC, so there is room for sixteen.",
    },
    Rule {
        code: UNKNOWN_IN_RULES,
        title: "a name in nft rules that nobody has",
        page: "`$name` in `nft` becomes a host's address, or is what the rules `define` themselves. Anything else would stop nft when\n\
        the lab is built. A literal `$` is `$$`.\n\
        \n\
        Wrong:\n\
        \x20   hosts: { client: {}, web: { nft: \"add rule ip t c ip saddr $cliant drop\" } }\n\
        Right:\n\
        \x20   hosts: { client: {}, web: { nft: \"add rule ip t c ip saddr $client drop\" } }",
    },
];
