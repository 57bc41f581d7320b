//! From outcomes to records.

use super::over_time::power;
use super::{
    Captured, Changed, Claimed, Counted, Found, Network, OverTime, Record, Report, Shard, Stated,
    Stepped, Targeted, Truth,
};
use crate::evidence::target_health::target_health;
use crate::evidence::{Connection, Detail, Evidence, HostEvidence, Load, StepResult, Transition};
use crate::report::Outcome;
use crate::report::Word;
use crate::report::nearest::{nearest, pictured};
use crate::report::proof::Offered;
use crate::report::tally::{Tally, tallies};
use crate::report::wrap::count;
use crate::verdict::ladder::{self, Ladder};
use crate::verdict::{ClaimTruth, ClaimVerdict, Verdict};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Columns that a remark may take where a ladder is drawn as a picture.
const NOTE: usize = 96;

impl Report {
    /// Of a run, or of a part of one.
    pub fn new(outcomes: &[Outcome], shard: Option<Shard>) -> Self {
        let cases = outcomes.iter().map(Record::from).collect();
        Self {
            alone: shard.is_some(),
            ..Self::of(cases, shard.into_iter().collect())
        }
    }

    /// A sentence that says so when the user stopped the run before all cases were over.
    pub fn interrupted(&self) -> Option<String> {
        let tallies = tallies(self);
        let cut = |tally: &&Tally| {
            tally
                .runs
                .iter()
                .any(|run| run.verdict == Word::Interrupted)
        };
        match tallies.iter().filter(cut).count() {
            0 => None,
            n => Some(format!(
                "Interrupted: {n} of {} not run, or not as often as asked for.",
                count(tallies.len(), "case")
            )),
        }
    }
}

impl From<&Outcome> for Record {
    fn from(outcome: &Outcome) -> Self {
        let mut record = match &outcome.record {
            Some(record) => (**record).clone(),
            None => Self::of(outcome),
        };
        record.retried.clone_from(&outcome.retried);
        record.evidence.clone_from(&outcome.saved);
        record.capture = outcome.capture.as_ref().map(|files| Captured {
            file: files.case.clone(),
            attachments: files.attachments.clone(),
            cut: files.cut,
        });
        record
    }
}

impl Record {
    /// Of what was recorded, but for what is known later: where it is kept, and whether it was run again.
    fn of(outcome: &Outcome) -> Self {
        let info = &outcome.case;
        let evidence = outcome.evidence.as_ref();
        let verdict = outcome.verdict.as_ref();
        let set = info.changes.iter().map(|change| Changed {
            path: change.path.clone(),
            before: change.before.clone(),
            after: change.after.clone(),
        });
        // Further runs of the same case have the same story.
        let first = outcome.attempt == 1;
        Self {
            lab: info.lab.clone(),
            case: info.name.clone(),
            kind: info.kind,
            verdict: outcome.word(),
            reason: verdict.map(|v| v.reason.clone()).unwrap_or_default(),
            error: outcome.failure.clone(),
            file: info.file.clone(),
            line: info.line,
            title: info.title.clone(),
            shows: info.shows.clone(),
            set: set.collect(),
            seed: info.seed,
            attempt: outcome.attempt,
            retried: None,
            waited: outcome.waited(),
            time_scale: evidence.map(|e| e.time_scale),
            kernel: evidence.map(|e| e.kernel.clone()),
            tcp: evidence.map(|e| e.tcp.clone()).unwrap_or_default(),
            seconds: evidence.map(|e| e.seconds),
            up_ms: evidence.map(|e| e.up_ms),
            lag_ms: evidence.map(|e| e.lag_ms),
            works: verdict.map(|v| claims(&v.works)).unwrap_or_default(),
            expect: verdict.map(|v| claims(&v.expect)).unwrap_or_default(),
            findings: verdict.map(findings).unwrap_or_default(),
            fixes: info.fixes.iter().map(Offered::new).collect(),
            missing_finds: verdict.map(|v| v.missing_finds.clone()).unwrap_or_default(),
            unwanted_finds: verdict
                .map(|v| v.unwanted_finds.clone())
                .unwrap_or_default(),
            steps: evidence.map(steps).unwrap_or_default(),
            counters: evidence.map(counters).unwrap_or_default(),
            target_health: evidence.map_or_else(|| json!({}), |e| json!(target_health(e))),
            targets: evidence.map(targets).unwrap_or_default(),
            metrics: evidence.map(|e| e.metrics.clone()).unwrap_or_default(),
            drops: evidence.map(|e| e.drops.clone()).unwrap_or_default(),
            network: evidence.map(Network::of).unwrap_or_default(),
            evidence: None,
            capture: None,
            nearest: nearest(outcome).lines(),
            story: if first {
                info.story.clone()
            } else {
                String::new()
            },
            sources: if first {
                info.sources.clone()
            } else {
                Vec::new()
            },
            configured: if first {
                info.configured.clone()
            } else {
                String::new()
            },
            topology: first.then(|| info.topology.clone()),
            ladder: evidence.and_then(|e| shown(e, outcome)),
        }
    }
}

