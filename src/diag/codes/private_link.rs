//! PrivateLink: 0750..0769.

use super::{Code, Rule};

/// An endpoint to a service that is not there.
pub const UNKNOWN_SERVICE: Code = Code(750);

/// An endpoint service without a balancer, or with two ways to name them.
pub const SERVICE_BALANCERS: Code = Code(751);

/// An endpoint service of a balancer that is not there.
pub const UNKNOWN_BALANCER: Code = Code(752);

/// A balancer behind two endpoint services.
pub const BALANCER_OF_TWO_SERVICES: Code = Code(753);

/// An endpoint in a zone where its service has no address.
pub const SERVICE_NOT_IN_ZONE: Code = Code(754);

/// An endpoint dialled from the internet.
pub const ENDPOINT_FROM_INTERNET: Code = Code(755);

/// An endpoint service of a balancer of another type.
pub const NOT_A_NETWORK_BALANCER: Code = Code(756);

/// An endpoint dialled in a zone where it has no interface.
pub const ENDPOINT_NOT_IN_ZONE: Code = Code(757);

/// `EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic` of a balancer without security groups.
pub const ENFORCED_WITHOUT_GROUPS: Code = Code(758);

/// The rules of this area.
pub static RULES: &[Rule] = &[
    Rule {
        code: UNKNOWN_SERVICE,
        title: "there is no such endpoint service",
        page: "An endpoint leads to a service under `endpoint_services`.\n\
        \n\
        Wrong:\n\
        \x20   endpoints: { ep: { vpc: shops, zones: [a], service: orders } }   # and no such service\n\
        Right:\n\
        \x20   endpoint_services: { orders: { load_balancer: front } }\n\
        \x20   endpoints: { ep: { vpc: shops, zones: [a], service: orders } }",
    },
    Rule {
        code: SERVICE_BALANCERS,
        title: "an endpoint service without a load balancer, or with two lists of them",
        page: "A service has one load balancer or several, named in one of two ways.\n\
        \n\
        Wrong:\n\
        \x20   endpoint_services: { orders: {} }\n\
        \x20   endpoint_services: { orders: { load_balancer: front, load_balancers: [back] } }\n\
        Right:\n\
        \x20   endpoint_services: { orders: { load_balancer: front } }\n\
        \x20   endpoint_services: { orders: { load_balancers: [front, back] } }",
    },
    Rule {
        code: UNKNOWN_BALANCER,
        title: "an endpoint service of a load balancer that is not there",
        page: "An endpoint service offers load balancers of the lab.\n\
        \n\
        Wrong:\n\
        \x20   endpoint_services: { orders: { load_balancer: frnot } }\n\
        Right:\n\
        \x20   endpoint_services: { orders: { load_balancer: front } }",
    },
    Rule {
        code: BALANCER_OF_TWO_SERVICES,
        title: "a load balancer behind two endpoint services",
        page: "A service may have several load balancers, but a load balancer is behind one service at most.\n\
        \n\
        Wrong:\n\
        \x20   endpoint_services: { orders: { load_balancer: front }, stock: { load_balancer: front } }\n\
        Right:\n\
        \x20   endpoint_services: { orders: { load_balancer: front }, stock: { load_balancer: back } }",
    },
    Rule {
        code: SERVICE_NOT_IN_ZONE,
        title: "an endpoint in a zone where its service is not",
        page: "Each interface of an endpoint leads to a load balancer's address in its own zone, so an endpoint can only be in\n\
        zones where a load balancer of its service is enabled.\n\
        \n\
        Wrong:\n\
        \x20   load_balancers: { front: { zones: [a], ... } }\n\
        \x20   endpoints: { ep: { zones: [a, b], service: orders } }\n\
        Right:\n\
        \x20   load_balancers: { front: { zones: [a, b], ... } }\n\
        \x20   endpoints: { ep: { zones: [a, b], service: orders } }",
    },
    Rule {
        code: ENDPOINT_FROM_INTERNET,
        title: "an endpoint is not reached from the internet",
        page: "An endpoint has private addresses only.\n\
        \n\
        Wrong:\n\
        \x20   hosts: { client: {} }                                   # out on the internet\n\
        \x20   steps: [ { connect: { as: visit, from: client, to: ep } } ]\n\
        Right:\n\
        \x20   hosts: { client: { zone: a, vpc: shops } }",
    },
    Rule {
        code: NOT_A_NETWORK_BALANCER,
        title: "an endpoint service of another load balancer than a Network Load Balancer",
        page: "AWS offers Network Load Balancers through interface endpoints, and nothing else of the kind.\n\
        \n\
        Wrong:\n\
        \x20   load_balancers: { chat: { type: classic, ... } }\n\
        \x20   endpoint_services: { orders: { load_balancer: chat } }\n\
        Right:\n\
        \x20   load_balancers: { front: { zones: [a], listeners: { 80: web } } }\n\
        \x20   endpoint_services: { orders: { load_balancer: front } }",
    },
    Rule {
        code: ENDPOINT_NOT_IN_ZONE,
        title: "an endpoint without an interface in that zone",
        page: "`ep/a` is the endpoint's interface in zone a.\n\
        \n\
        Wrong:\n\
        \x20   endpoints: { ep: { zones: [a], service: orders } }\n\
        \x20   steps: [ { connect: { as: visit, from: client, to: ep/b } } ]\n\
        Right:\n\
        \x20   endpoints: { ep: { zones: [a, b], service: orders } }",
    },
    Rule {
        code: ENFORCED_WITHOUT_GROUPS,
        title: "security-group rules for PrivateLink traffic, on a load balancer without security groups",
        page: "`EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic` says whether the load balancer's own inbound rules are for\n\
        what comes by an endpoint. Without security groups there are no rules.\n\
        \n\
        Wrong:\n\
        \x20   front: { attributes: { EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic: \"off\" }, ... }\n\
        Right:\n\
        \x20   front: { security_groups: [public], attributes: { EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic: \"off\" }, ... }",
    },
];
