//! Rules of the area `plan`: load balancers, target groups and their attributes (0340..0399).

use crate::diag::codes::{Code, Rule};

/// A target group that the lab does not have.
pub const UNKNOWN_GROUP: Code = Code(340);
/// A target that is no host.
pub const UNKNOWN_TARGET: Code = Code(341);
/// A target registered twice.
pub const TARGET_TWICE: Code = Code(342);
/// A target out on the internet.
pub const TARGET_WITHOUT_ZONE: Code = Code(343);
/// A target without a server on its port.
pub const TARGET_SERVES_NOTHING: Code = Code(344);
/// Listener and group disagree.
pub const PROTOCOLS_DIFFER: Code = Code(345);
/// No AWS attribute.
pub const ATTRIBUTE_UNKNOWN: Code = Code(350);
/// An attribute of another section.
pub const ATTRIBUTE_ELSEWHERE: Code = Code(351);
/// An attribute's value.
pub const ATTRIBUTE_VALUE: Code = Code(352);
/// An attribute that UDP fixes.
pub const ATTRIBUTE_FIXED: Code = Code(354);
/// Something that AWS got after the lab's profile.
pub const NEWER_THAN_PROFILE: Code = Code(355);
/// An attribute that only grows, and is to shrink.
pub const FEWER_ADDRESSES: Code = Code(356);
/// `prefer` names no target.
pub const PREFER_TARGET: Code = Code(360);
/// `prefer` names no zonal address.
pub const PREFER_ZONAL: Code = Code(361);
/// `prefer` over several groups.
pub const PREFER_AMBIGUOUS: Code = Code(362);

