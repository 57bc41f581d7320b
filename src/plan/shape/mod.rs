//! What expressions may say in one case: the roots and their types.
//!
//! The values come from `verdict::value`; a test there holds the two together. What is alike in all cases is made once and
//! shared: it was most of the time that planning took.

mod hosts;

use super::{nat, vocabulary as words};
use crate::expr::{Limits, Shape, Type};
use crate::fabric::metric::Namespace;
use crate::spec::kubernetes::ProxyMode;
use crate::spec::{Balancer, Body, Fault, NatGateway, Step, Verb};
use hosts::{HOST, NODE};
use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, LazyLock};

/// What a shape is made from.
#[derive(Debug)]
pub(super) struct Names<'a> {
    /// All hosts.
    pub(super) hosts: Vec<&'a str>,
    /// Further names of some of them.
    pub(super) aliases: Vec<&'a str>,
    /// Zonal addresses of application balancers that are targets.
    pub(super) inner: Vec<&'a str>,
    /// Group name and the names of its targets.
    pub(super) groups: Vec<(&'a str, Vec<&'a str>)>,
    /// The same of classic balancers and their instances.
    pub(super) instances: Vec<(&'a str, Vec<&'a str>)>,
}

/// The shape of a case's evidence.
pub(super) fn shape(body: &Body, names: &Names<'_>) -> Shape {
    let loads: HashSet<&str> = body
        .steps
        .iter()
        .filter(|step| matches!(step.verb, Verb::Load { .. }))
        .map(|step| step.name.value.as_str())
        .collect();
    // Of two steps of one name, which is told elsewhere, the first one has it.
    let named = body.steps.iter().rev().filter(|step| step.named);
    let mut roots: BTreeMap<String, Type> = named
        .map(|step| (step.name.value.clone(), result(step, &loads, names)))
        .collect();
    let balancers = body.load_balancers.iter().map(|(name, section)| {
        let own = names.instances.iter().find(|(one, _)| *one == name.value);
        let instances = own.map(|(_, instances)| instances.as_slice());
        (name.value.as_str(), balancer(section, instances))
    });
    let groups = names.groups.iter().map(|(name, targets)| {
        let http = body
            .target_groups
            .iter()
            .any(|(group, section)| group.value == *name && section.protocol.value == "HTTP");
        let namespace = match http {
            true => Namespace::Application,
            false => Namespace::Network,
        };
        (*name, group(targets, namespace))
    });
    let hosts = names.hosts.iter().chain(&names.aliases);
    let hosts = hosts.map(|name| match has_service_proxy(body, name) {
        true => (*name, NODE.clone()),
        false => (*name, HOST.clone()),
    });
    roots.insert("hosts".to_owned(), record(hosts));
    roots.insert("load_balancers".to_owned(), record(balancers));
    let endpoints = body.endpoints.iter();
    let endpoints = endpoints.map(|(name, _)| (name.value.as_str(), ENDPOINT.clone()));
    roots.insert("endpoints".to_owned(), record(endpoints));
    roots.insert("target_groups".to_owned(), record(groups));
    let gateways = body.nat_gateways.iter();
    let gateways = gateways.map(|(name, section)| (name.value.as_str(), gateway(section)));
    roots.insert("nat_gateways".to_owned(), record(gateways));
    roots.insert("findings".to_owned(), FINDINGS.clone());
    let everybody = everybody(body, names);
    roots.insert(
        "packets".to_owned(),
        knowing(&PACKETS, &["sender", "receiver"], &everybody),
    );
    roots.insert(
        "flow_logs".to_owned(),
        knowing(&FLOW_LOGS, &["interface"], &everybody),
    );
    Shape { roots }
}

