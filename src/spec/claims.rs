//! Entries of `works` and `expect`: `- EXPR` or `- claim in words: EXPR`, and the ways in which YAML turns the one
//! into the other.
//!
//! Not here: what expressions mean (see `expr`).

use super::model::Claim;
use super::node::{Entry, Node, Value};
use super::traps::quoted;
use crate::diag::codes::spec as code;
use crate::diag::{Diagnostic, Diagnostics, Spanned};

/// Characters of expressions. A map whose key has one is an expression gone wrong, unless its words cannot be one.
const NOT_IN_WORDS: &[char] = &['=', '?', '&', '|', '<', '>', '[', '(', '"'];

/// Checks one entry.
pub fn check(node: &Node, sink: &mut Diagnostics) {
    if node.refused() {
        return;
    }
    match &node.value {
        Value::Null => sink.push(
            Diagnostic::new(
                code::EMPTY_CLAIM,
                node.span,
                "an expectation is missing after this dash",
            )
            .help("write `- what must hold: new.ok`, or remove the dash"),
        ),
        Value::Scalar(_) => expression(node, sink),
        Value::List(_) => sink.push(
            Diagnostic::new(
                code::CLAIM_SHAPE,
                node.span,
                "an expectation cannot be a list",
            )
            .help("put the expression into quotes when it starts with a bracket"),
        ),
        Value::Map(entries) => match entries.as_slice() {
            [] => sink.push(
                Diagnostic::new(
                    code::EMPTY_CLAIM,
                    node.span,
                    "an expectation is missing here",
                )
                .help("write `- what must hold: new.ok`"),
            ),
            [entry] => in_words(node, entry, sink),
            [first, second, ..] => sink.push(
                Diagnostic::new(
                    code::TWO_CLAIMS,
                    second.key.span,
                    "a second claim in one entry",
                )
                .also(first.key.span, "the first")
                .help("start each claim with a dash of its own: `- `"),
            ),
        },
    }
}

fn expression(node: &Node, sink: &mut Diagnostics) {
    let Some(text) = node.scalar().map(|scalar| scalar.text.trim()) else {
        return;
    };
    if text.is_empty() {
        sink.push(
            Diagnostic::new(code::EMPTY_CLAIM, node.span, "an expectation is empty")
                .help("write what must hold, like `new.ok`"),
        );
    } else if begins_with_words(text) {
        let help = match text.rsplit_once(": ") {
            Some((words, expression)) if words.contains([':', '#']) => format!(
                "put only the words into quotes: `- {}: {}`",
                quoted(words),
                behind_a_colon(expression)
            ),
            Some((words, expression)) => {
                let expression = behind_a_colon(expression);
                format!("no quotes around both: `- {words}: {expression}`")
            }
            None => "write a colon and a space between the words and the expression: `- it works: new.ok`"
                .to_owned(),
        };
        sink.push(
            Diagnostic::new(
                code::RUN_ON_CLAIM,
                node.span,
                "this looks like a claim in words, with nothing between it and its expression",
            )
            .help(help),
        );
    }
}

/// An expression as YAML takes it behind a colon: what begins with a character that means something there needs quotes.
fn behind_a_colon(expression: &str) -> String {
    let expression = expression.trim();
    match expression.starts_with(['!', '[', '{', '"', '\'', '&', '*', '-', '?']) {
        true => quoted(expression),
        false => expression.to_owned(),
    }
}

/// No expression has a name and another name or a number side by side, unless one of them is `in`.
fn side_by_side(first: &str, second: &str) -> bool {
    let is_word = |word: &str| word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let is_name = |word: &str| is_word(word) && !word.starts_with(|c: char| c.is_ascii_digit());
    is_name(first) && is_word(second) && !second.is_empty() && first != "in" && second != "in"
}

fn begins_with_words(text: &str) -> bool {
    let mut words = text.split_whitespace();
    let (Some(first), Some(second)) = (words.next(), words.next()) else {
        return false;
    };
    side_by_side(first, second.trim_end_matches(':'))
}