/// In order of their codes.
#[rustfmt::skip]
pub(in crate::diag::codes) const RULES: &[Rule] = &[
    Rule {
        code: UNKNOWN_GROUP,
        title: "no target group of this name",
        page: "A listener forwards to a key of `target_groups`.\n\
        \n\
        Wrong:\n\
        \x20   target_groups: { web: { targets: [web1] } }\n\
        \x20   load_balancers: { front: { zones: [a], listeners: { 80: www } } }\n\
        Right:\n\
        \x20   load_balancers: { front: { zones: [a], listeners: { 80: web } } }",
    },
    Rule {
        code: UNKNOWN_TARGET,
        title: "no host of this name to be a target",
        page: "Targets are hosts, or the name of a `count` group.\n\
        \n\
        Wrong:\n\
        \x20   hosts: { web1: { zone: a } }\n\
        \x20   target_groups: { web: { targets: [web2] } }\n\
        Right:\n\
        \x20   target_groups: { web: { targets: [web1] } }",
    },
    Rule {
        code: TARGET_TWICE,
        title: "a target is registered twice",
        page: "A host may be a target once for each port.\n\
        \n\
        Wrong:\n\
        \x20   targets: [web, web-1]        # web is web-1, web-2, ...\n\
        Right:\n\
        \x20   targets: [web]",
    },
    Rule {
        code: TARGET_WITHOUT_ZONE,
        title: "a target is on the internet",
        page: "Targets are instances in a zone, or private addresses of the VPC.\n\
        \n\
        Wrong:\n\
        \x20   hosts: { web1: { serve: { 80: echo } } }\n\
        Right:\n\
        \x20   hosts: { web1: { zone: a, serve: { 80: echo } } }",
    },
    Rule {
        code: TARGET_SERVES_NOTHING,
        title: "a target serves nothing on its port",
        page: "Every connection would be refused, for a reason that the story does not tell. Hosts with `setup`, `nft`,\n\
        `iptables` or a `run` step are trusted to serve in a way of their own. A server that dies is a step: `stop: web1`.\n\
        \n\
        Wrong:\n\
        \x20   hosts: { web1: { zone: a, serve: { 8080: echo } } }\n\
        \x20   load_balancers: { front: { zones: [a], listeners: { 80: web } } }\n\
        Right:\n\
        \x20   target_groups: { web: { port: 8080, targets: [web1] } }",
    },
    Rule {
        code: PROTOCOLS_DIFFER,
        title: "a listener and its group have different protocols",
        page: "A TCP listener forwards to a TCP group, a UDP listener to a UDP group.\n\
        \n\
        Wrong:\n\
        \x20   target_groups: { dns: { protocol: UDP, targets: [ns1] } }\n\
        \x20   load_balancers: { front: { zones: [a], listeners: { 53: dns } } }\n\
        Right:\n\
        \x20   load_balancers: { front: { zones: [a], listeners: { 53: { protocol: UDP, target_group: dns } } } }",
    },
    Rule {
        code: ATTRIBUTE_UNKNOWN,
        title: "no such attribute",
        page: "Attributes have their AWS names, verbatim.\n\
        \n\
        Wrong:\n\
        \x20   attributes: { cross_zone: true }\n\
        Right:\n\
        \x20   attributes: { load_balancing.cross_zone.enabled: true }",
    },
    Rule {
        code: ATTRIBUTE_ELSEWHERE,
        title: "an attribute of something else",
        page: "AWS keeps attributes on load balancers, on target groups and on listeners.\n\
        \n\
        Wrong:\n\
        \x20   load_balancers: { front: { attributes: { preserve_client_ip.enabled: false } } }\n\
        Right:\n\
        \x20   target_groups: { web: { attributes: { preserve_client_ip.enabled: false } } }",
    },
    Rule {
        code: ATTRIBUTE_VALUE,
        title: "an attribute cannot have this value",
        page: "Wrong:\n\
        \x20   attributes: { tcp.idle_timeout.seconds: 30 }      # 60 to 6000\n\
        Right:\n\
        \x20   attributes: { tcp.idle_timeout.seconds: 60 }",
    },
    Rule {
        code: ATTRIBUTE_FIXED,
        title: "an attribute that cannot be changed for UDP",
        page: "Over UDP the client's address is always preserved, and a flow's idle timeout is always 120 s.\n\
        \n\
        Wrong:\n\
        \x20   target_groups: { dns: { protocol: UDP, attributes: { preserve_client_ip.enabled: false } } }",
    },
    Rule {
        code: NEWER_THAN_PROFILE,
        title: "something that is newer than the lab's profile",
        page: "`profile: aws-2020` has what Network Load Balancers had at the end of 2020. Client IP preservation was not a choice yet\n\
        (instance targets over TCP had it, ip targets had not), a zone left DNS with its last healthy target, and no zone\n\
        could be taken from a balancer. What came later: preservation as an attribute, application balancers as targets\n\
        and groups of IPv6 targets (2021), cross-zone load balancing and thresholds of target groups, and zonal shift (2022),\n\
        client routing policy and connections that outlive a target's health (2023), taking zones away and secondary\n\
        addresses (2025).\n\
        \n\
        Wrong:\n\
        \x20   profile: aws-2020\n\
        \x20   load_balancers: { front: { attributes: { secondary_ips.auto_assigned.per_subnet: 1 }, ... } }\n\
        Right:\n\
        \x20   profile: aws-current",
    },
    Rule {
        code: FEWER_ADDRESSES,
        title: "secondary addresses that would become fewer",
        page: "A Network Load Balancer's `secondary_ips.auto_assigned.per_subnet` can be raised while it runs, and not lowered.\n\
        \n\
        Wrong, with 3 at first:\n\
        \x20   - set: { load_balancers.front.attributes.secondary_ips.auto_assigned.per_subnet: 1 }\n\
        Right:\n\
        \x20   - set: { load_balancers.front.attributes.secondary_ips.auto_assigned.per_subnet: 5 }",
    },
    Rule {
        code: PREFER_TARGET,
        title: "a preferred target is not registered",
        page: "`emulate.prefer` names targets of the groups behind this balancer.\n\
        \n\
        Wrong:\n\
        \x20   target_groups: { web: { targets: [web1] } }\n\
        \x20   load_balancers: { front: { zones: [a], listeners: { 80: web }, emulate: { prefer: web2 } } }\n\
        Right:\n\
        \x20   emulate: { prefer: web1 }",
    },
    Rule {
        code: PREFER_ZONAL,
        title: "a preference for an address that the balancer lacks",
        page: "The map form of `prefer` goes by zonal address: `front/a`, or just `a`.\n\
        \n\
        Wrong:\n\
        \x20   zones: [a, b]\n\
        \x20   emulate: { prefer: { front/c: web1 } }\n\
        Right:\n\
        \x20   emulate: { prefer: { front/b: web1 } }",
    },
    Rule {
        code: PREFER_AMBIGUOUS,
        title: "a preference that means different things for different listeners",
        page: "A balancer has one preference for all its listeners. It is kept by a target's place in its group, so with several\n\
        groups a preferred target must stand at the same place in each.\n\
        \n\
        Wrong:\n\
        \x20   target_groups: { web: { targets: [web1, web2] }, api: { targets: [web2, web1] } }\n\
        \x20   emulate: { prefer: web1 }\n\
        Right: the same order in both.",
    },
];
