//! `hairpin doctor`: what this machine can do.

use super::args::{DoctorArgs, OutputFormat};
use super::{Mistake, Status, terminal};
use crate::world::probe::{self, Ability};
use crate::world::supervise;
use serde_json::json;

/// Tries every ability by its last needed operation, inside the namespaces a run would use.
pub fn doctor(args: &DoctorArgs) -> Result<u8, Mistake> {
    let rootless = !supervise::privileged();
    let format = args.format;
    match supervise::enter(|_cancel| report(&probe::all(), rootless, format)) {
        Ok(status) => Ok(status),
        Err(error) => {
            match format {
                OutputFormat::Human => terminal::print(&format!(
                    "no   namespaces   {error}\n\nThis machine cannot run labs.\n"
                )),
                OutputFormat::Json => terminal::print(&format!(
                    "{:#}\n",
                    json!({ "able": false, "rootless": rootless, "abilities": [{ "name": "namespaces", "missing": error.to_string() }] })
                )),
            }
            Ok(Status::Unable as u8)
        }
    }
}

fn report(abilities: &[Ability], rootless: bool, format: OutputFormat) -> u8 {
    let able = abilities
        .iter()
        .all(|ability| ability.missing.is_none() || ability.optional);
    match format {
        OutputFormat::Human => {
            let mut text = format!(
                "running {}\n",
                if rootless {
                    "without root, in a user namespace"
                } else {
                    "with privilege"
                }
            );
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
                if let Some(missing) = &ability.missing {
                    text.push_str(&format!(
                        "     {:<12} {}\n",
                        "",
                        missing.replace('\n', "\n                  ")
                    ));
                }
            }
            text.push_str(if able {
                "\nThis machine can run labs.\n"
            } else {
                "\nThis machine cannot run labs.\n"
            });
            terminal::print(&text);
        }
        OutputFormat::Json => {
            let list: Vec<_> = abilities.iter().map(|ability| json!({ "name": ability.name, "needed_for": ability.needed_for, "missing": ability.missing, "optional": ability.optional })).collect();
            terminal::print(&format!(
                "{:#}\n",
                json!({ "able": able, "rootless": rootless, "abilities": list })
            ));
        }
    }
    terminal::settled(if able {
        Status::Held as u8
    } else {
        Status::Unable as u8
    })
}
