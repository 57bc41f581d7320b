//! Expectations: a subset of CEL over the evidence, checked before anything runs.
//!
//! The parser and evaluator are our own rather than the `cel` crate's: that one gives a select's place as its dot
//! alone, reports run-time errors without a place, overflows the stack on a few hundred operators, and needs lexer
//! scan, static checker and error mapping around it that together are longer than the language. Here a text is
//! bounded first (length, operators, nesting of macros), then parsed, then every name, word and operand is checked
//! against a [`Shape`]; evaluation borrows the evidence and has a budget. So any text ends in a diagnostic or an
//! [`Expr`], and any [`Expr`] in a [`Truth`].
//!
//! Of CEL: `?: || && == != < <= > >= in + - * / % ! -`, selectors, indexes, lists, `has`, `size`, `double`,
//! `startsWith`, `endsWith`, `contains`, `all`, `exists`, `exists_one`, `filter`, `map`. Added: `share`, `between`,
//! `plausible`. Left out: maps and messages, bytes, unsigned numbers, null, types, joining of texts and lists.
//! Here is no judging: what an unknown value means for a case, see `verdict`.

mod ast;
mod binomial;
mod check;
mod eval;
mod fixed;
mod lex;
mod limits;
mod parse;
mod paths;
#[cfg(test)]
mod tests;

use crate::diag::codes::expr as codes;
use crate::diag::{Diagnostic, Diagnostics, Span, Spanned};
pub use limits::Limits;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

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
    /// Text that can be only so, which no list of words says once and for all: comparing with other text is an error.
    Limited(Limits),
    /// Text out of a closed vocabulary: comparing with another word is an error.
    Word(&'static [&'static str]),
    /// All elements alike.
    List(Arc<Type>),
    /// Any key; a missing one makes the value unknown (inconclusive).
    Map(Arc<Type>),
    /// The same of integers, where many keys are known: a field that is nearly one of them is an error, an index in
    /// quotes may be anything.
    Counts(&'static [&'static str]),
    /// These keys and no others.
    Record(Arc<BTreeMap<String, Type>>),
}

/// Names of functions, and of CEL's macros over lists.
pub fn functions() -> impl Iterator<Item = &'static str> {
    let functions = ast::Function::ALL.into_iter().map(ast::Function::name);
    functions.chain(ast::Each::ALL.into_iter().map(ast::Each::name))
}

/// What expressions may say: the roots and their types.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Shape {
    /// By name.
    pub roots: BTreeMap<String, Type>,
}

/// In the evidence: a text of which only the beginning is known, and how many bytes are behind it. What they could decide is
/// unknown.
pub fn text(beginning: &str, missing: i64) -> Value {
    match missing {
        0 => beginning.into(),
        _ => serde_json::json!({ eval::BEGINNING: [beginning, missing] }),
    }
}

/// A compiled and checked boolean expression.
#[derive(Clone, Debug)]
pub struct Expr {
    /// Its source.
    pub text: String,
    /// Its comparisons in which a [`Type::Millis`] is mentioned.
    timed: Arc<[Span]>,
    root: Arc<ast::Node>,
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
///
/// None when anything is wrong, with at least one diagnostic in the sink.
pub fn compile(source: &Spanned<String>, shape: &Shape, sink: &mut Diagnostics) -> Option<Expr> {
    let text = &source.value;
    let (root, faults, timed) = match parse::parse(text) {
        Ok(root) => {
            let checked = check::check(text, &root, shape);
            (Some(root), checked.faults, checked.timed)
        }
        Err(fault) => (None, vec![fault], Vec::new()),
    };
    let sound = told(faults, source, sink);
    let root = root.filter(|_| sound)?;
    Some(Expr {
        text: text.clone(),
        timed: timed.into(),
        root: Arc::new(root),
    })
}

/// The same of an expression that is there to tell something: one that no evidence can change is wrong, as a whole or in part.
pub fn claim(source: &Spanned<String>, shape: &Shape, sink: &mut Diagnostics) -> Option<Expr> {
    let expr = compile(source, shape, sink)?;
    told(fixed::check(&expr.text, &expr.root), source, sink).then_some(expr)
}

/// Puts faults into the sink. True: there were none.
fn told(faults: Vec<Diagnostic>, source: &Spanned<String>, sink: &mut Diagnostics) -> bool {
    let none = faults.is_empty();
    for fault in faults {
        sink.push(placed(fault, &source.value, source.span));
    }
    none
}

/// Moves a diagnostic from the text of an expression to the file: exactly where it was written plainly or in quotes;
/// to the whole where the file has escapes or line breaks that the text has not.
fn placed(mut fault: Diagnostic, text: &str, whole: Span) -> Diagnostic {
    let written = whole.end.saturating_sub(whole.start);
    fault.span = match written.checked_sub(text.len()) {
        Some(quotes @ (0 | 2)) => Span {
            start: whole.start + quotes / 2 + fault.span.start,
            end: whole.start + quotes / 2 + fault.span.end,
        },
        Some(_) | None => whole,
    };
    fault
}

impl Expr {
    /// What it comes to on this evidence, an object of roots.
    pub fn eval(&self, evidence: &Value) -> Truth {
        self.told(eval::Evaluator::new(&self.text, evidence))
    }

