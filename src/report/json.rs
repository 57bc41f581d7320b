//! The machine's report: one JSON object with `cases[]`.
//!
//! Stable names: fields are added, never renamed. Times are milliseconds where the name ends in `_ms`, else seconds.

use super::{Outcome, Word, kind_word, machine_word};
use crate::evidence::target_health::target_health;
use crate::evidence::{Connection, Detail, Evidence, StepResult};
use crate::verdict::{ClaimTruth, ClaimVerdict, Finding};
use serde_json::{Map, Value, json};

/// All outcomes, as text with a final line feed.
pub fn json(outcomes: &[Outcome]) -> String {
    let count = |word: Word| outcomes.iter().filter(|o| o.word() == word).count();
    let report = json!({
        "version": 1,
        "tool": concat!("hairpin ", env!("CARGO_PKG_VERSION")),
        "summary": {
            "cases": outcomes.len(),
            "holds": outcomes.iter().filter(|o| o.holds()).count(),
            "fails": count(Word::Ruled(crate::verdict::Ruling::Fails)),
            "inconclusive": count(Word::Ruled(crate::verdict::Ruling::Inconclusive)),
            "errors": count(Word::Failure),
        },
        "cases": outcomes.iter().map(case).collect::<Vec<_>>(),
    });
    let mut text =
        serde_json::to_string_pretty(&report).expect("maps with text keys always serialise");
    text.push('\n');
    text
}

/// One outcome.
fn case(outcome: &Outcome) -> Value {
    let info = &outcome.case;
    let evidence = outcome.evidence.as_ref();
    let verdict = outcome.verdict.as_ref();
    json!({
        "lab": info.lab,
        "case": info.name,
        "kind": kind_word(info.kind),
        "verdict": machine_word(outcome.word()),
        "reason": verdict.map(|v| v.reason.as_str()).unwrap_or_default(),
        "error": outcome.failure,
        "file": info.file,
        "line": info.line,
        "title": info.title,
        "shows": info.shows,
        "set": info.changes.iter().map(|change| json!({
            "path": change.path, "before": change.before, "after": change.after,
        })).collect::<Vec<_>>(),
        "seed": info.seed,
        "attempt": outcome.attempt,
        "time_scale": evidence.map(|e| e.time_scale),
        "kernel": evidence.map(|e| e.kernel.as_str()),
        "seconds": evidence.map(|e| e.seconds),
        "up_ms": evidence.map(|e| e.up_ms),
        "down_ms": evidence.map(|e| e.down_ms),
        "lag_ms": evidence.map(|e| e.lag_ms),
        "works": verdict.map(|v| claims(&v.works)).unwrap_or_default(),
        "expect": verdict.map(|v| claims(&v.expect)).unwrap_or_default(),
        "findings": verdict.map(|v| findings(&v.findings)).unwrap_or_default(),
        "missing_finds": verdict.map(|v| v.missing_finds.as_slice()).unwrap_or_default(),
        "unwanted_finds": verdict.map(|v| v.unwanted_finds.as_slice()).unwrap_or_default(),
        "steps": evidence.map(steps).unwrap_or_default(),
        "counters": evidence.map(counters).unwrap_or_default(),
        "target_health": evidence.map(|e| json!(target_health(e))).unwrap_or_else(|| json!({})),
        "metrics": evidence.map(|e| json!(e.metrics)).unwrap_or_else(|| json!([])),
        "drops": evidence.map(|e| json!(e.drops)).unwrap_or_else(|| json!({})),
        "evidence": outcome.saved,
        "capture": outcome.capture.as_ref().map(|files| json!({
            "file": files.case, "attachments": files.attachments, "cut": files.cut,
        })),
    })
}

fn claims(list: &[ClaimVerdict]) -> Vec<Value> {
    list.iter()
        .map(|claim| {
            let values: Map<String, Value> = claim.values.iter().cloned().collect();
            json!({
                "claim": claim.claim,
                "that": claim.that,
                "line": claim.line,
                "verdict": match claim.truth {
                    ClaimTruth::True => "holds",
                    ClaimTruth::False => "fails",
                    ClaimTruth::Unknown => "inconclusive",
                },
                "why": claim.why,
                "values": values,
            })
        })
        .collect()
}

fn findings(list: &[Finding]) -> Vec<Value> {
    list.iter()
        .map(|finding| {
            json!({
                "kind": finding.kind,
                "summary": finding.summary,
                "packets": finding.packets,
                "connections": finding.connections,
                "counters": finding.counters.iter().map(|(host, counter, value)| json!({
                    "host": host, "counter": counter, "value": value,
                })).collect::<Vec<_>>(),
            })
        })
        .collect()
}

/// The steps' results with the fields that expressions see.
fn steps(evidence: &Evidence) -> Vec<Value> {
    evidence
        .steps
        .iter()
        .map(|step| {
            let mut object = object(json!({
                "name": step.name, "label": step.label, "ok": step.ok, "error": step.error,
                "errno": step.errno, "ms": step.ms, "at": step.at,
            }));
            object.extend(detail(step, evidence));
            Value::Object(object)
        })
        .collect()
}

fn detail(step: &StepResult, evidence: &Evidence) -> Map<String, Value> {
    match &step.detail {
        Detail::Plain => Map::new(),
        Detail::Refused { group, targets } => {
            object(json!({ "refused": { "target_group": group, "targets": targets } }))
        }
        Detail::Connect { connection } => evidence
            .connections
            .get(*connection)
            .map(connect)
            .unwrap_or_default(),
        Detail::Load(load) => object(json!({
            "attempts": load.attempts, "connected": load.connected, "failed": load.failed, "retried": load.retried,
            "errors": load.errors, "requests": load.requests, "status": load.status, "by_target": load.by_target, "connect_ms": load.connect_ms,
        })),
        Detail::Transfer {
            sent,
            received,
            unacked,
            text,
        } => object(json!({
            "sent": sent, "received": received, "unacked": unacked, "text": text,
        })),
        Detail::TransferAll {
            attempts,
            failed,
            errors,
        } => object(json!({
            "attempts": attempts, "failed": failed, "errors": errors,
        })),
        Detail::Drop { dropped } => object(json!({ "dropped": dropped })),
        Detail::Run {
            exit_code,
            stdout,
            stderr,
        } => object(json!({
            "exit_code": exit_code, "stdout": stdout, "stderr": stderr,
        })),
    }
}

fn connect(connection: &Connection) -> Map<String, Value> {
    object(json!({
        "syns": connection.syns, "local": connection.local, "remote": connection.remote, "via": connection.via,
        "target": connection.target, "sent": connection.sent, "received": connection.received,
        "delivered": connection.delivered, "lost": connection.lost, "unacked": connection.unacked,
        "ended": connection.ended, "ended_by": connection.ended_by,
    }))
}

/// Counters that moved, by host.
fn counters(evidence: &Evidence) -> Value {
    let hosts: Map<String, Value> = evidence
        .hosts
        .iter()
        .map(|(name, host)| {
            let moved: Map<String, Value> = host
                .counters
                .iter()
                .filter(|(_, delta)| **delta != 0)
                .map(|(counter, delta)| (counter.clone(), json!(delta)))
                .collect();
            (name.clone(), Value::Object(moved))
        })
        .collect();
    Value::Object(hosts)
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Map::new()
        }
    }
}
