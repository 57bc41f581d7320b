//! `registration-refused`: a step would register an instance by its id that is in another VPC than the load balancer.
//!
//! Observed on: AWS, where RegisterTargets answers `InvalidTarget`. The refusal is the answer of the call itself; no
//! packet shows it.

use super::join;
use crate::evidence::Detail;
use crate::verdict::Finding;
use crate::verdict::trace::Trace;

pub(super) const KIND: &str = "registration-refused";

pub(super) fn find(trace: &Trace) -> Vec<Finding> {
    let steps = trace.evidence.steps.iter();
    steps
        .filter_map(|step| {
            let Detail::Refused { group, targets } = &step.detail else {
                return None;
            };
            Some(Finding {
                kind: KIND.into(),
                summary: format!(
                    "{} cannot be registered with target group {group} by instance id (InvalidTarget), being in \
                     another VPC than the load balancer: \"{}\" registered nothing.",
                    join(targets),
                    step.name
                ),
                packets: Vec::new(),
                connections: Vec::new(),
                counters: Vec::new(),
                values: vec![(format!("{}.error", step.name), step.error.as_str().into())],
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::KIND;
    use crate::evidence::{Detail, StepResult};
    use crate::verdict::findings::recognise;
    use crate::verdict::kit::{Kit, harmless};

    fn told(error: &str, detail: Detail) -> Option<String> {
        let mut kit = Kit::new();
        kit.evidence.steps.push(StepResult {
            name: "join".into(),
            ok: error.is_empty(),
            error: error.into(),
            detail,
            ..StepResult::default()
        });
        let found = recognise(&kit.evidence);
        let found = found.into_iter().find(|finding| finding.kind == KIND);
        found.map(|finding| finding.summary)
    }

    #[test]
    fn it_names_the_targets_and_their_group() {
        let refused = Detail::Refused {
            group: "web".into(),
            targets: vec!["web1".into(), "web2".into()],
        };
        assert_eq!(
            told("refused", refused).as_deref(),
            Some(
                "web1 and web2 cannot be registered with target group web by instance id (InvalidTarget), being in \
                 another VPC than the load balancer: \"join\" registered nothing."
            )
        );
    }

    #[test]
    fn other_refusals_are_other_mechanisms() {
        assert_eq!(told("refused", Detail::Plain), None);
        assert_eq!(told("", Detail::Plain), None);
        let found = recognise(&harmless().evidence);
        assert!(found.iter().all(|finding| finding.kind != KIND));
    }
}
