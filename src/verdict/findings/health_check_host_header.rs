//! `health-check-host-header`: a server that maps requests by their Host header turns health checks away.
//!
//! Observed on: AWS Network Load Balancers, whose checks carry the zonal address and the listener's port as Host.
//! Said only where the server answered the same path well under another name: else the path may be what is wrong.

use super::{CITED, count, distinct, join, states};
use crate::evidence::Request;
use crate::verdict::Finding;
use crate::verdict::trace::Trace;
use std::collections::{HashMap, HashSet};

pub(super) const KIND: &str = "health-check-host-header";

pub(super) fn find(trace: &Trace) -> Option<Finding> {
    let mut parts = Vec::new();
    let mut servers = HashSet::new();
    let mut values = Vec::new();
    for (name, host) in &trace.evidence.hosts {
        let well = host.requests.iter().filter(|request| request.status < 400);
        let mut served: HashMap<&str, HashSet<&str>> = HashMap::new();
        for request in well.clone() {
            served
                .entry(&request.path)
                .or_default()
                .insert(&request.host);
        }
        let refused: Vec<&Request> = host
            .requests
            .iter()
            .filter(|request| request.probe && (400..500).contains(&request.status))
            .filter(|check| {
                let names = served.get(check.path.as_str());
                names.is_some_and(|names| names.iter().any(|name| *name != check.host))
            })
            .collect();
        let Some(first) = refused.first() else {
            continue;
        };
        let wanted = distinct(well.map(|request| format!("\"{}\"", request.host)));
        servers.insert(name.as_str());
        values.extend(states(trace.evidence, name));
        parts.push(format!(
            "{name} answered {} with {}: the Host header of a check is the zonal address and the listener's port (\"{}\"), and it serves {}.",
            count(refused.len(), "health check"),
            first.status,
            first.host,
            join(&wanted[..wanted.len().min(3)]),
        ));
    }
    let said = trace.evidence.packets.iter().enumerate();
    let answers = said.filter(|(_, packet)| {
        let answers = packet.probe && packet.len > 0 && packet.seen_at.is_empty();
        answers && servers.contains(packet.sender.as_str())
    });
    (!parts.is_empty()).then(|| Finding {
        kind: KIND.into(),
        summary: parts.join(" "),
        packets: answers.map(|(record, _)| record).take(CITED).collect(),
        connections: Vec::new(),
        counters: Vec::new(),
        values,
    })
}

#[cfg(test)]
mod tests {
    use super::super::recognise;
    use crate::evidence::Request;
    use crate::verdict::kit::Kit;

    fn request(host: &str, path: &str, status: i64, probe: bool) -> Request {
        Request {
            host: host.into(),
            path: path.into(),
            status,
            probe,
            ..Request::default()
        }
    }

    fn summary(requests: Vec<Request>) -> Option<String> {
        let mut kit = Kit::new();
        let web = kit.evidence.hosts.get_mut("web1").expect("a host");
        web.requests = requests;
        let found = recognise(&kit.evidence);
        let found = found.into_iter().find(|f| f.kind == super::KIND);
        found.map(|f| f.summary)
    }

    #[test]
    fn it_speaks_where_another_name_is_answered_well() {
        let said = summary(vec![
            request("10.0.15.10:80", "/", 404, true),
            request("shop.example", "/", 200, false),
            request("10.0.15.10:80", "/", 404, true),
        ]);
        assert_eq!(
            said.expect("the finding"),
            "web1 answered 2 health checks with 404: the Host header of a check is the zonal address and the \
             listener's port (\"10.0.15.10:80\"), and it serves \"shop.example\"."
        );
    }

    #[test]
    fn a_wrong_path_a_broken_server_and_a_good_check_are_something_else() {
        let well = || request("shop.example", "/", 200, false);
        let silent = [
            vec![request("10.0.15.10:80", "/healthz", 404, true), well()],
            vec![request("10.0.15.10:80", "/", 503, true), well()],
            vec![request("10.0.15.10:80", "/", 200, true), well()],
            vec![request("10.0.15.10:80", "/", 404, true)],
            vec![request("10.0.15.10:80", "/", 404, false), well()],
        ];
        for requests in silent {
            assert_eq!(summary(requests), None);
        }
    }
}
