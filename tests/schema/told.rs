//! Every field that `docs/language.md` tells of is one.

use super::{root, words_of};
use std::fs;
use std::ops::RangeInclusive;

/// Where the fields are that `docs/language.md` tells of: the words before them, those behind, and what they are of.
const TOLD: &[(&str, &str, &str)] = &[
    (
        "with `as:` is a name:",
        "A `connect`",
        "one.FIELD == 'none is this'",
    ),
    (
        "A `connect` also has",
        "a `load` has",
        "one.FIELD == 'none is this'",
    ),
    (
        "a `load` has",
        "what is sent",
        "many.FIELD == 'none is this'",
    ),
    (
        "over one connection",
        "over a load",
        "sent.FIELD == 'none is this'",
    ),
    (
        "over a load",
        "a `run` has",
        "asked.FIELD == 'none is this'",
    ),
    ("a `run` has", "a `drop` has", "ran.FIELD == 'none is this'"),
    (
        "a `drop` has",
        ". An `error` is",
        "lost.FIELD == 'none is this'",
    ),
    (
        "an error); beside it",
        "A name with",
        "hosts.web.FIELD == 'none is this'",
    ),
    (
        "`target_groups.web.targets.web1`:",
        "`nat_gateways`",
        "target_groups.group.targets.web.FIELD == 'none is this'",
    ),
    (
        "every packet in order:",
        "and more.",
        "packets.exists(p, p.FIELD == 'none is this')",
    ),
    (
        "in the words of `conntrack -S`:",
        "how many connections",
        "hosts.web.conntrack.FIELD == 'none is this'",
    ),
    (
        "A socket has",
        "and `tcp_info` with",
        "hosts.web.sockets.exists(s, s.FIELD == 'none is this')",
    ),
    (
        "what its kernel knows besides:",
        "(in its whole life)",
        "hosts.web.sockets.exists(s, s.tcp_info.FIELD == 'none is this')",
    ),
    (
        "and more. ",
        " is the device inside",
        "packets.exists(p, p.FIELD == 'none is this')",
    ),
    (
        "the network did), and ",
        " what an ICMP message says",
        "packets.exists(p, p.FIELD == 'none is this')",
    ),
];

#[test]
fn every_field_that_the_language_tells_of_is_there() {
    let language = fs::read_to_string(root().join("docs/language.md")).expect("docs/language.md");
    for (before, behind, of) in TOLD {
        let (_, rest) = language.split_once(before).expect(before);
        let (told, _) = rest.split_once(behind).expect(behind);
        let words = words_of(told).into_iter().filter(|word| *word != "\"\"");
        let words: Vec<&str> = words.collect();
        assert!(!words.is_empty(), "{before}");
        for word in words {
            let problems = problems_of(&of.replace("FIELD", word));
            assert!(problems.is_empty(), "{before} {word}: {problems:#?}");
        }
    }
}

/// What `check` says of a claim, apart from its types.
fn problems_of(claim: &str) -> Vec<String> {
    let lab = format!(
        "title: t\nhosts: {{ client: {{}}, web: {{ zone: a, serve: {{ 80: echo }} }} }}\n\
         target_groups: {{ group: {{ targets: [web] }} }}\n\
         load_balancers: {{ front: {{ zones: [a], listeners: {{ 80: group }} }} }}\nsteps:\n  \
         - drop: {{ as: lost, from: web }}\n  - connect: {{ as: one, from: client, to: front }}\n  \
         - load: {{ as: many, from: client, to: front, connections: 2, hold: true }}\n  \
         - send: {{ as: sent, over: one, bytes: 1 }}\n  - exchange: {{ as: asked, over: many }}\n  \
         - run: {{ as: ran, on_host: client, command: \"true\" }}\n\
         works:\n  - \"{claim}\"\ncases: {{ c: {{ kind: control }} }}\n"
    );
    let problems = hairpin::plan::read(lab.as_bytes(), "t.yaml");
    problems
        .err()
        .iter()
        .flat_map(|problems| problems.sorted())
        .filter(|problem| !TYPES_DIFFER.contains(&problem.code.0))
        .map(|problem| format!("{}: {}", problem.code, problem.message))
        .collect()
}

/// What is said of a field that is there, and is no text.
const TYPES_DIFFER: RangeInclusive<u16> = 520..=529;
