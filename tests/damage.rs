//! Evidence and reports that somebody damaged by hand: a refusal that says where, or a verdict; never a panic.
//!
//! A few cases are recorded with the built binary. Then values of their evidence, and of the report of them, are taken out,
//! doubled, moved, and made into what they cannot be, one or several at once. `PROPTEST_CASES=20000 cargo test --test damage`
//! looks longer.

mod common;

use common::{Scratch, can_run_labs, everything, hairpin};
use hairpin::evidence::flow_logs::flow_logs;
use hairpin::evidence::target_health::target_health;
use hairpin::evidence::{Evidence, flow_log_text, reading};
use hairpin::plan::{self, Plan};
use hairpin::report::{self, CaseInfo, Outcome, Report, Style};
use hairpin::{spec, verdict};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

/// Few packets, and between them every part of the record: flows, pairs, mappings, lookups, endpoints, links, refusals,
/// loads, proxies, programs, packets inside hosts.
const CASES: [&str; 8] = [
    "nlb/source-port-collision/as-deployed",
    "alb/bad-gateway-502/nothing-listens",
    "elb/keep-alive-race-504/as-deployed",
    "nat/gateway-idle-reset/as-deployed",
    "link/duplicates/datagrams",
    "nlb/healthy-but-clients-time-out/as-deployed",
    "privatelink/source-is-the-balancer/allow-the-consumer",
    "nlb/loopback-timeout/as-deployed",
];

/// How long a record of this size may take, on a machine that has other things to do.
const PATIENCE: Duration = Duration::from_secs(20);

struct Recorded {
    plan: Plan,
    evidence: Value,
    places: Places,
}

/// Cases as they were recorded, and the report for machines of all of them.
fn recorded() -> Option<(Vec<Recorded>, Value)> {
    if !can_run_labs() {
        return None;
    }
    let scratch = Scratch::new("damage");
    let folder = scratch.0.join("kept").display().to_string();
    let file = scratch.0.join("report.json");
    let output = hairpin()
        .arg("run")
        .args(CASES)
        .args(["--evidence", &folder])
        .arg(format!("--report=json={}", file.display()))
        .output()
        .expect("the binary starts");
    assert!(output.status.success(), "{}", everything(&output));
    let read = |path: &Path| std::fs::read_to_string(path).expect("a file of the run");
    let cases = CASES.map(|name| {
        let kept = Path::new(&folder).join(name);
        let (lab, case) = name.rsplit_once('/').expect("LAB/CASE");
        let lab = spec::read(&read(&kept.join("lab.yaml")), &format!("{lab}.yaml"));
        let evidence = serde_json::from_str(&read(&kept.join("evidence.json"))).expect("JSON");
        Recorded {
            plan: plan::plan(&lab.expect("a lab"), case, None).expect("a plan"),
            places: Places::of(&evidence),
            evidence,
        }
    });
    let report = serde_json::from_str(&read(&file)).expect("JSON");
    Some((cases.into(), report))
}

/// Where values stand, by what they are: `packets/*/len`. So a rare one is damaged as often as a frequent one.
struct Places(Vec<Vec<String>>);

impl Places {
    fn of(value: &Value) -> Self {
        let mut found = BTreeMap::new();
        walk(value, "", "", &mut found);
        Self(found.into_values().collect())
    }

    fn chosen(&self, kind: u32, one: u32) -> &str {
        let places = &self.0[kind as usize % self.0.len()];
        &places[one as usize % places.len()]
    }
}

/// More fields than any part of the record has.
const ALIKE: usize = 40;

