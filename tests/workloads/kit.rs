//! Runs a lab whose cases only record, and finds the way about in the record.

use crate::common::{Scratch, can_run_labs, everything, hairpin};
use serde_json::Value;
use std::collections::BTreeMap;
use std::process::Output;
use std::sync::OnceLock;

/// A lab that was run, by case.
pub struct Lab(BTreeMap<String, Case>);

/// What one case left.
pub struct Case {
    /// Its part of the report.
    pub report: Value,
    /// Its `evidence.json`.
    pub evidence: Value,
}

/// The one case of a lab that does not vary.
pub fn once(body: &str) -> Option<Case> {
    play(body, &[("only", "{}")]).map(|mut lab| lab.0.remove("only").expect("the only case"))
}

/// Runs hosts, balancers and steps once for each (name, what it sets); none without privilege.
pub fn play(body: &str, cases: &[(&str, &str)]) -> Option<Lab> {
    let (output, report, scratch) = start(body, cases)?;
    let said = everything(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    let report: Value = serde_json::from_str(&report).expect("the report is JSON");
    let cases = report["cases"].as_array().expect("a list of cases");
    let found = cases.iter().map(|case| {
        let name = case["case"].as_str().expect("a name").to_owned();
        let lab = case["lab"].as_str().expect("a name");
        let file = scratch.0.join("evidence").join(lab).join(&name);
        let text = std::fs::read_to_string(file.join("evidence.json")).expect("saved evidence");
        let case = Case {
            report: case.clone(),
            evidence: serde_json::from_str(&text).expect("the evidence is JSON"),
        };
        (name, case)
    });
    Some(Lab(found.collect()))
}

/// Runs a lab that this machine is expected to refuse.
pub fn refused(body: &str) -> Option<String> {
    let (output, _, _scratch) = start(body, &[("only", "{}")])?;
    let said = everything(&output);
    assert_eq!(output.status.code(), Some(3), "{said}");
    Some(said)
}

fn start(body: &str, cases: &[(&str, &str)]) -> Option<(Output, String, Scratch)> {
    static READY: OnceLock<bool> = OnceLock::new();
    if !READY.get_or_init(can_run_labs) {
        return None;
    }
    // It holds whatever is recorded: the tests look at that themselves.
    let mut text =
        format!("title: A lab of the tests\n{body}\nworks: [size(findings) >= 0]\ncases:\n");
    for (name, set) in cases {
        text += &format!("  {name}:\n    kind: control\n    set: {set}\n");
    }
    let scratch = Scratch::new("workload");
    let file = scratch.file("lab.yaml", &text);
    let report = scratch.0.join("report.json");
    let output = hairpin()
        .args(["run", &file])
        .arg(format!("--report=json={}", report.display()))
        .arg("--evidence")
        .arg(scratch.0.join("evidence"))
        .output()
        .expect("the binary starts");
    let report = std::fs::read_to_string(&report).unwrap_or_default();
    Some((output, report, scratch))
}

impl Lab {
    pub fn case(&self, name: &str) -> &Case {
        &self.0[name]
    }
}

impl Case {
    /// A step's result.
    pub fn step(&self, name: &str) -> &Value {
        let steps = self.report["steps"].as_array().expect("a list of steps");
        let found = steps.iter().find(|step| step["name"] == name);
        found.unwrap_or_else(|| panic!("no step {name}"))
    }

    /// A connection as the evidence has it.
    pub fn connection(&self, step: &str) -> &Value {
        let all = self.connections(step);
        assert_eq!(all.len(), 1, "connections of {step}");
        all[0]
    }

    /// The connections of a load.
    pub fn connections(&self, step: &str) -> Vec<&Value> {
        let steps = self.evidence["steps"].as_array().expect("a list");
        let number = steps.iter().position(|one| one["name"] == step);
        let number = number.unwrap_or_else(|| panic!("no step {step}"));
        let all = self.evidence["connections"].as_array().expect("a list");
        all.iter().filter(|one| one["step"] == number).collect()
    }

    /// How much a host's counter moved.
    pub fn counter(&self, host: &str, name: &str) -> i64 {
        let value = &self.evidence["hosts"][host]["counters"][name];
        value
            .as_i64()
            .unwrap_or_else(|| panic!("no counter {name} of {host}"))
    }

    /// A balancer's CloudWatch metric.
    pub fn metric(&self, balancer: &str, name: &str) -> i64 {
        let value = &self.evidence["load_balancers"][balancer]["metrics"][name];
        value
            .as_i64()
            .unwrap_or_else(|| panic!("no metric {name} of {balancer}"))
    }

    /// Packets dropped for a reason.
    pub fn drops(&self, reason: &str) -> i64 {
        self.evidence["drops"][reason].as_i64().unwrap_or(0)
    }

    /// How many sockets of a host are in this state.
    pub fn sockets(&self, host: &str, state: &str) -> usize {
        let sockets = &self.evidence["hosts"][host]["sockets"];
        let sockets = sockets.as_array().expect("a list of sockets");
        sockets.iter().filter(|one| one["state"] == state).count()
    }

    /// The packets that satisfy a condition.
    pub fn packets(&self, condition: impl Fn(&Value) -> bool) -> Vec<&Value> {
        let packets = self.evidence["packets"]
            .as_array()
            .expect("a list of packets");
        packets.iter().filter(|packet| condition(packet)).collect()
    }

    /// Kinds of what was recognised.
    pub fn findings(&self) -> Vec<&str> {
        let list = self.report["findings"]
            .as_array()
            .expect("a list of findings");
        list.iter()
            .filter_map(|finding| finding["kind"].as_str())
            .collect()
    }
}

/// A step's duration.
pub fn ms(result: &Value) -> f64 {
    result["ms"].as_f64().expect("a duration")
}

/// A step that did what it should.
#[track_caller]
pub fn fine(result: &Value) {
    assert_eq!(result["ok"], true, "{result}");
    assert_eq!(result["error"], "", "{result}");
    assert_eq!(result["errno"], 0, "{result}");
}

/// Checks some fields of a result, and shows all of it when one is another.
#[track_caller]
pub fn has(result: &Value, fields: Value) {
    for (name, value) in fields.as_object().expect("fields") {
        assert_eq!(&result[name], value, "{name} of {result:#}");
    }
}
