//! `port-exhaustion`: a balancer that puts its own address in front of the client's ran out of source ports toward
//! a target; or a NAT gateway, or a host whose kernel translates, toward a destination.
//!
//! Observed on: AWS Network Load Balancers without client IP preservation and PrivateLink: 55,000 at a time or a minute
//! for each zonal address and target, counted as `PortAllocationErrorCount`. AWS NAT gateways: as many for each of their addresses
//! and destination, counted as `ErrorPortAllocation`; Azure and Google have a number for each host.

use super::{
    cite, cite_records, connections_of, count, distinct, dropped, first_few, item, name_all,
};
use crate::evidence::{Evidence, GatewayEvidence, HostEvidence};
use crate::verdict::Finding;
use crate::verdict::trace::{Trace, is_at, is_syn};
use std::collections::{BTreeMap, HashSet};

pub(super) const KIND: &str = "port-exhaustion";

pub(super) fn find(trace: &Trace) -> Option<Finding> {
    let evidence = trace.evidence;
    let dropped = dropped(trace, "port-allocation");
    let counted = evidence.drops.get("port-allocation").copied().unwrap_or(0);
    let total = dropped.len().max(counted.unsigned_abs() as usize);
    if total == 0 {
        return None;
    }
    let connections = connections_of(trace, dropped.iter().copied());
    let balancers: Vec<String> = evidence
        .load_balancers
        .iter()
        .filter_map(|(name, b)| {
            let errors = b
                .metrics
                .get("PortAllocationErrorCount")
                .filter(|n| **n > 0)?;
            Some(format!("{name} (PortAllocationErrorCount {errors})"))
        })
        .collect();
    let gateways: Vec<String> = evidence
        .nat_gateways
        .iter()
        .filter_map(|(name, gateway)| {
            let (metric, errors) = errors(gateway)?;
            Some(format!("{name} ({metric} {errors})"))
        })
        .collect();
    let toward = match (balancers.is_empty(), gateways.is_empty()) {
        (true, false) => "destination",
        (false, false) => "target or destination",
        (_, true) => "target",
    };
    let datagrams = dropped.iter().any(|p| trace.sent(*p).protocol != "tcp");
    let what = if datagrams { "packet" } else { "SYN" };
    let all = [balancers, gateways].concat();
    let who = if all.is_empty() {
        "The balancer".to_owned()
    } else {
        super::join(&all)
    };
    let whose = if connections.is_empty() {
        String::new()
    } else {
        format!(" of {}", name_all(trace, &connections))
    };
    let since = dropped.first().map(|p| trace.sent(*p).t);
    let full = since.map_or(String::new(), |since| full_pools(trace, since));
    Some(Finding {
        kind: KIND.into(),
        summary: format!(
            "{who} had no source port left toward its {toward}, so {}{whose} went nowhere.{full}",
            count(total, what)
        ),
        packets: cite(trace, dropped),
        connections,
        counters: Vec::new(),
        values: Vec::new(),
    })
}

/// A host whose kernel translates chose no source that is free for any SYN of some connections. It drops them where they would leave
/// (`insert_failed`), as it does one of two first packets that choose the same at the same moment; but then the next SYN gets through.
pub(super) fn at_hosts(trace: &Trace) -> Vec<Finding> {
    let evidence = trace.evidence;
    let failed = |host: &HostEvidence| {
        let counted = host.conntrack.counters.get("insert_failed").copied();
        counted.and_then(|n| usize::try_from(n).ok()).unwrap_or(0)
    };
    if evidence.hosts.values().all(|host| failed(host) == 0) {
        return Vec::new();
    }
    let mut died: BTreeMap<(&str, usize), Vec<usize>> = BTreeMap::new();
    let mut passed: HashSet<usize> = HashSet::new();
    for journey in trace.journeys() {
        let packet = &evidence.packets[journey.ended()];
        let syn = is_syn(&evidence.packets[journey.sent()]);
        let Some(connection) = journey.connection.filter(|_| syn) else {
            continue;
        };
        let host = packet.receiver.as_str();
        match evidence.hosts.get(host) {
            Some(own) if failed(own) > 0 && !is_at(own, &packet.to_after) => {
                died.entry((host, connection))
                    .or_default()
                    .push(journey.ended());
            }
            Some(_) => drop(passed.insert(connection)),
            // Lost before it came to anybody.
            None => {}
        }
    }
    died.retain(|(_, connection), syns| syns.len() > 1 && !passed.contains(connection));
    let hosts = distinct(died.keys().map(|(host, _)| *host));
    let found = hosts.into_iter().filter_map(|host| {
        let own = died.iter().filter(|((at, _), _)| *at == host);
        let connections: Vec<usize> = own.clone().map(|((_, connection), _)| *connection).collect();
        let syns: Vec<usize> = own.flat_map(|(_, syns)| syns.iter().copied()).collect();
        let insert_failed = failed(&evidence.hosts[host]);
        if insert_failed < syns.len() {
            return None;
        }
        let toward = connections.iter();
        let toward = distinct(toward.map(|c| evidence.connections[*c].remote.clone()));
        Some(Finding {
            kind: KIND.into(),
            summary: format!(
                "{host} translates, and its kernel had no source left toward {}: {} of {} came to it and did not leave. It tells \
                 nobody, and counts them as insert_failed.",
                first_few(&toward),
                count(syns.len(), "SYN"),
                name_all(trace, &connections),
            ),
            packets: cite_records(syns),
            connections,
            counters: Vec::new(),
            values: vec![(
                format!("{}.conntrack.insert_failed", item("hosts", host)),
                insert_failed.into(),
            )],
        })
    });
    found.collect()
}

