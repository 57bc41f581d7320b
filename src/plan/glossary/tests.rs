//! No word can be forgotten: they are taken from the types of expressions themselves.

use super::*;
use crate::expr::{self, Type};
use std::collections::BTreeSet;

/// Of everything one: its own names all begin with `x`, but for the zone.
const ALL: &str = r#"
title: all
vpcs: { xshops: {} }
hosts:
  xclient: {}
  xshop: { zone: a, vpc: xshops }
  xweb: { zone: a, serve: { 80: http } }
  xother: { zone: a, serve: { 80: http } }
  xinner: { zone: a, nat: xegress }
target_groups:
  xgroup: { targets: [xweb] }
  xpages: { protocol: HTTP, targets: [xother] }
load_balancers:
  xfront: { zones: [a], listeners: { 80: xgroup } }
  xinside: { zones: [a], scheme: internal, listeners: { 80: xgroup } }
  xapp: { type: application, zones: [a], listeners: { 80: xpages } }
  xclassic: { type: classic, zones: [a], instances: [xweb], listeners: { 80: { instance_port: 80 } } }
endpoint_services:
  xorders: { load_balancer: xinside }
endpoints:
  xep: { vpc: xshops, zones: [a], service: xorders }
nat_gateways:
  xegress: { zone: a }
steps:
  - connect: { as: xone, from: xclient, to: xfront }
  - load: { as: xmany, from: xclient, to: xapp, connections: 2, request: GET / }
  - exchange: { as: xtalk, over: xone }
  - exchange: { as: xtalks, over: xmany }
  - run: { as: xrun, on_host: xclient, command: "true" }
  - drop: { as: xdrop, from: xclient }
works: [xone.ok]
cases: { xcase: { kind: control } }
"#;

/// Names of fields and words of closed vocabularies, but for what the lab itself names and HTTP statuses.
fn collect(of: &Type, words: &mut BTreeSet<String>) {
    match of {
        Type::Bool | Type::Int | Type::Float | Type::Millis | Type::Text | Type::Limited(_) => {}
        Type::Word(list) | Type::Counts(list) => {
            words.extend(list.iter().map(|word| (*word).to_owned()));
        }
        Type::List(inner) | Type::Map(inner) => collect(inner, words),
        Type::Record(fields) => {
            for (name, inner) in fields.iter() {
                words.insert(name.clone());
                collect(inner, words);
            }
        }
    }
}

#[test]
fn every_word_of_expressions_is_told() {
    let plans = crate::plan::read(ALL.as_bytes(), "all.yaml").unwrap_or_else(|problems| {
        panic!("{problems:#?}");
    });
    let mut words = BTreeSet::new();
    collect(
        &Type::Record(plans[0].shape.roots.clone().into()),
        &mut words,
    );
    words.extend(expr::functions().map(str::to_owned));
    let is_number = |word: &str| word.chars().all(|c| c.is_ascii_digit());
    words.retain(|word| {
        let own = word.starts_with('x') || word == "a";
        !word.is_empty() && word != "-" && !own && !is_number(word)
    });
    assert!(words.len() > 500, "{}", words.len());
    let findings: BTreeSet<&str> = crate::plan::vocabulary::FINDINGS.iter().copied().collect();
    let untold: Vec<&String> = words
        .iter()
        .filter(|word| !findings.contains(word.as_str()) && meaning(word).is_none())
        .collect();
    assert!(untold.is_empty(), "nothing about {untold:?}");
}

#[test]
fn a_word_of_several_places_is_told_of_each() {
    let failed = meaning("failed").expect("a word");
    for part in [
        "Values of `error`",
        "Many connections",
        "A state of a load balancer",
    ] {
        assert!(failed.contains(part), "no {part} in\n{failed}");
    }
    let requests = meaning("RequestCount").expect("a metric");
    assert!(
        requests.contains("AWS/ApplicationELB") && requests.contains("AWS/ELB"),
        "{requests}"
    );
    assert_eq!(meaning("laod"), None);
    // Each is a sentence, and none stands twice in one chapter.
    for chapter in CHAPTERS {
        let names: BTreeSet<&str> = chapter.words.iter().map(|(word, _)| *word).collect();
        assert_eq!(names.len(), chapter.words.len(), "{}", chapter.title);
        for (word, text) in chapter.words {
            assert!(text.ends_with('.'), "{word}");
        }
    }
}
