//! `reverse-path-drop`: a host's kernel dropped packets because the way back to their source is another device.
//!
//! Strict reverse path filtering (`rp_filter=1`, RFC 3704 section 2.2): before any rule of the firewall looks at it, and
//! without a word to anybody. The counter counts exactly that, so it is enough.
//! Observed on: Kubernetes nodes to which a client-preserving balancer sends a pod of their own back; hosts with two
//! interfaces and one default route.

use super::{cite, count, counters, distinct, join, name_all};
use crate::evidence::HostEvidence;
use crate::verdict::Finding;
use crate::verdict::trace::{Trace, delivered, ip};

pub(super) const KIND: &str = "reverse-path-drop";
const COUNTER: &str = "TcpExtIPReversePathFilter";

pub(super) fn find(trace: &Trace) -> Option<Finding> {
    let dropped = |host: &HostEvidence| {
        let counted = host.counters.get(COUNTER).copied();
        counted.filter(|count| *count > 0)
    };
    let hosts: Vec<(&str, i64)> = trace
        .evidence
        .hosts
        .iter()
        .filter_map(|(name, host)| Some((name.as_str(), dropped(host)?)))
        .collect();
    if hosts.is_empty() {
        return None;
    }
    let passages: Vec<usize> = (0..trace.passages.len())
        .filter(|passage| {
            hosts
                .iter()
                .any(|(host, _)| is_own_guest(trace, *passage, host))
        })
        .collect();
    let connections = distinct(
        passages
            .iter()
            .filter_map(|p| trace.passages[*p].connection),
    );
    let sentences: Vec<String> = hosts
        .iter()
        .map(|(host, dropped)| tell(trace, host, *dropped, &passages))
        .collect();
    Some(Finding {
        kind: KIND.into(),
        summary: sentences.join(" "),
        packets: cite(trace, passages),
        connections,
        counters: counters(
            trace.evidence,
            hosts.iter().map(|(host, _)| *host),
            &[COUNTER],
        ),
        values: Vec::new(),
    })
}

/// It left a host and came back to it, from an address that leads inside of it and is not its own.
fn is_own_guest(trace: &Trace, passage: usize, host: &str) -> bool {
    let packet = trace.ended(passage);
    let own = trace.evidence.hosts.get(host).is_some_and(|record| {
        let source = ip(&packet.from_after);
        source == record.address || source == record.ipv6
    });
    packet.sender == host && packet.receiver == host && delivered(packet) && !own
}

fn tell(trace: &Trace, host: &str, dropped: i64, passages: &[usize]) -> String {
    let own = passages
        .iter()
        .filter(|p| trace.ended(**p).receiver == host);
    let own: Vec<usize> = own.copied().collect();
    let dropped = count(dropped.unsigned_abs() as usize, "packet");
    let what = format!(
        "{host} dropped {dropped} on arrival: to it, the way to their source leads through another device (rp_filter)."
    );
    if own.is_empty() {
        return what;
    }
    let sources: Vec<String> = distinct(own.iter().map(|p| ip(&trace.ended(*p).from_after)))
        .into_iter()
        .map(str::to_owned)
        .collect();
    let connections = distinct(own.iter().filter_map(|p| trace.passages[*p].connection));
    let whose = match connections.is_empty() {
        true => String::new(),
        false => format!(" of {}", name_all(trace, &connections)),
    };
    format!(
        "{what} Packets{whose} from {} had left {host} itself and came back by the network.",
        join(&sources)
    )
}

#[cfg(test)]
mod tests {
    use super::{COUNTER, KIND, find};
    use crate::evidence::{Evidence, HostEvidence, Packet};
    use crate::verdict::trace::Trace;

    fn node(counter: i64) -> Evidence {
        let mut evidence = Evidence::default();
        let mut host = HostEvidence {
            address: "10.0.0.10".into(),
            ..HostEvidence::default()
        };
        host.counters.insert(COUNTER.into(), counter);
        evidence.hosts.insert("n1".into(), host);
        evidence
    }

    fn syn(evidence: &mut Evidence, from: &str) {
        evidence.packets.push(Packet {
            sender: "n1".into(),
            receiver: "n1".into(),
            protocol: "tcp".into(),
            from: from.into(),
            to: "10.0.15.10:80".into(),
            from_after: from.into(),
            to_after: "10.0.0.10:31468".into(),
            flags: "S".into(),
            fate: "forwarded".into(),
            ..Packet::default()
        });
    }

    #[test]
    fn a_pods_syn_that_comes_back_to_its_node() {
        let mut evidence = node(1);
        syn(&mut evidence, "10.0.0.11:40000");
        let found = find(&Trace::new(&evidence)).expect("a finding");
        assert_eq!(found.kind, KIND);
        assert_eq!(found.packets, [0]);
        assert!(
            found.summary.contains("n1 dropped 1 packet"),
            "{}",
            found.summary
        );
        assert!(
            found.summary.contains("from 10.0.0.11"),
            "{}",
            found.summary
        );
    }

    #[test]
    fn the_counter_is_enough_for_what_another_sent() {
        let found = find(&Trace::new(&node(3))).expect("a finding");
        assert!(found.packets.is_empty());
        assert!(!found.summary.contains("came back"), "{}", found.summary);
    }

    #[test]
    fn silent_when_the_node_lets_it_in() {
        let mut evidence = node(0);
        syn(&mut evidence, "10.0.0.11:40000");
        assert!(find(&Trace::new(&evidence)).is_none());
    }

    /// A loopback moves no counter of the namespace; where another packet does, its SYNs are not cited.
    #[test]
    fn a_loopback_is_another_thing() {
        let mut evidence = node(1);
        syn(&mut evidence, "10.0.0.10:40000");
        let found = find(&Trace::new(&evidence)).expect("a finding");
        assert!(found.packets.is_empty());
    }
}
