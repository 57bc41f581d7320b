//! Health checks: defaults by protocol, times scaled, ports and matchers read.

use crate::diag::codes::{health as code, http};
use crate::diag::{Diagnostic, Spanned};
use crate::fabric::config::{CheckProtocol, HealthCheck};
use crate::plan::Sink;
use crate::plan::clock::{Clock, show};
use crate::spec;
use std::ops::RangeInclusive;
use std::time::Duration;

/// AWS: cloud seconds after which an HTTP check has failed.
const HTTP_TIMEOUT: u64 = 6;
/// AWS: the same for Application Load Balancers.
const APPLICATION_TIMEOUT: u64 = 5;
/// AWS: the same for TCP and HTTPS.
const OTHER_TIMEOUT: u64 = 10;
/// AWS does not say how many there are, only that they agree by consensus: the fewest that can outvote one.
const CHECKERS: u8 = 3;
/// Scaled below this, a check that is merely late cannot be told from one that failed.
const SHORTEST_TIMEOUT: Duration = Duration::from_millis(50);
/// AWS: statuses a matcher may name for a Network Load Balancer.
const STATUSES: RangeInclusive<u16> = 200..=599;
/// AWS: the same for an Application Load Balancer.
const APPLICATION_STATUSES: RangeInclusive<u16> = 200..=499;
/// AWS: characters of a health check's path.
const LONGEST_PATH: usize = 1024;

/// A group's health check as the fabric takes it.
pub(in crate::plan) fn resolve(
    group: &spec::TargetGroup,
    clock: Clock,
    sink: &mut Sink,
) -> Option<HealthCheck> {
    let mut check = group.health_check.clone()?;
    let checkers = group.emulate.checkers.as_ref();
    let checkers = checkers.and_then(|checkers| u8::try_from(checkers.value).ok());
    let mut fewest = CHECKERS;
    let mut statuses = Statuses {
        pass: 200..=399,
        may_be_named: STATUSES,
    };
    if group.protocol.value == "HTTP" {
        fewest = 1;
        statuses.may_be_named = APPLICATION_STATUSES;
        of_requests(group, &mut check, sink);
    }
    Some(of(
        &check,
        &statuses,
        checkers.unwrap_or(fewest),
        clock,
        sink,
    ))
}

/// Defaults of an Application Load Balancer, whose checks are HTTP or HTTPS.
fn of_requests(group: &spec::TargetGroup, check: &mut spec::HealthCheck, sink: &mut Sink) {
    let or = |value| Spanned::new(value, check.span);
    let timeout = or(APPLICATION_TIMEOUT.min(check.interval.value));
    check.timeout.get_or_insert(timeout);
    let matcher = Spanned::new("200".to_owned(), check.span);
    check.matcher.get_or_insert(matcher);
    if check.protocol.value == "TCP" {
        sink.push(
            Diagnostic::new(
                http::CHECKED_OVER_TCP,
                check.protocol.span,
                "an HTTP group is checked over HTTP or HTTPS",
            )
            .also(group.protocol.span, "the group's protocol")
            .help("remove `protocol` from the health check"),
        );
        // The rest of it is right.
        check.protocol.value = "HTTP".to_owned();
    }
}

/// Statuses of the answers to a health check.
pub(super) struct Statuses {
    /// That pass, unless the check's matcher names others.
    pub(super) pass: RangeInclusive<u16>,
    /// That a matcher may name.
    pub(super) may_be_named: RangeInclusive<u16>,
}

/// A health check as the fabric takes it, of so many checkers of each zonal address.
pub(super) fn of(
    check: &spec::HealthCheck,
    statuses: &Statuses,
    checkers: u8,
    clock: Clock,
    sink: &mut Sink,
) -> HealthCheck {
    let protocol = match check.protocol.value.as_str() {
        "HTTP" => CheckProtocol::Http,
        "HTTPS" => CheckProtocol::Https,
        _ => CheckProtocol::Tcp,
    };
    only_over_http(check, protocol, sink);
    HealthCheck {
        protocol,
        port: port(&check.port, sink),
        path: path(check, sink),
        interval: clock.cloud(Duration::from_secs(check.interval.value)),
        timeout: timeout(check, protocol, clock, sink),
        healthy_threshold: check.healthy_threshold.value,
        unhealthy_threshold: check.unhealthy_threshold.value,
        matcher: match &check.matcher {
            Some(text) => matcher(text, &statuses.may_be_named, sink),
            None => vec![statuses.pass.clone()],
        },
        checkers,
    }
}

