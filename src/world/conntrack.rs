//! What the kernel's connection tracking counted in a namespace: the figures of `conntrack -S` and `-C`.
//!
//! Asked of nfnetlink, since kernels without CONFIG_NF_CONNTRACK_PROCFS have no /proc/net/stat/nf_conntrack. Not here: single
//! entries of the table.

use super::counters::Counters;
use super::ctnetlink::Message;
use super::dump;
use rtnetlink::packet_core::NlasIterator;
use rtnetlink::sys::protocols::NETLINK_NETFILTER;
use std::fs;
use std::io::{self, ErrorKind};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// How many connections the table has now: no counter, so that no difference is made of it.
pub const ENTRIES: &str = "entries";

/// Every namespace has it once the module nf_conntrack is there.
const COUNT: &str = "/proc/sys/net/netfilter/nf_conntrack_count";

/// `IPCTNL_MSG_CT_GET_STATS_CPU`.
const GET_STATS_CPU: u16 = 4;

/// `IPCTNL_MSG_CT_GET_STATS`.
const GET_STATS: u16 = 5;

/// `CTA_STATS_GLOBAL_ENTRIES`.
const GLOBAL_ENTRIES: u16 = 1;

/// `enum ctattr_stats_cpu`, in the words of conntrack(8); those that kernels no longer count are left out. Source:
/// include/uapi/linux/netfilter/nfnetlink_conntrack.h
const NAMES: &[(u16, &str)] = &[
    (2, "found"),
    (4, "invalid"),
    (8, "insert"),
    (9, "insert_failed"),
    (10, "drop"),
    (11, "early_drop"),
    (12, "error"),
    (13, "search_restart"),
    (14, "clash_resolve"),
    (15, "chaintoolong"),
];

/// The counters of this thread's namespace, over all processors, and [`ENTRIES`]. Each counter is there that this kernel has.
///
/// # Errors
/// Why they are not known, in words.
pub fn counters() -> Result<Counters, String> {
    tracks()?;
    counted().map_err(|error| format!("{error}: load the module (`modprobe nf_conntrack_netlink`)"))
}

/// True when the table of this thread's namespace has entries, by a file that needs no `nf_conntrack_netlink`.
pub fn has_entries() -> bool {
    fs::read_to_string(COUNT).is_ok_and(|count| count.trim() != "0")
}

/// Looked at until it is so: a look-up in /proc/sys costs in proportion to the namespaces there are, and to ask the kernel by
/// netlink makes it load its modules.
fn tracks() -> Result<(), String> {
    static TRACKS: AtomicBool = AtomicBool::new(false);
    if !TRACKS.load(Relaxed) {
        fs::metadata(COUNT).map_err(|error| absence(&error))?;
        TRACKS.store(true, Relaxed);
    }
    Ok(())
}

/// Asks for the counters and not for the answer: a kernel that tracks by a module loads it for that.
pub fn wake() {
    if let Err(error) = counted() {
        tracing::debug!(%error, "nobody tells of connection tracking");
    }
}

fn absence(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => {
            "the kernel tracks no connections: no rules here ask it to, or it cannot (`modprobe nf_conntrack`)".to_owned()
        }
        _ => format!("look at {COUNT}: {error}"),
    }
}

fn counted() -> io::Result<Counters> {
    let socket = dump::socket(NETLINK_NETFILTER)?;
    let question = |kind| Message::new(kind, libc::AF_UNSPEC, Vec::new());
    let mut counters = Counters::new();
    dump::dump(&socket, question(GET_STATS_CPU), |one: Message| {
        for (kind, count) in counts(&one.attributes) {
            if let Some((_, name)) = NAMES.iter().find(|(known, _)| *known == kind) {
                *counters.entry((*name).to_owned()).or_default() += count;
            }
        }
    })?;
    let table = dump::ask(&socket, question(GET_STATS))?.unwrap_or_default();
    let entries = counts(&table.attributes).find(|(kind, _)| *kind == GLOBAL_ENTRIES);
    counters.extend(entries.map(|(_, count)| (ENTRIES.to_owned(), count)));
    Ok(counters)
}

/// What one processor counted, or the table as a whole, by attribute.
fn counts(attributes: &[u8]) -> impl Iterator<Item = (u16, i64)> {
    NlasIterator::new(attributes).flatten().filter_map(|one| {
        let count: [u8; 4] = one.value().try_into().ok()?;
        Some((one.kind(), u32::from_be_bytes(count).into()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_processor_s_counts_are_read_in_network_byte_order() {
        let attributes = [8, 0, 9, 0, 0, 0, 1, 2, 8, 0, 4, 0, 0, 0, 0, 7];
        let told: Vec<(u16, i64)> = counts(&attributes).collect();
        assert_eq!(told, [(9, 258), (4, 7)]);
    }

    #[test]
    fn a_kernel_that_tracks_tells_all_or_says_why_not() {
        match counters() {
            Ok(counters) => {
                assert!(counters.contains_key("insert_failed"), "{counters:?}");
                assert!(counters.contains_key(ENTRIES), "{counters:?}");
            }
            Err(why) => assert!(why.contains("modprobe") || why.contains("look at"), "{why}"),
        }
    }
}
