//! Claims: compiled against what can be said in this very case.

use super::{Claim, Sink};
use crate::diag::{Span, Spanned};
use crate::expr::{self, Shape};
use crate::spec;

/// Compiles expressions and finds their lines.
#[derive(Debug)]
pub(super) struct Compiler<'a> {
    shape: &'a Shape,
    lines: &'a Lines,
}

impl<'a> Compiler<'a> {
    /// A compiler for one case.
    pub(super) fn new(shape: &'a Shape, lines: &'a Lines) -> Self {
        Self { shape, lines }
    }

    /// Line of a place, from 1.
    pub(super) fn line(&self, span: Span) -> usize {
        self.lines.of(span)
    }

    /// One claim of `works` or `expect`.
    pub(super) fn claim(&mut self, claim: &spec::Claim, sink: &mut Sink) -> Option<Claim> {
        let words = claim.words.as_ref().map(|words| words.value.clone());
        self.expression(&claim.that, sink)
            .map(|compiled| Claim { words, ..compiled })
    }

    /// All claims of a list; those that do not compile are left out, and reported.
    pub(super) fn claims(&mut self, claims: &[spec::Claim], sink: &mut Sink) -> Vec<Claim> {
        claims
            .iter()
            .filter_map(|claim| self.claim(claim, sink))
            .collect()
    }

    /// A bare expression.
    pub(super) fn expression(&mut self, that: &Spanned<String>, sink: &mut Sink) -> Option<Claim> {
        let expr = expr::claim(that, self.shape, &mut sink.problems)?;
        Some(Claim {
            words: None,
            that: that.value.clone(),
            span: that.span,
            line: self.lines.of(that.span),
            expr,
        })
    }
}

/// Where the lines of a text begin.
#[derive(Debug)]
pub(super) struct Lines {
    starts: Vec<usize>,
}

impl Lines {
    /// Counts once, to look up often.
    pub(super) fn new(text: &str) -> Self {
        let after_feeds = text
            .bytes()
            .enumerate()
            .filter(|(_, byte)| *byte == b'\n')
            .map(|(at, _)| at + 1);
        Self {
            starts: std::iter::once(0).chain(after_feeds).collect(),
        }
    }

    /// From 1.
    pub(super) fn of(&self, span: Span) -> usize {
        self.starts.partition_point(|start| *start <= span.start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_count_from_one() {
        let lines = Lines::new("a\nb\n\nc");
        let at = |start| lines.of(Span { start, end: start });
        assert_eq!([at(0), at(1), at(2), at(4), at(5)], [1, 1, 2, 3, 4]);
    }
}
