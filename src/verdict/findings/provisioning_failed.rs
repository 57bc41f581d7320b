//! `provisioning-failed`: a load balancer that could not be set up, because an address it was to have is assigned.
//!
//! Observed on: AWS Network Load Balancers. The state is `failed`, the name has no address, nothing listens.

use super::{item, name_all};
use crate::verdict::Finding;
use crate::verdict::trace::Trace;

pub(super) const KIND: &str = "provisioning-failed";

pub(super) fn find(trace: &Trace) -> Vec<Finding> {
    trace
        .evidence
        .load_balancers
        .iter()
        .filter(|(_, balancer)| balancer.state == "failed")
        .map(|(name, balancer)| {
            let connections: Vec<usize> = trace
                .evidence
                .connections
                .iter()
                .enumerate()
                .filter(|(_, connection)| {
                    let zonal = connection.via.strip_prefix(name.as_str());
                    zonal.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
                })
                .map(|(index, _)| index)
                .collect();
            let clients = if connections.is_empty() {
                String::new()
            } else {
                format!(
                    " {} found no address under its name.",
                    name_all(trace, &connections)
                )
            };
            Finding {
                kind: KIND.into(),
                summary: format!(
                    "Load balancer {name} could not be set up (state: failed): {}.{clients}",
                    balancer.reason
                ),
                packets: Vec::new(),
                connections,
                counters: Vec::new(),
                values: vec![(
                    format!("{}.state", item("load_balancers", name)),
                    balancer.state.as_str().into(),
                )],
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::KIND;
    use crate::verdict::findings::recognise;
    use crate::verdict::kit::{Kit, harmless};

    #[test]
    fn a_failed_balancer_is_told_with_its_reason_and_its_clients() {
        let mut kit = Kit::new();
        kit.connect("visit", 40000, "front/a", "web1");
        kit.connect("direct", 40001, "web1", "web1");
        let front = kit.evidence.load_balancers.get_mut("front");
        let front = front.expect("a balancer of the kit");
        front.state = "failed".into();
        front.reason = "10.0.0.20 is a secondary address of web1".into();
        let found = recognise(&kit.evidence);
        let finding = found.iter().find(|finding| finding.kind == KIND);
        let finding = finding.expect("a finding");
        assert_eq!(
            finding.summary,
            "Load balancer front could not be set up (state: failed): 10.0.0.20 is a secondary address of web1. \
             \"visit\" found no address under its name."
        );
        assert_eq!(finding.connections, [0]);
        let state = ("load_balancers.front.state".to_owned(), "failed".into());
        assert_eq!(finding.values, [state]);
    }

    #[test]
    fn an_active_balancer_is_none() {
        let found = recognise(&harmless().evidence);
        assert!(found.iter().all(|finding| finding.kind != KIND));
    }
}
