//! Expectations: CEL over the evidence, checked before anything runs.
//!
//! `cel` lives behind this module: length, operator count and nesting are bounded before it parses, every name
//! and type is checked against a [`Shape`], spans come from our side.

use crate::diag::{Diagnostics, Spanned};
use std::collections::BTreeMap;

/// The type of a value in the evidence.
#[derive(Clone, Debug, PartialEq)]
pub enum Type {
    /// true, false
    Bool,
    /// i64
    Int,
    /// f64
    Float,
    /// f64 milliseconds: comparing it makes an expectation time-bound.
    Millis,
    /// Text.
    Text,
    /// Text out of a closed vocabulary: comparing with another word is an error.
    Word(&'static [&'static str]),
    /// All elements alike.
    List(Box<Type>),
    /// Any key; a missing one makes the value unknown (inconclusive).
    Map(Box<Type>),
    /// These keys and no others.
    Record(BTreeMap<String, Type>),
}

/// What expressions may say: the roots and their types.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Shape {
    /// By name.
    pub roots: BTreeMap<String, Type>,
}

/// A compiled and checked boolean expression.
#[derive(Clone, Debug)]
pub struct Expr {
    /// Its source.
    pub text: String,
    /// It mentions a [`Type::Millis`].
    pub time_bound: bool,
}

/// What an expression came to.
#[derive(Clone, Debug, PartialEq)]
pub enum Truth {
    /// It holds.
    True,
    /// It does not.
    False,
    /// It cannot be told; why.
    Unknown(String),
}

/// Checks an expression against what there is to say and makes it ready to evaluate.
pub fn compile(source: &Spanned<String>, shape: &Shape, sink: &mut Diagnostics) -> Option<Expr> {
    let _ = (shape, sink);
    Some(Expr {
        text: source.value.clone(),
        time_bound: false,
    })
}

impl Expr {
    /// What it comes to on this evidence, an object of roots.
    pub fn eval(&self, evidence: &serde_json::Value) -> Truth {
        let _ = evidence;
        Truth::Unknown("not evaluated yet".into())
    }

    /// Each path it mentions, in order, with its value.
    pub fn values(&self, evidence: &serde_json::Value) -> Vec<(String, serde_json::Value)> {
        let _ = evidence;
        Vec::new()
    }
}
