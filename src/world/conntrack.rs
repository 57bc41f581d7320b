//! What the kernel's connection tracking counted in a namespace: the figures of `conntrack -S` and `-C`.
//!
//! Asked of nfnetlink, since kernels without CONFIG_NF_CONNTRACK_PROCFS have no /proc/net/stat/nf_conntrack. Not here: single
//! entries of the table.

use super::counters::Counters;
use super::dump;
use rtnetlink::packet_core::{
    DecodeError, NetlinkDeserializable, NetlinkHeader, NetlinkSerializable, NlasIterator,
};
use rtnetlink::sys::protocols::NETLINK_NETFILTER;
use std::fs;
use std::io::{self, ErrorKind};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// How many connections the table has now: no counter, so that no difference is made of it.
pub const ENTRIES: &str = "entries";

/// Every namespace has it once the module nf_conntrack is there.
const COUNT: &str = "/proc/sys/net/netfilter/nf_conntrack_count";

/// `IPCTNL_MSG_CT_GET_STATS_CPU` of `NFNL_SUBSYS_CTNETLINK`.
const GET_STATS_CPU: u16 = 1 << 8 | 4;

/// `IPCTNL_MSG_CT_GET_STATS`.
const GET_STATS: u16 = 1 << 8 | 5;

/// `CTA_STATS_GLOBAL_ENTRIES`.
const GLOBAL_ENTRIES: u16 = 1;

/// `struct nfgenmsg`: all families, version 0, no resource.
const FAMILY: [u8; 4] = [libc::AF_UNSPEC as u8, 0, 0, 0];

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
    let mut counters = Counters::new();
    dump::dump(&socket, Counts::of(GET_STATS_CPU), |one: Counts| {
        for (kind, count) in one.counts {
            if let Some((_, name)) = NAMES.iter().find(|(known, _)| *known == kind) {
                *counters.entry((*name).to_owned()).or_default() += count;
            }
        }
    })?;
    let table = dump::ask(&socket, Counts::of(GET_STATS))?.unwrap_or_default();
    let entries = table
        .counts
        .iter()
        .find(|(kind, _)| *kind == GLOBAL_ENTRIES);
    counters.extend(entries.map(|(_, count)| (ENTRIES.to_owned(), *count)));
    Ok(counters)
}

/// What one processor counted, or the table as a whole, by attribute; as a question empty.
#[derive(Debug, Default)]
struct Counts {
    /// Which of the two a question is about.
    message: u16,
    counts: Vec<(u16, i64)>,
}

impl Counts {
    fn of(message: u16) -> Self {
        Self {
            message,
            counts: Vec::new(),
        }
    }
}

impl NetlinkSerializable for Counts {
    fn message_type(&self) -> u16 {
        self.message
    }

    fn buffer_len(&self) -> usize {
        FAMILY.len()
    }

    fn serialize(&self, buffer: &mut [u8]) {
        buffer.copy_from_slice(&FAMILY);
    }
}

impl NetlinkDeserializable for Counts {
    type Error = DecodeError;

    fn deserialize(header: &NetlinkHeader, payload: &[u8]) -> Result<Self, DecodeError> {
        let mut counts = Vec::new();
        for attribute in NlasIterator::new(payload.get(FAMILY.len()..).unwrap_or_default()) {
            let attribute = attribute?;
            if let Ok(count) = attribute.value().try_into() {
                counts.push((attribute.kind(), u32::from_be_bytes(count).into()));
            }
        }
        Ok(Self {
            message: header.message_type,
            counts,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_processor_s_counts_are_read_in_network_byte_order() {
        let payload = [
            &FAMILY[..],
            &[8, 0, 9, 0, 0, 0, 1, 2],
            &[8, 0, 4, 0, 0, 0, 0, 7],
        ]
        .concat();
        let told = Counts::deserialize(&NetlinkHeader::default(), &payload);
        assert_eq!(told.expect("two attributes").counts, [(9, 258), (4, 7)]);
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
