//! Ends as the evidence writes them, `203.0.113.10:80` and `[2001:db8::1]:80`: the address in them, and whose it is.

use crate::evidence::{Evidence, HostEvidence};
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

/// The host at an end, by its address.
pub fn host_at<'a>(evidence: &'a Evidence, end: &str) -> Option<&'a str> {
    let mut hosts = evidence.hosts.iter();
    let there = hosts.find(|(_, host)| is_at(host, end));
    there.map(|(name, _)| name.as_str())
}

/// An end is at a host's own address, of either family.
pub fn is_at(host: &HostEvidence, end: &str) -> bool {
    let address = ip(end);
    !address.is_empty() && (address == host.address || address == host.ipv6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_at_its_addresses_of_both_families_and_nowhere_without() {
        let mut host = HostEvidence {
            address: "10.0.0.10".into(),
            ..HostEvidence::default()
        };
        assert!(is_at(&host, "10.0.0.10:80"));
        assert!(!is_at(&host, "10.0.0.1:80") && !is_at(&host, ""));
        host.ipv6 = "2001:db8::10".into();
        assert!(is_at(&host, "[2001:db8::10]:80"));
        let evidence = Evidence {
            hosts: [("web1".into(), host)].into(),
            ..Evidence::default()
        };
        assert_eq!(host_at(&evidence, "[2001:db8::10]:80"), Some("web1"));
        assert_eq!(host_at(&evidence, "10.0.0.1:80"), None);
    }
}
