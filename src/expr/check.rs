//! The static checker: every name, field, word and operand against the shape, before anything runs.
//!
//! It goes on after a mistake, with [`Ty::Any`] in the place of what it could not type, so that one pass tells them
//! all. What it lets through can at run time only come to a boolean or to "unknown".

use super::ast::{Each, Function, Kind, Node, Op};
use super::{Shape, Type, codes};
use crate::diag::{Code, Diagnostic, Span, did_you_mean};
use std::collections::BTreeMap;

/// How many names an error lists.
const MAX_NAMES: usize = 16;

/// The type of an expression's part.
#[derive(Clone, Debug, PartialEq)]
enum Ty<'s> {
    /// An element of an empty list, or of something that has been complained about.
    Any,
    Bool,
    Int,
    Float,
    Millis,
    Text,
    Word(&'static [&'static str]),
    List(Box<Ty<'s>>),
    Map(&'s Type),
    Record(&'s BTreeMap<String, Type>),
}

impl<'s> Ty<'s> {
    fn of(declared: &'s Type) -> Self {
        match declared {
            Type::Bool => Ty::Bool,
            Type::Int => Ty::Int,
            Type::Float => Ty::Float,
            Type::Millis => Ty::Millis,
            Type::Text => Ty::Text,
            Type::Word(words) => Ty::Word(words),
            Type::List(element) => Ty::List(Box::new(Ty::of(element))),
            Type::Map(value) => Ty::Map(value),
            Type::Record(fields) => Ty::Record(fields),
        }
    }

    fn is_number(&self) -> bool {
        matches!(self, Ty::Any | Ty::Int | Ty::Float | Ty::Millis)
    }

    fn is_text(&self) -> bool {
        matches!(self, Ty::Any | Ty::Text | Ty::Word(_))
    }

    fn may_equal(&self, other: &Ty) -> bool {
        match (self, other) {
            (Ty::Any, _) | (_, Ty::Any) | (Ty::Bool, Ty::Bool) => true,
            (Ty::List(a), Ty::List(b)) => a.may_equal(b),
            _ => self.is_number() && other.is_number() || self.is_text() && other.is_text(),
        }
    }

    fn words(&self) -> &'static str {
        match self {
            Ty::Any => "anything",
            Ty::Bool => "true or false",
            Ty::Int => "an integer",
            Ty::Float => "a float",
            Ty::Millis => "a time in milliseconds",
            Ty::Text => "text",
            Ty::Word(_) => "a word",
            Ty::List(_) => "a list",
            Ty::Map(_) => "a map",
            Ty::Record(_) => "a group of fields",
        }
    }
}

/// What the checker found out.
pub(super) struct Checked {
    pub faults: Vec<Diagnostic>,
    /// A [`Type::Millis`] is mentioned.
    pub time_bound: bool,
}

/// Checks a whole expression, which must be boolean.
pub(super) fn check(text: &str, root: &Node, shape: &Shape) -> Checked {
    let mut checker = Checker {
        text,
        shape,
        scope: Vec::new(),
        faults: Vec::new(),
        time_bound: false,
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
        time_bound: checker.time_bound,
    }
}

struct Checker<'s, 'n> {
    text: &'n str,
    shape: &'s Shape,
    /// Variables of the macros around.
    scope: Vec<(&'n str, Ty<'s>)>,
    faults: Vec<Diagnostic>,
    time_bound: bool,
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
                ty @ (Ty::Bool | Ty::Text | Ty::Word(_) | Ty::List(_) | Ty::Map(_) | Ty::Record(_)) => self.fault(
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
        self.time_bound |= ty == Ty::Millis;
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
            let message = format!(
                "{takes} true or false, `{}` is {}",
                self.part(node),
                ty.words()
            );
            self.fault(codes::CONDITION, node.span, message, Some(help));
        }
    }

    /// What to write where a boolean was wanted.
    fn as_boolean(&self, node: &Node, ty: &Ty) -> String {
        let part = self.part(node);
        match ty {
            Ty::Record(fields) if fields.contains_key("ok") => format!("write `{part}.ok`"),
            Ty::Int | Ty::Float | Ty::Millis => format!("compare it: `{part} > 0`"),
            Ty::Text | Ty::Word(_) => format!("compare it: `{part} == \"...\"`"),
            Ty::List(_) | Ty::Map(_) => format!("ask how many there are: `size({part}) > 0`"),
            Ty::Any | Ty::Bool | Ty::Record(_) => "compare one of its fields with a value".into(),
        }
    }

    fn resolve(&self, name: &str) -> Option<Ty<'s>> {
        let variable = self
            .scope
            .iter()
            .rev()
            .find(|(variable, _)| *variable == name);
        variable
            .map(|(_, ty)| ty.clone())
            .or_else(|| self.shape.roots.get(name).map(Ty::of))
    }

    fn name(&mut self, node: &Node, name: &str) -> Ty<'s> {
        if let Some(ty) = self.resolve(name) {
            return ty;
        }
        let names: Vec<&str> = self
            .scope
            .iter()
            .map(|(variable, _)| *variable)
            .chain(self.shape.roots.keys().map(String::as_str))
            .collect();
        let help = match (
            self.home_of(name),
            did_you_mean(name, names.iter().copied()),
        ) {
            (Some(home), _) => format!("write `{}`", access(home, name)),
            (None, Some(near)) => format!("did you mean `{near}`?"),
            (None, None) => format!("there are: {}", some_of(names.into_iter())),
        };
        self.fault(
            codes::NAME,
            node.span,
            format!("there is no `{name}`"),
            Some(help),
        )
    }

    /// The root whose items have such a name.
    fn home_of(&self, name: &str) -> Option<&'s str> {
        self.shape.roots.iter().find_map(|(root, ty)| match ty {
            Type::Record(items) if matches!(items.get(name), Some(Type::Record(_))) => {
                Some(root.as_str())
            }
            _ => None,
        })
    }

    fn field(&mut self, node: &'n Node, base: &'n Node, field: &str) -> Ty<'s> {
        let place = Span {
            start: node.span.end - field.len().min(node.span.end),
            end: node.span.end,
        };
        let place = if node.parens { node.span } else { place };
        match self.ty(base) {
            Ty::Any => Ty::Any,
            Ty::Map(value) => Ty::of(value),
            Ty::Record(fields) => match fields.get(field) {
                Some(ty) => Ty::of(ty),
                None => self.no_field(base, fields, field, place),
            },
            Ty::List(element) => {
                let part = self.part(base);
                let help = match *element {
                    Ty::Record(fields) if fields.contains_key(field) => {
                        format!("ask about its elements: `{part}.exists(x, x.{field} == ...)`")
                    }
                    _ => format!("ask about its elements: `{part}.exists(x, ...)`"),
                };
                self.fault(
                    codes::FIELD,
                    place,
                    format!("`{part}` is a list and has no field `{field}`"),
                    Some(help),
                )
            }
            ty @ (Ty::Bool | Ty::Int | Ty::Float | Ty::Millis | Ty::Text | Ty::Word(_)) => {
                let message = format!(
                    "`{}` is {} and has no field `{field}`",
                    self.part(base),
                    ty.words()
                );
                self.fault(codes::FIELD, place, message, None)
            }
        }
    }

    fn no_field(
        &mut self,
        base: &Node,
        fields: &'s BTreeMap<String, Type>,
        field: &str,
        place: Span,
    ) -> Ty<'s> {
        let names = || fields.keys().map(String::as_str);
        let help = match did_you_mean(field, names()) {
            Some(near) if is_name(near) => format!("did you mean `{near}`?"),
            Some(near) => format!("did you mean `{}`?", access(self.part(base), near)),
            None if fields.is_empty() => "it has nothing in it".into(),
            None => format!("it has: {}", some_of(names())),
        };
        self.fault(
            codes::FIELD,
            place,
            format!("`{}` has no `{field}`", self.part(base)),
            Some(help),
        )
    }

    fn index(&mut self, base: &'n Node, index: &'n Node) -> Ty<'s> {
        let indexed = self.ty(base);
        if let (Kind::Name(name), Ty::Record(_) | Ty::Map(_)) = (&index.kind, &indexed)
            && self.resolve(name).is_none()
        {
            let help = format!("write `{}[\"{name}\"]`", self.part(base));
            return self.fault(
                codes::NAME,
                index.span,
                format!("there is no `{name}`"),
                Some(help),
            );
        }
        let by = self.ty(index);
        let wrong = |wanted: &str, part: &str| {
            format!("`{part}` is indexed by {wanted}, not by {}", by.words())
        };
        match indexed {
            Ty::Any => Ty::Any,
            Ty::List(element) if matches!(by, Ty::Any | Ty::Int) => *element,
            Ty::List(_) => self.fault(
                codes::INDEX,
                index.span,
                wrong("an integer", self.part(base)),
                None,
            ),
            Ty::Map(value) if by.is_text() => Ty::of(value),
            Ty::Record(fields) if by.is_text() => match &index.kind {
                Kind::Text(key) => match fields.get(key) {
                    Some(ty) => Ty::of(ty),
                    None => self.no_field(base, fields, key, index.span),
                },
                _ => {
                    let mut types = fields.values();
                    let first = types.next();
                    match first {
                        Some(first) if types.all(|ty| ty == first) => Ty::of(first),
                        Some(_) => {
                            let message =
                                format!("the fields of `{}` differ in type", self.part(base));
                            self.fault(
                                codes::INDEX,
                                index.span,
                                message,
                                Some("write the name in quotes".into()),
                            )
                        }
                        None => Ty::Any,
                    }
                }
            },
            Ty::Map(_) | Ty::Record(_) => self.fault(
                codes::INDEX,
                index.span,
                wrong("text", self.part(base)),
                None,
            ),
            ty @ (Ty::Bool | Ty::Int | Ty::Float | Ty::Millis | Ty::Text | Ty::Word(_)) => {
                let message = format!(
                    "`{}` is {} and has no elements",
                    self.part(base),
                    ty.words()
                );
                self.fault(codes::INDEX, index.span, message, None)
            }
        }
    }

    fn compare(&mut self, op: Op, node: &Node, left: &'n Node, right: &'n Node) {
        for (side, other) in [(left, right), (right, left)] {
            if matches!(side.kind, Kind::Null) {
                let ty = self.ty(other);
                let part = self.part(other);
                let help = match ty {
                    Ty::Text | Ty::Word(_) => format!("write `{part} {} \"\"`", op.symbol()),
                    Ty::Any
                    | Ty::Bool
                    | Ty::Int
                    | Ty::Float
                    | Ty::Millis
                    | Ty::List(_)
                    | Ty::Map(_)
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
        if let (Kind::Name(word), Ty::Text | Ty::Word(_)) = (&right.kind, &a)
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
        let orderable = |ty: &Ty| ty.is_number() || matches!(ty, Ty::Text);
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
                (Ty::Text | Ty::Word(_), Ty::Bool) => Some(format!(
                    "a text that says nothing: `{} == \"\"`",
                    self.part(left)
                )),
                (Ty::List(_) | Ty::Map(_), number) if number.is_number() => Some(format!(
                    "write `size({}) {} {}`",
                    self.part(left),
                    op.symbol(),
                    self.part(right)
                )),
                _ => None,
            };
            self.fault(codes::COMPARE, node.span, message, help);
            return;
        }
        self.known_words(&a, left, right);
        self.known_words(&b, right, left);
    }

    /// Every text written in `other` is in the vocabulary of `ty`.
    fn known_words(&mut self, ty: &Ty, path: &Node, other: &Node) {
        let Ty::Word(words) = ty else { return };
        match &other.kind {
            Kind::Text(word) if !words.contains(&word.as_str()) => {
                let help = match did_you_mean(word, words.iter().copied().filter(|w| !w.is_empty()))
                {
                    Some(near) => format!("did you mean `\"{near}\"`?"),
                    None => format!("it is one of: {}", quoted(words)),
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
            Kind::Text(_)
            | Kind::Null
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

    fn contained(&mut self, left: &'n Node, right: &'n Node) {
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
            Ty::Map(_) | Ty::Record(_) if a.is_text() => {}
            Ty::Map(_) | Ty::Record(_) => {
                let message = format!("`{}` is {}, names are text", self.part(left), a.words());
                self.fault(codes::CONTAINED, left.span, message, None);
            }
            ty @ (Ty::Bool | Ty::Int | Ty::Float | Ty::Millis | Ty::Text | Ty::Word(_)) => {
                let message = format!(
                    "`in` looks into a list or a map, `{}` is {}",
                    self.part(right),
                    ty.words()
                );
                let help = ty
                    .is_text()
                    .then(|| format!("write `{}.contains({})`", self.part(right), self.part(left)));
                self.fault(codes::CONTAINED, right.span, message, help);
            }
        }
    }

    fn arithmetic(
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
    fn hyphenated(&mut self, left: &'n Node, place: Span) -> Option<Ty<'s>> {
        let in_name = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let before = self.text[..place.start]
            .rfind(|c| !in_name(c))
            .map_or(0, |i| i + 1);
        let after = self.text[place.end..]
            .find(|c| !in_name(c))
            .map_or(self.text.len(), |i| place.end + i);
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
                    .quiet(base)
                    .is_some_and(|fields| fields.contains_key(name)) =>
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

    /// The fields of a path, without complaining about it.
    fn quiet(&mut self, node: &'n Node) -> Option<&'s BTreeMap<String, Type>> {
        let (faults, time_bound) = (self.faults.len(), self.time_bound);
        let ty = self.ty(node);
        self.faults.truncate(faults);
        self.time_bound = time_bound;
        match ty {
            Ty::Record(fields) => Some(fields),
            _ => None,
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
                matches!(ty, Ty::Any | Ty::List(_) | Ty::Map(_) | Ty::Record(_)) || ty.is_text()
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
        match function {
            Function::Share | Function::Double => Ty::Float,
            Function::Between | Function::Plausible => Ty::Bool,
            Function::StartsWith | Function::EndsWith | Function::Contains => Ty::Bool,
            Function::Size => Ty::Int,
        }
    }

    fn each(&mut self, how: Each, over: &'n Node, variable: &'n str, body: &'n Node) -> Ty<'s> {
        let range = self.ty(over);
        let element = match &range {
            Ty::Any => Ty::Any,
            Ty::List(element) => (**element).clone(),
            // CEL's macros go over a map's keys.
            Ty::Map(_) | Ty::Record(_) => Ty::Text,
            Ty::Bool | Ty::Int | Ty::Float | Ty::Millis | Ty::Text | Ty::Word(_) => {
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

/// Reads as a field in CEL.
fn is_name(key: &str) -> bool {
    key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// How to write an item of a record.
fn access(base: &str, key: &str) -> String {
    if is_name(key) {
        format!("{base}.{key}")
    } else {
        format!("{base}[\"{key}\"]")
    }
}

fn some_of<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let mut names: Vec<&str> = names.collect();
    let more = names.len().saturating_sub(MAX_NAMES);
    names.truncate(MAX_NAMES);
    let tail = if more > 0 {
        format!(", and {more} more")
    } else {
        String::new()
    };
    format!("{}{tail}", names.join(", "))
}

fn quoted(words: &[&str]) -> String {
    let words: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
    some_of(words.iter().map(String::as_str))
}
