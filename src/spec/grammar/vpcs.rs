//! VPCs and the peerings between them.

use super::Need::{Optional, Required};
use super::{Section, Type, field};

/// `vpcs.X`
pub static VPC: Section = Section {
    name: "a VPC",
    doc: "A network with an address range of its own, cut off from the others unless it is peered with them.",
    fields: &[field(
        "cidr",
        Optional,
        Type::Range,
        "Its range of private addresses, /16 to /24. Without it: 10.1.0.0/16, 10.2.0.0/16, ...",
    )],
};

/// `peerings.X`
pub static PEERING: Section = Section {
    name: "a peering",
    doc: "A link between two VPCs. It leads no further: what is peered with one of them does not reach the other.",
    fields: &[field(
        "between",
        Required,
        Type::List {
            of: &Type::Name,
            min: 2,
        },
        "The two VPCs; `default` is where everything is that names none.",
    )],
};
