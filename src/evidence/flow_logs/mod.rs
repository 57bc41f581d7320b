//! VPC flow logs: what each network interface saw, one record for each direction of a 5-tuple in each aggregation
//! interval.
//!
//! Made from the packets of the evidence alone, so saved evidence gives the same records again, and a case that does
//! not ask for them pays nothing. Source: "Flow log records", "Flow log record examples" and "Flow log limitations" of
//! the VPC user guide. Not here: their text (see `flow_log_text`).

mod gateways;
mod reading;

use super::clock::cloud_seconds;
use super::{Evidence, Flow, Packet, Refusal};
use reading::{
    End, UNSERVED, end, is_of_no_connection, is_translated, is_unlogged, protocol_number, tcp_flags,
};
use serde::Serialize;
use std::collections::HashMap;

/// Seconds of the cloud's time that a record covers: on Nitro instances a minute at most, whatever was asked for.
pub const AGGREGATION: i64 = 60;

/// Where everything is.
pub const REGION: &str = "us-east-1";

/// A record, with every field of versions 2 to 5 under its documented name, `_` for `-`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FlowLog {
    /// Not AWS's: whose interface it is, `web1`, `front/a` or `nat/egress`.
    pub interface: String,
    /// Highest version among the fields.
    pub version: i64,
    /// `unknown` for an interface that AWS manages.
    pub account_id: String,
    /// `eni-...`
    pub interface_id: String,
    /// Sender; the interface's primary private address for what leaves it.
    pub srcaddr: String,
    /// Receiver; the interface's primary private address for what comes to it.
    pub dstaddr: String,
    /// 0 where there is none.
    pub srcport: i64,
    /// 0 where there is none.
    pub dstport: i64,
    /// IANA number.
    pub protocol: i64,
    /// In the interval.
    pub packets: i64,
    /// In the interval, IP headers included.
    pub bytes: i64,
    /// First packet, seconds since 1970.
    pub start: i64,
    /// Last packet, seconds since 1970.
    pub end: i64,
    /// `ACCEPT`, `REJECT`
    pub action: String,
    /// `OK`
    pub log_status: String,
    /// `vpc-...`
    pub vpc_id: String,
    /// `subnet-...`
    pub subnet_id: String,
    /// `i-...`; `-` for an interface that AWS manages.
    pub instance_id: String,
    /// FIN 1, SYN 2, RST 4, SYN-ACK 18, all together; ACK alone is 0.
    pub tcp_flags: i64,
    /// `IPv4`, `IPv6`
    pub r#type: String,
    /// Sender as the packet says.
    pub pkt_srcaddr: String,
    /// Receiver as the packet says.
    pub pkt_dstaddr: String,
    /// `us-east-1`
    pub region: String,
    /// `use1-az1`
    pub az_id: String,
    /// `-`: no Local Zone, Outpost or Wavelength Zone.
    pub sublocation_type: String,
    /// `-`
    pub sublocation_id: String,
    /// `-`: no address here belongs to a service.
    pub pkt_src_aws_service: String,
    /// `-`
    pub pkt_dst_aws_service: String,
    /// `ingress`, `egress`
    pub flow_direction: String,
    /// Of what leaves: `1` inside the VPC, `4` to one that is peered within the Region, `8` through an internet gateway; else
    /// `-`.
    pub traffic_path: String,
}

/// Every record, by interval, in the order of their first packets.
pub fn flow_logs(evidence: &Evidence) -> Vec<FlowLog> {
    let mut book = Book::new(evidence);
    let mut waiting: HashMap<i64, &Packet> = HashMap::new();
    let by_fabric = evidence.packets.iter().filter(|p| p.seen_at.is_empty());
    for packet in by_fabric {
        let sent = waiting.remove(&packet.id).unwrap_or(packet);
        if packet.fate == "held" {
            waiting.insert(packet.id, sent);
        } else {
            book.passage(sent, packet);
        }
    }
    let mut under_way: Vec<&Packet> = waiting.into_values().collect();
    under_way.sort_by_key(|packet| packet.id);
    for packet in under_way {
        book.passage(packet, packet);
    }
    book.records.sort_by_key(|(interval, _)| *interval);
    book.records.into_iter().map(|(_, record)| record).collect()
}