/// The ladder worth a picture; none when there is no packet to show.
fn shown(evidence: &Evidence, outcome: &Outcome) -> Option<Ladder> {
    let mut ladder = pictured(outcome, evidence);
    let height = |note: &Option<String>| {
        let length = note.as_ref().map_or(0, |note| note.chars().count());
        1 + length.div_ceil(NOTE)
    };
    ladder.rows = ladder::cut(&ladder.rows, &|row| height(&row.note));
    (!ladder.rows.is_empty()).then_some(ladder)
}

fn truth(truth: ClaimTruth) -> Truth {
    match truth {
        ClaimTruth::True => Truth::Holds,
        ClaimTruth::False => Truth::Fails,
        ClaimTruth::Unknown => Truth::Inconclusive,
    }
}

fn claims(list: &[ClaimVerdict]) -> Vec<Claimed> {
    let parts = |claim: &ClaimVerdict| {
        let parts = claim.parts.iter();
        parts
            .map(|(that, word)| (that.clone(), truth(*word)))
            .collect()
    };
    list.iter()
        .map(|claim| Claimed {
            claim: claim.claim.clone(),
            that: claim.that.clone(),
            line: claim.line,
            verdict: truth(claim.truth),
            why: claim.why.clone(),
            parts: parts(claim),
            values: met(&claim.values),
        })
        .collect()
}

/// Each path with its value. Of a list that is asked about twice, what fits is told twice, and stands together.
fn met(values: &[(String, Value)]) -> Map<String, Value> {
    let mut met = Map::new();
    for (path, value) in values {
        let value = match (met.get(path), value) {
            (Some(Value::String(before)), Value::String(more)) => {
                format!("{before}, {more}").into()
            }
            (_, value) => value.clone(),
        };
        met.insert(path.clone(), value);
    }
    met
}

fn findings(verdict: &Verdict) -> Vec<Found> {
    let counted = |(host, counter, value): &(String, String, i64)| Counted {
        host: host.clone(),
        counter: counter.clone(),
        value: *value,
    };
    let list = verdict.findings.iter().enumerate();
    list.map(|(place, finding)| Found {
        kind: finding.kind.clone(),
        summary: finding.summary.clone(),
        packets: verdict.cited.get(place).cloned().unwrap_or_default(),
        connections: finding.connections.clone(),
        counters: finding.counters.iter().map(counted).collect(),
        values: finding.values.iter().cloned().collect(),
        fixes: Vec::new(),
    })
    .collect()
}

/// The steps' results with the fields that expressions see.
fn steps(evidence: &Evidence) -> Vec<Stepped> {
    let step = |step: &StepResult| Stepped {
        name: step.name.clone(),
        label: step.label.clone(),
        ok: step.ok,
        error: step.error.clone(),
        errno: step.errno,
        ms: step.ms,
        at: step.at,
        fields: detail(step, evidence),
    };
    evidence.steps.iter().map(step).collect()
}

