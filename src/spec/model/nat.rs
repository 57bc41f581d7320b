//! The typed mirror of NAT gateways.

use crate::diag::{Span, Spanned};
use std::time::Duration;

/// `nat_gateways.X`
#[derive(Clone, Debug)]
pub struct NatGateway {
    /// The item's place.
    pub span: Span,
    /// `zone:`
    pub zone: Spanned<String>,
    /// `vpc:`; none: the default one.
    pub vpc: Option<Spanned<String>>,
    /// `profile: aws | azure | google`
    pub profile: Spanned<String>,
    /// `addresses:`
    pub addresses: Spanned<u32>,
    /// `attributes:` by the vendor's names.
    pub attributes: Vec<(Spanned<String>, Spanned<String>)>,
    /// `emulate:`
    pub emulate: NatEmulate,
}

/// `nat_gateways.X.emulate`
#[derive(Clone, Debug, Default)]
pub struct NatEmulate {
    /// `ports:`
    pub ports: Option<Spanned<u32>>,
    /// `port_order:`
    pub port_order: Option<Spanned<String>>,
    /// `port_reuse:`, cloud time.
    pub port_reuse: Option<Spanned<Duration>>,
    /// `on_missing_flow:`
    pub on_missing_flow: Option<Spanned<String>>,
    /// `insertion_delay:`, real time.
    pub insertion_delay: Option<Spanned<Duration>>,
    /// `clash_resolve:`
    pub clash_resolve: Option<Spanned<bool>>,
}
