//! `hairpin doctor`: what this machine can do, and which of the labs here cannot run on it.

use super::args::{DoctorArgs, OutputFormat};
use super::{Mistake, Status, count, find, select, terminal, worker};
use crate::world::probe::{self, Ability, Need};
use crate::world::{privilege, proc, supervise};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// So many labs are named where many cannot run.
const NAMED: usize = 8;

/// What each lab needs.
type Labs = BTreeMap<String, BTreeSet<Need>>;

/// Tries every ability by its last needed operation, inside the namespaces a run would use.
pub fn doctor(args: &DoctorArgs) -> Result<u8, Mistake> {
    let labs = labs();
    let rootless = !privilege::privileged();
    let format = args.format;
    let unable = |why| report(&probe::without_namespaces(why), &labs, rootless, format);
    let tried = supervise::enter(|_cancel| match worker::runtime() {
        Ok(runtime) => {
            let settings = labs.values().flatten().cloned().collect();
            let abilities = runtime.block_on(probe::all(&settings));
            report(&abilities, &labs, rootless, format)
        }
        Err(error) => unable(format!("cannot start the runtime: {error}")),
    });
    Ok(tried.unwrap_or_else(|error| unable(error.to_string())))
}

/// The labs under `labs/`, if there are any; those with problems of their own are left to `check`.
fn labs() -> Labs {
    let mut labs = Labs::new();
    let sources = find::files(&[]).and_then(select::read).unwrap_or_default();
    for plan in sources
        .iter()
        .flat_map(|source| source.plans.iter().flatten())
    {
        let needs = labs.entry(plan.lab.clone()).or_default();
        needs.extend(probe::needs(plan));
    }
    labs
}

fn head(rootless: bool) -> String {
    let how = if rootless {
        "without root, in a user namespace"
    } else {
        "with privilege"
    };
    format!("running {how}, on Linux {}\n", proc::kernel_release())
}

fn report(abilities: &[Ability], labs: &Labs, rootless: bool, format: OutputFormat) -> u8 {
    let able = abilities
        .iter()
        .all(|ability| ability.missing.is_none() || ability.optional);
    match format {
        OutputFormat::Human => terminal::print(&text(abilities, labs, rootless, able)),
        OutputFormat::Json => {
            let list: Vec<_> = abilities.iter().map(|ability| json!({ "name": ability.name, "needed_for": ability.needed_for, "missing": ability.missing, "optional": ability.optional, "labs": without(ability, labs) })).collect();
            terminal::print(&format!(
                "{:#}\n",
                json!({ "able": able, "rootless": rootless, "kernel": proc::kernel_release(), "abilities": list })
            ));
        }
    }
    terminal::settled(if able {
        Status::Held as u8
    } else {
        Status::Unable as u8
    })
}

/// The labs that cannot run, or not in all of their cases, for want of an ability.
fn without<'a>(ability: &Ability, labs: &'a Labs) -> Vec<&'a str> {
    let (Some(need), Some(_)) = (&ability.need, &ability.missing) else {
        return Vec::new();
    };
    let in_need = labs.iter().filter(|(_, needs)| needs.contains(need));
    in_need.map(|(lab, _)| lab.as_str()).collect()
}

fn text(abilities: &[Ability], labs: &Labs, rootless: bool, able: bool) -> String {
    let mut text = head(rootless);
    let mut lost = BTreeSet::new();
    for ability in abilities {
        let word = if ability.missing.is_none() {
            "yes"
        } else {
            "no "
        };
        text.push_str(&format!(
            "{word}  {:<12} {}\n",
            ability.name, ability.needed_for
        ));
        let mut more = Vec::new();
        more.extend(ability.missing.clone());
        let without = without(ability, labs);
        if !without.is_empty() {
            more.push(in_want(&without));
        }
        for paragraph in more {
            text.push_str(&format!(
                "     {:<12} {}\n",
                "",
                paragraph.replace('\n', "\n                  ")
            ));
        }
        lost.extend(without);
    }
    if !able {
        return text + "\nThis machine cannot run labs.\n";
    }
    text.push_str("\nThis machine can run labs.\n");
    if !lost.is_empty() {
        text.push_str(&format!(
            "Of the {} here, {} cannot run, or not all of their cases.\n",
            count(labs.len(), "lab"),
            lost.len()
        ));
    }
    text
}

fn in_want(labs: &[&str]) -> String {
    let named = &labs[..labs.len().min(NAMED)];
    let more = match labs.len() - named.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let needs = if labs.len() == 1 { "needs" } else { "need" };
    format!(
        "{} {needs} it: {}{more}",
        count(labs.len(), "lab"),
        named.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ability(need: Need, missing: Option<&str>) -> Ability {
        Ability {
            name: "bridge",
            needed_for: "hosts behind others".to_owned(),
            missing: missing.map(str::to_owned),
            optional: true,
            need: Some(need),
        }
    }

    #[test]
    fn what_is_missing_names_the_labs_that_need_it() {
        let labs = Labs::from([
            (
                "nat/office".to_owned(),
                BTreeSet::from([Need::Bridges, Need::Nft]),
            ),
            ("nlb/plain".to_owned(), BTreeSet::from([Need::Nft])),
        ]);
        let abilities = [
            ability(
                Need::Bridges,
                Some("add a bridge: EOPNOTSUPP\n  help: load it"),
            ),
            ability(Need::Nft, None),
        ];
        let said = text(&abilities, &labs, false, true);
        assert!(said.contains("1 lab needs it: nat/office\n"), "{said}");
        assert!(!said.contains("nlb/plain"), "{said}");
        assert!(said.contains("Of the 2 labs here, 1 cannot run"), "{said}");
    }

    #[test]
    fn of_many_labs_some_are_named() {
        let labs: Vec<String> = (0..20).map(|number| format!("nlb/{number}")).collect();
        let labs: Vec<&str> = labs.iter().map(String::as_str).collect();
        let said = in_want(&labs);
        assert!(said.starts_with("20 labs need it: nlb/0, "), "{said}");
        assert!(said.ends_with("nlb/7 and 12 more"), "{said}");
    }
}
