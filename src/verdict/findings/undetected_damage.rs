//! `undetected-damage`: packets were damaged on the way, and the receiver's kernel took them for sound.
//!
//! Observed on: datagrams without a checksum; boxes and drivers that vouch for what they have not checked (Linux's veth
//! until 4.4). Not this: damage that a checksum catches, which is a loss to everybody above.

use super::{CITED, connections_of, count, counters};
use crate::evidence::{HostEvidence, Packet};
use crate::verdict::Finding;
use crate::verdict::trace::{Trace, delivered};

pub(super) const KIND: &str = "undetected-damage";

pub(super) fn find(trace: &Trace) -> Option<Finding> {
    let hosts = trace.evidence.hosts.iter();
    hosts
        .flat_map(|host| ["udp", "tcp"].map(|protocol| (host, protocol)))
        .find_map(|((name, host), protocol)| taken(trace, name, host, protocol))
}

/// What a host took of one protocol.
fn taken(trace: &Trace, name: &str, host: &HostEvidence, protocol: &str) -> Option<Finding> {
    let all = trace.passages.iter().enumerate();
    let came: Vec<(usize, &Packet)> = all
        .map(|(number, passage)| (number, &trace.evidence.packets[passage.ended]))
        .filter(|(_, packet)| packet.receiver == name && packet.protocol == protocol)
        .filter(|(_, packet)| delivered(packet))
        .collect();
    let counter = |name: &str| host.counters.get(name).copied().unwrap_or(0);
    let (found, looked_at) = match protocol {
        "tcp" => (counter("TcpInCsumErrors"), true),
        _ => {
            let found = counter("UdpInCsumErrors") + counter("Udp6InCsumErrors");
            let read = counter("UdpInDatagrams") + counter("Udp6InDatagrams");
            // A datagram's checksum is verified when a program reads it.
            (found, read + found >= came.len() as i64)
        }
    };
    let damaged = came.iter().filter(|(_, packet)| {
        let links = packet.links.as_ref();
        links.is_some_and(|links| links.is_damaged())
    });
    let damaged: Vec<usize> = damaged.map(|(number, _)| *number).collect();
    let unseen = damaged.len() as i64 - found;
    if unseen <= 0 || !looked_at {
        return None;
    }
    let ended = damaged.iter().map(|number| trace.passages[*number].ended);
    let noun = match protocol {
        "tcp" => "segment",
        _ => "datagram",
    };
    Some(Finding {
        kind: KIND.into(),
        summary: format!(
            "{} came to {name} damaged, and its kernel found something wrong with {}: {unseen} went on to the program as if \
             sent so.",
            count(damaged.len(), noun),
            match found {
                0 => "none of them".to_owned(),
                found => format!("{found} of them"),
            },
        ),
        packets: ended.take(CITED).collect(),
        connections: connections_of(trace, damaged),
        counters: counters(
            trace.evidence,
            [name],
            &[
                "UdpInDatagrams",
                "UdpInCsumErrors",
                "TcpInSegs",
                "TcpInCsumErrors",
            ],
        ),
        values: Vec::new(),
    })
}
