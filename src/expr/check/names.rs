//! Names, fields and indexes: what there is, and what was meant.

use super::{Checker, Ty};
use crate::diag::{Span, did_you_mean, did_you_mean_within};
use crate::expr::ast::{Kind, Node};
use crate::expr::{Type, codes};
use std::collections::BTreeMap;

/// A counter's name that is so many letters off a known one is a slip. More, and it may be a newer kernel's.
const SLIP: usize = 2;

/// How many names an error lists.
const MAX_NAMES: usize = 16;

impl<'s, 'n> Checker<'s, 'n> {
    pub(super) fn resolve(&self, name: &str) -> Option<Ty<'s>> {
        let variable = self
            .scope
            .iter()
            .rev()
            .find(|(variable, _)| *variable == name);
        variable
            .map(|(_, ty)| ty.clone())
            .or_else(|| self.shape.roots.get(name).map(Ty::of))
    }

    pub(super) fn name(&mut self, node: &Node, name: &str) -> Ty<'s> {
        if let Some(ty) = self.resolve(name) {
            return ty;
        }
        let message = format!("there is no `{name}`");
        if self
            .faults
            .iter()
            .any(|fault| fault.code == codes::NAME && fault.message == message)
        {
            // Once an expression: the second time tells nothing new.
            return Ty::Any;
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
        self.fault(codes::NAME, node.span, message, Some(help))
    }

    /// The root whose items have such a name.
    pub(super) fn home_of(&self, name: &str) -> Option<&'s str> {
        self.shape.roots.iter().find_map(|(root, ty)| match ty {
            Type::Record(items) if matches!(items.get(name), Some(Type::Record(_))) => {
                Some(root.as_str())
            }
            _ => None,
        })
    }

    /// The fields of a plain path such as `hosts` or `staff.by_target`.
    pub(super) fn items(&self, node: &Node) -> Option<&'s BTreeMap<String, Type>> {
        let ty = match &node.kind {
            Kind::Name(name) => self.resolve(name)?,
            Kind::Field(base, field) => Ty::of(self.items(base)?.get(field)?),
            _ => return None,
        };
        match ty {
            Ty::Record(fields) => Some(fields),
            _ => None,
        }
    }

    pub(super) fn field(&mut self, node: &'n Node, base: &'n Node, field: &str) -> Ty<'s> {
        let place = Span {
            start: node.span.end - field.len().min(node.span.end),
            end: node.span.end,
        };
        let place = if node.parens { node.span } else { place };
        match self.ty(base) {
            Ty::Any => Ty::Any,
            Ty::Map(value) => Ty::of(value),
            Ty::Counts(names) => self.counter(names, field, place),
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
            ty @ (Ty::Bool
            | Ty::Int
            | Ty::Float
            | Ty::Millis
            | Ty::Text
            | Ty::Limited(_)
            | Ty::Word(_)) => {
                let message = format!(
                    "`{}` is {} and has no field `{field}`",
                    self.part(base),
                    ty.words()
                );
                self.fault(codes::FIELD, place, message, None)
            }
        }
    }

    /// One of many known names, or one that is like none of them.
    fn counter(&mut self, names: &[&str], field: &str, place: Span) -> Ty<'s> {
        let near = did_you_mean_within(field, names.iter().copied(), SLIP);
        match near.filter(|near| *near != field) {
            None => Ty::Int,
            Some(near) => self.fault(
                codes::COUNTER,
                place,
                format!("`{field}` is no counter of Linux"),
                Some(format!("did you mean `{near}`?")),
            ),
        }
    }

    pub(super) fn no_field(
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

    pub(super) fn index(&mut self, base: &'n Node, index: &'n Node) -> Ty<'s> {
        let indexed = self.ty(base);
        if let (Kind::Name(name), Ty::Record(_) | Ty::Map(_) | Ty::Counts(_)) =
            (&index.kind, &indexed)
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
            Ty::Counts(_) if by.is_text() => Ty::Int,
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
            Ty::Map(_) | Ty::Counts(_) | Ty::Record(_) => {
                let part = self.part(base);
                let help = match (&index.kind, &indexed) {
                    (Kind::Int(number), Ty::Record(fields))
                        if fields.contains_key(&number.to_string()) =>
                    {
                        Some(format!("write `{part}[\"{number}\"]`"))
                    }
                    (_, _) => None,
                };
                self.fault(codes::INDEX, index.span, wrong("text", part), help)
            }
            ty @ (Ty::Bool
            | Ty::Int
            | Ty::Float
            | Ty::Millis
            | Ty::Text
            | Ty::Limited(_)
            | Ty::Word(_)) => {
                let message = format!(
                    "`{}` is {} and has no elements",
                    self.part(base),
                    ty.words()
                );
                self.fault(codes::INDEX, index.span, message, None)
            }
        }
    }
}

/// Reads as a field in CEL.
pub(super) fn is_name(key: &str) -> bool {
    key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// How to write an item of a record.
pub(super) fn access(base: &str, key: &str) -> String {
    if is_name(key) {
        format!("{base}.{key}")
    } else {
        format!("{base}[\"{key}\"]")
    }
}

pub(super) fn some_of<'a>(names: impl Iterator<Item = &'a str>) -> String {
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

pub(super) fn quoted(words: &[&str]) -> String {
    let words: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
    some_of(words.iter().map(String::as_str))
}
