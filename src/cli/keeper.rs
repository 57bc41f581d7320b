//! What is kept of a run: its outcome, judged, and its evidence and capture on disk where they are wanted.

use super::args::{self, RunArgs};
use super::terminal;
use crate::evidence::Evidence;
use crate::evidence::capture::Files;
use crate::evidence::store::{self, CaseFile, StoreError};
use crate::plan::Plan;
use crate::report::{CaseInfo, Outcome, Record};
use crate::run::Recorded;
use crate::run::capture::Capture;
use crate::verdict;
use crate::world::Error;
use std::collections::BTreeMap;
use std::path::Path;

/// Judges, saves, and lets go of evidence that nobody will look at.
pub(super) struct Keeper<'a> {
    pub(super) args: &'a RunArgs,
    texts: BTreeMap<String, String>,
    /// Which attempt of a lab and case is saved.
    kept: BTreeMap<(String, String), u32>,
    /// Of many repetitions, the evidence that reports tell of: of the first failure of a lab and case, so far.
    told: BTreeMap<(String, String), (u32, Evidence)>,
    /// Something could not be saved.
    pub(super) unsaved: bool,
}

impl<'a> Keeper<'a> {
    /// Of nothing yet. `texts`: those of the labs, by file.
    pub(super) fn new(args: &'a RunArgs, texts: BTreeMap<String, String>) -> Self {
        Self {
            args,
            texts,
            kept: BTreeMap::new(),
            told: BTreeMap::new(),
            unsaved: false,
        }
    }

    /// Judges a run and keeps what is wanted of it.
    pub(super) fn outcome(
        &mut self,
        plan: &Plan,
        attempt: u32,
        result: Result<Recorded, Error>,
    ) -> Outcome {
        let mut outcome = Outcome::of(CaseInfo::from(plan), attempt);
        match result {
            Err(error) => outcome.failure = Some(error.to_string()),
            Ok(Recorded { evidence, capture }) => {
                outcome.verdict = Some(verdict::judge(plan, &evidence));
                self.save(&mut outcome, plan, &evidence, capture);
                // Of a failure everything is needed, and to be explained.
                let is_needed = match self.args.repeat {
                    1 => !outcome.holds() || self.args.explain,
                    _ => false,
                };
                outcome.evidence = Some(evidence);
                if !is_needed {
                    self.spare(&mut outcome);
                }
            }
        }
        outcome
    }

    /// Lets go of what was recorded, but for the numbers; when what reports say of it is put down. Of many repetitions they say
    /// the numbers only, and all of the first failure. The next cases use the memory again, which the kernel would have to
    /// clear for them.
    fn spare(&mut self, outcome: &mut Outcome) {
        match self.args.repeat {
            1 => outcome.record = Some(Box::new(Record::from(&*outcome))),
            _ => self.tell(outcome),
        }
        outcome.evidence = outcome.evidence.take().map(slim);
    }

    /// Keeps all of a failure when none is known that was earlier. Runs end in any order.
    fn tell(&mut self, outcome: &Outcome) {
        let key = key(outcome);
        let earlier = |told: &(u32, Evidence)| told.0 < outcome.attempt;
        if let Some(evidence) = &outcome.evidence
            && !outcome.holds()
            && !self.told.get(&key).is_some_and(earlier)
        {
            self.told.insert(key, (outcome.attempt, evidence.clone()));
        }
    }

    fn save(
        &mut self,
        outcome: &mut Outcome,
        plan: &Plan,
        evidence: &Evidence,
        capture: Option<Capture>,
    ) {
        let repeated = self.args.repeat > 1;
        let folder = match &self.args.evidence {
            Some(folder) => Some(folder.as_path()),
            None => repeated.then_some(Path::new(args::EVIDENCE)),
        };
        let key = (plan.lab.clone(), plan.case.clone());
        // Runs end in any order; the first failure is the one of the lowest attempt.
        let earlier = |kept: &u32| *kept < outcome.attempt;
        if repeated && (outcome.holds() || self.kept.get(&key).is_some_and(earlier)) {
            return;
        }
        self.kept.insert(key, outcome.attempt);
        let text = self.texts.get(&plan.file).map_or("", String::as_str);
        let case = CaseFile::new(&plan.file, &plan.lab, &plan.case, plan.seed);
        if let Some(folder) = folder {
            match store::save(folder, text, &case, evidence) {
                Ok(place) => outcome.saved = Some(place.display().to_string()),
                Err(error) => return self.complain("the evidence", &error),
            }
        }
        let folder = match &self.args.capture {
            Some(Some(folder)) => Some(folder.as_path()),
            Some(None) => folder,
            None => None,
        };
        if let (Some(folder), Some(mut capture)) = (folder, capture) {
            let snaplen = self.args.capture_snaplen;
            let (attachments, cut) = (capture.attachments(), capture.cut());
            let name = (plan.lab.as_str(), plan.case.as_str());
            let saved = store::save_capture(folder, name, &attachments, |attachment, file| {
                capture.write(attachment, snaplen, file)
            });
            match saved {
                Ok(files) => {
                    outcome.capture = Some(Files {
                        cut: Some(cut),
                        ..files
                    });
                }
                Err(error) => self.complain("the capture", &error),
            }
        }
    }

