//! VPC flow logs, against the packets that interfaces had.

use super::{Case, address, list};
use std::collections::{BTreeMap, BTreeSet};

impl Case<'_> {
    /// Packets and bytes by interface, direction and whether they were let through.
    pub(super) fn flow_logs(&self, text: &str) -> Vec<String> {
        let ids: BTreeMap<&str, &str> = list(self.evidence, "interfaces")
            .iter()
            .map(|one| {
                (
                    one["id"].as_str().expect("an id"),
                    one["name"].as_str().expect("a name"),
                )
            })
            .collect();
        let mut told: BTreeMap<(String, String), [i64; 2]> = BTreeMap::new();
        for record in records(text) {
            if record["log-status"] != "OK" {
                continue;
            }
            let key = (
                ids[record["interface-id"]].to_owned(),
                record["flow-direction"].to_owned(),
            );
            let sums = told.entry(key).or_default();
            for (sum, field) in sums.iter_mut().zip(["packets", "bytes"]) {
                *sum += record[field].parse::<i64>().expect("a number");
            }
        }
        let names: BTreeSet<&str> = ids.values().copied().collect();
        let mut counted: BTreeMap<(String, String), [i64; 2]> = BTreeMap::new();
        for passage in &self.passages {
            let mut add = |name: &str, direction: &str| {
                if names.contains(name) {
                    let sums = counted
                        .entry((name.to_owned(), direction.to_owned()))
                        .or_default();
                    sums[0] += passage.count("wire_packets");
                    sums[1] += passage.count("wire_bytes");
                }
            };
            let made = self.is_made(passage);
            let resolver = made && passage.text("protocol") == "udp";
            if resolver || passage.fate() == "answered: name" || is_no_packet(passage.fate()) {
                continue;
            }
            if !made {
                add(passage.text("sender"), "egress");
            }
            if passage.fate() == "forwarded" {
                add(passage.ended["receiver"].as_str().expect("text"), "ingress");
            }
            // An interface's log tells of what its group refused, and of what its subnet's network ACL did.
            let at_host = matches!(
                passage.fate(),
                "dropped: security-group-ingress" | "dropped: network-acl-inbound"
            );
            if let (true, Some(name)) = (
                at_host && (passage.is_translated() || self.flow(passage).is_none()),
                self.by_address
                    .get(address(passage.ended["to_after"].as_str().expect("text"))),
            ) {
                add(name, "ingress");
            }
            let flow = self.flow(passage);
            if let (true, Some(flow), false) = (passage.is_translated(), flow, made) {
                let node = flow["via"].as_str().expect("a zonal address");
                // What passes between an endpoint and its balancer is not logged.
                let private = flow["endpoint"].as_str().is_some_and(|one| !one.is_empty());
                let from_client = flow["listener"] == passage.sent["to"];
                if !private || !from_client {
                    add(node, "ingress");
                }
                if !private || from_client {
                    add(node, "egress");
                }
            } else if made && let Some(flow) = flow {
                add(flow["via"].as_str().expect("a zonal address"), "egress");
            }
        }
        let mut complaints = Vec::new();
        for (name, direction) in told.keys() {
            // A balancer's own conversations (health checks) are told of its interfaces and in no record counted here.
            let is_counted = counted.contains_key(&(name.clone(), direction.clone()));
            if !is_counted && !name.contains('/') {
                complaints.push(format!(
                    "{name} {direction} is in the flow logs, and no packet passed"
                ));
            }
        }
        for ((name, direction), [packets, bytes]) in counted {
            let key = (name.clone(), direction.clone());
            let [told_packets, told_bytes] = told.get(&key).copied().unwrap_or_default();
            // A balancer's interface also has what it turned away; the target's and the clients' have only this.
            let exact = (told_packets, told_bytes) == (packets, bytes);
            let more = name.contains('/') && told_packets >= packets && told_bytes >= bytes;
            if !exact && !more {
                complaints.push(format!(
                    "{name} {direction} {told_packets} packets, {told_bytes} bytes in the flow logs, and packets say \
                     {packets}, {bytes}"
                ));
            }
        }
        complaints
    }
}

/// Packets that no interface takes for one.
fn is_no_packet(fate: &str) -> bool {
    [
        "dropped: malformed",
        "dropped: not-ipv4",
        "dropped: untranslatable",
        "dropped: spoofed-source",
        "dropped: kernel-quirk",
        "dropped: no-service",
    ]
    .contains(&fate)
}

/// A flow log's records, by the names in its first line.
fn records(text: &str) -> Vec<BTreeMap<&str, &str>> {
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next().expect("a first line").split(' ').collect();
    lines
        .map(|line| {
            let words: Vec<&str> = line.split(' ').collect();
            assert_eq!(words.len(), names.len(), "{line}");
            names.iter().copied().zip(words).collect()
        })
        .collect()
}

/// The default format says the same as the long one.
pub(super) fn same_records(short: &str, long: &str) -> Option<String> {
    let (short, long) = (records(short), records(long));
    let same = short.len() == long.len()
        && short.iter().zip(&long).all(|(short, long)| {
            short["version"] == "2"
                && long["version"] == "5"
                && short
                    .iter()
                    .all(|(name, word)| *name == "version" || long[name] == *word)
        });
    (!same).then(|| "versions 2 and 5 of the flow logs differ".to_owned())
}
