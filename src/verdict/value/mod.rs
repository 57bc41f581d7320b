//! The evidence as expressions see it: one object of roots.
//!
//! The mirror of these fields as types is `plan::shape`; a test holds the two together. Not every field of the
//! evidence is here: only what the language promises (LANGUAGE, "result" and "evidence").

use super::Finding;
use crate::evidence::flow_logs::flow_logs;
use crate::evidence::{
    BalancerEvidence, Connection, Detail, EndpointEvidence, Evidence, GatewayEvidence,
    GroupEvidence, HostEvidence, InstanceEvidence, Load, Packet, StepResult, TcpInfo, Transition,
    from_sending_to_end,
};
use crate::expr;
use crate::plan::vocabulary::{CONNTRACK, STATUSES};
use crate::plan::{Claim, Plan};
use serde_json::{Map, Value, json};
use std::collections::HashMap;

/// The object of roots: topology, findings, packets, and each named step's result at top level; of all this what `claims`
/// mention. What none does is not made: of large loads there are a million packets and a hundred thousand sockets, flow logs cost
/// a look at every packet, and a step that waits for something asks many times.
///
/// A number that is not finite becomes null, which expressions treat as unknown. Times are milliseconds.
pub fn value<'a>(
    plan: &Plan,
    evidence: &Evidence,
    findings: &[Finding],
    claims: impl IntoIterator<Item = &'a Claim>,
) -> Value {
    let texts: Vec<&str> = claims
        .into_iter()
        .map(|claim| claim.that.as_str())
        .collect();
    let mentioned = |word: &str| texts.iter().any(|text| text.contains(word));
    of_words(plan, evidence, findings, &mentioned)
}

/// The same of the roots, step names and costly fields that are `mentioned`.
fn of_words(
    plan: &Plan,
    evidence: &Evidence,
    findings: &[Finding],
    mentioned: &dyn Fn(&str) -> bool,
) -> Value {
    let roots: [(&str, &dyn Fn() -> Value); 8] = [
        ("hosts", &|| hosts(plan, evidence, mentioned)),
        ("load_balancers", &|| {
            by_name(&evidence.load_balancers, balancer)
        }),
        ("endpoints", &|| by_name(&evidence.endpoints, endpoint)),
        ("target_groups", &|| by_name(&evidence.target_groups, group)),
        ("nat_gateways", &|| by_name(&evidence.nat_gateways, gateway)),
        ("findings", &|| findings.iter().map(finding).collect()),
        ("packets", &|| packets(evidence, mentioned)),
        ("flow_logs", &|| json!(flow_logs(evidence))),
    ];
    let roots = roots.iter().filter(|(name, _)| mentioned(name));
    let mut roots: Map<String, Value> = roots
        .map(|(name, make)| ((*name).to_owned(), make()))
        .collect();
    // By name: saved evidence may be of a lab that has been changed since.
    let results = evidence.steps.iter();
    let results: HashMap<&str, &StepResult> = results
        .map(|result| (result.name.as_str(), result))
        .collect();
    for step in plan
        .steps
        .iter()
        .filter(|step| step.named && mentioned(&step.name))
    {
        if let Some(result) = results.get(step.name.as_str()) {
            roots.insert(step.name.clone(), step_value(result, &evidence.connections));
        }
    }
    Value::Object(roots)
}

fn by_name<T>(items: &std::collections::BTreeMap<String, T>, one: impl Fn(&T) -> Value) -> Value {
    items
        .iter()
        .map(|(name, item)| (name.clone(), one(item)))
        .collect::<Map<_, _>>()
        .into()
}

/// Hosts by name, and by their further names.
fn hosts(plan: &Plan, evidence: &Evidence, mentioned: &dyn Fn(&str) -> bool) -> Value {
    let mut hosts = by_name(&evidence.hosts, |one| host(one, mentioned));
    for (alias, id) in &plan.aliases {
        hosts[alias] = hosts[&plan.hosts[id.0 as usize].name].clone();
    }
    hosts
}

fn host(host: &HostEvidence, mentioned: &dyn Fn(&str) -> bool) -> Value {
    let sockets = || -> Value {
        let all = host.sockets.iter().map(|s| {
            json!({
                "state": s.state, "local": s.local, "remote": s.remote, "send_queue": s.send_queue,
                "recv_queue": s.recv_queue, "timer": s.timer, "timer_ms": s.timer_ms, "retransmits": s.retransmits,
                "tcp_info": tcp_info(s.tcp_info.as_ref()),
            })
        });
        all.collect()
    };
    let listeners = || -> Value {
        // Evidence of a case that did not ask for them has none: they are unknown.
        json!(host.listeners)
    };
    let requests = || -> Value {
        let all = host.requests.iter().map(|r| {
            json!({
                "host": r.host, "path": r.path, "status": r.status, "client": r.client,
                "forwarded_for": r.forwarded_for, "probe": r.probe,
            })
        });
        all.collect()
    };
    let mut fields = json!({
        "address": host.address,
        "ipv6": host.ipv6,
        "conntrack": conntrack(host),
        "self_sourced": host.self_sourced,
    });
    let costly: [(&str, &dyn Fn() -> Value); 4] = [
        ("counters", &|| json!(host.counters)),
        ("sockets", &sockets),
        ("listeners", &listeners),
        ("requests", &requests),
    ];
    if let Some(proxy) = &host.service_proxy {
        fields["service_proxy"] = json!(proxy);
    }
    for (name, make) in costly.iter().filter(|(name, _)| mentioned(name)) {
        fields[*name] = make();
    }
    fields
}

