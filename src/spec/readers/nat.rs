//! Reads NAT gateways.

use super::Fields;
use crate::diag::Span;
use crate::spec::grammar::nat::{NAT_EMULATE, NAT_GATEWAY};
use crate::spec::model::{NatEmulate, NatGateway};
use crate::spec::node::Node;

/// `nat_gateways.X`
pub fn gateway(node: &Node, span: Span) -> Option<NatGateway> {
    let fields = Fields::new(node, &NAT_GATEWAY, span);
    Some(NatGateway {
        span,
        zone: fields.value("zone")?,
        vpc: fields.written("vpc"),
        profile: fields.value("profile")?,
        addresses: fields.value("addresses")?,
        attributes: fields.free("attributes"),
        emulate: fields
            .node("emulate")
            .map(|node| emulate(node, span))
            .unwrap_or_default(),
    })
}

fn emulate(node: &Node, span: Span) -> NatEmulate {
    let fields = Fields::new(node, &NAT_EMULATE, span);
    NatEmulate {
        ports: fields.written("ports"),
        port_order: fields.written("port_order"),
        port_reuse: fields.written("port_reuse"),
        on_missing_flow: fields.written("on_missing_flow"),
        insertion_delay: fields.written("insertion_delay"),
        clash_resolve: fields.written("clash_resolve"),
    }
}
