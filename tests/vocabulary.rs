//! Words that two stages share without knowing each other: what runs write is what expressions may compare with.

use hairpin::{plan::vocabulary, run};
use std::collections::BTreeSet;

#[test]
fn errors_of_runs_are_those_of_expressions() {
    let told: BTreeSet<&str> = vocabulary::ERRORS
        .iter()
        .copied()
        .filter(|word| !word.is_empty())
        .collect();
    assert_eq!(told, run::WORDS.into_iter().collect());
}
