//! From diagnostics to text: like rustc for people, one JSON object a line for tools, annotations for GitHub.
//!
//! Not here: which problems there are. Any span is fit to print: it is clamped to the text and to its characters.

use super::github::{data, property};
use super::{Diagnostic, Diagnostics, Severity, Span};
use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet, normalize_untrusted_str};
use std::fmt::Write;
use std::ops::Range;

/// How to print diagnostics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Like rustc, without colour.
    Plain,
    /// Like rustc, with colour.
    Colour,
    /// One JSON object a line.
    Json,
    /// `::error file=,line=,col=::` and `::warning ...` for GitHub Actions.
    Github,
}

/// Longer lines are shown in part; an nft text on one line can have thousands of columns.
const WIDTH: usize = 140;

/// All problems of one file, in the order of the file.
pub fn render(diagnostics: &Diagnostics, file: &str, text: &str, format: Format) -> String {
    let mut out = String::new();
    for diagnostic in diagnostics.sorted() {
        match format {
            Format::Plain => people(&mut out, diagnostic, file, text, Renderer::plain()),
            Format::Colour => people(&mut out, diagnostic, file, text, Renderer::styled()),
            Format::Json => json(&mut out, diagnostic, file, text),
            Format::Github => github(&mut out, diagnostic, file, text),
        }
    }
    if diagnostics.is_full() && matches!(format, Format::Plain | Format::Colour) {
        out.push_str("there may be more problems; these are the first that were found\n");
    }
    out
}

/// Line and column of a byte offset, both from 1; columns count characters. Past the end: the end.
pub fn line_column(text: &str, offset: usize) -> (usize, usize) {
    let before = &text[..floor(text, offset)];
    let line_start = before.rfind('\n').map_or(0, |n| n + 1);
    (
        before.bytes().filter(|b| *b == b'\n').count() + 1,
        before[line_start..].chars().count() + 1,
    )
}

