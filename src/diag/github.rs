//! What GitHub Actions' workflow commands want escaped.
//!
//! <https://docs.github.com/actions/reference/workflow-commands-for-github-actions>

/// A command's message: `%`, CR and LF.
pub fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// A property of a command: `:` and `,` too.
pub fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_hide_what_would_end_them() {
        assert_eq!(property("a: 50%, b\n"), "a%3A 50%25%2C b%0A");
    }
}
