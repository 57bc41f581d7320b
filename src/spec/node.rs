//! The tree of a YAML text: every value with its place and its text as written, nothing typed yet.
//!
//! Scalars keep their text because YAML's own typing loses it (`080`, `1.10`, `yes`); the readers know what a field
//! should be. Not here: parsing (see `yaml`), changing the tree for a case (see `set`).

use crate::diag::{Span, Spanned};
use std::fmt::Write;

/// A value and its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// From its first to its last character, quotes and brackets included.
    pub span: Span,
    /// The value.
    pub value: Value,
}

/// What a value can be.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Nothing, `~` or `null`.
    Null,
    /// Text, number, boolean: told apart by the reader.
    Scalar(Scalar),
    /// `- a` or `[a]`
    List(Vec<Node>),
    /// `a: b` or `{ a: b }`, in order of writing.
    Map(Vec<Entry>),
}

/// A scalar's text.
#[derive(Clone, Debug, PartialEq)]
pub struct Scalar {
    /// After YAML's unescaping and folding.
    pub text: String,
    /// How it was written.
    pub style: Style,
}

/// How a scalar was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Without quotes.
    Plain,
    /// In single or double quotes.
    Quoted,
    /// After `|` or `>`.
    Block,
    /// Not fit to be judged: what is wrong with it has been said.
    Refused,
}

/// One entry of a map.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The key, without its quotes. Empty when it was refused: what is wrong with it has been said.
    pub key: Spanned<String>,
    /// The value.
    pub value: Node,
}

impl Node {
    /// A plain scalar that was not written but follows from something at `span`.
    pub fn plain(text: impl Into<String>, span: Span) -> Node {
        Node {
            span,
            value: Value::Scalar(Scalar {
                text: text.into(),
                style: Style::Plain,
            }),
        }
    }

    /// A map that was not written but follows from something at `span`.
    pub fn map(entries: Vec<Entry>, span: Span) -> Node {
        Node {
            span,
            value: Value::Map(entries),
        }
    }

    /// True when what is wrong with the value has been said already.
    pub fn refused(&self) -> bool {
        self.scalar()
            .is_some_and(|scalar| scalar.style == Style::Refused)
    }

    /// The scalar, if it is one.
    pub fn scalar(&self) -> Option<&Scalar> {
        match &self.value {
            Value::Scalar(scalar) => Some(scalar),
            Value::Null | Value::List(_) | Value::Map(_) => None,
        }
    }

    /// The entries, if it is a map.
    pub fn entries(&self) -> Option<&[Entry]> {
        match &self.value {
            Value::Map(entries) => Some(entries),
            Value::Null | Value::Scalar(_) | Value::List(_) => None,
        }
    }

    /// The items, if it is a list.
    pub fn items(&self) -> Option<&[Node]> {
        match &self.value {
            Value::List(items) => Some(items),
            Value::Null | Value::Scalar(_) | Value::Map(_) => None,
        }
    }

    /// The entry of a key, if it is a map that has it.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries()?.iter().find(|entry| entry.key.value == key)
    }

    /// The value of a key, if it is a map that has it.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// What it is, for messages: `a list`.
    pub fn shape(&self) -> &'static str {
        match &self.value {
            Value::Null => "nothing",
            Value::Scalar(_) => "a single value",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
        }
    }

    /// Where a scalar's text begins: inside the quotes.
    pub fn text_span(&self) -> Span {
        match &self.value {
            Value::Scalar(scalar)
                if scalar.style == Style::Quoted && self.span.end >= self.span.start + 2 =>
            {
                Span {
                    start: self.span.start + 1,
                    end: self.span.end - 1,
                }
            }
            Value::Null | Value::Scalar(_) | Value::List(_) | Value::Map(_) => self.span,
        }
    }

    /// What a copy of it costs: the number of nodes in it, itself included, and one more for each 64 bytes of a text.
    pub fn weight(&self) -> usize {
        1 + match &self.value {
            Value::Null => 0,
            Value::Scalar(scalar) => text_weight(&scalar.text),
            Value::List(items) => items.iter().map(Node::weight).sum(),
            Value::Map(entries) => entries
                .iter()
                .map(|entry| text_weight(&entry.key.value) + entry.value.weight())
                .sum(),
        }
    }

    /// The same value, wherever and however written.
    pub fn same(&self, other: &Node) -> bool {
        match (&self.value, &other.value) {
            (Value::Null, Value::Null) => true,
            (Value::Scalar(a), Value::Scalar(b)) => a.text == b.text,
            (Value::List(a), Value::List(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.same(b))
            }
            (Value::Map(a), Value::Map(b)) => {
                a.len() == b.len()
                    && a.iter().all(|entry| {
                        b.iter().any(|other| {
                            other.key.value == entry.key.value && entry.value.same(&other.value)
                        })
                    })
            }
            (Value::Null | Value::Scalar(_) | Value::List(_) | Value::Map(_), _) => false,
        }
    }

    /// On one line, in YAML's flow style.
    pub fn compact(&self) -> String {
        let mut out = String::new();
        self.write(&mut out, false);
        out
    }

    fn write(&self, out: &mut String, inside: bool) {
        match &self.value {
            Value::Null => out.push_str("null"),
            Value::Scalar(scalar) => write_scalar(out, scalar, inside),
            Value::List(items) => {
                out.push('[');
                for (i, item) in items.iter().enumerate() {
                    out.push_str(if i > 0 { ", " } else { "" });
                    item.write(out, true);
                }
                out.push(']');
            }
            Value::Map(entries) if entries.is_empty() => out.push_str("{}"),
            Value::Map(entries) => {
                out.push_str("{ ");
                for (i, entry) in entries.iter().enumerate() {
                    let _ = write!(
                        out,
                        "{}{}: ",
                        if i > 0 { ", " } else { "" },
                        entry.key.value
                    );
                    entry.value.write(out, true);
                }
                out.push_str(" }");
            }
        }
    }
}

/// How many nodes a text counts for: about as many bytes as they have.
pub(crate) fn text_weight(text: &str) -> usize {
    text.len() / 64
}

/// A scalar on one line; quoted when it must be.
fn write_scalar(out: &mut String, scalar: &Scalar, inside: bool) {
    let text = &scalar.text;
    let plain_is_null = matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL");
    let needs_quotes = plain_is_null
        || text.trim() != text
        || text.contains(|c: char| c.is_control())
        || text.contains(": ")
        || text.contains(" #")
        || text.ends_with(':')
        || text.starts_with(|c: char| "!&*|>@`%\"'#[]{},".contains(c))
        || ["- ", "? ", ": "].iter().any(|lead| text.starts_with(lead))
        || (inside && text.contains(['[', ']', '{', '}', ',']));
    if !needs_quotes {
        out.push_str(text);
        return;
    }
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}
