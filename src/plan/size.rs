//! How large a lab may be: what a laptop can build, and what checking finishes within a second.

use crate::diag::codes::plan as code;
use crate::diag::{Diagnostic, Diagnostics, Span};
use crate::spec::{Body, Lab, Verb};

/// Hosts of one case.
const HOSTS: usize = 4000;
/// Targets of one group (AWS: 1,000).
const TARGETS: usize = 1000;
/// Listeners of one balancer (AWS: 50).
const LISTENERS: usize = 50;
/// Load balancers of one case, and target groups.
const ITEMS: usize = 200;
/// Steps of one case.
const STEPS: usize = 1000;
/// Hosts times loads, over all cases: each load's result names every host.
const WEIGHT: usize = 500_000;

/// True when the body can be planned.
pub(super) fn bearable(body: &Body, sink: &mut Diagnostics) -> bool {
    let before = sink.len();
    limit(host_count(body), HOSTS, "hosts", place(&body.hosts), sink);
    limit(
        body.load_balancers.len(),
        ITEMS,
        "load balancers",
        place(&body.load_balancers),
        sink,
    );
    limit(
        body.target_groups.len(),
        ITEMS,
        "target groups",
        place(&body.target_groups),
        sink,
    );
    let step = body.steps.last().map_or(Span::default(), |step| step.span);
    limit(body.steps.len(), STEPS, "steps", step, sink);
    for (name, balancer) in &body.load_balancers {
        limit(
            balancer.listeners.len(),
            LISTENERS,
            "listeners of one load balancer",
            name.span,
            sink,
        );
    }
    for (name, group) in &body.target_groups {
        limit(
            group.targets.len(),
            TARGETS,
            "targets of one group",
            name.span,
            sink,
        );
    }
    sink.len() == before
}

/// True when all cases together can be planned.
pub(super) fn bearable_together(lab: &Lab, sink: &mut Diagnostics) -> bool {
    let before = sink.len();
    let weight = |body: &Body| {
        let loads = body
            .steps
            .iter()
            .filter(|step| matches!(step.verb, Verb::Load { .. }))
            .count();
        host_count(body).saturating_mul(loads + 1)
    };
    let total = lab
        .cases
        .iter()
        .map(|case| weight(&case.body))
        .fold(weight(&lab.body), usize::saturating_add);
    limit(
        total,
        WEIGHT,
        "hosts, counted once for each case and load,",
        lab.title.span,
        sink,
    );
    sink.len() == before
}

fn host_count(body: &Body) -> usize {
    body.hosts
        .iter()
        .map(|(_, host)| host.count.as_ref().map_or(1, |count| count.value as usize))
        .fold(0, usize::saturating_add)
}

fn place<T>(items: &[(crate::diag::Spanned<String>, T)]) -> Span {
    items.last().map_or(Span::default(), |(name, _)| name.span)
}

fn limit(count: usize, most: usize, what: &str, span: Span, sink: &mut Diagnostics) {
    if count > most {
        sink.push(
            Diagnostic::new(code::TOO_LARGE, span, format!("{count} {what} in one lab"))
                .label(format!("at most {most}"))
                .help("split the lab into several files"),
        );
    }
}
