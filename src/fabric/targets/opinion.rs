//! From single checks to an opinion: consecutive results at a checker, and the consensus of several.

use super::super::config::HealthCheck;
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

/// The majority of those that have a verdict; a tie is unhealthy. AWS says "consensus" and not which: an
/// assumption.
pub fn consensus(verdicts: impl Iterator<Item = Verdict>) -> Verdict {
    let (mut healthy, mut unhealthy) = (0u32, 0u32);
    for verdict in verdicts.flatten() {
        if verdict {
            healthy += 1;
        } else {
            unhealthy += 1;
        }
    }
    (healthy + unhealthy > 0).then_some(healthy > unhealthy)
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
        let of = |verdicts: &[Verdict]| consensus(verdicts.iter().copied());
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[None, None]), None);
        assert_eq!(of(&[None, Some(true)]), Some(true));
        assert_eq!(of(&[Some(true), Some(false)]), Some(false));
        assert_eq!(of(&[Some(true), Some(false), Some(true)]), Some(true));
    }
}
