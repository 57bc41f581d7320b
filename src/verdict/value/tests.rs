//! The values have exactly the fields that the plan's shape tells expressions of.

use super::*;
use crate::evidence::{
    Conntrack, Interface, Listener, Quantiles, Request, Socket, TargetEvidence, Transition,
    ZoneEvidence,
};
use crate::expr::{Truth, Type};
use crate::fabric::metric::Namespace;
use crate::plan::{Fault, Plan, Step, Verb, vocabulary};
use crate::verdict::scope::OF_KERNELS;
use crate::verdict::{Scope, findings};
use std::collections::BTreeMap;
use std::sync::Arc;

/// One step of every kind, each with a name.
const LAB: &str = r#"title: Every kind of step
hosts:
  client: { zone: a }
  web-1: { zone: a, serve: { 80: echo } }
target_groups:
  web: { targets: [web-1] }
load_balancers:
  front: { zones: [a], listeners: { 80: web } }
  chat: { type: classic, zones: [a], instances: [web-1], listeners: { 80: 80 } }
steps:
  - connect:  { as: one, from: client, to: front }
  - load:     { as: many, from: client, to: front, connections: 2, hold: true }
  - send:     { as: sent, over: one }
  - receive:  { as: received, over: one }
  - exchange: { as: exchanged, over: one }
  - exchange: { as: on_all, over: many }
  - shutdown: { as: shut, over: one }
  - close:    { as: closed, over: one }
  - abort:    { as: aborted, over: many }
  - wait:     { as: waited, for: 1ms }
  - wait_until: { as: seen, that: one.ok }
  - run:      { as: ran, on_host: client, command: "true" }
  - stop:     { as: stopped, host: web-1 }
  - kill:     { as: killed, host: web-1 }
  - deregister: { as: left, target: web/web-1 }
  - register: { as: back, target: web/web-1 }
works:
  - EXPRESSION
cases:
  as-it-is: { kind: control }
"#;

fn plan(expression: &str) -> Plan {
    let text = LAB.replace("EXPRESSION", expression);
    let lab =
        crate::spec::read(&text, "every-step.yaml").unwrap_or_else(|e| panic!("{:?}", e.sorted()));
    crate::plan::plan(&lab, "as-it-is", None).unwrap_or_else(|e| panic!("{:?}", e.sorted()))
}

fn zeros(names: &[&str]) -> BTreeMap<String, i64> {
    names
        .iter()
        .filter(|name| !name.is_empty())
        .map(|name| (name.to_string(), 0))
        .collect()
}

/// Evidence in which everything that can be there is there, once.
fn evidence(plan: &Plan) -> Evidence {
    let errors = || zeros(vocabulary::ERRORS);
    let detail = |step: &crate::plan::Step| match &step.verb {
        Verb::Connect { .. } => Detail::Connect { connection: 0 },
        Verb::Load { .. } => Detail::Load(Load {
            errors: errors(),
            by_target: zeros(&["client", "web-1"]),
            status: zeros(&["200"]),
            connect_ms: Quantiles::default(),
            ..Load::default()
        }),
        Verb::Exchange(transfer) | Verb::Send(transfer) | Verb::Receive(transfer) => {
            match &plan.steps[transfer.over.0 as usize].verb {
                Verb::Load { .. } => Detail::TransferAll {
                    attempts: 2,
                    failed: 0,
                    errors: errors(),
                },
                _ => Detail::Transfer {
                    sent: 1,
                    received: 1,
                    unacked: 0,
                    text: "x".into(),
                    text_cut: 0,
                },
            }
        }
        Verb::Run { .. } => Detail::Run {
            exit_code: 0,
            stdout: String::new(),
            stdout_cut: 0,
            stderr: String::new(),
            stderr_cut: 0,
        },
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
        | Verb::Endpoints { .. }
        | Verb::Set { .. }
        | Verb::Fault(
            Fault::Freeze(_) | Fault::PowerOff(_) | Fault::LinkDown(_) | Fault::Heal { .. },
        ) => Detail::Plain,
        Verb::Fault(Fault::Drop(_)) => Detail::Drop { dropped: 1 },
    };
    let result = |step: &Step| StepResult {
        name: step.name.clone(),
        ok: true,
        detail: detail(step),
        ..StepResult::default()
    };
    let host = HostEvidence {
        counters: [("TcpOutRsts".into(), 1)].into(),
        conntrack: Conntrack {
            counters: zeros(vocabulary::CONNTRACK),
            unknown: String::new(),
        },
        sockets: vec![Socket {
            state: "ESTABLISHED".into(),
            tcp_info: Some(TcpInfo::default()),
            ..Socket::default()
        }],
        listeners: Some(vec![Listener {
            backlog: Some(1),
            ..Listener::default()
        }]),
        requests: vec![Request::default()],
        ..HostEvidence::default()
    };
    let names = |namespace| vocabulary::metrics(namespace).collect::<Vec<_>>();
    let metrics = zeros(&names(Namespace::Network));
    let classic_metrics = zeros(&names(Namespace::Classic));
    let zone = ZoneEvidence {
        in_dns: true,
        reach: BTreeMap::new(),
        metrics: metrics.clone(),
    };
    let balancer = BalancerEvidence {
        kind: "network".into(),
        instances: BTreeMap::new(),
        listeners: BTreeMap::new(),
        metrics,
        zones: [("a".to_string(), zone)].into(),
        reason: String::new(),
        state: "active".into(),
        addresses: [("a".to_string(), "192.0.2.1".to_string())].into(),
        dns: Vec::new(),
        ipv6_addresses: Default::default(),
        flows: 1,
    };
    let instance = InstanceEvidence {
        state: "InService".into(),
        ..InstanceEvidence::default()
    };
    let classic = BalancerEvidence {
        kind: "classic".into(),
        instances: [("web-1".to_string(), instance)].into(),
        metrics: classic_metrics.clone(),
        zones: [(
            "a".to_string(),
            ZoneEvidence {
                in_dns: true,
                reach: BTreeMap::new(),
                metrics: classic_metrics,
            },
        )]
        .into(),
        ..balancer.clone()
    };
    let target = TargetEvidence {
        reason: String::new(),
        state: "healthy".into(),
        administrative_override: "no_override".into(),
        transitions: vec![Transition {
            reason: String::new(),
            state: "healthy".into(),
            ..Transition::default()
        }],
        ..TargetEvidence::default()
    };
    let group_metrics: Vec<&str> = vocabulary::group_metrics(Namespace::Network).collect();
    let group = GroupEvidence {
        metrics: zeros(&group_metrics),
        targets: [("web-1".to_string(), target)].into(),
        zones: Vec::new(),
    };
    Evidence {
        steps: plan.steps.iter().map(result).collect(),
        connections: vec![Connection::default()],
        hosts: ["client", "web-1"]
            .map(|name| (name.to_string(), host.clone()))
            .into(),
        load_balancers: [
            ("front".to_string(), balancer),
            ("chat".to_string(), classic),
        ]
        .into(),
        target_groups: [("web".to_string(), group)].into(),
        packets: vec![Packet {
            protocol: "tcp".into(),
            sender: "web-1".into(),
            fate: "forwarded".into(),
            from: "10.0.0.1:80".into(),
            to: "10.0.0.2:40000".into(),
            wire_packets: 1,
            ..Packet::default()
        }],
        interfaces: vec![Interface {
            name: "web-1".into(),
            address: "10.0.0.1".into(),
            ..Interface::default()
        }],
        ..Evidence::default()
    }
}

