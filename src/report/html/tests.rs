//! The page's structure.

use super::html;
use crate::plan::Kind;
use crate::report::plan::{Drawing, Node};
use crate::report::{Outcome, Report, tests};

fn page(outcomes: &[Outcome]) -> String {
    // The template engine writes slashes as it writes quotes.
    html(&Report::new(outcomes, None)).replace("&#x2f;", "/")
}

/// Every value of an attribute.
fn values<'a>(page: &'a str, attribute: &str) -> Vec<&'a str> {
    let opening = format!(" {attribute}=\"");
    let parts = page.split(opening.as_str()).skip(1);
    parts
        .map(|part| part.split('"').next().unwrap_or_default())
        .collect()
}

/// Elements that are open at the end, or closed in the wrong order.
fn unbalanced(page: &str) -> Vec<String> {
    const VOID: [&str; 3] = ["meta", "br", "!doctype"];
    let mut open: Vec<String> = Vec::new();
    let mut wrong = Vec::new();
    for part in page.split('<').skip(1) {
        let tag = part.split('>').next().unwrap_or_default();
        let name: String = tag
            .trim_start_matches('/')
            .chars()
            .take_while(|c| c.is_alphanumeric() || *c == '!')
            .collect();
        if tag.ends_with('/') || VOID.contains(&name.as_str()) {
            continue;
        }
        if !tag.starts_with('/') {
            open.push(name);
        } else if open.pop().as_deref() != Some(name.as_str()) {
            wrong.push(tag.to_owned());
        }
    }
    wrong.extend(open);
    wrong
}

#[test]
fn it_is_one_page_that_asks_for_nothing() {
    let page = page(&[
        tests::fault(),
        tests::fix(),
        tests::failed(),
        tests::broken(),
    ]);
    assert_eq!(unbalanced(&page), Vec::<String>::new());
    for forbidden in [
        "<script", "<img", "<link", "<iframe", "@import", "url(", " src=", " onload",
    ] {
        assert!(!page.contains(forbidden), "{forbidden}");
    }
    // Links lead within the page or to the sources that a lab names.
    for link in values(&page, "href") {
        let goal = link.strip_prefix('#').unwrap_or_else(|| panic!("{link}"));
        assert!(values(&page, "id").contains(&goal), "no {goal}");
    }
    let mut ids = values(&page, "id");
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    // The same case stands twice among these outcomes at most under one name.
    assert_eq!(ids.len(), all);
}

#[test]
fn it_names_mechanism_and_fix() {
    let page = page(&[tests::fault(), tests::fix()]);
    for part in [
        "1 fault reproduced, 1 fix holds",
        "What breaks",
        "flow-collision",
        "What fixes it",
        "load_balancers.front.attributes.load_balancing.cross_zone.enabled: true &rarr; false",
        "challenge ACK (RFC 5961 section 4): web1 still has",
        "198.51.100.7:40000 -&gt; 203.0.113.11:80",
        "as the target sees it",
        "hairpin run labs/nlb/source-port-collision.yaml --case as-deployed --seed 1 --explain",
        "id=\"page-flow-collision\"",
        "new.syns = 2",
        "TcpExtTCPSYNChallenge",
    ] {
        assert!(page.contains(part), "no {part}");
    }
}

#[test]
fn what_did_not_hold_stands_first_and_unfolded() {
    let page = page(&[tests::fix(), tests::failed()]);
    let alarm = page
        .find("What did not come out as claimed")
        .expect("an alarm");
    assert!(alarm < page.find("Labs and cases").expect("the table"));
    assert!(page.contains("Nearest evidence"));
    assert!(page.contains("id=\"nlb_source-port-collision.another-source-port\" open"));
    assert!(!page.contains("id=\"nlb_source-port-collision.cross-zone-off\" open"));
}

#[test]
fn what_a_lab_says_is_text() {
    let evil = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>";
    let mut outcome = tests::fault();
    let case = &mut outcome.case;
    (case.title, case.shows, case.story) = (evil.into(), evil.into(), evil.into());
    (case.lab, case.name) = (evil.into(), evil.into());
    case.sources = vec![
        evil.into(),
        "javascript:alert(1)".into(),
        "https://a\"b".into(),
    ];
    case.topology = Drawing {
        nodes: vec![Node {
            id: "host a".into(),
            lines: vec![evil.into(), "internet".into()],
            zone: String::new(),
        }],
        edges: [("host a".to_owned(), "host a".to_owned(), evil.to_owned())].into(),
    };
    let evidence = outcome.evidence.as_mut().expect("evidence");
    evidence.steps[0].name = evil.into();
    evidence.steps[0].error = evil.into();
    evidence.steps[0].ok = false;
    evidence.connections[0].from = evil.into();
    let page = page(&[outcome]);
    assert!(
        !page.contains("<script") && !page.contains("<img"),
        "{page}"
    );
    assert!(
        !values(&page, "href")
            .iter()
            .any(|link| link.starts_with("javascript"))
    );
    assert_eq!(unbalanced(&page), Vec::<String>::new());
    assert!(page.contains("&lt;script&gt;"));
}

#[test]
fn many_runs_of_a_case_are_one_with_a_rate() {
    let runs = (1..=4).map(|attempt| Outcome {
        attempt,
        ..tests::fault()
    });
    let mut runs: Vec<Outcome> = runs.collect();
    runs[2] = Outcome {
        attempt: 3,
        ..tests::failed()
    };
    runs[2].case.name = "as-deployed".into();
    runs[2].case.kind = Kind::Fault;
    let page = page(&runs);
    assert_eq!(page.matches("<details class=\"case\"").count(), 1);
    assert!(
        page.contains("3 of 4 runs held, 75.0 % (95 % interval 30.1 to 95.4 %)"),
        "{page}"
    );
    assert!(page.contains("Times over all runs"));
}
