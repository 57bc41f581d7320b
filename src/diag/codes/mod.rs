//! Every rule a lab can break: its stable code, a title, and the page that `hairpin explain HP0123` prints.
//!
//! One table an area. A code is never reused; each has at least one file under `tests/diagnostics/`.

mod cases;
pub mod classic;
pub mod expr;
pub mod flows;
pub mod guards;
pub mod health;
pub mod http;
pub mod ipv6;
pub mod kubernetes;
pub mod links;
pub mod nat;
pub mod plan;
pub mod private_link;
pub mod proxy;
pub mod segments;
mod set;
pub mod spec;
mod steps;
pub mod targets;
mod values;
pub mod yaml;
pub mod zones;

use std::fmt;

/// A rule's number, written `HP0123`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Code(pub u16);

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HP{:04}", self.0)
    }
}

/// A rule and its manual page.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// Its code.
    pub code: Code,
    /// One line, no full stop.
    pub title: &'static str,
    /// Plain text: why the rule exists, a wrong example, the right one.
    pub page: &'static str,
}

/// All rules, by area: 0001.. YAML, 0100.. structure and values, 0200.. `set`, 0300.. meaning, 0500.. expressions,
/// 0530.. health checks, 0540.. guards, 0560.. targets, 0570.. zones, 0590.. IPv6, 0610.. flows, 0630.. PROXY protocol
/// and TLS, 0640.. classic balancers, 0660.. HTTP, 0680.. hosts behind hosts, 0700.. Kubernetes, 0730.. NAT gateways,
/// 0750.. PrivateLink, 0770.. links.
pub fn all() -> impl Iterator<Item = &'static Rule> {
    [
        yaml::RULES,
        values::RULES,
        steps::RULES,
        cases::RULES,
        set::RULES,
        plan::names::RULES,
        plan::addresses::RULES,
        plan::settings::RULES,
        plan::balancers::RULES,
        plan::destinations::RULES,
        plan::stories::RULES,
        plan::findings::RULES,
        expr::RULES,
        health::RULES,
        guards::RULES,
        targets::RULES,
        zones::RULES,
        ipv6::RULES,
        flows::RULES,
        proxy::RULES,
        classic::RULES,
        http::RULES,
        segments::RULES,
        kubernetes::RULES,
        nat::RULES,
        private_link::RULES,
        links::RULES,
    ]
    .into_iter()
    .flatten()
}

/// The rule of a code.
pub fn rule(code: Code) -> Option<&'static Rule> {
    all().find(|rule| rule.code == code)
}
