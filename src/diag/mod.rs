//! Diagnostics: what is wrong with a lab or an expression, where, and what to write instead.
//!
//! Many are collected in one go ([`Diagnostics`]) and rendered like rustc does ([`render`]).
//! Not here: the rules themselves (see `spec`, `plan`, `expr`); their codes and pages are in [`codes`].

/// A byte range of a lab's source text, `start..end`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

/// A value and where it was written.
#[derive(Clone, Debug, PartialEq)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Where it stands in the lab; a default has the span of the item it belongs to.
    pub span: Span,
}

impl<T> Spanned<T> {
    /// Pairs a value with its place.
    pub fn new(value: T, span: Span) -> Self {
        Self { value, span }
    }
}
