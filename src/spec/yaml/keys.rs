//! What may stand as a key of a map, and what is said of all else.

use super::{Composer, WORDS_1_1};
use crate::diag::codes::yaml as code;
use crate::diag::{Diagnostic, Span, Spanned};
use crate::spec::node::{Node, Style, Value};

impl Composer<'_, '_> {
    /// A key's text; empty when it is none, which has then been said.
    pub(super) fn key(&mut self, node: &Node) -> Spanned<String> {
        let written = self.text.get(node.span.start..node.span.end).unwrap_or("");
        let plain = node
            .scalar()
            .is_none_or(|scalar| scalar.style == Style::Plain);
        let word = written.to_ascii_lowercase();
        let refused = Spanned::new(String::new(), node.span);
        if plain && WORDS_1_1.contains(&word.as_str()) {
            self.sink.push(
                Diagnostic::new(
                    code::BOOLEAN_KEY,
                    node.span,
                    format!("`{written}` cannot be a key"),
                )
                .label("YAML 1.1 reads this word as a boolean or as nothing")
                .help(match word.as_str() {
                    "on" => "a connection is named by `over`, a host by `on_host`",
                    _ => "a name must be another word",
                }),
            );
            return refused;
        }
        match &node.value {
            Value::Scalar(scalar) if scalar.style == Style::Refused => refused,
            Value::Scalar(scalar) if !scalar.text.is_empty() => {
                Spanned::new(scalar.text.clone(), node.span)
            }
            Value::Null | Value::Scalar(_) => {
                let colon = self.text[node.span.end..]
                    .find(':')
                    .map_or(0, |n| node.span.end + n);
                // `hosts:` ends with a colon itself when nothing but the line end follows.
                let span = match self.text[colon..]
                    .strip_prefix(":\n")
                    .and_then(|rest| rest.find(':'))
                {
                    Some(next) if node.span.start == node.span.end => Span {
                        start: colon + 2 + next,
                        end: colon + 3 + next,
                    },
                    Some(_) | None => Span {
                        start: colon,
                        end: colon + 1,
                    },
                };
                self.sink.push(
                    Diagnostic::new(
                        code::KEY_NOT_TEXT,
                        span,
                        "a key is missing before this colon",
                    )
                    .help("write `key: value`; a value that starts with a colon needs quotes"),
                );
                refused
            }
            Value::List(_) | Value::Map(_) => {
                let message = format!("a key is text, not {}", node.shape());
                self.sink.push(
                    Diagnostic::new(code::KEY_NOT_TEXT, node.span, message).help(
                        "write `key: value`; a value that starts with `[`, `{` or `?` needs quotes",
                    ),
                );
                refused
            }
        }
    }
}
