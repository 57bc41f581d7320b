//! Packets between hosts that are inside one host, as its devices saw them; and what joins them with the fabric's.
//!
//! A router may translate addresses and ports of what leaves it. What it does not touch is the sequence number of the
//! SYN: random in 32 bits (RFC 6528), and the same at every place that sees it. With the destination it tells whose
//! connection the fabric's conversation is, whatever the router's rules are, and needs no table of the router's own:
//! conntrack's would be gone with its rules, and is not there for a router that translates without it.

use super::marks::{blocks, told};
use crate::evidence::Packet;
use crate::fabric::record::{Conversation, Party};
use crate::packet::icmp::Message;
use crate::packet::stream::Sack;
use crate::packet::{Headers, VnetHeader};
use crate::plan::{Attachment, HostId, Plan};
use crate::run::books::{flags_text, protocol_word};
use crate::run::story::Story;
use crate::world::clocks;
use std::collections::HashMap;
use std::net::{SocketAddr, SocketAddrV4};
use std::time::{Duration, UNIX_EPOCH};
use tokio::time::Instant;

const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const ACK: u8 = 0x10;

/// What [`Packet::fate`] says of a packet that was seen on a device.
const SEEN: &str = "seen";

/// Everything seen inside hosts since the first step.
#[derive(Debug, Default)]
pub(super) struct Sightings {
    list: Vec<Seen>,
    /// Packets for which there was no room.
    pub(super) missed: u64,
}

/// A packet on the device of a host that is inside another one.
#[derive(Clone, Copy, Debug)]
struct Seen {
    /// Whose device.
    host: HostId,
    /// Toward that host; else from it.
    inward: bool,
    /// Milliseconds since the first step.
    t: f64,
    headers: Headers,
    /// What it says, where it is ICMP.
    icmp: Option<Message>,
    sack: Option<Sack>,
}

/// How a client's SYN travelled.
#[derive(Clone, Copy, Debug)]
pub(super) struct Way {
    /// Its initial sequence number.
    pub(super) isn: u32,
    /// How often it left its host.
    pub(super) syns: i64,
}

/// Where a SYN came to a host that is inside another one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrival {
    /// Who got it.
    pub(super) host: HostId,
    /// From where, as that host saw it.
    pub(super) from: SocketAddrV4,
    /// To where.
    pub(super) to: SocketAddrV4,
}

/// Reads what the observers have.
pub(super) fn sightings(story: &Story) -> Sightings {
    let mut sightings = Sightings::default();
    let (now, clock) = clocks::moment();
    let now = Instant::from_std(now);
    let age = |at: Duration| {
        let then = UNIX_EPOCH + at;
        clock.duration_since(then).unwrap_or_default()
    };
    for (observer, hosts) in story.world.observers().iter() {
        sightings.missed += observer.missed();
        for sighting in observer.seen() {
            let Some(host) = hosts.get(&sighting.device) else {
                continue;
            };
            let Some(at) = now.checked_sub(age(sighting.at)) else {
                continue;
            };
            if at < story.start() {
                continue;
            }
            let mut bytes = sighting.bytes;
            bytes.resize(sighting.length, 0);
            if let Ok(mut headers) = Headers::parse(&VnetHeader::default(), &bytes) {
                headers.gso_size = sighting.segment.filter(|size| *size > 0);
                sightings.list.push(Seen {
                    host: *host,
                    inward: sighting.inward,
                    t: story.millis(at),
                    icmp: Message::read(&bytes, &headers),
                    sack: Sack::read(&bytes, &headers),
                    headers,
                });
            }
        }
    }
    sightings
        .list
        .sort_by(|one, other| one.t.total_cmp(&other.t));
    sightings
}

impl Sightings {
    /// How the SYNs of a client's connection travelled, that began at `t`; none when none was seen.
    pub(super) fn way(
        &self,
        from: HostId,
        local: SocketAddr,
        to: SocketAddr,
        t: f64,
    ) -> Option<Way> {
        let (SocketAddr::V4(local), SocketAddr::V4(to)) = (local, to) else {
            return None;
        };
        // Two clocks tell the time; both round.
        let own = self.syns(false).filter(|seen| {
            seen.host == from
                && seen.headers.from == local
                && seen.headers.to == to
                && seen.t > t - 1.0
        });
        let isn = own.clone().next()?.headers.seq;
        Some(Way {
            isn,
            syns: own.filter(|seen| seen.headers.seq == isn).count() as i64,
        })
    }

    /// How the SYNs of a client travelled that is on the network itself, into a host inside of its own one.
    pub(super) fn way_inside(
        &self,
        plan: &Plan,
        from: HostId,
        local: SocketAddr,
        t: f64,
    ) -> Option<Way> {
        let own = self.syns(true).filter(|seen| {
            plan.port(seen.host).0 == from.0
                && SocketAddr::from(seen.headers.from) == local
                && seen.t > t - 1.0
        });
        let isn = own.clone().next()?.headers.seq;
        Some(Way {
            isn,
            syns: own.filter(|seen| seen.headers.seq == isn).count() as i64,
        })
    }

