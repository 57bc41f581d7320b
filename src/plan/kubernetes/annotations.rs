//! Annotations of the AWS Load Balancer Controller, by their names.
//!
//! Source: its documentation, "Service annotations", and `pkg/service/model_builder.go` for the defaults. What an
//! attribute may be is the business of `attributes`, what a health check may be that of `checks`.

use crate::diag::codes::kubernetes as code;
use crate::diag::{Diagnostic, Span, Spanned};
use crate::plan::sink::Sink;
use crate::spec::HealthCheck;

/// What all of them begin with.
pub(in crate::plan) const PREFIX: &str = "service.beta.kubernetes.io/aws-load-balancer-";

/// Their names behind that, each with what it may be.
const NAMES: &[(&str, &str)] = &[
    ("attributes", PAIRS),
    ("cross-zone-load-balancing-enabled", "`true` or `false`"),
    ("healthcheck-healthy-threshold", "a number of checks"),
    ("healthcheck-interval", "seconds"),
    ("healthcheck-path", "`/healthz`"),
    ("healthcheck-port", "`traffic-port`, or a port"),
    ("healthcheck-protocol", "`TCP`, `HTTP` or `HTTPS`"),
    ("healthcheck-success-codes", "`200`, `200,202` or `200-399`"),
    ("healthcheck-timeout", "seconds"),
    ("healthcheck-unhealthy-threshold", "a number of checks"),
    (
        "internal",
        "`true` or `false`: an older word for `scheme`, which goes before it",
    ),
    ("ip-address-type", "`ipv4`"),
    ("nlb-target-type", "`instance` or `ip`"),
    ("proxy-protocol", "`*`"),
    ("scheme", "`internal` or `internet-facing`"),
    (
        "security-groups",
        "security groups of the lab by name, with commas between; rules of the nodes' groups are not written by themselves",
    ),
    ("target-group-attributes", PAIRS),
    ("type", "`external`, `nlb` or `nlb-ip`"),
];
/// Others that the controller has, with what is behind the dot of some, and that mean nothing here.
const NOT_EMULATED: &[&str] = &[
    "access-log-enabled",
    "access-log-s3-bucket-name",
    "access-log-s3-bucket-prefix",
    "actions.",
    "additional-resource-tags",
    "alpn-policy",
    "backend-protocol",
    "disable-nlb-sg",
    "eip-allocations",
    "eip-allocations-discovery-tags",
    "enable-icmp-for-path-mtu-discovery",
    "enable-prefix-for-ipv6-source-nat",
    "enable-tcp-udp-listener",
    "inbound-sg-rules-on-private-link-traffic",
    "ipv6-addresses",
    "manage-backend-security-group-rules",
    "minimum-load-balancer-capacity",
    "multi-cluster-target-group",
    "name",
    "private-ipv4-addresses",
    "proxy-protocol-per-target-group",
    "quic-enabled-ports",
    "security-group-prefix-lists",
    "source-nat-ipv6-prefixes",
    "ssl-cert",
    "ssl-negotiation-policy",
    "ssl-ports",
    "subnets",
    "target-group-attributes.",
    "target-node-labels",
];
/// One that has a prefix of its own, and means nothing here.
const SOURCE_RANGES: &str = "service.beta.kubernetes.io/load-balancer-source-ranges";
/// What annotations of attributes may be.
const PAIRS: &str = "pairs with commas between: `load_balancing.cross_zone.enabled=true`";
/// `...-listener-attributes.TCP-80`
const LISTENER: &str = "listener-attributes.";
/// The attribute that an older annotation stands for.
const CROSS_ZONE: &str = "load_balancing.cross_zone.enabled";
const PROXY_PROTOCOL: &str = "proxy_protocol_v2.enabled";

/// AWS's names and values, each with the place of its annotation.
pub(in crate::plan) type Attributes = Vec<(Spanned<String>, Spanned<String>)>;

