//! `hairpin judge`: saved evidence against the lab's expectations, without privilege.

use super::args::JudgeArgs;
use super::terminal::{self, Stream};
use super::{Mistake, Status, count, reports, text, worker};
use crate::diag::{self, Diagnostics};
use crate::evidence::Evidence;
use crate::evidence::store::{self, Saved};
use crate::plan::{self, Plan};
use crate::report::{self, CaseInfo, Outcome, Report};
use crate::spec::{self, Lab};
use crate::verdict;
use std::path::Path;

/// Judges every case found in the folder.
pub fn judge(args: &JudgeArgs) -> Result<u8, Mistake> {
    reports::writable(&args.report)?;
    let judged = outcomes(&args.folder, args.lab.as_deref())?;
    let table = reports::beside(&args.report);
    table.print(&report::text(&judged.outcomes, &table.style(args.explain)));
    let written = reports::write(&args.report, &Report::new(&judged.outcomes, None));
    Ok(judged.status().max(written) as u8)
}

/// The cases of a folder, judged.
pub struct Judged {
    /// In the order of a run.
    pub outcomes: Vec<Outcome>,
    /// Why others were not.
    damaged: Vec<Mistake>,
}

impl Judged {
    /// Tells of those that could not be judged, and gives the exit status.
    pub fn status(&self) -> Status {
        let words = self.outcomes.iter().map(Outcome::word);
        worker::status(words).max(self.whole())
    }

    /// The same, whatever the verdicts are.
    pub fn whole(&self) -> Status {
        for mistake in &self.damaged {
            terminal::complain(&mistake.to_string());
        }
        match self.damaged.len() {
            0 => Status::Held,
            n => {
                let others = count(self.outcomes.len(), "other");
                terminal::complain(&format!("{} left out, {others} judged", count(n, "case")));
                Status::Wrong
            }
        }
    }

    /// All of them, where none was left out.
    pub fn all(mut self) -> Result<Vec<Outcome>, Mistake> {
        match self.damaged.is_empty() {
            true => Ok(self.outcomes),
            false => Err(self.damaged.swap_remove(0)),
        }
    }
}

/// Judged evidence of a folder. A lab given picks its own cases where there are any by its name; else everything there
/// must be of it.
pub fn outcomes(folder: &Path, lab: Option<&Path>) -> Result<Judged, Mistake> {
    let loaded = store::load(folder).map_err(|error| Mistake(error.to_string()))?;
    let (mut saved, damaged) = (loaded.saved, loaded.damaged.into_iter());
    let text = match lab {
        None => None,
        Some(file) => Some((file.display().to_string(), text::text(file)?)),
    };
    if let Some((file, _)) = &text {
        let name = plan::lab_name(file);
        if saved.iter().any(|saved| saved.case.lab == name) {
            saved.retain(|saved| saved.case.lab == name);
        }
    }
    let mut labs = Labs::default();
    let mut judged = Judged {
        outcomes: Vec::with_capacity(saved.len()),
        damaged: damaged.map(|error| Mistake(error.to_string())).collect(),
    };
    for saved in saved {
        let place = saved.folder.display().to_string();
        match outcome_of(saved, text.as_ref(), &mut labs) {
            Ok(outcome) => judged.outcomes.push(outcome),
            // A lab that was given is the same for all of them.
            Err(mistake) if text.is_some() => return Err(mistake),
            Err(Mistake(why)) => judged.damaged.push(Mistake(format!("{place}: {why}"))),
        }
    }
    if judged.outcomes.is_empty() && !judged.damaged.is_empty() {
        return Err(judged.damaged.swap_remove(0));
    }
    let place = |outcome: &Outcome| (outcome.case.lab.clone(), outcome.case.line);
    judged.outcomes.sort_by_key(place);
    Ok(judged)
}

