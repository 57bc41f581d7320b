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
    // Paper is white, whatever the screen.
    assert!(page.contains("@media screen and (prefers-color-scheme: dark)"));
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
    case.configured = evil.into();
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

#[test]
fn boxes_kernels_and_names_have_their_tables() {
    let page = page(&[tests::recorded()]);
    for part in [
        "<h4>Where the connections went</h4>",
        "<td>staff</td><td>client</td><td>front/a</td><td>web1</td><td class=\"n\">5</td><td class=\"n\">3</td>",
        "<td>deadline 2</td>",
        "<h4>Names asked for</h4>",
        "<td>203.0.113.10, 203.0.113.11</td><td>600 ms (60 s of cloud time)</td><td class=\"n\">5</td>",
        "<h4>What the names said</h4>",
        "<h4>Refused by guards</h4>",
        "<td>security group locked at web1</td><td>ingress</td><td>no rule allows it</td><td>tcp S</td>\
         <td>198.51.100.7</td><td>10.0.1.10:80</td><td>the story</td><td class=\"n\">2</td>",
        "<td>network ACL of zone b's subnet</td><td>outbound</td><td>rule 50 denies it</td>",
        "the network answered by itself: reset, expired flow, 1 times",
        "<h4>Proxied connections, both sides</h4>",
        "<td class=\"n\">44000</td><td class=\"n\">4000</td>",
        "<td>target's side over at 285.0 ms, client's side open</td>",
        "<h4>NAT gateways</h4>",
        "<h4>Mappings of the NAT gateways</h4>",
        "<td>10.0.1.10:41000</td><td>192.0.2.10:1024</td>",
        "<details class=\"more\"><summary>What the kernels dropped, by their own reasons</summary>",
        "<td>web1</td><td>NO_SOCKET 3</td>",
        "with the sockets that held them (QUEUE_PURGE): web1 2.",
        "<b>Two clocks:</b> cloud time runs 100 times faster",
        "<h4>ICMP messages seen inside hosts</h4>",
        "<summary>Sockets that wait for something</summary>",
        "<h4>Kernel counters that tell something</h4>",
        "<th class=\"n\">web1</th>",
        "<td>TcpExtTCPSYNChallenge</td>",
        "<summary>Other kernel counters that moved</summary>",
    ] {
        let text = page.replace("&#x27;", "'");
        assert!(text.contains(part), "no {part}\n{text}");
    }
    assert_eq!(unbalanced(&page), Vec::<String>::new());
}

#[test]
fn the_settings_in_force_stand_with_the_lab_and_with_cases_that_differ() {
    let mut other = tests::fix();
    other.case.configured = "TARGET GROUPS\n  web: another".into();
    let page = page(&[tests::fault(), other]);
    let places: Vec<usize> = page
        .match_indices("What is configured")
        .map(|(at, _)| at)
        .collect();
    assert_eq!(
        places.len(),
        2,
        "once for the lab, once for the case that differs"
    );
    assert!(
        page[places[0]..].contains(
            ", as as-deployed has it</summary><pre>LOAD BALANCERS\n  front: network</pre>"
        )
    );
    assert!(page[places[1]..].contains("<pre>TARGET GROUPS\n  web: another</pre>"));
}

#[test]
fn fault_and_fixes_stand_side_by_side() {
    let page = page(&[tests::fault(), tests::fix()]);
    let table = page
        .split("<table class=\"sides\">")
        .nth(1)
        .expect("a table");
    let table = table.split("</table>").next().unwrap_or_default();
    let rows: Vec<&str> = table.split("<tr>").skip(2).collect();
    assert_eq!(rows.len(), 2);
    assert!(table.contains("<th scope=\"col\">the first connection lives on</th>"));
    let (broken, kept) = (
        "<span class=\"fails\">\u{2717}&nbsp;broken",
        "\u{2713}&nbsp;kept",
    );
    assert!(rows[0].contains("as-deployed") && rows[0].contains(broken) && !rows[0].contains(kept));
    assert!(rows[0].contains("new.syns = 2") && rows[0].contains("flow-collision"));
    assert!(
        rows[1].contains("cross-zone-off") && rows[1].contains(kept) && !rows[1].contains(broken)
    );
}

