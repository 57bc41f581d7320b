//! Names of items, results and zonal addresses, and the keys of maps.

use super::short;
use crate::diag::codes::{guards, spec as code, yaml};
use crate::diag::{Diagnostic, Span};
use crate::spec::grammar::Key;
use crate::spec::node::{Scalar, Style};
use crate::spec::yaml::WORDS_1_1;
use crate::units::Port;

/// The longest name. 63 is the limit of a DNS label (RFC 1035, 2.3.4) and leaves room for the `-1000` of `count`.
const MAX_NAME: usize = 58;

/// AWS: rule numbers of a network ACL end here; above it is the rule that denies everything, `*`.
const MOST_RULE_NUMBER: u16 = 32_766;

/// Words that no result can be called: CEL's keywords and reserved identifiers, and the roots of the evidence.
pub const KEYWORDS: &[&str] = &[
    "true",
    "false",
    "null",
    "in",
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
];
/// The roots of the evidence; see `KEYWORDS`.
pub const ROOTS: &[&str] = &[
    "hosts",
    "load_balancers",
    "target_groups",
    "nat_gateways",
    "endpoints",
    "flow_logs",
    "findings",
    "packets",
];

/// The name of a topology item.
pub fn is_name(text: &str) -> bool {
    is_word(text, b'-')
}

/// The name of a step's result.
pub fn is_result(text: &str) -> bool {
    is_word(text, b'_')
}

/// A small letter, then small letters, digits and what joins them.
fn is_word(text: &str, joint: u8) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == joint)
        && text.len() <= MAX_NAME
}

/// A word that YAML 1.1 does not take for text.
pub fn boolean_word(scalar: &Scalar) -> bool {
    scalar.style == Style::Plain && WORDS_1_1.contains(&scalar.text.to_ascii_lowercase().as_str())
}

pub fn name(scalar: &Scalar, span: Span) -> Option<Diagnostic> {
    let text = &scalar.text;
    if boolean_word(scalar) {
        return Some(
            Diagnostic::new(
                yaml::BOOLEAN_WORD,
                span,
                format!("`{text}` is a boolean in YAML 1.1, not a name"),
            )
            .help(format!(
                "write \"{text}\" with quotes, or choose another name"
            )),
        );
    }
    if is_name(text) {
        return None;
    }
    let better: String = text.to_lowercase().replace(['_', ' ', '.'], "-");
    let hint = if is_name(&better) {
        format!(", for example `{better}`")
    } else {
        String::new()
    };
    Some(Diagnostic::new(code::NAME, span, format!("`{}` is not a name", short(text))).help(format!(
        "a name is a small letter, then small letters, digits and hyphens, at most {MAX_NAME} in all{hint}"
    )))
}

pub fn result(scalar: &Scalar, span: Span) -> Option<Diagnostic> {
    let text = scalar.text.as_str();
    if KEYWORDS.contains(&text) {
        return Some(
            Diagnostic::new(
                code::RESULT_KEYWORD,
                span,
                format!("`{text}` is a word of the expression language"),
            )
            .help("choose another name; expectations could not speak of this one"),
        );
    }
    if ROOTS.contains(&text) {
        return Some(
            Diagnostic::new(
                code::RESULT_KEYWORD,
                span,
                format!("`{text}` is a part of the evidence already"),
            )
            .help(format!(
                "choose another name; `{text}...` in an expectation means the evidence"
            )),
        );
    }
    if boolean_word(scalar) {
        return Some(
            Diagnostic::new(
                yaml::BOOLEAN_WORD,
                span,
                format!("`{text}` is a boolean in YAML 1.1, not a name"),
            )
            .help("choose another name"),
        );
    }
    if is_result(text) {
        return None;
    }
    let better: String = text.to_lowercase().replace(['-', ' ', '.'], "_");
    let hint = if is_result(&better) {
        format!(", for example `{better}`")
    } else {
        String::new()
    };
    Some(
        Diagnostic::new(code::RESULT_NAME, span, format!("`{}` is not a name for a result", short(text))).help(format!(
            "expressions use it, so it is a small letter, then small letters, digits and underscores{hint}"
        )),
    )
}

pub fn zonal(scalar: &Scalar, span: Span) -> Option<Diagnostic> {
    let parts: Vec<&str> = scalar.text.split('/').collect();
    if parts.len() <= 2 && parts.iter().all(|part| is_name(part)) {
        return None;
    }
    Some(
        Diagnostic::new(
            code::ZONAL,
            span,
            format!("`{}` is not a zonal address", short(&scalar.text)),
        )
        .help("write balancer/zone, like `front/a`, or only the zone: `a`"),
    )
}

/// What is wrong with a key of a map of named items.
pub fn key_problem(key: Key, text: &str, span: Span) -> Option<Diagnostic> {
    // A boolean word without quotes never got here.
    let scalar = Scalar {
        text: text.to_owned(),
        style: Style::Quoted,
    };
    match key {
        Key::Name => name(&scalar, span),
        Key::Zonal => zonal(&scalar, span),
        Key::Port => match text.parse::<Port>() {
            Ok(port) if !port.udp && !text.contains('/') => None,
            Ok(_) => Some(
                Diagnostic::new(
                    code::PORT,
                    span,
                    format!("`{}` is no listener's port", short(text)),
                )
                .help("a listener's key is only the number; its `protocol` says the rest"),
            ),
            Err(why) => Some(
                Diagnostic::new(code::PORT, span, format!("`{}` is no port", short(text)))
                    .help(why.to_string()),
            ),
        },
        Key::RuleNumber => {
            let number = text
                .parse::<u16>()
                .is_ok_and(|number| (1..=MOST_RULE_NUMBER).contains(&number));
            let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
            (!number || !plain).then(|| {
                Diagnostic::new(
                    guards::RULE_NUMBER,
                    span,
                    format!("`{}` is no number of a rule", short(text)),
                )
                .help(format!(
                    "a whole number from 1 to {MOST_RULE_NUMBER}: the lowest that fits a packet decides"
                ))
            })
        }
        Key::ServePort => text.parse::<Port>().err().map(|why| {
            Diagnostic::new(code::PORT, span, format!("`{}` is no port", short(text)))
                .help(format!("{why}; write `80`, or `53/udp`"))
        }),
    }
}
