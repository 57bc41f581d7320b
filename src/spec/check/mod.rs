//! The tree against the grammar: unknown and missing keys, wrong shapes, wrong values; everything in one go.
//!
//! Not here: rules between fields (see `rules`), what names mean (see `plan`).

mod foreign;
mod variants;
mod words;

use super::grammar::{Field, Key, Need, Section, Type};
use super::node::{Entry, Node, Value};
use super::{claims, scalar};
use crate::diag::codes::{spec as code, yaml};
use crate::diag::{Diagnostic, Diagnostics, Span, did_you_mean};
use crate::units::Port;
pub use foreign::instead;
use std::collections::HashMap;
use words::{describe, entry, example_of, shape, single};

/// Where a value stands: what it is called and the span of that name.
#[derive(Clone, Copy)]
pub struct At<'a> {
    /// `hosts`, `web1`, `an item of zones`
    pub what: &'a str,
    /// Its key, or the value itself when it has none.
    pub span: Span,
}

/// Checks a whole lab, its cases' `set` apart.
pub fn section(node: &Node, section: &'static Section, at: At<'_>, sink: &mut Diagnostics) {
    let Value::Map(entries) = &node.value else {
        wrong_shape(node, &Type::Section(section), at, sink);
        return;
    };
    if later_fields(entries, section, sink) {
        return;
    }
    for entry in written(entries) {
        match section.field(&entry.key.value) {
            Some(field) => value(
                &entry.value,
                &field.kind,
                At {
                    what: &entry.key.value,
                    span: entry.key.span,
                },
                sink,
            ),
            None => unknown_key(entry, section, sink),
        }
    }
    required(node, section, at, sink);
}

/// Says which keys this release does not run. The rest of such a section is not judged: it may hang together with them.
fn later_fields(entries: &[Entry], section: &'static Section, sink: &mut Diagnostics) -> bool {
    let mut found = false;
    for entry in entries {
        if section
            .field(&entry.key.value)
            .is_some_and(|field| field.need == Need::Later)
        {
            sink.push(later_field(&entry.key.value, entry.key.span));
            found = true;
        }
        if let Some(Field {
            kind: Type::Word(words),
            ..
        }) = section.field(&entry.key.value)
            && let Some(word) = entry.value.scalar()
            && words.later.contains(&word.text.as_str())
        {
            sink.extend(scalar::problem(
                &Type::Word(words),
                word,
                entry.value.span,
                &entry.key.value,
            ));
            found = true;
        }
    }
    // At the top a later section says nothing about the others.
    found && section.field("cases").is_none()
}

/// The diagnostic of a key that this release does not run.
pub fn later_field(key: &str, span: Span) -> Diagnostic {
    Diagnostic::new(
        code::LATER_FIELD,
        span,
        format!("`{key}` is part of the language, but this release does not run it yet"),
    )
    .help("remove it to run the rest of the lab")
}

fn unknown_key(entry: &Entry, section: &'static Section, sink: &mut Diagnostics) {
    let key = &entry.key.value;
    let names: Vec<&str> = section
        .fields
        .iter()
        .filter(|f| f.need != Need::Later)
        .map(|f| f.name)
        .collect();
    if let Some(space) = key.chars().find(|c| c.is_whitespace() && !c.is_ascii()) {
        sink.push(
            Diagnostic::new(
                yaml::INDENTATION,
                entry.key.span,
                format!(
                    "the key begins or goes on with U+{:04X}, which is no ordinary space",
                    u32::from(space)
                ),
            )
            .label("a no-break space or another look-alike")
            .help("write ordinary spaces; such characters come with text copied from a web page"),
        );
        return;
    }
    let help = match (
        instead(section.name, key),
        did_you_mean(key, section.names()),
    ) {
        (Some(instead), _) => instead.to_owned(),
        (None, Some(near)) => format!(
            "did you mean `{near}`? {} has: {}",
            scalar::capital(section.name),
            names.join(", ")
        ),
        (None, None) if names.is_empty() => format!("{} has no settings", section.name),
        (None, None) => format!("{} has: {}", section.name, names.join(", ")),
    };
    sink.push(
        Diagnostic::new(
            code::UNKNOWN_KEY,
            entry.key.span,
            format!("{} has no key `{}`", section.name, scalar::short(key)),
        )
        .help(help),
    );
}

/// The entries whose keys were not refused.
fn written(entries: &[Entry]) -> impl Iterator<Item = &Entry> {
    entries.iter().filter(|entry| !entry.key.value.is_empty())
}

fn required(node: &Node, section: &'static Section, at: At<'_>, sink: &mut Diagnostics) {
    // A refused key may be the one that is missing.
    if node.entry("").is_some() {
        return;
    }
    let missing = section
        .fields
        .iter()
        .filter(|field| field.need == Need::Required && node.get(field.name).is_none());
    for field in missing {
        sink.push(
            Diagnostic::new(
                code::MISSING_KEY,
                at.span,
                format!("{} needs `{}`", at.describe(section), field.name),
            )
            .help(format!(
                "add `{}: {}`. {}",
                field.name,
                example_of(field),
                field.doc
            )),
        );
    }
}

