//! AWS attributes by their AWS names: which exist and what they may say.
//!
//! The table is the elbv2 API's list for Network and Application Load Balancers, and the elb API's for classic ones. What it does
//! not do is act: see `groups` and `balancers`. Attributes about logs to S3 and deletion change no packet.

pub(super) use super::holder::Holder;

use super::Sink;
use super::meanings::meaning;
use crate::diag::codes::{classic, plan as code};
use crate::diag::{Diagnostic, Spanned};

/// Cross-zone, of a classic balancer.
pub(super) const CLASSIC_CROSS_ZONE: &str = "CrossZoneLoadBalancing.Enabled";
/// Cross-zone, of a balancer or of a target group.
pub(super) const CROSS_ZONE: &str = "load_balancing.cross_zone.enabled";
/// Client IP preservation, of a target group.
pub(super) const PRESERVE_CLIENT_IP: &str = "preserve_client_ip.enabled";
/// PROXY protocol, of a target group.
pub(super) const PROXY_PROTOCOL: &str = "proxy_protocol_v2.enabled";
/// When its header is sent.
pub(super) const HEADER_PLACEMENT: &str = "proxy_protocol_v2.client_to_server.header_placement";
/// Idle limit of a TCP listener's flows.
pub(super) const TCP_IDLE: &str = "tcp.idle_timeout.seconds";
/// Idle limit of an application balancer's connections.
pub(super) const APPLICATION_IDLE: &str = "idle_timeout.timeout_seconds";
/// How long an application balancer keeps a client's connection at most.
pub(super) const CLIENT_KEEP_ALIVE: &str = "client_keep_alive.seconds";
/// What an application balancer does with X-Forwarded-For.
pub(super) const FORWARDED_FOR: &str = "routing.http.xff_header_processing.mode";
/// Whether it writes the client's port there, too.
pub(super) const FORWARDED_FOR_PORT: &str = "routing.http.xff_client_port.enabled";
/// Idle limit of a classic balancer's connections.
pub(super) const CLASSIC_IDLE: &str = "ConnectionSettings.IdleTimeout";
/// PROXY protocol, of a classic balancer.
pub(super) const CLASSIC_PROXY_PROTOCOL: &str = "ProxyProtocolPolicyType.ProxyProtocol";
/// Connections to an instance that is taken out of a classic balancer go on for a while.
pub(super) const CLASSIC_DRAINING: &str = "ConnectionDraining.Enabled";
/// For how long.
pub(super) const CLASSIC_DRAINING_TIMEOUT: &str = "ConnectionDraining.Timeout";

/// Further addresses in each zone, for connections to targets.
pub(super) const SECONDARY_IPS: &str = "secondary_ips.auto_assigned.per_subnet";
/// Whether a zonal shift may be started.
pub(super) const ZONAL_SHIFT: &str = "zonal_shift.config.enabled";
/// Flows of a target that has become unhealthy are reset.
pub(super) const UNHEALTHY_TERMINATION: &str =
    "target_health_state.unhealthy.connection_termination.enabled";
/// How long they go on before that.
pub(super) const UNHEALTHY_DRAINING: &str =
    "target_health_state.unhealthy.draining_interval_seconds";
/// How long a deregistered target keeps its flows.
pub(super) const DEREGISTRATION_DELAY: &str = "deregistration_delay.timeout_seconds";
/// Whether they are ended then.
pub(super) const DEREGISTRATION_TERMINATION: &str =
    "deregistration_delay.connection_termination.enabled";
/// How an application balancer chooses a target.
pub(super) const ALGORITHM: &str = "load_balancing.algorithm.type";
/// A client's flows go to one target, of a target group.
pub(super) const STICKINESS: &str = "stickiness.enabled";
/// How long a client of an HTTP group stays with its target after each answer.
pub(super) const COOKIE_DURATION: &str = "stickiness.lb_cookie.duration_seconds";
/// By what a client is known.
pub(super) const STICKINESS_TYPE: &str = "stickiness.type";
/// Whether the internet is kept away from a balancer's IPv6 addresses. AWS: false, and true of an internal one.
pub(super) const DENY_IPV6: &str = "ipv6.deny_all_igw_traffic";
/// Which zones a host is told of.
pub(super) const CLIENT_ROUTING: &str = "dns_record.client_routing_policy";

/// Whether a balancer's inbound rules are for what comes by PrivateLink. AWS: `on`; a parameter of SetSecurityGroups.
pub(super) const ENFORCE_ON_PRIVATE_LINK: &str =
    "EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic";

