//! Security groups and network ACLs.

use super::Need::Optional;
use super::{Key, RuleKind, Section, Type, field};

const fn named(kind: &'static Type) -> Type {
    Type::Map {
        key: Key::Name,
        of: kind,
        item: "rule",
    }
}

const fn numbered(kind: &'static Type) -> Type {
    Type::Map {
        key: Key::RuleNumber,
        of: kind,
        item: "rule",
    }
}

/// `security_groups.X`
pub static SECURITY_GROUP: Section = Section {
    name: "a security group",
    doc: "A stateful filter before network interfaces: what no rule allows is refused, and answers always pass. A range of addresses is of one family: `0.0.0.0/0` is everybody over IPv4, `::/0` over IPv6, and a rule without a range both. A rule that names a security group is for both as well, `icmp` is ICMPv6 over IPv6.",
    fields: &[
        field(
            "ingress",
            Optional,
            named(&Type::Rule(RuleKind::Ingress)),
            "What it lets in, by the rules' names: `http: tcp/80 from 0.0.0.0/0`, or from a security group. Without it, nothing.",
        ),
        field(
            "egress",
            Optional,
            named(&Type::Rule(RuleKind::Egress)),
            "What it lets out: `https: tcp/443 to 0.0.0.0/0`. Without it, everything; `{}` lets nothing out.",
        ),
    ],
};

/// `network_acls.X`
pub static NETWORK_ACL: Section = Section {
    name: "a network ACL",
    doc: "A stateless filter around a subnet: the rule with the lowest number that fits decides, and what fits none is denied. Ranges are as those of a security group: one of IPv4 fits no IPv6 packet, and the other way round. The network's own ICMP (`fragmentation needed`, `packet too big`) is judged by the inbound rules of the subnet of whom it tells, where what was too large was for outside of that; by no outbound rules, and by no security group, which lets in what answers a host's own packet.",
    fields: &[
        field(
            "inbound",
            Optional,
            numbered(&Type::Rule(RuleKind::Inbound)),
            "For what comes into the subnet, by number: `100: allow tcp/80 from 0.0.0.0/0`.",
        ),
        field(
            "outbound",
            Optional,
            numbered(&Type::Rule(RuleKind::Outbound)),
            "For what leaves it, answers included: `100: allow tcp/1024-65535 to 0.0.0.0/0`.",
        ),
    ],
};
