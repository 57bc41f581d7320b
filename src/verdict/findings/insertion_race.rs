//! `insertion-race`: two first packets got the same source from a NAT, which enters what it chooses in its table only later.
//!
//! Observed on: Linux, whose connection tracking drops the packet of the entry that comes second (`insert_failed`, `drop`).
//! Nothing on the wire tells it from loss; the NAT's own counters do.

use super::{cite, connections_of, count, distinct, dropped, item, join, lapse, name_all, quoted};
use crate::evidence::{Mapping, Packet};
use crate::verdict::Finding;
use crate::verdict::trace::Trace;

pub(super) const KIND: &str = "insertion-race";

pub(super) fn find(trace: &Trace) -> Option<Finding> {
    let lost = dropped(trace, "insert-failed");
    let first = trace.ended(*lost.first()?);
    let connections = connections_of(trace, lost.iter().copied());
    let datagrams = lost.iter().any(|p| trace.sent(*p).protocol != "tcp");
    let what = count(lost.len(), if datagrams { "packet" } else { "SYN" });
    let whose = match connections.is_empty() {
        true => String::new(),
        false => format!(" of {}", name_all(trace, &connections)),
    };
    let gateways = distinct(lost.iter().map(|p| trace.ended(*p).gateway.as_str()));
    let failed = |name: &&str| Some(trace.evidence.nat_gateways.get(*name)?.insert_failed);
    let named: Vec<String> = gateways
        .iter()
        .map(|name| match failed(name) {
            Some(failed) => format!("{name} (insert_failed {failed})"),
            None => "the NAT".to_owned(),
        })
        .collect();
    let late = connections.iter().find(|connection| {
        let own = &trace.evidence.connections[**connection];
        own.error.is_empty() && own.syns > 1
    });
    let late = late.map_or(String::new(), |late| {
        let own = &trace.evidence.connections[*late];
        let syns = count(own.syns.unsigned_abs() as usize, "SYN");
        format!(
            " {} stood after {} and {syns}.",
            quoted(trace, *late),
            lapse(own.ms)
        )
    });
    Some(Finding {
        kind: KIND.into(),
        summary: format!(
            "{what}{whose} {} dropped at {}: {}{late}",
            if lost.len() == 1 { "was" } else { "were" },
            join(&named),
            rival(first, &trace.evidence.mappings),
        ),
        packets: cite(trace, lost),
        connections,
        counters: Vec::new(),
        values: gateways
            .iter()
            .filter_map(|name| {
                let path = format!("{}.insert_failed", item("nat_gateways", name));
                Some((path, failed(name)?.into()))
            })
            .collect(),
    })
}

/// What was in the table when a packet's entry was to be inserted.
fn rival(lost: &Packet, mappings: &[Mapping]) -> String {
    let alike = mappings.iter().filter(|mapping| {
        let there = mapping.opened <= lost.t;
        there && mapping.protocol == lost.protocol && mapping.remote == lost.to_after
    });
    let mut alike = alike.rev();
    let source = &lost.from_after;
    match alike.find(|mapping| mapping.inside == lost.from || mapping.outside == *source) {
        Some(own) if own.inside == lost.from => format!(
            "{source} was chosen for {} while another packet of the same socket waited for its entry, which was in the table first.",
            lost.from
        ),
        Some(other) => format!(
            "{source} was chosen for {} while it was not in the table, and by the time of the insertion it was, for {} ({}).",
            lost.from, other.inside, other.host
        ),
        None => format!(
            "{source} was chosen for {} and was taken by the time its entry was to be inserted.",
            lost.from
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::recognise;
    use crate::evidence::{GatewayEvidence, Mapping};
    use crate::verdict::kit::{Kit, OLD, harmless};

    /// A SYN of `x` that comes second, after another end had got its source, and is sent again.
    fn raced(inside: &str) -> Kit {
        let mut kit = Kit::new();
        let gateway = GatewayEvidence {
            insert_failed: 1,
            ..GatewayEvidence::default()
        };
        kit.evidence.nat_gateways.insert("egress".into(), gateway);
        let x = kit.connect("x", 40000, "web1", "web1");
        kit.up(x, "S", OLD.client, 0, 0);
        kit.dropped("insert-failed");
        let packet = kit.evidence.packets.last_mut().expect("a packet");
        packet.gateway = "egress".into();
        packet.from_after = "192.0.2.10:40000".into();
        let remote = packet.to_after.clone();
        kit.evidence.mappings.push(Mapping {
            protocol: "tcp".into(),
            gateway: "egress".into(),
            host: "other".into(),
            inside: inside.into(),
            outside: "192.0.2.10:40000".into(),
            remote,
            ..Mapping::default()
        });
        kit.now += 1000.0;
        kit.handshake(x, OLD);
        (kit.of(x).syns, kit.of(x).ms) = (2, 1003.0);
        kit
    }

    fn told(kit: &Kit) -> Vec<String> {
        let found = recognise(&kit.evidence).into_iter();
        let own = found.filter(|finding| finding.kind == super::KIND);
        own.map(|finding| finding.summary).collect()
    }

    #[test]
    fn it_says_who_was_first_and_what_it_cost() {
        assert_eq!(
            told(&raced("10.0.1.11:40000")),
            [
                "1 SYN of \"x\" was dropped at egress (insert_failed 1): 192.0.2.10:40000 was chosen for 198.51.100.7:40000 while \
                 it was not in the table, and by the time of the insertion it was, for 10.0.1.11:40000 (other). \"x\" stood \
                 after 1.00 s and 2 SYNs."
            ]
        );
        let found = recognise(&raced("10.0.1.11:40000").evidence);
        let own = found.iter().find(|finding| finding.kind == super::KIND);
        let own = own.expect("the finding");
        assert_eq!((&own.packets, &own.connections), (&vec![0], &vec![0]));
        let value = ("nat_gateways.egress.insert_failed".to_owned(), 1.into());
        assert_eq!(own.values, [value]);
    }

    #[test]
    fn a_socket_that_clashes_with_itself_is_told() {
        let told = told(&raced("198.51.100.7:40000"));
        assert!(
            told[0].contains("while another packet of the same socket waited"),
            "{told:?}"
        );
    }

    #[test]
    fn it_is_silent_where_nothing_was_dropped_for_it() {
        assert_eq!(told(&harmless()), [""; 0]);
    }
}
