//! `untranslated-sack`: a box moves the sequence numbers of a connection and forgets those in SACK blocks.
//!
//! The sender of the data gets acknowledgements whose blocks are about bytes that it never sent, and discards them. It has agreed
//! on SACK, so that duplicate acknowledgements without a block count for nothing (RFC 6675): what is lost is sent again when
//! the retransmission timer fires. Not this: blocks that come as they should, and renumbering as such.
//!
//! Observed on: Cisco FWSM with TCP sequence randomization.

use super::{cite, connections_of, count, counters, distinct, join, lapse, name_all};
use crate::evidence::{LinkDid, LinkEffect};
use crate::verdict::Finding;
use crate::verdict::trace::{Trace, delivered};

pub(super) const KIND: &str = "untranslated-sack";

const READ: [&str; 4] = [
    "TcpExtTCPSACKDiscard",
    "TcpExtTCPTimeouts",
    "TcpExtTCPFastRetrans",
    "TcpRetransSegs",
];

pub(super) fn find(trace: &Trace) -> Vec<Finding> {
    let useless: Vec<usize> = (0..trace.passages.len())
        .filter(|passage| {
            let packet = trace.ended(*passage);
            delivered(packet) && effects(trace, *passage).next().is_some()
        })
        .collect();
    let receivers = distinct(useless.iter().map(|p| trace.ended(*p).receiver.as_str()));
    let of = |receiver: &str| {
        let own = useless.iter().copied();
        own.filter(|p| trace.ended(*p).receiver == receiver)
            .collect()
    };
    receivers
        .into_iter()
        .map(|receiver| tell(trace, receiver, of(receiver)))
        .collect()
}

/// What links did to a packet of this kind: each, and by how much.
fn effects<'a>(
    trace: &Trace<'a>,
    passage: usize,
) -> impl Iterator<Item = (&'a LinkEffect, i64)> + use<'a> {
    let links = trace.ended(passage).links.as_deref();
    let effects = links.into_iter().flat_map(|links| &links.effects);
    effects.filter_map(|effect| match effect.what {
        LinkDid::UntranslatedSack { ahead } => Some((effect, ahead)),
        LinkDid::Damaged { .. } | LinkDid::Copied { .. } | LinkDid::Overtook { .. } => None,
    })
}

/// The acknowledgements of this kind that came to one host; at least one.
fn tell(trace: &Trace, receiver: &str, useless: Vec<usize>) -> Finding {
    let boxes = useless.iter().flat_map(|p| effects(trace, *p));
    let boxes = distinct(boxes.map(|(effect, _)| effect.link()));
    let connections = connections_of(trace, useless.iter().copied());
    let (_, ahead) = effects(trace, useless[0])
        .next()
        .expect("it was chosen for one");
    let mut summary = format!(
        "{} of {} came to {receiver} with SACK blocks about bytes that it never sent: the box at {} moves sequence numbers, and not \
         those in the option. The first were {ahead} off.",
        count(useless.len(), "acknowledgement"),
        name_all(trace, &connections),
        join(&boxes),
    );
    let again = sent_again(trace, receiver, useless[0]);
    let counted = |name: &str| {
        let host = trace.evidence.hosts.get(receiver);
        host.and_then(|host| host.counters.get(name).copied())
            .unwrap_or(0)
    };
    let by_timer = counted("TcpExtTCPTimeouts") > 0 && counted("TcpExtTCPFastRetrans") == 0;
    if let Some(again) = again {
        let waited = trace.sent(again).t - trace.sent(useless[0]).t;
        summary.push_str(&format!(
            " What was missing was sent again {} after the first of them",
            lapse(waited)
        ));
        summary.push_str(match by_timer {
            false => ".",
            true => ", when the retransmission timer fired.",
        });
    }
    Finding {
        kind: KIND.into(),
        summary,
        packets: cite(trace, useless.iter().copied().take(8).chain(again)),
        connections,
        counters: counters(trace.evidence, [receiver], &READ),
        values: Vec::new(),
    }
}

/// The first segment that a host sent on this acknowledgement's connection to begin where the acknowledgement says that
/// something is missing.
fn sent_again(trace: &Trace, host: &str, useless: usize) -> Option<usize> {
    let connection = trace.passages[useless].connection?;
    let missing = trace.sent(useless).ack;
    let own = trace.by_connection[connection].iter().copied();
    let mut later = own.filter(|passage| *passage > useless);
    later.find(|passage| {
        let packet = trace.sent(*passage);
        packet.sender == host && packet.len > 0 && packet.seq == missing
    })
}
