//! What guards refused, and what was answered in place of a host.

use super::merged;
use crate::evidence::{Evidence, Refusal};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Ports from here on are a client's own choice, another for each connection.
const EPHEMERAL: u16 = 32_768;

/// Packets that a guard refused for one reason.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Refused {
    /// `security group locked at web2`, `network ACL of zone b's subnet`
    pub guard: String,
    /// `ingress`, `egress`, `inbound`, `outbound`
    pub direction: String,
    /// The rule that denied it; none: no rule allows it.
    pub rule: Option<i64>,
    /// `tcp`, ...
    pub protocol: String,
    /// Source as the guard saw it, without a client's port.
    pub from: String,
    /// Destination likewise.
    pub to: String,
    /// TCP flags.
    pub flags: String,
    /// They belong to health checks.
    pub probe: bool,
    /// How many.
    pub packets: usize,
}

pub(super) fn refusals(list: &[Refusal]) -> Vec<Refused> {
    let told = |r: &Refusal| Refused {
        guard: if r.interface.is_empty() {
            format!("network ACL of zone {}'s subnet", r.guards.join(", "))
        } else if r.guards.is_empty() {
            format!("no security group at {}", r.interface)
        } else {
            format!("security group {} at {}", r.guards.join(", "), r.interface)
        },
        direction: r.direction.clone(),
        rule: r.rule,
        protocol: r.protocol.clone(),
        from: steady(&r.from),
        to: steady(&r.to),
        flags: r.flags.clone(),
        probe: r.probe,
        packets: 0,
    };
    let key = |r: &&Refusal| {
        let Refused {
            guard,
            direction,
            rule,
            protocol,
            from,
            to,
            flags,
            probe,
            packets: _,
        } = told(r);
        (guard, direction, rule, protocol, from, to, flags, probe)
    };
    let mut list = merged(list, key, |r| told(r), |refused, _| refused.packets += 1);
    // The story's own packets before health checks.
    list.sort_by_key(|refused| (refused.probe, std::cmp::Reverse(refused.packets)));
    list
}

/// An end without a port that its host chose for this connection alone.
fn steady(end: &str) -> String {
    match end.rsplit_once(':') {
        Some((address, port)) if port.parse::<u16>().is_ok_and(|port| port >= EPHEMERAL) => {
            address.to_owned()
        }
        Some(_) | None => end.to_owned(),
    }
}

pub(super) fn answered(evidence: &Evidence) -> BTreeMap<String, i64> {
    let mut counts = BTreeMap::new();
    for packet in &evidence.packets {
        match packet.fate.strip_prefix("answered: ") {
            // Those are among the lookups.
            None | Some("name") => {}
            Some(how) => *counts.entry(how.to_owned()).or_default() += 1,
        }
    }
    counts
}
