//! Who may import whom: reads the sources and fails on a breach.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};

/// Each module and what of this crate it may use: what is to its left where data flows, and what `docs/architecture.md` names
/// besides.
const MAY_USE: &[(&str, &[&str])] = &[
    ("units", &[]),
    ("diag", &[]),
    ("packet", &[]),
    ("evidence", &[]),
    ("expr", &["diag"]),
    ("fabric", &["packet"]),
    ("spec", &["diag", "units"]),
    ("plan", &["diag", "units", "expr", "spec", "fabric"]),
    ("world", &["plan", "fabric", "packet"]),
    ("verdict", &["plan", "expr", "evidence"]),
    (
        "run",
        &[
            "plan", "spec", "expr", "world", "packet", "fabric", "evidence", "verdict",
        ],
    ),
    (
        "report",
        &["units", "diag", "plan", "evidence", "verdict", "fabric"],
    ),
    (
        "cli",
        &[
            "units", "diag", "spec", "plan", "world", "run", "evidence", "verdict", "report",
        ],
    ),
];

/// What only some modules may touch: the machine. Types, wherever they are named.
const TYPES: &[&str] = &[
    "Instant",
    "SystemTime",
    "TcpListener",
    "TcpStream",
    "UdpSocket",
];

/// Modules of the standard library.
const MODULES: &[&str] = &["env", "fs", "process", "thread"];

/// Other crates.
const CRATES: &[&str] = &["libc", "nix", "rand", "tokio"];

/// Modules and files that may touch the machine.
const TOUCHES_THE_MACHINE: &[&str] = &["world", "run", "cli", "evidence/store"];

#[test]
fn modules_use_only_what_is_before_them() {
    let mut breaches = Vec::new();
    for (module, file, text) in sources() {
        let Some((_, allowed)) = MAY_USE.iter().find(|(name, _)| *name == module) else {
            breaches.push(format!(
                "{}: module `{module}` is not in the table",
                file.display()
            ));
            continue;
        };
        for used in crate_paths(&text) {
            if used != module && !allowed.contains(&used.as_str()) {
                breaches.push(format!("{}: `{module}` uses `{used}`", file.display()));
            }
        }
    }
    assert!(breaches.is_empty(), "{}", breaches.join("\n"));
}

#[test]
fn only_four_places_touch_the_machine() {
    let mut breaches = Vec::new();
    for (_, file, text) in sources() {
        let inside = file
            .strip_prefix(root().join("src"))
            .expect("a file under src");
        if TOUCHES_THE_MACHINE
            .iter()
            .any(|place| inside.starts_with(place))
        {
            continue;
        }
        for word in machine(without_tests(&text)) {
            breaches.push(format!("{}: `{word}`", file.display()));
        }
    }
    assert!(breaches.is_empty(), "{}", breaches.join("\n"));
}

#[test]
fn imports_of_the_machine_are_seen_however_they_are_written() {
    let samples: [(&str, &[&str]); 10] = [
        ("use std::time::{Duration, Instant};", &["Instant"]),
        ("use std::net::{Ipv4Addr, TcpStream};", &["TcpStream"]),
        (
            "use std::{\n    cmp::{max, min},\n    env, fs,\n};",
            &["env", "fs"],
        ),
        ("std::process::exit(1)", &["process"]),
        ("::std::fs::read(file)", &["fs"]),
        ("own::std::fs::read(file)", &[]),
        ("use tokio::{net, time};", &["tokio"]),
        ("use std::io::{self, Read}; // std::fs", &["fs"]),
        ("/// `std::fs` and Instant\nuse std::time::Duration;", &[]),
        (
            "use crate::fs::Instantly; env!(\"NAME\"); let nix = 1;",
            &[],
        ),
    ];
    for (text, found) in samples {
        assert_eq!(machine(text), found, "{text}");
    }
}

/// What of the machine a text names outside of whole lines of comment.
fn machine(text: &str) -> Vec<&'static str> {
    let code = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    let code = code.collect::<Vec<_>>().join("\n");
    let words: BTreeSet<&str> = code.split(|letter: char| !is_of_word(letter)).collect();
    let types = TYPES.iter().filter(|word| words.contains(*word));
    let standard: BTreeSet<&str> = behind("std", &code).flat_map(first_names).collect();
    let modules = MODULES.iter().filter(|module| standard.contains(*module));
    let crates = CRATES
        .iter()
        .filter(|name| behind(name, &code).next().is_some());
    types.chain(modules).chain(crates).copied().collect()
}

