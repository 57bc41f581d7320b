//! What becomes of targets and their flows: a group's attributes and knobs in real time, and the steps that register
//! and deregister.
//!
//! Source: the Network Load Balancer guide (target groups, target group attributes).

use super::{Carries, Group, Groups, Target};
use crate::diag::codes::{ipv6, targets as code};
use crate::diag::{Diagnostic, Spanned};
use crate::fabric::config::{
    Algorithm, Consensus, GroupAttributes, GroupEmulate, GroupId, OnDrainingFailure,
    TerminationReset, Threshold,
};
use crate::plan::Sink;
use crate::plan::attributes::{
    COOKIE_DURATION, Checked, DEREGISTRATION_DELAY, DEREGISTRATION_TERMINATION, STICKINESS,
    UNHEALTHY_DRAINING, UNHEALTHY_TERMINATION,
};
use crate::plan::clock::Clock;
use crate::plan::hosts::Hosts;
use crate::spec::{self, Body};
use std::time::Duration;

/// Thresholds of a group's health: each a `count` and a `percentage`.
const DNS: &str = "target_group_health.dns_failover.minimum_healthy_targets";
const ROUTING: &str = "target_group_health.unhealthy_state_routing.minimum_healthy_targets";
/// AWS's default, cloud seconds.
const DELAY_SECONDS: u64 = 300;
/// AWS's default, cloud seconds: a day.
const COOKIE_SECONDS: u64 = 86_400;

/// A group's attributes as the fabric takes them.
pub(super) fn attributes(
    protocol: Carries,
    written: &Checked<'_>,
    old: bool,
    clock: Clock,
    sink: &mut Sink,
) -> GroupAttributes {
    let seconds = |name, default| {
        let value = written.number(name).map_or(default, |number| number.value);
        clock.cloud(Duration::from_secs(value))
    };
    // With datagrams in it, a group has what AWS says of UDP.
    let udp = match protocol {
        Carries::Tcp | Carries::Tls | Carries::Http => false,
        Carries::Udp | Carries::Both => true,
    };
    let terminate_unhealthy = written.flag(UNHEALTHY_TERMINATION, !udp);
    if udp
        && terminate_unhealthy
        && let Some(value) = written.text(UNHEALTHY_TERMINATION)
    {
        sink.push(
            Diagnostic::new(
                code::TERMINATION_OVER_UDP,
                value.span,
                "flows of unhealthy targets cannot be terminated over UDP",
            )
            .label("a datagram is answered by no RST")
            .help("remove the attribute: over UDP it is `false`"),
        );
    }
    if terminate_unhealthy
        && let Some(interval) = written.number(UNHEALTHY_DRAINING)
        && interval.value > 0
    {
        sink.push(
            Diagnostic::new(
                code::DRAINING_NEEDS_NO_TERMINATION,
                interval.span,
                "an unhealthy target whose connections are terminated at once has nothing to drain",
            )
            .label("the interval is never reached")
            .help(format!("add `{UNHEALTHY_TERMINATION}: false`")),
        );
    }
    let (routing, dns_failover) = (threshold(ROUTING, written), threshold(DNS, written));
    dns_is_not_below_routing(written, &routing, &dns_failover, sink);
    sticky_over_tls(protocol, written, sink);
    GroupAttributes {
        deregistration_delay: seconds(DEREGISTRATION_DELAY, DELAY_SECONDS),
        // AWS: on for UDP groups made since October 2023.
        terminate_deregistered: written.flag(DEREGISTRATION_TERMINATION, udp && !old),
        terminate_unhealthy,
        unhealthy_draining: seconds(UNHEALTHY_DRAINING, 0),
        routing,
        dns_failover,
        stickiness: written.flag(STICKINESS, false) && protocol != Carries::Http,
        cookie: (written.flag(STICKINESS, false) && protocol == Carries::Http)
            .then(|| seconds(COOKIE_DURATION, COOKIE_SECONDS)),
        algorithm: Algorithm::default(),
    }
}

