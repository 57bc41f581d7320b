//! The type of an expression's part: a shape's type, or nothing known.

use crate::expr::{Limits, Type};
use std::collections::BTreeMap;

/// The type of an expression's part.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Ty<'s> {
    /// An element of an empty list, or of something that has been complained about.
    Any,
    Bool,
    Int,
    Float,
    Millis,
    Text,
    Limited(&'s Limits),
    Word(&'static [&'static str]),
    List(Box<Ty<'s>>),
    Map(&'s Type),
    Counts(&'static [&'static str]),
    Record(&'s BTreeMap<String, Type>),
}

impl<'s> Ty<'s> {
    pub(super) fn of(declared: &'s Type) -> Self {
        match declared {
            Type::Bool => Ty::Bool,
            Type::Int => Ty::Int,
            Type::Float => Ty::Float,
            Type::Millis => Ty::Millis,
            Type::Text => Ty::Text,
            Type::Limited(limits) => Ty::Limited(limits),
            Type::Word(words) => Ty::Word(words),
            Type::List(element) => Ty::List(Box::new(Ty::of(element))),
            Type::Map(value) => Ty::Map(value),
            Type::Counts(names) => Ty::Counts(names),
            Type::Record(fields) => Ty::Record(fields),
        }
    }

    pub(super) fn is_number(&self) -> bool {
        matches!(self, Ty::Any | Ty::Int | Ty::Float | Ty::Millis)
    }

    pub(super) fn is_text(&self) -> bool {
        matches!(self, Ty::Any | Ty::Text | Ty::Limited(_) | Ty::Word(_))
    }

    pub(super) fn may_equal(&self, other: &Ty) -> bool {
        match (self, other) {
            (Ty::Any, _) | (_, Ty::Any) | (Ty::Bool, Ty::Bool) => true,
            (Ty::List(a), Ty::List(b)) => a.may_equal(b),
            _ => self.is_number() && other.is_number() || self.is_text() && other.is_text(),
        }
    }

    pub(super) fn words(&self) -> &'static str {
        match self {
            Ty::Any => "anything",
            Ty::Bool => "a boolean",
            Ty::Int => "an integer",
            Ty::Float => "a float",
            Ty::Millis => "a time in milliseconds",
            Ty::Text | Ty::Limited(_) => "text",
            Ty::Word(_) => "a word",
            Ty::List(_) => "a list",
            Ty::Map(_) | Ty::Counts(_) => "a map",
            Ty::Record(_) => "a group of fields",
        }
    }
}
