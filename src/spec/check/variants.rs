//! Maps with one key that says which: steps, and what a port serves.

use super::words::{choices, usage};
use super::{At, instead, required, section, value, wrong_shape};
use crate::diag::codes::spec as code;
use crate::diag::{Diagnostic, Diagnostics, Span};
use crate::spec::grammar::{Type, Variant, Variants};
use crate::spec::node::{Entry, Node, Value};
use crate::spec::scalar;

/// Checks a step, or what a port serves.
pub fn check(node: &Node, variants: &'static Variants, at: At<'_>, sink: &mut Diagnostics) {
    let entries = match &node.value {
        Value::Map(entries) => entries,
        Value::Scalar(text) if variants.bare => {
            match variants.variant(&text.text) {
                Some(variant) => variant_of(variant, None, node, node.span, sink),
                None => unknown_variant(&text.text, node.span, variants, sink),
            }
            return;
        }
        Value::Scalar(text) => {
            sink.push(not_a_step(&text.text, node.span, variants));
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
    // What is wrong with a refused key has been said, and it may be the one that is missing.
    if node.entry("").is_some() {
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
        ([one], [(_, known)]) => variant_of(known, Some(one), &one.value, one.key.span, sink),
        ([one], _) => unknown_variant(&one.key.value, one.key.span, variants, sink),
        (_, [(first, _), (second, _), ..]) => sink.push(one_too_many(first, second, variants)),
        (several, [(first, known)]) => {
            let mut others = several.iter();
            let stray = others.find(|entry| entry.key.value != first.key.value);
            sink.push(beside(stray.unwrap_or(first), first, known, variants));
        }
        (several, []) => {
            unknown_variant(&several[0].key.value, several[0].key.span, variants, sink)
        }
    }
}

/// Text where a step should be.
fn not_a_step(text: &str, span: Span, variants: &'static Variants) -> Diagnostic {
    let verb = text.split([' ', ':']).next().unwrap_or("");
    let message = format!("`{}` is text; a step is `verb: ...`", scalar::short(text));
    let help = match variants.variant(verb) {
        Some(variant) => format!("write {}", usage(variant)),
        None => format!("here are: {}", choices(variants)),
    };
    Diagnostic::new(code::NOT_A_STEP, span, message).help(help)
}

/// Two choices in one map.
fn one_too_many(first: &Entry, second: &Entry, variants: &'static Variants) -> Diagnostic {
    let (name, second_name) = (&first.key.value, &second.key.value);
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
    })
}

/// A key that stands beside the choice instead of inside it.
fn beside(
    stray: &Entry,
    first: &Entry,
    known: &'static Variant,
    variants: &'static Variants,
) -> Diagnostic {
    let key = &stray.key.value;
    let help = if known.section.field(key).is_some() {
        format!(
            "write `{0}: {{ ..., {key}: ... }}`, or indent `{key}` further than `{0}`",
            known.name
        )
    } else {
        format!("write {}", usage(known))
    };
    Diagnostic::new(
        code::BESIDE_VARIANT,
        stray.key.span,
        format!(
            "`{}` stands beside `{}`, not inside it",
            scalar::short(key),
            known.name
        ),
    )
    .also(first.key.span, format!("the {}", variants.name))
    .help(help)
}

/// One choice and what stands behind it.
fn variant_of(
    variant: &'static Variant,
    entry: Option<&Entry>,
    node: &Node,
    span: Span,
    sink: &mut Diagnostics,
) {
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
                match &node.value {
                    Value::Null => format!("`{}` has no settings", variant.name),
                    _ => format!("`{}` needs its settings by name", variant.name),
                },
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
        .help(match instead(variants.name, text) {
            Some(instead) => instead.to_owned(),
            None => scalar::suggest(text, known, &choices(variants)),
        }),
    );
}
