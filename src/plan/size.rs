//! How large a lab may be: what a laptop can build, and what checking finishes within a second.

use super::Sink;
use crate::diag::codes::plan as code;
use crate::diag::{Diagnostic, Span};
use crate::spec::{Body, Lab, Verb};

/// Hosts of one case.
const HOSTS: usize = 4000;
/// Targets of one group (AWS: 1,000).
const TARGETS: usize = 1000;
/// Listeners of one balancer (AWS: 50).
const LISTENERS: usize = 50;
/// Load balancers of one case, target groups, NAT gateways.
const ITEMS: usize = 200;
/// Steps of one case.
const STEPS: usize = 1000;
/// See [`weight`], over all cases: some 0.5 s and 300 MB.
const WEIGHT: usize = 100_000;

/// True when the body can be planned.
pub(super) fn bearable(body: &Body, sink: &mut Sink) -> bool {
    let step = body.steps.last().map_or(Span::default(), |step| step.span);
    let mut counts = vec![
        (host_count(body), HOSTS, "hosts", place(&body.hosts)),
        (
            body.load_balancers.len(),
            ITEMS,
            "load balancers",
            place(&body.load_balancers),
        ),
        (
            body.target_groups.len(),
            ITEMS,
            "target groups",
            place(&body.target_groups),
        ),
        (
            body.nat_gateways.len(),
            ITEMS,
            "NAT gateways",
            place(&body.nat_gateways),
        ),
        (body.steps.len(), STEPS, "steps", step),
    ];
    for (name, balancer) in &body.load_balancers {
        let listeners = balancer.listeners.len();
        counts.push((
            listeners,
            LISTENERS,
            "listeners of one load balancer",
            name.span,
        ));
    }
    for (name, group) in &body.target_groups {
        let targets = group.targets.len();
        counts.push((targets, TARGETS, "targets of one group", name.span));
    }
    let mut fits = true;
    for (count, most, what, span) in counts {
        fits &= within(count, most, what, span, sink);
    }
    fits
}

/// True when all cases together can be planned.
pub(super) fn bearable_together(lab: &Lab, sink: &mut Sink) -> bool {
    let total = lab
        .cases
        .iter()
        .map(|case| weight(&case.body, lab.works.len() + case.expect.len()))
        .fold(weight(&lab.body, lab.works.len()), usize::saturating_add);
    within(
        total,
        WEIGHT,
        "hosts, targets, steps and claims, counted for each case,",
        lab.title.span,
        sink,
    )
}

/// What planning a body costs, in microseconds or thereabouts. Each load's result names every host, `stop` and
/// `kill` may, and a claim is compiled.
fn weight(body: &Body, claims: usize) -> usize {
    let naming = body
        .steps
        .iter()
        .filter(|step| {
            matches!(
                step.verb,
                Verb::Load { .. } | Verb::Stop { .. } | Verb::Kill { .. } | Verb::Fault(_)
            )
        })
        .count();
    let targets = |group: &crate::spec::TargetGroup| group.targets.len();
    let targets: usize = body.target_groups.iter().map(|(_, g)| targets(g)).sum();
    host_count(body)
        .saturating_mul(naming + 1)
        .saturating_add(targets + body.steps.len() + 10 * claims)
}

fn host_count(body: &Body) -> usize {
    let kubernetes = body.kubernetes.iter();
    let cluster = kubernetes.flat_map(|kubernetes| {
        let pods = kubernetes.pods.iter();
        pods.map(|(_, pod)| {
            pod.host
                .count
                .as_ref()
                .map_or(1, |count| count.value as usize)
        })
        .chain([kubernetes.nodes.len()])
    });
    body.hosts
        .iter()
        .map(|(_, host)| host.count.as_ref().map_or(1, |count| count.value as usize))
        .chain(cluster)
        .fold(0, usize::saturating_add)
}

fn place<T>(items: &[(crate::diag::Spanned<String>, T)]) -> Span {
    items.last().map_or(Span::default(), |(name, _)| name.span)
}

fn within(count: usize, most: usize, what: &str, span: Span, sink: &mut Sink) -> bool {
    if count > most {
        sink.push(
            Diagnostic::new(code::TOO_LARGE, span, format!("{count} {what} in one lab"))
                .label(format!("at most {most}"))
                .help("split the lab into several files"),
        );
    }
    count <= most
}
