//! What the kernel's connection tracking counted in a namespace: the figures of `conntrack -S` and `-C`.
//!
//! Asked of nfnetlink, since kernels without CONFIG_NF_CONNTRACK_PROCFS have no /proc/net/stat/nf_conntrack. Not here: single
//! entries of the table.

use super::dump;
use super::proc::Counters;
use rtnetlink::packet_core::{
    DecodeError, NetlinkDeserializable, NetlinkHeader, NetlinkSerializable, NlasIterator,
};
use rtnetlink::sys::protocols::NETLINK_NETFILTER;
use std::fs;
use std::io::{self, ErrorKind};

/// How many connections the table has now: no counter, so that no difference is made of it.
pub const ENTRIES: &str = "entries";

/// This thread's namespace's own count. It is there once the module nf_conntrack is.
const COUNT: &str = "/proc/sys/net/netfilter/nf_conntrack_count";

/// `IPCTNL_MSG_CT_GET_STATS_CPU` of `NFNL_SUBSYS_CTNETLINK`.
const GET_STATS_CPU: u16 = 1 << 8 | 4;

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
    let entries = fs::read_to_string(COUNT).map_err(|error| absence(&error))?;
    let mut counters = counted()
        .map_err(|error| format!("{error}: load the module (`modprobe nf_conntrack_netlink`)"))?;
    if let Ok(entries) = entries.trim().parse() {
        counters.insert(ENTRIES.to_owned(), entries);
    }
    Ok(counters)
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
        _ => format!("read {COUNT}: {error}"),
    }
}

fn counted() -> io::Result<Counters> {
    let socket = dump::socket(NETLINK_NETFILTER)?;
    let mut counters = Counters::new();
    dump::dump(&socket, Processor::default(), |one: Processor| {
        for (kind, count) in one.counts {
            if let Some((_, name)) = NAMES.iter().find(|(known, _)| *known == kind) {
                *counters.entry((*name).to_owned()).or_default() += count;
            }
        }
    })?;
    Ok(counters)
}

/// What one processor counted, by attribute; as a question empty.
#[derive(Debug, Default)]
struct Processor {
    counts: Vec<(u16, i64)>,
}

impl NetlinkSerializable for Processor {
    fn message_type(&self) -> u16 {
        GET_STATS_CPU
    }

    fn buffer_len(&self) -> usize {
        FAMILY.len()
    }

    fn serialize(&self, buffer: &mut [u8]) {
        buffer.copy_from_slice(&FAMILY);
    }
}

impl NetlinkDeserializable for Processor {
    type Error = DecodeError;

    fn deserialize(_: &NetlinkHeader, payload: &[u8]) -> Result<Self, DecodeError> {
        let mut counts = Vec::new();
        for attribute in NlasIterator::new(payload.get(FAMILY.len()..).unwrap_or_default()) {
            let attribute = attribute?;
            if let Ok(count) = attribute.value().try_into() {
                counts.push((attribute.kind(), u32::from_be_bytes(count).into()));
            }
        }
        Ok(Self { counts })
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
        let told = Processor::deserialize(&NetlinkHeader::default(), &payload);
        assert_eq!(told.expect("two attributes").counts, [(9, 258), (4, 7)]);
    }

    #[test]
    fn a_kernel_that_tracks_tells_all_or_says_why_not() {
        match counters() {
            Ok(counters) => {
                assert!(counters.contains_key("insert_failed"), "{counters:?}");
                assert!(counters.contains_key(ENTRIES), "{counters:?}");
            }
            Err(why) => assert!(why.contains("modprobe") || why.contains("read"), "{why}"),
        }
    }
}
