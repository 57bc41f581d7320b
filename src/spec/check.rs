//! The tree against the grammar: unknown and missing keys, wrong shapes, wrong values; everything in one go.
//!
//! Not here: rules between fields (see `rules`), what names mean (see `plan`).

use super::grammar::{Field, Key, Need, Section, Type, Variant, Variants};
use super::node::{Entry, Node, Value};
use super::{claims, scalar};
use crate::diag::codes::spec as code;
use crate::diag::{Diagnostic, Diagnostics, Span, did_you_mean};
use std::collections::HashMap;

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
    for entry in entries {
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
            sink.extend(scalar::problem(&Type::Word(words), word, entry.value.span));
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
    let help = match did_you_mean(key, section.names()) {
        Some(near) => format!(
            "did you mean `{near}`? {} has: {}",
            capital(section.name),
            names.join(", ")
        ),
        None if names.is_empty() => format!("{} has no settings", section.name),
        None => format!("{} has: {}", section.name, names.join(", ")),
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

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(chars).collect()
    })
}

fn required(node: &Node, section: &'static Section, at: At<'_>, sink: &mut Diagnostics) {
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
                example(&field.kind),
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
    if matches!(node.value, Value::Null) && !matches!(kind, Type::Any | Type::Set) {
        sink.push(no_value(node, kind, at));
        return;
    }
    match (kind, &node.value) {
        (Type::Any, _) => {}
        (Type::OneOf(kinds), _) => match kinds.iter().find(|kind| fits(kind, node)) {
            Some(kind) => value(node, kind, at, sink),
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
        (Type::Variants(variants), _) => self::variants(node, variants, at, sink),
        (Type::Claims, Value::List(items)) => {
            items.iter().for_each(|item| claims::check(item, sink))
        }
        // Its paths are checked where they are applied; nothing written changes nothing.
        (Type::Set, Value::Map(_) | Value::Null) => {}
        (kind, Value::Scalar(text)) if single(kind) => {
            sink.extend(scalar::problem(kind, text, node.span))
        }
        (_, _) => wrong_shape(node, kind, at, sink),
    }
}

/// Types of single values.
fn single(kind: &Type) -> bool {
    match kind {
        Type::Line
        | Type::Text
        | Type::Expression
        | Type::Name
        | Type::Result
        | Type::Zonal
        | Type::Bool => true,
        Type::Int { .. }
        | Type::Number { .. }
        | Type::Time { .. }
        | Type::Lapse { .. }
        | Type::Rate => true,
        Type::Percent
        | Type::Bytes { .. }
        | Type::Address
        | Type::PublicAddress
        | Type::Word(_) => true,
        Type::List { .. }
        | Type::Map { .. }
        | Type::Free
        | Type::Section(_)
        | Type::Short { .. } => false,
        Type::Variants(_) | Type::OneOf(_) | Type::Claims | Type::Set | Type::Any => false,
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

fn list(node: &Node, items: &[Node], of: &Type, min: usize, at: At<'_>, sink: &mut Diagnostics) {
    if items.len() < min {
        sink.push(
            Diagnostic::new(
                code::LIST_TOO_SHORT,
                node.span,
                format!("`{}` is empty", at.what),
            )
            .help(format!(
                "write {}",
                describe(&Type::List {
                    of: &Type::Any,
                    min
                })
                .replace("values", &plural(of))
            )),
        );
    }
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
    for entry in entries {
        if let Some(problem) = scalar::key_problem(key, &entry.key.value, entry.key.span) {
            sink.push(problem.label(format!("the name of a {item}")));
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

fn free(entries: &[Entry], sink: &mut Diagnostics) {
    for entry in entries {
        let key = &entry.key.value;
        match &entry.value.value {
            Value::Scalar(text)
                if scalar::boolean_word(text)
                    && !matches!(text.text.as_str(), "true" | "false") =>
            {
                sink.extend(scalar::problem(&Type::Bool, text, entry.value.span));
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
            Value::Map(inner) => {
                let inner = inner
                    .first()
                    .map_or("...", |first| first.key.value.as_str());
                sink.push(
                    Diagnostic::new(
                        code::NESTED_NAME,
                        entry.key.span,
                        format!("`{key}` must have a single value, not a map"),
                    )
                    .help(format!(
                        "the whole name is one key, dots included: `{key}.{inner}: ...`"
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

fn variants(node: &Node, variants: &'static Variants, at: At<'_>, sink: &mut Diagnostics) {
    let entries = match &node.value {
        Value::Map(entries) => entries,
        Value::Scalar(text) if variants.bare => {
            match variants.variant(&text.text) {
                Some(variant) => self::variant(variant, None, node, node.span, sink),
                None => unknown_variant(&text.text, node.span, variants, sink),
            }
            return;
        }
        Value::Scalar(text) => {
            let verb = text.text.split([' ', ':']).next().unwrap_or("");
            let message = format!(
                "`{}` is text; a step is `verb: ...`",
                scalar::short(&text.text)
            );
            let help = match variants.variant(verb) {
                Some(variant) => format!("write {}", usage(variant)),
                None => format!("here are: {}", choices(variants)),
            };
            sink.push(Diagnostic::new(code::NOT_A_STEP, node.span, message).help(help));
            return;
        }
        Value::Null | Value::List(_) => {
            wrong_shape(node, &Type::Variants(variants), at, sink);
            return;
        }
    };
    if let Some(other) = variants.other
        && node.get(other.fields[0].name).is_some()
    {
        section(
            node,
            other,
            At {
                what: "",
                span: at.span,
            },
            sink,
        );
        return;
    }
    let known: Vec<(&Entry, &'static Variant)> = entries
        .iter()
        .filter_map(|entry| Some((entry, variants.variant(&entry.key.value)?)))
        .collect();
    match (entries.as_slice(), known.as_slice()) {
        ([], _) => sink.push(
            Diagnostic::new(
                code::NO_VARIANT,
                node.span,
                format!("a {} is missing", variants.name),
            )
            .help(format!("here are: {}", choices(variants))),
        ),
        ([one], [(_, known)]) => variant(known, Some(one), &one.value, one.key.span, sink),
        ([one], _) => unknown_variant(&one.key.value, one.key.span, variants, sink),
        (_, [(first, _), (second, _), ..]) => {
            let (name, second_name) = (&first.key.value, &second.key.value);
            sink.push(
                Diagnostic::new(
                    code::TWO_VARIANTS,
                    second.key.span,
                    format!(
                        "one {} too many: `{name}` and `{second_name}`",
                        variants.name
                    ),
                )
                .also(first.key.span, "the first")
                .help(if variants.bare {
                    "a port serves one thing"
                } else {
                    "each step is an item of its own, starting with `- `"
                }),
            );
        }
        (several, [(first, known)]) => {
            let stray = several
                .iter()
                .find(|entry| entry.key.value != first.key.value)
                .unwrap_or(first);
            let belongs = known.section.field(&stray.key.value).is_some();
            let help = if belongs {
                format!(
                    "`{}` goes inside the braces: `{}: {{ ..., {}: ... }}`",
                    stray.key.value, known.name, stray.key.value
                )
            } else {
                format!("write {}", usage(known))
            };
            sink.push(
                Diagnostic::new(
                    code::BESIDE_VARIANT,
                    stray.key.span,
                    format!(
                        "`{}` stands beside `{}`, not inside it",
                        scalar::short(&stray.key.value),
                        known.name
                    ),
                )
                .also(first.key.span, format!("the {}", variants.name))
                .help(help),
            );
        }
        (several, []) => {
            unknown_variant(&several[0].key.value, several[0].key.span, variants, sink)
        }
    }
}

/// One choice and what stands behind it.
fn variant(
    variant: &'static Variant,
    entry: Option<&Entry>,
    node: &Node,
    span: Span,
    sink: &mut Diagnostics,
) {
    if variant.later {
        sink.push(
            Diagnostic::new(
                code::LATER_VERB,
                span,
                format!(
                    "`{}` is part of the language, but this release does not run it yet",
                    variant.name
                ),
            )
            .help("leave the step out to run the rest of the lab"),
        );
        return;
    }
    let at = At {
        what: variant.name,
        span,
    };
    match (entry, &node.value) {
        // The bare word.
        (None, _) => required(&Node::map(Vec::new(), span), variant.section, at, sink),
        (Some(_), Value::Scalar(_)) => match variant.text {
            Some(field) => {
                let field = variant
                    .section
                    .field(field)
                    .expect("the grammar names a field of its section");
                value(node, &field.kind, at, sink);
            }
            None => sink.push(
                Diagnostic::new(
                    code::NEEDS_MAP,
                    node.span,
                    format!(
                        "`{}` takes its settings by name, not a single value",
                        variant.name
                    ),
                )
                .help(format!("write {}", usage(variant))),
            ),
        },
        (Some(_), Value::Map(_)) => section(node, variant.section, at, sink),
        (Some(_), Value::Null | Value::List(_)) => sink.push(
            Diagnostic::new(
                code::NEEDS_MAP,
                span,
                format!(
                    "`{}` needs its settings, not {}",
                    variant.name,
                    node.shape()
                ),
            )
            .help(format!("write {}", usage(variant))),
        ),
    }
}

fn unknown_variant(text: &str, span: Span, variants: &'static Variants, sink: &mut Diagnostics) {
    let known = variants.list.iter().map(|variant| variant.name);
    sink.push(
        Diagnostic::new(
            if variants.bare {
                code::UNKNOWN_SERVER
            } else {
                code::UNKNOWN_VERB
            },
            span,
            format!("there is no {} `{}`", variants.name, scalar::short(text)),
        )
        .help(scalar::suggest(text, known, &choices(variants))),
    );
}

fn choices(variants: &Variants) -> String {
    let names: Vec<&str> = variants
        .list
        .iter()
        .filter(|variant| !variant.later)
        .map(|variant| variant.name)
        .collect();
    let other = variants.other.map_or(String::new(), |section| {
        format!(", {{ {}: ... }}", section.fields[0].name)
    });
    format!("{}{other}", names.join(", "))
}

/// How a variant is written: its required fields, or its short form.
fn usage(variant: &Variant) -> String {
    let fields: Vec<String> = variant
        .section
        .fields
        .iter()
        .filter(|field| field.need == Need::Required)
        .map(|field| format!("{}: {}", field.name, example(&field.kind)))
        .collect();
    match (variant.text, fields.is_empty()) {
        (Some(text), false) => {
            let kind = variant
                .section
                .field(text)
                .map_or("...".to_owned(), |field| example(&field.kind));
            format!(
                "`{}: {kind}` or `{}: {{ {} }}`",
                variant.name,
                variant.name,
                fields.join(", ")
            )
        }
        (_, true) => format!("`{}: {{}}`", variant.name),
        (None, false) => format!("`{}: {{ {} }}`", variant.name, fields.join(", ")),
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
        kind => format!("write {}, or remove the key", describe(kind)),
    })
}

fn wrong_shape(node: &Node, kind: &Type, at: At<'_>, sink: &mut Diagnostics) {
    let what = if at.what.is_empty() {
        "this".to_owned()
    } else {
        format!("`{}`", at.what)
    };
    let help = match (kind, &node.value) {
        (Type::Map { .. }, Value::List(items)) => {
            let first = items
                .first()
                .and_then(Node::scalar)
                .map_or("name", |scalar| scalar.text.as_str());
            format!(
                "what a case may change has keys: `{}: {{ {}: ... }}`",
                at.what,
                scalar::short(first)
            )
        }
        (Type::Text, Value::Map(_)) => format!(
            "write it as a block, which takes braces as they are: `{}: |`",
            at.what
        ),
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

/// The shape of a type, for messages.
fn shape(kind: &Type) -> &'static str {
    match kind {
        Type::List { .. } | Type::Claims => "a list",
        Type::Map { .. } | Type::Free | Type::Section(_) | Type::Set | Type::Variants(_) => "a map",
        Type::Short { .. } => "a name or a map",
        Type::OneOf(kinds) => match kinds {
            [Type::List { .. }, ..] => "a list or a map",
            [_, Type::List { .. }] => "a name or a list",
            _ => "a name, a list or a map",
        },
        Type::Text | Type::Line | Type::Expression => "text",
        Type::Name
        | Type::Result
        | Type::Zonal
        | Type::Bool
        | Type::Int { .. }
        | Type::Number { .. } => "a single value",
        Type::Time { .. }
        | Type::Lapse { .. }
        | Type::Rate
        | Type::Percent
        | Type::Bytes { .. } => "a single value",
        Type::Address | Type::PublicAddress | Type::Word(_) | Type::Any => "a single value",
    }
}

/// A type in words, for help texts.
pub fn describe(kind: &Type) -> String {
    match kind {
        Type::List { min: 0, .. } => "a list: `[a, b]`".to_owned(),
        Type::List { .. } => "a list of values, at least one".to_owned(),
        Type::Claims => "a list of expectations: `- what must hold: new.ok`".to_owned(),
        Type::Map { item, .. } => format!("a map with one entry for each {item}: `name: ...`"),
        Type::Free => "a map of names and values: `{ name: value }`".to_owned(),
        Type::Section(section) => format!(
            "{} as a map: `{{ {}: ... }}`",
            section.name,
            section.names().next().unwrap_or("key")
        ),
        Type::Set => "a map of paths and new values: `hosts.web1.zone: b`".to_owned(),
        Type::Variants(variants) => format!("a {}: {}", variants.name, choices(variants)),
        Type::Short { field, .. } => {
            format!("the name of its {}, or a map", field.replace('_', " "))
        }
        Type::OneOf(kinds) => kinds.iter().map(describe).collect::<Vec<_>>().join(", or "),
        Type::Word(words) => format!("one of: {}", words.now.join(", ")),
        kind => format!("{}, like `{}`", plain(kind), example(kind)),
    }
}

fn plain(kind: &Type) -> &'static str {
    match kind {
        Type::Bool => "a boolean",
        Type::Int { .. } => "a whole number",
        Type::Number { .. } => "a number",
        Type::Time { .. } | Type::Lapse { .. } => "a duration",
        Type::Rate => "a rate",
        Type::Percent => "a share",
        Type::Bytes { .. } => "a number of bytes",
        Type::Address | Type::PublicAddress => "an IPv4 address",
        Type::Expression => "an expression",
        Type::Line | Type::Text => "text",
        Type::Name | Type::Result => "a name",
        Type::Zonal => "a zonal address",
        Type::List { .. }
        | Type::Map { .. }
        | Type::Free
        | Type::Section(_)
        | Type::Short { .. } => "a value",
        Type::Variants(_)
        | Type::OneOf(_)
        | Type::Claims
        | Type::Set
        | Type::Any
        | Type::Word(_) => "a value",
    }
}

fn plural(kind: &Type) -> String {
    match kind {
        Type::Variants(_) => "steps".to_owned(),
        Type::Name => "names".to_owned(),
        _ => "values".to_owned(),
    }
}

/// A short example of a type.
fn example(kind: &Type) -> String {
    match kind {
        Type::Bool => "true".to_owned(),
        Type::Int { min, .. } => min.max(&1).to_string(),
        Type::Number { min, .. } => min.to_string(),
        Type::Time { .. } | Type::Lapse { .. } => "2s".to_owned(),
        Type::Rate => "50mbit".to_owned(),
        Type::Percent => "1%".to_owned(),
        Type::Bytes { .. } => "64".to_owned(),
        Type::Address | Type::PublicAddress => "192.0.2.10".to_owned(),
        Type::Zonal => "front/a".to_owned(),
        Type::Expression => "new.ok".to_owned(),
        Type::Word(words) => words.now.join("|"),
        Type::List { of, .. } => format!("[{}]", example(of)),
        Type::OneOf(kinds) => kinds.first().map_or("...".to_owned(), example),
        Type::Result | Type::Name => "name".to_owned(),
        Type::Line
        | Type::Text
        | Type::Map { .. }
        | Type::Free
        | Type::Section(_)
        | Type::Short { .. } => "...".to_owned(),
        Type::Variants(_) | Type::Claims | Type::Set | Type::Any => "...".to_owned(),
    }
}
