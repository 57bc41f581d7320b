//! Reports: a value in, a string out.
//!
//! One file a format. Not here: judgement (see `verdict`), files, terminals and exit statuses (see `cli`).

mod actions;
mod html;
mod json;
mod junit;
mod last_words;
mod listing;
mod markdown;
mod metrics;
mod nearest;
pub mod plan;
mod proof;
mod record;
mod repeat;
mod schema;
mod tally;
mod tap;
mod text;
mod told;
mod words;
mod wrap;

pub use actions::github;
pub use html::html;
pub use json::json;
pub use junit::junit;
pub use listing::{ListedCase, ListedLab, list};
pub use markdown::markdown;
pub use metrics::{metrics, metrics_json};
pub use nearest::{Nearest, nearest};
pub use proof::{Offered, Proof, Remedy};
pub use record::{
    Asked, Captured, Changed, Claimed, Counted, Found, Gateway, Leg, MOST_SHARDS, Mapped, Named,
    Network, Queue, Record, Refused, Report, Shard, Stated, Stepped, Summary, Taken, Targeted,
    Truth, VERSION,
};
pub use repeat::repeat;
pub use schema::schema;
pub use tally::{Tally, Times, tallies, wilson};
pub use tap::tap;
pub use text::{Style, step, summary, text};
pub use words::Word;
pub(crate) use words::{kind_word, machine_word, shell};

use self::plan::Drawing;
use crate::evidence::capture::Files;
use crate::evidence::{Evidence, StepResult};
use crate::plan::{Change, Fix, Kind, Plan};
use crate::verdict::{Ruling, Verdict};

/// One run of one case, as reports need it.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Which case it was.
    pub case: CaseInfo,
    /// Which of several runs of the case (`--repeat`), from 1.
    pub attempt: u32,
    /// What was recorded; none when the environment failed, or when the caller let go of it to save memory.
    pub evidence: Option<Evidence>,
    /// What reports say of it, where the evidence is no longer all that was recorded.
    pub record: Option<Box<Record>>,
    /// What it came to; none when the environment failed.
    pub verdict: Option<Verdict>,
    /// Why the case could not be run: operation, namespace, errno, hint; or how many of its runs an interrupt took.
    pub failure: Option<String>,
    /// The user stopped the run before this one was over.
    pub interrupted: bool,
    /// It is no run: the lab was worked by hand, and nothing is claimed of what was done.
    pub by_hand: bool,
    /// Where its evidence was saved, as the user may type it.
    pub saved: Option<String>,
    /// Where its packets were saved.
    pub capture: Option<Files>,
    /// Why an earlier run of it could not be told, after which it was run once more, alone.
    pub retried: Option<String>,
}

impl Outcome {
    /// A run of which nothing is known yet.
    pub fn of(case: CaseInfo, attempt: u32) -> Self {
        Self {
            case,
            attempt,
            evidence: None,
            record: None,
            verdict: None,
            failure: None,
            interrupted: false,
            by_hand: false,
            saved: None,
            capture: None,
            retried: None,
        }
    }
}

/// What reports tell about a case itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseInfo {
    /// The lab's file as given on the command line.
    pub file: String,
    /// The lab's name.
    pub lab: String,
    /// The lab's title.
    pub title: String,
    /// The case's name.
    pub name: String,
    /// Its kind.
    pub kind: Kind,
    /// What it shows; may be empty.
    pub shows: String,
    /// Line of the case in the file, from 1.
    pub line: usize,
    /// What it changes.
    pub changes: Vec<Change>,
    /// The seed in force.
    pub seed: u64,
    /// What happens in the lab, and why; may be empty.
    pub story: String,
    /// Links.
    pub sources: Vec<String>,
    /// Who is where, and who talks to whom.
    pub topology: Drawing,
    /// The boxes of the network with the settings in force, in lines; may be empty.
    pub configured: String,
    /// What the lab offers against it; of a fault only.
    pub fixes: Vec<Fix>,
}

impl From<&Plan> for CaseInfo {
    fn from(plan: &Plan) -> Self {
        Self {
            file: plan.file.clone(),
            lab: plan.lab.clone(),
            title: plan.title.clone(),
            name: plan.case.clone(),
            kind: plan.kind,
            shows: plan.shows.clone(),
            line: plan.line,
            changes: plan.changes.clone(),
            seed: plan.seed,
            story: plan.story.clone(),
            sources: plan.sources.clone(),
            topology: plan::draw(plan),
            configured: plan::configured(plan),
            fixes: plan.fixes.clone(),
        }
    }
}

impl Outcome {
    /// What it came to.
    pub fn word(&self) -> Word {
        match (&self.failure, &self.verdict) {
            _ if self.interrupted => Word::Interrupted,
            (None, Some(_)) if self.by_hand => Word::ByHand,
            (None, Some(verdict)) => Word::Ruled(verdict.ruling),
            (Some(_), _) | (None, None) => Word::Failure,
        }
    }

    /// Everything the case had to show was shown.
    pub fn holds(&self) -> bool {
        self.word() == Word::Ruled(Ruling::Holds)
    }

    /// What its story waited for in vain, in sentences: a wait that ended at its limit, of which no claim takes notice.
    pub fn waited(&self) -> Vec<String> {
        let steps = self.evidence.iter().flat_map(|evidence| &evidence.steps);
        let vain = steps.filter(|step| {
            step.error == "deadline" && step.label.starts_with(WAIT) && !self.speaks_of(&step.name)
        });
        let sentence = |step: &StepResult| {
            let that = step.label.trim_start_matches(WAIT);
            format!(
                "{} ended at its limit, after {:.1} s: {that} did not become true, and no claim asks whether it did",
                step.name,
                step.ms / 1e3
            )
        };
        vain.map(sentence).collect()
    }

    /// A claim reads the step's result.
    fn speaks_of(&self, step: &str) -> bool {
        let verdict = self.verdict.iter();
        let mut claims = verdict.flat_map(|verdict| verdict.works.iter().chain(&verdict.expect));
        claims.any(|claim| {
            let names = claim.values.iter().map(|(name, _)| name.as_str());
            let mut own = names.filter_map(|name| name.strip_prefix(step));
            own.any(|rest| rest.is_empty() || rest.starts_with('.'))
        })
    }

    /// Something that was claimed was not shown.
    pub fn is_amiss(&self) -> bool {
        self.word().is_amiss()
    }
}

/// How the label of a `wait_until` begins.
const WAIT: &str = "wait until ";

#[cfg(test)]
mod tests;
