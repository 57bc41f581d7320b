//! Packets on the veths of hosts inside others: their interfaces, and what became of each.
//!
//! A packet of the capture is that packet of the evidence which looks the same, on the same device, and is nearest in time.

use crate::evidence::{Evidence, Packet};
use crate::packet::Headers;
use crate::plan::{Attachment, HostId, Plan};
use crate::run::books::{flags_text, protocol_word};
use crate::world::tap::Entry;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;

/// The two sockets that see one packet are served one after the other, ms.
const APART: f64 = 20.0;

/// Evidence's packets, ready to be found.
pub(super) struct Inside {
    plan: Arc<Plan>,
    packets: Vec<Packet>,
    /// Of those seen on devices, by what they look like.
    seen: HashMap<Look, Vec<usize>>,
    /// By a packet's number: its last record, and where it was seen next.
    places: HashMap<i64, usize>,
    next: HashMap<i64, usize>,
}

/// Host, whether toward it, source, destination, protocol, identification, flags, numbers, length.
type Look = (
    String,
    bool,
    String,
    String,
    String,
    u16,
    String,
    (i64, i64),
    i64,
);

impl Inside {
    pub(super) fn new(plan: &Arc<Plan>, evidence: &Evidence) -> Self {
        let inside = plan.hosts.len() > plan.on_fabric();
        let packets = match inside {
            true => evidence.packets.clone(),
            false => Vec::new(),
        };
        let mut seen: HashMap<Look, Vec<usize>> = HashMap::new();
        let (mut places, mut next) = (HashMap::new(), HashMap::new());
        for (place, packet) in packets.iter().enumerate() {
            places.insert(packet.id, place);
            if let Some(before) = packet.follows {
                next.insert(before, place);
            }
            if packet.seen_at.is_empty() {
                continue;
            }
            let is_guest = |name: &String| {
                let guests = &plan.hosts[plan.on_fabric()..];
                guests.iter().any(|host| host.name == *name)
            };
            let inward = is_guest(&packet.receiver);
            let host = if inward {
                &packet.receiver
            } else {
                &packet.sender
            };
            let look = (
                host.clone(),
                inward,
                packet.from.clone(),
                packet.to.clone(),
                packet.protocol.clone(),
                packet.ip_id as u16,
                packet.flags.clone(),
                (packet.seq, packet.ack),
                packet.len,
            );
            seen.entry(look).or_default().push(place);
        }
        Self {
            plan: Arc::clone(plan),
            packets,
            seen,
            places,
            next,
        }
    }

    /// The host of an interface, counted from the first that is inside another one.
    fn host(&self, entry: &Entry) -> HostId {
        HostId(self.plan.on_fabric() as u32 + entry.port.0)
    }

    /// What a capture says of an interface.
    pub(super) fn description(plan: &Plan, host: HostId) -> String {
        let host = &plan.hosts[host.0 as usize];
        match &host.attachment {
            Attachment::Inside(veth) => format!(
                "eth0 of {}, at its other end: {} in {}",
                host.name, veth.name, plan.hosts[veth.parent.0 as usize].name
            ),
            Attachment::Fabric => String::new(),
        }
    }

    /// The packet of the evidence that this one is; `t`: milliseconds since the first step.
    pub(super) fn find(&self, entry: &Entry, bytes: &[u8], t: f64) -> Option<&Packet> {
        let headers = Headers::parse(&entry.vnet, bytes).ok()?;
        let look = (
            self.plan.hosts[self.host(entry).0 as usize].name.clone(),
            entry.inbound,
            headers.from.to_string(),
            headers.to.to_string(),
            protocol_word(headers.protocol),
            headers.identification,
            flags_text(headers.flags),
            (
                headers.seq.into(),
                match headers.flags & 0x10 {
                    0 => 0,
                    _ => headers.ack.into(),
                },
            ),
            headers.payload_len() as i64,
        );
        let apart = |place: &usize| (self.packets[*place].t - t).abs();
        let found = self.seen.get(&look)?.iter().copied();
        let nearest = found.min_by(|a, b| apart(a).total_cmp(&apart(b)))?;
        (apart(&nearest) < APART).then(|| &self.packets[nearest])
    }

    /// Whence or whither, and where else it was seen.
    pub(super) fn comment(&self, entry: &Entry, packet: Option<&Packet>, comment: &mut String) {
        let parent = self.plan.port(self.host(entry)).0 as usize;
        let way = if entry.inbound { "from" } else { "to" };
        // A string takes everything, here and below.
        let _ = write!(comment, "{way} {}", self.plan.hosts[parent].name);
        let Some(packet) = packet else {
            comment.push_str("; not in the record");
            return;
        };
        self.links(packet, comment);
    }

    /// Where a packet was seen before, and where it was seen next.
    pub(super) fn links(&self, packet: &Packet, comment: &mut String) {
        let before = packet.follows.and_then(|before| self.places.get(&before));
        if let Some(before) = before.map(|place| &self.packets[*place]) {
            let _ = write!(comment, "; was packet {} {}", before.id, place(before));
            if (&before.from_after, &before.to_after) != (&packet.from, &packet.to) {
                let (from, to) = (&before.from_after, &before.to_after);
                let _ = write!(comment, " as {from} > {to}");
            }
        }
        match self.next.get(&packet.id).map(|place| &self.packets[*place]) {
            Some(next) => {
                let _ = write!(comment, "; goes on as packet {} {}", next.id, place(next));
                if (&packet.from_after, &packet.to_after) != (&next.from, &next.to) {
                    let _ = write!(comment, " as {} > {}", next.from, next.to);
                }
            }
            None if !packet.seen_at.is_empty() && self.leaves(packet) => {
                comment.push_str("; seen no further");
            }
            None => {}
        }
    }

    /// It went to a host that others are inside of.
    fn leaves(&self, packet: &Packet) -> bool {
        let hosts = &self.plan.hosts[..self.plan.on_fabric()];
        hosts.iter().any(|host| host.name == packet.receiver)
    }

    /// The first and the last record of a packet's whole way.
    pub(super) fn ends<'p>(&'p self, packet: &'p Packet) -> (&'p Packet, &'p Packet) {
        let before = |packet: &&'p Packet| {
            let place = self.places.get(&packet.follows?)?;
            Some(&self.packets[*place])
        };
        let after = |packet: &&'p Packet| {
            let place = self.next.get(&packet.id)?;
            Some(&self.packets[*place])
        };
        let first = std::iter::successors(Some(packet), before).last();
        let last = std::iter::successors(Some(packet), after).last();
        (first.unwrap_or(packet), last.unwrap_or(packet))
    }

    /// The record of a packet that the network saw. One that came after the evidence was collected has none, though what
    /// devices saw may have its number.
    pub(super) fn record(&self, id: u64) -> Option<&Packet> {
        let place = self.places.get(&(id as i64))?;
        let packet = &self.packets[*place];
        packet.seen_at.is_empty().then_some(packet)
    }
}

/// `on n1 eni414d8866ae7`, `in the network`
fn place(packet: &Packet) -> String {
    match packet.seen_at.as_str() {
        "" => "in the network".to_owned(),
        device => format!("on {device}"),
    }
}
