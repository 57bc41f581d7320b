//! `undetected-damage`: packets were damaged on the way, and the receiver's kernel took them for sound.
//!
//! Observed on: datagrams without a checksum; boxes and drivers that vouch for what they have not checked (Linux's veth
//! until 4.4). Not this: damage that a checksum catches, which is a loss to everybody above; and a packet that the receiver's
//! own filter took, whose checksum nobody looked at.

use super::{CITED, Came, connections_of, count, counters, delivered_where};
use crate::evidence::HostEvidence;
use crate::verdict::Finding;
use crate::verdict::trace::Trace;

pub(super) const KIND: &str = "undetected-damage";

/// A protocol's packets, and how a kernel counts those that come.
struct Counted {
    protocol: &'static str,
    noun: &'static str,
    /// Counters that together count each one that came to be verified, the found ones among them.
    looked_at: &'static [&'static str],
    /// Counters of those that were found to be damaged.
    found: &'static [&'static str],
}

const ALL: [Counted; 2] = [
    // A datagram's checksum is verified when a program reads it, and a datagram is counted then.
    Counted {
        protocol: "udp",
        noun: "datagram",
        looked_at: &[
            "UdpInDatagrams",
            "Udp6InDatagrams",
            "UdpInCsumErrors",
            "Udp6InCsumErrors",
        ],
        found: &["UdpInCsumErrors", "Udp6InCsumErrors"],
    },
    // `tcp_v4_rcv` and `tcp_v6_rcv` count a segment behind the filters and before its checksum, a super-packet as one.
    Counted {
        protocol: "tcp",
        noun: "segment",
        looked_at: &["TcpInSegs"],
        found: &["TcpInCsumErrors"],
    },
];

pub(super) fn find(trace: &Trace) -> Vec<Finding> {
    let all = ALL.iter().map(|counted| {
        let damaged = delivered_where(trace, counted.protocol, |packet| {
            let links = packet.links.as_ref();
            links.is_some_and(|links| links.is_damaged())
        });
        (counted, damaged)
    });
    let all = all.collect::<Vec<_>>();
    let hosts = trace.evidence.hosts.iter();
    let each = hosts.flat_map(|host| all.iter().map(move |counted| (host, counted)));
    each.filter_map(|((name, host), (counted, damaged))| {
        taken(trace, (name, host), counted, damaged.get(name.as_str())?)
    })
    .collect()
}

/// What a host took of one protocol.
fn taken(
    trace: &Trace,
    (name, host): (&str, &HostEvidence),
    counted: &Counted,
    damaged: &Came,
) -> Option<Finding> {
    let sum = |names: &[&str]| -> i64 {
        let deltas = names.iter().filter_map(|name| host.counters.get(*name));
        deltas.sum()
    };
    let found = sum(counted.found);
    let passages = &damaged.passages;
    let unseen = passages.len() as i64 - found;
    if unseen <= 0 || sum(counted.looked_at) != damaged.of {
        return None;
    }
    let ended = passages.iter().map(|number| trace.passages[*number].ended);
    Some(Finding {
        kind: KIND.into(),
        summary: format!(
            "{} came to {name} damaged, and its kernel found something wrong with {}: {unseen} went on to the program as if \
             sent so.",
            count(passages.len(), counted.noun),
            match found {
                0 => "none of them".to_owned(),
                found => format!("{found} of them"),
            },
        ),
        packets: ended.take(CITED).collect(),
        connections: connections_of(trace, passages.iter().copied()),
        counters: counters(
            trace.evidence,
            [name],
            &[counted.looked_at, counted.found].concat(),
        ),
        values: Vec::new(),
    })
}
