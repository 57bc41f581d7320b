//! The typed mirror of a lab: one struct a section, spans kept, no behaviour. Here the file, its cases and
//! what stands in their bodies.
//!
//! A lab's cases differ by `set`, which patches the tree before it is typed; so each case has its own [`Body`].
//! Values are as written: names are not resolved, cloud durations not scaled (see `plan`).

mod balancers;
mod groups;
mod guards;
mod hosts;
pub mod kubernetes;
mod nat;
mod steps;

pub use balancers::*;
pub use groups::*;
pub use guards::*;
pub use hosts::*;
pub use nat::*;
pub use steps::*;

use crate::diag::Spanned;
use kubernetes::Kubernetes;
use std::collections::BTreeMap;
use std::time::Duration;

/// A lab file: what does not change from case to case, and the cases.
#[derive(Clone, Debug)]
pub struct Lab {
    /// The file's name as given, for diagnostics and reports.
    pub file: String,
    /// The source text, for rendering.
    pub text: String,
    /// One line.
    pub title: Spanned<String>,
    /// A paragraph or two.
    pub story: Option<Spanned<String>>,
    /// Links.
    pub sources: Vec<Spanned<String>>,
    /// The word that asks for this lab where it is not named itself; none: it needs no asking.
    pub opt_in: Option<Spanned<String>>,
    /// The promise, in the user's words.
    pub works: Vec<Claim>,
    /// The lab as written, without any `set`.
    pub body: Body,
    /// The cases, in order.
    pub cases: Vec<Case>,
}

/// One `- EXPR` or `- claim in words: EXPR`.
#[derive(Clone, Debug)]
pub struct Claim {
    /// The words; none when only an expression is written.
    pub words: Option<Spanned<String>>,
    /// The expression's source text, spanned so that offset 0 of it is `span.start`
    /// (approximate when YAML quoting or folding moved it).
    pub that: Spanned<String>,
}

/// One case.
#[derive(Clone, Debug)]
pub struct Case {
    /// Its key under `cases`.
    pub name: Spanned<String>,
    /// Its kind.
    pub kind: Spanned<Kind>,
    /// What it shows, one line.
    pub shows: Option<Spanned<String>>,
    /// What it changes, as text: path, value before (none: not written), value after (none: removed). YAML flow style.
    pub set: Vec<Patch>,
    /// Where its body differs from the lab's as written: dotted path of each leaf, and what stands there (none: nothing).
    pub differs: BTreeMap<String, Option<String>>,
    /// Findings it must show.
    pub finds: Vec<Spanned<String>>,
    /// Findings it may show beside those.
    pub may_find: Vec<Spanned<String>>,
    /// What it claims.
    pub expect: Vec<Claim>,
    /// The lab's body after `set`.
    pub body: Body,
}

/// One entry of `set`.
#[derive(Clone, Debug)]
pub struct Patch {
    /// The dotted path as written.
    pub path: Spanned<String>,
    /// What stood there before, as compact YAML.
    pub before: Option<String>,
    /// What stands there now, as compact YAML; none: removed.
    pub after: Option<String>,
    /// Where a map stood and stands: the entries that differ; else empty.
    pub parts: Vec<Part>,
}

/// An entry of a map that a patch changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The dotted path to it.
    pub path: String,
    /// As of [`Patch`]; none: not there.
    pub before: Option<String>,
    /// Likewise.
    pub after: Option<String>,
}

/// What a case is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Breaks the promise.
    Fault,
    /// Keeps it.
    Fix,
    /// A mitigation or another symptom.
    Partial,
    /// Keeps it, and never was in danger.
    Control,
}

/// The part of a lab that `set` can change.
#[derive(Clone, Debug)]
pub struct Body {
    /// Fixes the emulator's random choices.
    pub seed: u64,
    /// Cloud time runs this many times faster; 1 or more.
    pub time_scale: Spanned<f64>,
    /// `aws-current` and such.
    pub profile: Spanned<String>,
    /// Zone names, in order.
    pub zones: Vec<Spanned<String>>,
    /// In order of writing.
    pub hosts: Vec<(Spanned<String>, Host)>,
    /// In order of writing.
    pub target_groups: Vec<(Spanned<String>, TargetGroup)>,
    /// In order of writing.
    pub load_balancers: Vec<(Spanned<String>, Balancer)>,
    /// In order of writing.
    pub security_groups: Vec<(Spanned<String>, SecurityGroup)>,
    /// By zone.
    pub network_acls: Vec<(Spanned<String>, NetworkAcl)>,
    /// In order of writing, the default one left out.
    pub vpcs: Vec<(Spanned<String>, Vpc)>,
    /// In order of writing.
    pub peerings: Vec<(Spanned<String>, Peering)>,
    /// `kubernetes:`; none: no cluster.
    pub kubernetes: Option<Kubernetes>,
    /// In order of writing.
    pub nat_gateways: Vec<(Spanned<String>, NatGateway)>,
    /// In order of writing.
    pub endpoint_services: Vec<(Spanned<String>, EndpointService)>,
    /// In order of writing.
    pub endpoints: Vec<(Spanned<String>, Endpoint)>,
    /// The story.
    pub steps: Vec<Step>,
}

/// A span of time as written: real, or cloud time that `time_scale` divides.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lapse {
    /// As written.
    pub length: Duration,
    /// `400s cloud`
    pub cloud: bool,
}
