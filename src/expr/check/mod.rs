//! The static checker: every name, field, word and operand against the shape, before anything runs.
//!
//! It goes on after a mistake, with [`Ty::Any`] in the place of what it could not type, so that one pass tells them
//! all. What it lets through can at run time only come to a boolean or to "unknown".

mod names;
mod operators;
mod ty;

use super::ast::{Each, Function, Kind, Node, Op};
use super::{Shape, codes};
use crate::diag::{Code, Diagnostic, Span};
use ty::Ty;

/// What the checker found out.
pub(super) struct Checked {
    pub faults: Vec<Diagnostic>,
    /// Comparisons in which a [`Type::Millis`](super::Type::Millis) is mentioned.
    pub timed: Vec<Span>,
}

/// Checks a whole expression, which must be boolean.
pub(super) fn check(text: &str, root: &Node, shape: &Shape) -> Checked {
    let mut checker = Checker {
        text,
        shape,
        scope: Vec::new(),
        faults: Vec::new(),
        times: 0,
        timed: Vec::new(),
    };
    let ty = checker.ty(root);
    if !matches!(ty, Ty::Any | Ty::Bool) {
        let fault = Diagnostic::new(
            codes::RESULT,
            root.span,
            format!("an expectation is true or false, this is {}", ty.words()),
        );
        let help = checker.as_boolean(root, &ty);
        checker.faults.push(fault.help(help));
    }
    Checked {
        faults: checker.faults,
        timed: checker.timed,
    }
}

struct Checker<'s, 'n> {
    text: &'n str,
    shape: &'s Shape,
    /// Variables of the macros around.
    scope: Vec<(&'n str, Ty<'s>)>,
    faults: Vec<Diagnostic>,
    /// Times mentioned so far.
    times: usize,
    timed: Vec<Span>,
}

