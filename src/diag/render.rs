//! From diagnostics to text: like rustc for people, one JSON object a line for tools, annotations for GitHub.
//!
//! Not here: which problems there are. Any span is fit to print: it is clamped to the text and to its characters.

use super::{Diagnostic, Diagnostics, Span};
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
    /// `::error file=,line=,col=::` for GitHub Actions.
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
    let label = (!diagnostic.label.is_empty()).then(|| normalize_untrusted_str(&diagnostic.label));
    let mut snippet = Snippet::source(text)
        .path(file)
        .annotation(AnnotationKind::Primary.span(primary).label(label));
    for (span, words) in &diagnostic.also {
        let context = first_line(text, clamp(text, *span));
        snippet = snippet.annotation(
            AnnotationKind::Context
                .span(context)
                .label(normalize_untrusted_str(words)),
        );
    }
    let code = diagnostic.code.to_string();
    let title = Level::ERROR
        .primary_title(normalize_untrusted_str(&diagnostic.message))
        .id(code);
    let mut group = title.element(snippet);
    if let Some(help) = &diagnostic.help {
        group = group.element(Level::HELP.message(help.clone()));
    }
    out.push_str(&renderer.render(&[group]));
    out.push_str("\n\n");
}

fn json(out: &mut String, diagnostic: &Diagnostic, file: &str, text: &str) {
    let range = clamp(text, diagnostic.span);
    let (line, column) = line_column(text, range.start);
    let (end_line, end_column) = line_column(text, range.end);
    let object = serde_json::json!({
        "code": diagnostic.code.to_string(),
        "file": file,
        "line": line,
        "column": column,
        "end_line": end_line,
        "end_column": end_column,
        "message": diagnostic.message,
        "help": diagnostic.help,
    });
    let _ = writeln!(out, "{object}");
}

/// <https://docs.github.com/actions/reference/workflow-commands-for-github-actions>: `%`, CR and LF are escaped,
/// in properties `:` and `,` too.
fn github(out: &mut String, diagnostic: &Diagnostic, file: &str, text: &str) {
    let range = clamp(text, diagnostic.span);
    let (line, column) = line_column(text, range.start);
    let message = match &diagnostic.help {
        Some(help) => format!("{}\nhelp: {help}", diagnostic.message),
        None => diagnostic.message.clone(),
    };
    let data = |text: &str| {
        text.replace('%', "%25")
            .replace('\r', "%0D")
            .replace('\n', "%0A")
    };
    let property = |text: &str| data(text).replace(':', "%3A").replace(',', "%2C");
    let (file, code, message) = (property(file), diagnostic.code, data(&message));
    let _ = writeln!(
        out,
        "::error file={file},line={line},col={column},title={code}::{message}"
    );
}
