//! Datagrams of clients inside other hosts: under which addresses they came to the network, to which flow, to whom.
//!
//! A datagram has no sequence number; the packets' own links tell (see `ways`).

use super::sightings::Arrival;
use crate::evidence::Packet;
use crate::plan::HostId;
use crate::run::client::Client;
use crate::run::story::Story;
use std::collections::HashMap;
use std::net::SocketAddr;

/// Everything that was seen of datagrams inside hosts.
pub(super) struct Datagrams<'a> {
    packets: &'a [Packet],
    /// By sender, source, destination: places in the list, in order.
    sent: HashMap<(&'a str, &'a str, &'a str), Vec<usize>>,
    /// By the number of a packet: where it was seen next.
    next: HashMap<i64, usize>,
}

/// Where the latest of a client's datagrams went.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lead {
    /// The balancer's flow.
    pub(super) flow: Option<usize>,
    /// The client's own end as the network got to know it; none: it came to none.
    pub(super) entered: Option<SocketAddr>,
    /// Who got it, when that is inside a host.
    pub(super) arrival: Option<Arrival>,
}

impl<'a> Datagrams<'a> {
    pub(super) fn new(packets: &'a [Packet]) -> Self {
        let mut datagrams = Self {
            packets,
            sent: HashMap::new(),
            next: HashMap::new(),
        };
        let all = packets.iter().enumerate();
        for (place, packet) in all.filter(|(_, packet)| packet.protocol == "udp") {
            if let Some(before) = packet.follows {
                datagrams.next.insert(before, place);
            }
            if !packet.seen_at.is_empty() {
                let ends = (packet.sender.as_str(), &*packet.from, &*packet.to);
                datagrams.sent.entry(ends).or_default().push(place);
            }
        }
        datagrams
    }

    /// None when none of a client's datagrams was seen.
    pub(super) fn lead(&self, story: &Story, client: &Client) -> Option<Lead> {
        let from = story.plan.hosts[client.from.0 as usize].name.as_str();
        let (local, remote) = (client.local?.to_string(), client.to.address.to_string());
        let began = story.millis(client.began);
        let sent = self.sent.get(&(from, local.as_str(), remote.as_str()))?;
        let first = *sent
            .iter()
            .rfind(|place| self.packets[**place].t > began - 1.0)?;
        let mut lead = Lead::default();
        let next = |place: &usize| self.next.get(&self.packets[*place].id).copied();
        for place in std::iter::successors(Some(first), next) {
            let packet = &self.packets[place];
            if packet.seen_at.is_empty() {
                lead.flow = packet.flow.or(lead.flow);
                lead.entered = lead.entered.or(packet.from.parse().ok());
            }
            lead.arrival = arrival(story, packet);
        }
        Some(lead)
    }
}

/// At a host inside another one.
fn arrival(story: &Story, packet: &Packet) -> Option<Arrival> {
    if packet.seen_at.is_empty() {
        return None;
    }
    let on_fabric = story.plan.on_fabric();
    let mut inside = story.plan.hosts[on_fabric..].iter();
    let place = inside.position(|host| host.name == packet.receiver)?;
    Some(Arrival {
        host: HostId((on_fabric + place) as u32),
        from: packet.from.parse().ok()?,
        to: packet.to.parse().ok()?,
    })
}
