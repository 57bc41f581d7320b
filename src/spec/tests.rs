//! Whole texts through [`read`]: the lab of the language page, `set`, claims and their places, and texts of any kind.

use super::*;
use crate::testing::processor_time;
use proptest::prelude::*;
use std::time::Duration;

const FLAGSHIP: &str = include_str!("../../tests/schema/flagship.yaml");

fn lab(text: &str) -> Lab {
    read(text, "test.yaml").unwrap_or_else(|problems| {
        panic!(
            "{}",
            crate::diag::render(&problems, "test.yaml", text, crate::diag::Format::Plain)
        )
    })
}

fn codes(text: &str) -> Vec<String> {
    match read(text, "test.yaml") {
        Ok(_) => Vec::new(),
        Err(problems) => problems
            .sorted()
            .iter()
            .map(|problem| problem.code.to_string())
            .collect(),
    }
}

/// The flagship with another `set` in its last case.
fn with_set(set: &str) -> String {
    let at = FLAGSHIP
        .rfind("    set: ")
        .expect("the last case has a set");
    let end = at + FLAGSHIP[at..].find('\n').expect("a line end");
    format!("{}    set: {set}{}", &FLAGSHIP[..at], &FLAGSHIP[end..])
}

fn last_case(text: &str) -> Case {
    lab(text).cases.pop().expect("a case")
}

fn group_of(listener: &Listener) -> &str {
    &listener.target_group.as_ref().expect("one group").value
}

#[test]
fn the_flagship_is_read() {
    let lab = lab(FLAGSHIP);
    assert_eq!(lab.cases.len(), 5);
    assert_eq!(lab.works.len(), 2);
    let (name, front) = &lab.body.load_balancers[0];
    assert_eq!(name.value, "front");
    assert_eq!(front.zones.len(), 2);
    assert_eq!(group_of(&front.listeners[0].1), "web");
    assert_eq!(front.emulate.prefer[0].1[0].value, "web1");
    let Verb::Connect(Connect {
        to,
        source_port,
        timeout,
        ..
    }) = &lab.body.steps[0].verb
    else {
        panic!("a connect")
    };
    assert_eq!(to.value, "front/a");
    assert_eq!(source_port.as_ref().map(|port| port.value), Some(40000));
    assert_eq!(
        timeout.value,
        Lapse {
            length: Duration::from_secs(5),
            cloud: false
        }
    );
    assert!(!lab.body.steps[1].named);
    assert_eq!(lab.body.steps[1].name.value, "step 2");
}

#[test]
fn claims_begin_where_their_text_begins() {
    for (written, words) in [
        ("new.ok && new.syns == 1", None),
        ("'new.ok && new.syns == 1'", None),
        ("\"new.ok && new.syns == 1\"", None),
        (
            "it opens well: new.ok && new.syns == 1",
            Some("it opens well"),
        ),
        (
            "it opens well: 'new.ok && new.syns == 1'",
            Some("it opens well"),
        ),
        (
            "it opens well: >-\n      new.ok && new.syns == 1",
            Some("it opens well"),
        ),
    ] {
        let old = "the second connection opens with one SYN: new.ok && new.syns == 1";
        let text = FLAGSHIP.replacen(old, written, 1);
        let claim = &lab(&text).works[0];
        assert_eq!(
            claim.words.as_ref().map(|words| words.value.as_str()),
            words,
            "{written}"
        );
        assert_eq!(claim.that.value, "new.ok && new.syns == 1", "{written}");
        assert!(
            text[claim.that.span.start..].starts_with("new.ok"),
            "{written}"
        );
    }
}

#[test]
fn set_merges_maps_replaces_values_and_removes() {
    let case = last_case(&with_set(
        "{ load_balancers.front.attributes: { deletion_protection.enabled: true }, hosts.web1.serve.80: sink, \
         load_balancers.front.emulate: { prefer: null, on_collision: keep-old } }",
    ));
    let front = &case.body.load_balancers[0].1;
    assert_eq!(front.attributes.len(), 2);
    assert!(front.emulate.prefer.is_empty());
    assert_eq!(
        front
            .emulate
            .on_collision
            .as_ref()
            .map(|word| word.value.as_str()),
        Some("keep-old")
    );
    assert_eq!(case.body.hosts[1].1.serve[0].1.app, App::Sink);
    assert_eq!(case.set[1].before.as_deref(), Some("echo"));
    assert_eq!(case.set[1].after.as_deref(), Some("sink"));
}

#[test]
fn set_goes_into_short_forms() {
    let case = last_case(&with_set(
        "{ load_balancers.front.listeners.80.attributes.tcp.idle_timeout.seconds: 3600, \
         hosts.web1.serve.80.echo.idle_close: 5s }",
    ));
    let listener = &case.body.load_balancers[0].1.listeners[0].1;
    assert_eq!(group_of(listener), "web");
    assert_eq!(listener.attributes[0].0.value, "tcp.idle_timeout.seconds");
    assert_eq!(listener.attributes[0].1.value, "3600");
    let idle_close = Some(Lapse {
        length: Duration::from_secs(5),
        cloud: false,
    });
    assert_eq!(
        case.body.hosts[1].1.serve[0].1.app,
        App::Echo {
            idle_close,
            message: None
        }
    );
}

