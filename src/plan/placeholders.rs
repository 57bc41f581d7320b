//! `$name` in the text that operators write (`nft`, `iptables`, `setup`, `run`): a host's address;
//! `$name.ipv6`: its IPv6 address.
//!
//! Only names of the lab are replaced: nft's own `define`s and the shell's variables stay as they are. `$$` is a
//! literal `$`. A group's name becomes the addresses of its hosts with commas between, which nft takes in braces
//! and iptables after `-s`.

use super::HostId;
use super::addresses::Addresses;
use super::hosts::Hosts;

/// Who has which address.
#[derive(Clone, Copy, Debug)]
pub(super) struct Places<'a> {
    pub(super) hosts: &'a Hosts<'a>,
    pub(super) addresses: &'a Addresses,
}

impl Places<'_> {
    /// The text with the names of hosts replaced.
    pub(super) fn fill(&self, text: &str) -> String {
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(dollar) = rest.find('$') {
            filled.push_str(&rest[..dollar]);
            rest = &rest[dollar + 1..];
            if let Some(after) = rest.strip_prefix('$') {
                filled.push('$');
                rest = after;
            } else if let Some((name, hosts)) = self.longest_name(rest) {
                rest = &rest[name.len()..];
                match rest.strip_prefix(".ipv6") {
                    Some(after) if self.have_ipv6(hosts) => {
                        filled.push_str(&self.written_ipv6(hosts));
                        rest = after;
                    }
                    Some(_) | None => filled.push_str(&self.written(hosts)),
                }
            } else {
                filled.push('$');
            }
        }
        filled.push_str(rest);
        filled
    }

    /// The longest known name that the text begins with. `$web1-$web2` is a range, so a name may end before a
    /// hyphen; it never ends within a word.
    fn longest_name<'t>(&self, text: &'t str) -> Option<(&'t str, &[HostId])> {
        let end = text
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_'))
            .unwrap_or(text.len());
        let mut name = &text[..end];
        loop {
            if let Some(hosts) = self.hosts.all(name) {
                return Some((name, hosts));
            }
            name = &name[..name.rfind('-')?];
        }
    }

    fn have_ipv6(&self, hosts: &[HostId]) -> bool {
        let ipv6 = |host: &HostId| self.addresses.hosts[host.0 as usize].ipv6;
        hosts.iter().all(|host| ipv6(host).is_some())
    }

    fn written_ipv6(&self, hosts: &[HostId]) -> String {
        let ipv6 = |host: &HostId| self.addresses.hosts[host.0 as usize].ipv6;
        let addresses: Vec<String> = hosts
            .iter()
            .filter_map(ipv6)
            .map(|address| address.to_string())
            .collect();
        addresses.join(",")
    }

    fn written(&self, hosts: &[HostId]) -> String {
        hosts
            .iter()
            .map(|host| self.addresses.hosts[host.0 as usize].private.to_string())
            .collect::<Vec<_>>()
            .join(",")
    }
}
