//! The live state of every registered target.
//!
//! Observed on: the control plane of an AWS target group.

use super::config::{Config, GroupId};

/// The targets of all groups.
pub struct Targets {
    /// By group, in the order of its targets.
    registered: Vec<Vec<bool>>,
}

impl Targets {
    /// As configured.
    pub fn new(config: &Config) -> Self {
        let groups = config.groups.iter();
        Self {
            registered: groups
                .map(|group| group.targets.iter().map(|t| t.registered).collect())
                .collect(),
        }
    }

    /// True when new flows may go to a target.
    pub fn is_eligible(&self, group: GroupId, target: usize) -> bool {
        self.registered[group.0 as usize][target]
    }

    /// Registers a target.
    pub fn register(&mut self, group: GroupId, target: usize) {
        self.registered[group.0 as usize][target] = true;
    }

    /// Deregisters a target.
    pub fn deregister(&mut self, group: GroupId, target: usize) {
        self.registered[group.0 as usize][target] = false;
    }
}