/// What a value may be.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Bool,
    Seconds {
        min: u64,
        max: u64,
    },
    Number {
        min: u64,
        max: u64,
    },
    /// A number, or the word `off`.
    NumberOrOff {
        min: u64,
        max: u64,
    },
    Word(&'static [&'static str]),
    Text,
}

#[derive(Debug)]
struct Attribute {
    holder: Holder,
    name: &'static str,
    kind: Kind,
}

const fn attribute(holder: Holder, name: &'static str, kind: Kind) -> Attribute {
    Attribute { holder, name, kind }
}

/// Duration-based stickiness of a Classic Load Balancer's HTTP listeners.
pub(super) const COOKIE_STICKINESS: &str = "LBCookieStickinessPolicyType.CookieExpirationPeriod";
/// The policy of a Classic Load Balancer by which an application's own cookie decides.
const APP_COOKIE: &str = "AppCookieStickinessPolicyType";
/// A week of weeks: AWS names no limit.
const LONGEST_COOKIE: u64 = 4_233_600;

const COUNT: Kind = Kind::NumberOrOff { min: 1, max: 1000 };
const PERCENT: Kind = Kind::NumberOrOff { min: 1, max: 100 };

/// Sources: elbv2 API 2015-12-01, and the Network Load Balancer guide (attributes of load balancers, target
/// groups and listeners).
#[rustfmt::skip]
static ATTRIBUTES: &[Attribute] = &[
    attribute(Holder::Balancer, ENFORCE_ON_PRIVATE_LINK, Kind::Word(&["on", "off"])),
    attribute(Holder::Balancer, "access_logs.s3.bucket", Kind::Text),
    attribute(Holder::Balancer, "access_logs.s3.enabled", Kind::Bool),
    attribute(Holder::Balancer, "access_logs.s3.prefix", Kind::Text),
    attribute(Holder::Balancer, "deletion_protection.enabled", Kind::Bool),
    attribute(Holder::Balancer, CLIENT_ROUTING,
        Kind::Word(&["any_availability_zone", "partial_availability_zone_affinity", "availability_zone_affinity"])),
    attribute(Holder::Balancer, DENY_IPV6, Kind::Bool),
    attribute(Holder::Balancer, CROSS_ZONE, Kind::Bool),
    attribute(Holder::Balancer, SECONDARY_IPS, Kind::Number { min: 0, max: 7 }),
    attribute(Holder::Balancer, ZONAL_SHIFT, Kind::Bool),
    attribute(Holder::Application, "access_logs.s3.bucket", Kind::Text),
    attribute(Holder::Application, "access_logs.s3.enabled", Kind::Bool),
    attribute(Holder::Application, "access_logs.s3.prefix", Kind::Text),
    attribute(Holder::Application, CLIENT_KEEP_ALIVE, Kind::Seconds { min: 60, max: 604_800 }),
    attribute(Holder::Application, "deletion_protection.enabled", Kind::Bool),
    attribute(Holder::Application, APPLICATION_IDLE, Kind::Seconds { min: 1, max: 4000 }),
    attribute(Holder::Application, CROSS_ZONE, Kind::Bool),
    attribute(Holder::Application, FORWARDED_FOR_PORT, Kind::Bool),
    attribute(Holder::Application, FORWARDED_FOR, Kind::Word(&["append", "preserve", "remove"])),
    attribute(Holder::Classic, "AccessLog.Enabled", Kind::Bool),
    attribute(Holder::Classic, CLASSIC_DRAINING, Kind::Bool),
    attribute(Holder::Classic, CLASSIC_DRAINING_TIMEOUT, Kind::Seconds { min: 1, max: 3600 }),
    attribute(Holder::Classic, CLASSIC_IDLE, Kind::Seconds { min: 1, max: 4000 }),
    attribute(Holder::Classic, CLASSIC_CROSS_ZONE, Kind::Bool),
    attribute(Holder::Classic, COOKIE_STICKINESS, Kind::Seconds { min: 0, max: LONGEST_COOKIE }),
    attribute(Holder::Classic, CLASSIC_PROXY_PROTOCOL, Kind::Bool),
    attribute(Holder::Group, DEREGISTRATION_TERMINATION, Kind::Bool),
    attribute(Holder::Group, DEREGISTRATION_DELAY, Kind::Seconds { min: 0, max: 3600 }),
    attribute(Holder::Group, ALGORITHM, Kind::Word(&["round_robin", "least_outstanding_requests"])),
    attribute(Holder::Group, CROSS_ZONE,
        Kind::Word(&["true", "false", "use_load_balancer_configuration"])),
    attribute(Holder::Group, PRESERVE_CLIENT_IP, Kind::Bool),
    attribute(Holder::Group, HEADER_PLACEMENT,
        Kind::Word(&["on_first_ack_with_payload", "on_first_ack"])),
    attribute(Holder::Group, PROXY_PROTOCOL, Kind::Bool),
    attribute(Holder::Group, STICKINESS, Kind::Bool),
    attribute(Holder::Group, COOKIE_DURATION, Kind::Seconds { min: 1, max: 604_800 }),
    attribute(Holder::Group, STICKINESS_TYPE, Kind::Word(&["source_ip", "lb_cookie", "app_cookie"])),
    attribute(Holder::Group, "target_group_health.dns_failover.minimum_healthy_targets.count", COUNT),
    attribute(Holder::Group, "target_group_health.dns_failover.minimum_healthy_targets.percentage", PERCENT),
    attribute(Holder::Group, "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count",
        Kind::Number { min: 1, max: 1000 }),
    attribute(Holder::Group, "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage", PERCENT),
    attribute(Holder::Group, UNHEALTHY_TERMINATION, Kind::Bool),
    attribute(Holder::Group, UNHEALTHY_DRAINING, Kind::Seconds { min: 0, max: 360_000 }),
    attribute(Holder::Listener, TCP_IDLE, Kind::Seconds { min: 60, max: 6000 }),
];