/// The nearest character boundary at or before `at`.
fn floor(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// The span as it can be shown: inside the text, on character boundaries, without a line end at its end.
fn clamp(text: &str, span: Span) -> Range<usize> {
    let start = floor(text, span.start);
    let mut end = floor(text, span.end.max(start));
    if end < span.end && end < text.len() {
        end = floor(
            text,
            end + text[end..].chars().next().map_or(0, char::len_utf8),
        );
    }
    let end = start + text[start..end].trim_end_matches(['\n', '\r']).len();
    start..end
}

/// Only the first line of a span that covers many: the beginning says where to look.
fn first_line(text: &str, range: Range<usize>) -> Range<usize> {
    let length = text[range.clone()].find('\n').unwrap_or(range.len());
    let end = range.start
        + text[range.start..range.start + length]
            .trim_end_matches('\r')
            .len();
    range.start..end
}

fn people(out: &mut String, diagnostic: &Diagnostic, file: &str, text: &str, renderer: Renderer) {
    let renderer = renderer.decor_style(DecorStyle::Ascii).term_width(WIDTH);
    let primary = first_line(text, clamp(text, diagnostic.span));
    let also = diagnostic
        .also
        .iter()
        .map(|(span, words)| (first_line(text, clamp(text, *span)), words));
    let also: Vec<(Range<usize>, &String)> = also.collect();
    // Only the lines that matter: with the whole text each problem would cost its length again.
    let places = || also.iter().map(|(range, _)| range).chain([&primary]);
    let first = places().map(|range| range.start).min().unwrap_or(0);
    let last = places().map(|range| range.end).max().unwrap_or(0);
    let start = text[..first].rfind('\n').map_or(0, |n| n + 1);
    let end = text[last..].find('\n').map_or(text.len(), |n| last + n);
    let within = |range: &Range<usize>| range.start - start..range.end - start;

    let label = (!diagnostic.label.is_empty()).then(|| normalize_untrusted_str(&diagnostic.label));
    let mut snippet = Snippet::source(&text[start..end])
        .line_start(line_column(text, start).0)
        .path(file)
        .annotation(AnnotationKind::Primary.span(within(&primary)).label(label));
    for (range, words) in &also {
        let words = normalize_untrusted_str(words);
        snippet = snippet.annotation(AnnotationKind::Context.span(within(range)).label(words));
    }
    let code = diagnostic.code.to_string();
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level
        .primary_title(normalize_untrusted_str(&diagnostic.message))
        .id(code);
    let mut group = title.element(snippet);
    if let Some(help) = &diagnostic.help {
        let help: Vec<String> = help.lines().map(normalize_untrusted_str).collect();
        group = group.element(Level::HELP.message(help.join("\n")));
    }
    out.push_str(&renderer.render(&[group]));
    out.push_str("\n\n");
}

/// As tools call it.
fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

fn json(out: &mut String, diagnostic: &Diagnostic, file: &str, text: &str) {
    let range = clamp(text, diagnostic.span);
    let (line, column) = line_column(text, range.start);
    let (end_line, end_column) = line_column(text, range.end);
    let also = diagnostic.also.iter().map(|(span, words)| {
        let (line, column) = line_column(text, clamp(text, *span).start);
        serde_json::json!({ "line": line, "column": column, "message": words })
    });
    let object = serde_json::json!({
        "code": diagnostic.code.to_string(),
        "severity": word(diagnostic.severity),
        "file": file,
        "line": line,
        "column": column,
        "end_line": end_line,
        "end_column": end_column,
        "message": diagnostic.message,
        "label": diagnostic.label,
        "also": also.collect::<Vec<_>>(),
        "help": diagnostic.help,
    });
    let _ = writeln!(out, "{object}");
}

fn github(out: &mut String, diagnostic: &Diagnostic, file: &str, text: &str) {
    let range = clamp(text, diagnostic.span);
    let (line, column) = line_column(text, range.start);
    let mut message = diagnostic.message.clone();
    if !diagnostic.label.is_empty() {
        let _ = write!(message, ": {}", diagnostic.label);
    }
    for (span, words) in &diagnostic.also {
        let (line, _) = line_column(text, clamp(text, *span).start);
        let _ = write!(message, "\nline {line}: {words}");
    }
    if let Some(help) = &diagnostic.help {
        let _ = write!(message, "\nhelp: {help}");
    }
    let (file, code, message) = (property(file), diagnostic.code, data(&message));
    let _ = writeln!(
        out,
        "::{} file={file},line={line},col={column},title={code}::{message}",
        word(diagnostic.severity)
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::Code;
    use proptest::prelude::*;

    fn wrong(span: Span, help: &str) -> Diagnostic {
        Diagnostic::new(Code(1), span, "it is wrong, 100%: so")
            .label("here")
            .help(help)
    }

    fn printed(problem: Diagnostic, file: &str, text: &str, format: Format) -> String {
        let mut problems = Diagnostics::default();
        problems.push(problem);
        render(&problems, file, text, format)
    }

    #[test]
    fn plain_is_like_rustc() {
        let printed = printed(
            wrong(Span { start: 5, end: 8 }, "do it right"),
            "a.yaml",
            "one\nb: two\n",
            Format::Plain,
        );
        let expected = "\
error[HP0001]: it is wrong, 100%: so
 --> a.yaml:2:2
  |
2 | b: two
  |  ^^^ here
  |
  = help: do it right

";
        assert_eq!(printed, expected);
    }

    #[test]
    fn json_is_one_object_a_line() {
        let printed = printed(
            wrong(Span { start: 2, end: 9 }, "x").also(Span { start: 6, end: 7 }, "and there"),
            "a.yaml",
            "é\nab\nc\n",
            Format::Json,
        );
        let value: serde_json::Value = serde_json::from_str(&printed).expect("JSON");
        assert_eq!(printed.matches('\n').count(), 1);
        let expected = serde_json::json!({
            "code": "HP0001", "severity": "error", "file": "a.yaml", "line": 1, "column": 2, "end_line": 3, "end_column": 2,
            "message": "it is wrong, 100%: so", "label": "here", "also": [{ "line": 3, "column": 1, "message": "and there" }],
            "help": "x",
        });
        assert_eq!(value, expected);
    }

    #[test]
    fn github_escapes_what_its_commands_would_read() {
        let printed = printed(
            wrong(Span { start: 0, end: 1 }, "a\nb").also(Span { start: 2, end: 3 }, "there"),
            "a,b:c.yaml",
            "x\ny",
            Format::Github,
        );
        let expected = "::error file=a%2Cb%3Ac.yaml,line=1,col=1,title=HP0001::\
            it is wrong, 100%25: so: here%0Aline 2: there%0Ahelp: a%0Ab\n";
        assert_eq!(printed, expected);
    }

    #[test]
    fn lines_and_columns_count_from_one_and_in_characters() {
        let text = "äb\r\n\tc";
        assert_eq!(line_column(text, 0), (1, 1));
        assert_eq!(line_column(text, 1), (1, 1));
        assert_eq!(line_column(text, 2), (1, 2));
        assert_eq!(line_column(text, 5), (2, 1));
        assert_eq!(line_column(text, 6), (2, 2));
        assert_eq!(line_column(text, 99), (2, 3));
    }

    proptest! {
        #[test]
        fn any_span_of_any_text_is_printed(
            text in "[a-c\u{e9}\u{1F600}\u{200d}\n\r\t\u{0}\u{1b} ]{0,60}",
            spans in prop::collection::vec((0..80usize, 0..80usize), 1..4),
        ) {
            let mut problem = Diagnostic::new(Code(1), Span::default(), "wrong").help("a\tb\u{1b}");
            for (start, end) in &spans {
                problem = problem.also(Span { start: *start, end: *end }, "there");
            }
            problem.span = Span { start: spans[0].1, end: spans[0].0 };
            let mut problems = Diagnostics::default();
            problems.push(problem);
            for format in [Format::Plain, Format::Colour, Format::Json, Format::Github] {
                prop_assert!(!render(&problems, "a.yaml", &text, format).is_empty());
            }
        }
    }
}
