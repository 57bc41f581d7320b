//! From diagnostics to text.

use super::Diagnostics;

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

/// All problems of one file.
pub fn render(diagnostics: &Diagnostics, file: &str, text: &str, format: Format) -> String {
    let _ = (file, text, format);
    format!("{} problems", diagnostics.len())
}
