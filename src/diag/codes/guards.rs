//! Rules of the area `guards`: security groups and network ACLs (0540..).

use super::{Code, Rule};

/// No rule of a guard.
pub const RULE_SYNTAX: Code = Code(540);
/// `to` where `from` belongs.
pub const RULE_DIRECTION: Code = Code(541);
/// Ports that are none.
pub const RULE_PORTS: Code = Code(542);
/// No range of addresses.
pub const RANGE: Code = Code(543);
/// No number of a rule.
pub const RULE_NUMBER: Code = Code(544);
/// A security group in a network ACL.
pub const ACL_BY_GROUP: Code = Code(545);
/// A security group that the lab does not have.
pub const UNKNOWN_SECURITY_GROUP: Code = Code(546);
/// A security group out on the internet.
pub const GUARD_ON_THE_INTERNET: Code = Code(547);
/// A security group before a balancer of before 2023.
pub const BALANCER_WITHOUT_GROUPS: Code = Code(548);

/// A VPC that the lab does not have.
pub const UNKNOWN_VPC: Code = Code(549);
/// A VPC out on the internet.
pub const VPC_WITHOUT_ZONE: Code = Code(550);
/// A range that no VPC can have.
pub const VPC_RANGE: Code = Code(551);
/// Two VPCs with addresses in common.
pub const VPC_RANGES_OVERLAP: Code = Code(552);
/// A peering of one or three.
pub const PEERING_OF_TWO: Code = Code(553);
/// A fixed address outside its VPC.
pub const ADDRESS_OUTSIDE_VPC: Code = Code(554);
/// An instance target of another VPC.
pub const INSTANCE_OF_ANOTHER_VPC: Code = Code(555);
/// Preservation across VPCs before 2023.
pub const PRESERVED_ACROSS_VPCS: Code = Code(556);
/// An address of another zone's subnet.
pub const ADDRESS_OF_ANOTHER_ZONE: Code = Code(557);
/// A balancer's first security group, or its last, while it runs.
pub const GROUPS_FROM_THE_START: Code = Code(558);

