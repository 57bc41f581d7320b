//! `set`: what a case changes, applied to the tree before it is typed.
//!
//! The grammar leads the way along a dotted path, so that a path which names nothing is an error and not a no-op.
//! Maps merge, single values and lists replace, `null` removes; steps are found by their name. Values keep their
//! place, the `set` line. Not here: whether the patched lab is right (see `check`).

mod leaves;
mod path;
mod tree;

pub use leaves::differing;

use super::model::Patch;
use super::node::{Entry, Node};
use crate::diag::codes::spec as code;
use crate::diag::{Diagnostic, Diagnostics, Span};
use path::Path;

/// What a case cannot change: it would be another lab.
pub const FIXED: &[&str] = &["title", "story", "sources", "opt_in", "works", "cases"];

/// The part of a lab that cases can change.
pub fn body(root: &Node) -> Node {
    let entries = root
        .entries()
        .unwrap_or(&[])
        .iter()
        .filter(|entry| !FIXED.contains(&entry.key.value.as_str()));
    Node::map(entries.cloned().collect(), root.span)
}

/// The body after a case's `set`, and what that changed. Entries with problems change nothing.
pub fn apply(body: &Node, set: &[Entry], sink: &mut Diagnostics) -> (Node, Vec<Patch>) {
    let mut body = body.clone();
    let mut patches = Vec::new();
    conflicts(set, sink);
    // A refused key has no text, and what is wrong with it has been said.
    for entry in set.iter().filter(|entry| !entry.key.value.is_empty()) {
        let changed = Path::new(&entry.key).and_then(|path| {
            // Its other fields are looked at all the same.
            let nameless = path.without_name(&entry.value).map(|(value, problem)| {
                sink.extend(problem);
                value
            });
            path.apply(&mut body, nameless.as_ref().unwrap_or(&entry.value))
        });
        match changed {
            Ok(patch) => patches.push(patch),
            Err(problem) => sink.push(problem),
        }
    }
    (body, patches)
}

/// Two paths of which one goes on where the other ends.
fn conflicts(set: &[Entry], sink: &mut Diagnostics) {
    let mut paths: Vec<(Vec<&str>, Span)> = set
        .iter()
        .map(|entry| (entry.key.value.split('.').collect(), entry.key.span))
        .collect();
    // Sorted, all that goes on from a path follows it directly.
    paths.sort();
    for pair in paths.windows(2) {
        let [(short, first), (long, second)] = pair else {
            continue;
        };
        if long.starts_with(short) {
            sink.push(
                Diagnostic::new(
                    code::SET_CONFLICT,
                    *second,
                    format!(
                        "`{}` goes on where `{}` ends",
                        long.join("."),
                        short.join(".")
                    ),
                )
                .also(*first, "this changes the same thing")
                .help("join the two: write the value of the shorter path as a map with both"),
            );
        }
    }
}

/// The name in a step's `as`.
pub fn step_name(step: &Node) -> Option<&str> {
    let [entry] = step.entries()? else {
        return None;
    };
    Some(entry.value.get("as")?.scalar()?.text.as_str())
}

/// True when a case's `set` leaves the lab as it was.
pub fn changes_nothing(patches: &[Patch]) -> bool {
    patches.iter().all(|patch| patch.before == patch.after)
}