/// What tells two records of one interval apart.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Key<'a> {
    interval: i64,
    interface: usize,
    egress: bool,
    accepted: bool,
    protocol: &'a str,
    from: End<'a>,
    to: End<'a>,
    packet: (&'a str, &'a str),
}

/// A packet at an interface.
#[derive(Clone, Copy)]
struct Sighting<'a> {
    interface: usize,
    egress: bool,
    accepted: bool,
    from: End<'a>,
    to: End<'a>,
}

/// The records in the making.
struct Book<'a> {
    evidence: &'a Evidence,
    by_name: HashMap<&'a str, usize>,
    by_address: HashMap<&'a str, usize>,
    refusals: HashMap<i64, &'a Refusal>,
    numbers: HashMap<Key<'a>, usize>,
    records: Vec<(i64, FlowLog)>,
}

impl<'a> Book<'a> {
    fn new(evidence: &'a Evidence) -> Self {
        let interfaces = || evidence.interfaces.iter().enumerate();
        Self {
            evidence,
            by_name: interfaces()
                .map(|(number, interface)| (interface.name.as_str(), number))
                .collect(),
            by_address: interfaces()
                .flat_map(|(number, interface)| {
                    let addresses = interface.addresses.iter();
                    addresses.map(move |address| (address.as_str(), number))
                })
                .collect(),
            refusals: evidence
                .refusals
                .iter()
                .map(|refusal| (refusal.packet, refusal))
                .collect(),
            numbers: HashMap::new(),
            records: Vec::new(),
        }
    }

    /// A packet from its sending to its end, at every interface on its way.
    fn passage(&mut self, sent: &'a Packet, ended: &'a Packet) {
        if is_unlogged(sent, ended) {
            return;
        }
        let mut way = Vec::with_capacity(4);
        self.sent(sent, &mut way);
        if self.is_outward(sent, ended) {
            self.translated(sent, ended, &mut way);
            self.balanced(sent, ended, &mut way);
        } else {
            self.balanced(sent, ended, &mut way);
            self.translated(sent, ended, &mut way);
        }
        if ended.fate == "forwarded"
            && let Some(interface) = self.by_name.get(ended.receiver.as_str()).copied()
        {
            let (from, to) = (end(&ended.from_after), end(&ended.to_after));
            way.push((ended.t, Sighting::coming(interface, from, to)));
        }
        if let Some(refused) = self.refused(sent, ended) {
            // Where it was refused it was not let through, and further it did not come.
            way.retain(|(_, one)| {
                (one.interface, one.egress) != (refused.interface, refused.egress)
            });
            way.push((ended.t, refused));
        }
        for (t, sighting) in way {
            self.see(ended, t, sighting);
        }
    }