impl<'s, 'n> Checker<'s, 'n> {
    fn part(&self, node: &Node) -> &'n str {
        &self.text[node.span.start..node.span.end]
    }

    /// Complains; the place counts as [`Ty::Any`] from there on.
    fn fault(&mut self, code: Code, span: Span, message: String, help: Option<String>) -> Ty<'s> {
        let mut fault = Diagnostic::new(code, span, message);
        fault.help = help;
        self.faults.push(fault);
        Ty::Any
    }

    fn ty(&mut self, node: &'n Node) -> Ty<'s> {
        let before = self.times;
        let ty = match &node.kind {
            Kind::Null => self.fault(
                codes::NULL,
                node.span,
                "nothing in the evidence is null".into(),
                Some("a text that says nothing is `\"\"`; whether a counter is there tells `has(...)`".into()),
            ),
            Kind::Bool(_) => Ty::Bool,
            Kind::Int(_) => Ty::Int,
            Kind::Float(_) => Ty::Float,
            Kind::Text(_) => Ty::Text,
            Kind::List(items) => self.list(items),
            Kind::Name(name) => self.name(node, name),
            Kind::Field(base, field) => self.field(node, base, field),
            Kind::Index(base, index) => self.index(base, index),
            Kind::Not(inner) => {
                self.condition(inner, "`!` takes");
                Ty::Bool
            }
            Kind::Negate(inner) => match self.ty(inner) {
                Ty::Millis => Ty::Float,
                ty @ (Ty::Any | Ty::Int | Ty::Float) => ty,
                ty @ (Ty::Bool | Ty::Text | Ty::Limited(_) | Ty::Word(_) | Ty::List(_) | Ty::Map(_) | Ty::Counts(_) | Ty::Record(_)) => self.fault(
                    codes::OPERANDS,
                    node.span,
                    format!("`-` takes a number, `{}` is {}", self.part(inner), ty.words()),
                    None,
                ),
            },
            Kind::Binary(op, place, left, right) => match op {
                Op::And | Op::Or => {
                    let takes = format!("`{}` takes", op.symbol());
                    self.condition(left, &takes);
                    self.condition(right, &takes);
                    Ty::Bool
                }
                Op::Equal | Op::NotEqual | Op::Less | Op::LessEqual | Op::Greater | Op::GreaterEqual => {
                    self.compare(*op, node, left, right);
                    Ty::Bool
                }
                Op::In => {
                    self.contained(left, right);
                    Ty::Bool
                }
                Op::Add | Op::Subtract | Op::Multiply | Op::Divide | Op::Remainder => {
                    self.arithmetic(*op, *place, node, left, right)
                }
            },
            Kind::Choose(condition, then, otherwise) => {
                self.condition(condition, "`?` takes");
                let (a, b) = (self.ty(then), self.ty(otherwise));
                self.joined(a, b, otherwise)
            }
            Kind::Call(function, arguments) => self.call(*function, node, arguments),
            Kind::Has(path) => {
                self.ty(path);
                Ty::Bool
            }
            Kind::Each { how, over, variable, body } => self.each(*how, over, variable, body),
        };
        self.times += usize::from(ty == Ty::Millis);
        if self.times > before && node.compares() {
            self.timed.push(node.span);
        }
        ty
    }

    /// One type for two branches or two elements.
    fn joined(&mut self, a: Ty<'s>, b: Ty<'s>, second: &Node) -> Ty<'s> {
        match (a, b) {
            (a, b) if a == b => a,
            (Ty::Any, other) | (other, Ty::Any) => other,
            (a, b) if a.is_number() && b.is_number() => Ty::Float,
            (a, b) if a.is_text() && b.is_text() => Ty::Text,
            (a @ Ty::List(_), Ty::List(_)) => a,
            (a, b) => self.fault(
                codes::MIXED,
                second.span,
                format!(
                    "`{}` is {}, the one before it is {}",
                    self.part(second),
                    b.words(),
                    a.words()
                ),
                None,
            ),
        }
    }

    fn list(&mut self, items: &'n [Node]) -> Ty<'s> {
        let mut element = Ty::Any;
        for item in items {
            let ty = self.ty(item);
            element = self.joined(element, ty, item);
        }
        Ty::List(Box::new(element))
    }

    fn condition(&mut self, node: &'n Node, takes: &str) {
        let ty = self.ty(node);
        if !matches!(ty, Ty::Any | Ty::Bool) {
            let help = self.as_boolean(node, &ty);
            let message = format!("{takes} a boolean, `{}` is {}", self.part(node), ty.words());
            self.fault(codes::CONDITION, node.span, message, Some(help));
        }
    }

    /// What to write where a boolean was wanted.
    fn as_boolean(&self, node: &Node, ty: &Ty) -> String {
        let part = self.part(node);
        match ty {
            Ty::Record(fields) if fields.contains_key("ok") => format!("write `{part}.ok`"),
            Ty::Int | Ty::Float | Ty::Millis => format!("compare it: `{part} > 0`"),
            Ty::Text | Ty::Limited(_) | Ty::Word(_) => format!("compare it: `{part} == \"...\"`"),
            Ty::List(_) | Ty::Map(_) | Ty::Counts(_) => {
                format!("ask how many there are: `size({part}) > 0`")
            }
            Ty::Any | Ty::Bool | Ty::Record(_) => "compare one of its fields with a value".into(),
        }
    }

    fn call(&mut self, function: Function, node: &Node, arguments: &'n [Node]) -> Ty<'s> {
        let types: Vec<Ty> = arguments.iter().map(|argument| self.ty(argument)).collect();
        let fits: fn(usize, &Ty) -> bool = match function {
            Function::Share | Function::Between => |_, ty| ty.is_number(),
            Function::Plausible => |i, ty| match i {
                0 | 1 => matches!(ty, Ty::Any | Ty::Int),
                _ => matches!(ty, Ty::Any | Ty::Float),
            },
            Function::Size => |_, ty| {
                matches!(
                    ty,
                    Ty::Any | Ty::List(_) | Ty::Map(_) | Ty::Counts(_) | Ty::Record(_)
                ) || ty.is_text()
            },
            Function::Double => |_, ty| ty.is_number(),
            Function::StartsWith | Function::EndsWith | Function::Contains => |_, ty| ty.is_text(),
        };
        for (i, (ty, argument)) in types.iter().zip(arguments).enumerate() {
            if !fits(i, ty) {
                let message = format!(
                    "`{}` does not take `{}`, {}",
                    function.usage(),
                    self.part(argument),
                    ty.words()
                );
                let help = match (&argument.kind, function) {
                    (Kind::Int(n), Function::Plausible) => Some(format!("write `{n}.0`")),
                    _ => None,
                };
                return self.fault(codes::ARGUMENTS, argument.span, message, help);
            }
        }
        if let (Function::Plausible, Some(Kind::Float(p))) =
            (function, arguments.get(2).map(|a| &a.kind))
            && !(0.0..=1.0).contains(p)
        {
            return self.fault(
                codes::ARGUMENTS,
                node.span,
                format!("{p} is no probability"),
                None,
            );
        }
        if let (Function::Between, [x, low, high]) = (function, arguments)
            && let (Some(a), Some(b)) = (literal(low), literal(high))
            && a > b
        {
            return self.nothing_between(node, x, low, high);
        }
        match function {
            Function::Share | Function::Double => Ty::Float,
            Function::Between | Function::Plausible => Ty::Bool,
            Function::StartsWith | Function::EndsWith | Function::Contains => Ty::Bool,
            Function::Size => Ty::Int,
        }
    }

    /// Apart, since what it needs of the stack is nothing that every level of an expression should have.
    #[inline(never)]
    fn nothing_between(&mut self, node: &Node, x: &Node, low: &Node, high: &Node) -> Ty<'s> {
        let (x, low, high) = (self.part(x), self.part(low), self.part(high));
        self.fault(
            codes::ARGUMENTS,
            node.span,
            format!("nothing is between {low} and {high}"),
            Some(format!("write `between({x}, {high}, {low})`")),
        )
    }

    fn each(&mut self, how: Each, over: &'n Node, variable: &'n str, body: &'n Node) -> Ty<'s> {
        let range = self.ty(over);
        let element = match &range {
            Ty::Any => Ty::Any,
            Ty::List(element) => (**element).clone(),
            // CEL's macros go over a map's keys.
            Ty::Map(_) | Ty::Counts(_) | Ty::Record(_) => Ty::Text,
            Ty::Bool
            | Ty::Int
            | Ty::Float
            | Ty::Millis
            | Ty::Text
            | Ty::Limited(_)
            | Ty::Word(_) => {
                let message = format!(
                    "`{}` goes over a list or a map, `{}` is {}",
                    how.name(),
                    self.part(over),
                    range.words()
                );
                self.fault(codes::MACRO, over.span, message, None)
            }
        };
        self.scope.push((variable, element.clone()));
        let result = match how {
            Each::All | Each::Exists | Each::ExistsOne => {
                self.condition(body, &format!("`{}` takes", how.name()));
                Ty::Bool
            }
            Each::Filter => {
                self.condition(body, "`filter` takes");
                Ty::List(Box::new(element))
            }
            Each::Map => Ty::List(Box::new(self.ty(body))),
        };
        self.scope.pop();
        result
    }
}

/// A number that is written as such.
fn literal(node: &Node) -> Option<f64> {
    match &node.kind {
        Kind::Int(n) => Some(*n as f64),
        Kind::Float(n) => Some(*n),
        Kind::Negate(inner) => literal(inner).map(|n| -n),
        _ => None,
    }
}
