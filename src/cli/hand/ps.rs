//! `hairpin ps`: the labs that are up.

use super::state::{Description, Home, Place};
use crate::cli::args::{OutputFormat, PsArgs};
use crate::cli::{Refusal, Status, terminal};
use serde::Serialize;
use std::time::Duration;

/// A lab in the list.
#[derive(Debug, Serialize)]
struct Row {
    name: String,
    /// `up`, `building`, `dead`
    state: &'static str,
    file: String,
    lab: String,
    case: String,
    /// Seconds.
    age: u64,
    hosts: Vec<String>,
    pid: u32,
}

impl Row {
    /// None: it has gone meanwhile.
    fn of(place: &Place) -> Option<Self> {
        let watch = place.watch()?;
        // Looked at once: what says nothing now may be another lab that says something when it is asked again.
        let words = place.words();
        let about = words.as_deref().and_then(Description::read);
        let state = match &about {
            // Nobody holds one that has ended either, and its name may be another's by now.
            _ if !watch.is_alive() => watch.is_of(place).then_some("dead")?,
            Some(about) if about.hosts.is_empty() => "building",
            None if words.is_none() => return None,
            Some(_) | None => "up",
        };
        let name = place.name();
        Some(match about {
            Some(about) => Self {
                name,
                state,
                age: about.age().as_secs(),
                file: about.file,
                lab: about.lab,
                case: about.case,
                hosts: about.hosts,
                pid: about.pid,
            },
            None => Self {
                name,
                state,
                file: String::new(),
                lab: String::new(),
                case: String::new(),
                age: 0,
                hosts: Vec::new(),
                pid: 0,
            },
        })
    }
}

/// Tells what is up.
pub fn ps(args: &PsArgs) -> Result<u8, Refusal> {
    let rows: Vec<Row> = Home::of_user().labs()?.iter().filter_map(Row::of).collect();
    match args.format {
        OutputFormat::Json => {
            let text = serde_json::to_string_pretty(&rows).expect("rows are plain data");
            terminal::print(&format!("{text}\n"));
        }
        OutputFormat::Human if rows.is_empty() => {
            terminal::note("no lab is up: `hairpin up LAB` puts one up");
        }
        OutputFormat::Human => terminal::print(&table(&rows)),
    }
    Ok(Status::Held as u8)
}

fn table(rows: &[Row]) -> String {
    let head = ["NAME", "STATE", "CASE", "AGE", "PROCESS", "HOSTS"].map(str::to_owned);
    let lines: Vec<[String; 6]> = rows
        .iter()
        .map(|row| {
            [
                row.name.clone(),
                row.state.to_owned(),
                format!("{}/{}", row.lab, row.case),
                age(Duration::from_secs(row.age)),
                row.pid.to_string(),
                hosts(&row.hosts),
            ]
        })
        .collect();
    let all = || std::iter::once(&head).chain(&lines);
    let widths: [usize; 6] =
        std::array::from_fn(|column| all().map(|line| line[column].len()).max().unwrap_or(0));
    let mut out = String::new();
    for line in all() {
        let cells = line
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell:<width$}"));
        out.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        out.push('\n');
    }
    if rows.iter().any(|row| row.state == "dead") {
        out.push_str("\n`hairpin clean` removes what is left of dead ones\n");
    }
    out
}

/// The first few names.
fn hosts(names: &[String]) -> String {
    const LISTED: usize = 6;
    let mut text = names
        .iter()
        .take(LISTED)
        .cloned()
        .collect::<Vec<_>>()
        .join(" ");
    if names.len() > LISTED {
        text.push_str(&format!(" and {} more", names.len() - LISTED));
    }
    text
}

/// `40 s`, `5 min`, `3 h 20 min`, `2 d 1 h`
fn age(age: Duration) -> String {
    let seconds = age.as_secs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..86_400 => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
        86_400.. => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem::ManuallyDrop;

    #[test]
    fn a_lab_that_comes_or_goes_is_neither_up_nor_dead() {
        let folder = std::env::temp_dir().join(format!("hairpin-ps-{}", std::process::id()));
        let home = Home(folder.clone());
        let about = Description::new("web", "web.yaml", "web", "plain");
        std::thread::scope(|scope| {
            let coming = scope.spawn(|| {
                for _ in 0..500 {
                    let held = home.claim(&about).expect("a free name");
                    held.remove().expect("its own");
                    drop(ManuallyDrop::into_inner(held.lock));
                }
            });
            while !coming.is_finished() {
                for place in home.labs().expect("a folder of one's own") {
                    let state = Row::of(&place).map(|row| row.state);
                    assert!(matches!(state, None | Some("building")), "{state:?}");
                }
            }
        });
        std::fs::remove_dir_all(folder).expect("a folder of one's own");
    }
}
