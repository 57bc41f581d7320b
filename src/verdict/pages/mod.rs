//! The manual pages of findings.

/// The page of a kind of finding, for a terminal.
pub fn page(_kind: &str) -> Option<&'static str> {
    None
}