/// A saved case by what its own lab claims, or another text of it.
fn outcome_of(
    saved: Saved,
    text: Option<&(String, String)>,
    labs: &mut Labs,
) -> Result<Outcome, Mistake> {
    let own = (saved.case.file.clone(), saved.text.clone());
    let (file, claims) = text.unwrap_or(&own);
    let plan = labs.replan(&saved.evidence, file, claims)?;
    if text.is_some() {
        has_results(&plan, &saved.evidence)?;
        if !saved.case.by_hand {
            tell_of_other_settings(file, claims, &saved);
        }
    }
    Ok(Outcome {
        // By another text it is judged as that claims.
        by_hand: saved.case.by_hand && text.is_none(),
        saved: Some(saved.folder.display().to_string()),
        capture: store::capture_beside(&saved.folder),
        ..judged(&plan, saved.evidence)
    })
}

/// Evidence judged by what a lab's text claims.
pub fn outcome(file: &str, text: &str, evidence: Evidence) -> Result<Outcome, Mistake> {
    let plan = Labs::default().replan(&evidence, file, text)?;
    Ok(judged(&plan, evidence))
}

fn judged(plan: &Plan, evidence: Evidence) -> Outcome {
    let verdict = verdict::judge(plan, &evidence);
    Outcome {
        evidence: Some(evidence),
        verdict: Some(verdict),
        ..Outcome::of(CaseInfo::from(plan), 1)
    }
}

/// Steps that the lab has got since the run have no results; what is said of them could not be judged.
fn has_results(plan: &Plan, evidence: &Evidence) -> Result<(), Mistake> {
    let recorded = |name: &str| evidence.steps.iter().any(|step| step.name == name);
    let mut named = plan.steps.iter().filter(|step| step.named);
    match named.find(|step| !recorded(&step.name)) {
        None => Ok(()),
        Some(step) => Err(Mistake(format!(
            "`{}`, line {}: the evidence of `{}` has no step `{}` ({}); run the lab again to judge what it says now",
            plan.file, step.line, plan.case, step.name, step.label
        ))),
    }
}

/// A record shows nothing of settings that the lab has got since.
fn tell_of_other_settings(file: &str, text: &str, saved: &Saved) {
    let case = &saved.evidence.case;
    let changed = spec::settings_changed(&saved.text, text, case);
    let Some((last, others)) = changed.split_last() else {
        return;
    };
    let others = match others.len() {
        0 => String::new(),
        n => format!(" and {}", count(n, "other")),
    };
    terminal::note(&format!(
        "`{file}`, case `{case}`: the record is of other settings than the lab has now: `{last}`{others}; run it again \
         to judge what it does now"
    ));
}

/// Labs as they were read. Folders of one lab's cases follow each other, so the latest is enough.
#[derive(Default)]
struct Labs {
    latest: Option<Lab>,
}

impl Labs {
    fn read(&mut self, file: &str, text: &str) -> Result<&Lab, Diagnostics> {
        let known = self.latest.take();
        let same = known.filter(|lab| lab.file == file && lab.text == text);
        let lab = same.map_or_else(|| spec::read(text, file), Ok)?;
        Ok(self.latest.insert(lab))
    }

    fn replan(&mut self, evidence: &Evidence, file: &str, text: &str) -> Result<Plan, Mistake> {
        let planned = self.read(file, text).and_then(|lab| {
            // A case that the given lab does not have is a mistake of the command line, not of the lab.
            let mut cases = lab.cases.iter();
            let known = cases.any(|case| case.name.value == evidence.case);
            known
                .then(|| plan::plan(lab, &evidence.case, Some(evidence.seed)))
                .transpose()
        });
        match planned {
            Ok(Some(plan)) => Ok(plan),
            Ok(None) => Err(Mistake(format!(
                "`{file}` has no case `{}`, which is in the evidence",
                evidence.case
            ))),
            Err(problems) => {
                Stream::Error.print(&diag::render(
                    &problems,
                    file,
                    text,
                    Stream::Error.diagnostics(),
                ));
                Err(Mistake(format!(
                    "{} in `{file}`",
                    count(problems.len(), "problem")
                )))
            }
        }
    }
}
