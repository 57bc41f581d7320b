//! `hairpin judge`: saved evidence against the lab's expectations, without privilege.

use super::args::JudgeArgs;
use super::terminal::Stream;
use super::{Mistake, count, reports, worker};
use crate::diag::{self, Diagnostics};
use crate::evidence::Evidence;
use crate::evidence::store;
use crate::plan::{self, Plan};
use crate::report::{self, CaseInfo, Outcome, Report};
use crate::spec::{self, Lab};
use crate::verdict;
use std::path::Path;

/// Judges every case found in the folder.
pub fn judge(args: &JudgeArgs) -> Result<u8, Mistake> {
    reports::writable(&args.report)?;
    let outcomes = outcomes(&args.folder, args.lab.as_deref())?;
    let table = reports::beside(&args.report);
    table.print(&report::text(&outcomes, &table.style(args.explain)));
    let written = reports::write(&args.report, &Report::new(&outcomes, None));
    Ok(worker::status(outcomes.iter().map(Outcome::word)).max(written) as u8)
}

/// Judged evidence of a folder, in the order of a run. A lab given picks its own cases where there are any by its
/// name; else everything there must be of it.
pub fn outcomes(folder: &Path, lab: Option<&Path>) -> Result<Vec<Outcome>, Mistake> {
    let mut saved = store::load(folder).map_err(|error| Mistake(error.to_string()))?;
    let text = match lab {
        None => None,
        Some(file) => Some((
            file.display().to_string(),
            std::fs::read_to_string(file)
                .map_err(|error| Mistake(format!("cannot read `{}`: {error}", file.display())))?,
        )),
    };
    if let Some((file, _)) = &text {
        let name = plan::lab_name(file);
        if saved.iter().any(|saved| saved.case.lab == name) {
            saved.retain(|saved| saved.case.lab == name);
        }
    }
    let mut labs = Labs::default();
    let mut outcomes = saved
        .into_iter()
        .map(|saved| {
            let (file, text) = text
                .clone()
                .unwrap_or_else(|| (saved.case.file.clone(), saved.text.clone()));
            let place = saved.folder.display().to_string();
            let plan = labs.replan(&saved.evidence, &file, &text)?;
            if lab.is_some() {
                has_results(&plan, &saved.evidence)?;
            }
            Ok(Outcome {
                saved: Some(place),
                capture: store::capture_beside(&saved.folder),
                ..judged(&plan, saved.evidence)
            })
        })
        .collect::<Result<Vec<Outcome>, Mistake>>()?;
    outcomes.sort_by(|a, b| (&a.case.lab, a.case.line).cmp(&(&b.case.lab, b.case.line)));
    Ok(outcomes)
}

/// Evidence judged by what a lab's text claims.
pub fn outcome(file: &str, text: &str, evidence: Evidence) -> Result<Outcome, Mistake> {
    let plan = Labs::default().replan(&evidence, file, text)?;
    Ok(judged(&plan, evidence))
}

fn judged(plan: &Plan, evidence: Evidence) -> Outcome {
    let verdict = verdict::judge(plan, &evidence);
    Outcome {
        case: CaseInfo::from(plan),
        attempt: 1,
        evidence: Some(evidence),
        verdict: Some(verdict),
        failure: None,
        interrupted: false,
        saved: None,
        capture: None,
        record: None,
        retried: None,
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
