//! Everything about one case, under its line in the table.

use super::{Style, network, paint};
use crate::evidence::{Detail, Evidence, InstanceEvidence, StepResult};
use crate::plan::Change;
use crate::report::last_words;
use crate::report::metrics;
use crate::report::nearest::{nearest, pictured};
use crate::report::proof::{self, Offered, Run};
use crate::report::words;
use crate::report::words::{again, clock};
use crate::report::wrap::{count, wrap};
use crate::report::{Network, Outcome, Word, kind_word};
use crate::verdict::ladder;
use crate::verdict::{ClaimTruth, ClaimVerdict, Verdict};

const INDENT: usize = 11;

/// Everything about one case.
pub(super) fn block(outcome: &Outcome, runs: &[Run], style: &Style) -> String {
    let info = &outcome.case;
    let mut block = Block {
        out: String::new(),
        width: style.width,
    };
    let scale = outcome.evidence.as_ref().map_or(1.0, |e| e.time_scale);
    if let Some(clock) = clock(scale) {
        block.entry("clock", &clock);
    }
    for (i, change) in info.changes.iter().enumerate() {
        block.entry(if i == 0 { "changes" } else { "" }, &change_line(change));
    }
    if !info.shows.is_empty() {
        block.entry("shows", &info.shows);
    }
    if let Some(failure) = &outcome.failure {
        // Its help has a line of its own.
        for (i, line) in failure.lines().enumerate() {
            block.entry(if i == 0 { "error" } else { "" }, line.trim_start());
        }
    }
    if let Some(why) = &outcome.retried {
        block.entry("retried", &format!("alone, because at first {why}"));
    }
    block.waited(outcome);
    if let Some(verdict) = &outcome.verdict {
        if !verdict.reason.is_empty() {
            block.entry("reason", &verdict.reason);
        }
        // The packets are in the ladder.
        let nearest = nearest(outcome);
        for (i, line) in nearest.claims.iter().chain(&nearest.instead).enumerate() {
            block.entry(if i == 0 { "nearest" } else { "" }, line);
        }
        let (promised, claimed) = (words::promised(info.kind), words::CLAIMED);
        block.claims(("works", promised), &verdict.works, words::PROMISE, style);
        block.claims(("expect", claimed), &verdict.expect, words::CLAIM, style);
        block.finds(outcome, verdict, runs, style);
        if let Some(evidence) = &outcome.evidence {
            let ladder = pictured(outcome, evidence);
            block.ladder(&ladder::text(&ladder, style.width - 4));
        }
    }
    if let Some(evidence) = &outcome.evidence {
        block.steps(&evidence.steps);
        block.targets(evidence, style);
        block.metrics(evidence, style);
        block.network(evidence, style);
        block.entry("world", &world(evidence));
    }
    block.files(outcome);
    // What was done by hand is no run, and none repeats it.
    if outcome.word() != Word::ByHand {
        let again = again(&info.file, &info.name, info.seed);
        block.line(INDENT, &format!("{:<9} {again}", "again"));
    }
    block.out.push('\n');
    block.out
}

/// How the world was, in a line.
fn world(evidence: &Evidence) -> String {
    format!(
        "up {:.1} ms, timers at most {:.1} ms late, kernel {}{}, seed {}",
        evidence.up_ms,
        evidence.lag_ms,
        evidence.kernel,
        words::of_machine(&evidence.tcp).map_or(String::new(), |tcp| format!(" ({tcp})")),
        evidence.seed,
    )
}

fn change_line(change: &Change) -> String {
    let part = |text: &Option<String>, none: &str| match text {
        Some(text) => text.clone(),
        None => none.to_owned(),
    };
    format!(
        "{}: {} -> {}",
        change.path,
        part(&change.before, "(not set)"),
        part(&change.after, "(removed)")
    )
}

/// Said of a case that failed and left nothing.
const KEEP: &str = "not kept; with --evidence DIR all of it is: packets, counters, sockets, flows";

/// Steps that a report lists of one case.
const STEPS: usize = 16;

/// `old = connect client -> front/a`; a step without a name of its own has its label only.
pub(super) fn named(step: &StepResult) -> String {
    if step.name.contains(' ') {
        step.label.clone()
    } else {
        format!("{} = {}", step.name, step.label)
    }
}

