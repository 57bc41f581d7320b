//! From text to tokens, with the limits that keep everything after it bounded.
//!
//! Lexical syntax of the CEL specification, less what expectations have no use for (bytes, unsigned numbers, triple
//! quotes).

use super::codes;
use crate::diag::{Diagnostic, Span};

/// Longest source, bytes.
pub(super) const MAX_BYTES: usize = 1024;

/// Most operators, selectors, indexes, calls and parentheses together. Every level of the tree costs one, so this
/// bounds the depth of every recursion over it as well. Measured on the deepest texts: all stages together need less
/// than 256 KiB of stack with this package's profiles and 1 MiB without any optimisation; a thread has 2 MiB. The
/// longest claim of the gallery has 16.
pub(super) const MAX_OPERATORS: usize = 64;

/// A lexical unit.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Int(i64),
    Float(f64),
    Text(String),
    Name(String),
    /// Operators and brackets.
    Mark(&'static str),
    End,
}

/// Longer ones first.
const MARKS: [&str; 25] = [
    "&&", "||", "==", "!=", "<=", ">=", "<", ">", "+", "-", "*", "/", "%", "!", "?", ":", ".", ",",
    "(", ")", "[", "]", "{", "}", ";",
];

/// Slips of the pen and what was meant; longer ones first, tried before [`MARKS`].
const SLIPS: [(&str, &str); 8] = [
    ("===", "=="),
    ("!==", "!="),
    ("=<", "<="),
    ("=>", ">="),
    ("<>", "!="),
    ("=~", "contains()"),
    ("&", "&&"),
    ("|", "||"),
];

/// All tokens with their places in the text, [`Token::End`] last.
pub(super) fn tokens(text: &str) -> Result<Vec<(Token, Span)>, Diagnostic> {
    if text.len() > MAX_BYTES {
        return Err(Diagnostic::new(
            codes::TOO_LARGE,
            Span {
                start: 0,
                end: text.len(),
            },
            format!(
                "this expression has {} bytes; at most {MAX_BYTES} are read",
                text.len()
            ),
        )
        .help("split it into several entries, each with its own words"));
    }
    let mut lexer = Lexer { text, at: 0 };
    let mut list = Vec::new();
    let mut operators = 0;
    loop {
        let (token, span) = lexer.next()?;
        if matches!(&token, Token::Mark(mark) if !matches!(*mark, ")" | "]" | "}" | "," | ":" | ";"))
            || matches!(&token, Token::Name(name) if name == "in")
        {
            operators += 1;
            if operators > MAX_OPERATORS {
                return Err(Diagnostic::new(
                    codes::TOO_LARGE,
                    span,
                    format!(
                        "this expression has more than {MAX_OPERATORS} operators, dots and brackets"
                    ),
                )
                .help("split it into several entries, each with its own words"));
            }
        }
        let end = token == Token::End;
        list.push((token, span));
        if end {
            return Ok(list);
        }
    }
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

impl Lexer<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    /// The length of the longest prefix of the rest whose characters all pass.
    fn run(&self, pass: impl Fn(char) -> bool) -> usize {
        self.rest().find(|c| !pass(c)).unwrap_or(self.rest().len())
    }

    /// Takes so many bytes.
    fn span(&mut self, len: usize) -> Span {
        let start = self.at;
        self.at += len;
        Span {
            start,
            end: self.at,
        }
    }

    fn next(&mut self) -> Result<(Token, Span), Diagnostic> {
        self.at += self.run(char::is_whitespace);
        let Some(first) = self.rest().chars().next() else {
            return Ok((Token::End, self.span(0)));
        };
        if first.is_ascii_digit() {
            return self.number();
        }
        if first == '"' || first == '\'' {
            return self.text_literal(0);
        }
        if first.is_ascii_alphabetic() || first == '_' {
            let len = self.run(|c| c.is_ascii_alphanumeric() || c == '_');
            let quoted = self.rest()[len..].starts_with(['"', '\'']);
            match &self.rest()[..len] {
                "r" | "R" if quoted => return self.text_literal(1),
                "b" | "B" | "br" | "rb" if quoted => {
                    let span = self.span(len);
                    return Err(Diagnostic::new(
                        codes::UNSUPPORTED,
                        span,
                        "bytes are not part of expectations",
                    ));
                }
                _ => {}
            }
            let name = self.rest()[..len].to_string();
            return Ok((Token::Name(name), self.span(len)));
        }
        // `&&` and `||` begin like the slips `&` and `|`.
        if !self.rest().starts_with("&&")
            && !self.rest().starts_with("||")
            && let Some((slip, meant)) = SLIPS
                .into_iter()
                .find(|(slip, _)| self.rest().starts_with(slip))
        {
            let span = self.span(slip.len());
            return Err(Diagnostic::new(
                codes::SLIP,
                span,
                format!("`{slip}` is no operator here"),
            )
            .help(format!("write `{meant}`")));
        }
        if let Some(mark) = MARKS.into_iter().find(|mark| self.rest().starts_with(mark)) {
            return Ok((Token::Mark(mark), self.span(mark.len())));
        }
        let span = self.span(first.len_utf8());
        Err(match first {
            '=' => Diagnostic::new(codes::SINGLE_EQUALS, span, "`=` does not compare")
                .help("write `==`"),
            '\u{201c}' | '\u{201d}' | '\u{2018}' | '\u{2019}' => Diagnostic::new(
                codes::LITERAL,
                span,
                format!("`{first}` does not quote text"),
            )
            .help("write a straight quote, `\"` or `'`"),
            _ => Diagnostic::new(
                codes::SYNTAX,
                span,
                format!("`{}` means nothing here", first.escape_debug()),
            ),
        })
    }

    fn number(&mut self) -> Result<(Token, Span), Diagnostic> {
        let text = self.rest();
        let digits = |from: usize| {
            text[from..]
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(text.len() - from)
        };
        let hex = text.len() > 2 && (text.starts_with("0x") || text.starts_with("0X"));
        let mut float = false;
        let mut len = if hex {
            2 + text[2..]
                .find(|c: char| !c.is_ascii_hexdigit())
                .unwrap_or(text.len() - 2)
        } else {
            digits(0)
        };
        if !hex && text[len..].starts_with('.') && digits(len + 1) > 0 {
            float = true;
            len += 1 + digits(len + 1);
        }
        if !hex && text[len..].starts_with(['e', 'E']) {
            let sign = usize::from(text[len + 1..].starts_with(['+', '-']));
            let power = digits(len + 1 + sign);
            if power > 0 {
                float = true;
                len += 1 + sign + power;
            }
        }
        let written = text[..len].to_string();
        let tail = self.rest()[len..].find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let tail = self.rest()[len..][..tail.unwrap_or(self.rest().len() - len)].to_string();
        let span = self.span(len + tail.len());
        if !tail.is_empty() {
            return Err(bad_tail(&written, &tail, span));
        }
        let token = if float {
            written
                .parse()
                .ok()
                .filter(|f: &f64| f.is_finite())
                .map(Token::Float)
        } else if hex {
            i64::from_str_radix(&written[2..], 16).ok().map(Token::Int)
        } else {
            written.parse().ok().map(Token::Int)
        };
        match token {
            Some(token) => Ok((token, span)),
            None => Err(Diagnostic::new(
                codes::LITERAL,
                span,
                format!("`{written}` is too large for a number"),
            )),
        }
    }

    /// A quoted text behind a prefix of so many bytes (1: raw).
    fn text_literal(&mut self, prefix: usize) -> Result<(Token, Span), Diagnostic> {
        let start = self.at;
        let raw = prefix > 0;
        let bad = |start, end, message: String| {
            Err(Diagnostic::new(
                codes::LITERAL,
                Span { start, end },
                message,
            ))
        };
        let mut chars = self.rest()[prefix..]
            .char_indices()
            .map(|(i, c)| (start + prefix + i, c))
            .peekable();
        let Some((_, quote)) = chars.next() else {
            return bad(start, start, "text without a quote".into());
        };
        let mut value = String::new();
        while let Some((i, c)) = chars.next() {
            if c == quote {
                self.at = i + 1;
                return Ok((
                    Token::Text(value),
                    Span {
                        start,
                        end: self.at,
                    },
                ));
            }
            if c != '\\' || raw {
                value.push(c);
                continue;
            }
            let Some((j, escape)) = chars.next() else {
                break;
            };
            let plain = escaped(escape, || {
                chars
                    .next_if(|(_, c)| c.is_ascii_hexdigit())
                    .map(|(_, c)| c)
            });
            match plain {
                Some(c) => value.push(c),
                None => {
                    return bad(
                        i,
                        j + escape.len_utf8(),
                        format!("`\\{}` is no escape sequence", escape.escape_debug()),
                    );
                }
            }
        }
        bad(
            start,
            self.text.len(),
            format!("this text has no closing `{quote}`"),
        )
    }
}