/// Every name, some more than once.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    ATTRIBUTES.iter().map(|attribute| attribute.name)
}

/// Those with such names, for people: whose they are, what they may be, and what they do.
pub(super) fn listed(wanted: impl Fn(&str) -> bool) -> String {
    let holders = [
        Holder::Balancer,
        Holder::Application,
        Holder::Classic,
        Holder::Listener,
        Holder::Group,
    ];
    let of = |holder: Holder| {
        let own = ATTRIBUTES.iter().filter(|a| a.holder == holder);
        let lines: Vec<String> = own
            .filter(|attribute| wanted(attribute.name))
            .map(|attribute| {
                let (name, takes) = (attribute.name, attribute.kind.takes());
                format!("- `{name}`: {takes}. {}\n", meaning(holder, name))
            })
            .collect();
        let head = format!("Attributes of {}:\n\n", holder.one());
        (!lines.is_empty()).then(|| head + &lines.concat())
    };
    let parts: Vec<String> = holders.into_iter().filter_map(of).collect();
    parts.join("\n")
}

impl Kind {
    /// In words.
    fn takes(self) -> String {
        match self {
            Kind::Bool => "`true` or `false`".to_owned(),
            Kind::Seconds { min, max } => format!("{min} to {max} seconds"),
            Kind::Number { min, max } => format!("a number, {min} to {max}"),
            Kind::NumberOrOff { min, max } => format!("a number, {min} to {max}, or `off`"),
            Kind::Word(words) => {
                let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
                quoted.join(" or ")
            }
            Kind::Text => "text".to_owned(),
        }
    }
}

/// An attribute list that was checked: only good values are found in it.
#[derive(Debug)]
pub(super) struct Checked<'a> {
    values: Vec<(&'static str, &'a Spanned<String>)>,
}

impl<'a> Checked<'a> {
    /// The text of an attribute that is written.
    pub(super) fn text(&self, name: &str) -> Option<&'a Spanned<String>> {
        self.values
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| *value)
    }

    /// A boolean, or its default.
    pub(super) fn flag(&self, name: &str, default: bool) -> bool {
        self.text(name)
            .map_or(default, |value| value.value == "true")
    }

    /// A number that is written.
    pub(super) fn number(&self, name: &str) -> Option<Spanned<u64>> {
        let text = self.text(name)?;
        let value = text.value.parse().ok()?;
        Some(Spanned::new(value, text.span))
    }
}

/// Checks names and values.
pub(super) fn check<'a>(
    holder: Holder,
    written: &'a [(Spanned<String>, Spanned<String>)],
    sink: &mut Sink,
) -> Checked<'a> {
    let mut values = Vec::new();
    for (name, value) in written {
        let found = ATTRIBUTES
            .iter()
            .find(|a| a.holder == holder && a.name == name.value);
        let Some(attribute) = found else {
            sink.push(unknown(holder, name, sink));
            continue;
        };
        if let Some(problem) = malformed(attribute, value) {
            sink.push(problem);
            continue;
        }
        values.push((attribute.name, value));
    }
    Checked { values }
}

