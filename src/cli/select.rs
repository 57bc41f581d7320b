//! Labs that were read, and which of their cases a command line means.

use super::find::{Selected, Wanted, near, unlike};
use super::pattern::{fits, is_pattern};
use super::terminal::Stream;
use super::{Mistake, count, reports, text};
use crate::diag::{self, Diagnostics, Format};
use crate::evidence::number_of;
use crate::plan::{self, Plan};
use crate::report::Shard;
use std::collections::BTreeSet;

/// A lab file that was read.
#[derive(Debug)]
pub struct Source {
    /// As it will be named in reports.
    pub file: String,
    /// What it says, if it is text at all.
    pub text: String,
    /// Plans of its cases, or what is wrong with it.
    pub plans: Result<Vec<Plan>, Diagnostics>,
    /// The cases asked for; none: all.
    pub cases: Vec<Wanted>,
    /// The lab was named itself, not found in a folder.
    named: bool,
}

impl Source {
    /// A lab that wants to be asked for is meant when it was named, or when the filter has its word in it.
    fn is_asked_for(&self, plan: &Plan, filter: Option<&str>) -> bool {
        let by_filter = |word: &String| filter.is_some_and(|text| text.contains(word));
        self.named || plan.opt_in.as_ref().is_none_or(by_filter)
    }

    /// The case was asked for, or the whole lab.
    pub fn wants(&self, case: &str) -> bool {
        let mut wanted = self.cases.iter();
        self.cases.is_empty() || wanted.any(|wanted| wanted.is(&self.file, case))
    }

    /// One that only a pattern led to, and no case of it is meant.
    fn is_beside(&self) -> bool {
        let by_pattern = |wanted: &Wanted| matches!(wanted, Wanted::Like(_));
        let plans = self.plans.as_ref();
        !self.cases.is_empty()
            && self.cases.iter().all(by_pattern)
            && plans.is_ok_and(|plans| !plans.iter().any(|plan| self.wants(&plan.case)))
    }

    /// A case asked for that the lab does not have is a mistake.
    pub fn knows_its_cases(&self, plans: &[Plan]) -> Result<(), Mistake> {
        let known: Vec<&str> = plans.iter().map(|plan| plan.case.as_str()).collect();
        let named = self.cases.iter().filter_map(|wanted| match wanted {
            Wanted::Named(case) => Some(case.as_str()),
            Wanted::Like(_) => None,
        });
        match named.into_iter().find(|case| !known.contains(case)) {
            None => Ok(()),
            Some(case) => Err(Mistake(format!(
                "`{}` has no case `{case}`: {}",
                self.file,
                near(case, &known)
            ))),
        }
    }
}

/// Reads and plans the files. A pattern that says no case of any of them is a mistake.
pub fn read(selected: Vec<Selected>) -> Result<Vec<Source>, Mistake> {
    let sources: Result<Vec<Source>, Mistake> = selected
        .into_iter()
        .map(|selected| {
            let file = selected.file.display().to_string();
            let bytes = text::bytes(&selected.file)?;
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let plans = plan::read(&bytes, &file);
            Ok(Source {
                file,
                text,
                plans,
                cases: selected.cases,
                named: selected.named,
            })
        })
        .collect();
    let (beside, sources): (Vec<_>, Vec<_>) = sources?.into_iter().partition(Source::is_beside);
    let patterns = beside.iter().flat_map(|source| &source.cases);
    for pattern in patterns {
        let elsewhere = |source: &Source| {
            let is_there = source.cases.contains(pattern) || pattern.is_whole(&source.file);
            // A lab that cannot be read may have it.
            is_there || source.plans.is_err()
        };
        if let (Wanted::Like(text), false) = (pattern, sources.iter().any(elsewhere)) {
            return Err(Mistake(unlike(text)));
        }
    }
    Ok(sources)
}

/// What a command line comes to.
#[derive(Debug)]
pub struct Meant {
    /// Of the cases that are meant; one at least.
    pub plans: Vec<Plan>,
    /// What would have been among them, had it been asked for.
    pub left_out: LeftOut,
}

/// Cases of labs that want to be asked for, and were not.
#[derive(Debug, Default)]
pub struct LeftOut {
    labs: BTreeSet<String>,
    words: BTreeSet<String>,
    cases: usize,
}

impl LeftOut {
    fn add(&mut self, plan: &Plan) {
        self.labs.insert(plan.lab.clone());
        self.words.extend(plan.opt_in.clone());
        self.cases += 1;
    }

    /// How many, and how to run them; none when nothing was left out.
    pub fn told(&self) -> Option<String> {
        let filters: Vec<String> = self
            .words
            .iter()
            .map(|word| format!("`--filter {word}`"))
            .collect();
        (self.cases > 0).then(|| {
            format!(
                "left out: {} of {}, to be asked for by name or with {}",
                count(self.cases, "case"),
                count(self.labs.len(), "opt-in lab"),
                filters.join(", ")
            )
        })
    }
}