impl At<'_> {
    fn describe(&self, section: &Section) -> String {
        if self.what.is_empty() || section.name.starts_with('`') {
            section.name.to_owned()
        } else {
            format!("`{}`", self.what)
        }
    }
}

/// Checks a value against a type.
pub fn value(node: &Node, kind: &Type, at: At<'_>, sink: &mut Diagnostics) {
    if node.refused() || sink.is_full() {
        return;
    }
    if matches!(node.value, Value::Null) && !matches!(kind, Type::Any | Type::Set) {
        sink.push(no_value(node, kind, at));
        return;
    }
    match (kind, &node.value) {
        (Type::Any, _) => {}
        (Type::OneOf(kinds), _) => match kinds.iter().find(|kind| fits(kind, node)) {
            Some(kind) => {
                as_many_as_a_list(node, kinds, at, sink);
                value(node, kind, at, sink);
            }
            None => wrong_shape(node, kind, at, sink),
        },
        (Type::Section(of), _) => section(node, of, at, sink),
        (Type::Short { field, section: of }, Value::Scalar(_)) => {
            let of = of
                .field(field)
                .expect("the grammar names a field of its section");
            value(node, &of.kind, at, sink);
        }
        (Type::Short { section: of, .. }, _) => section(node, of, at, sink),
        (Type::List { of, min }, Value::List(items)) => list(node, items, of, *min, at, sink),
        (Type::Map { key, of, item }, Value::Map(entries)) => map(entries, *key, of, item, sink),
        (Type::Free, Value::Map(entries)) => free(entries, sink),
        (Type::Variants(variants), _) => variants::check(node, variants, at, sink),
        (Type::Claims, Value::List(items)) => {
            items.iter().for_each(|item| claims::check(item, sink))
        }
        // Its paths are checked where they are applied; nothing written changes nothing.
        (Type::Set, Value::Map(_) | Value::Null) => {}
        (kind, Value::Scalar(text)) if single(kind) => {
            sink.extend(scalar::problem(kind, text, node.span, at.what))
        }
        (_, _) => wrong_shape(node, kind, at, sink),
    }
}

/// A type of [`Type::OneOf`] that the value's shape fits.
fn fits(kind: &Type, node: &Node) -> bool {
    match &node.value {
        Value::Null => false,
        Value::Scalar(_) => single(kind),
        Value::List(_) => matches!(kind, Type::List { .. } | Type::Claims),
        Value::Map(_) => matches!(kind, Type::Map { .. } | Type::Section(_) | Type::Free),
    }
}

/// A map that stands for a list has as many entries as that at least.
fn as_many_as_a_list(node: &Node, kinds: &[Type], at: At<'_>, sink: &mut Diagnostics) {
    let entries = node.entries().map(<[Entry]>::len);
    let mut lists = kinds.iter().filter_map(|kind| match kind {
        Type::List { of, min } => Some((*of, *min)),
        _ => None,
    });
    if let (Some(entries), Some((of, min))) = (entries, lists.next()) {
        long_enough(entries, min, node, of, at, sink);
    }
}

fn long_enough(
    found: usize,
    min: usize,
    node: &Node,
    of: &Type,
    at: At<'_>,
    sink: &mut Diagnostics,
) {
    if found >= min {
        return;
    }
    let message = match found {
        0 => format!("`{}` is empty", at.what),
        n => format!("`{}` has only {n} of {min}", at.what),
    };
    let least = match min {
        1 => "one".to_owned(),
        n => n.to_string(),
    };
    sink.push(
        Diagnostic::new(code::LIST_TOO_SHORT, node.span, message).help(format!(
            "write a list of {}, at least {least}",
            words::plural(of)
        )),
    );
}

fn list(node: &Node, items: &[Node], of: &Type, min: usize, at: At<'_>, sink: &mut Diagnostics) {
    long_enough(items.len(), min, node, of, at, sink);
    let mut seen: HashMap<&str, Span> = HashMap::new();
    for item in items {
        value(
            item,
            of,
            At {
                what: at.what,
                span: item.span,
            },
            sink,
        );
        let Some(text) = item
            .scalar()
            .filter(|_| matches!(of, Type::Name | Type::Word(_)))
        else {
            continue;
        };
        if let Some(first) = seen.insert(&text.text, item.span) {
            sink.push(
                Diagnostic::new(
                    code::LISTED_TWICE,
                    item.span,
                    format!("`{}` is listed twice", scalar::short(&text.text)),
                )
                .also(first, "the first time here")
                .help("remove one of the two"),
            );
        }
    }
}

fn map(entries: &[Entry], key: Key, of: &Type, item: &str, sink: &mut Diagnostics) {
    if matches!(key, Key::ServePort) {
        ports_once(entries, sink);
    }
    for entry in written(entries) {
        if let Some(problem) = scalar::key_problem(key, &entry.key.value, entry.key.span) {
            let named = matches!(key, Key::Name | Key::Zonal);
            sink.push(if named {
                problem.label(format!("the name of a {item}"))
            } else {
                problem
            });
        }
        value(
            &entry.value,
            of,
            At {
                what: &entry.key.value,
                span: entry.key.span,
            },
            sink,
        );
    }
}

