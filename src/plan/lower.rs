//! From what is resolved to what the fabric knows.

use super::addresses::Addresses;
use super::balancers::Balancer;
use super::balancers::forward::Share;
use super::clock::Clock;
use super::groups::{Carries, Group, Groups, Inner};
use super::hosts::{self, Hosts};
use super::{Host, HostId, mtu};
use crate::diag::Spanned;
use crate::fabric::config::{
    self, Config, GroupId, Link, Listener, Numbers, Port, PortId, Quirks, RandomizedSequence,
    Resolver, Target, TargetGroup, Zonal,
};
use crate::spec;
use std::time::Duration;

/// Packet records kept for one case; a gallery lab has some hundreds.
const RECORD_LIMIT: usize = 200_000;
/// AWS: how long the addresses of a balancer's name may be kept, cloud time.
const DNS_TTL: Duration = Duration::from_secs(60);

/// CloudWatch has a data point of each metric every minute ("CloudWatch metrics for your Network Load Balancer").
const METRIC_PERIOD: Duration = Duration::from_secs(60);

/// The fabric's configuration. Ports are the hosts on it, in order; then the zonal addresses that have a kernel.
pub(super) fn lower(
    seed: u64,
    drafts: &Hosts<'_>,
    hosts: &[Host],
    groups: &Groups<'_>,
    balancers: &[Balancer<'_>],
    addresses: &Addresses,
    clock: Clock,
) -> Config {
    let mut ports: Vec<Port> = drafts
        .list
        .iter()
        .zip(hosts)
        .take(drafts.on_fabric)
        .map(|(draft, host)| port(draft.section, host, addresses))
        .collect();
    mtu::limit(hosts, &mut ports);
    for (number, host) in (0..).map(HostId).zip(hosts) {
        if let Some(node) = drafts.node_of(number) {
            ports[node.0 as usize].routed.push(host.address);
        }
    }
    if drafts.cluster.returns_directly() {
        for port in &mut ports {
            port.source_check = !drafts.cluster.is_node(&port.name);
        }
    }
    let mut lowered: Vec<config::Balancer> = balancers
        .iter()
        .enumerate()
        .map(|(number, balancer)| lower_balancer(number, balancer, addresses))
        .collect();
    for (balancer, resolved) in lowered.iter_mut().zip(balancers) {
        if balancer.failure.is_none() && resolved.kernels {
            give_kernels(balancer, resolved, &mut ports);
        }
    }
    let groups = groups.list.iter();
    let groups = groups
        .map(|group| lower_group(group, hosts, &lowered, addresses))
        .collect();
    Config {
        seed,
        ports,
        balancers: lowered,
        groups,
        nat_gateways: Vec::new(),
        endpoints: Default::default(),
        guards: Default::default(),
        vpcs: Default::default(),
        stand_ins: addresses.stand_ins.clone(),
        record_limit: RECORD_LIMIT,
        resolver: Resolver {
            private: addresses.resolver.0,
            public: addresses.resolver.1,
            ttl: clock.cloud(DNS_TTL),
        },
        metric_period: clock.cloud(METRIC_PERIOD),
        service_proxy: None,
    }
}

/// Each zonal address of a balancer becomes a port of its own.
fn give_kernels(balancer: &mut config::Balancer, resolved: &Balancer<'_>, ports: &mut Vec<Port>) {
    let proxy = balancer.kind.is_proxy();
    let terminates = resolved.listeners.iter().any(|one| one.terminates);
    for zonal in &mut balancer.zonal {
        let number = u32::try_from(ports.len()).expect("the number of ports is limited");
        zonal.port = Some(PortId(number));
        ports.push(Port {
            terminates: terminates || proxy,
            // It is a host then.
            public_address: zonal.public.filter(|_| proxy),
            ..kernel_port(&balancer.name, zonal)
        });
    }
}

fn lower_group(
    group: &Group<'_>,
    hosts: &[Host],
    balancers: &[config::Balancer],
    addresses: &Addresses,
) -> TargetGroup {
    let own = group.targets.iter().map(|target| {
        let host = &hosts[target.host.0 as usize];
        Target {
            name: host.name.clone(),
            address: match group.ipv6 {
                // Without one, the plan has a problem that says so.
                true => addresses.of_ipv6(host).unwrap_or(host.address),
                false => host.address,
            },
            port: target.port,
            zone: host.zone.clone(),
            registered: target.registered,
        }
    });
    let inner = group.inner.as_ref();
    let within = inner.into_iter().flat_map(|inner| within(inner, balancers));
    TargetGroup {
        name: group.name.value.clone(),
        preserve_client_ip: group.preserve_client_ip,
        health_check: group.health_check.clone(),
        proxy_protocol: group.proxy_protocol,
        tls: group.protocol == Carries::Tls,
        http: group.protocol == Carries::Http,
        inner: inner.map(|inner| {
            config::BalancerId(
                u16::try_from(inner.balancer).expect("the number of balancers is limited"),
            )
        }),
        targets: own.chain(within).collect(),
        attributes: group.attributes.clone(),
        emulate: group.emulate.clone(),
    }
}

/// The zonal addresses of an application balancer, as targets; none of one that could not be set up.
fn within(inner: &Inner, balancers: &[config::Balancer]) -> Vec<Target> {
    let balancer = &balancers[inner.balancer];
    let zonal = balancer.zonal.iter().filter(|zonal| zonal.enabled);
    zonal
        .map(|zonal| Target {
            name: format!("{}/{}", balancer.name, zonal.zone),
            address: zonal.private,
            port: Some(inner.port),
            zone: Some(zonal.zone.clone()),
            registered: true,
        })
        .collect()
}

/// The checked groups behind balancers for which the story waits, in order.
pub(super) fn settles(
    groups: &Groups<'_>,
    balancers: &[Balancer<'_>],
    addresses: &Addresses,
) -> Vec<GroupId> {
    let waits = |group: usize| {
        balancers
            .iter()
            .zip(&addresses.failures)
            .filter(|(balancer, failure)| balancer.settles && failure.is_none())
            .flat_map(|(balancer, _)| &balancer.listeners)
            .flat_map(|listener| &listener.forward)
            .any(|share| share.group == group)
    };
    let checked = |group: usize| groups.list[group].health_check.is_some();
    (0..groups.list.len())
        .filter(|&group| checked(group) && waits(group))
        .map(|group| GroupId(u16::try_from(group).expect("the number of groups is limited")))
        .collect()
}

fn port(section: &spec::Host, host: &Host, addresses: &Addresses) -> Port {
    let timestamp_offset = hosts::timestamp_offset(section);
    Port {
        name: host.name.clone(),
        address: host.address,
        addresses: host.addresses.clone(),
        routed: Vec::new(),
        source_check: true,
        public_address: host.public_address,
        ipv6: addresses.of_ipv6(host),
        internet: host.zone.is_none(),
        zone: host.zone.clone(),
        up: link(&section.up, timestamp_offset),
        down: link(&section.down, timestamp_offset),
        quirks: Quirks {
            syn_resend_classic: quirk(section, "syn_resend", "classic"),
            tcp_tw_recycle: quirk(section, "tcp_tw_recycle", "1"),
        },
        terminates: false,
        nat: None,
    }
}

fn quirk(section: &spec::Host, name: &str, value: &str) -> bool {
    let mut quirks = section.kernel.iter();
    quirks.any(|(key, set)| key.value == name && set.value == value)
}

/// A zonal address's own kernel, behind a perfect link.
fn kernel_port(balancer: &str, zonal: &Zonal) -> Port {
    Port {
        name: format!("{balancer}/{}", zonal.zone),
        address: zonal.private,
        addresses: zonal.secondary.clone(),
        routed: Vec::new(),
        source_check: true,
        public_address: None,
        ipv6: zonal.ipv6,
        internet: false,
        zone: Some(zonal.zone.clone()),
        up: Link::default(),
        down: Link::default(),
        quirks: Quirks::default(),
        terminates: false,
        nat: None,
    }
}

fn link(link: &spec::Link, timestamp_offset: u32) -> Link {
    let share = |share: &Option<Spanned<f64>>| share.as_ref().map_or(0.0, |v| v.value);
    Link {
        delay: link.delay.as_ref().map_or(Default::default(), |v| v.value),
        jitter: link.jitter.as_ref().map_or(Default::default(), |v| v.value),
        loss: share(&link.loss),
        duplicate: share(&link.duplicate),
        reorder: share(&link.reorder),
        corrupt: share(&link.corrupt),
        rate: link.rate.as_ref().map(|v| v.value),
        mtu: link.mtu.as_ref().map(|v| v.value),
        // A router has the narrower wire: what may be cut it cuts.
        fragments: link.mtu.is_some(),
        queue: link
            .queue
            .as_ref()
            .and_then(|v| usize::try_from(v.value).ok()),
        numbers: Numbers {
            sequence: link
                .randomize_sequence
                .as_ref()
                .map(|word| match &*word.value {
                    "with-sack" => RandomizedSequence::WithSack,
                    // The readers let no other word through.
                    _ => RandomizedSequence::HeaderOnly,
                }),
            timestamp_offset,
        },
    }
}

fn lower_balancer(
    number: usize,
    balancer: &Balancer<'_>,
    addresses: &Addresses,
) -> config::Balancer {
    let failure = addresses.failures[number].clone();
    let active = failure.is_none();
    config::Balancer {
        name: balancer.name.value.clone(),
        kind: balancer.kind.clone(),
        failure,
        zonal: balancer
            .zones
            .iter()
            .zip(&addresses.balancers[number])
            .zip(&addresses.secondary[number])
            .zip(&balancer.enabled)
            .map(|(((zone, zonal), secondary), enabled)| Zonal {
                zone: (*zone).to_owned(),
                private: zonal.private,
                public: zonal.public,
                port: None,
                enabled: active && *enabled,
                shifted: balancer.shifted == Some(*zone),
                ipv6: zonal
                    .ipv6
                    .and_then(|ipv6| addresses.stand_ins.stand_in(ipv6)),
                secondary: secondary.clone(),
            })
            .collect(),
        ipv6_from_internet: balancer.ipv6_from_internet,
        // One that could not be set up has none.
        listeners: balancer
            .listeners
            .iter()
            .filter(|_| active)
            .map(|listener| Listener {
                port: listener.port,
                protocol: listener.protocol,
                forward: listener.forward.iter().map(Share::lower).collect(),
                group_stickiness: listener.forward.iter().any(|share| share.sticky),
                idle_timeout: listener.idle_timeout,
                terminates: listener.terminates,
                http: listener.http,
                https: listener.https,
                instance_port: listener.instance_port,
            })
            .collect(),
        prefer: balancer.prefer.clone(),
        on_collision: balancer.on_collision,
        on_missing_flow: balancer.on_missing_flow,
        on_no_target: balancer.on_no_target,
        on_target_error: balancer.on_target_error,
        port_order: balancer.port_order,
        source_address: balancer.source_address,
        snat_ports: balancer.snat_ports,
        port_reuse: balancer.port_reuse,
        flow_capacity: balancer.flow_capacity,
        half_open: balancer.half_open,
        flow_reuse: balancer.flow_reuse,
        client_routing: balancer.client_routing,
        on_zone_disabled: balancer.on_zone_disabled,
    }
}
