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