/// What annotations say, as the sections of a balancer and a target group would.
#[derive(Debug, Default)]
pub(in crate::plan) struct Wishes {
    /// `instance` or `ip`
    pub(in crate::plan) target_type: Option<Spanned<String>>,
    /// `internal` or `internet-facing`
    pub(in crate::plan) scheme: Option<Spanned<String>>,
    /// The same by the older `internal`, where that is written.
    legacy_scheme: Option<Spanned<String>>,
    /// Of the balancer.
    pub(in crate::plan) attributes: Attributes,
    /// Of its target groups.
    pub(in crate::plan) group_attributes: Attributes,
    /// Of listeners, by protocol and port: `TCP-80`.
    pub(in crate::plan) listener_attributes: Vec<(Spanned<String>, Attributes)>,
    /// Of the balancer.
    pub(in crate::plan) security_groups: Vec<Spanned<String>>,
    /// `healthcheck-*`, without that.
    pub(in crate::plan) checks: Vec<(&'static str, Spanned<String>)>,
}

/// Every name, without what all begin with.
pub(in crate::plan) fn names() -> impl Iterator<Item = &'static str> {
    NAMES.iter().map(|(name, _)| *name)
}

/// Those with such names, for people: what they may be.
pub(in crate::plan) fn listed(wanted: impl Fn(&str) -> bool) -> String {
    let named = NAMES.iter().filter(|(name, _)| wanted(name));
    let mut lines: Vec<String> = named
        .map(|(name, takes)| format!("- `{PREFIX}{name}`: {takes}\n"))
        .collect();
    if wanted(LISTENER) {
        lines.push(format!("- `{PREFIX}{LISTENER}TCP-80`: {PAIRS}\n"));
    }
    match lines.is_empty() {
        true => String::new(),
        false => format!("Annotations of a service:\n\n{}", lines.concat()),
    }
}

/// Reads annotations, and says what is wrong with them.
pub(in crate::plan) fn read(
    written: &[(Spanned<String>, Spanned<String>)],
    ports: &[String],
    sink: &mut Sink,
) -> Wishes {
    let mut wishes = Wishes::default();
    for (name, value) in written {
        let short = name.value.strip_prefix(PREFIX);
        if let Some(port) = short.and_then(|short| short.strip_prefix(LISTENER)) {
            listener(name, port, value, ports, &mut wishes, sink);
            continue;
        }
        let known = short.and_then(|short| names().find(|known| *known == short));
        match known {
            Some(known) => one(known, value, &mut wishes, sink),
            None => sink.push(unknown(name, sink)),
        }
    }
    wishes.scheme = wishes.scheme.or(wishes.legacy_scheme.take());
    wishes
}

fn is_of_the_controller(short: &str) -> bool {
    NOT_EMULATED.iter().any(|known| match known.ends_with('.') {
        true => short.starts_with(known),
        false => short == *known,
    })
}

fn unknown(name: &Spanned<String>, sink: &Sink) -> Diagnostic {
    let short = name.value.strip_prefix(PREFIX);
    if short.is_some_and(is_of_the_controller) || name.value == SOURCE_RANGES {
        return Diagnostic::new(
            code::ANNOTATION_UNKNOWN,
            name.span,
            format!("the annotation `{}` is not emulated", name.value),
        )
        .label("the controller has it, and nothing here would follow it")
        .help("`hairpin explain annotations` lists those that are");
    }
    let all: Vec<String> = names().map(|known| format!("{PREFIX}{known}")).collect();
    let help = match short {
        Some(short) => sink.help(short, names()),
        None => sink.help(&name.value, all.iter().map(String::as_str)),
    };
    Diagnostic::new(
        code::ANNOTATION_UNKNOWN,
        name.span,
        format!("no annotation is called `{}`", name.value),
    )
    .label(format!("behind `{PREFIX}` there is none of this name"))
    .help(help)
}