/// Whoever sends, receives or has an interface, and nobody.
fn everybody(body: &Body, names: &Names<'_>) -> Type {
    let mut all = vec![String::new(), "fabric".to_owned()];
    all.extend(targets(names).map(str::to_owned));
    for (name, section) in &body.load_balancers {
        let zones = section.zones.iter();
        all.extend(zones.map(|(zone, _)| format!("{}/{}", name.value, zone.value)));
        all.push(name.value.clone());
    }
    for (name, section) in &body.endpoints {
        let zones = section.zones.iter();
        all.extend(zones.map(|zone| format!("{}/{}", name.value, zone.value)));
        all.push(name.value.clone());
    }
    for (name, _) in &body.nat_gateways {
        all.extend([name.value.clone(), format!("nat/{}", name.value)]);
    }
    Type::Limited(Limits::Names(all.into()))
}

/// Whom a connection can come to.
fn targets<'n>(names: &'n Names<'n>) -> impl Iterator<Item = &'n str> {
    names.hosts.iter().chain(&names.inner).copied()
}

/// A list of records with some of their fields limited.
fn knowing(all: &Type, names: &[&str], limited: &Type) -> Type {
    match all {
        Type::List(one) => list(knowing(one, names, limited)),
        Type::Record(fields) => {
            let mut fields = (**fields).clone();
            fields.extend(
                names
                    .iter()
                    .map(|name| ((*name).to_owned(), limited.clone())),
            );
            Type::Record(Arc::new(fields))
        }
        other => other.clone(),
    }
}

fn record<'a>(fields: impl IntoIterator<Item = (&'a str, Type)>) -> Type {
    let fields = fields.into_iter();
    let fields = fields.map(|(name, kind)| (name.to_owned(), kind));
    Type::Record(Arc::new(fields.collect()))
}

fn list(of: Type) -> Type {
    Type::List(Arc::new(of))
}

fn map(of: Type) -> Type {
    Type::Map(Arc::new(of))
}

fn counts<'a>(keys: impl IntoIterator<Item = &'a str>) -> Type {
    record(keys.into_iter().map(|key| (key, Type::Int)))
}

/// A node of a cluster whose services are not turned into pods by its own kernel.
fn has_service_proxy(body: &Body, host: &str) -> bool {
    body.kubernetes.as_ref().is_some_and(|cluster| {
        let mut nodes = cluster.nodes.iter();
        cluster.emulate.mode != ProxyMode::Iptables && nodes.any(|(name, _)| name.value == host)
    })
}

/// `instances`: of a classic balancer.
fn balancer(section: &Balancer, instances: Option<&[&str]>) -> Type {
    let namespace = match instances {
        Some(_) => Namespace::Classic,
        None if section.is_application() => Namespace::Application,
        None => Namespace::Network,
    };
    let metrics = counts(words::metrics(namespace));
    let zones = section.zones.iter().map(|(zone, _)| zone.value.as_str());
    let zone = record([("in_dns", Type::Bool), ("metrics", metrics.clone())]);
    let mut fields = vec![
        ("metrics", metrics),
        ("state", Type::Word(words::BALANCER_STATES)),
        ("reason", Type::Text),
        ("addresses", map(Type::Text)),
        ("zones", record(zones.map(|name| (name, zone.clone())))),
        ("ipv6_addresses", map(Type::Text)),
        ("flows", Type::Int),
    ];
    if let Some(instances) = instances {
        let all = instances.iter().map(|name| (*name, INSTANCE.clone()));
        fields.push(("instances", record(all)));
    }
    record(fields)
}

/// An instance of a classic balancer.
static INSTANCE: LazyLock<Type> = LazyLock::new(|| {
    record([
        ("state", Type::Word(words::INSTANCE_STATES)),
        ("reason_code", Type::Text),
        ("description", Type::Text),
        ("checks", Type::Int),
        ("failed_checks", Type::Int),
        ("connections", Type::Int),
    ])
});

fn gateway(section: &NatGateway) -> Type {
    let metrics = nat::profile(section).metrics().iter();
    record([
        ("metrics", counts(metrics.map(|metric| metric.name))),
        ("addresses", list(Type::Text)),
        ("mappings", Type::Int),
        ("insert_failed", Type::Int),
        ("clash_resolve", Type::Int),
    ])
}

