//! Operators and their operands.

use super::names::{access, quoted};
use super::{Checker, Ty};
use crate::diag::{Span, did_you_mean};
use crate::expr::ast::{Kind, Node, Op};
use crate::expr::{Limits, codes};

impl<'s, 'n> Checker<'s, 'n> {
    pub(super) fn compare(&mut self, op: Op, node: &Node, left: &'n Node, right: &'n Node) {
        for (side, other) in [(left, right), (right, left)] {
            if matches!(side.kind, Kind::Null) {
                let ty = self.ty(other);
                let part = self.part(other);
                let help = match ty {
                    Ty::Text | Ty::Limited(_) | Ty::Word(_) => {
                        format!("write `{part} {} \"\"`", op.symbol())
                    }
                    Ty::Any
                    | Ty::Bool
                    | Ty::Int
                    | Ty::Float
                    | Ty::Millis
                    | Ty::List(_)
                    | Ty::Map(_)
                    | Ty::Counts(_)
                    | Ty::Record(_) => "compare it with a value".into(),
                };
                self.fault(
                    codes::NULL,
                    side.span,
                    "nothing in the evidence is null".into(),
                    Some(help),
                );
                return;
            }
        }
        let a = self.ty(left);
        if let (Kind::Name(word), Ty::Text | Ty::Limited(_) | Ty::Word(_)) = (&right.kind, &a)
            && self.resolve(word).is_none()
        {
            let help = format!("write text in quotes: `\"{word}\"`");
            self.fault(
                codes::NAME,
                right.span,
                format!("there is no `{word}`"),
                Some(help),
            );
            return;
        }
        let b = self.ty(right);
        let orderable = |ty: &Ty| ty.is_number() || matches!(ty, Ty::Text | Ty::Limited(_));
        if !a.may_equal(&b) || op.is_ordering() && !(orderable(&a) && orderable(&b)) {
            let message = if a.may_equal(&b) {
                format!(
                    "`{}` does not compare {} and {}",
                    op.symbol(),
                    a.words(),
                    b.words()
                )
            } else {
                format!(
                    "`{}` is {}, `{}` is {}",
                    self.part(left),
                    a.words(),
                    self.part(right),
                    b.words()
                )
            };
            let help = match (&a, &b) {
                (Ty::Bool, Ty::Int) | (Ty::Int, Ty::Bool) => {
                    Some("true and false are no numbers here".into())
                }
                (Ty::Text | Ty::Limited(_) | Ty::Word(_), Ty::Bool) => Some(format!(
                    "to ask whether it says anything, write `{} != \"\"`",
                    self.part(left)
                )),
                (Ty::List(_) | Ty::Map(_) | Ty::Counts(_), number) if number.is_number() => {
                    Some(format!(
                        "write `size({}) {} {}`",
                        self.part(left),
                        op.symbol(),
                        self.part(right)
                    ))
                }
                _ => unquoted(&a, right).or_else(|| unquoted(&b, left)),
            };
            self.fault(codes::COMPARE, node.span, message, help);
            return;
        }
        self.known_words(&a, left, right);
        self.known_words(&b, right, left);
    }

    /// Every text written in `other` is in the vocabulary of `ty`.
    pub(super) fn known_words(&mut self, ty: &Ty, path: &Node, other: &Node) {
        match &other.kind {
            Kind::Text(word) => {
                let help = if let Ty::Word(words) = ty
                    && !words.contains(&word.as_str())
                {
                    one_of(word, words)
                } else if let Ty::Limited(limits) = ty
                    && !limits.admit(word)
                {
                    admitted(limits, word)
                } else {
                    return;
                };
                self.fault(
                    codes::WORD,
                    other.span,
                    format!("`{}` is never \"{word}\"", self.part(path)),
                    Some(help),
                );
            }
            Kind::List(items) => items
                .iter()
                .for_each(|item| self.known_words(ty, path, item)),
            Kind::Choose(_, then, otherwise) => {
                self.known_words(ty, path, then);
                self.known_words(ty, path, otherwise);
            }
            Kind::Null
            | Kind::Bool(_)
            | Kind::Int(_)
            | Kind::Float(_)
            | Kind::Name(_)
            | Kind::Field(..)
            | Kind::Index(..)
            | Kind::Not(_)
            | Kind::Negate(_)
            | Kind::Binary(..)
            | Kind::Call(..)
            | Kind::Has(_)
            | Kind::Each { .. } => {}
        }
    }

    pub(super) fn contained(&mut self, left: &'n Node, right: &'n Node) {
        let a = self.ty(left);
        let b = self.ty(right);
        match b {
            Ty::Any => {}
            Ty::List(element) if a.may_equal(&element) => {
                self.known_words(&a, left, right);
                self.known_words(&element, right, left);
            }
            Ty::List(element) => {
                let message = format!(
                    "`{}` is {}, the elements of `{}` are {}",
                    self.part(left),
                    a.words(),
                    self.part(right),
                    element.words()
                );
                self.fault(codes::COMPARE, left.span, message, None);
            }
            Ty::Map(_) | Ty::Counts(_) | Ty::Record(_) if a.is_text() => {}
            Ty::Map(_) | Ty::Counts(_) | Ty::Record(_) => {
                let (name, map) = (self.part(left), self.part(right));
                let message = format!("the names in `{map}` are text, `{name}` is {}", a.words());
                self.fault(codes::CONTAINED, left.span, message, None);
            }
            ty @ (Ty::Bool
            | Ty::Int
            | Ty::Float
            | Ty::Millis
            | Ty::Text
            | Ty::Limited(_)
            | Ty::Word(_)) => {
                let message = format!(
                    "`in` looks into a list or a map, `{}` is {}",
                    self.part(right),
                    ty.words()
                );
                let help = match (&right.kind, &a) {
                    (Kind::Text(text), Ty::Word(_)) => {
                        let words: Vec<_> = text
                            .split_whitespace()
                            .map(|word| format!("\"{word}\""))
                            .collect();
                        Some(format!(
                            "write `{} in [{}]`",
                            self.part(left),
                            words.join(", ")
                        ))
                    }
                    _ if ty.is_text() => Some(format!(
                        "write `{}.contains({})`",
                        self.part(right),
                        self.part(left)
                    )),
                    _ => None,
                };
                self.fault(codes::CONTAINED, right.span, message, help);
            }
        }
    }