/// What a kernel does not count is unknown.
fn conntrack(host: &HostEvidence) -> Value {
    let counters = &host.conntrack.counters;
    CONNTRACK
        .iter()
        .map(|word| ((*word).to_owned(), json!(counters.get(*word))))
        .collect::<Map<_, _>>()
        .into()
}

/// Of a socket whose kernel tells nothing, every figure is unknown.
fn tcp_info(info: Option<&TcpInfo>) -> Value {
    json!({
        "rtt_ms": info.map(|info| info.rtt_ms),
        "rto_ms": info.map(|info| info.rto_ms),
        "cwnd": info.map(|info| info.cwnd),
        "unacked": info.map(|info| info.unacked),
        "lost": info.map(|info| info.lost),
        "resent": info.map(|info| info.resent),
        "bytes_acked": info.map(|info| info.bytes_acked),
        "bytes_received": info.map(|info| info.bytes_received),
        "bytes_not_sent": info.map(|info| info.bytes_not_sent),
        "segments_out": info.map(|info| info.segments_out),
        "segments_in": info.map(|info| info.segments_in),
        "send_scale": info.map(|info| info.send_scale),
        "receive_scale": info.map(|info| info.receive_scale),
    })
}

fn balancer(balancer: &BalancerEvidence) -> Value {
    let zones: Map<_, _> = balancer
        .zones
        .iter()
        .map(|(name, zone)| {
            (
                name.clone(),
                json!({ "in_dns": zone.in_dns, "metrics": zone.metrics }),
            )
        })
        .collect();
    let mut value = json!({
        "metrics": balancer.metrics,
        "state": balancer.state,
        "reason": balancer.reason,
        "addresses": balancer.addresses,
        "zones": zones,
        "ipv6_addresses": balancer.ipv6_addresses,
        "flows": balancer.flows,
    });
    if balancer.kind == "classic"
        && let Value::Object(fields) = &mut value
    {
        let instances = by_name(&balancer.instances, instance);
        fields.insert("instances".to_owned(), instances);
    }
    value
}

fn instance(instance: &InstanceEvidence) -> Value {
    json!({
        "state": instance.state,
        "reason_code": instance.reason_code,
        "description": instance.description,
        "checks": instance.checks,
        "failed_checks": instance.failed_checks,
        "connections": instance.connections,
    })
}

fn gateway(gateway: &GatewayEvidence) -> Value {
    json!({
        "metrics": gateway.metrics,
        "addresses": gateway.addresses,
        "mappings": gateway.mappings,
        "insert_failed": gateway.insert_failed,
        "clash_resolve": gateway.clash_resolve,
    })
}

fn endpoint(endpoint: &EndpointEvidence) -> Value {
    json!({
        "id": endpoint.id,
        "state": endpoint.state,
        "service": endpoint.service,
        "addresses": endpoint.addresses,
        "leads_to": endpoint.leads_to,
        "metrics": endpoint.metrics,
    })
}

fn group(group: &GroupEvidence) -> Value {
    let targets: Map<_, _> = group
        .targets
        .iter()
        .map(|(name, t)| {
            (
                name.clone(),
                json!({
                    "state": t.state,
                    "reason": t.reason,
                    "checks": t.checks,
                    "failed_checks": t.failed_checks,
                    "transitions": t.transitions.iter().map(transition).collect::<Vec<_>>(),
                    "administrative_override": t.administrative_override,
                    "flows": t.flows,
                }),
            )
        })
        .collect();
    json!({ "metrics": group.metrics, "targets": targets })
}

fn transition(transition: &Transition) -> Value {
    json!({ "at": transition.at, "state": transition.state, "reason": transition.reason })
}

fn finding(finding: &Finding) -> Value {
    json!({
        "kind": finding.kind,
        "summary": finding.summary,
        "packets": finding.packets,
        "connections": finding.connections,
    })
}

/// A packet by its first and its last record: how it was sent, and how it ended.
struct Way<'a> {
    sent: &'a Packet,
    ended: &'a Packet,
}

/// One thing that is told of a packet, by name.
type Told = (&'static str, fn(&Way<'_>) -> Value);

