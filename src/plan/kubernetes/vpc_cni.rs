//! The VPC CNI's part of a node: its rules as `nft` text, its kernel settings, the names of its devices.
//!
//! As `amazon-vpc-cni-k8s` has them (`pkg/networkutils/network.go`, `cmd/aws-vpc-cni-init`). Every pod's address is a
//! secondary one of the node's first interface, for which the CNI adds no routing tables: its `ip rule`s (512, 1024)
//! lead to the main table, where everything is looked up anyway, and are left out.

use crate::fabric::guard::rules::Cidr;
use ring::digest::{SHA256, digest};
use std::net::Ipv4Addr;

/// What the CNI's init container and kubelet set.
pub(super) const SYSCTLS: &[(&str, &str)] = &[
    ("net.ipv4.ip_forward", "1"),
    ("net.ipv4.conf.eth0.rp_filter", "2"),
];

/// The node's end of a pod's veth: `eni` and eleven digits of a hash of namespace and name.
pub(in crate::plan) fn device(pod: &str) -> String {
    let hash = digest(&SHA256, format!("default.{pod}").as_bytes());
    let digits: String = hash.as_ref()[..6]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("eni{}", &digits[..11])
}

/// What leaves the VPC takes the node's address; what came in by `eth0` to a node's port goes out by it again. iptables
/// has one POSTROUTING chain, in which kube-proxy's rules come first; here that is a later priority.
/// `translated_later`: addresses of services that are made pods' behind these rules.
pub(in crate::plan) fn rules(
    vpc: Cidr,
    translated_later: Option<(Ipv4Addr, u8)>,
    node: Ipv4Addr,
) -> String {
    let (address, prefix) = (vpc.address, vpc.prefix);
    let services = translated_later.map_or(String::new(), |(address, prefix)| {
        format!("    ip daddr {address}/{prefix} return comment \"services, made pods of the VPC behind here\"\n")
    });
    format!(
        "table ip aws-cni {{
  chain POSTROUTING {{
    type nat hook postrouting priority srcnat + 1; policy accept;
    jump AWS-SNAT-CHAIN-0 comment \"AWS SNAT CHAIN\"
  }}
  chain AWS-SNAT-CHAIN-0 {{
    ip daddr {address}/{prefix} return comment \"AWS SNAT CHAIN\"
{services}    oifname != \"vlan*\" fib daddr type != local snat to {node} fully-random comment \"AWS, SNAT\"
  }}
  chain PREROUTING {{
    type filter hook prerouting priority mangle; policy accept;
    iifname \"eth0\" fib daddr . iif type local ct mark set ct mark or 0x80 comment \"AWS, primary ENI\"
    iifname \"eni*\" meta mark set ct mark and 0x80 comment \"AWS, primary ENI\"
  }}
}}
"
    )
}

#[cfg(test)]
mod tests {
    use super::device;

    #[test]
    fn a_device_name_is_one_that_linux_takes() {
        let name = device("shell");
        assert_eq!(name.len(), 14);
        assert!(name.starts_with("eni"));
        assert_ne!(name, device("nginx-1"));
    }
}