/// The character that an escape sequence means; `digits` gives the hexadecimal digits behind it.
fn escaped(escape: char, mut digits: impl FnMut() -> Option<char>) -> Option<char> {
    let width = match escape {
        'n' => return Some('\n'),
        'r' => return Some('\r'),
        't' => return Some('\t'),
        '\\' | '"' | '\'' | '`' | '?' => return Some(escape),
        'x' | 'X' => 2,
        'u' => 4,
        'U' => 8,
        _ => return None,
    };
    let hex: String = (0..width).map_while(|_| digits()).collect();
    let number = u32::from_str_radix(&hex, 16).ok();
    number
        .filter(|_| hex.len() == width)
        .and_then(char::from_u32)
}

/// Letters right behind a number.
fn bad_tail(written: &str, tail: &str, span: Span) -> Diagnostic {
    let in_ms = |factor: f64| written.parse::<f64>().map(|n| n * factor).unwrap_or(0.0);
    let unit = |factor| {
        Diagnostic::new(
            codes::UNIT,
            span,
            format!("`{written}{tail}`: numbers of an expression have no units"),
        )
        .help(format!("times are milliseconds: write `{}`", in_ms(factor)))
    };
    match tail {
        "us" => unit(0.001),
        "ms" => unit(1.0),
        "s" | "sec" => unit(1000.0),
        "m" | "min" => unit(60_000.0),
        "h" => unit(3_600_000.0),
        "u" | "U" => Diagnostic::new(
            codes::UNSIGNED,
            span,
            format!("`{written}{tail}`: there are no unsigned numbers"),
        )
        .help(format!("write `{written}`")),
        _ => Diagnostic::new(
            codes::LITERAL,
            span,
            format!("`{written}{tail}` is neither a number nor a name"),
        )
        .help("text stands in quotes"),
    }
}