#[test]
fn set_finds_steps_by_name() {
    let case = last_case(&with_set(
        "{ steps.new: { stop: web1 }, steps.old.timeout: 1s, steps.again: null }",
    ));
    assert_eq!(case.body.steps.len(), 4);
    assert_eq!(case.body.steps[2].name.value, "new");
    assert!(matches!(
        case.body.steps[2].verb,
        Verb::Stop { reset: false, .. }
    ));
    let Verb::Connect(Connect { timeout, .. }) = &case.body.steps[0].verb else {
        panic!("a connect")
    };
    assert_eq!(timeout.value.length, Duration::from_secs(1));
}

#[test]
fn set_adds_items_that_are_written_as_maps() {
    let case = last_case(&with_set(
        "{ hosts.web3: { zone: c }, load_balancers.front.listeners: { 81: web } }",
    ));
    assert_eq!(case.body.hosts.len(), 4);
    assert_eq!(case.body.load_balancers[0].1.listeners.len(), 2);
}

#[test]
fn values_of_set_keep_their_place() {
    let text = with_set("{ hosts.web1.zone: c }");
    let zone = last_case(&text).body.hosts[1]
        .1
        .zone
        .clone()
        .expect("a zone");
    assert_eq!(
        zone.span.start,
        text.rfind("zone: c").expect("it is there") + "zone: ".len()
    );
}

#[test]
fn aliases_and_merge_keys_are_values_like_others() {
    let text = FLAGSHIP
        .replacen(
            "web1: { zone: a, serve: { 80: echo } }",
            "web1: &web { zone: a, serve: { 80: echo } }",
            1,
        )
        .replacen(
            "web2: { zone: b, serve: { 80: echo } }",
            "web2: { <<: *web, zone: b }",
            1,
        );
    let lab = lab(&text);
    let web2 = &lab.body.hosts[2].1;
    assert_eq!(
        web2.zone.as_ref().map(|zone| zone.value.as_str()),
        Some("b")
    );
    assert_eq!(web2.serve.len(), 1);
}

#[test]
fn byte_order_mark_and_crlf_are_no_problem() {
    let text = format!("\u{feff}{}", FLAGSHIP.replace('\n', "\r\n"));
    let lab = lab(&text);
    let title = lab.title.span;
    assert_eq!(&text[title.start..title.end], lab.title.value);
    assert!(text[lab.works[1].that.span.start..].starts_with("again.ok"));
}

#[test]
fn all_problems_of_a_file_are_found_in_one_go() {
    let text = FLAGSHIP
        .replacen("zone: a, serve", "zoen: a, serve", 1)
        .replacen("kind: fault", "kind: fualt", 1)
        .replacen("timeout: 2s", "timeout: 2", 1)
        .replacen("as: old", "as: Old", 1);
    assert_eq!(codes(&text), ["HP0100", "HP0120", "HP0113", "HP0118"]);
}

#[test]
fn a_lab_with_slips_is_read_as_it_was_meant() {
    let text = FLAGSHIP
        .replacen("zone: a, serve", "zoen: a, serve", 1)
        .replacen("exchange", "exchnage", 1);
    let Reading { lab, problems } = read_all(&text, "test.yaml");
    assert_eq!(problems.len(), 2);
    let lab = lab.expect("only slips");
    assert_eq!(
        lab.body.hosts[1]
            .1
            .zone
            .as_ref()
            .map(|zone| zone.value.as_str()),
        Some("a")
    );
    assert!(matches!(lab.body.steps[1].verb, Verb::Exchange(_)));
}

