//! A balancer's zonal shift: whether it may have one, and away from which zone.
//!
//! Source: the Network Load Balancer guide, "Zonal shift", and the developer guide of Application Recovery Controller.

use super::Listener;
use crate::diag::codes::zones as code;
use crate::diag::{Diagnostic, Spanned};
use crate::plan::Sink;
use crate::plan::attributes::{CROSS_ZONE, Checked, UNHEALTHY_TERMINATION, ZONAL_SHIFT};
use crate::plan::groups::{Carries, Group, Groups};
use crate::plan::profile::is_of_2020;
use crate::spec::{self, Body};

/// The zone that a balancer is shifted away from.
pub(super) fn shifted<'a>(
    name: &Spanned<String>,
    section: &'a spec::Balancer,
    attributes: &Checked<'_>,
    body: &Body,
    sink: &mut Sink,
) -> Option<&'a str> {
    let zone = section.zonal_shift.as_ref()?;
    // An old profile has neither (see `profile`).
    if !attributes.flag(ZONAL_SHIFT, false) && !is_of_2020(body) {
        sink.push(
            Diagnostic::new(
                code::SHIFT_DISABLED,
                zone.span,
                format!("zonal shift is disabled on `{}`", name.value),
            )
            .label("cannot be started")
            .help(format!("add `{ZONAL_SHIFT}: true` to its attributes")),
        );
    }
    if !section.zones.iter().any(|(z, _)| z.value == zone.value) {
        let zones = section.zones.iter().map(|(z, _)| z.value.as_str());
        let help = sink.help(&zone.value, zones);
        sink.push(
            Diagnostic::new(
                code::SHIFT_ZONE,
                zone.span,
                format!("`{}` is not in zone `{}`", name.value, zone.value),
            )
            .label("nothing to shift away from")
            .also(name.span, "the load balancer")
            .help(help),
        );
        return None;
    }
    Some(zone.value.as_str())
}

/// AWS does not let every balancer that works across zones have the attribute.
pub(super) fn may_shift(
    attributes: &Checked<'_>,
    listeners: &[Listener],
    groups: &Groups<'_>,
    body: &Body,
    sink: &mut Sink,
) {
    let Some(enabled) = attributes.text(ZONAL_SHIFT) else {
        return;
    };
    // Not across zones, nothing is asked of the groups; an old profile has none (see `profile`).
    let across = enabled.value == "true" && attributes.flag(CROSS_ZONE, false);
    if !across || is_of_2020(body) {
        return;
    }
    let mut said = Vec::new();
    for share in listeners.iter().flat_map(|listener| &listener.forward) {
        let group = &groups.list[share.group];
        let Some((why, help)) = objection(group, body) else {
            continue;
        };
        if said.contains(&share.group) {
            continue;
        }
        said.push(share.group);
        sink.push(
            Diagnostic::new(
                code::SHIFT_UNSUPPORTED,
                enabled.span,
                format!(
                    "target group `{}` does not allow zonal shift across zones",
                    group.name.value
                ),
            )
            .label(why)
            .also(group.name.span, "this group")
            .help(help),
        );
    }
}

/// Why a group does not allow zonal shift across zones, and what to write instead.
fn objection(group: &Group<'_>, body: &Body) -> Option<(&'static str, String)> {
    let mut groups = body.target_groups.iter();
    let section = groups.find(|(name, _)| name.value == group.name.value);
    let mut attributes = section.into_iter().flat_map(|(_, own)| &own.attributes);
    let terminates = attributes
        .find(|(name, _)| name.value == UNHEALTHY_TERMINATION)
        .is_none_or(|(_, value)| value.value == "true");
    if group.inner.is_some() {
        let help = "turn zonal shift off, or cross-zone load balancing".to_owned();
        Some(("its target is an application balancer", help))
    } else if matches!(group.protocol, Carries::Udp | Carries::Both) {
        let help = "use TCP or TLS, or turn zonal shift off".to_owned();
        Some(("it carries UDP", help))
    } else if group.cross_zone == Some(false) {
        let help = format!("remove `{CROSS_ZONE}` from the group");
        Some(("it turns cross-zone off for itself", help))
    } else if terminates {
        let help = format!("add `{UNHEALTHY_TERMINATION}: false` to the group's attributes");
        Some(("it terminates the connections of unhealthy targets", help))
    } else {
        None
    }
}