/// A TCP check asks for nothing and gets no status.
fn only_over_http(check: &spec::HealthCheck, protocol: CheckProtocol, sink: &mut Sink) {
    if protocol != CheckProtocol::Tcp {
        return;
    }
    let written = [("path", &check.path), ("matcher", &check.matcher)];
    for (name, field) in written {
        let Some(field) = field else { continue };
        sink.push(
            Diagnostic::new(
                code::CHECK_WITHOUT_HTTP,
                field.span,
                format!("a TCP health check has no `{name}`"),
            )
            .label("a handshake is all it does")
            .help(format!("add `protocol: HTTP`, or remove `{name}`")),
        );
    }
}

fn port(text: &Spanned<String>, sink: &mut Sink) -> Option<u16> {
    if text.value == "traffic-port" {
        return None;
    }
    let port = text.value.parse::<u16>().ok().filter(|port| *port > 0);
    if port.is_none() {
        sink.push(
            Diagnostic::new(
                code::CHECK_PORT,
                text.span,
                format!("`{}` is no port to check", text.value),
            )
            .help("write `traffic-port`, or a number from 1 to 65535"),
        );
    }
    port
}

fn path(check: &spec::HealthCheck, sink: &mut Sink) -> String {
    let Some(path) = &check.path else {
        return "/".to_owned();
    };
    let visible = path.value.chars().all(|c| c.is_ascii_graphic());
    if !path.value.starts_with('/') || !visible || path.value.len() > LONGEST_PATH {
        sink.push(
            Diagnostic::new(
                code::CHECK_PATH,
                path.span,
                "a health check cannot ask for this path",
            )
            .label("a path begins with `/`, has no spaces, and at most 1,024 characters")
            .help("write it as `/healthz` or `/status?full=1`"),
        );
    }
    path.value.clone()
}

/// The limit of one check. AWS wants it no longer than the interval; a default longer than that is cut.
fn timeout(
    check: &spec::HealthCheck,
    protocol: CheckProtocol,
    clock: Clock,
    sink: &mut Sink,
) -> Duration {
    let interval = check.interval.value;
    let default = match protocol {
        CheckProtocol::Http => HTTP_TIMEOUT,
        CheckProtocol::Tcp | CheckProtocol::Https => OTHER_TIMEOUT,
    };
    let (seconds, span) = match &check.timeout {
        Some(written) => (written.value, written.span),
        None => (default.min(interval), check.span),
    };
    if seconds > interval {
        sink.push(
            Diagnostic::new(
                code::CHECK_TIMEOUT_LONG,
                span,
                format!("a check may take {seconds} s, and the next one comes after {interval} s"),
            )
            .also(check.interval.span, "the interval")
            .help("a `timeout` is at most the `interval`"),
        );
    }
    let real = clock.cloud(Duration::from_secs(seconds));
    if real < SHORTEST_TIMEOUT {
        sink.push(
            Diagnostic::new(
                code::CHECK_TIMEOUT_SHORT,
                span,
                format!(
                    "a check's timeout of {seconds} s passes in {} of real time",
                    show(real)
                ),
            )
            .label("less than 50 ms: a busy machine would fail healthy targets")
            .help(format!(
                "`time_scale` of at most {} keeps it at 50 ms or more",
                seconds * 20
            )),
        );
    }
    real
}

/// `200`, `200,202`, `200-399`
fn matcher(
    text: &Spanned<String>,
    may_be_named: &RangeInclusive<u16>,
    sink: &mut Sink,
) -> Vec<RangeInclusive<u16>> {
    let parts = text.value.split(',');
    let parts = parts.map(|part| range(part.trim(), may_be_named));
    let Some(ranges) = parts.collect::<Option<Vec<_>>>() else {
        sink.push(
            Diagnostic::new(
                code::CHECK_MATCHER,
                text.span,
                format!("`{}` names no statuses", text.value),
            )
            .label(format!(
                "each from {} to {}",
                may_be_named.start(),
                may_be_named.end()
            ))
            .help("write it as `200`, `200,202` or `200-399`"),
        );
        return Vec::new();
    };
    ranges
}

fn range(part: &str, may_be_named: &RangeInclusive<u16>) -> Option<RangeInclusive<u16>> {
    let (first, last) = part.split_once('-').unwrap_or((part, part));
    let (first, last) = (first.parse().ok()?, last.parse().ok()?);
    let fits = first <= last && may_be_named.contains(&first) && may_be_named.contains(&last);
    fits.then_some(first..=last)
}