fn walk(value: &Value, place: &str, kind: &str, found: &mut BTreeMap<String, Vec<String>>) {
    found
        .entry(kind.to_owned())
        .or_default()
        .push(place.to_owned());
    match value {
        Value::Array(items) => {
            for (number, item) in items.iter().enumerate() {
                walk(
                    item,
                    &format!("{place}/{number}"),
                    &format!("{kind}/*"),
                    found,
                );
            }
        }
        Value::Object(fields) => {
            // The counters of a kernel are hundreds, and all alike.
            let alike = fields.len() > ALIKE;
            for (name, field) in fields {
                let name = name.replace('~', "~0").replace('/', "~1");
                let kind = format!("{kind}/{}", if alike { "*" } else { &name });
                walk(field, &format!("{place}/{name}"), &kind, found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// One value, damaged.
#[derive(Clone, Copy, Debug)]
struct Damage {
    kind: u32,
    one: u32,
    how: u32,
}

fn damage() -> impl Strategy<Value = Damage> {
    (any::<u32>(), any::<u32>(), any::<u32>()).prop_map(|(kind, one, how)| Damage {
        kind,
        one,
        how,
    })
}

/// Damages the value and says how.
fn do_damage(all: &mut Value, places: &Places, damages: &[Damage]) -> Vec<String> {
    let told = damages.iter().map(|damage| {
        let place = places.chosen(damage.kind, damage.one);
        // What another damage took away cannot be damaged.
        let Some(value) = all.pointer_mut(place) else {
            return format!("{place}: gone");
        };
        let others = variants(value);
        let other = others.into_iter().nth(damage.how as usize % VARIANTS);
        match other {
            Some(other) => *value = other,
            None => {
                *value = Value::Null;
                let (parent, key) = place.rsplit_once('/').unwrap_or_default();
                remove(all.pointer_mut(parent).expect("what it is in"), key);
            }
        }
        let now = all
            .pointer(place)
            .map_or("gone".to_owned(), Value::to_string);
        format!("{place}: {}", now.chars().take(80).collect::<String>())
    });
    told.collect()
}

/// More than any value has; what is behind them is its removal.
const VARIANTS: usize = 24;

fn variants(value: &Value) -> Vec<Value> {
    let mut others = vec![
        json!(null),
        json!(true),
        json!("x"),
        json!(-1),
        json!([]),
        json!({}),
    ];
    match value {
        Value::Null | Value::Bool(_) => {
            others.extend([json!(0), json!(1), json!(1_000_000)]);
        }
        Value::Number(number) => {
            let now = number.as_f64().unwrap_or_default();
            let whole = number.as_i64().unwrap_or_default();
            // One that was damaged before may be the last that there is.
            others.extend([json!(0), json!(whole.saturating_add(1))]);
            others.extend([whole.saturating_sub(1), whole.saturating_neg()].map(|it| json!(it)));
            others.extend([json!(now + 0.5), json!(-now * 1000.0), json!(now * 1e6)]);
            others.extend([
                json!(1_i64 << 32),
                json!(1_i64 << 53),
                json!(-(1_i64 << 53)),
            ]);
            others.extend([json!(i64::MAX), json!(i64::MIN), json!(1e300)]);
        }
        Value::String(text) => {
            let without_first: String = text.chars().skip(1).collect();
            let mut without_last = text.clone();
            without_last.pop();
            others.extend([
                json!(""),
                json!(":"),
                json!("\u{e9}:\u{e9}"),
                json!("[::1]:99999"),
            ]);
            others.extend([
                json!("203.0.113.10:443"),
                json!("held"),
                json!("tcp"),
                json!("client"),
            ]);
            others.extend([json!(without_first), json!(without_last)]);
            others.extend([json!(text.repeat(50)), json!(format!("{text}\u{0}<b>|`\n"))]);
        }
        Value::Array(items) => {
            let reversed: Vec<&Value> = items.iter().rev().collect();
            let twice: Vec<&Value> = items.iter().chain(items).collect();
            let first: Vec<&Value> = items.iter().take(1).chain(items).collect();
            others.extend([json!(reversed), json!(twice), json!(first)]);
            let half = items.len() / 2;
            others.extend([json!(items[..half]), json!(items[half..])]);
            others.extend([items.iter().skip(1).cloned().collect(), json!([{}])]);
        }
        Value::Object(fields) => {
            let mut renamed = Map::new();
            let mut exchanged = Map::new();
            let keys: Vec<&String> = fields.keys().collect();
            for (number, (key, field)) in fields.iter().enumerate() {
                renamed.insert(format!("{key}x"), field.clone());
                exchanged.insert(keys[keys.len() - 1 - number].clone(), field.clone());
            }
            let less: Map<String, Value> = fields.clone().into_iter().skip(1).collect();
            let mut more = fields.clone();
            more.insert(
                "nobody".to_owned(),
                fields.values().next().cloned().unwrap_or_default(),
            );
            others.extend([json!(renamed), json!(exchanged), json!(less), json!(more)]);
        }
    }
    others
}

fn remove(parent: &mut Value, key: &str) {
    match parent {
        Value::Array(items) => {
            let number: Option<usize> = key.parse().ok();
            if let Some(number) = number.filter(|number| *number < items.len()) {
                items.remove(number);
            }
        }
        Value::Object(fields) => {
            fields.remove(&key.replace("~1", "/").replace("~0", "~"));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Everything that `judge`, `explain`, `report` and `metrics` make of evidence.
fn tell(plan: &Plan, evidence: Evidence) {
    let logs = flow_logs(&evidence);
    flow_log_text::version_2(&evidence, &logs);
    flow_log_text::version_5(&evidence, &logs);
    target_health(&evidence);
    let outcomes = [Outcome {
        verdict: Some(verdict::judge(plan, &evidence)),
        evidence: Some(evidence),
        ..Outcome::of(CaseInfo::from(plan), 1)
    }];
    for explain in [false, true] {
        report::text(
            &outcomes,
            &Style {
                explain,
                ..Style::default()
            },
        );
    }
    report::metrics(&outcomes);
    report::metrics_json(&outcomes);
    tell_of(&Report::new(&outcomes, None));
}

/// Every format that `report` writes.
fn tell_of(report: &Report) {
    report::html(report);
    report::junit(report);
    report::json(report);
    report::tap(report);
    report::markdown(report);
    report::repeat(report);
    report::github(report, str::to_owned);
}

/// Bytes that are no evidence are refused with the place; others are judged.
fn judge(plan: &Plan, bytes: &[u8]) {
    match reading::read(bytes) {
        Ok(evidence) => tell(plan, evidence),
        Err(reading::Unsound::Shape(error)) => assert!(error.line() > 0, "{error}"),
        Err(reading::Unsound::Value(flaw)) => assert!(!flaw.place.is_empty(), "{flaw}"),
    }
}

fn in_time(work: impl FnOnce()) {
    let begun = Instant::now();
    work();
    assert!(begun.elapsed() < PATIENCE, "it took {:?}", begun.elapsed());
}

fn runner() -> TestRunner {
    let mut config = ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    // A record is new with each run, and so is what a number of a kind of damage means.
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = 250;
    }
    TestRunner::new(config)
}

#[test]
fn damaged_records_are_refused_or_judged() {
    let Some((cases, report)) = recorded() else {
        return;
    };
    for one in &cases {
        judge(&one.plan, one.evidence.to_string().as_bytes());
    }
    // What refers to something else is rare among all that is recorded, so each kind of number leads nowhere once.
    for one in &cases {
        for place in one.places.0.iter().map(|places| &places[0]) {
            let mut all = one.evidence.clone();
            let value = all.pointer_mut(place).expect("a place");
            if value.is_number() || value.is_null() {
                *value = json!(1_000_000);
                println!("{place}: 1000000");
                in_time(|| judge(&one.plan, all.to_string().as_bytes()));
            }
        }
    }
    let some = || prop::collection::vec(damage(), 1..5);
    let evidence = (0..cases.len(), some());
    runner()
        .run(&evidence, |(case, damages)| {
            let one = &cases[case];
            let mut all = one.evidence.clone();
            let told = do_damage(&mut all, &one.places, &damages);
            println!("{}: {told:?}", CASES[case]);
            in_time(|| judge(&one.plan, all.to_string().as_bytes()));
            Ok(())
        })
        .unwrap_or_else(|why| panic!("evidence: {why}"));
    let cut = (0..cases.len(), 0.0..1.0_f64);
    runner()
        .run(&cut, |(case, part)| {
            let bytes = cases[case].evidence.to_string().into_bytes();
            let rest = &bytes[..(bytes.len() as f64 * part) as usize];
            prop_assert!(reading::read(rest).is_err(), "it is not whole");
            Ok(())
        })
        .unwrap_or_else(|why| panic!("cut off: {why}"));
    let places = Places::of(&report);
    runner()
        .run(&some(), |damages| {
            let mut all = report.clone();
            let told = do_damage(&mut all, &places, &damages);
            println!("report: {told:?}");
            in_time(|| match Report::read(&all.to_string()) {
                Ok(report) => tell_of(&report),
                Err(why) => assert!(!why.is_empty()),
            });
            Ok(())
        })
        .unwrap_or_else(|why| panic!("report: {why}"));
}
