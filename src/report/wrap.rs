//! Text to columns: wrapping, cutting, padding, by characters.

use std::collections::BTreeMap;
use std::fmt::Display;

/// Words of `text` in lines of at most `width` characters; a longer word stays whole on its own line.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if length(line) + 1 + length(word) <= width => {
                line.push(' ');
                line.push_str(word);
            }
            Some(_) | None => lines.push(word.to_owned()),
        }
    }
    lines
}

/// `text` in at most `width` characters, the end cut with `...` where it is longer.
pub(crate) fn cut(text: &str, width: usize) -> String {
    if length(text) <= width {
        return text.to_owned();
    }
    let kept: String = text.chars().take(width.saturating_sub(3)).collect();
    format!("{}...", kept.trim_end())
}

/// Characters, which is what a terminal of Latin text counts.
pub(crate) fn length(text: &str) -> usize {
    text.chars().count()
}

/// `deadline 3, reset 1`
pub(crate) fn tallied<N: Display>(counts: &BTreeMap<String, N>) -> String {
    let counts: Vec<String> = counts
        .iter()
        .map(|(what, n)| format!("{what} {n}"))
        .collect();
    counts.join(", ")
}

/// `n` and the noun, with its plural s.
pub(crate) fn count(n: usize, noun: &str) -> String {
    if n == 1 {
        format!("1 {noun}")
    } else {
        format!("{n} {noun}s")
    }
}
