//! What cannot be is told with its place. That nothing which passes makes anybody panic is for `tests/damage.rs`.

use super::*;
use crate::evidence::{Connection, Flow, Packet, StepResult};
use serde_json::json;

fn evidence() -> serde_json::Value {
    let evidence = Evidence {
        seed: u64::MAX,
        steps: vec![StepResult::default()],
        connections: vec![Connection {
            flow: Some(0),
            ..Connection::default()
        }],
        flows: vec![Flow::default()],
        packets: vec![Packet::default(), Packet::default()],
        ..Evidence::default()
    };
    serde_json::to_value(&evidence).expect("evidence is JSON")
}

/// What is said once `place` is `value`.
fn said(place: &str, value: serde_json::Value) -> String {
    let mut all = evidence();
    *all.pointer_mut(place).expect("a place") = value;
    match read(all.to_string().as_bytes()) {
        Ok(_) => String::new(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn what_was_written_is_read() {
    assert_eq!(said("/lab", json!("a")), "");
}

#[test]
fn what_leads_nowhere_is_told() {
    assert_eq!(
        said("/connections/0/flow", json!(1)),
        "`connections[0].flow` is 1, and the only one of the flows is number 0"
    );
    assert_eq!(
        said("/packets/1/mapping", json!(3)),
        "`packets[1].mapping` is 3, and there are no mappings"
    );
}

#[test]
fn numbers_beyond_all_measure_are_told() {
    assert_eq!(
        said("/packets/1/len", json!(i64::MAX)),
        "`packets[1].len` is 9223372036854775807, and nothing that is recorded comes to more than 2^53"
    );
    let told = said("/drops", json!({ "no-route": -(1_i64 << 53) - 1 }));
    assert!(
        told.starts_with("`drops.no-route` is -9007199254740993"),
        "{told}"
    );
    let told = said("/steps/0/ms", json!(1e300));
    assert!(told.starts_with("`steps[0].ms` is 1"), "{told}");
}

#[test]
fn another_shape_is_told_with_its_line() {
    let told = said("/packets/0/len", json!("x"));
    assert!(
        told.contains("invalid type") && told.contains("line 1 column"),
        "{told}"
    );
}
