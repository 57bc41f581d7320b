//! Rules of the area `plan`: what a step dials (0400..0409).

use crate::diag::codes::{Code, Rule};

/// Nothing of this name can be dialled.
pub const UNKNOWN_DESTINATION: Code = Code(400);
/// No destination.
pub const DESTINATION_SYNTAX: Code = Code(401);
/// A zonal address that the balancer lacks.
pub const ZONE_NOT_ENABLED: Code = Code(402);
/// None or several ports to choose from.
pub const PORT_NEEDED: Code = Code(403);
/// The internet cannot reach it.
pub const PRIVATE_FROM_INTERNET: Code = Code(404);
/// A host that the internet cannot reach.
pub const NO_PUBLIC_ADDRESS: Code = Code(405);
/// A client without a way out.
pub const NO_WAY_TO_INTERNET: Code = Code(406);
/// A warning: the same before an internet-facing balancer, whose name has an address all the same.
pub const IN_VAIN: Code = Code(407);

/// In order of their codes.
#[rustfmt::skip]
pub(in crate::diag::codes) const RULES: &[Rule] = &[
    Rule {
        code: UNKNOWN_DESTINATION,
        title: "no load balancer or host of this name",
        page: "`to` takes load balancers, hosts and addresses. Target groups are reached through a balancer.\n\
        \n\
        Wrong:\n\
        \x20   to: frnt\n\
        Right:\n\
        \x20   to: front",
    },
    Rule {
        code: DESTINATION_SYNTAX,
        title: "a destination cannot be read",
        page: "\x20   balancer[/zone][:port]\n\
        \x20   host[/public][:port]\n\
        \x20   address:port\n\
        \n\
        Wrong:\n\
        \x20   to: front/a/80\n\
        Right:\n\
        \x20   to: front/a:80",
    },
    Rule {
        code: ZONE_NOT_ENABLED,
        title: "a load balancer has no address in this zone",
        page: "A balancer has one address in each of its `zones`.\n\
        \n\
        Wrong:\n\
        \x20   load_balancers: { front: { zones: [a, b], listeners: { 80: web } } }\n\
        \x20   steps: [ { connect: { from: client, to: front/c } } ]\n\
        Right:\n\
        \x20   steps: [ { connect: { from: client, to: front/b } } ]",
    },
    Rule {
        code: PORT_NEEDED,
        title: "a destination needs a port",
        page: "The port may be left out when there is exactly one. An address always needs one.\n\
        \n\
        Wrong:\n\
        \x20   listeners: { 80: web, 443: web }\n\
        \x20   to: front\n\
        Right:\n\
        \x20   to: front:443",
    },
    Rule {
        code: PRIVATE_FROM_INTERNET,
        title: "a private destination for a client on the internet",
        page: "An internal load balancer and private addresses are reached from inside the VPC only, and addresses\n\
        behind a router (`behind`) from there and by itself.\n\
        \n\
        Wrong:\n\
        \x20   hosts: { client: {} }\n\
        \x20   load_balancers: { front: { scheme: internal, zones: [a], listeners: { 80: web } } }\n\
        Right:\n\
        \x20   hosts: { client: { zone: a } }",
    },
    Rule {
        code: NO_PUBLIC_ADDRESS,
        title: "a host has no public address",
        page: "A client on the internet reaches a host in a zone by its public address only.\n\
        \n\
        Wrong:\n\
        \x20   hosts: { client: {}, web1: { zone: a, serve: { 80: echo } } }\n\
        \x20   to: web1\n\
        Right:\n\
        \x20   hosts: { client: {}, web1: { zone: a, public_address: auto, serve: { 80: echo } } }",
    },
    Rule {
        code: NO_WAY_TO_INTERNET,
        title: "a client has no way to the internet",
        page: "A host in a zone reaches the internet through its own public address or a NAT gateway; a pod through its node's.\n\
        \n\
        Wrong:\n\
        \x20   hosts: { client: { zone: a }, far: { serve: { 80: echo } } }\n\
        \x20   steps: [ { connect: { from: client, to: far } } ]\n\
        Right:\n\
        \x20   hosts: { client: { zone: a, public_address: auto }, far: { serve: { 80: echo } } }",
    },
    Rule {
        code: IN_VAIN,
        title: "a client without a way out before an internet-facing load balancer (a warning)",
        page: "The name of an internet-facing balancer has public addresses, inside the VPC as well. Who has neither a public address\n\
        nor a NAT gateway gets the address and no answer: `connect` times out, whatever the security groups say. A lab may\n\
        show just that, so this is a warning; where it is not what the lab is about, an internal balancer is meant. A pod goes out\n\
        by its node, a host behind another by that. Nodes themselves handle what is for a service with `ipMode: VIP`.\n\
        \n\
        Hardly meant:\n\
        \x20   hosts: { client: { zone: a } }\n\
        \x20   load_balancers: { front: { zones: [a], listeners: { 80: web } } }\n\
        Meant:\n\
        \x20   load_balancers: { front: { scheme: internal, zones: [a], listeners: { 80: web } } }",
    },
];
