//! Reads security groups, network ACLs, VPCs, peerings and private links.

use super::{Fields, scalar};
use crate::diag::{Span, Spanned};
use crate::spec::grammar::guards::{NETWORK_ACL, SECURITY_GROUP};
use crate::spec::grammar::vpcs::{ENDPOINT, ENDPOINT_SERVICE, PEERING, VPC};
use crate::spec::model::{
    Endpoint, EndpointService, GuardRule, NetworkAcl, Peering, SecurityGroup, Vpc,
};
use crate::spec::node::Node;

/// `security_groups.X`
pub fn security_group(node: &Node, span: Span) -> Option<SecurityGroup> {
    let fields = Fields::new(node, &SECURITY_GROUP, span);
    Some(SecurityGroup {
        span,
        ingress: named(fields.node("ingress")).unwrap_or_default(),
        egress: named(fields.node("egress")),
    })
}

fn named(node: Option<&Node>) -> Option<Vec<(Spanned<String>, Spanned<GuardRule>)>> {
    let rules = node?
        .entries()?
        .iter()
        .filter_map(|entry| Some((entry.key.clone(), scalar(&entry.value)?)));
    Some(rules.collect())
}

/// `network_acls.X`
pub fn network_acl(node: &Node, span: Span) -> Option<NetworkAcl> {
    let fields = Fields::new(node, &NETWORK_ACL, span);
    let numbered = |name| {
        let entries = fields.node(name).and_then(Node::entries).unwrap_or(&[]);
        let mut rules: Vec<(Spanned<u16>, Spanned<GuardRule>)> = entries
            .iter()
            .filter_map(|entry| {
                let number = entry.key.value.parse().ok()?;
                Some((Spanned::new(number, entry.key.span), scalar(&entry.value)?))
            })
            .collect();
        rules.sort_by_key(|(number, _)| number.value);
        rules
    };
    Some(NetworkAcl {
        span,
        inbound: numbered("inbound"),
        outbound: numbered("outbound"),
    })
}

/// `vpcs.X`
pub fn vpc(node: &Node, span: Span) -> Option<Vpc> {
    let fields = Fields::new(node, &VPC, span);
    Some(Vpc {
        cidr: fields.written("cidr"),
    })
}

/// `peerings.X`
pub fn peering(node: &Node, span: Span) -> Option<Peering> {
    let fields = Fields::new(node, &PEERING, span);
    Some(Peering {
        between: fields.names("between"),
    })
}

/// `endpoint_services.X`
pub fn endpoint_service(node: &Node, span: Span) -> Option<EndpointService> {
    let fields = Fields::new(node, &ENDPOINT_SERVICE, span);
    Some(EndpointService {
        span,
        load_balancer: fields.written("load_balancer"),
        load_balancers: fields.names("load_balancers"),
    })
}

/// `endpoints.X`
pub fn endpoint(node: &Node, span: Span) -> Option<Endpoint> {
    let fields = Fields::new(node, &ENDPOINT, span);
    Some(Endpoint {
        vpc: fields.written("vpc"),
        zones: fields.names("zones"),
        service: fields.value("service")?,
    })
}
