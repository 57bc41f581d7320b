//! Where a listener forwards: one target group, or several with weights.
//!
//! Sources: the Network Load Balancer guide, "Listeners for your Network Load Balancers", weighted target groups; the Application Load
//! Balancer guide, "Listener rules for your Application Load Balancer".

use super::Listener;
use crate::diag::codes::{http, targets as code};
use crate::diag::{Diagnostic, Span, Spanned};
use crate::fabric::config::{Forward, GroupId};
use crate::plan::Sink;
use crate::plan::groups::{Carries, Group, Groups};
use crate::plan::profile::is_of_2020;
use crate::spec::{self, Body};

/// A target group of a listener, and its share of new connections.
#[derive(Clone, Copy, Debug)]
pub(in crate::plan) struct Share {
    /// Index into the groups.
    pub(in crate::plan) group: usize,
    /// 0..=999
    weight: u16,
    /// Every zone sends to all of its targets, as balancer and group say together.
    pub(in crate::plan) cross_zone: bool,
    /// A client stays with the group: of several groups one is sticky, and then AWS demands it.
    pub(in crate::plan) sticky: bool,
    /// Where the listener names it.
    pub(in crate::plan) span: Span,
}

impl Share {
    /// The only one of a listener.
    pub(in crate::plan) fn only(group: usize, cross_zone: bool, span: Span) -> Self {
        Self {
            group,
            weight: 1,
            cross_zone,
            sticky: false,
            span,
        }
    }

    /// As the fabric takes it.
    pub(in crate::plan) fn lower(&self) -> Forward {
        Forward {
            group: GroupId(u16::try_from(self.group).expect("the number of groups is limited")),
            weight: self.weight,
            cross_zone: self.cross_zone,
        }
    }
}

/// The shares of all listeners: of each group one, in order of the groups.
pub(in crate::plan) fn of_each_group(listeners: &[Listener]) -> Vec<Share> {
    let shares = listeners.iter().flat_map(|listener| &listener.forward);
    let mut shares: Vec<Share> = shares.copied().collect();
    shares.sort_by_key(|share| share.group);
    shares.dedup_by_key(|share| share.group);
    shares
}

/// The groups behind listeners: each once, in order.
pub(in crate::plan) fn used(listeners: &[Listener]) -> Vec<usize> {
    let shares = of_each_group(listeners).into_iter();
    shares.map(|share| share.group).collect()
}

/// The groups of a listener; none when one of them is not there.
pub(in crate::plan) fn resolve(
    section: &spec::Listener,
    groups: &Groups<'_>,
    balancer_cross_zone: bool,
    body: &Body,
    sink: &mut Sink,
) -> Vec<Share> {
    if section.target_group.is_some() != section.target_groups.is_empty() {
        sink.push(one_of_both(section));
        return Vec::new();
    }
    // Its weight is of no consequence.
    let only = section.target_group.iter().map(|name| (name, 1));
    let several = section.target_groups.iter();
    let named: Vec<(&Spanned<String>, u16)> = only
        .chain(several.map(|(name, weight)| (name, weight.value)))
        .collect();
    let found: Vec<(usize, &Spanned<String>, u16)> = named
        .iter()
        .filter_map(|(name, weight)| Some((groups.resolve(name, sink)?, *name, *weight)))
        .collect();
    if found.len() < named.len() {
        return Vec::new();
    }
    if let [_, (second, _), ..] = named[..] {
        // Application balancers had weights in 2019.
        if is_of_2020(body) && Carries::of(&section.protocol) != Carries::Http {
            sink.push(one_group_only(second, body));
        }
        let mut others = found.iter().skip(1);
        let first = &groups.list[found[0].0];
        if let Some((other, name, _)) =
            others.find(|(other, ..)| differ(section, first, &groups.list[*other]))
        {
            sink.push(mixed(name, section, first, &groups.list[*other]));
        }
    }
    let cookie = |group: usize| groups.list[group].attributes.cookie.is_some();
    let mut by_cookie = found.iter().filter(|(group, ..)| cookie(*group));
    if found.len() > 1
        && let Some((_, name, _)) = by_cookie.next()
    {
        let told = Diagnostic::new(
            http::STICKY_OVER_HTTP,
            name.span,
            "stickiness among several groups of an application balancer is not emulated",
        )
        .label("this one is sticky")
        .help("remove `stickiness.enabled` of each such group, or forward to one group");
        sink.push(by_cookie.fold(told, |told, (_, name, _)| {
            told.also(name.span, "and so is this one")
        }));
    }
    let sticky = found.len() > 1
        && found
            .iter()
            .any(|(group, ..)| groups.list[*group].attributes.stickiness);
    found
        .into_iter()
        .map(|(group, name, weight)| Share {
            group,
            weight,
            cross_zone: groups.list[group].cross_zone.unwrap_or(balancer_cross_zone),
            sticky,
            span: name.span,
        })
        .collect()
}

fn one_of_both(section: &spec::Listener) -> Diagnostic {
    let title = "a listener has either `target_group` or `target_groups`";
    match (&section.target_group, section.target_groups.first()) {
        (Some(one), Some((several, _))) => Diagnostic::new(code::ONE_OF_BOTH, several.span, title)
            .label("these")
            .also(one.span, "and this")
            .help("remove one of the two; in a `set`: `target_group: null`"),
        (Some(_) | None, _) => Diagnostic::new(code::ONE_OF_BOTH, section.span, title)
            .label("forwards to nothing")
            .help("add `target_group: web`, or `target_groups: { blue: 90, green: 10 }`"),
    }
}

fn one_group_only(second: &Spanned<String>, body: &Body) -> Diagnostic {
    Diagnostic::new(
        code::WEIGHTS_TOO_NEW,
        second.span,
        "several target groups of one listener",
    )
    .label("one too many")
    .also(body.profile.span, "this profile allows one")
    .help("use `profile: aws-current`, or one group with the targets of both")
}

/// AWS refuses TCP beside TLS behind a TLS listener, and IPv4 beside IPv6.
fn differ(section: &spec::Listener, one: &Group<'_>, other: &Group<'_>) -> bool {
    let tls = Carries::of(&section.protocol) == Carries::Tls;
    one.ipv6 != other.ipv6 || (tls && one.protocol != other.protocol)
}

fn mixed(
    name: &Spanned<String>,
    section: &spec::Listener,
    first: &Group<'_>,
    other: &Group<'_>,
) -> Diagnostic {
    let what = |group: &Group<'_>| {
        if first.ipv6 == other.ipv6 {
            group.protocol.name()
        } else if group.ipv6 {
            "IPv6"
        } else {
            "IPv4"
        }
    };
    Diagnostic::new(
        code::MIXED_GROUPS,
        name.span,
        format!(
            "a listener cannot forward both to the {} group `{}` and to the {} group `{}`",
            what(first),
            first.name.value,
            what(other),
            other.name.value
        ),
    )
    .also(first.name.span, "the first")
    .also(section.span, "the listener")
    .help("make them alike, or give each a listener")
}