#[test]
fn a_page_of_many_cases_says_what_it_leaves_out() {
    let many = |kind: Kind| {
        (0..60).map(move |i| {
            let mut outcome = tests::recorded();
            outcome.case.name = format!("{}-{i}", crate::report::kind_word(kind));
            outcome.case.kind = kind;
            outcome
        })
    };
    let few: Vec<Outcome> = many(Kind::Fault).collect();
    let all: Vec<Outcome> = many(Kind::Fault).chain(many(Kind::Fix)).collect();
    let (few, all) = (page(&few), page(&all));
    let (brief, ladder) = ("told in short", "<svg class=\"ladder\"");
    let dull = "<summary>Other kernel counters that moved";
    assert!(!few.contains(brief) && few.contains(dull));
    assert!(all.contains(brief) && !all.contains(dull));
    assert_eq!(
        (few.matches(ladder).count(), all.matches(ladder).count()),
        (60, 60),
        "faults keep their packets"
    );
}

#[test]
fn what_failed_is_told_at_length_on_a_page_of_many_cases() {
    let mut cases: Vec<Outcome> = (0..120)
        .map(|i| {
            let mut outcome = tests::recorded();
            outcome.case.name = format!("fix-{i}");
            outcome.case.kind = Kind::Fix;
            outcome
        })
        .collect();
    cases[3].verdict.as_mut().expect("a verdict").ruling = crate::verdict::Ruling::Fails;
    let page = page(&cases);
    let case = |name: &str| {
        let opening = format!("id=\"nlb_source-port-collision.{name}\"");
        let case = page.split(opening.as_str()).nth(1).expect("the case");
        case.split("class=\"case\"").next().unwrap_or_default()
    };
    let parts = [
        "<svg class=\"ladder\"",
        "<summary>Other kernel counters that moved",
    ];
    assert_eq!(parts.map(|part| case("fix-3").contains(part)), [true; 2]);
    assert_eq!(parts.map(|part| case("fix-4").contains(part)), [false; 2]);
}

#[test]
fn each_kind_has_its_column_and_each_claim_its_word() {
    let page = page(&[tests::fault(), tests::fix()]);
    let cell = |class: &str| {
        let opening = format!("<td class=\"{class}\">");
        let cell = page.split(opening.as_str()).nth(1).expect("a cell");
        cell.split("</td>").next().unwrap_or_default().to_owned()
    };
    assert!(cell("faults").contains("as-deployed"), "{}", cell("faults"));
    assert!(
        cell("fixes").contains("cross-zone-off"),
        "{}",
        cell("fixes")
    );
    let claims = page
        .split("<table class=\"claims\">")
        .nth(1)
        .expect("claims");
    let rows: Vec<&str> = claims.split("<tr>").collect();
    let row = |words: &str| {
        let row = rows.iter().find(|row| row.contains(words));
        row.unwrap_or_else(|| panic!("no {words}"))
    };
    // Not a mark of failure: it is what a fault is for.
    assert!(row("the first connection lives on").contains("<td class=\"soft\">broken</td>"));
    assert!(row("a fault must break at least one entry of it").contains("the lab"));
    assert!(row("nobody tells the first").contains("\u{2713}&nbsp;true"));
}

#[test]
fn of_texts_with_lines_only_those_that_differ_are_told() {
    let differing = |before: &str, after: &str| super::differing(Some(before), Some(after));
    let text = r#""table ip nat {\n  masquerade\n}\n""#;
    let other = r#""table ip nat {\n  snat to 10.0.0.1\n}\n""#;
    assert_eq!(
        differing(text, other),
        ["- masquerade", "+ snat to 10.0.0.1"]
    );
    assert_eq!(super::differing(None, Some(other)).len(), 3);
    assert_eq!(differing("true", "false"), [""; 0]);
    assert_eq!(differing("\"a: b\"", "\"c\""), [""; 0]);
}
