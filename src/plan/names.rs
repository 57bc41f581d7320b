//! Help with names that lead nowhere.

use crate::diag::{Diagnostics, did_you_mean};

/// Names listed in a help, at most.
const LISTED: usize = 12;
/// Names compared with a misspelt one, at most.
const COMPARED: usize = 1000;
/// Past this many problems nobody reads suggestions, and comparing names costs time.
const ENOUGH: usize = 50;

/// "did you mean `web1`?", or what there is to name.
pub(super) fn help<'a>(
    sink: &Diagnostics,
    word: &str,
    names: impl Iterator<Item = &'a str>,
) -> String {
    let names: Vec<&str> = names.take(COMPARED).collect();
    let near = if sink.len() < ENOUGH {
        did_you_mean(word, names.iter().copied())
    } else {
        None
    };
    match near {
        Some(near) => format!("did you mean `{near}`?"),
        None => listing(&names),
    }
}

/// "here are: a, b, c".
fn listing(names: &[&str]) -> String {
    match names {
        [] => "here is none".to_owned(),
        names if names.len() <= LISTED => format!("here are: {}", names.join(", ")),
        names => format!("here are: {}, ...", names[..LISTED].join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_name_is_suggested_and_far_ones_are_listed() {
        let sink = Diagnostics::default();
        let names = ["web1", "client"];
        assert_eq!(
            help(&sink, "wep1", names.into_iter()),
            "did you mean `web1`?"
        );
        assert_eq!(
            help(&sink, "postgres", names.into_iter()),
            "here are: web1, client"
        );
        assert_eq!(help(&sink, "x", std::iter::empty()), "here is none");
    }
}
