//! Reads through slips: a lab with misspelt keys, verbs and words as it was surely meant.
//!
//! Only to find further problems in the same go; such a lab is never run. Not here: saying what is wrong.

use super::grammar::{Section, Type, Variants};
use super::model::Lab;
use super::node::{Entry, Node, Value};
use crate::diag::codes::{Code, spec as code, yaml};
use crate::diag::{Diagnostics, did_you_mean};

/// Problems after which too much is missing or in doubt: what the plan would say about it is only an echo.
const DOUBTFUL: &[Code] = &[
    yaml::KEY_NOT_TEXT,
    yaml::BOOLEAN_KEY,
    yaml::BOOLEAN_WORD,
    yaml::UNKNOWN_ALIAS,
    yaml::MERGE_NOT_A_MAP,
    code::UNKNOWN_KEY,
    code::MISSING_KEY,
    code::WRONG_SHAPE,
    code::NO_VALUE,
    code::LIST_TOO_SHORT,
    code::NESTED_NAME,
    code::NO_CASES,
    code::SET_CONFLICT,
    code::PORT,
    code::LATER_FIELD,
    code::LATER_VALUE,
];

/// A repaired lab without the cases that are in doubt; none when the doubt is about what all cases share.
pub fn without_doubt(mut lab: Lab, root: &Node, left: &Diagnostics) -> Option<Lab> {
    let cases = root.get("cases").and_then(Node::entries).unwrap_or(&[]);
    for problem in left.sorted() {
        if !DOUBTFUL.contains(&problem.code) {
            continue;
        }
        let holds = |entry: &&Entry| {
            entry.key.span.start <= problem.span.start
                && problem.span.end <= entry.value.span.end.max(entry.key.span.end)
        };
        if let Some(case) = cases.iter().find(holds) {
            lab.cases.retain(|kept| kept.name.span != case.key.span);
        } else {
            // What is only told or judged takes no part in the plan.
            root.entries()?
                .iter()
                .filter(|entry| ASIDE.contains(&entry.key.value.as_str()))
                .find(holds)?;
        }
    }
    Some(lab)
}

/// Sections that nothing else refers to.
const ASIDE: &[&str] = &["story", "sources", "opt_in", "works"];

/// Repairs a value of a type, and all in it.
pub fn repair(node: &mut Node, kind: &'static Type) {
    match (kind, &mut node.value) {
        (Type::Section(of) | Type::Short { section: of, .. }, Value::Map(entries)) => {
            section(entries, of)
        }
        (Type::List { of, .. }, Value::List(items)) => {
            items.iter_mut().for_each(|item| repair(item, of))
        }
        (Type::Map { of, .. }, Value::Map(entries)) => {
            entries
                .iter_mut()
                .for_each(|entry| repair(&mut entry.value, of));
        }
        (Type::Variants(of), Value::Map(entries)) => variants(entries, of),
        (Type::Variants(of), Value::Scalar(word)) if of.bare => {
            nearest(&mut word.text, of.list.iter().map(|variant| variant.name));
        }
        (Type::Word(words), Value::Scalar(word)) => {
            nearest(&mut word.text, words.now.iter().copied())
        }
        (Type::OneOf(kinds), Value::Map(_)) => {
            if let Some(kind) = kinds
                .iter()
                .find(|kind| matches!(kind, Type::Map { .. } | Type::Section(_)))
            {
                repair(node, kind);
            }
        }
        (_, Value::Null | Value::Scalar(_) | Value::List(_) | Value::Map(_)) => {}
    }
}

/// Repairs the keys of a section, and all behind them.
pub fn section(entries: &mut [Entry], of: &'static Section) {
    let present: Vec<String> = entries
        .iter()
        .map(|entry| entry.key.value.clone())
        .collect();
    for entry in entries {
        if of.field(&entry.key.value).is_none() {
            let missing = of
                .names()
                .filter(|name| !present.iter().any(|key| key == name));
            nearest(&mut entry.key.value, missing);
        }
        if let Some(field) = of.field(&entry.key.value) {
            repair(&mut entry.value, &field.kind);
        }
    }
}

fn variants(entries: &mut [Entry], of: &'static Variants) {
    let [entry] = entries else { return };
    nearest(
        &mut entry.key.value,
        of.list.iter().map(|variant| variant.name),
    );
    let found = of.variant(&entry.key.value);
    if let (Some(variant), Value::Map(fields)) = (found, &mut entry.value.value) {
        section(fields, variant.section);
    }
}

fn nearest<'a>(text: &mut String, names: impl Iterator<Item = &'a str>) {
    if let Some(near) = did_you_mean(text, names) {
        *text = near.to_owned();
    }
}
