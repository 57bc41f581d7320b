//! `hairpin list`: labs and their cases as text.

use super::kind_word;
use crate::plan::Plan;
use serde::Serialize;
use std::fmt::Write;

/// A lab for the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ListedLab {
    /// Its name.
    pub lab: String,
    /// Its file.
    pub file: String,
    /// One line.
    pub title: String,
    /// The word of `--filter` that asks for it in runs of whole folders; none: it needs no asking.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opt_in: Option<String>,
    /// Its cases, in order.
    pub cases: Vec<ListedCase>,
}

/// A case for the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ListedCase {
    /// Its name.
    pub case: String,
    /// `fault`, `fix`, `partial`, `control`
    pub kind: &'static str,
    /// What it shows; may be empty.
    pub shows: String,
    /// Findings it must show.
    pub finds: Vec<String>,
    /// Findings it may show beside those.
    pub may_find: Vec<String>,
}

impl From<&[Plan]> for ListedLab {
    /// All plans of one lab. Panics when there is none: a lab has at least one case.
    fn from(plans: &[Plan]) -> Self {
        let first = plans.first().expect("a lab has at least one case");
        let cases = plans.iter().map(|plan| ListedCase {
            case: plan.case.clone(),
            kind: kind_word(plan.kind),
            shows: plan.shows.clone(),
            finds: plan.finds.clone(),
            may_find: plan.may_find.clone(),
        });
        Self {
            lab: first.lab.clone(),
            file: first.file.clone(),
            title: first.title.clone(),
            opt_in: first.opt_in.clone(),
            cases: cases.collect(),
        }
    }
}

/// The list for people.
pub fn list(labs: &[ListedLab], colour: bool) -> String {
    let (bold, off) = if colour {
        ("\u{1b}[1m", "\u{1b}[0m")
    } else {
        ("", "")
    };
    let name = labs
        .iter()
        .flat_map(|lab| &lab.cases)
        .map(|case| case.case.chars().count())
        .max()
        .unwrap_or(0);
    let mut text = String::new();
    for lab in labs {
        let opt_in = match &lab.opt_in {
            Some(word) => format!("  (opt-in: `--filter {word}`)"),
            None => String::new(),
        };
        writeln!(text, "{bold}{}{off}  {}{opt_in}", lab.lab, lab.title)
            .expect("a string takes everything");
        for case in &lab.cases {
            writeln!(
                text,
                "  {:<8} {:<name$}  {}",
                case.kind, case.case, case.shows
            )
            .expect("a string takes everything");
        }
    }
    // Columns leave blanks behind a case that shows nothing.
    text.lines()
        .map(|line| format!("{}\n", line.trim_end()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_is_one_line_without_trailing_blanks() {
        let case = |case: &str, shows: &str| ListedCase {
            case: case.to_owned(),
            kind: "fix",
            shows: shows.to_owned(),
            finds: Vec::new(),
            may_find: Vec::new(),
        };
        let lab = ListedLab {
            lab: "nlb/x".to_owned(),
            file: "labs/nlb/x.yaml".to_owned(),
            title: "A title".to_owned(),
            opt_in: None,
            cases: vec![case("long-name", ""), case("b", "why")],
        };
        assert_eq!(
            list(&[lab], false),
            "nlb/x  A title\n  fix      long-name\n  fix      b          why\n"
        );
    }

    #[test]
    fn a_lab_that_wants_to_be_asked_for_says_so() {
        let lab = ListedLab {
            lab: "scale/x".to_owned(),
            file: "labs/scale/x.yaml".to_owned(),
            title: "A title".to_owned(),
            opt_in: Some("scale".to_owned()),
            cases: Vec::new(),
        };
        assert_eq!(
            list(&[lab], false),
            "scale/x  A title  (opt-in: `--filter scale`)\n"
        );
    }
}
