//! The fabric's books at one moment, and what of them becomes evidence as it is: flows, packets, refusals.

use super::story::Story;
use crate::evidence::{Displaced, Flow, Packet, Refusal};
use crate::fabric::config::{
    Balancer, GatewayId, GroupId, PortId, Protocol, StandIns, Target, TargetGroup,
};
use crate::fabric::guard::rules::Direction;
use crate::fabric::meter::Reading;
use crate::fabric::nat::NatCounters;
use crate::fabric::record::{
    self, Conversation, Fate, FlowRecord, FlowState, GuardKind, Interface, MappingRecord,
    PacketRecord, Totals,
};
use crate::fabric::targets::TargetHealth;
use crate::fabric::{Config, EndpointReading, Fabric, ProxyCounters};
use crate::packet::print::Flags;
use crate::plan::Plan;
use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

/// The fabric's books at one moment.
pub(super) struct Books {
    pub(super) records: Vec<PacketRecord>,
    /// Packets that have a number: that of the next one.
    pub(super) numbered: u64,
    pub(super) impairments: Vec<record::Impairment>,
    pub(super) marks: Vec<record::Mark>,
    pub(super) refusals: Vec<record::Refusal>,
    pub(super) flows: Vec<FlowRecord>,
    pub(super) conversations: Vec<Conversation>,
    pub(super) totals: Totals,
    pub(super) readings: Vec<Reading>,
    pub(super) endpoints: Vec<EndpointReading>,
    /// By host.
    pub(super) self_sourced: Vec<u64>,
    /// By host; none where it has none here.
    pub(super) service_proxies: Vec<Option<ProxyCounters>>,
    /// By drop rule.
    pub(super) dropped: Vec<u64>,
    /// By group and target.
    pub(super) health: Vec<Vec<TargetHealth>>,
    /// By group and target (AWS: `AdministrativeOverride.State`).
    pub(super) overrides: Vec<Vec<&'static str>>,
    /// By group, the zones that lead to it.
    pub(super) zones: Vec<Vec<String>>,
    /// As steps have left them.
    pub(super) balancers: Vec<Balancer>,
    pub(super) listings: Vec<record::Listing>,
    pub(super) mappings: Vec<MappingRecord>,
    /// By NAT gateway.
    pub(super) nat_counters: Vec<NatCounters>,
    /// Who is meant by the addresses in all of these.
    pub(super) stand_ins: StandIns,
    /// From the fabric's start to the first step.
    pub(super) offset: Duration,
}

/// With the records of packets, which may be a million, or without.
pub(super) async fn books(story: &Story, with_packets: bool) -> Books {
    let driver = story.world.driver();
    let offset = story
        .start()
        .into_std()
        .saturating_duration_since(driver.start_time());
    let stays = story.stays;
    let on_fabric = story.plan.on_fabric() as u32;
    let hosts = story.plan.hosts.iter();
    let inside: Vec<Ipv4Addr> = hosts
        .skip(on_fabric as usize)
        .map(|host| host.address)
        .collect();
    let books = driver
        .ask(move |fabric, now| Books {
            records: wanted(with_packets, || fabric.records()),
            numbered: fabric.numbered(),
            impairments: wanted(with_packets, || fabric.impairments().to_vec()),
            marks: wanted(with_packets, || fabric.marks().to_vec()),
            refusals: fabric.refusals().to_vec(),
            flows: fabric.flows(),
            conversations: fabric.conversations(),
            totals: fabric.totals().clone(),
            readings: fabric.meter().readings(now),
            endpoints: fabric.endpoint_readings(),
            dropped: fabric.dropped_by_rule(),
            self_sourced: (0..on_fabric)
                .map(|number| fabric.self_sourced(PortId(number)))
                .chain(inside.into_iter().map(|own| fabric.self_sourced_by(own)))
                .collect(),
            service_proxies: (0..on_fabric)
                .map(|number| fabric.service_proxy(PortId(number), now))
                .collect(),
            health: health(fabric),
            overrides: overrides(fabric.config()),
            zones: zones(fabric.config()),
            balancers: fabric.config().balancers.clone(),
            listings: fabric.listings().to_vec(),
            mappings: fabric.mappings(),
            nat_counters: fabric.nat_counters(),
            stand_ins: fabric.stand_ins().clone(),
            offset,
        })
        .await;
    match stays && with_packets {
        true => with_latest(story, books).await,
        false => books,
    }
}

fn wanted<T>(are: bool, them: impl FnOnce() -> Vec<T>) -> Vec<T> {
    are.then(them).unwrap_or_default()
}