    pub(super) fn arithmetic(
        &mut self,
        op: Op,
        place: Span,
        node: &'n Node,
        left: &'n Node,
        right: &'n Node,
    ) -> Ty<'s> {
        if op == Op::Subtract
            && let Some(ty) = self.hyphenated(left, place)
        {
            return ty;
        }
        let (a, b) = (self.ty(left), self.ty(right));
        let (l, r) = (self.part(left), self.part(right));
        for (ty, part) in [(&a, l), (&b, r)] {
            if !ty.is_number() {
                let help = ty
                    .is_text()
                    .then(|| "text is compared whole, or with contains()".to_string());
                let message = format!(
                    "`{}` takes numbers, `{part}` is {}",
                    op.symbol(),
                    ty.words()
                );
                return self.fault(codes::OPERANDS, node.span, message, help);
            }
        }
        match (a, b) {
            (Ty::Any, _) | (_, Ty::Any) => Ty::Any,
            (Ty::Int, Ty::Int) if op == Op::Divide => {
                let help = match (&left.kind, &right.kind) {
                    (Kind::Int(x), Kind::Int(y)) => format!("write `{x}.0 / {y}.0`"),
                    _ => format!("write `share({l}, {r})`"),
                };
                self.fault(
                    codes::DIVISION,
                    node.span,
                    "a division of integers drops the rest".into(),
                    Some(help),
                );
                Ty::Float
            }
            (Ty::Int, Ty::Int) => Ty::Int,
            (a, b) if a == Ty::Int || b == Ty::Int => {
                let (int, part) = if a == Ty::Int { (left, l) } else { (right, r) };
                let help = match &int.kind {
                    Kind::Int(n) => format!("write `{n}.0`"),
                    _ => format!("write `double({part})`"),
                };
                let message = format!(
                    "`{}` takes two integers or two floats; `{part}` is an integer",
                    op.symbol()
                );
                self.fault(codes::NUMBERS, int.span, message, Some(help));
                Ty::Float
            }
            _ if op == Op::Remainder => {
                self.fault(
                    codes::OPERANDS,
                    node.span,
                    "`%` takes integers".into(),
                    None,
                );
                Ty::Int
            }
            _ => Ty::Float,
        }
    }

    /// `web-1.ok` is read as `web` minus `1.ok`. What stands there without blanks may be a name of the lab.
    pub(super) fn hyphenated(&mut self, left: &'n Node, place: Span) -> Option<Ty<'s>> {
        let in_name = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let before = self.text[..place.start].trim_end_matches(in_name).len();
        let after = self.text.len() - self.text[place.end..].trim_start_matches(in_name).len();
        let name = &self.text[before..after];
        if before == place.start || after == place.end {
            return None;
        }
        // The path that the name's beginning hangs on: nothing for `web-1.ok`, `hosts` for `hosts.web-1.ok`.
        let mut first = left;
        while let Kind::Binary(Op::Subtract, _, inner, _) = &first.kind {
            first = inner;
        }
        let (start, home) = match &first.kind {
            Kind::Name(root) if self.resolve(root).is_none() => {
                (first.span.start, self.home_of(name)?)
            }
            Kind::Field(base, _)
                if self
                    .items(base)
                    .is_some_and(|items| items.contains_key(name)) =>
            {
                (base.span.start, self.part(base))
            }
            _ => return None,
        };
        let span = Span { start, end: after };
        let help = format!("write `{}`", access(home, name));
        Some(self.fault(
            codes::HYPHEN,
            span,
            format!("`{name}` is a subtraction here"),
            Some(help),
        ))
    }
}

/// What to write instead of a text that it cannot be.
fn admitted(limits: &Limits, word: &str) -> String {
    match limits {
        Limits::Names(names) => {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            one_of(word, &names)
        }
        Limits::Flags => "flags are written as tcpdump prints them: \"S\", \"S.\", \".\", \"P.\", \"F.\", \"R\", \"R.\"; with ECN \
                          \"SEW\""
            .to_owned(),
    }
}

/// What to write instead of a word that is none of these.
fn one_of(word: &str, words: &[&str]) -> String {
    let begun = format!("{word}: ");
    if words.iter().any(|known| known.starts_with(&begun)) {
        return format!(
            "it has its reason behind it; whatever that is: `.startsWith(\"{begun}\")`"
        );
    }
    match did_you_mean(word, words.iter().copied().filter(|w| !w.is_empty())) {
        Some(near) => format!("did you mean `\"{near}\"`? It is one of: {}", quoted(words)),
        None => format!("it is one of: {}", quoted(words)),
    }
}

/// What to write for a number in quotes that is compared with a number.
fn unquoted(other: &Ty, node: &Node) -> Option<String> {
    match &node.kind {
        Kind::Text(text) if other.is_number() && text.parse::<f64>().is_ok_and(f64::is_finite) => {
            Some(format!("write `{text}` without quotes"))
        }
        _ => None,
    }
}
