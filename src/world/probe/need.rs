//! What a lab needs of the machine besides what every lab does: read from its plan, so that it can be said which labs
//! cannot run where something is missing.

use crate::plan::{Attachment, Host, Plan};
use std::collections::BTreeSet;

/// Something that some labs need.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// The program `nft`, and nf_tables in the kernel.
    Nft,
    /// Connection tracking and NAT.
    Tracking,
    /// The program `iptables-restore`, and what it speaks to.
    Iptables,
    /// veth pairs.
    Inside,
    /// Bridges.
    Bridges,
    /// Bridged packets in the firewall's hands.
    BridgeFilter,
    /// IPv6.
    Ipv6,
    /// A kernel setting and its value.
    Setting(String, String),
}

/// Words of `nft` and `iptables` after which a kernel tracks connections.
const TRACKING: &[&str] = &[
    "ct",
    "conntrack",
    "dnat",
    "masquerade",
    "nat",
    "notrack",
    "redirect",
    "snat",
];

/// What a case needs.
pub fn of(plan: &Plan) -> BTreeSet<Need> {
    let mut needs = BTreeSet::new();
    for host in &plan.hosts {
        of_host(host, &mut needs);
    }
    needs
}

fn of_host(host: &Host, needs: &mut BTreeSet<Need>) {
    let nft = [&host.rules, &host.nft].into_iter().flatten();
    let texts = [
        (Need::Nft, nft.collect::<Vec<_>>()),
        (Need::Iptables, host.iptables.iter().collect()),
    ];
    for (need, texts) in texts {
        for text in texts {
            needs.insert(need.clone());
            let mut words = text.split(|c: char| !c.is_ascii_alphanumeric());
            if words.any(|word| TRACKING.contains(&word.to_ascii_lowercase().as_str())) {
                needs.insert(Need::Tracking);
            }
        }
    }
    if matches!(host.attachment, Attachment::Inside(_)) {
        needs.insert(Need::Inside);
    }
    if !host.bridges.is_empty() {
        needs.insert(Need::Bridges);
    }
    if host.ipv6.is_some() {
        needs.insert(Need::Ipv6);
    }
    for (name, value) in &host.sysctls {
        needs.insert(match name.starts_with("net.bridge.") {
            true if value.trim() == "0" => continue,
            true => Need::BridgeFilter,
            false => Need::Setting(name.clone(), value.clone()),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needs(hosts: &str) -> BTreeSet<Need> {
        let lab = format!(
            "title: x\nhosts:\n  client: {{}}\n{hosts}steps:\n  - run: {{ as: look, on_host: client, command: id }}\n\
             works: [look.ok]\ncases:\n  c: {{ kind: control }}\n"
        );
        let plans = crate::plan::read(lab.as_bytes(), "x.yaml").expect("a lab without problems");
        of(&plans[0])
    }

    #[test]
    fn a_plain_lab_needs_nothing_besides() {
        assert_eq!(
            needs("  web: { zone: a, serve: { 80: echo } }\n"),
            BTreeSet::new()
        );
    }

    #[test]
    fn what_hosts_are_made_of_is_needed() {
        let router = "  router: { nft: \"table ip x { chain c { type nat hook postrouting priority srcnat; masquerade } }\" }\n  \
                      desk: { behind: router }\n";
        assert_eq!(
            needs(router),
            BTreeSet::from([Need::Nft, Need::Tracking, Need::Inside, Need::Bridges])
        );
        let filter = "  web: { ipv6: auto, zone: a, nft: \"table ip x { chain c { type filter hook input priority 0; drop } }\" }\n";
        assert_eq!(needs(filter), BTreeSet::from([Need::Nft, Need::Ipv6]));
    }

    #[test]
    fn settings_are_needed_with_their_values() {
        let settings = "  web: { zone: a, sysctls: { net.ipv4.tcp_sack: 0, net.bridge.bridge-nf-call-iptables: 0 } }\n";
        let sack = Need::Setting("net.ipv4.tcp_sack".to_owned(), "0".to_owned());
        assert_eq!(needs(settings), BTreeSet::from([sack]));
        let bridged = "  web: { zone: a, sysctls: { net.bridge.bridge-nf-call-iptables: 1 } }\n";
        assert_eq!(needs(bridged), BTreeSet::from([Need::BridgeFilter]));
    }
}