fn one(name: &'static str, value: &Spanned<String>, wishes: &mut Wishes, sink: &mut Sink) {
    let flag = |attribute: &str| {
        let key = Spanned::new(attribute.to_owned(), value.span);
        (key, value.clone())
    };
    match name {
        "nlb-target-type" => wishes.target_type = word(name, value, &["instance", "ip"], sink),
        "scheme" => wishes.scheme = word(name, value, &["internal", "internet-facing"], sink),
        "internal" => {
            let flag = word(name, value, &["true", "false"], sink);
            wishes.legacy_scheme = flag.map(|flag| {
                let scheme = match flag.value.as_str() {
                    "true" => "internal",
                    _ => "internet-facing",
                };
                Spanned::new(scheme.to_owned(), flag.span)
            });
        }
        "type" => {
            let kind = word(name, value, &["external", "nlb", "nlb-ip"], sink);
            if kind.is_some_and(|kind| kind.value == "nlb-ip") {
                let ip = Spanned::new("ip".to_owned(), value.span);
                wishes.target_type.get_or_insert(ip);
            }
        }
        "ip-address-type" => {
            word(name, value, &["ipv4"], sink);
        }
        "security-groups" => {
            let groups = value.value.split(',').map(str::trim);
            let groups = groups.filter(|group| !group.is_empty());
            let groups = groups.map(|group| Spanned::new(group.to_owned(), value.span));
            wishes.security_groups.extend(groups);
        }
        "proxy-protocol" => {
            if let Some(all) = word(name, value, &["*"], sink) {
                let key = Spanned::new(PROXY_PROTOCOL.to_owned(), all.span);
                let on = Spanned::new("true".to_owned(), all.span);
                wishes.group_attributes.push((key, on));
            }
        }
        "cross-zone-load-balancing-enabled" => wishes.attributes.push(flag(CROSS_ZONE)),
        "attributes" => wishes.attributes.extend(pairs(name, value, sink)),
        "target-group-attributes" => wishes.group_attributes.extend(pairs(name, value, sink)),
        checks => {
            let check = checks.strip_prefix("healthcheck-").unwrap_or(checks);
            wishes.checks.push((check, value.clone()));
        }
    }
}

fn listener(
    name: &Spanned<String>,
    port: &str,
    value: &Spanned<String>,
    ports: &[String],
    wishes: &mut Wishes,
    sink: &mut Sink,
) {
    if !ports.iter().any(|known| known == port) {
        let help = sink.help(port, ports.iter().map(String::as_str));
        sink.push(
            Diagnostic::new(
                code::ANNOTATION_UNKNOWN,
                name.span,
                format!("the service has no listener `{port}`"),
            )
            .label("a protocol and a port of the service")
            .help(help),
        );
        return;
    }
    let attributes = pairs("listener-attributes", value, sink);
    let port = Spanned::new(port.to_owned(), name.span);
    wishes.listener_attributes.push((port, attributes));
}

fn word(
    name: &str,
    value: &Spanned<String>,
    words: &[&str],
    sink: &mut Sink,
) -> Option<Spanned<String>> {
    if words.contains(&value.value.as_str()) {
        return Some(value.clone());
    }
    let known: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    sink.push(wrong(name, value).help(format!("write {}", known.join(" or "))));
    None
}

fn wrong(name: &str, value: &Spanned<String>) -> Diagnostic {
    Diagnostic::new(
        code::ANNOTATION_VALUE,
        value.span,
        format!("`{name}` cannot be `{}`", value.value),
    )
}

/// `a=1,b=2`
fn pairs(name: &str, value: &Spanned<String>, sink: &mut Sink) -> Attributes {
    let mut found = Vec::new();
    for pair in value.value.split(',') {
        let Some((key, text)) = pair.split_once('=') else {
            sink.push(
                wrong(name, value)
                    .label(format!("`{}` is no pair", pair.trim()))
                    .help("write pairs with commas between: `preserve_client_ip.enabled=false,stickiness.enabled=true`"),
            );
            continue;
        };
        let spanned = |text: &str| Spanned::new(text.trim().to_owned(), value.span);
        found.push((spanned(key), spanned(text)));
    }
    found
}