/// Complains where a value is not of a type: fields missing or not told of, words out of no vocabulary.
fn conforms(value: &Value, ty: &Type, path: &str, complaints: &mut Vec<String>) {
    let sound = match ty {
        Type::Bool => value.is_boolean(),
        Type::Int => value.is_i64(),
        Type::Float | Type::Millis => value.is_f64(),
        Type::Text => value.is_string(),
        Type::Limited(limits) => value.as_str().is_some_and(|text| limits.admit(text)),
        Type::Word(words) => value.as_str().is_some_and(|word| words.contains(&word)),
        Type::List(element) => match value.as_array() {
            Some(list) => {
                list.iter()
                    .for_each(|item| conforms(item, element, &format!("{path}[]"), complaints));
                true
            }
            None => false,
        },
        Type::Map(element) => match value.as_object() {
            Some(map) => {
                map.iter().for_each(|(key, item)| {
                    conforms(item, element, &format!("{path}.{key}"), complaints)
                });
                true
            }
            None => false,
        },
        Type::Counts(_) => {
            conforms(value, &Type::Map(Arc::new(Type::Int)), path, complaints);
            true
        }
        Type::Record(fields) => match value.as_object() {
            Some(map) => {
                for (name, ty) in fields.iter() {
                    match map.get(name) {
                        Some(item) => conforms(item, ty, &format!("{path}.{name}"), complaints),
                        None => complaints.push(format!("{path}.{name} is not in the value")),
                    }
                }
                let untold = map.keys().filter(|name| !fields.contains_key(*name));
                complaints.extend(untold.map(|name| format!("{path}.{name} is not in the shape")));
                true
            }
            None => false,
        },
    };
    if !sound {
        complaints.push(format!("{path} is {value}, not {ty:?}"));
    }
}

#[test]
fn values_have_the_fields_of_the_shape() {
    let plan = plan("size(flow_logs) == 1");
    let found: Vec<Finding> = findings::KINDS
        .iter()
        .map(|kind| Finding {
            kind: kind.to_string(),
            packets: vec![0],
            connections: vec![0],
            ..Finding::default()
        })
        .collect();
    let value = of_words(&plan, &evidence(&plan), &found, &|_| true);
    let mut complaints = Vec::new();
    conforms(
        &value,
        &Type::Record(plan.shape.roots.clone().into()),
        "",
        &mut complaints,
    );
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
    assert_eq!(plan.works[0].expr.eval(&value), Truth::True);
}

