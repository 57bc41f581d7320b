//! Rules between the fields of a lab, as far as no name need be resolved; one small function each.
//!
//! Not here: what one field may hold (see `check`), what names mean (see `plan`).

use super::model::{Case, Kind};
use super::node::{Entry, Node, Value};
use super::set::{changes_nothing, step_name};
use crate::diag::codes::spec as code;
use crate::diag::{Diagnostic, Diagnostics, Span, Spanned};
use std::collections::HashMap;

/// Rules of what cases can change.
pub fn body(root: &Node, sink: &mut Diagnostics) {
    let steps = root.get("steps").and_then(Node::items).unwrap_or(&[]);
    step_names(steps, sink);
    for step in steps {
        run_one_text(step, sink);
    }
    let cluster = root.get("kubernetes");
    let sections = [
        root.get("hosts"),
        cluster.and_then(|cluster| cluster.get("nodes")),
        cluster.and_then(|cluster| cluster.get("pods")),
    ];
    for host in sections
        .into_iter()
        .flatten()
        .filter_map(Node::entries)
        .flatten()
    {
        nft_begins_with_a_word(&host.value, sink);
    }
}

/// A result has one step.
fn step_names(steps: &[Node], sink: &mut Diagnostics) {
    let mut seen: HashMap<&str, Span> = HashMap::new();
    for step in steps {
        let Some(name) = step_name(step) else {
            continue;
        };
        let span = step
            .entries()
            .and_then(|e| e.first()?.value.get("as"))
            .map_or(step.span, |node| node.span);
        if let Some(first) = seen.insert(name, span) {
            sink.push(
                Diagnostic::new(
                    code::STEP_NAME_TWICE,
                    span,
                    format!("two steps are called `{name}`"),
                )
                .also(first, "the first")
                .help("a step's name is its result's; give each its own"),
            );
        }
    }
}

/// `run` has either `command` or `script`.
fn run_one_text(step: &Node, sink: &mut Diagnostics) {
    let Some(entry) = step.entry("run") else {
        return;
    };
    if !matches!(entry.value.value, Value::Map(_)) {
        return;
    }
    match (entry.value.entry("command"), entry.value.entry("script")) {
        (None, None) => sink.push(
            Diagnostic::new(code::RUN_TEXT, entry.key.span, "`run` has nothing to run")
                .help("add `command: ...`, shell text that runs on the host"),
        ),
        (Some(command), Some(script)) => sink.push(
            Diagnostic::new(
                code::RUN_TEXT,
                script.key.span,
                "`run` has both `command` and `script`",
            )
            .also(command.key.span, "the other")
            .help("they mean the same; keep one"),
        ),
        (Some(_), None) | (None, Some(_)) => {}
    }
}

/// A ruleset begins with `table` or `define`, never with a brace.
fn nft_begins_with_a_word(host: &Node, sink: &mut Diagnostics) {
    let Some(node) = host.get("nft") else { return };
    if node
        .scalar()
        .is_some_and(|text| text.text.trim_start().starts_with('{'))
    {
        sink.push(
            Diagnostic::new(code::NFT_BRACE, node.span, "an nft ruleset does not begin with a brace")
                .help("write the whole text as `nft -f` reads it, as a block:\nnft: |\n  table ip nat {\n    ...\n  }"),
        );
    }
}

/// What the rules of a whole lab need to know of a case.
pub struct CaseFacts<'a> {
    /// Its name.
    pub name: &'a Spanned<String>,
    /// Its kind.
    pub kind: Kind,
    /// It writes `set` entries, and they change nothing, or it writes none.
    pub changes_nothing: bool,
    /// It writes an expectation.
    pub expects: bool,
}

impl<'a> CaseFacts<'a> {
    /// Of a typed case and its `set` as written. What could not be applied counts as a change.
    pub fn new(case: &'a Case, set: Option<&Node>) -> Self {
        let entries = match set {
            None => Some(0),
            // `set:` with nothing behind it.
            Some(set) if matches!(set.value, Value::Null) => Some(0),
            Some(set) => set.entries().map(<[Entry]>::len),
        };
        CaseFacts {
            name: &case.name,
            kind: case.kind.value,
            changes_nothing: entries == Some(case.set.len()) && changes_nothing(&case.set),
            expects: !case.expect.is_empty(),
        }
    }
}

/// Rules of the whole lab.
pub fn cases(cases: &[CaseFacts<'_>], root: &Node, sink: &mut Diagnostics) {
    let judged = cases
        .iter()
        .find(|case| matches!(case.kind, Kind::Fault | Kind::Fix));
    let has_works = root
        .get("works")
        .is_some_and(|works| works.items().is_none_or(|items| !items.is_empty()));
    if let Some(case) = judged
        && !has_works
    {
        let at = root
            .entry("works")
            .map_or(case.name.span, |entry| entry.key.span);
        sink.push(
            Diagnostic::new(code::NO_WORKS, at, "the lab promises nothing")
                .label("a fault breaks the promise, a fix keeps it")
                .help("add `works:` with at least one entry: `- the first connection lives on: again.ok`"),
        );
    }
    let fault = cases.iter().any(|case| case.kind == Kind::Fault);
    if let Some(fix) = cases.iter().find(|case| case.kind == Kind::Fix)
        && !fault
    {
        sink.push(
            Diagnostic::new(
                code::FIX_WITHOUT_FAULT,
                fix.name.span,
                format!("`{}` fixes nothing: the lab has no fault", fix.name.value),
            )
            .help(
                "add a case of `kind: fault` that breaks the promise, or make this one a `control`",
            ),
        );
    }
    for case in cases {
        match case.kind {
            Kind::Fix if case.changes_nothing => sink.push(
                Diagnostic::new(code::EMPTY_FIX, case.name.span, format!("the fix `{}` \
                    changes nothing", case.name.value))
                    .help("name in `set` what the fix changes; a case that keeps the promise as it is, is a `control`"),
            ),
            Kind::Partial if !case.expects => sink.push(
                Diagnostic::new(code::PARTIAL_WITHOUT_EXPECT, case.name.span, format!("`{}` has nothing \
                    to be judged by", case.name.value))
                    .help("a `partial` is judged by its own `expect` only; add one"),
            ),
            Kind::Fault | Kind::Fix | Kind::Partial | Kind::Control => {}
        }
    }
}