/// With the latest packets of those that the books had no room for.
async fn with_latest(story: &Story, mut books: Books) -> Books {
    let asked = story
        .world
        .driver()
        .ask(|fabric, _| fabric.latest().cloned());
    let Some(latest) = asked.await else {
        return books;
    };
    // Packets may have passed since the rest was looked at.
    let known = books.totals.records_cut.min(latest.records.len() as u64);
    books.totals.records_cut -= known;
    books.totals.impairments_cut -= books
        .totals
        .impairments_cut
        .min(latest.impairments.len() as u64);
    books.records.extend(latest.records);
    books.impairments.extend(latest.impairments);
    books.marks.extend(latest.marks);
    books
}

fn health(fabric: &Fabric) -> Vec<Vec<TargetHealth>> {
    let groups = (0u16..).map(GroupId).zip(&fabric.config().groups);
    groups
        .map(|(id, group)| {
            let targets = 0..group.targets.len();
            targets
                .map(|target| fabric.target_health(id, target).clone())
                .collect()
        })
        .collect()
}

/// What a zonal shift does to each target. Without cross-zone load balancing only names know of it.
fn overrides(config: &Config) -> Vec<Vec<&'static str>> {
    let groups = (0u16..).map(GroupId).zip(&config.groups);
    let of_group = |(id, group): (GroupId, &TargetGroup)| {
        let of_target = |target: &Target| {
            let mut word = "no_override";
            for balancer in &config.balancers {
                let mut zonal = balancer.zonal.iter();
                let shifted = zonal.any(|z| z.shifted && Some(&z.zone) == target.zone.as_ref());
                let forwards = balancer.listeners.iter().flat_map(|l| &l.forward);
                for forward in forwards.filter(|forward| shifted && forward.group == id) {
                    if forward.cross_zone {
                        return "zonal_shift_active";
                    }
                    word = "zonal_shift_delegated_to_dns";
                }
            }
            word
        };
        group.targets.iter().map(of_target).collect()
    };
    groups.map(of_group).collect()
}

/// The zones in which an address forwards to each group: of balancers that came up, and enabled now.
fn zones(config: &Config) -> Vec<Vec<String>> {
    let leading = |id: GroupId| {
        let up = config.balancers.iter().filter(|b| b.failure.is_none());
        let forwarding = up.filter(|balancer| balancer.forwards_to(id));
        let zonal = forwarding.flat_map(|balancer| &balancer.zonal);
        let enabled = zonal.filter(|zonal| zonal.enabled);
        let names: BTreeSet<&String> = enabled.map(|zonal| &zonal.zone).collect();
        names.into_iter().cloned().collect()
    };
    (0u16..)
        .zip(&config.groups)
        .map(|(number, _)| leading(GroupId(number)))
        .collect()
}

impl Books {
    /// An end as hosts know it.
    pub(super) fn end(&self, end: SocketAddrV4) -> String {
        self.stand_ins.end(end).to_string()
    }

    pub(super) fn millis(&self, at: Duration) -> f64 {
        (at.as_secs_f64() - self.offset.as_secs_f64()) * 1e3
    }
}

pub(super) fn flow_evidence(plan: &Plan, books: &Books, flow: &FlowRecord) -> Flow {
    let balancer = &plan.fabric.balancers[usize::from(flow.balancer.0)];
    let group = &plan.fabric.groups[usize::from(flow.group.0)];
    Flow {
        protocol: protocol(flow.client_side.protocol),
        balancer: balancer.name.clone(),
        via: format!(
            "{}/{}",
            balancer.name,
            balancer.zonal[usize::from(flow.zonal.0)].zone
        ),
        endpoint: flow.endpoint.map_or(String::new(), |(endpoint, zonal)| {
            let endpoint = &plan.fabric.endpoints[usize::from(endpoint.0)];
            let zone = &endpoint.zonal[usize::from(zonal.0)].zone;
            format!("{}/{zone}", endpoint.name)
        }),
        group: group.name.clone(),
        target: group.targets[flow.target].name.clone(),
        client: books.end(flow.client_side.from),
        listener: books.end(flow.client_side.to),
        seen_as: books.end(flow.target_side.from),
        target_address: books.end(flow.target_side.to),
        opened: books.millis(flow.opened),
        last: books.millis(flow.last),
        forgotten_after: flow
            .forgotten_after
            .map_or(0.0, |it| it.as_secs_f64() * 1e3),
        state: state_word(flow.state).to_owned(),
        terminated: flow.terminated,
        displaced: flow.displaced.map(|displaced| Displaced {
            at: books.millis(displaced.at),
            by: displaced.by.0 as usize,
            was: state_word(displaced.was).to_owned(),
        }),
    }
}

pub(super) fn protocol(protocol: Protocol) -> String {
    match protocol {
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
    }
    .to_owned()
}

pub(super) fn state_word(state: FlowState) -> &'static str {
    match state {
        FlowState::SynSent => "syn-sent",
        FlowState::Established => "established",
        FlowState::Closing => "closing",
        FlowState::Closed => "closed",
        FlowState::Expired => "expired",
    }
}