fn unknown(holder: Holder, name: &Spanned<String>, sink: &Sink) -> Diagnostic {
    if let Some(other) = ATTRIBUTES.iter().find(|a| a.name == name.value) {
        return Diagnostic::new(
            code::ATTRIBUTE_ELSEWHERE,
            name.span,
            format!("`{}` is an attribute of {}", name.value, other.holder.one()),
        )
        .label(format!("this is {}", holder.one()))
        .help(place_of(other.holder, holder));
    }
    let policy = name.value.split('.').next().unwrap_or_default();
    if holder == Holder::Classic && policy == APP_COOKIE {
        return Diagnostic::new(
            classic::STICKY,
            name.span,
            format!("`{policy}` is not emulated yet"),
        )
        .label("sticky sessions by an application's own cookie")
        .help(format!(
            "write `{COOKIE_STICKINESS}: 60`, the balancer's cookie, or remove it"
        ));
    }
    let names = ATTRIBUTES
        .iter()
        .filter(|a| a.holder == holder)
        .map(|a| a.name);
    let help = sink.help(&name.value, names);
    Diagnostic::new(
        code::ATTRIBUTE_UNKNOWN,
        name.span,
        format!("no {} attribute is called `{}`", holder.name(), name.value),
    )
    .label(match holder {
        Holder::Application => {
            "an Application Load Balancer has none of this name, or it is not emulated"
        }
        Holder::Classic => "a Classic Load Balancer has none of this name, or it is not emulated",
        Holder::Group => "AWS has none of this name, or it is not emulated",
        Holder::Balancer | Holder::Listener => {
            "a Network Load Balancer has none of this name, or it is not emulated"
        }
    })
    .help(help)
}

/// Where an attribute belongs that does not belong here.
fn place_of(holder: Holder, here: Holder) -> String {
    match (holder.kind(), here.kind()) {
        (Some(kind), Some(_)) => {
            format!("take it out, or make this another balancer: `type: {kind}`")
        }
        (Some(_), None) => "write it under `load_balancers.NAME.attributes`".to_owned(),
        (None, _) if holder == Holder::Group => {
            "write it under `target_groups.NAME.attributes`".to_owned()
        }
        (None, _) => {
            "write it under a listener: `80: { target_group: web, attributes: { ... } }`".to_owned()
        }
    }
}

fn malformed(attribute: &Attribute, value: &Spanned<String>) -> Option<Diagnostic> {
    let text = value.value.as_str();
    let within = |min: u64, max: u64| {
        text.parse::<u64>()
            .is_ok_and(|number| (min..=max).contains(&number))
    };
    let (good, wanted) = match attribute.kind {
        Kind::Bool => (
            matches!(text, "true" | "false"),
            "`true` or `false`".to_owned(),
        ),
        Kind::Seconds { min, max } => (
            within(min, max),
            format!("whole seconds of cloud time, {min} to {max}"),
        ),
        Kind::Number { min, max } => (within(min, max), format!("a number from {min} to {max}")),
        Kind::NumberOrOff { min, max } => (
            text == "off" || within(min, max),
            format!("`off` or a number from {min} to {max}"),
        ),
        Kind::Word(words) => (
            words.contains(&text),
            words
                .iter()
                .map(|word| format!("`{word}`"))
                .collect::<Vec<_>>()
                .join(" or "),
        ),
        Kind::Text => (true, String::new()),
    };
    if good {
        return None;
    }
    Some(
        Diagnostic::new(
            code::ATTRIBUTE_VALUE,
            value.span,
            format!("`{}` cannot be `{text}`", attribute.name),
        )
        .help(format!("write {wanted}")),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::{Code, Span};

    fn problems(holder: Holder, name: &str, value: &str) -> Vec<Code> {
        let spanned = |text: &str| Spanned::new(text.to_owned(), Span::default());
        let mut sink = Sink::default();
        let written = [(spanned(name), spanned(value))];
        check(holder, &written, &mut sink);
        sink.problems.sorted().iter().map(|d| d.code).collect()
    }

    #[test]
    fn values_are_typed() {
        assert_eq!(problems(Holder::Balancer, CROSS_ZONE, "true"), []);
        assert_eq!(
            problems(Holder::Balancer, CROSS_ZONE, "yes"),
            [code::ATTRIBUTE_VALUE]
        );
        assert_eq!(
            problems(Holder::Group, CROSS_ZONE, "use_load_balancer_configuration"),
            []
        );
        assert_eq!(
            problems(Holder::Listener, TCP_IDLE, "59"),
            [code::ATTRIBUTE_VALUE]
        );
        assert_eq!(problems(Holder::Listener, TCP_IDLE, "6000"), []);
    }

    #[test]
    fn an_attribute_of_another_section_is_told_from_one_that_does_not_exist() {
        assert_eq!(
            problems(Holder::Balancer, PRESERVE_CLIENT_IP, "false"),
            [code::ATTRIBUTE_ELSEWHERE]
        );
        assert_eq!(
            problems(Holder::Group, "preserve_client_ip", "false"),
            [code::ATTRIBUTE_UNKNOWN]
        );
    }
}
