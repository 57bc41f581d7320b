//! `stale-dns-address`: a client dialled an address that had left the balancer's name since it asked, and failed.
//!
//! Observed on: clients that keep an answer longer than its time to live (a JVM with `networkaddress.cache.ttl=-1`, a
//! pool that resolves once), and any client within it.

use super::name_all;
use crate::evidence::{Connection, Evidence};
use crate::verdict::Finding;
use crate::verdict::trace::Trace;
use std::collections::BTreeMap;

pub(super) const KIND: &str = "stale-dns-address";

/// When a zone's address left the name, as far as one connection is concerned.
struct Stale {
    connection: usize,
    /// From the answer to the connection, ms.
    age: f64,
    /// From the address's leaving to the connection, ms.
    gone: f64,
}

pub(super) fn find(trace: &Trace) -> Vec<Finding> {
    let mut by_address: BTreeMap<&str, Vec<Stale>> = BTreeMap::new();
    for (index, connection) in trace.evidence.connections.iter().enumerate() {
        if let Some(stale) = stale(trace.evidence, index, connection) {
            let via = connection.via.as_str();
            by_address.entry(via).or_default().push(stale);
        }
    }
    by_address
        .into_iter()
        .map(|(via, stale)| {
            let connections: Vec<usize> = stale.iter().map(|one| one.connection).collect();
            let last = stale.last().expect("an entry has a connection");
            let name = via.split('/').next().unwrap_or(via);
            Finding {
                kind: KIND.into(),
                summary: format!(
                    "{} dialled {via} and failed: its client had asked for {name} {:.0} ms before, and the address had \
                     left the name {:.0} ms before.",
                    name_all(trace, &connections),
                    last.age,
                    last.gone
                ),
                packets: Vec::new(),
                connections,
                counters: Vec::new(),
                values: Vec::new(),
            }
        })
        .collect()
}

fn stale(evidence: &Evidence, index: usize, connection: &Connection) -> Option<Stale> {
    let failed = !connection.error.is_empty() || connection.ended == "reset";
    let lookup = evidence.lookups.get(connection.lookup?)?;
    let (balancer, zone) = connection.via.split_once('/')?;
    let listings = &evidence.load_balancers.get(balancer)?.dns;
    let now = listings
        .iter()
        .rposition(|listing| listing.at <= connection.at)?;
    if !failed || listings[now].zones.iter().any(|listed| listed == zone) {
        return None;
    }
    // The first of the listings without it, up to now.
    let without = listings[..=now]
        .iter()
        .rev()
        .take_while(|listing| listing.zones.iter().all(|listed| listed != zone));
    let left = without.last()?.at;
    (lookup.at < left).then_some(Stale {
        connection: index,
        age: connection.at - lookup.at,
        gone: connection.at - left,
    })
}

#[cfg(test)]
mod tests {
    use super::KIND;
    use crate::evidence::{Listing, Lookup};
    use crate::verdict::Finding;
    use crate::verdict::findings::recognise;
    use crate::verdict::kit::{Kit, harmless};

    /// The client asked at 10 ms; zone a is in the name until 300 ms and from 900 ms on.
    fn late(at: f64, error: &str) -> Option<Finding> {
        let mut kit = Kit::new();
        let connection = kit.connect("late", 40000, "front/a", "web1");
        kit.of(connection).at = at;
        kit.of(connection).error = error.into();
        kit.of(connection).lookup = Some(0);
        kit.evidence.lookups.push(Lookup {
            from: "client".into(),
            name: "front".into(),
            at: 10.0,
            ..Lookup::default()
        });
        let front = kit.evidence.load_balancers.get_mut("front");
        let listing = |at, zones: &[&str]| Listing {
            at,
            zones: zones.iter().map(|zone| (*zone).to_owned()).collect(),
        };
        front.expect("a balancer of the kit").dns = vec![
            listing(-5.0, &["a", "b"]),
            listing(300.0, &["b"]),
            listing(400.0, &["b", "c"]),
            listing(900.0, &["a", "b"]),
        ];
        let found = recognise(&kit.evidence);
        found.into_iter().find(|finding| finding.kind == KIND)
    }

    #[test]
    fn it_tells_how_old_the_answer_was() {
        let found = late(510.0, "deadline").expect("a finding");
        assert_eq!(
            found.summary,
            "\"late\" dialled front/a and failed: its client had asked for front 500 ms before, and the address had \
             left the name 210 ms before."
        );
        assert_eq!(found.connections, [0]);
    }

    #[test]
    fn an_address_in_the_name_is_not_stale_and_success_is_no_failure() {
        assert!(late(200.0, "deadline").is_none(), "before it left");
        assert!(late(950.0, "deadline").is_none(), "after it came back");
        assert!(late(510.0, "").is_none(), "it worked");
        let found = recognise(&harmless().evidence);
        assert!(found.iter().all(|finding| finding.kind != KIND));
    }
}
