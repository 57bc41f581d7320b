//! What a YAML syntax error most likely is in a lab, and what to write instead.
//!
//! A YAML parser says where it gave up; the mistake is often earlier on the line and has nothing to do with the
//! grammar it names. Each trap here was seen with real labs. Not here: problems that leave a tree (see `yaml`).

use crate::diag::codes::yaml as code;
use crate::diag::{Diagnostic, Span};
use serde_yaml::granit_parser::ErrorKind;

/// The nearest character boundary at or before `at`.
pub fn floor_char_boundary(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// The line around a place: its first byte and its text.
fn line_at(text: &str, at: usize) -> (usize, &str) {
    let start = text[..at].rfind('\n').map_or(0, |n| n + 1);
    let end = text[at..].find('\n').map_or(text.len(), |n| at + n);
    (start, &text[start..end])
}

/// One character at `at`, or nothing at the end of the text.
fn char_span(text: &str, at: usize) -> Span {
    let length = text[at..].chars().next().map_or(0, char::len_utf8);
    Span {
        start: at,
        end: at + length,
    }
}

/// Fields whose value is a text with braces and quotes of its own.
const TEXT_FIELDS: &[&str] = &["nft:", "iptables:", "setup:", "command:", "script:"];

/// The diagnostic of a syntax error at a byte offset; `open` is the innermost bracket that is still open.
pub fn explain(text: &str, at: usize, kind: &ErrorKind, open: Option<usize>) -> Diagnostic {
    let at = floor_char_boundary(text, at);
    let here = char_span(text, at);
    // An error at the end of a line is about the line, one at the start of a line about the line before.
    let (line_start, line) = line_at(text, at);
    let (start, line) = if text[line_start..at].trim().is_empty() && at > 0 {
        let before = text[..line_start].trim_end().len();
        let (start, previous) = line_at(text, before);
        if is_trap(previous) {
            (start, previous)
        } else {
            (line_start, line)
        }
    } else {
        (line_start, line)
    };
    if let Some(tab) = tab(kind, text, line_start, line_at(text, at).1) {
        return tab;
    }
    if let Some(found) = strange_space(text, at) {
        return found;
    }
    if let Some(found) = claim_tag(text, start, line) {
        return found;
    }
    if let Some(found) = text_field(start, line) {
        return found;
    }
    if let Some(found) = double_colon(start, line) {
        return found;
    }
    if let Some(found) = open.and_then(|open| unclosed(text, open, at, kind)) {
        return found;
    }
    let problem = by_kind(text, here, start, line, kind);
    match open {
        Some(open) if problem.code == code::BRACKETS && open != here.start => {
            problem.also(char_span(text, open), "opened here")
        }
        Some(_) | None => problem,
    }
}

/// A bracket that is open where a line with a key of its own begins, no further in than the bracket's.
fn unclosed(text: &str, open: usize, at: usize, kind: &ErrorKind) -> Option<Diagnostic> {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let ((first, opening), (second, here)) = (line_at(text, open), line_at(text, at));
    let is_colon = matches!(
        kind,
        ErrorKind::MappingValueNotAllowed | ErrorKind::InvalidColonPlacement
    );
    (is_colon && first < second && indent(here) <= indent(opening)).then(|| {
        Diagnostic::new(
            code::BRACKETS,
            char_span(text, open),
            "a bracket is opened and not closed",
        )
        .label("opened here")
        .help("close it before the next key begins")
    })
}

fn is_trap(line: &str) -> bool {
    claim_tag(line, 0, line).is_some()
        || text_field(0, line).is_some()
        || double_colon(0, line).is_some()
}

fn tab(kind: &ErrorKind, text: &str, start: usize, line: &str) -> Option<Diagnostic> {
    let indent = &line[..line.len() - line.trim_start().len()];
    let by_kind = matches!(
        kind,
        ErrorKind::TabNotAllowed
            | ErrorKind::TabInBlockIndentation
            | ErrorKind::TabInIndentation
            | ErrorKind::TabAtBlockScalarStart
            | ErrorKind::TabInPlainScalar
    );
    let found = indent.find('\t').map(|tab| start + tab);
    // The parser names the line of the value that a tab ends.
    let later = || text[start..].find('\t').map(|tab| start + tab);
    let at = found.or_else(|| by_kind.then(later).flatten())?;
    let length = text[at..].len() - text[at..].trim_start_matches('\t').len();
    Some(
        Diagnostic::new(
            code::TAB,
            Span {
                start: at,
                end: at + length,
            },
            "a tab cannot indent: YAML counts spaces only",
        )
        .label("a tab")
        .help("write spaces instead; most editors can convert the file"),
    )
}

/// A no-break space and its like look like an indentation and are text to YAML. The line or the one before it.
fn strange_space(text: &str, at: usize) -> Option<Diagnostic> {
    let (start, line) = line_at(text, at);
    let before = start
        .checked_sub(1)
        .map(|end| line_at(text, floor_char_boundary(text, end)));
    let (start, indent) = [before, Some((start, line))]
        .into_iter()
        .flatten()
        .map(|(start, line)| (start, &line[..line.len() - line.trim_start().len()]))
        .find(|(_, indent)| !indent.is_ascii())?;
    let inside = indent.find(|c: char| !c.is_ascii())?;
    Some(
        Diagnostic::new(
            code::INDENTATION,
            char_span(text, start + inside),
            "this is no ordinary space, and cannot indent",
        )
        .label("a no-break space or another look-alike")
        .help("write ordinary spaces; such characters come with text copied from a web page"),
    )
}

/// The first colon of a line belongs to a key; that the line goes on with a value above it has another reason.
fn key_of_its_own(text: &str, at: usize, content: Span) -> Option<Diagnostic> {
    let key = text.get(content.start..at)?;
    let is_key = |c: char| c.is_alphanumeric() || "_-./".contains(c);
    if key.is_empty() || !key.chars().all(is_key) {
        return None;
    }
    let (start, _) = line_at(text, content.start);
    let above = text[..start].trim_end();
    let (above_start, above_line) = line_at(text, above.len());
    let above_text = above_line.trim_start().trim_start_matches("- ");
    if let Some((word, rest)) = above_text.split_once(':')
        && !word.is_empty()
        && word.chars().all(is_key)
        && rest.starts_with(|c: char| !c.is_whitespace())
        && !rest.contains(": ")
    {
        let colon = above_start + above_line.find(':')?;
        return Some(
            Diagnostic::new(
                code::COLON,
                char_span(text, colon),
                format!("`{word}:` needs a space behind its colon"),
            )
            .label("this colon")
            .help(format!("write `{word}: {}`", rest.trim_end())),
        );
    }
    Some(
        Diagnostic::new(
            code::INDENTATION,
            content,
            "this line is indented further than the one above it",
        )
        .label("taken as more of the value above")
        .help("entries of one map start in the same column; only what belongs to a key without a value is indented further"),
    )
}

/// `- !x.ok && y`: the tag takes all up to the space, and what is left no longer parses.
fn claim_tag(text: &str, start: usize, line: &str) -> Option<Diagnostic> {
    let trimmed = line.trim_start();
    let rest = trimmed.strip_prefix("- ")?;
    let value = rest.trim_start();
    let at = start + line.len() - value.len();
    if !value.starts_with('!') {
        return None;
    }
    let end = at + value.find(char::is_whitespace).unwrap_or(value.len());
    Some(tag_in_claim(text, Span { start: at, end }))
}

/// A tag where an expression should be.
pub fn tag_in_claim(text: &str, span: Span) -> Diagnostic {
    let written = &text[span.start..span.end];
    let (_, line) = line_at(text, span.start);
    let whole = line
        .find(written)
        .map_or(written, |at| line[at..].trim_end());
    Diagnostic::new(
        code::TAG_IN_CLAIM,
        span,
        format!("`{written}` is a YAML tag, not a negation"),
    )
    .label("YAML takes a `!` at the start for the name of a type")
    .help(format!("put the expression into quotes: {}", quoted(whole)))
}

/// A tag anywhere else.
pub fn tag(text: &str, span: Span) -> Diagnostic {
    let written = &text[span.start..span.end];
    Diagnostic::new(
        code::TAG,
        span,
        format!("`{written}` is a YAML tag; labs have none"),
    )
    .help(format!(
        "remove it, or put the value into quotes if the `!` belongs to it: {}",
        quoted(written)
    ))
}

/// Nesting that no lab has.
pub fn too_deep(span: Span) -> Diagnostic {
    Diagnostic::new(
        code::TOO_DEEP,
        span,
        format!(
            "more than {} levels of lists and maps",
            super::yaml::MAX_DEPTH
        ),
    )
    .help("no part of a lab is nested more than ten levels deep; is a bracket missing?")
}

/// In quotes that do not clash with those inside.
pub fn quoted(text: &str) -> String {
    if text.contains('\'') && !text.contains(['"', '\\']) {
        format!("\"{text}\"")
    } else {
        format!("'{}'", text.replace('\'', "''"))
    }
}

/// `nft: "table ... oifname "eth0" ..."`: the inner quotes end the value.
fn text_field(start: usize, line: &str) -> Option<Diagnostic> {
    let (at, name) = TEXT_FIELDS.iter().find_map(|name| {
        let at = line.find(name)?;
        let free = line[..at].ends_with([' ', '{', ',', '.']) || at == 0;
        let value = line[at + name.len()..].trim_start();
        let block = value.starts_with(['|', '>']) || value.is_empty();
        (free && !block).then_some((at, *name))
    })?;
    let value = line[at + name.len()..].trim();
    let value_at = start + line.len() - line[at + name.len()..].trim_start().len();
    let name = name.trim_end_matches(':');
    Some(
        Diagnostic::new(
            code::TEXT_ON_ONE_LINE,
            Span {
                start: value_at,
                end: value_at + value.len(),
            },
            format!("the text of `{name}` does not fit on one line of YAML"),
        )
        .label("quotes, braces and colons in here mean something to YAML")
        .help(format!(
            "write it as a block, which takes every character \
            as it is:\n{name}: |\n  first line\n  second line"
        )),
    )
}

/// `{ address: fd00:: }`: the last colon asks for a value.
fn double_colon(start: usize, line: &str) -> Option<Diagnostic> {
    // Looked for once: a line may be a megabyte of colons.
    let mut from = line.find(['{', '['])?;
    while let Some(found) = line[from..].find("::") {
        let at = from + found;
        let behind = line[at + 2..].chars().next();
        if behind.is_none_or(|c| c.is_whitespace() || "},]".contains(c)) {
            let before = line[..at].trim_end_matches(|c: char| c.is_ascii_hexdigit() || c == ':');
            let word = before.len();
            let address = &line[word..at + 2];
            return Some(
                Diagnostic::new(
                    code::DOUBLE_COLON,
                    Span {
                        start: start + word,
                        end: start + at + 2,
                    },
                    format!("`{address}` ends with a colon, which YAML takes for the end of a key"),
                )
                .help(format!("put the address into quotes: \"{address}\"")),
            );
        }
        from = at + 2;
    }
    None
}

fn by_kind(text: &str, here: Span, line_start: usize, line: &str, kind: &ErrorKind) -> Diagnostic {
    let content = Span {
        start: line_start + (line.len() - line.trim_start().len()),
        end: line_start + line.trim_end().len(),
    };
    match kind {
        ErrorKind::UnclosedQuotedScalar | ErrorKind::InvalidQuotedScalarIndent => Diagnostic::new(
            code::UNCLOSED,
            opening_quote(text, here),
            "a quote is opened and not closed",
        )
        .label("opened here")
        .help("close it; a quote inside single quotes is written twice: 'it''s'"),
        ErrorKind::UnclosedFlowCollection { .. }
        | ErrorKind::UnexpectedEofFlowSequence
        | ErrorKind::UnexpectedEofFlowMapping
        | ErrorKind::UnexpectedEofImplicitFlowMapping
        | ErrorKind::MisplacedFlowCollectionEnd
        | ErrorKind::MismatchedFlowCollectionEnd { .. }
        | ErrorKind::ExpectedFlowMappingSeparator
        | ErrorKind::ExpectedFlowSequenceSeparator
        | ErrorKind::InvalidFlowScalarIndent => Diagnostic::new(
            code::BRACKETS,
            here,
            "the brackets do not fit together here",
        )
        .label("expected a comma or the closing bracket before this")
        .help(
            "count `{ }` and `[ ]` of this line and the lines above; \
                    a value with a comma, a bracket or `: ` needs quotes",
        ),
        ErrorKind::MappingValueNotAllowed
        | ErrorKind::InvalidColonPlacement
        | ErrorKind::InvalidMappingValueWhitespace
        | ErrorKind::FlowMappingValueAdjacentCollection => {
            if let Some(found) = key_of_its_own(text, here.start, content) {
                return found;
            }
            Diagnostic::new(code::COLON, here, "a second colon makes this value a key")
                .label("this colon")
                .help(quote_help(line))
        }
        ErrorKind::ExpectedBlockMappingKey
        | ErrorKind::ExpectedBlockSequenceEntry
        | ErrorKind::InvalidIndentation
        | ErrorKind::BlockSequenceEntryNotAllowed
        | ErrorKind::BlockEntryInFlowCollection
        | ErrorKind::SimpleKeyExpected
        | ErrorKind::MappingKeyNotAllowed
        | ErrorKind::InvalidBlockScalarIndent => Diagnostic::new(
            code::INDENTATION,
            content,
            "this line does not continue what stands above it",
        )
        .label("indented too far, not far enough, or without `key:`")
        .help(
            "entries of one map or list start in the same column; \
                    a map's entry is `key: value`, a list's is `- value`",
        ),
        ErrorKind::UnexpectedCharacter { .. }
        | ErrorKind::MissingAnchorOrAliasName
        | ErrorKind::PlainScalarStartsWithDashFlowIndicator
        | ErrorKind::InvalidBlockScalarHeader
        | ErrorKind::DirectiveDisallowed
        | ErrorKind::MissingDirectiveName
        | ErrorKind::InvalidDirectiveName => {
            let character = text[here.start..].chars().next().unwrap_or(' ');
            let (message, help) = if character.is_control() {
                (
                    format!(
                        "the character `{}` cannot stand in a lab",
                        character.escape_unicode()
                    ),
                    "take it out; no quotes help".to_owned(),
                )
            } else {
                (
                    format!(
                        "a value without quotes cannot start with `{}`",
                        character.escape_default()
                    ),
                    quote_help(line),
                )
            };
            Diagnostic::new(code::CHARACTER, here, message).help(help)
        }
        ErrorKind::InvalidTrailingSingleQuotedScalar
        | ErrorKind::InvalidTrailingDoubleQuotedScalar => Diagnostic::new(
            code::AFTER_QUOTE,
            here,
            "the value goes on after its closing quote",
        )
        .label("the quoted value ended before this")
        .help(quote_help(line)),
        ErrorKind::UnknownQuotedScalarEscape
        | ErrorKind::InvalidQuotedScalarHexEscape
        | ErrorKind::InvalidLowSurrogateHexEscape
        | ErrorKind::InvalidLowSurrogate
        | ErrorKind::MissingLowSurrogate
        | ErrorKind::UnpairedLowSurrogate
        | ErrorKind::InvalidUnicodeEscape => {
            let escape = bad_escape(text, here.start).unwrap_or(here);
            Diagnostic::new(code::ESCAPE, escape, "an escape that YAML does not know")
                .help("write `\\\\` for a backslash, or use single quotes, in which a backslash is a backslash")
        }
        ErrorKind::RecursionLimitExceeded => too_deep(here),
        // The parser's list of kinds is open; what is left is rare and needs no words of ours.
        other => Diagnostic::new(code::SYNTAX, here, format!("this is not YAML: {other}"))
            .help("often a quote, a bracket or the indentation just before this place is to blame"),
    }
}

/// The parser reports an unclosed quote where it began, or where the text goes on less indented: the quote is then
/// the odd one on a line above.
fn opening_quote(text: &str, here: Span) -> Span {
    if text[here.start..].starts_with(['"', '\'']) {
        return here;
    }
    let mut end = here.start;
    while end > 0 {
        let (start, line) = line_at(text, text[..end].trim_end().len());
        for quote in ['"', '\''] {
            if line.matches(quote).count() % 2 == 1 {
                let at = start + line.find(quote).unwrap_or(0);
                return Span {
                    start: at,
                    end: at + 1,
                };
            }
        }
        end = start;
    }
    here
}

/// The value on a line, as far as a line can be understood without its surroundings: behind `key: ` or `- `.
fn value_of(line: &str) -> Option<&str> {
    let trimmed = line.trim();
    let trimmed = trimmed.split(" #").next().unwrap_or(trimmed).trim_end();
    let item = trimmed.strip_prefix("- ").unwrap_or(trimmed);
    let value = item
        .split_once(": ")
        .map_or(item, |(_, value)| value)
        .trim();
    (!value.is_empty() && !item.contains(['{', '}']) && !value.starts_with('#')).then_some(value)
}

/// "put it into quotes", with the value itself when it can be told.
fn quote_help(line: &str) -> String {
    match value_of(line) {
        Some(value) => format!("put the whole value into quotes: {}", quoted(value)),
        None => {
            "put the whole value into quotes, of the kind that it does not hold: '...'".to_owned()
        }
    }
}

/// The first escape of a double-quoted value that YAML does not have.
fn bad_escape(text: &str, from: usize) -> Option<Span> {
    let mut chars = text[from..].char_indices();
    while let Some((at, c)) = chars.next() {
        if c != '\\' {
            continue;
        }
        let (next, escaped) = chars.next()?;
        if !"0abt\tnvfre \"/\\N_LPxuU\n\r".contains(escaped) {
            return Some(Span {
                start: from + at,
                end: from + next + escaped.len_utf8(),
            });
        }
    }
    None
}
