//! The words for a case's kind, for what its run came to, and for what it changes.

use crate::plan::{Change, Kind};
use crate::verdict::Ruling;

/// What one outcome came to, the environment's failures included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// The verdict's ruling.
    Ruled(Ruling),
    /// The case could not be run.
    Failure,
    /// The user stopped the run before the case was over.
    Interrupted,
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

/// `holds`, `fails`, `inconclusive`, `error`, `interrupted`: for machines, the same for every kind of case.
pub(crate) fn machine_word(word: Word) -> &'static str {
    match word {
        Word::Ruled(Ruling::Holds) => "holds",
        Word::Ruled(Ruling::Fails) => "fails",
        Word::Ruled(Ruling::Inconclusive) => "inconclusive",
        Word::Failure => "error",
        Word::Interrupted => "interrupted",
    }
}

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
