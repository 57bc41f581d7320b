//! The names of steps: of those that are done again, and those that others call them by.

use crate::spec::grammar::{Type, steps::STEPS};
use crate::spec::node::{Node, Value};
use std::collections::HashMap;

pub(super) fn without_name(step: &Node) -> Node {
    let mut step = step.clone();
    if let Value::Map(entries) = &mut step.value {
        for entry in entries {
            if let Value::Map(fields) = &mut entry.value.value {
                fields.retain(|field| field.key.value != "as");
            }
        }
    }
    step
}

pub(super) fn rename(step: &mut Node, name: &str) {
    let Value::Map(entries) = &mut step.value else {
        return;
    };
    for entry in entries {
        let Value::Map(fields) = &mut entry.value.value else {
            continue;
        };
        for field in fields.iter_mut().filter(|field| field.key.value == "as") {
            field.value = Node::plain(name, field.value.span);
        }
    }
}

/// Where a step names another one (`over: old`, `exchange: old`, `heal: { drop: cut }`) the latest doing of it is meant.
/// Expressions keep the name of the first: what they say is not read here.
pub(super) fn refer_to_the_latest(step: &mut Node, latest: &HashMap<String, String>) {
    let Value::Map(entries) = &mut step.value else {
        return;
    };
    let mean_the_latest = |value: &mut Node| {
        if let Value::Scalar(scalar) = &mut value.value
            && let Some(name) = latest.get(&scalar.text)
        {
            scalar.text.clone_from(name);
        }
    };
    for entry in entries {
        let Some(variant) = STEPS.variant(&entry.key.value) else {
            continue;
        };
        let names_a_step = |key: &str| {
            let mut fields = variant.section.fields.iter();
            key != "as"
                && fields.any(|field| field.name == key && matches!(field.kind, Type::Result))
        };
        match &mut entry.value.value {
            Value::Scalar(_) if variant.text.is_some_and(names_a_step) => {
                mean_the_latest(&mut entry.value);
            }
            Value::Map(fields) => {
                for field in fields.iter_mut() {
                    if names_a_step(&field.key.value) {
                        mean_the_latest(&mut field.value);
                    }
                }
            }
            Value::Null | Value::Scalar(_) | Value::List(_) => {}
        }
    }
}
