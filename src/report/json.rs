//! The machine's report: one JSON object with `cases[]`.

use super::Report;

/// All of it, as text with a final line feed.
pub fn json(report: &Report) -> String {
    let mut text =
        serde_json::to_string_pretty(report).expect("maps with text keys always serialise");
    text.push('\n');
    text
}