/// What is told of a packet.
const PACKET: [Told; 23] = [
    ("t", |p| json!(p.sent.t)),
    ("sender", |p| json!(p.sent.sender)),
    ("receiver", |p| json!(p.ended.receiver)),
    ("seen_at", |p| json!(p.sent.seen_at)),
    ("protocol", |p| json!(p.sent.protocol)),
    ("icmp", |p| {
        json!(p.sent.icmp.as_ref().map_or("", |icmp| &icmp.says))
    }),
    ("from", |p| json!(p.sent.from)),
    ("to", |p| json!(p.sent.to)),
    ("from_after", |p| json!(p.ended.from_after)),
    ("to_after", |p| json!(p.ended.to_after)),
    ("flags", |p| json!(p.sent.flags)),
    ("len", |p| json!(p.sent.len)),
    ("window", |p| json!(p.sent.window)),
    ("wire_packets", |p| json!(p.sent.wire_packets)),
    ("wire_bytes", |p| json!(p.sent.wire_bytes)),
    ("fate", |p| json!(p.ended.fate)),
    ("probe", |p| json!(p.sent.probe)),
    ("delayed_ms", |p| {
        json!(p.ended.links.as_ref().map_or(0.0, |links| links.delayed_ms))
    }),
    ("queued_ms", |p| {
        json!(p.ended.links.as_ref().map_or(0.0, |links| links.queued_ms))
    }),
    ("damaged", |p| {
        json!(
            p.ended
                .links
                .as_ref()
                .is_some_and(|links| links.is_damaged())
        )
    }),
    ("copy", |p| {
        json!(p.ended.links.as_ref().is_some_and(|links| links.is_copy()))
    }),
    ("overtook", |p| {
        json!(p.ended.links.as_ref().map_or(0, |links| links.overtook()))
    }),
    ("sack_ahead", |p| {
        json!(p.ended.links.as_ref().map_or(0, |links| links.sack_ahead()))
    }),
];

/// All packets, each once, with those fields that are mentioned.
fn packets(evidence: &Evidence, mentioned: &dyn Fn(&str) -> bool) -> Value {
    let fields = PACKET.iter().filter(|(name, _)| mentioned(name));
    let fields: Vec<_> = fields.collect();
    let one = |way: &Way| -> Map<String, Value> {
        let fields = fields.iter();
        fields
            .map(|(name, of)| ((*name).to_owned(), of(way)))
            .collect()
    };
    let records = &evidence.packets;
    let all = from_sending_to_end(records).into_iter();
    let ways = all.map(|(sent, ended)| Way {
        sent: &records[sent],
        ended: &records[ended],
    });
    ways.map(|way| Value::Object(one(&way))).collect()
}

fn step_value(step: &StepResult, connections: &[Connection]) -> Value {
    let mut fields = Map::new();
    let mut put = |more: Value| {
        if let Value::Object(more) = more {
            fields.extend(more);
        }
    };
    put(
        json!({ "ok": step.ok, "error": step.error, "errno": step.errno, "ms": step.ms, "at": step.at }),
    );
    match &step.detail {
        Detail::Plain | Detail::Refused { .. } | Detail::Endpoints { .. } => {}
        Detail::Connect { connection: index } => {
            if let Some(c) = connections.get(*index) {
                put(connection(c));
            }
        }
        Detail::Load(l) => put(load(l)),
        Detail::Transfer {
            sent,
            received,
            unacked,
            text,
            text_cut,
        } => {
            let text = expr::text(text, *text_cut);
            put(json!({ "sent": sent, "received": received, "unacked": unacked, "text": text }));
        }
        Detail::TransferAll {
            attempts,
            failed,
            errors,
        } => {
            put(json!({ "attempts": attempts, "failed": failed, "errors": errors }));
        }
        Detail::Drop { dropped } => put(json!({ "dropped": dropped })),
        Detail::Run {
            exit_code,
            stdout,
            stdout_cut,
            stderr,
            stderr_cut,
        } => {
            let stdout = expr::text(stdout, *stdout_cut);
            let stderr = expr::text(stderr, *stderr_cut);
            put(json!({ "exit_code": exit_code, "stdout": stdout, "stderr": stderr }));
        }
    }
    Value::Object(fields)
}

fn connection(c: &Connection) -> Value {
    json!({
        "syns": c.syns,
        "local": c.local,
        "remote": c.remote,
        "via": c.via,
        "target": c.target,
        "sent": c.sent,
        "received": c.received,
        "delivered": c.delivered,
        "lost": c.lost,
        "unacked": c.unacked,
        "ended": c.ended,
        "ended_by": c.ended_by,
        "client_state": c.client_state,
        "server_state": c.server_state,
        "told": c.told,
    })
}

/// A map over a closed vocabulary has all its keys.
fn status(load: &Load) -> Value {
    STATUSES
        .map(|code| {
            let code = code.to_string();
            let count = load.status.get(&code).copied().unwrap_or(0);
            (code, count.into())
        })
        .collect::<Map<_, _>>()
        .into()
}

fn load(load: &Load) -> Value {
    json!({
        "attempts": load.attempts,
        "connected": load.connected,
        "failed": load.failed,
        "retried": load.retried,
        "errors": load.errors,
        "requests": load.requests,
        "status": status(load),
        "by_target": load.by_target,
        "connect_ms": {
            "min": load.connect_ms.min,
            "p50": load.connect_ms.p50,
            "p90": load.connect_ms.p90,
            "p99": load.connect_ms.p99,
            "max": load.connect_ms.max,
        },
    })
}

#[cfg(test)]
mod tests;
