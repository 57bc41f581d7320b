//! The instances of classic balancers: a group of each one's own.
//!
//! Source: the Classic Load Balancer guide (connection draining, health checks).

use super::checks::{self, Statuses};
use super::{Carries, Group, Groups, registered};
use crate::diag::codes::classic as code;
use crate::diag::{Diagnostic, Spanned};
use crate::fabric::config::{GroupAttributes, GroupEmulate, Threshold};
use crate::plan::Sink;
use crate::plan::attributes::{self, CLASSIC_DRAINING, CLASSIC_DRAINING_TIMEOUT, Checked, Holder};
use crate::plan::clock::Clock;
use crate::plan::hosts::Hosts;
use crate::spec::{self, Body};
use std::time::Duration;

/// AWS's default, cloud seconds.
const DRAINING_SECONDS: u64 = 300;
/// AWS: the only status that passes; there is no matcher.
const STATUSES: Statuses = Statuses {
    pass: 200..=200,
    may_be_named: 200..=200,
};
/// Undocumented: one checker for each zonal address.
const CHECKERS: u8 = 1;

/// Adds the instances of every classic balancer as a group that no listener can name.
pub(super) fn add<'a>(
    body: &'a Body,
    groups: &mut Groups<'a>,
    hosts: &Hosts<'_>,
    clock: Clock,
    sink: &mut Sink,
) {
    for (number, (name, section)) in body.load_balancers.iter().enumerate() {
        if !section.is_classic() {
            continue;
        }
        let same = groups.list.iter().find(|g| g.name.value == name.value);
        if let Some(group) = same.filter(|group| group.owner.is_none()) {
            sink.push(
                Diagnostic::new(
                    code::NAME_OF_GROUP,
                    name.span,
                    format!("`{}` is a classic balancer and a target group", name.value),
                )
                .label("`register` and `deregister` could not tell them apart")
                .also(group.name.span, "the target group")
                .help("rename one of the two"),
            );
        }
        // What is wrong with them is said once, by `balancers::classic`.
        let attributes =
            attributes::check(Holder::Classic, &section.attributes, &mut Sink::default());
        groups.list.push(Group {
            name,
            owner: Some(number),
            inner: None,
            protocol: Carries::Tcp,
            ipv6: false,
            preserve_client_ip: false,
            proxy_protocol: None,
            cross_zone: None,
            health_check: section
                .health_check
                .as_ref()
                .map(|check| checks::of(check, &STATUSES, CHECKERS, clock, sink)),
            attributes: group_attributes(&attributes, clock),
            emulate: GroupEmulate::default(),
            port: None,
            targets: registered(written(section), None, hosts, sink),
            unknown: written(section)
                .map(|(name, _)| name.value.as_str())
                .filter(|name| hosts.all(name).is_none())
                .collect(),
        });
    }
}

fn written(
    section: &spec::Balancer,
) -> impl Iterator<Item = (&Spanned<String>, Option<&Spanned<u16>>)> {
    let written = section.instances.iter();
    written.flat_map(|list| list.value.iter().map(|name| (name, None)))
}

/// A zonal address without a healthy instance leaves DNS, and unhealthy instances get nothing.
fn group_attributes(written: &Checked<'_>, clock: Clock) -> GroupAttributes {
    let seconds = written
        .number(CLASSIC_DRAINING_TIMEOUT)
        .map_or(DRAINING_SECONDS, |number| number.value);
    GroupAttributes {
        deregistration_delay: match written.flag(CLASSIC_DRAINING, false) {
            true => clock.cloud(Duration::from_secs(seconds)),
            false => Duration::ZERO,
        },
        routing: Threshold::default(),
        ..GroupAttributes::default()
    }
}