/// What stands behind each `NAME::` at which a path begins.
fn behind<'c>(name: &str, code: &'c str) -> impl Iterator<Item = &'c str> {
    let path = format!("{name}::");
    let begins = |at: usize| {
        // `::std::fs` begins there too, `own::std::fs` does not.
        let before = code[..at].strip_suffix("::").unwrap_or(&code[..at]);
        let before = before.chars().next_back();
        before.is_none_or(|letter| !is_of_word(letter) && letter != ':')
    };
    let places = code.match_indices(&path).filter(|(at, _)| begins(*at));
    let rests: Vec<&str> = places.map(|(at, _)| &code[at + path.len()..]).collect();
    rests.into_iter()
}

/// The first name of a path, or those of all paths in its braces.
fn first_names(path: &str) -> Vec<&str> {
    let Some(group) = path.strip_prefix('{') else {
        return vec![first_name(path)];
    };
    let mut names = Vec::new();
    let (mut depth, mut begin) = (0, 0);
    for (at, letter) in group.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                names.push(first_name(&group[begin..at]));
                begin = at + 1;
                if letter == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    names
}

fn first_name(path: &str) -> &str {
    let path = path.trim_start();
    let end = path.find(|letter: char| !is_of_word(letter));
    &path[..end.unwrap_or(path.len())]
}

fn is_of_word(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
}

/// Module, file and text of every source file below a module.
fn sources() -> Vec<(String, PathBuf, String)> {
    let mut all = Vec::new();
    walk(&root().join("src"), "rs", &mut all);
    let modules = all.into_iter().filter(|file| {
        let inside = file.strip_prefix(root()).expect("a file of the project");
        let is_test = |part: Component<'_>| {
            ["tests", "tests.rs"]
                .iter()
                .any(|name| part.as_os_str() == *name)
        };
        !["src/lib.rs", "src/main.rs", "src/testing.rs"]
            .iter()
            .any(|other| inside.ends_with(other))
            && !inside.components().any(is_test)
    });
    let modules: Vec<PathBuf> = modules.collect();
    assert!(modules.len() > 100, "these are not all: {modules:?}");
    modules
        .into_iter()
        .map(|file| {
            let inside = file
                .strip_prefix(root().join("src"))
                .expect("a file under src");
            let first = inside
                .components()
                .next()
                .expect("a name")
                .as_os_str()
                .to_string_lossy()
                .into_owned();
            let text = fs::read_to_string(&file).expect("a readable source file");
            (first.trim_end_matches(".rs").to_owned(), file, text)
        })
        .collect()
}

/// A file's text up to the tests at its foot, which may read fixtures.
fn without_tests(text: &str) -> &str {
    let foot = text.find("#[cfg(test)]\nmod tests {");
    &text[..foot.unwrap_or(text.len())]
}

/// All files below, of one extension.
fn walk(folder: &Path, extension: &str, all: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("a readable entry").path();
        if path.is_dir() {
            walk(&path, extension, all);
        } else if path.extension().is_some_and(|own| own == extension) {
            all.push(path);
        }
    }
}

/// The first names behind every `crate::` outside comments and tests.
fn crate_paths(text: &str) -> Vec<String> {
    let lines = without_tests(text)
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    let mut names = Vec::new();
    for line in lines {
        for part in line.split("crate::").skip(1) {
            let name: String = part
                .chars()
                .take_while(|letter| letter.is_ascii_alphanumeric() || *letter == '_')
                .collect();
            names.push(name);
        }
    }
    names
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Paths and links in documents lead somewhere: a file, a folder, a heading.
#[test]
fn documents_name_only_what_is_there() {
    let mut documents = vec![root().join("README.md")];
    walk(&root().join("docs"), "md", &mut documents);
    let mut missing = Vec::new();
    for document in documents {
        let text = fs::read_to_string(&document).expect("a readable document");
        for path in text.split('`').filter(|part| part.starts_with("src/")) {
            if !root().join(path).exists() {
                missing.push(format!("{}: `{path}`", document.display()));
            }
        }
        for link in links(&text) {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let place = match file {
                "" => document.clone(),
                file => document.with_file_name(file),
            };
            let there = match anchor {
                "" => place.exists(),
                anchor => fs::read_to_string(&place)
                    .is_ok_and(|text| anchors(&text).any(|one| one == anchor)),
            };
            if !there {
                missing.push(format!("{}: ({link})", document.display()));
            }
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

/// Where links of a document lead to inside the repository.
fn links(text: &str) -> impl Iterator<Item = &str> {
    let targets = text.split("](").skip(1);
    targets
        .filter_map(|rest| rest.split_once(')'))
        .map(|(target, _)| target)
        .filter(|target| !target.contains("://"))
}

/// What links to a document's headings are: lower case, a dash for each space, no other punctuation.
fn anchors(text: &str) -> impl Iterator<Item = String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    headings.map(|line| {
        let letters = line.trim_start_matches('#').trim().chars();
        letters
            .filter(|letter| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_'))
            .map(|letter| {
                if letter == ' ' {
                    '-'
                } else {
                    letter.to_ascii_lowercase()
                }
            })
            .collect()
    })
}
