//! From a lab as written to cases that are ready to build: names resolved, defaults filled in, addresses given
//! out, every rule checked.
//!
//! A folder or file a noun of the language: `hosts`, `addresses`, `groups`, `balancers`, `kubernetes`, `nat`, `guards`, `vpcs`,
//! `endpoints`. `network` puts them together for one moment of a lab, `construction` makes hosts of it, `lower` what the fabric knows;
//! `destinations` and `steps` resolve the story, `changes` looks at what it changes, `claims` and `shape` at what is expected of it;
//! `profile` is what AWS had when. `model` is what comes out.
//!
//! Pure, and deterministic: the same lab and seed always give the same plan. One small function a rule; a rule
//! that fails pushes a [`crate::diag::Diagnostic`] and goes on, so that all problems show at once. Not here: how
//! a lab is read (see `spec`), how a plan is built (see `world`).

mod addresses;
mod attributes;
mod balancers;
mod cases;
mod changes;
mod claims;
mod clock;
mod construction;
mod counters;
mod destinations;
mod endpoints;
mod glossary;
mod groups;
mod guards;
mod holder;
mod hosts;
mod kubernetes;
pub mod lists;
mod lower;
mod meanings;
pub mod model;
mod mtu;
mod nat;
mod network;
mod placeholders;
mod profile;
mod segments;
pub mod shape;
mod sink;
mod size;
mod steps;
pub mod vocabulary;
mod vpcs;

#[cfg(test)]
mod tests;

pub use cases::lab_name;
pub use kubernetes::{KubeProxy, PodPlace, Translation};
pub use model::*;

use crate::diag::codes::plan as code;
use crate::diag::{Diagnostic, Diagnostics, Span};
use crate::expr::Shape;
use crate::fabric;
use crate::spec::{self, Body, Lab};
use claims::{Compiler, Lines};
use destinations::Destinations;
use network::Network;
use placeholders::Places;
use sink::Sink;
use std::net::Ipv4Addr;

/// One case of a lab, with its own seed or another one.
///
/// # Errors
/// Every problem of this case, or that there is no such case.
pub fn plan(lab: &Lab, case: &str, seed: Option<u64>) -> Result<Plan, Diagnostics> {
    let mut sink = Sink::default();
    let Some(found) = lab.cases.iter().find(|c| c.name.value == case) else {
        let known = lab.cases.iter().map(|c| c.name.value.as_str());
        let help = sink.help(case, known);
        sink.push(
            Diagnostic::new(
                code::UNKNOWN_CASE,
                Span::default(),
                format!("the lab has no case `{case}`"),
            )
            .help(help),
        );
        return Err(sink.problems);
    };
    if !size::bearable_together(lab, &mut sink) {
        return Err(sink.problems);
    }
    let lines = Lines::new(&lab.text);
    cases::check(lab, &mut sink);
    let plan = plan_case(lab, found, seed, &lines, &mut sink);
    match plan {
        Some(plan) => sink.problems.into_result(Plan {
            warnings: sink.warnings,
            ..plan
        }),
        None => Err(sink.problems),
    }
}

/// Plans of every case of a lab file, from its bytes.
///
/// # Errors
/// All that is wrong with the file, at every stage, in one go. Spans are those of the text that
/// [`String::from_utf8_lossy`] makes of the bytes.
pub fn read(bytes: &[u8], file: &str) -> Result<Vec<Plan>, Diagnostics> {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return spec::read_bytes(bytes, file).and_then(|lab| plans(&lab));
    };
    let spec::Reading { lab, mut problems } = spec::read_all(text, file);
    match lab.map(|lab| plans(&lab)) {
        Some(Ok(plans)) => problems.into_result(plans),
        Some(Err(more)) => {
            problems.append_elsewhere(more);
            Err(problems)
        }
        None => Err(problems),
    }
}

/// All cases of a lab, in order.
///
/// # Errors
/// Every problem of the lab as written and of each case.
pub fn plans(lab: &Lab) -> Result<Vec<Plan>, Diagnostics> {
    let mut sink = Sink::default();
    if !size::bearable_together(lab, &mut sink) {
        return Err(sink.problems);
    }
    let lines = Lines::new(&lab.text);
    cases::check(lab, &mut sink);
    resolve(&lab.body, &lab.works, &[], lab.body.seed, &lines, &mut sink);
    let mut plans = Vec::with_capacity(lab.cases.len());
    for case in &lab.cases {
        if sink.problems.is_full() {
            break;
        }
        let mut own = sink.fresh();
        let plan = plan_case(lab, case, None, &lines, &mut own);
        sink.settle(&own);
        let problems = cases::attribute(&own.problems, &sink.problems, case);
        sink.problems.append(problems);
        plans.extend(plan.map(|plan| Plan {
            warnings: cases::attribute(&own.warnings, &sink.warnings, case),
            ..plan
        }));
    }
    sink.problems.into_result(plans)
}