/// The controller's health check; none, when an annotation is wrong.
///
/// Its defaults: TCP on the traffic port, interval 10 s, timeout 10 s, three checks either way. Where traffic stays local,
/// nodes without a pod answer nobody, so that it is HTTP, `/healthz` on the `healthCheckNodePort`, timeout 6 s, two checks.
pub(in crate::plan) fn health_check(
    wishes: &Wishes,
    local: Option<u16>,
    span: Span,
    sink: &mut Sink,
) -> Option<HealthCheck> {
    let place = wishes.checks.first().map_or(span, |(_, first)| first.span);
    let written = |name: &str| {
        let mut checks = wishes.checks.iter();
        checks
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value.clone())
    };
    let text = |name: &str, default: &str| {
        written(name).unwrap_or_else(|| Spanned::new(default.to_owned(), place))
    };
    let protocol = {
        let upper = text("protocol", if local.is_some() { "HTTP" } else { "TCP" });
        let upper = Spanned::new(upper.value.to_ascii_uppercase(), upper.span);
        word(
            "healthcheck-protocol",
            &upper,
            &["TCP", "HTTP", "HTTPS"],
            sink,
        )?
    };
    let over_http = protocol.value != "TCP";
    let (seconds, times) = match local {
        Some(_) => (6, 2),
        None => (10, 3),
    };
    let mut number = |name: &'static str, range: std::ops::RangeInclusive<u64>, default: u64| {
        let Some(value) = written(name) else {
            return Spanned::new(default, place);
        };
        let found = value
            .value
            .parse()
            .ok()
            .filter(|number| range.contains(number));
        if found.is_none() {
            let name = format!("healthcheck-{name}");
            let (least, most) = (range.start(), range.end());
            sink.push(wrong(&name, &value).help(format!("write a number from {least} to {most}")));
        }
        Spanned::new(found.unwrap_or(default), value.span)
    };
    let thresholds = |number: Spanned<u64>| {
        Spanned::new(u32::try_from(number.value).unwrap_or(u32::MAX), number.span)
    };
    Some(HealthCheck {
        span,
        interval: number("interval", 5..=300, 10),
        timeout: Some(number("timeout", 2..=120, seconds)),
        healthy_threshold: thresholds(number("healthy-threshold", 2..=10, times)),
        unhealthy_threshold: thresholds(number("unhealthy-threshold", 2..=10, times)),
        path: written("path").or_else(|| {
            let path = if local.is_some() { "/healthz" } else { "/" };
            over_http.then(|| Spanned::new(path.to_owned(), place))
        }),
        port: match local {
            Some(port) => text("port", &port.to_string()),
            None => text("port", "traffic-port"),
        },
        matcher: written("success-codes"),
        protocol,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scheme(written: &[(&str, &str)]) -> Option<String> {
        let spanned = |text: String| Spanned::new(text, Span::default());
        let written: Vec<_> = written
            .iter()
            .map(|(name, value)| {
                let name = format!("{PREFIX}{name}");
                (spanned(name), spanned((*value).to_owned()))
            })
            .collect();
        let mut sink = Sink::default();
        let wishes = read(&written, &[], &mut sink);
        assert!(sink.problems.is_empty(), "{:?}", sink.problems);
        wishes.scheme.map(|scheme| scheme.value)
    }

    #[test]
    fn the_older_word_for_the_scheme_is_known_and_the_newer_one_goes_before_it() {
        let some = |scheme: &str| Some(scheme.to_owned());
        assert_eq!(scheme(&[]), None);
        assert_eq!(scheme(&[("internal", "true")]), some("internal"));
        assert_eq!(scheme(&[("internal", "false")]), some("internet-facing"));
        let newer = ("scheme", "internet-facing");
        assert_eq!(
            scheme(&[newer, ("internal", "true")]),
            some("internet-facing")
        );
        assert_eq!(
            scheme(&[("internal", "true"), newer]),
            some("internet-facing")
        );
    }
}