/// AWS: stickiness is for flows, which TLS listeners have none of.
fn sticky_over_tls(protocol: Carries, written: &Checked<'_>, sink: &mut Sink) {
    if protocol == Carries::Tls
        && let Some(value) = written.text(STICKINESS)
        && value.value == "true"
    {
        sink.push(
            Diagnostic::new(
                code::STICKY_OVER_TLS,
                value.span,
                "stickiness of a TLS target group",
            )
            .label("AWS refuses this")
            .help("remove the attribute, or use TCP for group and listener"),
        );
    }
}

/// AWS: one healthy target is enough, as it was before there were thresholds.
fn threshold(family: &str, written: &Checked<'_>) -> Threshold {
    let part = |name: &str, default| match written.text(&format!("{family}.{name}")) {
        Some(value) => value.value.parse().ok(),
        None => default,
    };
    Threshold {
        count: part("count", Some(1)),
        percentage: part("percentage", None),
    }
}

/// AWS: the DNS threshold must be at least the routing threshold, so that a zone leaves DNS before it routes to
/// unhealthy targets.
fn dns_is_not_below_routing(
    written: &Checked<'_>,
    routing: &Threshold,
    dns: &Threshold,
    sink: &mut Sink,
) {
    let pairs = [
        ("count", routing.count, dns.count),
        ("percentage", routing.percentage, dns.percentage),
    ];
    for (name, routing, dns) in pairs {
        let (Some(routing), Some(dns)) = (routing, dns) else {
            continue;
        };
        let place = written
            .text(&format!("{DNS}.{name}"))
            .or_else(|| written.text(&format!("{ROUTING}.{name}")));
        if let Some(place) = place
            && dns < routing
        {
            sink.push(
                Diagnostic::new(
                    code::DNS_BELOW_ROUTING,
                    place.span,
                    format!("the {name} of `dns_failover` is {dns}, that of `unhealthy_state_routing` {routing}"),
                )
                .label("a zone would route to unhealthy targets before it leaves DNS")
                .help(format!("make `{DNS}.{name}` {routing} or more")),
            );
        }
    }
}

/// A group's knobs in real time.
pub(super) fn emulate(section: &spec::GroupEmulate, clock: Clock) -> GroupEmulate {
    let time = |knob: &Option<Spanned<Duration>>| {
        knob.as_ref()
            .map_or(Duration::ZERO, |time| clock.cloud(time.value))
    };
    GroupEmulate {
        register_delay: time(&section.register_delay),
        deregister_propagation: time(&section.deregister_propagation),
        unhealthy_propagation: time(&section.unhealthy_propagation),
        termination_delay: time(&section.termination_delay),
        zero_weight_delay: time(&section.zero_weight_delay),
        consensus: match section.consensus.as_ref().map(|word| word.value.as_str()) {
            Some("any") => Consensus::Any,
            Some("all") => Consensus::All,
            Some(_) | None => Consensus::Majority,
        },
        termination_reset: match section.termination_reset.as_ref().map(|w| w.value.as_str()) {
            Some("client") => TerminationReset::Client,
            Some("target") => TerminationReset::Target,
            Some("neither") => TerminationReset::Neither,
            Some(_) | None => TerminationReset::Both,
        },
        on_draining_failure: match section
            .on_draining_failure
            .as_ref()
            .map(|w| w.value.as_str())
        {
            Some("reset") => OnDrainingFailure::Reset,
            Some(_) | None => OnDrainingFailure::Keep,
        },
    }
}

/// Adds the targets that are in no group in the beginning, and that the story registers.
pub(super) fn add_registered(body: &Body, groups: &mut Groups<'_>, hosts: &Hosts<'_>) {
    for step in &body.steps {
        let spec::Verb::Registration {
            target,
            registered: true,
        } = &step.verb
        else {
            continue;
        };
        let Some((group, name)) = groups.home(&target.value, hosts) else {
            continue;
        };
        if hosts
            .cluster
            .meant(&target.value, &hosts.called(name))
            .is_some()
        {
            continue;
        }
        let group = &mut groups.list[group];
        for host in hosts.all(name).unwrap_or_default() {
            let in_zone = hosts.get(*host).section.zone.is_some();
            if in_zone && group.targets.iter().all(|known| known.host != *host) {
                group.targets.push(Target {
                    host: *host,
                    port: group.port,
                    span: target.span,
                    registered: false,
                });
            }
        }
    }
}

