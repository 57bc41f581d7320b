//! Network ACLs: stateless filters at the border of a subnet.
//!
//! Observed on: AWS network ACLs. Rules are tried by number, the first that fits decides; what fits none meets rule
//! `*`, which denies. An answer is a packet like any other: it needs a rule for the port it goes to, which is an
//! ephemeral one. What stays within one subnet never meets its ACL.

use super::rules::{AclRule, Direction, NetworkAcl, View};
use crate::packet::stand_in::StandIns;

/// Denied: by the rule of this number, or by none that fits (`*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Denied(pub Option<u16>);

impl NetworkAcl {
    /// What the ACL says of a packet that crosses the border.
    pub fn judge(
        &self,
        direction: Direction,
        view: &View,
        stand_ins: &StandIns,
    ) -> Result<(), Denied> {
        let peer = view.far(direction);
        let fits = |rule: &&AclRule| {
            rule.traffic.includes(view.protocol, view.to.port())
                && rule.range.contains(peer, stand_ins)
        };
        match self.rules(direction).iter().find(fits) {
            Some(rule) if rule.allow => Ok(()),
            Some(rule) => Err(Denied(Some(rule.number))),
            None => Err(Denied(None)),
        }
    }
}
