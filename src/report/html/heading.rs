//! A case in one line, and the sign of what became of it or of a claim.

use super::case_anchor;
use crate::report::words::{machine_word, result_word, sort_word};
use crate::report::{Record, Truth, Word};
use crate::verdict::Ruling;
use serde::Serialize;

/// A case: where it stands on the page, its name, and what it came to.
#[derive(Serialize)]
pub(super) struct Heading {
    id: String,
    name: String,
    kind: &'static str,
    #[serde(flatten)]
    sign: Sign,
}

/// How something turned out, in a colour, a letter and a word.
#[derive(Serialize)]
pub(super) struct Sign {
    /// For colours: what is kept or true is `holds`, what is broken or false `fails`.
    state: &'static str,
    mark: &'static str,
    word: &'static str,
}

impl Heading {
    pub(super) fn new(record: &Record) -> Self {
        Self {
            id: case_anchor(record),
            name: record.case.clone(),
            kind: sort_word(record.kind, record.verdict),
            sign: Sign {
                state: machine_word(record.verdict),
                mark: mark(record.verdict),
                word: result_word(record.verdict, record.kind),
            },
        }
    }
}

impl Sign {
    /// Of a claim: the words for one that holds, one that does not, and one that cannot be told.
    pub(super) fn of(truth: Truth, [holds, fails, unknown]: [&'static str; 3]) -> Self {
        let (state, mark, word) = match truth {
            Truth::Holds => ("holds", "\u{2713}", holds),
            Truth::Fails => ("fails", "\u{2717}", fails),
            Truth::Inconclusive => ("inconclusive", "?", unknown),
        };
        Self { state, mark, word }
    }
}

fn mark(word: Word) -> &'static str {
    match word {
        Word::Ruled(Ruling::Holds) => "\u{2713}",
        Word::Ruled(Ruling::Fails) => "\u{2717}",
        Word::Ruled(Ruling::Inconclusive) => "?",
        Word::Failure => "!",
        Word::Interrupted => "\u{2013}",
        Word::ByHand => "\u{270b}",
    }
}
