//! The top of a lab file.

use super::Need::{Default, Optional, Required};
use super::{
    Field, Key, Section, Type, Words, balancers, cases, field, groups, guards, hosts, kubernetes,
    later, nat, steps, vpcs,
};

/// Vendor profiles: which defaults the emulator takes.
pub static PROFILES: Words = Words {
    now: &["aws-current", "aws-2020"],
    later: &[],
};

// Named, because a reference to a static inside an unnamed constant does not live long enough.
static HOST: Type = Type::Section(&hosts::HOST);
static GROUP: Type = Type::Section(&groups::GROUP);
static BALANCER: Type = Type::Section(&balancers::BALANCER);
static SECURITY_GROUP: Type = Type::Section(&guards::SECURITY_GROUP);
static NETWORK_ACL: Type = Type::Section(&guards::NETWORK_ACL);
static NAT_GATEWAY: Type = Type::Section(&nat::NAT_GATEWAY);
static VPC: Type = Type::Section(&vpcs::VPC);
static PEERING: Type = Type::Section(&vpcs::PEERING);
static ENDPOINT_SERVICE: Type = Type::Section(&vpcs::ENDPOINT_SERVICE);
static ENDPOINT: Type = Type::Section(&vpcs::ENDPOINT);
static STEP: Type = Type::Variants(&steps::STEPS);
static CASE: Type = Type::Section(&cases::CASE);

/// A lab file.
pub static FILE: Section = Section {
    name: "the lab",
    doc: "A network-failure lab: a topology, a story in steps, one promise, and cases that differ by a few settings.",
    fields: &FIELDS,
};

static FIELDS: [Field; 23] = [
    field(
        "title",
        Required,
        Type::Line,
        "The lab's name for people, one line.",
    ),
    field(
        "story",
        Optional,
        Type::Text,
        "What happens here and why, a paragraph or two.",
    ),
    field(
        "sources",
        Optional,
        Type::List {
            of: &Type::Line,
            min: 0,
        },
        "Where the failure was described: links, or author and title of what is nowhere to be linked to.",
    ),
    field(
        "opt_in",
        Optional,
        Type::Name,
        "For a lab that needs a large machine, a kernel with more than most, or long: left out of runs of whole folders, unless `--filter` has this word in it.",
    ),
    field(
        "seed",
        Default("1"),
        Type::Int {
            min: 0,
            max: u64::MAX,
        },
        "Fixes every random choice of the emulator.",
    ),
    field(
        "time_scale",
        Default("1"),
        Type::Number {
            min: 1.0,
            max: 10_000.0,
        },
        "Cloud time runs this many times faster than real time. Kernel timers never scale.",
    ),
    field(
        "profile",
        Default("aws-current"),
        Type::Word(&PROFILES),
        "Whose behaviour the emulator's defaults follow.",
    ),
    field(
        "zones",
        Default("[a, b, c]"),
        Type::List {
            of: &Type::Name,
            min: 1,
        },
        "The availability zones that hosts and balancers can be in.",
    ),
    field(
        "hosts",
        Optional,
        Type::Map {
            key: Key::Name,
            of: &HOST,
            item: "host",
        },
        "Machines: each is a network namespace with a real kernel stack.",
    ),
    field(
        "target_groups",
        Optional,
        Type::Map {
            key: Key::Name,
            of: &GROUP,
            item: "target group",
        },
        "Groups of targets that listeners forward to.",
    ),
    field(
        "load_balancers",
        Optional,
        Type::Map {
            key: Key::Name,
            of: &BALANCER,
            item: "load balancer",
        },
        "Emulated load balancers.",
    ),
    field(
        "kubernetes",
        Optional,
        Type::Section(&kubernetes::KUBERNETES),
        "A Kubernetes cluster: nodes, pods and services.",
    ),
    field(
        "security_groups",
        Optional,
        Type::Map {
            key: Key::Name,
            of: &SECURITY_GROUP,
            item: "security group",
        },
        "Stateful filters by name, for hosts and balancers that list them. One that lists none is unguarded.",
    ),
    field(
        "network_acls",
        Optional,
        Type::Map {
            key: Key::Name,
            of: &NETWORK_ACL,
            item: "network ACL",
        },
        "Stateless filters around the subnets, by zone. A zone without one lets everything pass.",
    ),
    field(
        "vpcs",
        Optional,
        Type::Map {
            key: Key::Name,
            of: &VPC,
            item: "VPC",
        },
        "Networks with address ranges of their own, besides the default one.",
    ),
    field(
        "peerings",
        Optional,
        Type::Map {
            key: Key::Name,
            of: &PEERING,
            item: "peering",
        },
        "Links between two VPCs each: `between: [default, shared]`.",
    ),
    field(
        "nat_gateways",
        Optional,
        Type::Map {
            key: Key::Name,
            of: &NAT_GATEWAY,
            item: "NAT gateway",
        },
        "Address translation for hosts without a public address, which name one with `nat:`.",
    ),
    field(
        "endpoint_services",
        Optional,
        Type::Map {
            key: Key::Name,
            of: &ENDPOINT_SERVICE,
            item: "endpoint service",
        },
        "Balancers offered to other VPCs: AWS PrivateLink's side of the provider.",
    ),
    field(
        "endpoints",
        Optional,
        Type::Map {
            key: Key::Name,
            of: &ENDPOINT,
            item: "endpoint",
        },
        "Private links to an endpoint service: AWS PrivateLink's side of the consumer.",
    ),
    later("dns", "The resolver's records and delays."),
    field(
        "steps",
        Required,
        Type::List { of: &STEP, min: 1 },
        "The story, one step after the other.",
    ),
    field(
        "works",
        Optional,
        Type::Claims,
        "The promise: what a fault breaks and a fix keeps.",
    ),
    field(
        "cases",
        Required,
        Type::Map {
            key: Key::Name,
            of: &CASE,
            item: "case",
        },
        "Runs of the steps on a fresh world, each with a few settings changed.",
    ),
];