/// What a kind of step has beside its error, with a comma before it.
pub(super) fn result(detail: &Detail) -> String {
    match detail {
        Detail::Plain | Detail::Connect { .. } => String::new(),
        Detail::Refused { group, targets } => format!(
            ", {} not in the VPC of {group}'s load balancer",
            targets.join(", ")
        ),
        Detail::Load(load) => {
            let answers = words::other_answers(&load.status);
            format!(
                ", {} of {} connected, {} failed, {} with more than one SYN{}",
                load.connected,
                load.attempts,
                load.failed,
                load.retried,
                answers.map_or(String::new(), |answers| format!(", {answers}")),
            )
        }
        Detail::Transfer {
            sent,
            received,
            unacked,
            ..
        } => {
            let unacked = if *unacked > 0 {
                format!(", {unacked} not acknowledged")
            } else {
                String::new()
            };
            format!(", {sent} bytes sent, {received} received{unacked}")
        }
        Detail::TransferAll {
            attempts, failed, ..
        } => format!(", failed on {failed} of {attempts}"),
        Detail::Drop { dropped } => format!(", {dropped} dropped"),
        Detail::Endpoints { cleared, .. } => match cleared {
            0 => String::new(),
            1 => ", 1 entry of connection tracking deleted".to_owned(),
            several => format!(", {several} entries of connection tracking deleted"),
        },
        Detail::Run { exit_code, .. } => format!(", {}", last_words::status(*exit_code)),
    }
}

/// A case's details under its line: labels at the left, text wrapped beside them.
struct Block {
    out: String,
    width: usize,
}

/// Of a case of which there is nothing else to say: what its story waited for in vain.
pub(super) fn waited(outcome: &Outcome, style: &Style) -> String {
    let mut block = Block {
        out: String::new(),
        width: style.width,
    };
    block.waited(outcome);
    block.out
}

impl Block {
    fn waited(&mut self, outcome: &Outcome) {
        for sentence in outcome.waited() {
            self.entry("in vain", &sentence);
        }
    }

    /// The ladder, with a line of air around it; nothing without one.
    fn ladder(&mut self, ladder: &str) {
        if ladder.is_empty() {
            return;
        }
        self.out.push('\n');
        for line in ladder.lines() {
            self.line(4, line);
        }
        self.out.push('\n');
    }

    /// Where evidence and captures are, each on one line whatever its length, so that it can be copied.
    fn files(&mut self, outcome: &Outcome) {
        if let Some(saved) = &outcome.saved {
            self.line(
                INDENT,
                &format!("{:<9} hairpin explain {saved}", "evidence"),
            );
        } else if outcome.evidence.is_some() && outcome.is_amiss() {
            self.entry("evidence", KEEP);
        }
        if let Some(capture) = &outcome.capture {
            let cut = match capture.cut {
                Some(cut) if cut > 0 => {
                    format!(" (without the oldest {})", count(cut as usize, "packet"))
                }
                Some(_) | None => String::new(),
            };
            let case = &capture.case;
            self.line(INDENT, &format!("{:<9} {case}{cut}", "capture"));
        }
    }

    fn line(&mut self, indent: usize, text: &str) {
        let line = format!("{:indent$}{text}", "");
        self.out.push_str(line.trim_end());
        self.out.push('\n');
    }

    fn entry(&mut self, label: &str, text: &str) {
        for (i, line) in wrap(text, self.width - INDENT - 10).iter().enumerate() {
            let label = if i == 0 { label } else { "" };
            self.line(INDENT, &format!("{label:<9} {line}"));
        }
    }

    /// A label with what it stands for, and each claim with what it came to.
    fn claims(
        &mut self,
        (label, meaning): (&str, &str),
        claims: &[ClaimVerdict],
        [holds, fails, unknown]: [&str; 3],
        style: &Style,
    ) {
        if !claims.is_empty() {
            self.entry(label, meaning);
        }
        for claim in claims {
            let words = match &claim.claim {
                Some(words) => format!("{words}: {}", claim.that),
                None => claim.that.clone(),
            };
            let truth = match claim.truth {
                ClaimTruth::True => holds,
                ClaimTruth::False => fails,
                ClaimTruth::Unknown => unknown,
            };
            self.entry_with(truth, &words);
            if style.explain || claim.truth != ClaimTruth::True {
                let values: Vec<String> = claim
                    .values
                    .iter()
                    .map(|(name, value)| words::valued(name, value))
                    .collect();
                self.entry_with("", &values.join(", "));
                self.entry_with("", &claim.why);
            }
        }
    }