impl Groups<'_> {
    /// The group of `group/target` or of a target that is in one group only, and the target's name. With one group in
    /// all, every host is meant to be its target.
    fn home<'t>(&self, text: &'t str, hosts: &Hosts<'_>) -> Option<(usize, &'t str)> {
        if let Some((group, target)) = text.split_once('/') {
            let found = self.list.iter().position(|g| g.name.value == group)?;
            return Some((found, target));
        }
        let with: Vec<usize> = self.with(text, hosts);
        match (with.as_slice(), self.list.len()) {
            ([only], _) => Some((*only, text)),
            ([], 1) => Some((0, text)),
            _ => None,
        }
    }

    fn with(&self, target: &str, hosts: &Hosts<'_>) -> Vec<usize> {
        let wanted = hosts.all(target).unwrap_or_default();
        let has = |group: &Group<'_>| group.targets.iter().any(|t| wanted.contains(&t.host));
        (0..self.list.len())
            .filter(|number| has(&self.list[*number]))
            .collect()
    }

    /// The group and the places of the targets that a step registers or deregisters.
    pub(in crate::plan) fn registration(
        &self,
        text: &Spanned<String>,
        hosts: &Hosts<'_>,
        sink: &mut Sink,
    ) -> Option<(GroupId, Vec<usize>)> {
        let Some((number, name)) = self.home(&text.value, hosts) else {
            sink.push(self.no_home(text, hosts, sink));
            return None;
        };
        let group = &self.list[number];
        let wanted = hosts.all(name).unwrap_or_default();
        let places: Vec<usize> = (0..group.targets.len())
            .filter(|place| wanted.contains(&group.targets[*place].host))
            .collect();
        if places.is_empty() {
            let names = group
                .targets
                .iter()
                .map(|t| hosts.get(t.host).name.as_str());
            let help = sink.help(name, names);
            sink.push(
                Diagnostic::new(
                    code::NO_SUCH_TARGET,
                    text.span,
                    format!("`{}` has no target `{name}`", group.name.value),
                )
                .label(if wanted.is_empty() {
                    "no host of this name"
                } else {
                    "never registered in it"
                })
                .also(group.name.span, "this group")
                .help(help),
            );
            return None;
        }
        let group = u16::try_from(number).expect("the number of groups is limited");
        Some((GroupId(group), places))
    }

    fn no_home(&self, text: &Spanned<String>, hosts: &Hosts<'_>, sink: &Sink) -> Diagnostic {
        let several = self.with(&text.value, hosts);
        if let Some((group, _)) = text.value.split_once('/') {
            let names = self.list.iter().map(|group| group.name.value.as_str());
            return Diagnostic::new(
                code::NO_SUCH_TARGET,
                text.span,
                format!("there is no target group `{group}`"),
            )
            .label("a target is written `group/target`")
            .help(sink.help(group, names));
        }
        let names: Vec<String> = several
            .iter()
            .map(|number| format!("`{}/{}`", self.list[*number].name.value, text.value))
            .collect();
        if names.is_empty() {
            return Diagnostic::new(
                code::NO_SUCH_TARGET,
                text.span,
                format!("`{}` is in no target group", text.value),
            )
            .help("write `group/target`");
        }
        Diagnostic::new(
            code::TARGET_IN_SEVERAL_GROUPS,
            text.span,
            format!("`{}` is in several target groups", text.value),
        )
        .label("which of them?")
        .help(format!("write {}", names.join(" or ")))
    }
}

/// A target is registered under an address of its group's family.
pub(super) fn check_family(group: &Group<'_>, hosts: &Hosts<'_>, sink: &mut Sink) {
    if !group.ipv6 {
        return;
    }
    for target in &group.targets {
        let host = hosts.get(target.host);
        if host.section.ipv6.is_none() {
            sink.push(
                Diagnostic::new(
                    ipv6::TARGET_WITHOUT_IPV6,
                    target.span,
                    format!("target `{}` has no IPv6 address", host.name),
                )
                .label(format!("`{}` is a group of IPv6 targets", group.name.value))
                .also(host.key.span, "this host")
                .help("add `ipv6: auto` to the host"),
            );
        }
    }
}