fn detail(step: &StepResult, evidence: &Evidence) -> Map<String, Value> {
    match &step.detail {
        Detail::Plain => Map::new(),
        Detail::Refused { group, targets } => {
            object(json!({ "refused": { "target_group": group, "targets": targets } }))
        }
        Detail::Endpoints {
            there,
            endpoints,
            cleared,
        } => object(json!({
            "there": there, "endpoints": endpoints, "cleared": cleared,
        })),
        Detail::Connect { connection } => evidence
            .connections
            .get(*connection)
            .map(connect)
            .unwrap_or_default(),
        Detail::Load(load) => object(json!({
            "attempts": load.attempts, "connected": load.connected, "failed": load.failed, "retried": load.retried,
            "errors": load.errors, "requests": load.requests, "status": load.status, "by_target": load.by_target, "connect_ms": load.connect_ms,
            "connect_histogram": histogram(load, evidence),
            "connect_over_time": OverTime::of_connects(load, evidence),
            "answer_over_time": OverTime::of_answers(load),
        })),
        Detail::Transfer {
            sent,
            received,
            unacked,
            text,
            text_cut,
        } => object(json!({
            "sent": sent, "received": received, "unacked": unacked, "text": text,
            "text_cut": text_cut,
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
            stdout_cut,
            stderr,
            stderr_cut,
        } => object(json!({
            "exit_code": exit_code, "stdout": stdout, "stdout_cut": stdout_cut, "stderr": stderr,
            "stderr_cut": stderr_cut,
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

/// Connections of a load that came to stand, by how long it took: pairs of an upper bound in ms, which doubles, and a
/// count. Empty when none did.
fn histogram(load: &Load, evidence: &Evidence) -> Vec<(f64, usize)> {
    let connections = load
        .connections
        .iter()
        .filter_map(|c| evidence.connections.get(*c));
    let times = connections.filter(|c| c.error.is_empty()).map(|c| c.ms);
    let mut counts: BTreeMap<i32, usize> = BTreeMap::new();
    for ms in times {
        *counts.entry(power(ms)).or_default() += 1;
    }
    let (Some(low), Some(high)) = (counts.keys().next(), counts.keys().last()) else {
        return Vec::new();
    };
    (*low..=*high)
        .map(|bound| {
            (
                f64::from(bound).exp2(),
                counts.get(&bound).copied().unwrap_or(0),
            )
        })
        .collect()
}

/// Counters that moved, by host.
fn counters(evidence: &Evidence) -> BTreeMap<String, BTreeMap<String, i64>> {
    let moved = |host: &HostEvidence| {
        let moved = host.counters.iter().filter(|(_, delta)| **delta != 0);
        moved
            .map(|(name, delta)| (name.to_string(), *delta))
            .collect()
    };
    let hosts = evidence.hosts.iter();
    hosts
        .map(|(name, host)| (name.clone(), moved(host)))
        .collect()
}

/// Targets by their groups, and instances by their classic balancers.
fn targets(evidence: &Evidence) -> Vec<Targeted> {
    let groups = evidence.target_groups.iter().flat_map(|(group, record)| {
        let targets = record.targets.iter();
        targets.map(move |(target, record)| (group, target, &record.transitions))
    });
    let balancers = evidence.load_balancers.iter();
    let instances = balancers.flat_map(|(balancer, record)| {
        let instances = record.instances.iter();
        instances.map(move |(instance, record)| (balancer, instance, &record.transitions))
    });
    let targeted = groups.chain(instances);
    targeted
        .map(|(group, target, transitions)| Targeted {
            group: group.clone(),
            target: target.clone(),
            states: transitions.iter().map(stated).collect(),
        })
        .collect()
}

fn stated(transition: &Transition) -> Stated {
    Stated {
        at: transition.at,
        state: transition.state.clone(),
        reason: transition.reason.clone(),
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Map::new()
        }
    }
}
