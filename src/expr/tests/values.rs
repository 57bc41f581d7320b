//! What is told of the values that a claim speaks of.

use super::*;

#[test]
fn values_are_the_longest_paths_in_order() {
    let short = expr("new.ms < 10.0").values(&json!({ "new": { "ms": 1013.499383 } }));
    assert_eq!(short, [("new.ms".to_owned(), json!(1013.499))]);
    let text = "new.ok && new.syns == 2 && hosts[\"web-2\"].counters.TcpNone == 0 && new.ok && \
                hosts.web1.sockets.exists(s, s.state == again.error) && findings[0].packets == [] && hosts.all(h, h != '')";
    let socket = json!([{ "state": "ESTABLISHED", "local": "10.0.0.1:80" }]);
    let values = [
        ("new.ok", json!(true)),
        ("new.syns", json!(2)),
        ("hosts[\"web-2\"].counters.TcpNone", Value::Null),
        ("hosts.web1.sockets", socket),
        ("again.error", json!("deadline")),
        ("findings[0].packets", json!([3, 4])),
    ];
    let mut expected: Vec<_> = values
        .into_iter()
        .map(|(path, value)| (path.to_string(), value))
        .collect();
    let mut values = expr(text).values(&evidence());
    let hosts = values.pop().expect("hosts");
    assert_eq!(hosts.0, "hosts");
    assert_eq!(values, expected);

    let long = json!({ "findings": (0..30).collect::<Vec<_>>() });
    expected = vec![("findings".into(), json!("(30 entries)"))];
    assert_eq!(expr("size(findings) == 30").values(&long), expected);
}

#[test]
fn of_a_long_list_the_entries_that_were_asked_for_are_told() {
    let socket = |n: usize| {
        let state = if n.is_multiple_of(3) { "LISTEN" } else { "" };
        json!({ "t": 1.5 * n as f64, "state": state, "local": n.to_string() })
    };
    let sockets = (0..30).map(socket).collect::<Vec<_>>();
    let evidence = json!({ "hosts": { "web1": { "sockets": sockets } } });
    for (text, told) in [
        (
            "hosts.web1.sockets.filter(s, s.state == 'LISTEN' && s.local != '0').size() == 7",
            "(30 entries; 9 fit, the first: t 4.5, state LISTEN, local 3)",
        ),
        (
            "hosts.web1.sockets.exists(s, s.local == '29')",
            "(30 entries; 1 fits: t 43.5, local 29)",
        ),
        (
            "hosts.web1.sockets.exists(s, s.local == '99')",
            "(30 entries; none fits)",
        ),
        (
            "hosts.web1.sockets.all(s, s.state == 'LISTEN')",
            "(30 entries; 20 do not fit, the first: t 1.5, state \"\")",
        ),
        (
            "hosts.web1.sockets.all(s, s.local != '99')",
            "(30 entries; all fit)",
        ),
        (
            "size(hosts.web1.sockets.map(s, s.local)) == 30",
            "(30 entries)",
        ),
        (
            "hosts.web1.sockets.exists(s, hosts.web1.sockets.exists(other, other.local < s.local))",
            "(30 entries; 29 fit, the first: t 1.5, local 1)",
        ),
    ] {
        let values = expr(text).values(&evidence);
        let path = "hosts.web1.sockets".to_owned();
        assert_eq!(values[0], (path, json!(told)), "{text}");
    }
}

/// `new.target`, whose beginning is `READ`; three bytes are missing.
fn cut_off() -> Value {
    json!({ "new": { "target": text("READ", 3) }, "again": { "target": "READ" } })
}

#[test]
fn what_a_missing_end_could_decide_is_unknown() {
    let evidence = cut_off();
    for known in [
        "new.target.contains('EA')",
        "!new.target.startsWith('X') && new.target.startsWith('REA') && new.target.startsWith('READ')",
        "new.target != 'REA' && new.target != 'READ' && new.target != 'REBD'",
        "new.target > 'READ' && 'READ' < new.target && new.target < 'REB' && new.target > again.target",
        "!(new.target in ['READ', 'X'])",
        "new.target.contains('EA') || new.target.endsWith('Y')",
    ] {
        assert_eq!(expr(known).eval(&evidence), Truth::True, "{known}");
    }
    for unknown in [
        "new.target.contains('Y')",
        "new.target.startsWith('READY')",
        "new.target.endsWith('D')",
        "new.target.size() == 7",
        "new.target == 'READY..'",
        "new.target < 'READY'",
        "new.target == new.target",
        "new.target in ['X', 'READY..']",
    ] {
        let why = "of a text only the first 4 bytes were kept, 3 more were not";
        let told = expr(unknown).eval(&evidence);
        assert_eq!(told, Truth::Unknown(why.to_owned()), "{unknown}");
    }
}

#[test]
fn of_a_long_text_the_beginning_is_printed_and_how_much_follows() {
    let long = "\u{e9}".repeat(70_000);
    let evidence = json!({
        "new": { "target": long, "error": "reset" },
        "again": { "target": text(&long, 5) },
        "hosts": { "web1": { "sockets": [{ "state": long, "local": "x" }] } },
    });
    let claim = "new.target == '' || new.error == '' || again.target == '' || hosts.web1.sockets.all(s, s.local == '')";
    let values = expr(claim).values(&evidence);
    let shown = |more: usize| format!("{}... {more} more bytes", "\u{e9}".repeat(300));
    let expected = [
        ("new.target", json!(shown(139_400))),
        ("new.error", json!("reset")),
        ("again.target", json!(shown(139_405))),
        (
            "hosts.web1.sockets",
            json!([{ "state": shown(139_400), "local": "x" }]),
        ),
    ];
    let expected = expected.map(|(path, value)| (path.to_owned(), value));
    assert_eq!(values, expected);
    let many: Vec<Value> = (0..30)
        .map(|n| json!({ "state": long, "local": n.to_string() }))
        .collect();
    let evidence = json!({ "hosts": { "web1": { "sockets": many } } });
    let asked = "hosts.web1.sockets.exists(s, s.state != '')";
    let told = format!("(30 entries; 30 fit, the first: state {})", shown(139_400));
    assert_eq!(expr(asked).values(&evidence)[0].1, json!(told));
}