    /// True when it compares times.
    pub fn is_time_bound(&self) -> bool {
        !self.timed.is_empty()
    }

    /// The same where times are known only to `leeway` ms: a comparison of times that would come out otherwise within
    /// it is unknown.
    pub fn eval_within(&self, evidence: &Value, leeway: f64) -> Truth {
        let evaluator = eval::Evaluator::new(&self.text, evidence);
        self.told(evaluator.with_leeway(&self.timed, leeway))
    }

    fn told<'a>(&'a self, mut evaluator: eval::Evaluator<'a>) -> Truth {
        match evaluator.truth(&self.root) {
            Ok(true) => Truth::True,
            Ok(false) => Truth::False,
            Err(why) => Truth::Unknown(why),
        }
    }

    /// What it claims one by one, where `&&` joins several: each as written, with what it came to.
    pub fn parts(&self, evidence: &Value) -> Vec<(String, Truth)> {
        let mut nodes = Vec::new();
        conjuncts(&self.root, &mut nodes);
        let told = |node: &ast::Node| match eval::Evaluator::new(&self.text, evidence).truth(node) {
            Ok(true) => Truth::True,
            Ok(false) => Truth::False,
            Err(why) => Truth::Unknown(why),
        };
        let part = |node: &ast::Node| {
            (
                self.text[node.span.start..node.span.end].to_owned(),
                told(node),
            )
        };
        nodes.into_iter().map(part).collect()
    }

    /// Each longest path it mentions, as written and in order, with its value: `("new.syns", 1)`.
    ///
    /// Null where the evidence has no such value. A list too long to print is told by its length, as text, and by how many
    /// of its entries are as the macro over it asks.
    pub fn values(&self, evidence: &Value) -> Vec<(String, Value)> {
        let mut list: Vec<(String, Value)> = Vec::new();
        for mention in paths::paths(&self.root) {
            let span = mention.node.span;
            let path = self.text[span.start..span.end].to_string();
            let told = (path, paths::printable(&self.text, evidence, &mention));
            if !list.contains(&told) {
                list.push(told);
            }
        }
        list
    }
}

/// The operands of a chain of `&&`, in the order of the text.
fn conjuncts<'n>(node: &'n ast::Node, list: &mut Vec<&'n ast::Node>) {
    match &node.kind {
        ast::Kind::Binary(ast::Op::And, _, a, b) => {
            conjuncts(a, list);
            conjuncts(b, list);
        }
        ast::Kind::Null
        | ast::Kind::Bool(_)
        | ast::Kind::Int(_)
        | ast::Kind::Float(_)
        | ast::Kind::Text(_)
        | ast::Kind::List(_)
        | ast::Kind::Name(_)
        | ast::Kind::Field(..)
        | ast::Kind::Index(..)
        | ast::Kind::Not(_)
        | ast::Kind::Negate(_)
        | ast::Kind::Binary(..)
        | ast::Kind::Choose(..)
        | ast::Kind::Call(..)
        | ast::Kind::Has(_)
        | ast::Kind::Each { .. } => list.push(node),
    }
}
