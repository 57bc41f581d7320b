//! The words for a case's kind, for what its run came to, and for what it changes.

use crate::plan::{Change, Kind};
use crate::verdict::Ruling;
use serde_json::Value;
use std::collections::BTreeMap;

/// How the two clocks stand to each other; none where they are the same.
pub(super) fn clock(scale: f64) -> Option<String> {
    (scale != 1.0).then(|| {
        format!(
            "cloud time runs {scale} times faster: 1 s here is {scale} s of the cloud's time. Times are real (of this \
             machine) unless \"cloud\" stands beside them; settings of the cloud are in its own time."
        )
    })
}

/// A path with its value. What is told about a long list stands for it, and is no text of the lab's, so without quotes.
pub(super) fn valued(path: &str, value: &Value) -> String {
    match value {
        Value::String(told) if told.starts_with('(') && told.ends_with(')') => {
            format!("{path} = {told}")
        }
        other => format!("{path} = {other}"),
    }
}

/// What one outcome came to, the environment's failures included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// The verdict's ruling.
    Ruled(Ruling),
    /// The case could not be run.
    Failure,
    /// The user stopped the run before the case was over.
    Interrupted,
    /// It is no run: nothing is claimed of what was done by hand.
    ByHand,
}

impl Word {
    /// Something that was claimed was not shown.
    pub fn is_amiss(self) -> bool {
        match self {
            Self::Ruled(Ruling::Holds) | Self::ByHand => false,
            Self::Ruled(Ruling::Fails | Ruling::Inconclusive)
            | Self::Failure
            | Self::Interrupted => true,
        }
    }
}

/// `tcp_congestion_control bbr, tcp_rmem 4096 131072 33554432`: what hosts have from the machine; none: it is not on record.
pub(super) fn of_machine(tcp: &BTreeMap<String, String>) -> Option<String> {
    let short = |name: &str| name.rsplit('.').next().unwrap_or_default().to_owned();
    let told: Vec<String> = tcp
        .iter()
        .map(|(name, value)| format!("{} {value}", short(name)))
        .collect();
    (!told.is_empty()).then(|| told.join(", "))
}

/// `answers: 200 4 times, 502 6 times`; none where all answers tell of success (2xx), or there are none.
pub(super) fn other_answers(status: &BTreeMap<String, i64>) -> Option<String> {
    let other = status.keys().any(|code| !code.starts_with('2'));
    let told = status
        .iter()
        .map(|(code, number)| format!("{code} {}", times(*number)));
    other.then(|| format!("answers: {}", told.collect::<Vec<_>>().join(", ")))
}

/// `once`, `4 times`
pub(super) fn times(number: i64) -> String {
    match number {
        1 => "once".to_owned(),
        n => format!("{n} times"),
    }
}

/// The command that runs a case again and tells everything about it, to be pasted into a shell.
pub(super) fn again(file: &str, case: &str, seed: u64) -> String {
    let (file, case) = (shell(file), shell(case));
    format!("hairpin run {file} --case {case} --seed {seed} --explain")
}

/// One word of a shell: in single quotes where it would not be one as it is.
pub(crate) fn shell(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./:@%+=,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// What kind of case it is; by hand it is none.
pub(super) fn sort_word(kind: Kind, word: Word) -> &'static str {
    match word {
        Word::ByHand => "by hand",
        Word::Ruled(_) | Word::Failure | Word::Interrupted => kind_word(kind),
    }
}

/// `fault`, `fix`, `partial`, `control`
pub(crate) fn kind_word(kind: Kind) -> &'static str {
    match kind {
        Kind::Fault => "fault",
        Kind::Fix => "fix",
        Kind::Partial => "partial",
        Kind::Control => "control",
    }
}

/// `holds`, `fails`, `inconclusive`, `error`, `interrupted`, `by-hand`: for machines, the same for every kind of case.
pub(crate) fn machine_word(word: Word) -> &'static str {
    match word {
        Word::Ruled(Ruling::Holds) => "holds",
        Word::Ruled(Ruling::Fails) => "fails",
        Word::Ruled(Ruling::Inconclusive) => "inconclusive",
        Word::Failure => "error",
        Word::Interrupted => "interrupted",
        Word::ByHand => "by-hand",
    }
}

/// What a case makes of an entry of the lab's promise: it is kept, it is not, it cannot be told.
pub(super) const PROMISE: [&str; 3] = ["kept", "broken", "unknown"];

/// What a claim comes to: it is true, it is not, it cannot be told.
pub(super) const CLAIM: [&str; 3] = ["true", "false", "unknown"];