/// What can be built and is hardly meant, of all cases together.
pub fn warnings(plans: &[Plan]) -> Diagnostics {
    let mut all = Diagnostics::default();
    for plan in plans {
        all.append(plan.warnings.clone());
    }
    all
}

/// A case, without what is to be said of it.
fn plan_case(
    lab: &Lab,
    case: &spec::Case,
    seed: Option<u64>,
    lines: &Lines,
    sink: &mut Sink,
) -> Option<Plan> {
    let seed = seed.unwrap_or(case.body.seed);
    let resolved = resolve(&case.body, &lab.works, &case.expect, seed, lines, sink)?;
    Some(Plan {
        file: lab.file.clone(),
        lab: cases::lab_name(&lab.file),
        title: lab.title.value.clone(),
        story: lab
            .story
            .as_ref()
            .map_or(String::new(), |s| s.value.clone()),
        sources: lab.sources.iter().map(|s| s.value.clone()).collect(),
        opt_in: lab.opt_in.as_ref().map(|word| word.value.clone()),
        case: case.name.value.clone(),
        kind: case.kind.value,
        shows: case
            .shows
            .as_ref()
            .map_or(String::new(), |s| s.value.clone()),
        line: lines.of(case.name.span),
        changes: cases::changes(case),
        works: resolved.works,
        expect: resolved.expect,
        finds: case.finds.iter().map(|f| f.value.clone()).collect(),
        may_find: case.may_find.iter().map(|f| f.value.clone()).collect(),
        fault_finds: cases::fault_finds(lab),
        fixes: cases::fixes(lab, case),
        ip_groups: resolved.ip_groups,
        warnings: Diagnostics::default(),
        seed,
        time_scale: resolved.time_scale,
        hosts: resolved.hosts,
        groups: resolved.groups,
        aliases: resolved.aliases,
        services: resolved.services,
        kube_proxy: resolved.kube_proxy,
        steps: resolved.steps,
        shape: resolved.shape,
        fabric: resolved.fabric,
        settles: resolved.settles,
    })
}

/// A body with everything resolved.
struct Resolved {
    works: Vec<Claim>,
    expect: Vec<Claim>,
    time_scale: f64,
    hosts: Vec<Host>,
    ip_groups: Vec<String>,
    groups: Vec<(String, Vec<HostId>)>,
    aliases: Vec<(String, HostId)>,
    services: Vec<(Vec<String>, Ipv4Addr)>,
    kube_proxy: Option<KubeProxy>,
    steps: Vec<Step>,
    shape: Shape,
    fabric: fabric::Config,
    settles: Vec<fabric::config::GroupId>,
}

/// Resolves one body. None when it is too large to look at.
fn resolve(
    body: &Body,
    works: &[spec::Claim],
    expect: &[spec::Claim],
    seed: u64,
    lines: &Lines,
    sink: &mut Sink,
) -> Option<Resolved> {
    let expanded = kubernetes::expand(body, sink);
    if !size::bearable(&expanded, sink) {
        return None;
    }
    let body: &Body = &expanded.body;
    let network = Network::of(&expanded, sink);
    let Network {
        drafts,
        addresses,
        groups,
        balancers,
        clock,
        ..
    } = &network;
    let places = Places {
        hosts: drafts,
        addresses,
    };
    let inner = groups::all_zonal_names(groups, body);
    let names = network.names(&inner);
    let shape = shape::shape(body, &names);
    let destinations = Destinations::new(&network, &expanded.cluster, sink);
    let mut compiler = Compiler::new(&shape, lines);
    let scene = steps::Scene {
        hosts: drafts,
        destinations: &destinations,
        balancers,
        groups,
        places,
        clock: *clock,
        seed,
    };
    let steps = steps::resolve(body, scene, &mut compiler, sink);
    changes::check(body, sink);
    let works = compiler.claims(works, sink);
    let expect = compiler.claims(expect, sink);
    let fabric = network.config(seed);
    network::same_kernels(body, &fabric, &steps, sink);
    let settles = lower::settles(groups, balancers, addresses);
    Some(Resolved {
        works,
        expect,
        time_scale: clock.scale(),
        hosts: network.hosts,
        ip_groups: groups::by_address(body),
        groups: network.drafts.groups,
        aliases: network.drafts.aliases,
        services: expanded.cluster.names(),
        kube_proxy: network.kube_proxy,
        steps,
        shape,
        fabric,
        settles,
    })
}
