//! `$name` in the text that operators write (`nft`, `iptables`, `setup`, `command`, `run`): a host's address;
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

    /// The first name in nft rules that is neither the lab's nor defined there: nft stops at it. None where the rules
    /// include others, which may define it.
    pub(super) fn undefined<'t>(&self, rules: &'t str) -> Option<&'t str> {
        let mut words = rules.split_whitespace();
        if words.clone().any(|word| word == "include") {
            return None;
        }
        let mut defined = Vec::new();
        while let Some(word) = words.next() {
            if matches!(word, "define" | "redefine") {
                defined.extend(words.next().and_then(|name| name.split('=').next()));
            }
        }
        let lines = rules.lines().map(without_strings_and_comments);
        let mut names = lines.flat_map(|line| line.split('$').skip(1).collect::<Vec<_>>());
        names.find_map(|rest| {
            let name = &rest[..end_of_word(rest)];
            // Of `$a-$b` the hyphen is the range's.
            let alone = name.trim_end_matches('-');
            let is_known = self.longest_name(rest).is_some() || defined.contains(&alone);
            (!alone.is_empty() && !is_known).then_some(alone)
        })
    }

    /// The longest known name that the text begins with. `$web1-$web2` is a range, so a name may end before a
    /// hyphen; it never ends within a word.
    fn longest_name<'t>(&self, text: &'t str) -> Option<(&'t str, &[HostId])> {
        let mut name = &text[..end_of_word(text)];
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

/// Where the word that a text begins with ends.
fn end_of_word(text: &str) -> usize {
    text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_'))
        .unwrap_or(text.len())
}

/// What nft reads of a line: up to a comment or a string, in which it replaces nothing.
fn without_strings_and_comments(line: &str) -> &str {
    &line[..line.find(['#', '"']).unwrap_or(line.len())]
}