    fn finds(&mut self, outcome: &Outcome, verdict: &Verdict, runs: &[Run], style: &Style) {
        let kind = outcome.case.kind;
        let fixes: Vec<Offered> = outcome.case.fixes.iter().map(Offered::new).collect();
        // Of the latest finding whose fixes were told in full.
        let mut before: Option<(&str, Vec<String>)> = None;
        for (i, finding) in verdict.findings.iter().enumerate() {
            let unwanted = verdict.unwanted_finds.contains(&finding.kind);
            let head = if unwanted {
                format!("{} (a {} must not show it)", finding.kind, kind_word(kind))
            } else {
                finding.kind.clone()
            };
            let head = paint(&head, anstyle::Style::new().bold(), style);
            self.line(
                INDENT,
                &format!("{:<9} {head}", if i == 0 { "findings" } else { "" }),
            );
            for line in wrap(&finding.summary, self.width - INDENT - 12) {
                self.line(INDENT + 12, &line);
            }
            let counters: Vec<String> = finding
                .counters
                .iter()
                .map(|(host, counter, value)| format!("{host} {counter} {value}"))
                .collect();
            let values = finding.values.iter();
            let values = values.map(|(path, value)| words::valued(path, value));
            let witnesses: Vec<String> = counters.into_iter().chain(values).collect();
            for line in wrap(&witnesses.join(", "), self.width - INDENT - 12) {
                self.line(INDENT + 12, &line);
            }
            let mut told = proof::sentences(&proof::remedies(&fixes, runs, &finding.kind));
            match &before {
                Some((kind, same)) if *same == told && !told.is_empty() => {
                    told = vec![format!("The lab's fixes: as above, for {kind}.")];
                }
                Some(_) | None => before = Some((&finding.kind, told.clone())),
            }
            for sentence in told {
                for line in wrap(&sentence, self.width - INDENT - 12) {
                    self.line(INDENT + 12, &line);
                }
            }
        }
        for missing in &verdict.missing_finds {
            self.entry(
                "missing",
                &format!("{missing}  (hairpin explain {missing} tells how it shows)"),
            );
        }
    }

    /// Every target's state; short of everything, only those that are not healthy.
    fn targets(&mut self, evidence: &Evidence, style: &Style) {
        let groups = evidence.target_groups.iter().flat_map(|(group, record)| {
            let targets = record.targets.iter();
            targets.map(move |(name, target)| {
                let line = format!("{group}/{name} {} {}", target.state, target.reason);
                (target.state == "healthy", line)
            })
        });
        let balancers = evidence.load_balancers.iter();
        let instances = balancers.flat_map(|(balancer, record)| {
            let instances = record.instances.iter();
            instances.map(move |(name, instance)| {
                let line = format!("{balancer}/{name} {}", instance_state(instance));
                (instance.state == "InService", line)
            })
        });
        let shown = groups.chain(instances);
        let shown = shown.filter(|(healthy, _)| style.explain || !healthy);
        for (i, (_, line)) in shown.enumerate() {
            self.entry(if i == 0 { "targets" } else { "" }, &line);
        }
    }

    /// What the network's boxes and the hosts' kernels have on record; short of everything, what they refused.
    fn network(&mut self, evidence: &Evidence, style: &Style) {
        let record = Network::of(evidence);
        let mut last = "";
        for (label, line) in network::lines(&record) {
            if style.explain || label == network::REFUSED {
                self.entry(if label == last { "" } else { label }, &line);
                last = label;
            }
        }
    }

    /// The tables of CloudWatch where everything is told, else only what counts trouble.
    fn metrics(&mut self, evidence: &Evidence, style: &Style) {
        if !style.explain {
            let troubles = metrics::troubles(evidence);
            if !troubles.is_empty() {
                self.entry("metrics", &troubles.join(", "));
            }
            return;
        }
        for (i, line) in metrics::table(evidence).lines().enumerate() {
            let label = if i == 0 { "metrics" } else { "" };
            self.line(INDENT, &format!("{label:<9} {line}"));
        }
    }

    /// What each step came to, the middle of many left out.
    fn steps(&mut self, steps: &[StepResult]) {
        let shown =
            |i: usize| steps.len() <= STEPS || i < STEPS / 2 || i >= steps.len() - STEPS / 2;
        for (i, step) in steps.iter().enumerate() {
            let label = if i == 0 { "steps" } else { "" };
            if shown(i) {
                let word = if step.ok { "ok" } else { step.error.as_str() };
                let line = format!(
                    "at {:.1} ms  {}: {word} after {:.1} ms{}",
                    step.at,
                    named(step),
                    step.ms,
                    result(&step.detail)
                );
                self.entry(label, &line);
                for line in last_words::of(step) {
                    self.entry("", &format!("  {line}"));
                }
            } else if i == STEPS / 2 {
                self.entry(label, &format!("... {} more", steps.len() - STEPS / 2 * 2));
            }
        }
    }

    /// A row of the claims' table: truth, words.
    fn entry_with(&mut self, truth: &str, words: &str) {
        for (i, line) in wrap(words, self.width - INDENT - 19).iter().enumerate() {
            let truth = if i == 0 { truth } else { "" };
            self.line(INDENT, &format!("{:<9} {truth:<8} {line}", ""));
        }
    }
}

/// `OutOfService Instance: ...`, without what is `N/A`.
fn instance_state(instance: &InstanceEvidence) -> String {
    let part = |before: &str, text: &str| match text {
        "" | "N/A" => String::new(),
        text => format!("{before}{text}"),
    };
    let reason = part(" ", &instance.reason_code);
    let words = part(": ", &instance.description);
    format!("{}{reason}{words}", instance.state)
}