#[test]
fn texts_that_grow_are_refused_quickly() {
    let many = |line: &str, count: usize| {
        (0..count)
            .map(|i| line.replace("{}", &i.to_string()))
            .collect::<String>()
    };
    let keys = format!("hosts:\n{}", many("  h{}: {}\n", 60_000));
    let texts = [
        "[".repeat(1 << 20),
        "{a: ".repeat(1 << 18),
        "- ".repeat(1 << 19),
        "? ".repeat(1 << 19),
        "a".repeat(1 << 20),
        "\"".to_owned() + &"\\".repeat((1 << 20) - 1),
        " ".repeat(1 << 20),
        "\n".repeat(1 << 20),
        "#\n".repeat(1 << 19),
        "&a ".repeat(1 << 18),
        format!("a: &a [{}]\n", "x,".repeat(5000)) + &many("b{}: *a\n", 50_000),
        format!(
            "a0: &a0 [x]\n{}",
            (1..9000)
                .map(|i| format!("a{i}: &a{i} [*a{}]\n", i - 1))
                .collect::<String>()
        ),
        keys,
        many("a: 1\n", 150_000),
        many("unknown{}: 1\n", 60_000),
        FLAGSHIP.to_owned() + &many("  c{}: { kind: control, set: { seed: {} } }\n", 20_000),
        FLAGSHIP.to_owned() + &many("  c{}: { kind: control }\n", 9_000),
        format!(
            "{}\n{}",
            FLAGSHIP.trim_end(),
            many("    h{}.x: 1\n", 18_000)
        ),
        format!("!<{}", "a".repeat(1 << 19)),
        format!("- !{}", "a/".repeat(1 << 18)),
        "\t".repeat(1 << 20),
        "%A ".repeat(1 << 18),
        "'".repeat(1 << 20),
        "a: |\n".to_owned() + &"  x\n".repeat(200_000),
        "a: \"".to_owned() + &"x\n".repeat(200_000),
        "::".repeat(1 << 19),
        "é".repeat(1 << 19),
    ];
    for text in texts {
        let (printed, took) = processor_time(|| {
            let problems = read(&text, "test.yaml").expect_err("none is a lab");
            crate::diag::render(&problems, "test.yaml", &text, crate::diag::Format::Plain)
        });
        assert!(!printed.is_empty());
        assert!(
            took < Duration::from_secs(2),
            "{:?}... took {took:?}",
            &text.chars().take(40).collect::<String>()
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,200}") {
        let _ = read(&text, "test.yaml");
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read_bytes(&bytes, "test.yaml");
    }

    #[test]
    fn text_of_yaml_characters_is_read_or_refused(text in "[-a-c:{}\\[\\],&*!?|>'\"%@`#~ \n\t0-9.<=]{0,120}") {
        let Reading { problems, .. } = read_all(&text, "test.yaml");
        let _ = crate::diag::render(&problems, "test.yaml", &text, crate::diag::Format::Plain);
    }

    /// A lab with pieces cut out, doubled or replaced: deeper than random text ever gets.
    #[test]
    fn mutated_labs_are_read_or_refused(
        edits in prop::collection::vec((0.0..1.0f64, 0..40usize, "[-a-z0-9:{}\\[\\],&*!?|>'\" \n.]{0,12}"), 1..6),
    ) {
        let mut text = FLAGSHIP.to_owned();
        for (at, length, with) in edits {
            let start = traps::floor_char_boundary(&text, (at * text.len() as f64) as usize);
            let end = traps::floor_char_boundary(&text, start + length);
            text.replace_range(start..end.max(start), &with);
        }
        let Reading { lab, problems } = read_all(&text, "test.yaml");
        prop_assert!(lab.is_some() || !problems.is_empty());
        for problem in problems.sorted() {
            prop_assert!(problem.span.start <= problem.span.end && problem.span.end <= text.len() + 1, "{problem:?}");
        }
        let _ = crate::diag::render(&problems, "test.yaml", &text, crate::diag::Format::Json);
        let _ = crate::diag::render(&problems, "test.yaml", &text, crate::diag::Format::Plain);
    }

    /// Lines in any order, doubled and lost: right YAML, wrong labs.
    #[test]
    fn shuffled_labs_are_read_or_refused(order in prop::collection::vec(0..60usize, 0..80)) {
        let lines: Vec<&str> = FLAGSHIP.lines().collect();
        let text: String = order.iter().filter_map(|i| lines.get(*i)).map(|line| format!("{line}\n")).collect();
        let _ = read_all(&text, "test.yaml");
    }
}

#[test]
fn of_maps_only_what_differs_is_a_change() {
    let text = "title: t\nhosts: { a: { serve: { 80: echo, 81: echo } } }\nsteps:\n  \
                - connect: { as: hello, from: a, to: \"a:80\" }\n  - { stop: { as: push, host: a } }\nworks: [hello.ok]\n\
                cases:\n  c:\n    kind: partial\n    set:\n      \
                hosts.a.serve: { 81: sink, 82: echo }\n      steps.hello: { connect: { from: a, to: \"a:81\" } }\n      \
                steps.push: { kill: a }\n    expect: [hello.ok]\n";
    let lab = read(text, "t.yaml").expect("a lab");
    let parts = |i: usize| {
        let parts = lab.cases[0].set[i].parts.iter();
        let or = |text: &Option<String>| text.clone().unwrap_or("-".into());
        parts
            .map(|p| format!("{}: {} {}", p.path, or(&p.before), or(&p.after)))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        parts(0),
        ["hosts.a.serve.81: echo sink", "hosts.a.serve.82: - echo"]
    );
    assert_eq!(parts(1), ["steps.hello.connect.to: a:80 a:81"]);
    assert_eq!(parts(2), [""; 0], "another verb is another step");
}

#[test]
fn a_text_that_every_case_copies_is_counted_for_each() {
    // 640 KB in a thousand cases; as nodes alone they would be some 30,000.
    let text = "x".repeat(640_000);
    let cases: String = (0..1000).map(|n| format!("  c{n}: *c\n")).collect();
    let lab = format!(
        "title: t\nhosts: {{ a: {{ nft: {text} }} }}\nsteps: [{{ wait: 1s }}]\nworks: [size(packets) == 0]\n\
         cases:\n  c: &c {{ kind: control }}\n{cases}"
    );
    let problems = read(&lab, "t.yaml").expect_err("too much");
    let said: Vec<_> = problems
        .sorted()
        .iter()
        .map(|problem| problem.message.clone())
        .collect();
    assert_eq!(said, ["1001 cases are too many for a lab of this size"]);
}
