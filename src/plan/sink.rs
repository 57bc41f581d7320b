//! Where the rules of a plan put what is wrong, and the help with names that lead nowhere.

use crate::diag::{Diagnostic, Diagnostics, did_you_mean};
use std::cell::Cell;

/// Characters of a listing, at most: a line that a terminal shows.
const LISTED: usize = 100;
/// Shorter words are one slip away from everything.
const SHORTEST: usize = 3;
/// So many names that have the word in them are told.
const ALIKE: usize = 3;
/// What comparing names may cost one lab, in pairs of characters: some 0.1 s. Past it, names are only listed.
const PAIRS: usize = 10_000_000;

/// Problems, and what is left to spend on comparing names.
#[derive(Debug)]
pub(super) struct Sink {
    /// What is wrong.
    pub(super) problems: Diagnostics,
    /// What can be built and is hardly meant.
    pub(super) warnings: Diagnostics,
    pairs: Cell<usize>,
}

impl Default for Sink {
    fn default() -> Self {
        Self {
            problems: Diagnostics::default(),
            warnings: Diagnostics::default(),
            pairs: Cell::new(PAIRS),
        }
    }
}

impl Sink {
    /// An empty sink that spends on this one's account.
    pub(super) fn fresh(&self) -> Self {
        Self {
            problems: Diagnostics::default(),
            warnings: Diagnostics::default(),
            pairs: self.pairs.clone(),
        }
    }

    /// Goes on with what another sink has left.
    pub(super) fn settle(&mut self, other: &Sink) {
        self.pairs.set(other.pairs.get());
    }

    /// Adds a problem.
    pub(super) fn push(&mut self, problem: Diagnostic) {
        self.problems.push(problem);
    }

    /// Adds what is only to be thought about.
    pub(super) fn warn(&mut self, warning: Diagnostic) {
        self.warnings.push(warning);
    }

    /// "did you mean `web1`?", or what there is to name.
    pub(super) fn help<'a>(&self, word: &str, names: impl IntoIterator<Item = &'a str>) -> String {
        let names: Vec<&str> = names.into_iter().collect();
        let cost = names.iter().map(|name| name.len() * word.len()).sum();
        let left = self.pairs.get().checked_sub(cost);
        self.pairs.set(left.unwrap_or(0));
        if left.is_none() || word.len() < SHORTEST {
            return listing(&names);
        }
        if let Some(near) = did_you_mean(word, names.iter().copied()) {
            return format!("did you mean `{near}`?");
        }
        let inside = names.iter().copied().filter(|name| name.contains(word));
        let inside: Vec<String> = inside.map(|name| format!("`{name}`")).collect();
        match inside.len() {
            0 => listing(&names),
            1..=ALIKE => format!("did you mean {}?", inside.join(" or ")),
            _ => format!(
                "did you mean {} or another one?",
                inside[..ALIKE].join(" or ")
            ),
        }
    }
}

/// "here are: a, b, c".
fn listing(names: &[&str]) -> String {
    let mut length = 0;
    let shown = names
        .iter()
        .take_while(|name| {
            length += name.len() + 2;
            length <= LISTED
        })
        .count()
        .max(1);
    match names {
        [] => "here is none".to_owned(),
        names if names.len() <= shown => format!("here are: {}", names.join(", ")),
        names => format!("here are: {}, ...", names[..shown].join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_name_is_suggested_and_far_ones_are_listed() {
        let sink = Sink::default();
        let names = ["web1", "client"];
        assert_eq!(sink.help("wep1", names), "did you mean `web1`?");
        assert_eq!(sink.help("postgres", names), "here are: web1, client");
        assert_eq!(sink.help("x", []), "here is none");
        assert_eq!(sink.help("c", ["a", "b"]), "here are: a, b");
    }

    #[test]
    fn a_part_of_a_name_finds_the_name() {
        assert_eq!(
            Sink::default().help("cross_zone", ["load_balancing.cross_zone.enabled"]),
            "did you mean `load_balancing.cross_zone.enabled`?"
        );
        let several = ["delay.enabled", "other", "delay.seconds"];
        assert_eq!(
            Sink::default().help("delay", several),
            "did you mean `delay.enabled` or `delay.seconds`?"
        );
    }

    #[test]
    fn comparing_ends_when_it_costs_too_much() {
        let sink = Sink::default();
        sink.pairs.set(10);
        assert_eq!(sink.help("wep1", ["web1"]), "here are: web1");
    }
}