/// Over the lab's promise: what a case of this kind owes it.
pub(super) fn promised(kind: Kind) -> &'static str {
    match kind {
        Kind::Fault => "the lab's promise: a fault must break at least one entry of it",
        Kind::Fix => "the lab's promise: a fix must keep all of it",
        Kind::Control => "the lab's promise: a control must keep all of it",
        Kind::Partial => "the lab's promise: a partial owes it nothing",
    }
}

/// Over what a case claims beside the promise.
pub(super) const CLAIMED: &str = "what this case claims besides: all of it must be true";

/// What a case came to, in words that fit its kind.
pub(super) fn result_word(word: Word, kind: Kind) -> &'static str {
    match (word, kind) {
        (Word::Ruled(Ruling::Holds), Kind::Fault) => "reproduced",
        (Word::Ruled(Ruling::Holds), Kind::Partial) => "as claimed",
        (Word::Ruled(Ruling::Holds), Kind::Fix | Kind::Control) => "holds",
        (Word::Ruled(Ruling::Fails), _) => "fails",
        (Word::Ruled(Ruling::Inconclusive), _) => "inconclusive",
        (Word::Failure, _) => "could not run",
        (Word::Interrupted, _) => "interrupted",
        (Word::ByHand, _) => "no claim",
    }
}

/// `cross_zone.enabled: false`
pub(super) fn in_short(changes: &[Change]) -> String {
    let short = |change: &Change| {
        let words: Vec<&str> = change.path.split('.').collect();
        let tail = words[words.len().saturating_sub(2)..].join(".");
        match &change.after {
            Some(after) => format!("{tail}: {after}"),
            None => format!("{tail} removed"),
        }
    };
    changes.iter().map(short).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::lists;
    use crate::report::Proof;
    use serde_json::json;

    #[test]
    fn answers_are_told_when_any_is_no_success() {
        let met = |list: &[(&str, i64)]| -> BTreeMap<String, i64> {
            let entries = list.iter();
            entries
                .map(|(code, number)| ((*code).to_owned(), *number))
                .collect()
        };
        assert_eq!(other_answers(&met(&[])), None);
        assert_eq!(other_answers(&met(&[("200", 4), ("204", 1)])), None);
        assert_eq!(
            other_answers(&met(&[("200", 4), ("502", 6), ("504", 1)])).as_deref(),
            Some("answers: 200 4 times, 502 6 times, 504 once")
        );
    }

    #[test]
    fn settings_of_the_machine_are_told_by_their_last_words() {
        let tcp = |name: &str| format!("net.ipv4.{name}");
        let tcp = BTreeMap::from([
            (tcp("tcp_congestion_control"), "bbr".to_owned()),
            (tcp("tcp_rmem"), "4096 131072 33554432".to_owned()),
        ]);
        assert_eq!(
            of_machine(&tcp).as_deref(),
            Some("tcp_congestion_control bbr, tcp_rmem 4096 131072 33554432")
        );
        assert_eq!(of_machine(&BTreeMap::new()), None);
    }

    #[test]
    fn every_word_of_a_verdict_is_explained() {
        let rulings = [Ruling::Holds, Ruling::Fails, Ruling::Inconclusive].map(Word::Ruled);
        let words = rulings
            .into_iter()
            .chain([Word::Failure, Word::Interrupted, Word::ByHand]);
        let kinds = [Kind::Fault, Kind::Fix, Kind::Partial, Kind::Control];
        let proofs = [
            Proof::Proven,
            Proof::AnotherCase,
            Proof::StillFound,
            Proof::NotHeld,
            Proof::NotRun,
        ];
        let mut told: Vec<String> = Vec::new();
        for word in words {
            told.push(machine_word(word).to_owned());
            told.extend(kinds.map(|kind| result_word(word, kind).to_owned()));
        }
        told.extend(kinds.map(|kind| kind_word(kind).to_owned()));
        told.extend(PROMISE.iter().chain(&CLAIM).map(|word| (*word).to_owned()));
        told.extend(proofs.map(|proof| json!(proof).as_str().expect("a word").to_owned()));
        for word in told {
            assert!(lists::about(&word).is_some(), "nothing about `{word}`");
        }
    }

    #[test]
    fn the_command_can_be_pasted_whatever_the_file_is_called() {
        let rest = "--case as-deployed --seed 1 --explain";
        for (file, word) in [
            ("labs/nlb/lost-syn.yaml", "labs/nlb/lost-syn.yaml"),
            ("my labs/a.yaml", "'my labs/a.yaml'"),
            ("it's.yaml", "'it'\\''s.yaml'"),
            ("$(id).yaml", "'$(id).yaml'"),
        ] {
            let said = again(file, "as-deployed", 1);
            assert_eq!(said, format!("hairpin run {word} {rest}"));
        }
    }
}
