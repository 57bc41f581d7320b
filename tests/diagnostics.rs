//! Every rule a lab can break: `tests/diagnostics/hpNNNN-name.yaml` and, beside it, exactly what `check` prints.
//!
//! `BLESS=1 cargo test --test diagnostics` writes the outputs anew; read them before you commit them.

use hairpin::diag::codes::{self, Code};
use hairpin::diag::{Diagnostics, Format, render};
use hairpin::{plan, spec};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/diagnostics")
}

/// All problems of a file, from every stage, and the text to show them in.
fn problems(bytes: &[u8], file: &str) -> (String, Diagnostics) {
    let mut bytes = bytes.to_vec();
    // A file as large as the rule about large files wants would not be kept in a repository.
    let wanted: Option<usize> = std::str::from_utf8(&bytes)
        .ok()
        .and_then(|text| text.strip_prefix("# padded by the test to "))
        .and_then(|rest| rest.split(' ').next()?.parse().ok());
    if let Some(wanted) = wanted {
        bytes.resize(wanted, b' ');
    }
    let text = String::from_utf8_lossy(&bytes).into_owned();
    // A lab has the cases it has: only a saved run can name another one.
    let problems = match text.strip_prefix("# plan the case: ") {
        Some(rest) => {
            let lab = spec::read(&text, file).expect("nothing wrong but the case");
            let case = rest.lines().next().unwrap_or("");
            plan::plan(&lab, case, None).err()
        }
        None => match plan::read(&bytes, file) {
            Ok(plans) => Some(plan::warnings(&plans)),
            Err(problems) => Some(problems),
        },
    };
    (text, problems.unwrap_or_default())
}

/// `hp0123-short-name.yaml` is about HP0123.
fn code_of(path: &Path) -> Code {
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .expect("a file name in UTF-8");
    let number = name.get(2..6).and_then(|digits| digits.parse().ok());
    Code(
        number
            .filter(|_| name.starts_with("hp"))
            .unwrap_or_else(|| panic!("{name} does not start with hpNNNN")),
    )
}

#[test]
fn every_rule_prints_what_was_reviewed() {
    let bless = env::var_os("BLESS").is_some();
    let mut files: Vec<PathBuf> = fs::read_dir(folder())
        .expect("tests/diagnostics is there")
        .map(|entry| entry.expect("a readable folder").path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "yaml")
        })
        .collect();
    files.sort();
    let mut seen = BTreeSet::new();
    let mut failures = Vec::new();
    for path in &files {
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .expect("a file name in UTF-8");
        let bytes = fs::read(path).expect("a readable file");
        let (text, problems) = problems(&bytes, name);
        let printed = render(&problems, name, &text, Format::Plain);
        let code = code_of(path);
        if problems.sorted().iter().any(|problem| problem.code == code) {
            seen.insert(code);
        } else {
            failures.push(format!("{name} does not show {code}:\n{printed}"));
        }
        for problem in problems.sorted() {
            if codes::rule(problem.code).is_none() {
                failures.push(format!(
                    "{name}: {} has no page in diag::codes",
                    problem.code
                ));
            }
        }
        let expected = path.with_extension("txt");
        if bless {
            fs::write(&expected, &printed).expect("a writable folder");
        } else if fs::read_to_string(&expected).unwrap_or_default() != printed {
            failures.push(format!(
                "{name} prints something new (BLESS=1 accepts it):\n{printed}"
            ));
        }
    }
    for rule in codes::all().filter(|rule| !seen.contains(&rule.code)) {
        failures.push(format!("no file shows {}: {}", rule.code, rule.title));
    }
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

/// Whatever this kernel counts can be asked for by its name.
#[test]
fn no_counter_of_this_kernel_is_taken_for_a_slip() {
    let pairs = ["/proc/net/snmp", "/proc/net/netstat"].map(fs::read_to_string);
    let Ok(mut names) = pairs
        .into_iter()
        .collect::<Result<Vec<_>, _>>()
        .map(|texts| {
            let lines = texts.iter().flat_map(|text| text.lines().step_by(2));
            let grouped = lines.filter_map(|line| line.split_once(':'));
            grouped
                .flat_map(|(group, names)| {
                    names.split_whitespace().map(move |n| format!("{group}{n}"))
                })
                .collect::<Vec<String>>()
        })
    else {
        eprintln!("skipped: this system has no counters of Linux");
        return;
    };
    let ipv6 = fs::read_to_string("/proc/net/snmp6").unwrap_or_default();
    names.extend(
        ipv6.lines()
            .filter_map(|line| Some(line.split_whitespace().next()?.to_owned())),
    );
    assert!(names.len() > 100, "{names:?}");
    let claims: String = names
        .iter()
        .map(|name| format!("  - hosts.a.counters.{name} >= 0\n"))
        .collect();
    let lab = format!(
        "title: Counters\nhosts: {{ a: {{}} }}\nsteps: [ {{ wait: 1ms }} ]\nworks:\n{claims}cases: {{ only: {{ kind: control }} }}\n"
    );
    let (text, problems) = problems(lab.as_bytes(), "lab.yaml");
    assert!(
        problems.is_empty(),
        "{}",
        render(&problems, "lab.yaml", &text, Format::Plain)
    );
}

#[test]
fn codes_are_unique_and_in_order() {
    let all: Vec<Code> = codes::all().map(|rule| rule.code).collect();
    let mut sorted = all.clone();
    sorted.sort();
    sorted.dedup();
    assert_eq!(all, sorted);
}

/// A code that is retired is not offered to anybody, who could not ask for its page.
#[test]
fn documents_name_only_rules_that_there_are() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let listed = |folder: &Path| -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).expect("a readable folder");
        entries
            .map(|entry| entry.expect("a readable entry").path())
            .collect()
    };
    // A document of many pages is a folder.
    let docs = listed(&root.join("docs")).into_iter();
    let docs = docs.flat_map(|path| match path.is_dir() {
        true => listed(&path),
        false => vec![path],
    });
    let documents = docs.chain(["README.md", "CHANGELOG.md"].map(|name| root.join(name)));
    let (mut named, mut missing) = (0, Vec::new());
    for document in documents {
        let text = fs::read_to_string(&document).expect("a readable document");
        for behind in text.split("HP").skip(1) {
            let Some(Ok(number)) = behind.get(..4).map(str::parse) else {
                continue;
            };
            named += 1;
            if codes::rule(Code(number)).is_none() {
                missing.push(format!("{}: {}", document.display(), Code(number)));
            }
        }
    }
    assert!(named > 20, "{named}");
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}
