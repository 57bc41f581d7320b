//! A case on the page.

use super::charts::{Load, Target, load, strip};
use super::heading::{Heading, Sign};
use super::quantities::{Clock, percent};
use super::tables::{Table, tables};
use super::{Setting, anchor, changes, ladder, topology};
use crate::plan::Kind;
use crate::report::last_words;
use crate::report::plan::Drawing;
use crate::report::proof;
use crate::report::tally::{Tally, Times};
use crate::report::told;
use crate::report::words::{self, CLAIM, CLAIMED, PROMISE, promised};
use crate::report::{Claimed, Record, Stepped, Truth};
use crate::verdict::ladder::Ladder;
use minijinja::Value;
use serde::Serialize;
use serde_json::Value as Json;

/// Steps listed of one case; the middle of many is left out.
const STEPS: usize = 40;

#[derive(Serialize)]
pub(super) struct Case {
    #[serde(flatten)]
    heading: Heading,
    shows: String,
    /// Unfolded from the beginning.
    open: bool,
    why: String,
    nearest: Vec<String>,
    retried: Option<String>,
    waited: Vec<String>,
    rate: Option<String>,
    times: Vec<(String, String, String, String, String)>,
    changes: Vec<Setting>,
    works: Vec<Claim>,
    expect: Vec<Claim>,
    /// Over both.
    promised: &'static str,
    claimed: &'static str,
    /// How cloud time stands to the real one; empty where both are the same.
    clock: String,
    findings: Vec<Finding>,
    missing: Vec<(String, String)>,
    unwanted: Vec<String>,
    /// None where it is the lab's own.
    topology: Option<Value>,
    /// Empty where it is the lab's own.
    configured: String,
    tuples: Vec<Tuple>,
    ladder: Option<Value>,
    steps: Vec<Step>,
    /// Cloud time runs faster.
    scaled: bool,
    loads: Vec<Load>,
    targets: Vec<Target>,
    drops: Vec<(String, i64)>,
    answered: Vec<(String, i64)>,
    tables: Vec<Table>,
    no_kernel_drops: String,
    facts: Vec<(&'static str, String)>,
    again: Option<String>,
    evidence: Option<String>,
}

#[derive(Serialize)]
struct Claim {
    words: Option<String>,
    that: String,
    #[serde(flatten)]
    sign: Sign,
    values: Vec<(String, String)>,
    false_parts: Vec<String>,
    why: String,
}

#[derive(Serialize)]
struct Finding {
    kind: String,
    page: String,
    summary: String,
    counters: Vec<String>,
    /// What the lab's fixes are worth against it.
    fixes: Vec<String>,
}

#[derive(Serialize)]
struct Tuple {
    colour: usize,
    name: String,
    at_client: String,
    in_part: bool,
    via: String,
    /// What it is called on its way.
    way: Vec<String>,
    target: String,
    at_target: String,
}

#[derive(Serialize)]
struct Step {
    name: String,
    label: String,
    /// Empty: it is a gap, of which `label` tells.
    at: String,
    /// The same in cloud time; empty where that is no other.
    cloud: String,
    ms: String,
    ok: bool,
    result: String,
    /// Last lines of a program that failed.
    said: Vec<String>,
    left: String,
    width: String,
}

impl Case {
    /// `lab`: its topology and its configuration, which stand with it. `brief`: what came out as claimed is told in short.
    pub(super) fn new(tally: &Tally, lab: (Option<&Drawing>, &str), brief: bool) -> Self {
        let record = tally.shown();
        let brief = brief && !record.is_amiss();
        let plain = matches!(record.kind, Kind::Fix | Kind::Control);
        let ladder = record.ladder.as_ref().filter(|_| !(brief && plain));
        // The drawing stands at the first run of a case.
        let own = tally.runs.iter().find_map(|run| run.topology.as_ref());
        let differs = own.filter(|own| Some(*own) != lab.0);
        let clock = Clock(record.time_scale.unwrap_or(1.0));
        Self {
            heading: Heading::new(record),
            shows: record.shows.clone(),
            open: record.is_amiss(),
            why: if !record.is_amiss() {
                String::new()
            } else {
                told::message(tally)
            },
            nearest: record.nearest.clone(),
            retried: record.retried.clone(),
            waited: record.waited.clone(),
            rate: tally.rate(),
            times: times(tally),
            changes: changes(record),
            works: claims(&record.works, PROMISE),
            expect: claims(&record.expect, CLAIM),
            promised: promised(record.kind),
            claimed: CLAIMED,
            clock: record.time_scale.and_then(words::clock).unwrap_or_default(),
            findings: findings(record),
            missing: record
                .missing_finds
                .iter()
                .map(|kind| (kind.clone(), page(kind)))
                .collect(),
            unwanted: record.unwanted_finds.clone(),
            topology: differs.map(|drawing| Value::from_safe_string(topology::svg(drawing))),
            configured: Some(told::configured(tally))
                .filter(|own| *own != lab.1)
                .unwrap_or_default()
                .to_owned(),
            tuples: ladder.map(tuples).unwrap_or_default(),
            ladder: ladder.map(|rows| Value::from_safe_string(ladder::svg(rows))),
            steps: steps(record),
            scaled: record.time_scale.is_some_and(|scale| scale != 1.0),
            loads: record.steps.iter().filter_map(load).collect(),
            targets: record
                .targets
                .iter()
                .filter_map(|target| strip(target, end_of(record), clock))
                .collect(),
            drops: pairs(&record.drops),
            answered: pairs(&record.network.answered),
            tables: tables(record, brief),
            no_kernel_drops: record.network.no_kernel_drops.clone(),
            facts: facts(record),
            again: record.again(),
            evidence: record.evidence.clone(),
        }
    }
}

fn pairs(counts: &std::collections::BTreeMap<String, i64>) -> Vec<(String, i64)> {
    counts.iter().map(|(what, n)| (what.clone(), *n)).collect()
}

fn page(kind: &str) -> String {
    format!("page-{}", anchor(kind))
}

fn claims(claims: &[Claimed], words: [&'static str; 3]) -> Vec<Claim> {
    let told = claims.iter().map(|claim| Claim::new(claim, words));
    told.collect()
}

impl Claim {
    /// `words` for one that holds, one that does not, one that cannot be told.
    fn new(claim: &Claimed, words: [&'static str; 3]) -> Self {
        let sign = Sign::of(claim.verdict, words);
        let untrue = claim
            .parts
            .iter()
            .filter(|(_, truth)| *truth != Truth::Holds);
        Self {
            words: claim.claim.clone(),
            that: claim.that.clone(),
            sign,
            values: claim
                .values
                .iter()
                .map(|(name, value)| (name.clone(), value.to_string()))
                .collect(),
            false_parts: untrue.map(|(that, _)| that.clone()).collect(),
            why: claim.why.clone(),
        }
    }
}

fn findings(record: &Record) -> Vec<Finding> {
    let told = record.findings.iter().map(|finding| Finding {
        kind: finding.kind.clone(),
        page: page(&finding.kind),
        summary: finding.summary.clone(),
        counters: finding
            .counters
            .iter()
            .map(|c| format!("{} {} {}", c.host, c.counter, c.value))
            .chain(
                finding
                    .values
                    .iter()
                    .map(|(path, value)| words::valued(path, value)),
            )
            .collect(),
        fixes: proof::sentences(&finding.fixes),
    });
    told.collect()
}

fn tuples(ladder: &Ladder) -> Vec<Tuple> {
    let told = ladder.tuples.iter().enumerate().map(|(i, tuple)| Tuple {
        colour: i % ladder::COLOURS,
        name: tuple.name.clone(),
        at_client: tuple.at_client.clone(),
        via: match tuple.serves.as_slice() {
            [] => tuple.via.clone(),
            served => format!("the balancer's own, for {}", served.join(", ")),
        },
        way: way(tuple),
        in_part: tuple.in_part,
        target: tuple.target.clone(),
        at_target: at_target(ladder, tuple),
    });
    told.collect()
}

/// What its target calls it; of one that ends at a proxy, which of the proxy's own it sees instead.
fn at_target(ladder: &Ladder, tuple: &ladder::Named) -> String {
    let instead = ladder.tuples.iter();
    let mut instead = instead.filter(|other| other.serves.contains(&tuple.name));
    match (instead.next(), &tuple.at_target) {
        (Some(own), _) => format!("{}, of {}", own.at_client, own.name),
        (None, Some(seen)) => seen.clone(),
        (None, None) => tuple.at_client.clone(),
    }
}

/// What a connection is called between the client and the target: `at n1 10.0.0.10:80 -> ...`.
fn way(tuple: &ladder::Named) -> Vec<String> {
    let at_target = format!("at {}", tuple.target);
    let between = tuple.legs.iter().filter(|leg| leg.place != at_target);
    let told = between.map(|leg| format!("{} {}", leg.place, leg.ends));
    told.collect()
}

/// Milliseconds from the first step to the end of the last.
fn end_of(record: &Record) -> f64 {
    let ends = record.steps.iter().map(|step| step.at + step.ms);
    ends.fold(record.seconds.unwrap_or(0.0) * 1e3, f64::max)
        .max(1e-3)
}

fn steps(record: &Record) -> Vec<Step> {
    let end = end_of(record);
    let clock = Clock(record.time_scale.unwrap_or(1.0));
    let row = |step: &Stepped| Step {
        name: if step.name.contains(' ') {
            String::new()
        } else {
            step.name.clone()
        },
        label: step.label.clone(),
        at: format!("{:.1}", step.at),
        cloud: clock.cloud(step.at),
        ms: format!("{:.1}", step.ms),
        ok: step.ok,
        result: result(step),
        said: last_words::told(step),
        left: percent(100.0 * step.at / end),
        width: percent(100.0 * step.ms / end),
    };
    let all = &record.steps;
    if all.len() <= STEPS {
        return all.iter().map(row).collect();
    }
    let (first, last) = (&all[..STEPS / 2], &all[all.len() - STEPS / 2..]);
    let gap = Step {
        name: String::new(),
        label: format!("... {} more", all.len() - STEPS),
        at: String::new(),
        cloud: String::new(),
        ms: String::new(),
        ok: true,
        result: String::new(),
        said: Vec::new(),
        left: String::new(),
        width: String::new(),
    };
    let rows = first.iter().map(row).chain([gap]);
    rows.chain(last.iter().map(row)).collect()
}

/// `ok, 2 SYNs, to web1`; what else a kind of step tells.
fn result(step: &Stepped) -> String {
    let mut parts = vec![if step.ok {
        "ok".to_owned()
    } else {
        step.error.clone()
    }];
    let number = |name: &str| step.fields.get(name).and_then(Json::as_i64);
    let text = |name: &str| {
        step.fields
            .get(name)
            .and_then(Json::as_str)
            .filter(|t| !t.is_empty())
    };
    let mut add = |n: Option<i64>, words: &str| {
        if let Some(n) = n {
            parts.push(format!("{n} {words}"));
        }
    };
    let syns = number("syns");
    add(syns, if syns == Some(1) { "SYN" } else { "SYNs" });
    if syns.is_none() {
        add(number("connected"), "connected");
        add(number("failed").filter(|n| *n > 0), "failed");
        add(
            number("retried").filter(|n| *n > 0),
            "with more than one SYN",
        );
        add(number("sent"), "bytes sent");
        add(number("received"), "received");
        add(number("dropped"), "dropped");
    }
    add(
        number("unacked").filter(|n| *n > 0),
        "bytes not acknowledged",
    );
    let status = step.fields.get("status").and_then(Json::as_object);
    let status = status.into_iter().flatten();
    let status = status.filter_map(|(code, number)| Some((code.clone(), number.as_i64()?)));
    parts.extend(words::other_answers(&status.collect()));
    if let Some(target) = text("target") {
        parts.push(format!("to {target}"));
    }
    if let Some(ended) = text("ended") {
        let by = text("ended_by").map_or(String::new(), |by| format!(" by {by}"));
        parts.push(format!("in the end {ended}{by}"));
    }
    if let Some(refused) = step.fields.get("refused") {
        let targets = refused.get("targets").and_then(Json::as_array);
        let targets = targets.into_iter().flatten().filter_map(Json::as_str);
        let group = refused.get("target_group").and_then(Json::as_str);
        parts.push(format!(
            "not accepted: {} not in the VPC of {}'s load balancer",
            targets.collect::<Vec<_>>().join(", "),
            group.unwrap_or_default()
        ));
    }
    if let Some(status) = number("exit_code") {
        parts.push(last_words::status(status));
    }
    parts.join(", ")
}

fn facts(record: &Record) -> Vec<(&'static str, String)> {
    let mut facts = vec![
        ("lab file", format!("{}:{}", record.file, record.line)),
        ("seed", record.seed.to_string()),
    ];
    let mut add =
        |name: &'static str, text: Option<String>| facts.extend(text.map(|text| (name, text)));
    add("kernel", record.kernel.clone());
    add("TCP of the machine", words::of_machine(&record.tcp));
    add("took", record.seconds.map(|s| format!("{s:.2} s")));
    add(
        "cloud time",
        record.time_scale.map(|scale| {
            if scale == 1.0 {
                "real".to_owned()
            } else {
                format!("{scale} times faster")
            }
        }),
    );
    add(
        "timers at most",
        record.lag_ms.map(|ms| format!("{ms:.1} ms late")),
    );
    add("built in", record.up_ms.map(|ms| format!("{ms:.1} ms")));
    add("capture", record.capture.as_ref().map(|c| c.file.clone()));
    facts
}

/// Of several runs: what, min, p50, p90, max.
fn times(tally: &Tally) -> Vec<(String, String, String, String, String)> {
    if tally.runs.len() < 2 {
        return Vec::new();
    }
    let row = |name: String, times: Times, digits: usize| {
        let text = |value: f64| format!("{value:.digits$}");
        (
            name,
            text(times.min),
            text(times.p50),
            text(times.p90),
            text(times.max),
        )
    };
    let whole = tally
        .seconds()
        .map(|times| row("all steps, s".to_owned(), times, 2));
    let steps = tally.steps().into_iter();
    let steps = steps.map(|(name, times)| row(format!("{name}, ms"), times, 1));
    whole.into_iter().chain(steps).take(STEPS).collect()
}