/// Under which name a gateway counted packets that got no port, and how many.
fn errors(gateway: &GatewayEvidence) -> Option<(&str, i64)> {
    let names = [
        "ErrorPortAllocation",
        "SnatConnectionCount.Failed",
        "dropped_sent_packets_count.OUT_OF_RESOURCES",
    ];
    let counted = names
        .iter()
        .filter_map(|name| Some((*name, *gateway.metrics.get(*name)?)));
    let mut told = counted.filter(|(_, errors)| *errors > 0);
    told.next()
}

/// A balancer's own address, a target and its address: these share a number of ports.
type Pool<'a> = (&'a str, &'a str, &'a str);

/// What a pool's ports were last used for: by port, whether that is over, and by which endpoint it came.
type Ports<'a> = BTreeMap<&'a str, (bool, &'a str)>;

/// Where connections lead that end at a TLS listener: by zonal address, its port and the target's name.
fn behind_tls(evidence: &Evidence) -> BTreeMap<(&str, String, &str), &str> {
    let tls = evidence.pairs.iter().filter(|pair| pair.protocol == "TLS");
    tls.map(|pair| {
        let place = (
            pair.via.as_str(),
            pair.port.to_string(),
            pair.target.as_str(),
        );
        (place, pair.target_address.as_str())
    })
    .collect()
}

/// What the pools held at a moment when one of them was full: flows with a balancer's own address at their target, and
/// ports whose flows were over and which nobody had had since. The fullest are told, by endpoint.
fn full_pools(trace: &Trace, at: f64) -> String {
    let mut pools: BTreeMap<Pool, Ports> = BTreeMap::new();
    let ended = behind_tls(trace.evidence);
    for flow in &trace.evidence.flows {
        let over = ["closed", "expired"].contains(&flow.state.as_str()) && flow.last < at;
        let own = |end: &str| end.rsplit_once(':').map(|(address, _)| address.to_owned());
        if flow.opened > at {
            continue;
        }
        let (_, listener) = flow.listener.rsplit_once(':').unwrap_or_default();
        let target = flow.target.as_str();
        let (source, port, address) =
            match ended.get(&(flow.via.as_str(), listener.to_owned(), target)) {
                // Its port is that of another connection, and is taken before this one stands.
                Some(address) => (flow.via.as_str(), flow.client.as_str(), *address),
                None if own(&flow.seen_as) == own(&flow.client) => continue,
                None => {
                    let (source, port) = flow.seen_as.rsplit_once(':').unwrap_or_default();
                    (source, port, flow.target_address.as_str())
                }
            };
        let pool = (source, target, address);
        let ports = pools.entry(pool).or_default();
        // In the order in which they were opened: the last one counts.
        ports.insert(port, (over, &flow.endpoint));
    }
    let most = pools.values().map(BTreeMap::len).max();
    let mut text = String::new();
    for ((source, target, address), ports) in &pools {
        if Some(ports.len()) != most {
            continue;
        }
        let mut by: BTreeMap<&str, usize> = BTreeMap::new();
        for (_, endpoint) in ports.values().filter(|(over, _)| !over) {
            *by.entry(endpoint).or_default() += 1;
        }
        let total: usize = by.values().sum();
        let resting = match ports.len() - total {
            0 => String::new(),
            n => format!(
                " and {} at rest after connections that were over",
                count(n, "port")
            ),
        };
        let ways: Vec<String> = by
            .iter()
            .filter(|(endpoint, _)| !endpoint.is_empty())
            .map(|(endpoint, n)| format!("{n} by the endpoint {endpoint}"))
            .collect();
        let ways = match ways.as_slice() {
            [] => String::new(),
            some => format!(", {}", super::join(some)),
        };
        text.push_str(&format!(
            " When the first was dropped, {source} had {} to {target} ({address}){ways}{resting}.",
            count(total, "connection")
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::findings::stories::ways::no_source;
    use crate::verdict::kit::Kit;

    fn found(kit: &Kit) -> Vec<Finding> {
        at_hosts(&Trace::new(&kit.evidence))
    }

    #[test]
    fn a_kernel_that_translates_and_has_no_source_left() {
        let kit = no_source(true);
        let told = found(&kit).pop().expect("a finding");
        assert_eq!(
            told.summary,
            "web2 translates, and its kernel had no source left toward 10.0.1.10:80: 2 SYNs of \"visit\" came to it and did not leave. \
             It tells nobody, and counts them as insert_failed."
        );
        assert_eq!(told.packets, [0, 1]);
        // A third that a link lost before it came there has not passed.
        let mut third = no_source(true);
        let mut lost = third.evidence.packets[0].clone();
        (lost.id, lost.receiver, lost.fate) = (700, String::new(), "dropped: loss".into());
        third.evidence.packets.push(lost);
        assert_eq!(found(&third).len(), 1);
        // Of two that clash the next SYN gets through.
        let clash = no_source(false);
        assert!(found(&clash).is_empty());
        let mut other = no_source(true);
        let host = other.evidence.hosts.get_mut("web2").expect("the router");
        host.conntrack.counters.insert("insert_failed".into(), 1);
        assert!(found(&other).is_empty());
    }
}
