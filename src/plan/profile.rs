//! `profile: aws-2020`: what Network Load Balancers have got since the end of that year, and that such a lab therefore cannot ask for.
//!
//! Sources: the document history of the Network Load Balancer guide; of zonal shift, those of Application Recovery Controller.
//! Not here: what stands beside a rule of its own, such as security groups (see `guards`), weights and idle timeouts (see
//! `balancers`), peered VPCs (see `vpcs`), and what a step changes (see `changes`).

use super::Sink;
use super::attributes::{
    CLIENT_ROUTING, CROSS_ZONE, ENFORCE_ON_PRIVATE_LINK, HEADER_PLACEMENT, Holder,
    PRESERVE_CLIENT_IP, SECONDARY_IPS, UNHEALTHY_DRAINING, UNHEALTHY_TERMINATION, ZONAL_SHIFT,
};
use crate::diag::codes::plan as code;
use crate::diag::{Diagnostic, Span, Spanned};
use crate::spec::Body;

/// Whole names, or how they begin, and since when AWS has them; none: the history does not say.
static ATTRIBUTES: &[(Holder, &str, Option<&str>)] = &[
    (Holder::Balancer, SECONDARY_IPS, Some("July 2025")),
    (Holder::Balancer, CLIENT_ROUTING, Some("October 2023")),
    (
        Holder::Balancer,
        ENFORCE_ON_PRIVATE_LINK,
        Some("August 2023"),
    ),
    (Holder::Balancer, ZONAL_SHIFT, Some(ZONAL_SHIFT_SINCE)),
    (Holder::Group, PRESERVE_CLIENT_IP, Some("February 2021")),
    (Holder::Group, CROSS_ZONE, Some("November 2022")),
    (Holder::Group, "target_group_health.", Some("November 2022")),
    (Holder::Group, UNHEALTHY_TERMINATION, Some("October 2023")),
    // When these came is not in the history; the first needs the one above.
    (Holder::Group, UNHEALTHY_DRAINING, None),
    (Holder::Group, HEADER_PLACEMENT, None),
];

const ZONAL_SHIFT_SINCE: &str = "2022, across zones since 2024";

/// True of a lab whose balancers are those of the end of 2020.
pub(super) fn is_of_2020(body: &Body) -> bool {
    body.profile.value == "aws-2020"
}

/// Attributes and kinds of groups that are newer than the profile.
pub(super) fn check(body: &Body, sink: &mut Sink) {
    if !is_of_2020(body) {
        return;
    }
    for (_, section) in &body.load_balancers {
        if !section.is_classic() && !section.is_application() {
            attributes(body, Holder::Balancer, &section.attributes, sink);
            if let Some(zone) = &section.zonal_shift {
                let since = Some(ZONAL_SHIFT_SINCE);
                sink.push(too_new(body, zone.span, "`zonal_shift`", since));
            }
        }
    }
    for (_, section) in &body.target_groups {
        attributes(body, Holder::Group, &section.attributes, sink);
        let kinds = [
            ("target_type", &section.target_type, "alb", "September 2021"),
            (
                "ip_address_type",
                &section.ip_address_type,
                "ipv6",
                "November 2021",
            ),
        ];
        for (key, word, new, since) in kinds {
            if word.value == new {
                let what = format!("`{key}: {new}`");
                sink.push(too_new(body, word.span, &what, Some(since)));
            }
        }
    }
}

fn attributes(
    body: &Body,
    holder: Holder,
    written: &[(Spanned<String>, Spanned<String>)],
    sink: &mut Sink,
) {
    for (name, _) in written {
        let mut known = ATTRIBUTES.iter();
        let found =
            known.find(|(whose, start, _)| *whose == holder && name.value.starts_with(start));
        if let Some((_, _, since)) = found {
            sink.push(too_new(
                body,
                name.span,
                &format!("`{}`", name.value),
                *since,
            ));
        }
    }
}

/// Something that AWS has had since then only.
pub(super) fn too_new(body: &Body, span: Span, what: &str, since: Option<&str>) -> Diagnostic {
    Diagnostic::new(
        code::NEWER_THAN_PROFILE,
        span,
        format!("{what} is newer than `{}`", body.profile.value),
    )
    .label(match since {
        Some(since) => format!("AWS has it since {since}"),
        None => "AWS did not have it then".to_owned(),
    })
    .also(body.profile.span, "the profile")
    .help("remove it, or use `profile: aws-current`")
}