#[test]
fn a_checked_expression_reads_the_values() {
    for expression in [
        "one.ok && one.syns == 0 && many.errors.refused == 0 && many.by_target[\"web-1\"] == 0",
        "on_all.failed == 0 && on_all.attempts == 2 && ran.exit_code == 0 && exchanged.sent == 1",
        "load_balancers.front.metrics.TCP_ELB_Reset_Count == 0 && target_groups.web.targets[\"web-1\"].flows == 0",
        "hosts[\"web-1\"].counters.TcpOutRsts == 1 && hosts.client.sockets.exists(s, s.state == \"ESTABLISHED\")",
        "many.connect_ms.p99 < 1.5 && waited.ms >= 0 && size(findings) == 0 && packets.all(p, !p.probe)",
    ] {
        let plan = plan(&format!("'{expression}'"));
        let value = value(&plan, &evidence(&plan), &[], &plan.works);
        assert_eq!(plan.works[0].expr.eval(&value), Truth::True, "{expression}");
    }
}

#[test]
fn a_packet_that_a_link_held_is_one_packet() {
    let plan = plan(
        "'packets.size() == 2 && packets.exists_one(p, p.flags == \"S\" && p.t == 5.0 && p.fate == \"forwarded\" && \
         p.receiver == \"client\") && packets.exists_one(p, p.flags == \"F\" && p.fate == \"held\")'",
    );
    let mut evidence = evidence(&plan);
    let record = |id: i64, flags: &str, t: f64, fate: &str, receiver: &str| Packet {
        id,
        t,
        flags: flags.into(),
        fate: fate.into(),
        receiver: receiver.into(),
        ..evidence.packets[0].clone()
    };
    // By the link up, by the link down; the second one has not come to the end of its way.
    evidence.packets = vec![
        record(0, "S", 5.0, "held", ""),
        record(1, "F", 6.0, "held", ""),
        record(0, "S", 15.0, "held", ""),
        record(1, "F", 16.0, "held", ""),
        record(0, "S", 25.0, "forwarded", "client"),
    ];
    let value = value(&plan, &evidence, &[], &plan.works);
    assert_eq!(plan.works[0].expr.eval(&value), Truth::True, "{value}");
}

#[test]
fn what_no_claim_mentions_is_not_made() {
    let plan = plan("one.ok && hosts.client.sockets.size() == 1");
    let evidence = evidence(&plan);
    let value = value(&plan, &evidence, &[], &plan.works);
    let roots: Vec<&String> = value.as_object().expect("roots").keys().collect();
    assert_eq!(roots, ["hosts", "one"]);
    assert_eq!(
        value["hosts"]["client"]["sockets"].as_array().map(Vec::len),
        Some(1)
    );
    assert!(value["hosts"]["client"].get("counters").is_none());
}

#[test]
fn a_number_that_is_not_finite_is_unknown() {
    let plan = plan("one.ms < 1.0");
    let mut evidence = evidence(&plan);
    evidence.steps[0].ms = f64::NAN;
    let told = plan.works[0]
        .expr
        .eval(&value(&plan, &evidence, &[], &plan.works));
    assert!(matches!(told, Truth::Unknown(_)), "{told:?}");
}

#[test]
fn the_plan_knows_the_findings_there_are() {
    assert_eq!(vocabulary::FINDINGS, findings::KINDS);
}

/// Where two values differ, as expressions name the places.
fn differing(one: &Value, other: &Value, path: &str, places: &mut Vec<String>) {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            for (key, value) in one {
                let other = other.get(key).unwrap_or(&Value::Null);
                differing(value, other, &format!("{path}.{key}"), places);
            }
        }
        (one, other) if one != other => places.push(path.to_owned()),
        _ => {}
    }
}

#[test]
fn what_comes_of_packets_and_kernels_is_in_the_scope_of_who_mentions_it() {
    let plan = plan("one.ok");
    let mut full = evidence(&plan);
    let connection = &mut full.connections[0];
    connection.client_state = "ESTABLISHED".into();
    connection.server_state = "ESTABLISHED".into();
    connection.ended_by = "client".into();
    let places = |strip: fn(&mut Evidence)| {
        let mut bare = full.clone();
        strip(&mut bare);
        let of = |evidence| of_words(&plan, evidence, &[], &|_| true);
        let mut places = Vec::new();
        differing(&of(&full), &of(&bare), "", &mut places);
        places.sort_unstable();
        places
    };
    let of_packets = places(|evidence| evidence.packets.clear());
    assert_eq!(of_packets, [".flow_logs", ".packets"]);
    let of_kernels = places(|evidence| {
        for host in evidence.hosts.values_mut() {
            *host = HostEvidence {
                requests: host.requests.clone(),
                ..HostEvidence::default()
            };
        }
        for connection in &mut evidence.connections {
            connection.client_state.clear();
            connection.server_state.clear();
            connection.ended_by.clear();
        }
    });
    for word in OF_KERNELS {
        assert!(
            of_kernels.iter().any(|place| place.contains(word)),
            "{word}"
        );
    }
    assert!(of_packets.iter().all(|place| Scope::of(place).packets));
    for place in of_kernels {
        assert!(Scope::of(&place).kernels, "{place}");
    }
}
