//! `ephemeral-port-exhaustion`: a client's kernel had no local port left toward a destination, so connect(2) failed before a SYN
//! was made.
//!
//! Observed on: Linux, with EADDRNOTAVAIL: workers and proxies that open and close many connections to one address and port. The
//! ports of those that they close first stay in TIME_WAIT for a minute. Not this: a port that the program chose itself and that is
//! taken; a box on the way that has no port (see `port_exhaustion`).

use super::{counters, distinct, first_few, name_all};
use crate::verdict::Finding;
use crate::verdict::trace::Trace;
use std::collections::BTreeMap;

pub(super) const KIND: &str = "ephemeral-port-exhaustion";
/// EADDRNOTAVAIL (errno(3)).
const NOT_AVAILABLE: i64 = 99;

pub(super) fn find(trace: &Trace) -> Option<Finding> {
    let connections = &trace.evidence.connections;
    let failed: Vec<usize> = (0..connections.len())
        .filter(|at| {
            let c = &connections[*at];
            // With a port of the program's own choice the socket has it before it connects.
            c.error == "no-port" && c.errno == NOT_AVAILABLE && c.local.is_empty()
        })
        .collect();
    let mut places: BTreeMap<(&str, &str), Vec<usize>> = BTreeMap::new();
    for at in &failed {
        let c = &connections[*at];
        let place = (c.from.as_str(), c.remote.as_str());
        places.entry(place).or_default().push(*at);
    }
    if failed.is_empty() {
        return None;
    }
    let sentences: Vec<String> = places
        .iter()
        .map(|((host, remote), failed)| tell(trace, host, remote, failed))
        .collect();
    let hosts = distinct(failed.iter().map(|at| connections[*at].from.as_str()));
    Some(Finding {
        kind: KIND.into(),
        summary: sentences.join(" "),
        packets: Vec::new(),
        connections: failed,
        counters: counters(
            trace.evidence,
            hosts,
            &[
                "TcpActiveOpens",
                "TcpExtTW",
                "TcpExtTWRecycled",
                "TcpExtTWKilled",
            ],
        ),
        values: Vec::new(),
    })
}

fn tell(trace: &Trace, host: &str, remote: &str, failed: &[usize]) -> String {
    let mut states: BTreeMap<&str, usize> = BTreeMap::new();
    let sockets = trace.evidence.hosts.get(host).map(|host| &host.sockets);
    let there = sockets.into_iter().flatten();
    for socket in there.filter(|socket| socket.remote == remote) {
        *states.entry(&socket.state).or_default() += 1;
    }
    let held: Vec<String> = states.iter().map(|(s, n)| format!("{n} in {s}")).collect();
    let held = match held.as_slice() {
        [] => String::new(),
        some => format!(
            " Its sockets toward there, each with a port of its own, in the end: {}.",
            first_few(some)
        ),
    };
    format!(
        "The kernel of {host} found no local port for {} to {remote}: connect(2) failed with EADDRNOTAVAIL, and no SYN was sent.{held}",
        name_all(trace, failed),
    )
}

#[cfg(test)]
mod tests {
    use crate::verdict::findings::stories::ways::no_local_port;
    use crate::verdict::trace::Trace;

    #[test]
    fn what_holds_the_ports_is_told() {
        let kit = no_local_port(true);
        let found = super::find(&Trace::new(&kit.evidence)).expect("a finding");
        assert_eq!(
            found.summary,
            "The kernel of client found no local port for \"more\" to 10.0.1.10:80: connect(2) failed with EADDRNOTAVAIL, and no SYN \
             was sent. Its sockets toward there, each with a port of its own, in the end: 1 in ESTABLISHED and 2 in TIME_WAIT."
        );
    }

    #[test]
    fn another_errno_is_another_thing() {
        let mut kit = no_local_port(true);
        kit.of(0).errno = 98;
        assert!(super::find(&Trace::new(&kit.evidence)).is_none());
    }
}
