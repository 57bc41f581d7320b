//! `target-not-in-use`: a registered target that gets nothing, because no zone leads to it.
//!
//! Observed on: AWS Network Load Balancers. A target in a zone that is not enabled for the balancer is `unused` with
//! `Target.NotInUse`, with cross-zone load balancing too; so is one whose group is behind no listener.

use super::join;
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
                .map(|(target, _)| target.clone())
                .collect();
            let (is, it) = match unused.len() {
                0 => return None,
                1 => ("is", "it gets"),
                _ => ("are", "they get"),
            };
            Some(Finding {
                kind: KIND.into(),
                summary: format!(
                    "{} of target group {name} {is} registered and not in use (state unused, Target.NotInUse): {it} \
                     no connection and no health check, because no enabled zone of a load balancer leads there.",
                    join(&unused)
                ),
                packets: Vec::new(),
                connections: Vec::new(),
                counters: Vec::new(),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::KIND;
    use crate::evidence::{GroupEvidence, TargetEvidence};
    use crate::verdict::findings::recognise;
    use crate::verdict::kit::{Kit, harmless};

    fn group(reasons: &[(&str, &str)]) -> GroupEvidence {
        let target = |reason: &str| TargetEvidence {
            reason: reason.into(),
            ..TargetEvidence::default()
        };
        let targets = reasons
            .iter()
            .map(|(name, reason)| ((*name).into(), target(reason)));
        GroupEvidence {
            targets: targets.collect(),
            ..GroupEvidence::default()
        }
    }

    fn told(reasons: &[(&str, &str)]) -> Option<String> {
        let mut kit = Kit::new();
        let group = group(reasons);
        kit.evidence.target_groups.insert("web".into(), group);
        let found = recognise(&kit.evidence);
        let found = found.into_iter().find(|finding| finding.kind == KIND);
        found.map(|finding| finding.summary)
    }

    #[test]
    fn it_names_the_targets_and_their_group() {
        let one = told(&[("web1", ""), ("web2", "Target.NotInUse")]);
        assert_eq!(
            one.as_deref(),
            Some(
                "web2 of target group web is registered and not in use (state unused, Target.NotInUse): it gets no \
                 connection and no health check, because no enabled zone of a load balancer leads there."
            )
        );
        let two = told(&[("web1", "Target.NotInUse"), ("web2", "Target.NotInUse")]);
        assert!(two.is_some_and(|text| text.starts_with("web1 and web2 of target group web are")));
    }

    #[test]
    fn other_reasons_are_other_mechanisms() {
        assert_eq!(
            told(&[("web1", ""), ("web2", "Target.NotRegistered")]),
            None
        );
        let found = recognise(&harmless().evidence);
        assert!(found.iter().all(|finding| finding.kind != KIND));
    }
}