    /// At the interface of its sender. A balancer's own packets leave by the zonal address that they are about.
    fn sent(&self, sent: &'a Packet, way: &mut Vec<(f64, Sighting<'a>)>) {
        let (from, to) = (end(&sent.from), end(&sent.to));
        let by_name = |name: &str| self.by_name.get(name).copied();
        let speaker = if self.is_made_here(sent) {
            match self.flow(sent) {
                Some(flow) if sent.to == flow.target_address => by_name(&flow.via),
                Some(flow) => by_name(&flow.endpoint).or_else(|| by_name(&flow.via)),
                None => self.by_address.get(from.0).copied(),
            }
        } else {
            by_name(&sent.sender)
        };
        way.extend(speaker.map(|interface| (sent.t, Sighting::leaving(interface, from, to))));
    }

    /// At the balancer's interface, coming and going.
    fn balanced(&self, sent: &'a Packet, ended: &'a Packet, way: &mut Vec<(f64, Sighting<'a>)>) {
        let Some(node) = self.node(sent, ended) else {
            return;
        };
        let outside = self.mapping(ended).map(|mapping| end(&mapping.outside));
        let outward = self.is_outward(sent, ended);
        let as_sent = end(&sent.from);
        let (from, to) = (
            outside.filter(|_| outward).unwrap_or(as_sent),
            end(&sent.to),
        );
        let from_after = end(&ended.from_after);
        let came = end(&ended.to_after);
        let to_after = outside.filter(|_| !outward).unwrap_or(came);
        let toward_target = self.flow(ended).is_none_or(|flow| flow.listener == sent.to);
        // Between an endpoint's interface and the balancer's nothing is logged.
        let entrance = self.flow(ended).map(|flow| flow.endpoint.as_str());
        let entrance = entrance.and_then(|name| self.by_name.get(name).copied());
        let (comes_to, leaves_by) = match toward_target {
            true => (entrance.unwrap_or(node), node),
            false => (node, entrance.unwrap_or(node)),
        };
        let own = self.own(comes_to, to.0);
        let accepted = !is_of_no_connection(&ended.fate);
        let sighting = Sighting {
            accepted,
            ..Sighting::coming(
                comes_to,
                (self.outside(from.0, to.0), from.1),
                if toward_target { (own, to.1) } else { to },
            )
        };
        way.push((ended.t, sighting));
        if accepted && (from, to) != (from_after, to_after) {
            let own = self.own(leaves_by, from_after.0);
            let (from, to) = if toward_target {
                (from_after, to_after)
            } else {
                let client = self.outside(to_after.0, from_after.0);
                ((own, from_after.1), (client, to_after.1))
            };
            way.push((ended.t, Sighting::leaving(leaves_by, from, to)));
        }
    }

    /// Where a guard refused it. A network ACL refuses at the interface behind it.
    fn refused(&self, sent: &Packet, ended: &Packet) -> Option<Sighting<'a>> {
        let refusal = *self.refusals.get(&sent.id)?;
        let (from, to) = (end(&refusal.from), end(&refusal.to));
        let by_name = |name: &str| self.by_name.get(name).copied();
        let via = self.flow(ended).and_then(|flow| by_name(&flow.via));
        let translated = is_translated(sent, ended);
        let egress = ["egress", "outbound"].contains(&refusal.direction.as_str());
        let interface = match (refusal.interface.as_str(), egress) {
            ("", true) => via.filter(|_| translated).or_else(|| by_name(&sent.sender)),
            ("", false) => {
                let host = self.by_address.get(to.0).copied();
                via.filter(|_| !translated).or(host)
            }
            (name, _) => by_name(name),
        };
        let sighting = Sighting::leaving(interface?, from, to);
        Some(Sighting {
            egress,
            accepted: false,
            ..sighting
        })
    }

    /// True when no host sent it.
    fn is_made_here(&self, packet: &Packet) -> bool {
        packet.sender == "fabric" || self.evidence.load_balancers.contains_key(&packet.sender)
    }

    fn flow(&self, packet: &Packet) -> Option<&'a Flow> {
        packet.flow.and_then(|flow| self.evidence.flows.get(flow))
    }

    /// The balancer's interface that a packet of a client or a target came to.
    fn node(&self, sent: &Packet, ended: &Packet) -> Option<usize> {
        let stopped = self.refusals.contains_key(&sent.id) && !is_translated(sent, ended);
        if self.is_made_here(sent) || stopped {
            return None;
        }
        if let Some(flow) = self.flow(ended) {
            return self.by_name.get(flow.via.as_str()).copied();
        }
        let came =
            is_of_no_connection(&ended.fate) || UNSERVED.iter().any(|reason| ended.fate == *reason);
        let address = end(&sent.to).0;
        self.by_address.get(address).copied().filter(|_| came)
    }

    /// The primary private address of an interface, for its own side of a packet with this address there.
    fn own(&self, interface: usize, address: &'a str) -> &'a str {
        if address.contains(':') {
            address
        } else {
            &self.evidence.interfaces[interface].address
        }
    }

    /// How the one with this address looks from `other`: by its public address where that is one.
    fn outside(&self, address: &'a str, other: &str) -> &'a str {
        let interface = |address| {
            let number: Option<&usize> = self.by_address.get(address);
            number.map(|number| &self.evidence.interfaces[*number])
        };
        let public = interface(other).is_some_and(|one| one.public_address == other);
        match interface(address) {
            Some(one) if public && one.address == address && !one.public_address.is_empty() => {
                &one.public_address
            }
            Some(_) | None => address,
        }
    }

    /// Writes a packet into its record.
    fn see(&mut self, packet: &'a Packet, t: f64, sighting: Sighting<'a>) {
        let Sighting {
            interface,
            egress,
            accepted,
            from,
            to,
        } = sighting;
        let seconds = cloud_seconds(t, self.evidence.time_scale);
        // What the interface calls its own is its primary private address, whatever the packet says.
        let (src, dst) = if egress {
            ((self.own(interface, from.0), from.1), to)
        } else {
            (from, (self.own(interface, to.0), to.1))
        };
        let key = Key {
            interval: (seconds - super::clock::EPOCH).div_euclid(AGGREGATION),
            interface,
            egress,
            accepted,
            protocol: &packet.protocol,
            from: src,
            to: dst,
            packet: (from.0, to.0),
        };
        let number = match self.numbers.get(&key) {
            Some(number) => *number,
            None => {
                let record = self.record(packet, &key, seconds);
                self.numbers.insert(key, self.records.len());
                self.records.push((key.interval, record));
                self.records.len() - 1
            }
        };
        let record = &mut self.records[number].1;
        record.packets += packet.wire_packets;
        record.bytes += packet.wire_bytes;
        record.start = record.start.min(seconds);
        record.end = record.end.max(seconds);
        record.tcp_flags |= tcp_flags(packet);
    }

    /// An empty record.
    fn record(&self, packet: &Packet, key: &Key<'_>, seconds: i64) -> FlowLog {
        let interface = &self.evidence.interfaces[key.interface];
        let none = || "-".to_owned();
        let over_ipv6 = key.from.0.contains(':');
        let family = if over_ipv6 { "IPv6" } else { "IPv4" };
        FlowLog {
            interface: interface.name.clone(),
            version: 5,
            account_id: interface.account_id.clone(),
            interface_id: interface.id.clone(),
            srcaddr: key.from.0.to_owned(),
            dstaddr: key.to.0.to_owned(),
            srcport: key.from.1,
            dstport: key.to.1,
            protocol: protocol_number(key.protocol, over_ipv6),
            packets: 0,
            bytes: 0,
            start: seconds,
            end: seconds,
            action: if key.accepted { "ACCEPT" } else { "REJECT" }.to_owned(),
            log_status: "OK".to_owned(),
            vpc_id: interface.vpc_id.clone(),
            subnet_id: interface.subnet_id.clone(),
            instance_id: interface.instance_id.clone(),
            tcp_flags: 0,
            r#type: family.to_owned(),
            pkt_srcaddr: key.packet.0.to_owned(),
            pkt_dstaddr: key.packet.1.to_owned(),
            region: REGION.to_owned(),
            az_id: interface.az_id.clone(),
            sublocation_type: none(),
            sublocation_id: none(),
            pkt_src_aws_service: none(),
            pkt_dst_aws_service: none(),
            flow_direction: if key.egress { "egress" } else { "ingress" }.to_owned(),
            traffic_path: self.path(packet, key),
        }
    }

    /// Which way what leaves goes: inside the VPC, to a peered one, or through an internet gateway. What a target says goes back
    /// to its balancer, whatever the address; a NAT gateway is in the VPC too.
    fn path(&self, packet: &Packet, key: &Key<'_>) -> String {
        let flow = self.flow(packet);
        let to_balancer = flow.is_some_and(|flow| end(&flow.target_address) == key.from);
        let all = &self.evidence.interfaces;
        let own = &all[key.interface];
        let mut gateways = self.evidence.nat_gateways.values();
        let next = match flow.filter(|_| to_balancer) {
            Some(flow) => self.by_name.get(flow.via.as_str()),
            None => self.by_address.get(key.packet.1),
        };
        let next = next
            .map(|number| &all[*number])
            .filter(|next| to_balancer || next.public_address != key.packet.1);
        match next {
            _ if !key.egress => "-",
            Some(next) if next.vpc_id != own.vpc_id => "4",
            Some(_) => "1",
            None if gateways.any(|gateway| gateway.hosts.contains(&own.name)) => "1",
            None => "8",
        }
        .to_owned()
    }
}

impl<'a> Sighting<'a> {
    fn leaving(interface: usize, from: End<'a>, to: End<'a>) -> Self {
        Self {
            interface,
            egress: true,
            accepted: true,
            from,
            to,
        }
    }

    fn coming(interface: usize, from: End<'a>, to: End<'a>) -> Self {
        Self {
            egress: false,
            ..Self::leaving(interface, from, to)
        }
    }
}

#[cfg(test)]
mod tests;
