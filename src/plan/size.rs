//! How large a lab may be: what a laptop can build, and what checking finishes within a second.

use super::Sink;
use super::kubernetes::Expanded;
use crate::diag::codes::plan as code;
use crate::diag::{Diagnostic, Span};
use crate::spec::kubernetes::{Kubernetes, Service};
use crate::spec::node::text_weight;
use crate::spec::{Body, Host, Lab, TargetGroup, Verb};
use std::collections::HashMap;

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
/// See [`weight`], over all cases, before clusters are taken apart: some 0.5 s and 300 MB.
const WEIGHT: usize = 100_000;

/// True when the body can be planned, with its cluster taken apart: what that brings counts like what was written.
pub(super) fn bearable(expanded: &Expanded<'_>, sink: &mut Sink) -> bool {
    let body: &Body = &expanded.body;
    let crowds = Crowds::of(body);
    let hosts = sum(body.hosts.iter().map(|(_, host)| count(host)));
    let step = body.steps.last().map_or(Span::default(), |step| step.span);
    let mut counts = vec![
        (hosts, HOSTS, "hosts", place(&body.hosts)),
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
        let targets = crowds.targets(group);
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
        "hosts and their settings, targets, endpoints, steps and claims, counted for each case,",
        lab.title.span,
        sink,
    )
}

/// What planning a body costs, in some five microseconds. Each load's result names every host, `stop` and its like may,
/// and a claim is compiled. Every host has its own copy of its texts, every node a rule for each endpoint of each port.
fn weight(body: &Body, claims: usize) -> usize {
    let naming = body
        .steps
        .iter()
        .filter(|step| {
            matches!(
                step.verb,
                Verb::Load { .. }
                    | Verb::Stop { .. }
                    | Verb::Kill { .. }
                    | Verb::Reload { .. }
                    | Verb::Fault(_)
            )
        })
        .count();
    let crowds = Crowds::of(body);
    let targets = body.target_groups.iter();
    let targets = sum(targets.map(|(_, group)| crowds.targets(group)));
    let all = sum(hosts(body).map(|(_, host)| count(host)));
    let own = sum(hosts(body).map(|(_, host)| count(host).saturating_mul(settings(host))));
    sum([
        all.saturating_mul(naming + 1),
        own,
        targets,
        body.kubernetes
            .as_ref()
            .map_or(0, |cluster| services(cluster, &crowds)),
        body.steps.len(),
        claims.saturating_mul(10),
    ])
}

/// What a cluster's services come to: the rules of kube-proxy on its nodes, and the targets of their balancers.
fn services(cluster: &Kubernetes, crowds: &Crowds<'_>) -> usize {
    let nodes = cluster.nodes.len();
    let of = |service: &Service| {
        let endpoints = crowds.size(&service.selector.value);
        let rules = nodes.saturating_mul(endpoints);
        let targets = match service.kind.value.as_str() {
            "LoadBalancer" => nodes.max(endpoints),
            _ => 0,
        };
        service
            .ports
            .len()
            .saturating_mul(rules.saturating_add(targets))
    };
    sum(cluster.services.iter().map(|(_, service)| of(service)))
}

/// What each copy of a host has of its own, texts counted as a YAML tree counts them.
fn settings(host: &Host) -> usize {
    let texts = [&host.nft, &host.iptables, &host.setup];
    let texts = texts.into_iter().flatten();
    sum(texts.map(|text| text_weight(&text.value))) + host.serve.len() + host.sysctls.len()
}

/// How many hosts a key names.
struct Crowds<'a>(HashMap<&'a str, usize>);

impl<'a> Crowds<'a> {
    fn of(body: &'a Body) -> Self {
        Self(hosts(body).map(|(key, host)| (key, count(host))).collect())
    }

    /// One, of a key that is none of hosts: a member of a crowd, a balancer, or a mistake.
    fn size(&self, key: &str) -> usize {
        self.0.get(key).copied().unwrap_or(1)
    }

    fn targets(&self, group: &TargetGroup) -> usize {
        let names = group.targets.iter();
        sum(names.map(|(name, _)| self.size(&name.value)))
    }
}

/// Keys of hosts, nodes and pods, however many each stands for.
fn hosts(body: &Body) -> impl Iterator<Item = (&str, &Host)> {
    let cluster = body.kubernetes.iter().flat_map(|cluster| {
        let nodes = cluster.nodes.iter();
        let nodes = nodes.map(|(name, node)| (name.value.as_str(), &node.host));
        let pods = cluster.pods.iter();
        nodes.chain(pods.map(|(name, pod)| (name.value.as_str(), &pod.host)))
    });
    let own = body.hosts.iter();
    own.map(|(name, host)| (name.value.as_str(), host))
        .chain(cluster)
}

fn count(host: &Host) -> usize {
    host.count.as_ref().map_or(1, |count| count.value as usize)
}

/// The most that fits, when it is more.
fn sum(numbers: impl IntoIterator<Item = usize>) -> usize {
    numbers.into_iter().fold(0, usize::saturating_add)
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