/// In order of their codes.
pub(super) const RULES: &[Rule] = &[
    Rule {
        code: RULE_SYNTAX,
        title: "not a rule of a guard",
        page: "A rule says which packets, and whose: a protocol (`tcp`, `udp`, `icmp`, `all`), destination ports where there are\n\
        any, then `from` or `to` and a range of addresses or a security group. Without `from` or `to` it means everybody,\n\
        over IPv4 and over IPv6.\n\
        A rule of a network ACL begins with `allow` or `deny`; a security group only allows.\n\
        \n\
        Wrong:\n\
        \x20   security_groups: { web: { ingress: { http: allow 80 } } }\n\
        \x20   network_acls: { a: { inbound: { 100: tcp/80 from 10.0.0.0/8 } } }\n\
        Right:\n\
        \x20   security_groups: { web: { ingress: { http: tcp/80 from 0.0.0.0/0 } } }\n\
        \x20   network_acls: { a: { inbound: { 100: allow tcp/80 from 10.0.0.0/8 } } }",
    },
    Rule {
        code: RULE_DIRECTION,
        title: "`to` for `from`, or the other way round",
        page: "What comes in has a source, what goes out a destination: `ingress` and `inbound` rules say `from`, `egress` and\n\
        `outbound` rules say `to`. The ports of a rule are always the packet's destination ports.\n\
        \n\
        Wrong:\n\
        \x20   ingress: { http: tcp/80 to 10.0.0.0/8 }\n\
        Right:\n\
        \x20   ingress: { http: tcp/80 from 10.0.0.0/8 }",
    },
    Rule {
        code: RULE_PORTS,
        title: "ports that are none",
        page: "One port, or a range with its lowest port first. `tcp` alone means all of them. `icmp` and `all` have none.\n\
        \n\
        Wrong:\n\
        \x20   outbound: { 100: allow tcp/65535-1024 to 0.0.0.0/0 }\n\
        Right:\n\
        \x20   outbound: { 100: allow tcp/1024-65535 to 0.0.0.0/0 }",
    },
    Rule {
        code: RANGE,
        title: "not a range of addresses",
        page: "A range is its first address and how many of its bits count. An address alone means that one. A range of IPv4 has no\n\
        IPv6 address in it, 0.0.0.0/0 neither: whoever comes over IPv6 needs a rule of his own, such as `from ::/0`.\n\
        \n\
        Wrong:\n\
        \x20   ingress: { http: tcp/80 from 10.0.3.7/16 }\n\
        Right:\n\
        \x20   ingress: { http: tcp/80 from 10.0.0.0/16 }",
    },
    Rule {
        code: RULE_NUMBER,
        title: "not a number of a network ACL's rule",
        page: "Rules are tried by number, the lowest first, and the first that fits decides. Numbers go from 1 to 32766, as on\n\
        AWS; what fits none is denied (AWS shows that as rule `*`), so it need not be written.\n\
        \n\
        Wrong:\n\
        \x20   inbound: { \"*\": deny all }\n\
        Right:\n\
        \x20   inbound: { 100: allow tcp/80 from 0.0.0.0/0 }",
    },
    Rule {
        code: ACL_BY_GROUP,
        title: "a security group in a network ACL",
        page: "A network ACL stands at the border of a subnet and sees packets, not who sent them. Only rules of security groups\n\
        can name a security group.\n\
        \n\
        Wrong:\n\
        \x20   network_acls: { a: { inbound: { 100: allow tcp/80 from front } } }\n\
        Right:\n\
        \x20   network_acls: { a: { inbound: { 100: allow tcp/80 from 10.0.0.0/16 } } }",
    },
    Rule {
        code: UNKNOWN_SECURITY_GROUP,
        title: "no such security group",
        page: "What a host or balancer lists, and what a rule names after `from` or `to`, is a security group of the lab. A host\n\
        is meant by its address, or by a group that it has.\n\
        \n\
        Wrong:\n\
        \x20   hosts: { web1: { zone: a, security_groups: [web] } }      # and no `security_groups:` at the top\n\
        Right:\n\
        \x20   security_groups: { web: { ingress: { http: tcp/80 from 0.0.0.0/0 } } }\n\
        \x20   hosts: { web1: { zone: a, security_groups: [web] } }",
    },
    Rule {
        code: GUARD_ON_THE_INTERNET,
        title: "a security group out on the internet",
        page: "Security groups guard network interfaces of a VPC. A host without `zone` is out on the internet, where nobody\n\
        asks them; its own firewall is `nft`.\n\
        \n\
        Wrong:\n\
        \x20   hosts: { client: { security_groups: [web] } }\n\
        Right:\n\
        \x20   hosts: { client: { zone: a, security_groups: [web] } }",
    },
    Rule {
        code: BALANCER_WITHOUT_GROUPS,
        title: "security groups before a load balancer of before 2023",
        page: "Network Load Balancers have had security groups since August 2023. Under `profile: aws-2020` they have none: who\n\
        may reach a target is said by the target's own security groups.\n\
        \n\
        Wrong:\n\
        \x20   profile: aws-2020\n\
        \x20   load_balancers: { front: { security_groups: [front], ... } }\n\
        Right:\n\
        \x20   profile: aws-current\n\
        \x20   load_balancers: { front: { security_groups: [front], ... } }",
    },
    Rule {
        code: UNKNOWN_VPC,
        title: "no such VPC",
        page: "A host, a balancer or a peering names a VPC of the lab, or `default`, where everything is that names none.\n\
        \n\
        Wrong:\n\
        \x20   hosts: { db: { zone: a, vpc: shared } }                  # and no `vpcs:` at the top\n\
        Right:\n\
        \x20   vpcs: { shared: {} }\n\
        \x20   hosts: { db: { zone: a, vpc: shared } }",
    },
    Rule {
        code: VPC_WITHOUT_ZONE,
        title: "a VPC out on the internet",
        page: "A host without `zone` is out on the internet, in no VPC at all.\n\
        \n\
        Wrong:\n\
        \x20   hosts: { client: { vpc: shared } }\n\
        Right:\n\
        \x20   hosts: { client: { vpc: shared, zone: a } }",
    },
    Rule {
        code: VPC_RANGE,
        title: "not a VPC's range",
        page: "A VPC has a private range of /16 to /24, which its zones share. `default` has 10.0.0.0/16 and is always there.\n\
        \n\
        Wrong:\n\
        \x20   vpcs: { shared: { cidr: 198.51.100.0/24 } }\n\
        Right:\n\
        \x20   vpcs: { shared: { cidr: 10.1.0.0/16 } }",
    },
    Rule {
        code: VPC_RANGES_OVERLAP,
        title: "VPCs with addresses in common",
        page: "A lab gives every address once, so no two of its VPCs overlap. AWS peers none that do; unpeered ones may overlap there,\n\
        and PrivateLink connects them all the same: that is not emulated. Give them ranges of their own; an endpoint works\n\
        alike, as its addresses are of the consumer's VPC.\n\
        \n\
        Wrong:\n\
        \x20   vpcs: { one: { cidr: 10.1.0.0/16 }, two: { cidr: 10.1.128.0/17 } }\n\
        Right:\n\
        \x20   vpcs: { one: { cidr: 10.1.0.0/16 }, two: { cidr: 10.2.0.0/16 } }",
    },
    Rule {
        code: PEERING_OF_TWO,
        title: "a peering of other than two VPCs",
        page: "A peering links two VPCs and leads no further. Three VPCs that all reach each other have three peerings.\n\
        \n\
        Wrong:\n\
        \x20   peerings: { all: { between: [default, one, two] } }\n\
        Right:\n\
        \x20   peerings: { first: { between: [default, one] }, second: { between: [default, two] } }",
    },
    Rule {
        code: ADDRESS_OUTSIDE_VPC,
        title: "an address outside the host's VPC",
        page: "A host's address is one of its VPC's range.\n\
        \n\
        Wrong:\n\
        \x20   vpcs: { shared: { cidr: 10.1.0.0/16 } }\n\
        \x20   hosts: { db: { zone: a, vpc: shared, address: 10.0.0.7 } }\n\
        Right:\n\
        \x20   hosts: { db: { zone: a, vpc: shared, address: 10.1.0.7 } }",
    },
    Rule {
        code: INSTANCE_OF_ANOTHER_VPC,
        title: "an instance of another VPC as a target",
        page: "Targets are registered by instance id in the load balancer's own VPC only. An instance of a peered VPC is\n\
        registered by its address. (Client IP preservation is off for such groups unless it is switched on.)\n\
        A step `register` may try it all the same: it is refused when it runs.\n\
        \n\
        Wrong:\n\
        \x20   hosts: { web1: { zone: a, vpc: shared, ... } }\n\
        \x20   target_groups: { web: { targets: [web1] } }               # and the balancer is in `default`\n\
        Right:\n\
        \x20   target_groups: { web: { target_type: ip, targets: [web1] } }",
    },
    Rule {
        code: PRESERVED_ACROSS_VPCS,
        title: "client IP preservation across VPCs, before 2023",
        page: "Under `profile: aws-2020` a target group that preserves the client's address has its targets in the balancer's\n\
        own VPC; over UDP and TCP_UDP it always does. Today a peered VPC of the same region will do.\n\
        \n\
        Wrong:\n\
        \x20   profile: aws-2020\n\
        \x20   target_groups: { web: { target_type: ip, protocol: UDP, ... } }\n\
        Right:\n\
        \x20   target_groups: { web: { target_type: ip, ... } }",
    },
    Rule {
        code: ADDRESS_OF_ANOTHER_ZONE,
        title: "an address of another zone's subnet",
        page: "A subnet is in one zone, and an address in one subnet. A VPC has a sixteenth of its range for each zone, in the order\n\
        of `zones:`. Of 10.0.0.0/16, the default one's, `a` has 10.0.0.0/20, `b` 10.0.16.0/20, `c` 10.0.32.0/20, and so on.\n\
        \n\
        Wrong:\n\
        \x20   hosts: { web: { zone: a, address: 10.0.17.5 } }\n\
        Right:\n\
        \x20   hosts: { web: { zone: b, address: 10.0.17.5 } }",
    },
    Rule {
        code: GROUPS_FROM_THE_START,
        title: "the first or the last security group of a load balancer, while it runs",
        page: "Whether a Network Load Balancer has security groups is decided when it is made. One made without cannot get any\n\
        later, and one with some can have others instead but not none. (There is the way with a group without rules: it\n\
        lets nothing in, and gets rules later.)\n\
        \n\
        Wrong, for a balancer without any:\n\
        \x20   - set: { load_balancers.front.security_groups: [front] }\n\
        Right:\n\
        \x20   load_balancers: { front: { security_groups: [front], ... } }\n\
        \x20   - set: { security_groups.front.ingress: { http: tcp/80 } }",
    },
];