/// `80` and `80/tcp` are one port.
fn ports_once(entries: &[Entry], sink: &mut Diagnostics) {
    let mut seen: HashMap<Port, &Entry> = HashMap::new();
    for entry in written(entries) {
        let Ok(port) = entry.key.value.parse::<Port>() else {
            continue;
        };
        if let Some(first) = seen.insert(port, entry) {
            let (first, second) = (&first.key, &entry.key);
            sink.push(
                Diagnostic::new(
                    code::LISTED_TWICE,
                    second.span,
                    format!("port {} is listed twice", port.number),
                )
                .also(first.span, "the first time here")
                .help(format!(
                    "`{}` and `{}` are one port; remove one of the two",
                    first.value, second.value
                )),
            );
        }
    }
}

fn free(entries: &[Entry], sink: &mut Diagnostics) {
    for entry in written(entries) {
        let key = &entry.key.value;
        match &entry.value.value {
            Value::Scalar(text)
                if scalar::boolean_word(text)
                    && !matches!(text.text.as_str(), "true" | "false") =>
            {
                sink.extend(scalar::problem(&Type::Bool, text, entry.value.span, key));
            }
            Value::Scalar(_) => {}
            Value::Null => sink.push(no_value(
                &entry.value,
                &Type::Line,
                At {
                    what: key,
                    span: entry.key.span,
                },
            )),
            Value::Map(_) => {
                let mut name = key.clone();
                let mut inner = &entry.value;
                while let Some(first) = inner.entries().and_then(<[Entry]>::first) {
                    name = format!("{name}.{}", first.key.value);
                    inner = &first.value;
                }
                sink.push(
                    Diagnostic::new(
                        code::NESTED_NAME,
                        entry.key.span,
                        format!("`{key}` must have a single value, not a map"),
                    )
                    .help(format!(
                        "the whole name is one key, dots included: `{}: {}`",
                        scalar::short(&name),
                        scalar::short(&inner.compact())
                    )),
                );
            }
            Value::List(_) => sink.push(
                Diagnostic::new(
                    code::NESTED_NAME,
                    entry.value.span,
                    format!("`{key}` must have a single value, not a list"),
                )
                .help("write several numbers as one text: `40000 40199`"),
            ),
        }
    }
}

fn no_value(node: &Node, kind: &Type, at: At<'_>) -> Diagnostic {
    let span = if at.span.start < at.span.end {
        at.span
    } else {
        node.span
    };
    Diagnostic::new(code::NO_VALUE, span, format!("`{}` has no value", at.what)).help(match kind {
        Type::Section(section)
            if section
                .fields
                .iter()
                .all(|field| field.need != Need::Required) =>
        {
            format!(
                "write `{}: {{}}` when all its settings have their defaults",
                at.what
            )
        }
        kind => format!("write {}", describe(kind)),
    })
}

fn wrong_shape(node: &Node, kind: &Type, at: At<'_>, sink: &mut Diagnostics) {
    let what = if at.what.is_empty() {
        "this".to_owned()
    } else {
        format!("`{}`", at.what)
    };
    let help = match (kind, &node.value) {
        (Type::Map { key, of, .. }, Value::List(items)) => {
            let first = items.first().and_then(Node::scalar);
            let first = first.map(|scalar| scalar.text.as_str());
            format!(
                "write it as a map, so that a case can change one entry: `{}: {{ {} }}`",
                at.what,
                entry(*key, of, first)
            )
        }
        (Type::Text, Value::Map(_)) => format!(
            "write it as a block, which takes braces as they are: `{}: |`",
            at.what
        ),
        (Type::List { .. } | Type::OneOf([Type::List { .. }, ..]), Value::Scalar(one)) => {
            format!(
                "write a list: `{}: [{}]`",
                at.what,
                scalar::short(&one.text)
            )
        }
        (Type::Name, Value::List(_) | Value::Map(_)) if !at.what.is_empty() => {
            let inner = first_scalar(node).filter(|text| scalar::is_name(text));
            let name = inner.unwrap_or("web1");
            format!("write one name: `{}: {name}`", at.what)
        }
        (kind, _) => format!("write {}", describe(kind)),
    };
    sink.push(
        Diagnostic::new(
            code::WRONG_SHAPE,
            node.span,
            format!("{what} must be {}, not {}", shape(kind), node.shape()),
        )
        .help(help),
    );
}

/// The first single value in a list or a map.
fn first_scalar(node: &Node) -> Option<&str> {
    match &node.value {
        Value::Null => None,
        Value::Scalar(scalar) => Some(&scalar.text),
        Value::List(items) => items.iter().find_map(first_scalar),
        Value::Map(entries) => entries.iter().find_map(|entry| first_scalar(&entry.value)),
    }
}