/// Plans of the cases that are meant. Problems are printed to standard error; then there is nothing to run.
pub fn plans(
    sources: &[Source],
    cases: &[String],
    filter: Option<&str>,
    seed: Option<u64>,
) -> Result<Meant, Mistake> {
    let mut plans = Vec::new();
    let mut left_out = LeftOut::default();
    let mut broken = 0;
    let mut names = Vec::new();
    for source in sources {
        match &source.plans {
            Ok(list) => {
                source.knows_its_cases(list)?;
                names.extend(list.iter().map(|plan| plan.case.as_str()));
                let meant = |plan: &&Plan| {
                    source.wants(&plan.case)
                        && (cases.is_empty() || cases.iter().any(|case| fits(case, &plan.case)))
                        && filter.is_none_or(|text| contains(plan, text))
                };
                for plan in list.iter().filter(meant) {
                    if source.is_asked_for(plan, filter) {
                        plans.push(plan.clone());
                    } else {
                        left_out.add(plan);
                    }
                }
            }
            Err(problems) => {
                broken += problems.len();
                complain(problems, source);
            }
        }
    }
    if broken > 0 {
        return Err(Mistake(format!(
            "{} to mend; nothing was run",
            count(broken, "problem")
        )));
    }
    let is_missing = |case: &&String| !names.iter().any(|name| fits(case, name));
    if let Some(missing) = cases.iter().find(is_missing) {
        names.sort_unstable();
        names.dedup();
        return Err(Mistake(format!(
            "no case is called `{missing}`: {}",
            near(missing, &names)
        )));
    }
    if plans.is_empty() {
        return Err(Mistake(match (left_out.told(), filter) {
            (Some(left_out), _) => format!("nothing is left to run; {left_out}"),
            (None, Some(text)) => format!(
                "nothing is left to run: no LAB/CASE that is meant {} `{text}`; `hairpin list` shows them",
                if is_pattern(text) {
                    "has a part like"
                } else {
                    "contains"
                }
            ),
            (None, None) => {
                "nothing is left to run: no case is meant by all of this at once".to_owned()
            }
        }));
    }
    if let Some(seed) = seed {
        for plan in &mut plans {
            reseed(plan, seed);
        }
    }
    Ok(Meant { plans, left_out })
}

/// The filter's text, or something like its pattern, is in LAB/CASE.
fn contains(plan: &Plan, text: &str) -> bool {
    fits(&format!("*{text}*"), &format!("{}/{}", plan.lab, plan.case))
}

/// Shows what is wrong with a lab, also where GitHub Actions looks for it.
fn complain(problems: &Diagnostics, source: &Source) {
    let tell = |file: &str, format| {
        Stream::Error.print(&diag::render(problems, file, &source.text, format));
    };
    tell(&source.file, Stream::Error.diagnostics());
    if reports::for_github() {
        tell(&reports::in_workspace(&source.file), Format::Github);
        let shown = diag::render(problems, &source.file, &source.text, Format::Plain);
        reports::summarise_problems(&shown);
    }
}

/// The same case with another seed.
pub fn reseed(plan: &mut Plan, seed: u64) {
    plan.seed = seed;
    plan.fabric.seed = seed;
}

/// True for a case in this part of a run that is split. Its name alone decides, so that no case changes its part when
/// labs come or go.
pub fn is_in(shard: Shard, lab: &str, case: &str) -> bool {
    let number = number_of(&format!("{lab}/{case}"));
    number % u64::from(shard.of) == u64::from(shard.number - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_case_is_in_one_part(lab in "[a-z/-]{1,30}", case in "[a-z-]{1,30}", of in 1u32..50) {
            let parts = (1..=of).filter(|number| is_in(Shard { number: *number, of }, &lab, &case));
            prop_assert_eq!(parts.count(), 1);
        }
    }

    #[test]
    fn parts_stay_as_they_are_from_release_to_release() {
        let part = |lab: &str, case: &str| {
            (1..=4).find(|number| {
                is_in(
                    Shard {
                        number: *number,
                        of: 4,
                    },
                    lab,
                    case,
                )
            })
        };
        let cases = [
            "as-deployed",
            "cross-zone-off",
            "another-client",
            "keep-the-old",
        ];
        let parts: Vec<_> = cases
            .map(|case| part("nlb/source-port-collision", case))
            .into();
        assert_eq!(parts, [Some(3), Some(1), Some(1), Some(3)]);
    }

    #[test]
    fn parts_are_about_equal() {
        let of_four = |number| {
            let shard = Shard { number, of: 4 };
            (0..1000)
                .filter(|n| is_in(shard, "nlb/lab", &format!("case-{n}")))
                .count()
        };
        for number in 1..=4 {
            let size = of_four(number);
            assert!(
                (200..300).contains(&size),
                "{size} of 1000 in part {number}"
            );
        }
    }
}