/// What has two words side by side, and not within a text of its own.
fn cannot_be_an_expression(key: &str) -> bool {
    let words: Vec<&str> = key.split_whitespace().collect();
    // An apostrophe has a letter before it.
    let mut before = ' ';
    let has_text = key.chars().any(|c| {
        let opens = c == '"' || (c == '\'' && !before.is_alphanumeric());
        before = c;
        opens
    });
    !has_text && words.windows(2).any(|two| side_by_side(two[0], two[1]))
}

fn in_words(node: &Node, entry: &Entry, sink: &mut Diagnostics) {
    let key = entry.key.value.as_str();
    if key.is_empty() {
        return;
    }
    let value = entry
        .value
        .scalar()
        .map_or_else(|| entry.value.compact(), |scalar| scalar.text.clone());
    if key.contains(NOT_IN_WORDS) && !cannot_be_an_expression(key) {
        let ternary = key.contains('?') && !key.contains('"');
        let (whole, message, code) = if ternary {
            let whole = format!("{key} : {value}");
            (
                whole,
                "YAML took this choice between two values for a key and its value",
                code::TERNARY_CLAIM,
            )
        } else {
            let whole = format!("{key}: {value}");
            (
                whole,
                "YAML took this expression for a key and its value",
                code::COLON_CLAIM,
            )
        };
        sink.push(
            Diagnostic::new(code, node.span, message)
                .label("there is a colon followed by a space in it")
                .help(format!(
                    "put the whole expression into quotes: {}",
                    quoted(&whole)
                )),
        );
        return;
    }
    if !key.trim().contains(' ') {
        sink.push(
            Diagnostic::new(
                code::CLAIM_WORDS,
                entry.key.span,
                format!("`{key}` is one word, not a claim"),
            )
            .help("say in words what must hold: `- the second connection opens: new.ok`"),
        );
    }
    match &entry.value.value {
        Value::Scalar(_) if entry.value.refused() => {}
        Value::Scalar(_) => expression(&entry.value, sink),
        Value::Null => sink.push(
            Diagnostic::new(code::EMPTY_CLAIM, entry.key.span, "this claim has no expression")
                .help("write the expression behind the colon; if the claim is the expression, put it into quotes"),
        ),
        Value::List(_) | Value::Map(_) => sink.push(
            Diagnostic::new(
                code::CLAIM_SHAPE,
                entry.value.span,
                format!("a claim has an expression, not {}", entry.value.shape()),
            )
            .help("put the expression into quotes when it has braces, brackets or a colon followed by a space"),
        ),
    }
}

/// The claims of a list that has been checked; entries with problems are left out.
pub fn read(list: Option<&Node>) -> Vec<Claim> {
    list.and_then(Node::items)
        .unwrap_or(&[])
        .iter()
        .filter_map(claim)
        .collect()
}

fn claim(node: &Node) -> Option<Claim> {
    let (words, that) = match node.entries() {
        None => (None, node),
        Some([entry]) => (Some(entry.key.clone()), &entry.value),
        Some(_) => return None,
    };
    if that.refused() || words.as_ref().is_some_and(|words| words.value.is_empty()) {
        return None;
    }
    let text = that.scalar()?.text.trim_end().to_owned();
    (!text.trim().is_empty()).then(|| Claim {
        words,
        that: Spanned::new(text, that.text_span()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_told_from_expressions() {
        for claim in [
            "the resolver waits 5 s (resolv.conf)",
            "it's closed (win = 0) & stays so",
            "TCP's own timer > 3 s at most",
            "between [a and b] nothing else",
        ] {
            assert!(cannot_be_an_expression(claim), "{claim}");
        }
        for expression in [
            "new.error == \"a b",
            "new.error == 'a b",
            "new.error in ['x y",
            "a in b ? c",
            "x in list && y in list ? 1",
            "(RFC 9293)",
        ] {
            assert!(!cannot_be_an_expression(expression), "{expression}");
        }
    }
}
