//! The step `set`: the lab as it is after each of them, a whole body of its own.
//!
//! A change goes through the same path, checks and readers as a case's `set`, so it cannot say anything that a lab
//! could not say from the start. Not here: what a change does to what is running (see the fabric).

use super::grammar::steps::STEPS;
use super::model::{Body, Verb};
use super::node::{Entry, Node};
use super::scalar::FromText;
use super::set;
use super::{new_problems, readers};
use crate::diag::codes::spec as code;
use crate::diag::{Diagnostic, Diagnostics, Spanned};

/// What can change while hosts, balancers and target groups stay the same: the first words of a path; `*` is a name.
const CHANGEABLE: &[&[&str]] = &[
    &["load_balancers", "*", "attributes"],
    &["load_balancers", "*", "listeners"],
    &["load_balancers", "*", "zones"],
    &["load_balancers", "*", "zonal_shift"],
    &["load_balancers", "*", "security_groups"],
    &["load_balancers", "*", "emulate"],
    &["target_groups", "*", "attributes"],
    &["target_groups", "*", "emulate"],
    &["security_groups", "*"],
    &["network_acls"],
    &["kubernetes", "emulate", "ipvs"],
    &["kubernetes", "emulate", "ebpf"],
    &["hosts", "*", "link"],
    &["hosts", "*", "security_groups"],
];

/// Reads a body, and the bodies that its steps make of it. What is wrong with one of these steps is told whatever else is.
pub fn body(tree: &Node, sink: &mut Diagnostics) -> Option<Body> {
    let mut body = readers::body(tree);
    let steps = tree.get("steps").and_then(Node::items).unwrap_or(&[]);
    let mut now: Option<Node> = None;
    for (number, step) in steps.iter().enumerate() {
        let Some(change) = change(step) else { continue };
        let before = now.as_ref().unwrap_or(tree);
        let (after, made) = apply(before, &change, sink);
        if let Some(body) = &mut body
            && let Verb::Set {
                value, after: slot, ..
            } = &mut body.steps[number].verb
        {
            *value = made;
            *slot = readers::body(&after).map(Box::new);
        }
        now = Some(after);
    }
    let mut body = body?;
    same_zones(&mut body);
    Some(body)
}

/// How many steps `set` a body has.
pub fn count(tree: &Node) -> usize {
    let steps = tree.get("steps").and_then(Node::items).unwrap_or(&[]);
    steps.iter().filter(|step| change(step).is_some()).count()
}

/// What a step `set` changes.
struct Change {
    /// As the entry of a map; with an empty map in place of a value that is missing.
    entry: Entry,
    has_value: bool,
}

/// None of another step, and of one without a path.
fn change(step: &Node) -> Option<Change> {
    let [entry] = step.entries()? else {
        return None;
    };
    if entry.key.value != "set" || STEPS.variant("set").is_none() {
        return None;
    }
    let path = entry.value.get("path")?;
    let value = entry.value.entry("value");
    let none = || Node::map(Vec::new(), entry.value.span);
    Some(Change {
        entry: Entry {
            key: Spanned::new(String::from_text(&path.scalar()?.text)?, path.text_span()),
            value: value.map_or_else(none, |value| value.value.clone()),
        },
        has_value: value.is_some(),
    })
}

/// The tree after a change, and the new value as compact YAML.
fn apply(tree: &Node, change: &Change, sink: &mut Diagnostics) -> (Node, Option<String>) {
    let Change { entry, has_value } = change;
    if !is_changeable(&entry.key.value) {
        sink.push(not_changeable(&entry.key));
        return (tree.clone(), None);
    }
    let mut found = Diagnostics::default();
    let (after, patches) = set::apply(tree, std::slice::from_ref(entry), &mut found);
    // Of a value that is missing only the path can be wrong.
    let new = match has_value {
        true => new_problems(&after, &found, sink),
        false => Vec::new(),
    };
    for problem in found.sorted().into_iter().cloned().chain(new) {
        sink.push(problem);
    }
    if !has_value {
        return (tree.clone(), None);
    }
    let value = patches.into_iter().next().and_then(|patch| patch.after);
    (after, value)
}

fn is_changeable(path: &str) -> bool {
    let words: Vec<&str> = path.split('.').collect();
    CHANGEABLE.iter().any(|start| {
        let mut pairs = start.iter().zip(&words);
        words.len() >= start.len() && pairs.all(|(wanted, word)| *wanted == "*" || wanted == word)
    })
}

fn not_changeable(path: &Spanned<String>) -> Diagnostic {
    let help = match path.value.split('.').collect::<Vec<_>>()[..] {
        ["target_groups", _, "targets", ..] => {
            "targets come and go by `register` and `deregister`".to_owned()
        }
        _ => {
            let names: Vec<String> = CHANGEABLE
                .iter()
                .map(|words| words.join(".").replace('*', "NAME"))
                .collect();
            format!("what can change: {}", names.join(", "))
        }
    };
    Diagnostic::new(
        code::SET_WHILE_RUNNING,
        path.span,
        format!("`{}` cannot change while the lab runs", path.value),
    )
    .help(format!(
        "{help}; anything else differs by case, with the case's own `set`"
    ))
}

/// Every moment knows the zones of all moments, enabled or not: so a zonal address is the same one throughout.
fn same_zones(body: &mut Body) {
    for number in 0..body.load_balancers.len() {
        let moments = || {
            let later = body.steps.iter().filter_map(|step| match &step.verb {
                Verb::Set {
                    after: Some(after), ..
                } => Some(&**after),
                _ => None,
            });
            std::iter::once(&*body).chain(later)
        };
        let mut all = body.load_balancers[number].1.zones.clone();
        for moment in moments().skip(1) {
            let Some((_, balancer)) = moment.load_balancers.get(number) else {
                continue;
            };
            for (zone, address) in &balancer.zones {
                if !all.iter().any(|(known, _)| known.value == zone.value) {
                    all.push((zone.clone(), address.clone()));
                }
            }
        }
        enable(body, number, &all);
        for step in &mut body.steps {
            if let Verb::Set {
                after: Some(after), ..
            } = &mut step.verb
            {
                enable(after, number, &all);
            }
        }
    }
}

type Zones = [(Spanned<String>, Option<Spanned<std::net::Ipv4Addr>>)];

fn enable(body: &mut Body, number: usize, all: &Zones) {
    let Some((_, balancer)) = body.load_balancers.get_mut(number) else {
        return;
    };
    let enabled = |name: &str| balancer.zones.iter().any(|(zone, _)| zone.value == name);
    balancer.disabled = all
        .iter()
        .filter(|(zone, _)| !enabled(&zone.value))
        .map(|(zone, _)| zone.value.clone())
        .collect();
    balancer.zones = all.to_vec();
}