pub(super) fn packet(plan: &Plan, books: &Books, record: &PacketRecord) -> Packet {
    let host = |port: PortId| plan.fabric.ports[port.0 as usize].name.clone();
    let gateway = |id: GatewayId| plan.fabric.nat_gateways[usize::from(id.0)].name.clone();
    let maker = || {
        if let Some(id) = record.gateway {
            return gateway(id);
        }
        record.flow.map_or_else(
            || "fabric".to_owned(),
            |flow| {
                plan.fabric.balancers[usize::from(books.flows[flow.0 as usize].balancer.0)]
                    .name
                    .clone()
            },
        )
    };
    let (receiver, fate) = match record.fate {
        Fate::Forwarded(port) => (host(port), "forwarded".to_owned()),
        Fate::Held => (String::new(), "held".to_owned()),
        Fate::Answered(answer) => (String::new(), format!("answered: {}", answer.word())),
        Fate::Dropped(reason) => (String::new(), format!("dropped: {}", reason.word())),
    };
    // What nobody rewrote is written once: large loads have a million packets.
    let after = |end: SocketAddrV4, before: SocketAddrV4, text: &String| match end == before {
        true => text.clone(),
        false => books.end(end),
    };
    let (from, to) = (books.end(record.before.from), books.end(record.before.to));
    Packet {
        id: record.id as i64,
        t: books.millis(record.at),
        sender: record.sender.map_or_else(maker, host),
        receiver,
        seen_at: String::new(),
        protocol: protocol_word(record.protocol),
        ip_id: record.identification.into(),
        follows: None,
        from_after: after(record.after.from, record.before.from, &from),
        to_after: after(record.after.to, record.before.to, &to),
        from,
        to,
        flags: flags_text(record.flags),
        seq: record.seq.into(),
        ack: if record.flags & 0x10 == 0 {
            0
        } else {
            record.ack.into()
        },
        len: record.payload.into(),
        window: record.window.into(),
        wire_packets: record.wire_packets.into(),
        wire_bytes: record.wire_bytes.into(),
        fate,
        flow: record.flow.map(|flow| flow.0 as usize),
        mapping: record.mapping.map(|mapping| mapping.0 as usize),
        gateway: record.gateway.map_or(String::new(), gateway),
        probe: record.probe,
        icmp: None,
        sack: None,
        injected: false,
        links: None,
    }
}

/// What guards refused, health checks from before the story included.
pub(super) fn refusals(plan: &Plan, books: &Books) -> Vec<Refusal> {
    let refusals = books.refusals.iter();
    refusals
        .map(|refusal| self::refusal(plan, books, refusal))
        .collect()
}

fn refusal(plan: &Plan, books: &Books, refusal: &record::Refusal) -> Refusal {
    let (interface, rule) = match refusal.guard {
        GuardKind::SecurityGroup(Interface::Host(port)) => {
            (plan.fabric.ports[port.0 as usize].name.clone(), None)
        }
        GuardKind::SecurityGroup(Interface::Zonal(balancer, zonal)) => {
            let config = &plan.fabric.balancers[usize::from(balancer.0)];
            let zone = &config.zonal[usize::from(zonal.0)].zone;
            (format!("{}/{zone}", config.name), None)
        }
        GuardKind::NetworkAcl { rule, .. } => (String::new(), rule.map(i64::from)),
    };
    let direction = match (refusal.guard, refusal.direction) {
        (GuardKind::SecurityGroup(_), Direction::In) => "ingress",
        (GuardKind::SecurityGroup(_), Direction::Out) => "egress",
        (GuardKind::NetworkAcl { .. }, Direction::In) => "inbound",
        (GuardKind::NetworkAcl { .. }, Direction::Out) => "outbound",
    };
    Refusal {
        packet: refusal.packet as i64,
        guards: refusal.names.to_vec(),
        interface,
        direction: direction.to_owned(),
        rule,
        protocol: protocol_word(refusal.view.protocol),
        from: books.end(refusal.view.from),
        to: books.end(refusal.view.to),
        flags: flags_text(refusal.flags),
        probe: refusal.probe,
        only_ipv4: refusal.only_ipv4,
    }
}

pub(super) fn protocol_word(protocol: u8) -> String {
    match protocol {
        1 => "icmp".to_owned(),
        6 => "tcp".to_owned(),
        17 => "udp".to_owned(),
        other => other.to_string(),
    }
}

/// As tcpdump writes them: `S`, `S.`, `.`, `P.`, `F.`, `R`, `R.`, with ECN `SEW`, `S.E`; nothing for none, which other protocols
/// have.
pub(super) fn flags_text(flags: u8) -> String {
    match flags {
        0 => String::new(),
        _ => Flags(flags).to_string(),
    }
}
