//! What concerns a case as a whole: its place in the file, what it changes, what the lab's faults name.

use super::{Change, Fix, Sink};
use crate::diag::codes::plan as code;
use crate::diag::{Diagnostic, Diagnostics};
use crate::spec::{self, Case, Kind, Lab};
use std::collections::BTreeSet;

/// Rules between the cases of a lab.
pub(super) fn check(lab: &Lab, sink: &mut Sink) {
    let of_faults = fault_finds(lab);
    for case in &lab.cases {
        match case.kind.value {
            Kind::Fix | Kind::Control => {
                finds_nothing(case, sink);
                let judged = |kind: &str| of_faults.iter().any(|named| named == kind);
                may_not_find(case, judged, "this case must not show it", sink);
            }
            Kind::Fault | Kind::Partial => {
                let judged = |kind: &str| case.finds.iter().any(|find| find.value == kind);
                may_not_find(case, judged, "this case must show it", sink);
            }
        }
    }
}

/// What a case is judged by is not left open.
fn may_not_find(case: &Case, judged: impl Fn(&str) -> bool, why: &str, sink: &mut Sink) {
    for find in case.may_find.iter().filter(|find| judged(&find.value)) {
        sink.push(
            Diagnostic::new(
                code::MAY_FIND_WHAT_IS_JUDGED,
                find.span,
                format!(
                    "`{}` is what `{}` is judged by",
                    find.value, case.name.value
                ),
            )
            .label(why)
            .also(case.kind.span, "this kind of case")
            .help(format!("remove `{}` from `may_find`", find.value)),
        );
    }
}

/// A fix shows none of what the faults name, so it cannot name anything itself.
fn finds_nothing(case: &Case, sink: &mut Sink) {
    if let Some(first) = case.finds.first() {
        sink.push(
            Diagnostic::new(
                code::FINDS_IN_A_FIX,
                first.span,
                format!("`{}` keeps the promise and finds nothing", case.name.value),
            )
            .label("`finds` is for faults and partial cases")
            .also(case.kind.span, "this kind of case")
            .help("remove `finds`, or make the case a `fault`"),
        );
    }
}

/// What is said of a case, as people are told it. What the lab as written does not have, and stands outside the
/// case, gets the case's name: nobody would find the reason otherwise.
pub(super) fn attribute(own: &Diagnostics, known: &Diagnostics, case: &Case) -> Diagnostics {
    let reason = spec::reason(&case.set, case.name.span);
    let mut attributed = Diagnostics::default();
    attributed.extend(own.sorted().into_iter().map(|said| {
        let outside = said.span.start < case.name.span.start;
        // A help that lists names lists more of them in a case that adds some.
        match known.alike(said) {
            Some(same) => same.clone(),
            None if outside && !case.set.is_empty() => {
                said.clone().also(reason, spec::only_in(&case.name.value))
            }
            None => said.clone(),
        }
    }));
    attributed
}

/// What `set` changes, for reports.
pub(super) fn changes(case: &Case) -> Vec<Change> {
    let whole = |patch: &spec::Patch| Change {
        path: patch.path.value.clone(),
        before: patch.before.clone(),
        after: patch.after.clone(),
    };
    let part = |part: &spec::Part| Change {
        path: part.path.clone(),
        before: part.before.clone(),
        after: part.after.clone(),
    };
    let told = case.set.iter().flat_map(|patch| {
        if patch.parts.is_empty() {
            vec![whole(patch)]
        } else {
            patch.parts.iter().map(part).collect()
        }
    });
    told.collect()
}

/// What the lab offers against a fault: fixes with settings that the fault does not have already.
pub(super) fn fixes(lab: &Lab, case: &Case) -> Vec<Fix> {
    let wanted = case.kind.value == Kind::Fault;
    let has = |fix: &Case| {
        let mut settings = fix.differs.iter();
        settings.all(|(path, value)| case.differs.get(path) == Some(value))
    };
    let fixes = lab
        .cases
        .iter()
        .filter(|other| wanted && other.kind.value == Kind::Fix && !has(other));
    fixes
        .map(|fix| Fix {
            case: fix.name.value.clone(),
            shows: fix
                .shows
                .as_ref()
                .map_or(String::new(), |shows| shows.value.clone()),
            changes: changes(fix),
            settles: case
                .differs
                .keys()
                .all(|path| fix.differs.contains_key(path)),
        })
        .collect()
}

/// Everything that faults of the lab name, sorted.
pub(super) fn fault_finds(lab: &Lab) -> Vec<String> {
    let named: BTreeSet<&str> = lab
        .cases
        .iter()
        .filter(|case| case.kind.value == Kind::Fault)
        .flat_map(|case| &case.finds)
        .map(|find| find.value.as_str())
        .collect();
    named.into_iter().map(str::to_owned).collect()
}

/// Topic and file stem: `labs/nlb/collision.yaml` is `nlb/collision`.
pub fn lab_name(file: &str) -> String {
    let stem = file
        .strip_suffix(".yaml")
        .or_else(|| file.strip_suffix(".yml"))
        .unwrap_or(file);
    let mut parts: Vec<&str> = stem.rsplit(['/', '\\']).take(2).collect();
    parts.reverse();
    parts.retain(|part| !matches!(*part, "" | "." | ".." | "labs"));
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lab_is_named_by_topic_and_file() {
        assert_eq!(lab_name("labs/nlb/collision.yaml"), "nlb/collision");
        assert_eq!(lab_name("labs/collision.yml"), "collision");
        assert_eq!(lab_name("./collision.yaml"), "collision");
        assert_eq!(lab_name("-"), "-");
    }
}
