//! Where a case's body differs from the lab's as written, leaf by leaf, however the two came about.
//!
//! Steps go by their names, those without one by their number among these; any other list is one leaf.

use super::step_name;
use crate::spec::node::{Node, Value};
use std::collections::BTreeMap;

/// Dotted paths to what is not the same in both, with what stands there in the second; none: nothing.
pub fn differing(before: &Node, after: &Node) -> BTreeMap<String, Option<String>> {
    let (old, new) = (leaves(before), leaves(after));
    let gone = old.keys().filter(|path| !new.contains_key(*path));
    let mut out: BTreeMap<String, Option<String>> = gone.map(|path| (path.clone(), None)).collect();
    let changed = new
        .into_iter()
        .filter(|(path, text)| old.get(path) != Some(text));
    out.extend(changed.map(|(path, text)| (path, Some(text))));
    out
}

/// Every value that is no map with something in it, as compact YAML.
fn leaves(root: &Node) -> BTreeMap<String, String> {
    let mut out = BTreeMap::new();
    for entry in root.entries().unwrap_or(&[]) {
        match (entry.key.value.as_str(), entry.value.items()) {
            ("steps", Some(steps)) => {
                let mut nameless = 0;
                for step in steps {
                    let name = step_name(step).map_or_else(
                        || {
                            nameless += 1;
                            format!("#{nameless}")
                        },
                        str::to_owned,
                    );
                    below(format!("steps.{name}"), step, &mut out);
                }
            }
            (name, _) => below(name.to_owned(), &entry.value, &mut out),
        }
    }
    out
}

fn below(path: String, node: &Node, out: &mut BTreeMap<String, String>) {
    match &node.value {
        Value::Map(entries) if !entries.is_empty() => {
            for entry in entries {
                below(format!("{path}.{}", entry.key.value), &entry.value, out);
            }
        }
        Value::Null | Value::Scalar(_) | Value::List(_) | Value::Map(_) => {
            out.insert(path, node.compact());
        }
    }
}
