//! Words of findings: names of connections, counts, lists, times.

use super::distinct;
use crate::evidence::Evidence;
use crate::verdict::trace::{Trace, by_address, ip};

/// `"old"`
pub(super) fn quoted(trace: &Trace, connection: usize) -> String {
    format!("\"{}\"", trace.name(connection))
}

/// `"a"`, `"a" and "b"`, `"a", "b", "c" and 9 more`
pub(super) fn name_all(trace: &Trace, connections: &[usize]) -> String {
    let mut names: Vec<String> = connections
        .iter()
        .take(3)
        .map(|c| quoted(trace, *c))
        .collect();
    if connections.len() > 4 {
        return format!("{} and {} more", names.join(", "), connections.len() - 3);
    }
    names.extend(connections.iter().skip(3).map(|c| quoted(trace, *c)));
    join(&names)
}

/// Of a finding that tells the first of them: ` It is so with 2 connections: "a" and "b".`, and nothing where there is no other.
pub(super) fn so_with(trace: &Trace, connections: &[usize]) -> String {
    match connections {
        [] | [_] => String::new(),
        several => format!(
            " It is so with {}: {}.",
            count(several.len(), "connection"),
            name_all(trace, several)
        ),
    }
}

/// `a`, `a and b`, `a, b and c`
pub(super) fn join(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// `a`, `a and b`, `a, b, c and 9 more`
pub(super) fn first_few(words: &[String]) -> String {
    match words {
        [a, b, c, rest @ ..] if rest.len() > 1 => format!("{a}, {b}, {c} and {} more", rest.len()),
        _ => join(words),
    }
}

/// `1 SYN`, `3 SYNs`
pub(super) fn count(n: usize, noun: &str) -> String {
    if n == 1 {
        format!("1 {noun}")
    } else {
        format!("{n} {noun}s")
    }
}

/// `load_balancers.front`, `load_balancers["front-1"]`: an item of a map, as expressions name it.
pub(super) fn item(map: &str, name: &str) -> String {
    if name.contains(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_') {
        format!("{map}[\"{name}\"]")
    } else {
        format!("{map}.{name}")
    }
}

/// `load_balancers.front.zones.a.in_dns`: a fact of one zone of a balancer.
pub(super) fn of_zone(balancer: &str, zone: &str, fact: &str) -> String {
    let zones = format!("{}.zones", item("load_balancers", balancer));
    format!("{}.{fact}", item(&zones, zone))
}

/// `front-1` of `load_balancers["front-1"].flows`: the name that [`item`] made a path of. None: it is another map's.
pub fn item_of<'a>(map: &str, path: &'a str) -> Option<&'a str> {
    let rest = path.strip_prefix(map)?;
    match rest.strip_prefix("[\"") {
        Some(quoted) => Some(quoted.split_once("\"]")?.0),
        None => rest.strip_prefix('.')?.split('.').next(),
    }
}

/// The hosts that have these addresses, each with its port; each host once.
pub(super) fn hosts_at<'a>(
    evidence: &'a Evidence,
    ends: impl Iterator<Item = &'a str>,
) -> Vec<&'a str> {
    let by_address = by_address(evidence);
    distinct(ends.filter_map(|end| by_address.get(ip(end)).copied()))
}

/// `"new" (front/b)`, or the words for a connection with no way but the address.
pub(super) fn with_via(trace: &Trace, connection: usize) -> String {
    format!(
        "{} (by {})",
        quoted(trace, connection),
        trace.evidence.connections[connection].via
    )
}

/// Milliseconds for a sentence: `8.2 ms`, `1.02 s`.
pub(super) fn lapse(ms: f64) -> String {
    if ms < 1000.0 {
        format!("{ms:.1} ms")
    } else {
        format!("{:.2} s", ms / 1000.0)
    }
}

/// ` (60 s of the cloud's time)`, to follow a time; empty where both clocks are one.
pub(super) fn cloud(evidence: &Evidence, ms: f64) -> String {
    if evidence.time_scale == 1.0 {
        return String::new();
    }
    let seconds = ms * evidence.time_scale / 1000.0;
    format!(" ({seconds:.0} s of the cloud's time)")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::HostEvidence;

    #[test]
    fn long_lists_say_how_long_they_are() {
        let words = |count: usize| vec!["x".to_owned(); count];
        assert_eq!(first_few(&words(2)), "x and x");
        assert_eq!(first_few(&words(4)), "x, x, x and x");
        assert_eq!(first_few(&words(5)), "x, x, x and 2 more");
    }

    #[test]
    fn a_path_and_its_item_are_one_whatever_the_name() {
        for name in ["web1", "web-1", "a.b"] {
            let path = format!("{}.counters.TcpOutRsts", item("hosts", name));
            assert_eq!(item_of("hosts", &path), Some(name), "{path}");
        }
        assert_eq!(item_of("hosts", "load_balancers.front.flows"), None);
        assert_eq!(item_of("hosts", "hostsfile.x"), None);
    }

    #[test]
    fn a_host_has_addresses_of_both_families() {
        let mut evidence = Evidence::default();
        let host = HostEvidence {
            address: "10.0.0.10".into(),
            ipv6: "2001:db8::10".into(),
            ..HostEvidence::default()
        };
        evidence
            .hosts
            .insert("other".into(), HostEvidence::default());
        evidence.hosts.insert("web1".into(), host);
        let ends = ["10.0.0.10:80", "", "10.0.0.9:80", "[2001:db8::10]:80"];
        assert_eq!(hosts_at(&evidence, ends.into_iter()), ["web1"]);
    }
}
