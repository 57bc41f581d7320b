//! `stale-translation`: a connection to a service was opened with a host that is not behind it. A node still had the translation to an
//! endpoint that was taken out before, and another host has that endpoint's address by now.
//!
//! Connection tracking looks at its entries first, and at rules only for what has none: a SYN that is sent again, or that comes from
//! the same port, finds the entry of the first one. Observed on: Kubernetes nodes, kube-proxy in the mode iptables, whose CNI gives
//! addresses to new pods within `nf_conntrack_tcp_timeout_syn_sent`.
//! Not this: SYNs that follow such an entry and come to nobody (see `syn_unanswered`); connections that stood when their endpoint was
//! taken out; an endpoint that is still there under its own address.

use super::{CITED, count, distinct, join, lapse, name_all, quoted};
use crate::evidence::Detail;
use crate::verdict::Finding;
use crate::verdict::trace::{Trace, by_address, host_at, ip, is_syn};

pub(super) const KIND: &str = "stale-translation";

/// A connection to the wrong host.
struct Stale<'a> {
    connection: usize,
    /// `default/shop`
    service: &'a str,
    /// How long the endpoint had been out when the SYN was sent.
    after: f64,
    /// Records of its SYNs.
    syns: Vec<usize>,
}

/// An endpoint that came or went.
struct Moment<'a> {
    at: f64,
    there: bool,
    service: &'a str,
    cluster: &'a str,
    endpoint: &'a str,
}

pub(super) fn find(trace: &Trace) -> Option<Finding> {
    let stale = stale(trace);
    let first = stale.first()?;
    let connections: Vec<usize> = stale.iter().map(|one| one.connection).collect();
    let one = &trace.evidence.connections[first.connection];
    let address = ip(&one.target_address);
    let had = host_at(trace.evidence, &one.target_address);
    let others = connections.iter();
    let others = distinct(others.map(|c| trace.evidence.connections[*c].target.clone()));
    let mut packets: Vec<usize> = stale
        .iter()
        .flat_map(|one| &one.syns)
        .copied()
        .take(CITED)
        .collect();
    packets.sort_unstable();
    Some(Finding {
        kind: KIND.into(),
        summary: format!(
            "{} ({}) to {} came to {}, which {} not behind it. {} has {address} now, which {} had; that one was taken out of the service \
             {} before {} sent the SYN that was answered. A node still had the translation of an earlier SYN of the same addresses and \
             ports, and asked its rules for nothing.",
            count(stale.len(), "connection"),
            name_all(trace, &connections),
            first.service,
            join(&others),
            if others.len() == 1 { "is" } else { "are" },
            one.target,
            had.unwrap_or("a pod"),
            lapse(first.after),
            quoted(trace, first.connection),
        ),
        packets,
        connections,
        counters: Vec::new(),
        values: Vec::new(),
    })
}

fn stale<'a>(trace: &Trace<'a>) -> Vec<Stale<'a>> {
    let moments = moments(trace);
    if moments.is_empty() {
        return Vec::new();
    }
    let evidence = trace.evidence;
    let owners = by_address(evidence);
    let mut syns: Vec<Vec<usize>> = vec![Vec::new(); evidence.connections.len()];
    for journey in trace.journeys() {
        let sent = journey.sent();
        if let Some(connection) = journey.connection
            && journey.toward_target
            && is_syn(&evidence.packets[sent])
        {
            syns[connection].push(sent);
        }
    }
    let connections = evidence.connections.iter().zip(syns).enumerate();
    connections
        .filter_map(|(number, (connection, syns))| {
            let sent = evidence.packets[*syns.last()?].t;
            let mut own = moments.iter().filter(|moment| {
                moment.cluster == connection.remote
                    && moment.endpoint == connection.target_address
                    && moment.at <= sent
            });
            let last = own.next_back().filter(|moment| !moment.there)?;
            let owner = owners.get(ip(&connection.target_address));
            let elsewhere = evidence.hosts.contains_key(&connection.target)
                && owner.is_none_or(|owner| *owner != connection.target);
            elsewhere.then_some(Stale {
                connection: number,
                service: last.service,
                after: sent - last.at,
                syns,
            })
        })
        .collect()
}

/// In the order of the steps: what was done when a step ended.
fn moments<'a>(trace: &Trace<'a>) -> Vec<Moment<'a>> {
    let mut moments = Vec::new();
    for step in &trace.evidence.steps {
        if let Detail::Endpoints {
            there, endpoints, ..
        } = &step.detail
        {
            moments.extend(endpoints.iter().map(|one| Moment {
                at: step.at + step.ms,
                there: *there,
                service: &one.service,
                cluster: &one.cluster,
                endpoint: &one.endpoint,
            }));
        }
    }
    moments
}

#[cfg(test)]
mod tests {
    use super::super::recognise;
    use super::super::stories::boxes::endpoint;
    use crate::verdict::kit::{Kit, OLD};

    const SERVICE: &str = "172.20.0.100:80";

    /// A connection to a service that was opened at 500 ms with a host under the address of `web1`.
    fn opened(service: &str, with: &str, steps: &[(f64, bool)]) -> Kit {
        let mut kit = Kit::new();
        for (at, there) in steps {
            endpoint(&mut kit, *at, *there);
        }
        kit.now = 500.0;
        let x = kit.connect("x", 40001, "web1", "web1");
        kit.of(x).remote = service.into();
        kit.of(x).target = with.into();
        kit.handshake(x, OLD);
        kit
    }

    fn told(service: &str, with: &str, steps: &[(f64, bool)]) -> Option<String> {
        let mut found = recognise(&opened(service, with, steps).evidence).into_iter();
        let own = found.find(|finding| finding.kind == super::KIND);
        own.map(|finding| finding.summary)
    }

    #[test]
    fn it_names_both_hosts_and_the_time_between() {
        let told = told(SERVICE, "web2", &[(100.0, false)]).expect("the finding");
        for part in [
            "to default/shop came to web2, which is not behind it",
            "web2 has 10.0.1.10 now, which web1 had",
            "taken out of the service 400.0 ms before \"x\"",
        ] {
            assert!(told.contains(part), "{told}");
        }
    }

    #[test]
    fn silent_when_the_endpoint_was_there_at_the_time() {
        let of = |steps: &[(f64, bool)]| told(SERVICE, "web2", steps);
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[(600.0, false)]), None);
        assert_eq!(of(&[(100.0, false), (200.0, true)]), None);
        assert!(of(&[(100.0, true), (200.0, false)]).is_some());
    }

    #[test]
    fn silent_about_the_endpoint_itself_and_another_service() {
        assert_eq!(told(SERVICE, "web1", &[(100.0, false)]), None);
        assert_eq!(told("172.20.0.101:80", "web2", &[(100.0, false)]), None);
    }
}
