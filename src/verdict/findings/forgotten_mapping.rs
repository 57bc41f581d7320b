//! `idle-expiry` of a host whose kernel translates datagrams: it forgot an exchange of a host behind it, and what the other end said then
//! came to its own kernel.
//!
//! Observed on: Linux routers with `masquerade` (`nf_conntrack_udp_timeout` is 30 s, `nf_conntrack_udp_timeout_stream` 120 s). Not this:
//! an emulated gateway (see `idle_expiry`); segments of TCP (see `forgotten_translation`); what the host behind it says, which makes a
//! new entry.

use super::idle_expiry::KIND;
use super::{cite_records, counters, distinct, lapse, quoted};
use crate::verdict::Finding;
use crate::verdict::trace::{Trace, delivered, is_at};
use std::collections::BTreeMap;

/// Silence before it, ms: timeouts of connection tracking are whole seconds.
const SILENCE: f64 = 1000.0;

/// What came for a connection that its router had forgotten.
struct Late<'a> {
    router: &'a str,
    /// When a packet of the connection passed last.
    since: f64,
    /// Records, at least one.
    came: Vec<usize>,
}

pub(super) fn find(trace: &Trace) -> Option<Finding> {
    let evidence = trace.evidence;
    let packets = &evidence.packets;
    let late = late(trace);
    let (connection, first) = late.iter().next()?;
    let packet = &packets[first.came[0]];
    let unheard = evidence.hosts.get(first.router);
    let unheard = unheard.and_then(|host| host.counters.get("UdpNoPorts"));
    let answer = match unheard {
        Some(n) if usize::try_from(*n).is_ok_and(|n| n >= first.came.len()) => {
            "which has no program at that port"
        }
        Some(_) | None => "which has no use for it",
    };
    let others = match late.len() - 1 {
        0 => String::new(),
        n => format!(" So it was with {} more.", super::count(n, "connection")),
    };
    Some(Finding {
        kind: KIND.into(),
        summary: format!(
            "{} translates, and forgot {} in {} of silence. What {} said then came to the kernel of {} itself, {answer}; {} behind it was \
             told nothing.{others}",
            first.router,
            quoted(trace, *connection),
            lapse(packet.t - first.since),
            packet.sender,
            first.router,
            evidence.connections[*connection].from,
        ),
        packets: cite_records(late.values().flat_map(|one| one.came.iter().copied())),
        connections: late.keys().copied().collect(),
        counters: counters(
            evidence,
            distinct(late.values().map(|one| one.router)),
            &["UdpNoPorts", "IcmpOutDestUnreachs"],
        ),
        values: Vec::new(),
    })
}