    /// Who sent the first FIN or RST of a connection that never came to the network; none while nobody did, and when it
    /// was neither of its ends.
    pub(super) fn ender(
        &self,
        plan: &Plan,
        (from, local): (HostId, SocketAddr),
        remote: SocketAddr,
        t: f64,
    ) -> Option<Party> {
        let ends = |seen: &Seen| {
            let ends = (seen.headers.from.into(), seen.headers.to.into());
            (ends.0, ends.1)
        };
        // At its client's device, or at those of the hosts inside of its client.
        let own = |seen: &&Seen| {
            seen.host == from
                || (plan.port(seen.host).0 == from.0 && from.0 < plan.on_fabric() as u32)
        };
        let last = self.list.iter().filter(own).find_map(|seen| {
            let ends: (SocketAddr, SocketAddr) = ends(seen);
            let by_client = ends == (local, remote);
            let ending = seen.headers.flags & (FIN | RST) != 0 && seen.t > t - 1.0;
            let its = by_client || ends == (remote, local);
            (ending && its).then_some((seen, by_client))
        });
        let (seen, by_client) = last?;
        if by_client {
            return Some(Party::Client);
        }
        let same = |other: &&Seen| {
            !other.inward
                && other.host != from
                && (
                    other.headers.identification,
                    other.headers.seq,
                    other.headers.flags,
                ) == (
                    seen.headers.identification,
                    seen.headers.seq,
                    seen.headers.flags,
                )
        };
        let dialled = plan.host_of(remote.ip(), from);
        let by_parent = dialled.is_some_and(|host| host.0 == plan.port(from).0);
        (by_parent || self.list.iter().any(|other| same(&other))).then_some(Party::Server)
    }

    /// Where a SYN came that was meant for it, inside a host, the last time; none when it came to none there. A router on its
    /// way there is not whom it was meant for; who answers for an address that the plan does not know it by is.
    pub(super) fn arrival(&self, plan: &Plan, isn: u32) -> Option<Arrival> {
        let seen = self
            .syns(true)
            .filter(|seen| seen.headers.seq == isn)
            .filter(|seen| {
                let host = &plan.hosts[seen.host.0 as usize];
                host.has(seen.headers.destination().into()) || self.is_answered(seen)
            })
            .last()?;
        Some(Arrival {
            host: seen.host,
            from: seen.headers.from,
            to: seen.headers.to,
        })
    }

    /// The host that a SYN came to answered it itself: a SYN-ACK left it that had not come to it, from whatever address: a
    /// NAT's own ends are others than those that its client knows.
    fn is_answered(&self, syn: &Seen) -> bool {
        let answers = || {
            self.list.iter().filter(|seen| {
                seen.host == syn.host
                    && seen.headers.flags & (SYN | ACK) == SYN | ACK
                    && seen.headers.ack == syn.headers.seq.wrapping_add(1)
            })
        };
        let back = (syn.headers.to, syn.headers.from);
        let left =
            answers().any(|seen| !seen.inward && (seen.headers.from, seen.headers.to) == back);
        left && answers().all(|seen| !seen.inward)
    }

    fn syns(&self, inward: bool) -> impl Iterator<Item = &Seen> + Clone {
        let opening = move |seen: &&Seen| seen.headers.is_opening() && seen.inward == inward;
        self.list.iter().filter(opening)
    }

    /// As packets of the evidence; `first` is the number of the first one.
    pub(super) fn packets(&self, story: &Story, first: i64) -> Vec<Packet> {
        let numbered = (first..).zip(&self.list);
        numbered.map(|(id, seen)| packet(story, id, seen)).collect()
    }
}

fn packet(story: &Story, id: i64, seen: &Seen) -> Packet {
    let host = &story.plan.hosts[seen.host.0 as usize];
    let parent = &story.plan.hosts[story.plan.port(seen.host).0 as usize];
    let device = match &host.attachment {
        Attachment::Inside(veth) => veth.name.as_str(),
        Attachment::Fabric => "eth0",
    };
    let (sender, receiver) = match seen.inward {
        true => (parent, host),
        false => (host, parent),
    };
    let headers = &seen.headers;
    Packet {
        id,
        t: seen.t,
        sender: sender.name.clone(),
        receiver: receiver.name.clone(),
        seen_at: format!("{} {device}", parent.name),
        protocol: protocol_word(headers.protocol),
        ip_id: headers.identification.into(),
        follows: None,
        from: headers.from.to_string(),
        to: headers.to.to_string(),
        from_after: headers.from.to_string(),
        to_after: headers.to.to_string(),
        flags: flags_text(headers.flags),
        seq: headers.seq.into(),
        ack: match headers.flags & 0x10 {
            0 => 0,
            _ => headers.ack.into(),
        },
        len: headers.payload_len() as i64,
        window: headers.window.into(),
        wire_packets: headers.wire_packets() as i64,
        wire_bytes: headers.wire_bytes() as i64,
        fate: SEEN.to_owned(),
        flow: None,
        gateway: Default::default(),
        mapping: Default::default(),
        probe: false,
        icmp: seen
            .icmp
            .map(|message| Box::new(told(&message, SocketAddr::V4))),
        sack: seen.sack.as_ref().map(blocks),
        injected: false,
        links: None,
    }
}

/// The fabric's conversations by the initial sequence number of their clients.
pub(super) fn by_isn(conversations: &[Conversation]) -> HashMap<u32, Vec<&Conversation>> {
    let mut map: HashMap<u32, Vec<&Conversation>> = HashMap::new();
    for conversation in conversations {
        map.entry(conversation.isn).or_default().push(conversation);
    }
    map
}
