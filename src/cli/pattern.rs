//! Patterns of names as shells have them: `*` is any text, `?` any one letter.
//!
//! A `*` takes in `/` as well: names of labs are short, and `*collision*` is to find them in every folder.

/// The text is a pattern. No lab, case or folder of the gallery has these letters in its name.
pub fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?'])
}

/// The pattern says the whole text.
pub fn fits(pattern: &str, text: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    reached(pattern, &text)[text.len()]
}

/// The pattern says a text that begins so and goes on.
pub fn may_go_on(pattern: &str, beginning: &str) -> bool {
    let text: Vec<char> = beginning.chars().collect();
    let rest = |at: &usize| *at < pattern.len() || pattern.ends_with('*');
    (0..=pattern.len())
        .filter(|at| pattern.is_char_boundary(*at))
        .filter(rest)
        .any(|at| reached(&pattern[..at], &text)[text.len()])
}

/// For each place in the text whether the pattern can end there. One pass for each letter of the pattern, so that no pattern
/// takes long.
fn reached(pattern: &str, text: &[char]) -> Vec<bool> {
    let mut ends = vec![false; text.len() + 1];
    ends[0] = true;
    for letter in pattern.chars() {
        let before = ends.clone();
        for place in 0..=text.len() {
            ends[place] = match letter {
                '*' => before[place] || place > 0 && ends[place - 1],
                '?' => place > 0 && before[place - 1],
                other => place > 0 && before[place - 1] && text[place - 1] == other,
            };
        }
    }
    ends
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_any_text_and_a_question_mark_a_letter() {
        for (pattern, text) in [
            ("nlb/*", "nlb/loopback-timeout"),
            ("*collision*", "nlb/source-port-collision"),
            ("*", ""),
            ("a*b*c", "aXbXbc"),
            ("caf?", "caf\u{e9}"),
            ("nlb/*/as-deployed", "nlb/x/as-deployed"),
        ] {
            assert!(fits(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [
            ("nlb/*", "nat/x"),
            ("nlb/?", "nlb/"),
            ("collision", "nlb/collision"),
            ("a*b", "abc"),
            ("", "a"),
        ] {
            assert!(!fits(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn a_beginning_is_told_from_what_leads_elsewhere() {
        for pattern in ["nlb/x/as-*", "*", "nlb/*/as-deployed", "nlb/?/?"] {
            assert!(may_go_on(pattern, "nlb/x/"), "{pattern}");
        }
        for pattern in ["nlb/x", "nlb/x/", "nat/*", "nlb/y/*"] {
            assert!(!may_go_on(pattern, "nlb/x/"), "{pattern}");
        }
    }

    #[test]
    fn no_pattern_takes_long() {
        assert!(!fits(&"*a".repeat(500), &"a".repeat(499)));
    }
}