    /// The verdict stands all the same.
    fn complain(&mut self, what: &str, error: &StoreError) {
        terminal::complain(&format!("{what} is not kept: {error}"));
        self.unsaved = true;
    }

    /// Takes the place of saved evidence off runs whose evidence an earlier attempt replaced, and gives the first failures back
    /// what was recorded of them.
    pub(super) fn settle(&mut self, outcomes: &mut [Outcome]) {
        for outcome in outcomes {
            let key = key(outcome);
            let is_told = |told: &(u32, Evidence)| told.0 == outcome.attempt;
            if self.told.get(&key).is_some_and(is_told) {
                outcome.evidence = self.told.remove(&key).map(|(_, evidence)| evidence);
            }
            if self.kept.get(&key) != Some(&outcome.attempt) {
                outcome.saved = None;
                outcome.capture = None;
            }
        }
    }
}

/// Of an outcome's lab and case.
fn key(outcome: &Outcome) -> (String, String) {
    (outcome.case.lab.clone(), outcome.case.name.clone())
}

/// Without what is large, and not among the numbers that are told of many repetitions.
fn slim(evidence: Evidence) -> Evidence {
    Evidence {
        packets: Vec::new(),
        connections: Vec::new(),
        flows: Vec::new(),
        hosts: BTreeMap::new(),
        lookups: Vec::new(),
        pairs: Vec::new(),
        own_answers: Vec::new(),
        mappings: Vec::new(),
        refusals: Vec::new(),
        ..evidence
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::{LinkDid, LinkEffect, OnLinks, Packet};
    use crate::report::Report;
    use clap::Parser as _;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        run: RunArgs,
    }

    #[test]
    fn reports_tell_of_packets_that_are_let_go() {
        let text = "title: t\nhosts: { a: { zone: a } }\nsteps: [{ wait: 1ms }]\nworks: [size(packets) == 1]\ncases: { only: { kind: control } }\n";
        let plans = crate::plan::read(text.as_bytes(), "t/t.yaml").expect("a good lab");
        let copied = LinkEffect {
            host: "a".to_owned(),
            direction: "up".to_owned(),
            what: LinkDid::Copied { from: 0 },
        };
        let last = Packet {
            links: Some(Box::new(OnLinks {
                effects: vec![copied],
                ..OnLinks::default()
            })),
            ..Packet::default()
        };
        let recorded = Recorded {
            evidence: Evidence {
                packets: vec![last],
                ..Evidence::default()
            },
            capture: None,
        };
        let line = Line::parse_from(["run"]);
        let mut keeper = Keeper::new(&line.run, BTreeMap::new());
        let mut outcome = keeper.outcome(&plans[0], 1, Ok(recorded));
        outcome.retried = Some("it was late".to_owned());
        let kept = outcome.evidence.as_ref().expect("some of it");
        assert!(kept.packets.is_empty());
        let report = Report::new(&[outcome], None);
        let told = &report.cases[0];
        assert_eq!(told.network.links["a's link (up)"]["copies made"], 1);
        assert_eq!(told.retried.as_deref(), Some("it was late"));
    }

    #[test]
    fn of_many_failures_the_first_is_kept_whole() {
        let text = "title: t\nhosts: { a: { zone: a } }\nsteps: [{ run: { as: ask, on_host: a, command: date } }]\nworks: [ask.ok]\ncases: { only: { kind: control } }\n";
        let plans = crate::plan::read(text.as_bytes(), "t/t.yaml").expect("a good lab");
        let folder = std::env::temp_dir().join(format!("hairpin-keeper-{}", std::process::id()));
        let folder_text = folder.display().to_string();
        let line = Line::parse_from(["run", "--repeat", "4", "--evidence", &folder_text]);
        let mut keeper = Keeper::new(&line.run, BTreeMap::new());
        let large = |packets: usize| Recorded {
            evidence: Evidence {
                packets: vec![Packet::default(); packets],
                ..Evidence::default()
            },
            capture: None,
        };
        let mut outcomes: Vec<Outcome> = [3, 2, 4]
            .map(|attempt| keeper.outcome(&plans[0], attempt, Ok(large(attempt as usize))))
            .into();
        let packets = |outcome: &Outcome| {
            assert!(!outcome.holds(), "its step is not in the evidence");
            outcome.evidence.as_ref().map(|one| one.packets.len())
        };
        assert!(outcomes.iter().all(|one| packets(one) == Some(0)));
        assert_eq!(keeper.told.len(), 1, "one of all is kept");
        keeper.settle(&mut outcomes);
        let kept: Vec<_> = outcomes.iter().map(packets).collect();
        assert_eq!(kept, [Some(0), Some(2), Some(0)]);
        assert!(outcomes[1].saved.is_some() && outcomes[2].saved.is_none());
        // Reports can be made of all of them.
        assert_eq!(Report::new(&outcomes, None).cases.len(), 3);
        std::fs::remove_dir_all(folder).expect("it was kept there");
    }
}