static ENDPOINT: LazyLock<Type> = LazyLock::new(|| {
    record([
        ("id", Type::Text),
        ("state", Type::Word(words::ENDPOINT_STATES)),
        ("service", Type::Text),
        ("addresses", map(Type::Text)),
        ("leads_to", map(Type::Text)),
        ("metrics", counts(words::ENDPOINT_METRICS.iter().copied())),
    ])
});

/// A target of a group.
static TARGET: LazyLock<Type> = LazyLock::new(|| {
    record([
        ("state", Type::Word(words::TARGET_STATES)),
        ("reason", Type::Text),
        ("checks", Type::Int),
        ("failed_checks", Type::Int),
        (
            "transitions",
            list(record([
                ("at", Type::Millis),
                ("state", Type::Word(words::TARGET_STATES)),
                ("reason", Type::Text),
            ])),
        ),
        (
            "administrative_override",
            Type::Word(words::ADMINISTRATIVE_OVERRIDES),
        ),
        ("flows", Type::Int),
    ])
});

fn group(targets: &[&str], namespace: Namespace) -> Type {
    record([
        ("metrics", counts(words::group_metrics(namespace))),
        (
            "targets",
            record(targets.iter().map(|name| (*name, TARGET.clone()))),
        ),
    ])
}

static FINDINGS: LazyLock<Type> = LazyLock::new(|| {
    list(record([
        ("kind", Type::Word(words::FINDINGS)),
        ("summary", Type::Text),
        ("packets", list(Type::Int)),
        ("connections", list(Type::Int)),
    ]))
});

static PACKETS: LazyLock<Type> = LazyLock::new(|| {
    list(record([
        ("t", Type::Millis),
        ("sender", Type::Text),
        ("receiver", Type::Text),
        ("seen_at", Type::Text),
        ("protocol", Type::Word(&["tcp", "udp", "icmp"])),
        ("icmp", Type::Text),
        ("from", Type::Text),
        ("to", Type::Text),
        ("from_after", Type::Text),
        ("to_after", Type::Text),
        ("flags", Type::Limited(Limits::Flags)),
        ("len", Type::Int),
        ("window", Type::Int),
        ("wire_packets", Type::Int),
        ("wire_bytes", Type::Int),
        ("fate", Type::Word(words::FATES)),
        ("probe", Type::Bool),
        ("delayed_ms", Type::Millis),
        ("queued_ms", Type::Millis),
        ("damaged", Type::Bool),
        ("copy", Type::Bool),
        ("overtook", Type::Int),
        ("sack_ahead", Type::Int),
    ]))
});

/// The documented fields, `_` for `-`, and `interface`: whose it is by the lab's names.
static FLOW_LOGS: LazyLock<Type> = LazyLock::new(|| {
    list(record([
        ("interface", Type::Text),
        ("version", Type::Int),
        ("account_id", Type::Text),
        ("interface_id", Type::Text),
        ("srcaddr", Type::Text),
        ("dstaddr", Type::Text),
        ("srcport", Type::Int),
        ("dstport", Type::Int),
        ("protocol", Type::Int),
        ("packets", Type::Int),
        ("bytes", Type::Int),
        ("start", Type::Int),
        ("end", Type::Int),
        ("action", Type::Word(&["ACCEPT", "REJECT"])),
        ("log_status", Type::Word(&["OK"])),
        ("vpc_id", Type::Text),
        ("subnet_id", Type::Text),
        ("instance_id", Type::Text),
        ("tcp_flags", Type::Int),
        ("type", Type::Word(&["IPv4", "IPv6"])),
        ("pkt_srcaddr", Type::Text),
        ("pkt_dstaddr", Type::Text),
        ("region", Type::Text),
        ("az_id", Type::Text),
        ("sublocation_type", Type::Text),
        ("sublocation_id", Type::Text),
        ("pkt_src_aws_service", Type::Text),
        ("pkt_dst_aws_service", Type::Text),
        ("flow_direction", Type::Word(&["ingress", "egress"])),
        ("traffic_path", Type::Word(&["-", "1", "8"])),
    ]))
});

