//! Whole labs as users write them, read to plans; no privilege needed.
//!
//! What is documented must be accepted, in each of its spellings. Wrong labs are in `tests/diagnostics/`.

use hairpin::diag::{Format, render};
use hairpin::plan::{self, App, Plan};
use std::fs;
use std::path::Path;

/// All cases of a lab that must have no problem.
fn plans(name: &str, text: &str) -> Vec<Plan> {
    plan::read(text.as_bytes(), name).unwrap_or_else(|problems| {
        panic!("{}", render(&problems, name, text, Format::Plain));
    })
}

#[test]
fn every_spelling_in_the_folder_is_accepted() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/language");
    let mut read = 0;
    for entry in fs::read_dir(folder).expect("tests/language is there") {
        let path = entry.expect("a readable folder").path();
        let text = fs::read_to_string(&path).expect("a readable file");
        let name = path.file_name().and_then(|name| name.to_str());
        let name = name.expect("a file name in UTF-8");
        assert!(!plans(name, &text).is_empty());
        // Line ends and a byte-order mark of other systems change nothing.
        let windows = format!("\u{feff}{}", text.replace('\n', "\r\n"));
        assert_eq!(plans(name, &windows).len(), plans(name, &text).len());
        read += 1;
    }
    assert!(read > 0, "no lab was read");
}

#[test]
fn titles_and_what_a_case_shows_are_one_line_in_block_style_too() {
    let plans = plans(
        "block.yaml",
        "title: >\n  folded\n  title\nhosts: { a: { zone: a } }\nsteps: [{ wait: 1ms }]\ncases:\n  only:\n    kind: control\n    shows: |\n      nothing much\n",
    );
    assert_eq!(plans[0].title, "folded title");
    assert_eq!(plans[0].shows, "nothing much");
}

#[test]
fn names_of_hosts_are_addresses_in_what_starts_a_program() {
    let plans = plans(
        "programs.yaml",
        "title: a proxy\nhosts:\n  proxy: { zone: a, serve: { 80: { command: 'exec proxy --to $web:80 --pid $$' } } }\n\
         \x20 web: { zone: a, address: 10.0.0.77, serve: { 80: echo } }\n\
         steps: [{ wait: 1ms }]\ncases: { only: { kind: control } }\n",
    );
    let servers = plans[0].hosts.iter().flat_map(|host| &host.servers);
    let commands: Vec<&str> = servers
        .filter_map(|server| match &server.app {
            App::Command { command, .. } => Some(command.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(commands, ["exec proxy --to 10.0.0.77:80 --pid $"]);
}

#[test]
fn a_drop_is_named_with_all_that_it_asks_for() {
    let drops = [
        (
            "{ from: a, length: 200, nth: 5, count: 1 }",
            "drop length 200 from a, no. 5",
        ),
        ("{ window: 0, count: 2 }", "drop window 0, the first 2"),
        ("{ flags: F, count: 1 }", "drop F, no. 1"),
        ("{ flags: S, to: a, nth: 3 }", "drop S to a, from no. 3 on"),
        (
            "{ from: a, nth: 3, count: 2 }",
            "drop from a, 2 from no. 3 on",
        ),
        ("{ from: a }", "drop from a"),
        ("{}", "drop everything"),
    ];
    let steps: String = drops
        .iter()
        .map(|(drop, _)| format!("  - drop: {drop}\n"))
        .collect();
    let text = format!(
        "title: t\nhosts: {{ a: {{ zone: a }} }}\nsteps:\n{steps}cases: {{ only: {{ kind: control }} }}\n"
    );
    let plans = plans("drops.yaml", &text);
    let labels: Vec<&str> = plans[0]
        .steps
        .iter()
        .map(|step| step.label.as_str())
        .collect();
    assert_eq!(labels, drops.map(|(_, label)| label));
}
