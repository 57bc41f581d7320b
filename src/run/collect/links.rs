//! What links did to packets, from the fabric's books to evidence.

use crate::evidence::{LinkDid, LinkEffect, OnLinks, Packet, Queued};
use crate::fabric::record::{Impaired, Impairment, Stage};
use crate::plan::Plan;
use std::collections::HashMap;

/// By a packet's number, what links did to it. How long they had it is not known yet.
pub(in crate::run) type Effects = HashMap<i64, OnLinks>;

pub(in crate::run) fn effects<'i>(
    plan: &Plan,
    impairments: impl IntoIterator<Item = &'i Impairment>,
) -> Effects {
    let mut effects = Effects::new();
    for impairment in impairments {
        let of_packet = effects.entry(impairment.packet as i64).or_default();
        let (port, direction) = match impairment.link {
            Stage::Up(port) => (port, "up"),
            Stage::Down(port) => (port, "down"),
        };
        let host = plan.fabric.ports[port.0 as usize].name.clone();
        let what = match impairment.what {
            Impaired::Damaged(byte) => LinkDid::Damaged {
                byte: byte.map(i64::from),
            },
            Impaired::CopyOf(packet) => LinkDid::Copied {
                from: packet as i64,
            },
            Impaired::Overtook(packets) => LinkDid::Overtook {
                packets: packets.into(),
            },
            Impaired::UntranslatedSack(ahead) => LinkDid::UntranslatedSack {
                ahead: ahead.into(),
            },
            Impaired::Queued(wait) => {
                let ms = wait.as_secs_f64() * 1e3;
                of_packet.queued_ms += ms;
                of_packet.queues.push(Queued {
                    host,
                    direction: direction.to_owned(),
                    ms,
                });
                continue;
            }
        };
        let effect = LinkEffect {
            host,
            direction: direction.to_owned(),
            what,
        };
        of_packet.effects.push(effect);
    }
    effects
}

/// Tells of each packet, with its last record, how long links had it and what else they did to it.
pub(in crate::run) fn tell(packets: &mut [Packet], mut effects: Effects) {
    let is_wait = |packet: &Packet| packet.fate == "held";
    let waits = packets.iter().filter(|packet| is_wait(packet));
    let mut since: HashMap<i64, f64> = waits.map(|packet| (packet.id, packet.t)).collect();
    // From the end, so that the last record of a packet comes first.
    for packet in packets.iter_mut().rev() {
        if since.is_empty() && effects.is_empty() {
            return;
        }
        let began = since.remove(&packet.id);
        let links = OnLinks {
            delayed_ms: began.map_or(0.0, |began| packet.t - began),
            ..effects.remove(&packet.id).unwrap_or_default()
        };
        if links != OnLinks::default() {
            packet.links = Some(Box::new(links));
        }
    }
}
