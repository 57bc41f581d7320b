//! Which of the labs that are up a command means.

use super::state::{Home, Place};
use crate::cli::{Mistake, Refusal};

/// The lab of this name, or the only one that is up.
///
/// # Errors
/// When there is none, or more than one to choose from.
pub fn named(home: &Home, name: Option<&str>) -> Result<Place, Refusal> {
    let living = home.living()?;
    let names = || {
        let names: Vec<String> = living.iter().map(Place::name).collect();
        names.join(", ")
    };
    let mistake = match (name, &living[..]) {
        (Some(name), _) => match living.iter().find(|place| place.name() == name) {
            Some(place) => return Ok(place.clone()),
            None if let Some(dead) = home.labs()?.iter().find(|place| place.name() == name) => {
                is_dead(dead)
            }
            None if living.is_empty() => none_is_up(),
            None => format!("no lab called `{name}` is up; there is {}", names()),
        },
        (None, [only]) => return Ok(only.clone()),
        // Whoever names none means one that was up.
        (None, []) => match &home.labs()?[..] {
            [] => none_is_up(),
            [only] => is_dead(only),
            all @ [_, _, ..] => {
                let names: Vec<String> = all.iter().map(Place::name).collect();
                format!(
                    "no lab is up; dead are {}: `hairpin down NAME` tells the last words of one, \
                     `hairpin clean` removes what is left of them",
                    names.join(", ")
                )
            }
        },
        (None, [_, _, ..]) => format!("several labs are up, name one: {}", names()),
    };
    Err(Mistake(mistake).into())
}

fn is_dead(place: &Place) -> String {
    format!(
        "the lab `{}` is dead: `hairpin clean` removes what is left of it{}",
        place.name(),
        place.last_words()
    )
}

fn none_is_up() -> String {
    "no lab is up: `hairpin up LAB` puts one up".to_owned()
}

/// A lab may be named before other words, and be left out where one is up. Gives it and the other words.
///
/// # Errors
/// As [`named`].
pub fn first_named<'w>(home: &Home, words: &'w [String]) -> Result<(Place, &'w [String]), Refusal> {
    // What is left of a dead one is named as well, and `named` says so.
    if let [first, rest @ ..] = words
        && home.labs()?.iter().any(|place| place.name() == *first)
    {
        return Ok((named(home, Some(first))?, rest));
    }
    Ok((named(home, None)?, words))
}

#[cfg(test)]
mod tests {
    use super::super::state::Description;
    use super::*;
    use std::fs;
    use std::mem::ManuallyDrop;

    #[test]
    fn who_names_no_lab_hears_of_those_that_are_dead() {
        let folder = std::env::temp_dir().join(format!("hairpin-dead-{}", std::process::id()));
        let home = Home(folder.clone());
        let told = || named(&home, None).expect_err("none is up").why;
        assert!(told().starts_with("no lab is up: `hairpin up LAB`"));
        for name in ["one", "two"] {
            let about = Description::new(name, "web.yaml", "web", "plain");
            let held = home.claim(&about).expect("a free name");
            assert_eq!(named(&home, None).expect("it is up").name(), name);
            drop(ManuallyDrop::into_inner(held.lock));
        }
        let several = told();
        assert!(several.contains("dead are one, two"), "{several}");
        fs::remove_dir_all(folder.join("two")).expect("its folder");
        let only = told();
        assert!(only.starts_with("the lab `one` is dead"), "{only}");
        fs::remove_dir_all(folder).expect("a folder of one's own");
    }
}
