//! VPCs, the peerings between them, and private links.

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

/// `endpoint_services.X`
pub static ENDPOINT_SERVICE: Section = Section {
    name: "an endpoint service",
    doc: "Network Load Balancers offered to other VPCs (AWS PrivateLink): `{ load_balancer: front }`.",
    fields: &[
        field(
            "load_balancer",
            Optional,
            Type::Name,
            "The balancer behind it.",
        ),
        field(
            "load_balancers",
            Optional,
            Type::List {
                of: &Type::Name,
                min: 1,
            },
            "Several: each interface of an endpoint takes one in its own zone at random, and stays with it.",
        ),
    ],
};

/// `endpoints.X`
pub static ENDPOINT: Section = Section {
    name: "an endpoint",
    doc: "A way to an endpoint service by private addresses of a VPC of its own, one in each of its zones.",
    fields: &[
        field(
            "vpc",
            Optional,
            Type::Name,
            "The VPC of its clients. Default: the default one.",
        ),
        field(
            "zones",
            Required,
            Type::List {
                of: &Type::Name,
                min: 1,
            },
            "Where it has a network interface; the service must be there too.",
        ),
        field(
            "service",
            Required,
            Type::Name,
            "The endpoint service that it leads to.",
        ),
    ],
};
