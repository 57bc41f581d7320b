//! `target-not-in-use`: a registered target that gets nothing, because no zone leads to it.
//!
//! Observed on: AWS Network Load Balancers. A target in a zone that is not enabled for the balancer is `unused` with
//! `Target.NotInUse`, with cross-zone load balancing too. So is one whose group is behind no listener, or behind a
//! balancer that never came up: nobody meant it to serve, or another mechanism says why it does not.

use super::{item, join};
use crate::verdict::Finding;
use crate::verdict::trace::Trace;

pub(super) const KIND: &str = "target-not-in-use";

pub(super) fn find(trace: &Trace) -> Vec<Finding> {
    let groups = trace.evidence.target_groups.iter();
    groups
        .filter_map(|(name, group)| {
            let unused: Vec<String> = group
                .targets
                .iter()
                .filter(|(_, target)| target.reason == "Target.NotInUse")
                .filter(|(_, target)| !group.zones.contains(&target.zone))
                .map(|(target, _)| target.clone())
                .collect();
            let path = format!("{}.targets", item("target_groups", name));
            let reason = |target: &String| {
                let reason = group.targets[target].reason.as_str().into();
                (format!("{}.reason", item(&path, target)), reason)
            };
            let (is, it) = match unused.len() {
                _ if group.zones.is_empty() => return None,
                0 => return None,
                1 => ("is", "it gets"),
                _ => ("are", "they get"),
            };
            Some(Finding {
                kind: KIND.into(),
                summary: format!(
                    "{} of target group {name} {is} registered and not in use (state unused, Target.NotInUse): {it} \
                     no connection and no health check, because its load balancer is enabled only in {}.",
                    join(&unused),
                    in_zones(&group.zones),
                ),
                packets: Vec::new(),
                connections: Vec::new(),
                counters: Vec::new(),
                values: unused.iter().map(reason).collect(),
            })
        })
        .collect()
}

/// `zone a`, `zones a and b`
fn in_zones(zones: &[String]) -> String {
    let noun = if zones.len() == 1 { "zone" } else { "zones" };
    format!("{noun} {}", join(zones))
}

#[cfg(test)]
mod tests {
    use super::KIND;
    use crate::evidence::{GroupEvidence, TargetEvidence};
    use crate::verdict::findings::recognise;
    use crate::verdict::kit::{Kit, harmless};

    /// A group to which `zones` lead, with targets as `(name, zone, reason)`.
    fn told(zones: &[&str], targets: &[(&str, &str, &str)]) -> Option<String> {
        let targets = targets.iter().map(|(name, zone, reason)| {
            let target = TargetEvidence {
                zone: (*zone).into(),
                reason: (*reason).into(),
                ..TargetEvidence::default()
            };
            ((*name).into(), target)
        });
        let group = GroupEvidence {
            targets: targets.collect(),
            zones: zones.iter().map(|zone| (*zone).into()).collect(),
            ..GroupEvidence::default()
        };
        let mut kit = Kit::new();
        kit.evidence.target_groups.insert("web".into(), group);
        let found = recognise(&kit.evidence);
        let found = found.into_iter().find(|finding| finding.kind == KIND);
        found.map(|finding| finding.summary)
    }

    #[test]
    fn it_names_the_targets_their_group_and_the_zones_that_lead_there() {
        let web1 = ("web1", "a", "");
        let web2 = ("web2", "b", "Target.NotInUse");
        assert_eq!(
            told(&["a"], &[web1, web2]).as_deref(),
            Some(
                "web2 of target group web is registered and not in use (state unused, Target.NotInUse): it gets no \
                 connection and no health check, because its load balancer is enabled only in zone a."
            )
        );
        let web3 = ("web3", "b", "Target.NotInUse");
        let two = told(&["a", "c"], &[web1, web2, web3]).expect("a finding");
        assert!(two.starts_with("web2 and web3 of target group web are"));
        assert!(two.ends_with("only in zones a and c."));
    }

    #[test]
    fn a_group_that_no_listener_uses_is_no_mechanism() {
        assert_eq!(told(&[], &[("web1", "a", "Target.NotInUse")]), None);
    }

    #[test]
    fn other_reasons_are_other_mechanisms() {
        let gone = ("web2", "b", "Target.NotRegistered");
        assert_eq!(told(&["a"], &[("web1", "a", ""), gone]), None);
        let found = recognise(&harmless().evidence);
        assert!(found.iter().all(|finding| finding.kind != KIND));
    }
}
