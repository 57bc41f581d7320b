//! Ends as the evidence writes them, `203.0.113.10:80` and `[2001:db8::1]:80`: the address in them, and whose it is.

use crate::evidence::Evidence;
use std::collections::HashMap;

/// `203.0.113.10` of `203.0.113.10:80`, `2001:db8::1` of `[2001:db8::1]:80`.
pub fn ip(end: &str) -> &str {
    let ip = end.rsplit_once(':').map_or(end, |(ip, _)| ip);
    ip.trim_matches(['[', ']'])
}

/// The host that has an address, of either family; of several the first by name.
pub fn by_address(evidence: &Evidence) -> HashMap<&str, &str> {
    let mut by_address = HashMap::new();
    for (name, host) in &evidence.hosts {
        let addresses = [host.address.as_str(), host.ipv6.as_str()];
        for address in addresses.into_iter().filter(|one| !one.is_empty()) {
            by_address.entry(address).or_insert(name.as_str());
        }
    }
    by_address
}
