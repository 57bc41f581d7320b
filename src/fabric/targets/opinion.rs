//! From single checks to an opinion: consecutive results at a checker, and the consensus of several.

use super::super::config::{Consensus, HealthCheck};
use std::time::Duration;

/// What is thought of a target; none: nothing yet.
pub type Verdict = Option<bool>;

/// One checker of one zonal address.
#[derive(Clone, Debug, Default)]
pub struct Checker {
    verdict: Verdict,
    /// Results in a row that contradict the verdict.
    against: u32,
}

impl Checker {
    /// Takes a result. AWS: a new target is healthy after its first passed check, whatever the threshold.
    pub fn judge(&mut self, passed: bool, check: &HealthCheck) {
        if self.verdict == Some(passed) {
            self.against = 0;
            return;
        }
        if self.verdict.is_none() && passed {
            *self = Self {
                verdict: Some(true),
                against: 0,
            };
            return;
        }
        self.against += 1;
        let threshold = if passed {
            check.healthy_threshold
        } else {
            check.unhealthy_threshold
        };
        if self.against >= threshold {
            *self = Self {
                verdict: Some(passed),
                against: 0,
            };
        }
    }

    /// What this checker thinks.
    pub fn verdict(&self) -> Verdict {
        self.verdict
    }
}

/// What those that have a verdict think together; none: nobody has one.
pub fn consensus(rule: Consensus, verdicts: impl Iterator<Item = Verdict>) -> Verdict {
    let (mut healthy, mut unhealthy) = (0u32, 0u32);
    for verdict in verdicts.flatten() {
        if verdict {
            healthy += 1;
        } else {
            unhealthy += 1;
        }
    }
    (healthy + unhealthy > 0).then_some(match rule {
        Consensus::Majority => healthy > unhealthy,
        Consensus::Any => healthy > 0,
        Consensus::All => unhealthy == 0,
    })
}

/// A verdict, and since when it holds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Opinion {
    /// What is thought.
    pub verdict: Verdict,
    /// It was healthy before.
    pub was_healthy: bool,
    /// Since when.
    pub since: Duration,
}

impl Opinion {
    /// Takes a new verdict.
    pub fn set(&mut self, now: Duration, verdict: Verdict) {
        if self.verdict != verdict {
            *self = Self {
                verdict,
                was_healthy: self.verdict == Some(true),
                since: now,
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_majority_decides_and_a_tie_is_unhealthy() {
        let of = |verdicts: &[Verdict]| consensus(Consensus::Majority, verdicts.iter().copied());
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[None, None]), None);
        assert_eq!(of(&[None, Some(true)]), Some(true));
        assert_eq!(of(&[Some(true), Some(false)]), Some(false));
        assert_eq!(of(&[Some(true), Some(false), Some(true)]), Some(true));
    }

    #[test]
    fn one_of_several_is_enough_or_is_not() {
        let split = [None, Some(true), Some(false), Some(false)];
        let (good, bad) = ([Some(true), None], [Some(false), None]);
        for (rule, of_split) in [(Consensus::Any, true), (Consensus::All, false)] {
            let of = |verdicts: &[Verdict]| consensus(rule, verdicts.iter().copied());
            assert_eq!(of(&split), Some(of_split), "{rule:?}");
            assert_eq!((of(&good), of(&bad)), (Some(true), Some(false)));
            assert_eq!(of(&[None]), None);
        }
    }
}