/// By connection of a host behind a router.
fn late<'a>(trace: &Trace<'a>) -> BTreeMap<usize, Late<'a>> {
    let evidence = trace.evidence;
    let packets = &evidence.packets;
    let mut passed: BTreeMap<usize, f64> = BTreeMap::new();
    let mut late: BTreeMap<usize, Late<'_>> = BTreeMap::new();
    for journey in trace.journeys() {
        let Some(connection) = journey.connection else {
            continue;
        };
        let c = &evidence.connections[connection];
        if c.protocol != "udp" {
            continue;
        }
        let Some(router) = evidence.hosts.get(&c.from).map(|host| host.inside.as_str()) else {
            continue;
        };
        let Some(own) = evidence.hosts.get(router) else {
            continue;
        };
        let began = &packets[journey.sent()];
        let last = &packets[journey.ended()];
        let its_own = delivered(last) && last.receiver == router && is_at(own, &last.to_after);
        match passed.get(&connection) {
            Some(since) if its_own => {
                let known = late.contains_key(&connection);
                if known || began.t - since >= SILENCE {
                    let one = late.entry(connection).or_insert(Late {
                        router,
                        since: *since,
                        came: Vec::new(),
                    });
                    one.came.push(journey.sent());
                }
            }
            // Going on makes an entry: then nothing was lost but what came before.
            _ if journey.stretches.len() > 1 => {
                passed.insert(connection, began.t);
            }
            Some(_) | None => {}
        }
    }
    late
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::Packet;
    use crate::verdict::findings::recognise;
    use crate::verdict::kit::Kit;

    const ROUTER: &str = "10.0.2.10:40000";

    /// web1 speaks to client, which is behind web2, after a pause: to the router itself, or through it.
    fn told(pause: f64, through: bool, change: impl Fn(&mut Kit)) -> Option<String> {
        let mut kit = Kit::new();
        let talk = kit.connect("talk", 40000, "web1", "web1");
        let client = kit.evidence.hosts.get_mut("client").expect("the client");
        client.inside = "web2".into();
        kit.of(talk).protocol = "udp".into();
        kit.up(talk, "", 0, 0, 64);
        kit.down(talk, "", 0, 0, 64);
        kit.now += pause;
        kit.down(talk, "", 0, 0, 65);
        let packets = std::mem::take(&mut kit.evidence.packets);
        for mut packet in packets {
            packet.protocol = "udp".into();
            let passes = through || packet.len == 64;
            let mut inside = packet.clone();
            (inside.seen_at, inside.fate) = ("web2 veth1".into(), "seen".into());
            let (id, on) = (packet.id, 1_000 + packet.id);
            match packet.sender == "client" {
                true => {
                    inside.receiver = "web2".into();
                    (packet.id, packet.follows, packet.sender) = (on, Some(id), "web2".into());
                    (packet.from, packet.from_after) = (ROUTER.into(), ROUTER.into());
                    kit.evidence.packets.extend([inside, packet]);
                }
                false => {
                    (inside.id, inside.follows, inside.sender) = (on, Some(id), "web2".into());
                    packet.receiver = "web2".into();
                    (packet.to, packet.to_after) = (ROUTER.into(), ROUTER.into());
                    kit.evidence.packets.push(packet);
                    kit.evidence.packets.extend(passes.then_some(inside));
                }
            }
        }
        change(&mut kit);
        let mut found = recognise(&kit.evidence).into_iter();
        let own = found.find(|finding| finding.kind == KIND);
        own.map(|finding| finding.summary)
    }

    #[test]
    fn a_router_that_forgot_is_told_with_the_silence_and_its_answer() {
        let text = told(3000.0, false, |_| {}).expect("a finding");
        assert_eq!(
            text,
            "web2 translates, and forgot \"talk\" in 3.00 s of silence. What web1 said then came to the kernel of web2 itself, which has no \
             use for it; client behind it was told nothing."
        );
        let counted = |kit: &mut Kit| {
            kit.counter("web2", "UdpNoPorts", 1);
        };
        let text = told(3000.0, false, counted).expect("a finding");
        assert!(
            text.contains("itself, which has no program at that port;"),
            "{text}"
        );
        // Of two one was refused: the other it had a use for, or kept silent about.
        let again = |kit: &mut Kit| {
            let last = kit.evidence.packets.last().expect("one").clone();
            let (id, t) = (500, last.t + 1.0);
            kit.evidence.packets.push(Packet { id, t, ..last });
            kit.counter("web2", "UdpNoPorts", 1);
        };
        let text = told(3000.0, false, again).expect("a finding");
        assert!(text.contains("which has no use for it;"), "{text}");
    }

    #[test]
    fn what_passes_comes_at_once_or_is_for_nobody_is_no_expiry() {
        assert!(told(3000.0, true, |_| {}).is_none());
        assert!(told(300.0, false, |_| {}).is_none());
        // Segments of TCP are another finding's.
        let stream = |kit: &mut Kit| {
            kit.of(0).protocol = "tcp".into();
            for packet in &mut kit.evidence.packets {
                packet.protocol = "tcp".into();
            }
        };
        assert!(told(3000.0, false, stream).is_none());
    }
}
