//! The steps that register and deregister targets.

use super::Story;
use crate::evidence::Detail;
use crate::fabric::change::Change;
use crate::fabric::config::GroupId;
use crate::run::word::Fault;

impl Story {
    /// Registers targets with their group, or deregisters them. With an instance of another VPC among those to be
    /// registered nothing happens (AWS: `InvalidTarget` of RegisterTargets).
    pub(super) async fn registration(
        &self,
        group: GroupId,
        targets: &[usize],
        registered: bool,
        foreign: &[usize],
    ) -> (Fault, Detail) {
        if !foreign.is_empty() {
            let group = &self.plan.fabric.groups[group.0 as usize];
            let named = foreign.iter().map(|place| &group.targets[*place].name);
            return (
                Fault::word("refused"),
                Detail::Refused {
                    group: group.name.clone(),
                    targets: named.cloned().collect(),
                },
            );
        }
        for target in targets.iter().copied() {
            self.world
                .driver()
                .apply(if registered {
                    Change::Register { group, target }
                } else {
                    Change::Deregister { group, target }
                })
                .await;
        }
        (Fault::default(), Detail::Plain)
    }
}
