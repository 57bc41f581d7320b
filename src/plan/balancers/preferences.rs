//! `prefer`: targets that flows through a zonal address go to before all others.

use super::Listener;
use super::forward::used;
use crate::diag::codes::plan as code;
use crate::diag::{Diagnostic, Spanned};
use crate::fabric::config::ZonalId;
use crate::plan::Sink;
use crate::plan::groups::Groups;
use crate::plan::hosts::Hosts;
use crate::spec;
use std::collections::HashSet;

/// `prefer` as the fabric takes it: indexes into the targets of whichever group a flow goes to.
pub(super) fn prefer(
    name: &Spanned<String>,
    section: &spec::Balancer,
    listeners: &[Listener],
    groups: &Groups<'_>,
    hosts: &Hosts<'_>,
    sink: &mut Sink,
) -> Vec<(ZonalId, Vec<usize>)> {
    let mut resolved: Vec<(ZonalId, Vec<usize>)> = Vec::new();
    for (place, wanted) in &section.emulate.prefer {
        let zonal = match place {
            None => (0..section.zones.len()).collect(),
            Some(place) => zonal_of(name, place, section, sink),
        };
        let targets: Vec<usize> = wanted
            .iter()
            .flat_map(|target| preferred(target, listeners, groups, hosts, sink))
            .collect();
        for zonal in zonal {
            if let Ok(zonal) = u8::try_from(zonal) {
                resolved.push((ZonalId(zonal), targets.clone()));
            }
        }
    }
    resolved
}

/// `front/a`, or just `a`.
fn zonal_of(
    name: &Spanned<String>,
    place: &Spanned<String>,
    section: &spec::Balancer,
    sink: &mut Sink,
) -> Vec<usize> {
    let zone = match place.value.split_once('/') {
        Some((balancer, zone)) if balancer == name.value => zone,
        Some(_) => "",
        None => place.value.as_str(),
    };
    let found: Vec<usize> = section
        .zones
        .iter()
        .position(|(enabled, _)| enabled.value == zone)
        .into_iter()
        .collect();
    if found.is_empty() {
        let names: Vec<String> = section
            .zones
            .iter()
            .map(|(zone, _)| format!("{}/{}", name.value, zone.value))
            .collect();
        let help = sink.help(&place.value, names.iter().map(String::as_str));
        sink.push(
            Diagnostic::new(
                code::PREFER_ZONAL,
                place.span,
                format!("`{}` is no address of `{}`", place.value, name.value),
            )
            .label("not one of its zones")
            .help(help),
        );
    }
    found
}

fn preferred(
    target: &Spanned<String>,
    listeners: &[Listener],
    groups: &Groups<'_>,
    hosts: &Hosts<'_>,
    sink: &mut Sink,
) -> Vec<usize> {
    let wanted: HashSet<_> = hosts
        .all(&target.value)
        .unwrap_or_default()
        .iter()
        .collect();
    let used = used(listeners);
    let mut by_group = used.iter().map(|group| {
        let targets = &groups.list[*group].targets;
        (0..targets.len())
            .filter(|index| wanted.contains(&targets[*index].host))
            .collect::<Vec<usize>>()
    });
    let first = by_group.next().unwrap_or_default();
    if by_group.any(|indexes| indexes != first) {
        sink.push(
            Diagnostic::new(
                code::PREFER_AMBIGUOUS,
                target.span,
                format!(
                    "`{}` stands at different places in the groups behind this balancer",
                    target.value
                ),
            )
            .label("cannot be preferred in one group and not in another")
            .help("register it at the same place in each group, or use one balancer a group"),
        );
    } else if first.is_empty()
        && !used.is_empty()
        && !used.iter().any(|group| {
            // Registered, but no host: that has been said.
            groups.list[*group]
                .unknown
                .iter()
                .any(|name| *name == target.value)
        })
    {
        let names: Vec<&str> = used
            .iter()
            .flat_map(|group| &groups.list[*group].targets)
            .map(|target| hosts.get(target.host).name.as_str())
            .collect();
        let help = sink.help(&target.value, names);
        sink.push(
            Diagnostic::new(
                code::PREFER_TARGET,
                target.span,
                format!("`{}` is no target of this balancer", target.value),
            )
            .label("not registered in its target groups")
            .help(help),
        );
    }
    first
}
