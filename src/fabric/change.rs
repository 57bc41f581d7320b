//! What may be done to a running network: the calls of a control plane.

use super::config::GroupId;
use super::{Fabric, Output};
use std::time::Duration;

/// Something done to the running network.
#[derive(Clone, Debug)]
pub enum Change {
    /// A target is registered with its group (AWS: RegisterTargets). One that is registered stays so.
    Register {
        /// Its group.
        group: GroupId,
        /// Its place in [`super::config::TargetGroup::targets`].
        target: usize,
    },
    /// A target is deregistered (AWS: DeregisterTargets): it gets no new flows, and keeps those it has.
    Deregister {
        /// Its group.
        group: GroupId,
        /// Its place in [`super::config::TargetGroup::targets`].
        target: usize,
    },
}

impl Fabric {
    /// Does something to the network. What was due before is done first.
    ///
    /// Panics when the configuration has no such group or target.
    pub fn apply(&mut self, now: Duration, change: Change, out: &mut impl Output) {
        self.advance(now, out);
        match change {
            Change::Register { group, target } => {
                self.balancers.targets_mut().register(group, target);
            }
            Change::Deregister { group, target } => {
                self.balancers.targets_mut().deregister(group, target);
            }
        }
        self.balancers.listen(&self.config);
    }
}
