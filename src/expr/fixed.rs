//! What comes out the same whatever is in the evidence: a claim of it cannot fail, or never holds.
//!
//! Looked at are the places where something true or false is asked for: a whole claim, and the operands of `&&`, `||`, `!`
//! and `?:`. What stands between comparisons, `size([1, 2])` say, is a way to write a number.

use super::ast::{Kind, Node, Op};
use super::{codes, eval};
use crate::diag::Diagnostic;
use serde_json::Value;

/// A claim that says nothing of what happened, or of which a part does not.
pub(super) fn check(text: &str, root: &Node) -> Vec<Diagnostic> {
    let mut finder = Finder {
        text,
        faults: Vec::new(),
    };
    finder.asked(root);
    finder.faults
}

struct Finder<'t> {
    text: &'t str,
    faults: Vec<Diagnostic>,
}

impl<'t> Finder<'t> {
    fn part(&self, node: &Node) -> &'t str {
        &self.text[node.span.start..node.span.end]
    }

    /// Something that is to be true or false.
    fn asked(&mut self, node: &Node) {
        match mentions(node, &mut Vec::new()) {
            true => self.within(node),
            false => self.fixed(node),
        }
    }

    fn fixed(&mut self, node: &Node) {
        let part = self.part(node);
        let truth = eval::Evaluator::new(self.text, &Value::Null).truth(node);
        let message = match truth {
            Ok(truth) => format!("`{part}` is {truth} whatever happens"),
            Err(_) => format!("`{part}` can never be told"),
        };
        let fault = Diagnostic::new(codes::FIXED, node.span, message);
        self.faults.push(
            fault.help("compare something that the case comes to: `new.ok`, `new.syns == 1`"),
        );
    }

    /// What is asked inside of something that is not fixed as a whole.
    fn within(&mut self, node: &Node) {
        match &node.kind {
            Kind::Binary(Op::And | Op::Or, _, left, right) => {
                self.asked(left);
                self.asked(right);
            }
            Kind::Binary(op, _, left, right) if op.is_relation() => {
                self.compared(node, left, right)
            }
            Kind::Not(inner) => self.asked(inner),
            Kind::Choose(condition, then, otherwise) => {
                self.asked(condition);
                self.within(then);
                self.within(otherwise);
            }
            // Its body may be fixed: `list.exists(x, true)` asks whether there is anything.
            Kind::Each { body, .. } => self.within(body),
            Kind::Null
            | Kind::Bool(_)
            | Kind::Int(_)
            | Kind::Float(_)
            | Kind::Text(_)
            | Kind::List(_)
            | Kind::Name(_)
            | Kind::Field(..)
            | Kind::Index(..)
            | Kind::Negate(_)
            | Kind::Binary(..)
            | Kind::Call(..)
            | Kind::Has(_) => {}
        }
    }

    /// Something is always as large as itself.
    fn compared(&mut self, node: &Node, left: &Node, right: &Node) {
        let same = self.part(left) == self.part(right) && mentions(left, &mut Vec::new());
        if same {
            let message = format!("`{}` is compared with itself", self.part(left));
            let fault = Diagnostic::new(codes::FIXED, node.span, message);
            self.faults
                .push(fault.help("compare it with another value"));
        }
    }
}

/// It names something of the evidence. `fixed`: variables that go over what does not.
fn mentions<'n>(node: &'n Node, fixed: &mut Vec<&'n str>) -> bool {
    match &node.kind {
        Kind::Null | Kind::Bool(_) | Kind::Int(_) | Kind::Float(_) | Kind::Text(_) => false,
        Kind::Name(name) => !fixed.contains(&name.as_str()),
        Kind::List(items) | Kind::Call(_, items) => items.iter().any(|item| mentions(item, fixed)),
        Kind::Field(inner, _) | Kind::Not(inner) | Kind::Negate(inner) | Kind::Has(inner) => {
            mentions(inner, fixed)
        }
        Kind::Index(left, right) | Kind::Binary(_, _, left, right) => {
            mentions(left, fixed) || mentions(right, fixed)
        }
        Kind::Choose(condition, then, otherwise) => [condition, then, otherwise]
            .into_iter()
            .any(|part| mentions(part, fixed)),
        Kind::Each {
            over,
            variable,
            body,
            ..
        } => {
            if mentions(over, fixed) {
                return true;
            }
            fixed.push(variable);
            let mentioned = mentions(body, fixed);
            fixed.pop();
            mentioned
        }
    }
}