/// A step's result: what every step has, and its own.
fn result(step: &Step, loads: &HashSet<&str>, names: &Names<'_>) -> Type {
    let mut fields = vec![
        ("ok", Type::Bool),
        ("error", Type::Word(words::ERRORS)),
        ("errno", Type::Int),
        ("ms", Type::Millis),
        ("at", Type::Millis),
    ];
    match &step.verb {
        Verb::Connect { .. } => fields.extend(connection(names)),
        Verb::Load { .. } => fields.extend(load(names)),
        Verb::Exchange(t) | Verb::Send(t) | Verb::Receive(t) => {
            if loads.contains(t.over.value.as_str()) {
                fields.extend(transfer_all());
            } else {
                fields.extend(transfer());
            }
        }
        Verb::Run { .. } => fields.extend([
            ("exit_code", Type::Int),
            ("stdout", Type::Text),
            ("stderr", Type::Text),
        ]),
        Verb::Close { .. }
        | Verb::Abort { .. }
        | Verb::Inject { .. }
        | Verb::Shutdown { .. }
        | Verb::Wait { .. }
        | Verb::WaitUntil { .. }
        | Verb::Stop { .. }
        | Verb::Kill { .. }
        | Verb::Reload { .. }
        | Verb::Registration { .. }
        | Verb::Set { .. }
        | Verb::Fault(
            Fault::Freeze { .. }
            | Fault::PowerOff { .. }
            | Fault::LinkDown { .. }
            | Fault::Heal { .. },
        ) => {}
        Verb::Fault(Fault::Drop { .. }) => fields.push(("dropped", Type::Int)),
    }
    record(fields)
}

fn connection(names: &Names<'_>) -> Vec<(&'static str, Type)> {
    let nobody = std::iter::once("");
    let targets = nobody.chain(targets(names)).map(str::to_owned).collect();
    vec![
        ("syns", Type::Int),
        ("local", Type::Text),
        ("remote", Type::Text),
        ("via", Type::Text),
        ("target", Type::Limited(Limits::Names(targets))),
        ("sent", Type::Int),
        ("received", Type::Int),
        ("delivered", Type::Int),
        ("lost", Type::Int),
        ("unacked", Type::Int),
        ("ended", Type::Word(words::ENDINGS)),
        ("ended_by", Type::Word(words::ENDED_BY)),
        ("client_state", Type::Word(words::TCP_STATES)),
        ("server_state", Type::Word(words::TCP_STATES)),
        ("told", Type::Text),
    ]
}

fn load(names: &Names<'_>) -> Vec<(&'static str, Type)> {
    let quantiles = ["min", "p50", "p90", "p99", "max"];
    vec![
        ("attempts", Type::Int),
        ("connected", Type::Int),
        ("failed", Type::Int),
        ("retried", Type::Int),
        ("errors", ERRORS.clone()),
        ("requests", Type::Int),
        ("status", STATUS.clone()),
        ("by_target", counts(targets(names))),
        (
            "connect_ms",
            record(quantiles.map(|name| (name, Type::Millis))),
        ),
    ]
}

/// Dense over all there can be.
static STATUS: LazyLock<Type> = LazyLock::new(|| {
    let codes = words::STATUSES.map(|code| (code.to_string(), Type::Int));
    Type::Record(Arc::new(codes.collect()))
});

fn transfer() -> Vec<(&'static str, Type)> {
    vec![
        ("sent", Type::Int),
        ("received", Type::Int),
        ("unacked", Type::Int),
        ("text", Type::Text),
    ]
}

fn transfer_all() -> Vec<(&'static str, Type)> {
    vec![
        ("attempts", Type::Int),
        ("failed", Type::Int),
        ("errors", ERRORS.clone()),
    ]
}

/// Dense over the error words; "" is no error and not counted.
static ERRORS: LazyLock<Type> = LazyLock::new(|| {
    counts(
        words::ERRORS
            .iter()
            .copied()
            .filter(|word| !word.is_empty()),
    )
});
