//! The machine around runs, as it is told by its kernel.

use super::GONE;
use super::common::eventually;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What of the machine a run must not change.
#[derive(PartialEq)]
pub struct Machine {
    network: BTreeMap<PathBuf, String>,
    mounts: String,
    files: BTreeSet<PathBuf>,
}

impl Machine {
    /// As it is now.
    pub fn look() -> Self {
        let mut network = BTreeMap::new();
        // Counters of devices move by themselves; names, addresses, routes and settings must not.
        for file in [
            "route",
            "fib_trie",
            "if_inet6",
            "ipv6_route",
            "ip_tables_names",
        ] {
            let path = PathBuf::from("/proc/self/net").join(file);
            let mut text = fs::read_to_string(&path).unwrap_or_default();
            if file == "ipv6_route" {
                text = without_uses(&text);
            }
            network.insert(path, text);
        }
        let devices = fs::read_to_string("/proc/self/net/dev").unwrap_or_default();
        let names = devices
            .lines()
            .filter_map(|line| line.split_once(':'))
            .map(|(name, _)| name)
            .collect();
        network.insert("devices".into(), names);
        settings(Path::new("/proc/sys/net"), &mut network);
        for tool in [
            // Stateless: counters move by themselves.
            "nft --stateless list ruleset",
            "ip rule",
            "ip -6 rule",
        ] {
            let mut words = tool.split(' ');
            let asked = Command::new(words.next().expect("a name"))
                .args(words)
                .output();
            // Where it is not installed, nothing of it is there either.
            let said = asked.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
            network.insert(tool.into(), said.unwrap_or_default());
        }
        // A namespace outlives its processes only through a mount, and one with a name has a file here. Other files: see the
        // test that has folders of its own for them.
        let named = fs::read_dir("/var/run/netns").into_iter().flatten();
        let files = named.flatten().map(|entry| entry.path()).collect();
        Self {
            network,
            mounts: fs::read_to_string("/proc/self/mounts").expect("mounts"),
            files,
        }
    }

    /// The kernel dismantles mounts of a dead namespace after its last holder is gone, not at that moment.
    pub fn assert_same_soon(&self) {
        eventually(GONE, "the machine is as it was (mounts, files)", || {
            let now = Self::look();
            (now.mounts == self.mounts && now.files.is_subset(&self.files)).then_some(())
        });
        let now = Self::look();
        for (path, text) in &self.network {
            assert_eq!(
                Some(text),
                now.network.get(path),
                "{} changed",
                path.display()
            );
        }
    }
}

/// Routes without the counts of who refers to them, which move by themselves.
fn without_uses(routes: &str) -> String {
    let kept = routes.lines().map(|line| {
        let words = line.split_whitespace().enumerate();
        let kept = words.filter(|(place, _)| !matches!(place, 6 | 7));
        kept.map(|(_, word)| format!("{word} ")).collect::<String>() + "\n"
    });
    kept.collect()
}

fn settings(folder: &Path, all: &mut BTreeMap<PathBuf, String>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            settings(&path, all);
        } else if path.ends_with("nf_conntrack_count") {
            // It moves with the machine's own traffic.
        } else if let Ok(text) = fs::read_to_string(&path) {
            all.insert(path, text);
        }
    }
}
