//! `unhealthy-reset`: a balancer answered with RST what clients sent on connections of a target that it calls
//! unhealthy.
//!
//! Observed on: AWS Network Load Balancers, unless they fail open or are told not to
//! (`target_health_state.unhealthy.connection_termination.enabled`).

use super::{cite, connections_of, count, distinct, join, name_all};
use crate::verdict::Finding;
use crate::verdict::trace::{Trace, answer};

pub(super) const KIND: &str = "unhealthy-reset";

pub(super) fn find(trace: &Trace) -> Option<Finding> {
    let refused: Vec<usize> = (0..trace.passages.len())
        .filter(|p| answer(trace.ended(*p)) == Some("reset, unhealthy target"))
        .collect();
    if refused.is_empty() {
        return None;
    }
    let connections = connections_of(trace, refused.iter().copied());
    let flows = refused.iter().filter_map(|p| trace.sent(*p).flow);
    let flows = flows.filter_map(|flow| trace.evidence.flows.get(flow));
    let targets = distinct(flows.map(|flow| flow.target.clone()));
    let of = if connections.is_empty() {
        String::new()
    } else {
        format!(" of {}", name_all(trace, &connections))
    };
    Some(Finding {
        kind: KIND.into(),
        summary: format!(
            "The balancer answered {}{of} with RST, because {} is unhealthy. The target was told nothing.",
            count(refused.len(), "segment"),
            join(&targets),
        ),
        packets: cite(trace, refused),
        connections,
        counters: Vec::new(),
        values: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::recognise;
    use crate::verdict::kit::{Kit, OLD, harmless};

    #[test]
    fn it_speaks_of_the_clients_segment_and_of_the_target() {
        let mut kit = Kit::new();
        let old = kit.connect("old", 40000, "front/a", "web1");
        kit.handshake(old, OLD);
        kit.up(old, "P.", OLD.client + 1, OLD.server + 1, 64);
        let packet = kit.evidence.packets.last_mut().expect("a packet");
        packet.fate = "answered: reset, unhealthy target".into();
        packet.receiver = String::new();
        let found = recognise(&kit.evidence);
        let found = found.iter().find(|f| f.kind == super::KIND);
        assert_eq!(
            found.expect("the finding").summary,
            "The balancer answered 1 segment of \"old\" with RST, because web1 is unhealthy. The target was told nothing."
        );
    }

    #[test]
    fn it_is_silent_where_nobody_was_refused() {
        let found = recognise(&harmless().evidence);
        assert!(found.iter().all(|f| f.kind != super::KIND));
    }

    #[test]
    fn a_syn_that_the_balancer_turns_away_says_nothing_of_listeners() {
        let mut kit = Kit::new();
        let late = kit.connect("late", 40000, "front/a", "web1");
        kit.of(late).error = "refused".into();
        kit.up(late, "S", OLD.client, 0, 0);
        kit.down(late, "R.", 0, OLD.client + 1, 0);
        let kinds = |kit: &Kit| -> Vec<String> {
            let found = recognise(&kit.evidence);
            found.into_iter().map(|finding| finding.kind).collect()
        };
        assert_eq!(kinds(&kit), ["refused"]);
        for packet in &mut kit.evidence.packets {
            if packet.flags == "S" {
                packet.fate = "answered: reset, unhealthy target".into();
                packet.receiver = String::new();
            }
        }
        assert_eq!(kinds(&kit), [super::KIND]);
    }
}
