//! What is refused and how, and what the rest comes to.

use super::*;

#[test]
fn what_holds() {
    for text in [
        "new.ok && new.syns == 2",
        "new.ok && !again.ok",
        "again.error == \"deadline\" && again.error != 'reset'",
        "hosts.web1.counters.TcpExtTCPSYNChallenge == 1",
        "hosts[\"web-2\"].self_sourced == 3 && hosts['web1'].counters['TcpOutRsts'] >= 2",
        "again.error in [\"reset\", \"deadline\"] || new.ok",
        "\"TcpOutRsts\" in hosts.web1.counters && !(\"X\" in hosts.web1.counters)",
        "share(staff.failed, staff.attempts) > 0.1 && share(1, 0) == 0.0",
        "between(staff.failed, 20, 20) && between(share(staff.failed, staff.attempts), 0.3, 0.4)",
        "plausible(staff.failed, staff.attempts, 1.0 / 3.0)",
        "!plausible(0, staff.attempts, 1.0 / 3.0) && !plausible(staff.attempts, staff.attempts, 1.0 / 3.0)",
        "hosts.web1.sockets.exists(s, s.state == \"ESTABLISHED\")",
        "hosts[\"web-2\"].sockets.all(s, s.state == \"NONE\")",
        "hosts.exists_one(h, hosts[h].self_sourced > 0)",
        "findings.filter(f, f.kind.startsWith(\"flow-\") && f.kind.endsWith('sion') && f.kind.contains('w-c')).size() == 1",
        "size(findings.map(f, f.packets)) == 1 && findings[0].packets[1] == 4",
        "findings.map(f, f.packets) == [[3, 4]]",
        "has(hosts.web1.counters.TcpOutRsts) && !has(hosts.web1.counters.TcpNothing)",
        "staff.failed == staff.by_target[\"web-2\"] && staff.by_target.web1 == 40",
        "(new.ok ? new.syns : again.syns) == 2",
        "new.ok ? true : false ? false : true",
        "new.ms < 10 && new.ms * 2.0 == 17.0 && -new.ms < 0",
        "1 + 2 * 3 - 4 == 3 && 7 % 4 == 3 && -7 % 4 == -3 && 0x10 == 16 && 1e3 == 1000",
        "2 - 1 - 1 == 0 && 8.0 / 4.0 / 2.0 == 1.0",
        "double(staff.failed) * 1.5 == 30.0",
        "(1 < 2) == true && 1 < 2 == true",
        "r'\\n' == '\\\\n' && '\\x41\\u0042' == \"AB\" && size('\\n') == 1",
        "new . syns\n  ==\t2",
        "[1, 2,] == [1, 2] && 1 in [1] && !(1 in [])",
    ] {
        assert_eq!(eval(text), Truth::True, "{text}");
    }
}

#[test]
fn what_is_refused() {
    for (text, code, under, help) in [
        ("", 502, "", ""),
        ("new.ok &&", 502, "", ""),
        ("new.ok again.ok", 502, "again", ""),
        ("(new.ok", 502, "", ""),
        ("new.", 502, "", ""),
        ("if == 1", 502, "if", ""),
        ("new.ok @", 502, "@", ""),
        ("new.error == \"reset", 503, "\"reset", ""),
        ("new.error == \"\\q\"", 503, "\\q", ""),
        (
            "new.error == “reset”",
            503,
            "“",
            "write a straight quote, `\"` or `'`",
        ),
        (
            "new.syns == 99999999999999999999",
            503,
            "99999999999999999999",
            "",
        ),
        ("new.syns = 1", 504, "=", "write `==`"),
        ("new.ok and again.ok", 505, "and", "write `&&`"),
        ("not new.ok", 505, "not", "write `!` before the value"),
        ("new.ok & again.ok", 505, "&", "write `&&`"),
        ("new.syns =< 1", 505, "=<", "write `<=`"),
        ("new.syns <> 1", 505, "<>", "write `!=`"),
        (
            "new.ms < 2s",
            506,
            "2s",
            "times are milliseconds: write `2000`",
        ),
        (
            "new.ms < 1.5ms",
            506,
            "1.5ms",
            "times are milliseconds: write `1.5`",
        ),
        ("new.syns == 1u", 507, "1u", "write `1`"),
        ("new.target == b'web1'", 508, "b", ""),
        ("new == {}", 508, "{", ""),
        (
            "1 <= new.syns <= 3",
            509,
            "<=",
            "write `between(new.syns, 1, 3)`",
        ),
        (
            "1 < new.syns <= 3",
            509,
            "<=",
            "write `1 < new.syns && new.syns <= 3`",
        ),
        ("nwe.ok", 510, "nwe", "did you mean `new`?"),
        (
            "nothing.ok",
            510,
            "nothing",
            "there are: again, findings, hosts, new, staff",
        ),
        (
            "web1.counters.TcpOutRsts == 0",
            510,
            "web1",
            "write `hosts.web1`",
        ),
        (
            "again.error == reset",
            510,
            "reset",
            "write text in quotes: `\"reset\"`",
        ),
        (
            "hosts[web1].self_sourced == 0",
            510,
            "web1",
            "write `hosts[\"web1\"]`",
        ),
        (
            "new.ok || undefined_thing",
            510,
            "undefined_thing",
            "there are: again, findings, hosts, new, staff",
        ),
        ("new.syn == 1", 511, "syn", "did you mean `syns`?"),
        (
            "new.color == 1",
            511,
            "color",
            "it has: at, errno, error, ms, ok, syns, target",
        ),
        (
            "hosts.web_2.self_sourced == 0",
            511,
            "web_2",
            "did you mean `hosts[\"web-2\"]`?",
        ),
        (
            "hosts.web1.sockets.state == ''",
            511,
            "state",
            "ask about its elements: `hosts.web1.sockets.exists(x, x.state == ...)`",
        ),
        (
            "staff.by_target[\"web3\"] == 1",
            511,
            "\"web3\"",
            "did you mean `web1`?",
        ),
        (
            "web-2.self_sourced == 0",
            512,
            "web-2",
            "write `hosts[\"web-2\"]`",
        ),
        (
            "hosts.web-2.self_sourced == 0",
            512,
            "hosts.web-2",
            "write `hosts[\"web-2\"]`",
        ),
        (
            "staff.by_target.web-2 == 1",
            512,
            "staff.by_target.web-2",
            "write `staff.by_target[\"web-2\"]`",
        ),
        ("findings['x'] == 1", 513, "'x'", ""),
        (
            "staff[new.target] == 1",
            513,
            "new.target",
            "write the name in quotes",
        ),
        ("shares(1, 2) > 0.1", 514, "shares", "did you mean `share`?"),
        (
            "new.target.starts_with('w')",
            514,
            "starts_with",
            "did you mean `startsWith`?",
        ),
        (
            "startsWith(new.target, 'w')",
            514,
            "startsWith",
            "write `text.startsWith(\"...\")`",
        ),
        (
            "share(1) > 0.1",
            515,
            "share(1)",
            "write `share(part, whole)`",
        ),
        ("plausible(1, 2, 1)", 515, "1", "write `1.0`"),
        ("plausible(1, 2, 1.5)", 515, "plausible(1, 2, 1.5)", ""),
        (
            "has(new)",
            515,
            "has(new)",
            "write `has(hosts.web1.counters.TcpExtTCPSYNChallenge)`",
        ),
        (
            "findings.exists(f.kind == 'x')",
            516,
            ".",
            "write `list.exists(x, ...)` with `x` for each element in turn",
        ),
        ("new.ok.all(x, x)", 516, "new.ok", ""),
        (
            "new.target + 'x' == ''",
            520,
            "new.target + 'x'",
            "text is compared whole, or with contains()",
        ),
        (
            "staff.failed / staff.attempts > 0.1",
            521,
            "staff.failed / staff.attempts",
            "write `share(staff.failed, staff.attempts)`",
        ),
        ("plausible(1, 2, 1 / 3)", 521, "1 / 3", "write `1.0 / 3.0`"),
        (
            "staff.failed * 1.5 > 3",
            522,
            "staff.failed",
            "write `double(staff.failed)`",
        ),
        ("new.ms + 1 > 3", 522, "1", "write `1.0`"),
        (
            "new.syns == \"1\"",
            523,
            "new.syns == \"1\"",
            "write `1` without quotes",
        ),
        (
            "new.ok == 1",
            523,
            "new.ok == 1",
            "true and false are no numbers here",
        ),
        (
            "findings == 1",
            523,
            "findings == 1",
            "write `size(findings) == 1`",
        ),
        ("new.ok < again.ok", 523, "new.ok < again.ok", ""),
        (
            "again.error == \"dedline\"",
            524,
            "\"dedline\"",
            "did you mean `\"deadline\"`? It is one of: \"\", \"refused\", \"reset\", \"timeout\", \"deadline\", \"closed\"",
        ),
        (
            "again.error in [\"reset\", \"gone\"]",
            524,
            "\"gone\"",
            "it is one of: \"\", \"refused\", \"reset\", \"timeout\", \"deadline\", \"closed\"",
        ),
        (
            "new.error == null",
            525,
            "null",
            "write `new.error == \"\"`",
        ),
        (
            "null != new.error",
            525,
            "null",
            "write `new.error != \"\"`",
        ),
        (
            "again.error in 'reset'",
            526,
            "'reset'",
            "write `again.error in [\"reset\"]`",
        ),
        (
            "new.syns && new.ok",
            527,
            "new.syns",
            "compare it: `new.syns > 0`",
        ),
        ("!new", 527, "new", "write `new.ok`"),
        ("new.errno in [0, '1']", 528, "'1'", ""),
        ("new", 529, "new", "write `new.ok`"),
        ("new.syns", 529, "new.syns", "compare it: `new.syns > 0`"),
        (
            "new.error",
            529,
            "new.error",
            "compare it: `new.error == \"...\"`",
        ),
    ] {
        assert_eq!(
            refused(text),
            (code, under.to_string(), help.to_string()),
            "{text}"
        );
    }
}

#[test]
fn all_mistakes_of_one_expression_are_told() {
    let sink =
        try_compile("nwe.ok && new.syn == 1 && staff.failed / 2 == 1").expect_err("three mistakes");
    assert_eq!(
        sink.sorted().iter().map(|d| d.code.0).collect::<Vec<_>>(),
        [510, 511, 521]
    );
}

#[test]
fn a_missing_counter_is_unknown_and_decides_nothing() {
    let unknown = Truth::Unknown("this kernel has no counter `TcpNew`".into());
    assert_eq!(eval("hosts.web1.counters.TcpNew == 0"), unknown);
    assert_eq!(eval("hosts.web1.counters[\"TcpNew\"] > 0"), unknown);
    assert_eq!(eval("hosts.web1.counters.TcpNew == 0 && new.ok"), unknown);
    assert_eq!(eval("hosts.web1.counters.TcpNew == 0 || again.ok"), unknown);
    assert_eq!(
        eval("hosts.web1.counters.TcpNew == 0 || new.ok"),
        Truth::True
    );
    assert_eq!(
        eval("again.ok && hosts.web1.counters.TcpNew == 0"),
        Truth::False
    );
    assert_eq!(
        eval("hosts.web1.counters.TcpNew == 0 && again.ok"),
        Truth::False
    );
    assert_eq!(
        eval("hosts.exists(h, hosts[h].counters.TcpExtTCPSYNChallenge == 1)"),
        Truth::True
    );
    assert_eq!(
        eval("hosts.all(h, hosts[h].counters.TcpExtTCPSYNChallenge == 2)"),
        Truth::False
    );
    assert!(matches!(
        eval("hosts.all(h, hosts[h].counters.TcpExtTCPSYNChallenge == 1)"),
        Truth::Unknown(_)
    ));
}

#[test]
fn what_cannot_be_computed_is_unknown() {
    for text in [
        "1 % 0 == 0",
        "1.0 / 0.0 > 1.0",
        "9223372036854775807 + 1 > 0",
        "findings[7].kind == ''",
        "findings[-1].kind == ''",
        "hosts[new.error].self_sourced == 0",
        "plausible(0, 0, 0.5)",
    ] {
        assert!(matches!(eval(text), Truth::Unknown(_)), "{text}");
    }
    // Evidence that lacks what the shape has.
    assert!(matches!(expr("new.ok").eval(&json!({})), Truth::Unknown(_)));
    assert!(matches!(
        expr("new.ms < 1").eval(&json!({ "new": { "ms": null } })),
        Truth::Unknown(_)
    ));
    assert!(matches!(expr("new.ok").eval(&json!([])), Truth::Unknown(_)));
}

#[test]
fn a_hyphen_between_odd_blanks_is_still_a_place_in_the_text() {
    assert_eq!(refused("\u{a0}web-2.ok == 1").1, "web-2");
    assert_eq!(refused("'é'-1 == 1").0, 520);
}

#[test]
fn time_bound_is_what_mentions_a_time() {
    for (text, bound) in [
        ("new.ms < 10", true),
        ("new.ok && (again.at - new.at) > 3", true),
        ("staff.connect_ms.p50 < 1", true),
        ("new.ok && new.syns == 1", false),
    ] {
        assert_eq!(expr(text).is_time_bound(), bound, "{text}");
    }
}

#[test]
fn within_a_leeway_only_comparisons_of_times_become_unknown() {
    let evidence = json!({ "new": { "ok": true, "ms": 8.0, "at": 1.0, "syns": 2 } });
    for (text, told) in [
        ("new.ms < 5.0", None),
        ("new.ms > 5.0", None),
        ("new.ms == 8.0", None),
        ("between(new.ms, 7.0, 20.0)", None),
        ("new.ms < 100.0", Some(true)),
        ("new.ms > 100.0", Some(false)),
        ("between(new.ms, 50.0, 60.0)", Some(false)),
        ("!(new.ms > 5.0)", None),
        ("new.ms > 5.0 && !new.ok", Some(false)),
        ("new.ms > 5.0 || new.ok", Some(true)),
        ("share(new.syns, 3) > 0.5", Some(true)),
    ] {
        let truth = match expr(text).eval_within(&evidence, 10.0) {
            Truth::True => Some(true),
            Truth::False => Some(false),
            Truth::Unknown(_) => None,
        };
        assert_eq!(truth, told, "{text}");
    }
}

#[test]
fn places_are_those_of_the_file() {
    let place = |written: usize| {
        let mut sink = Diagnostics::default();
        let text = "new.ok && nwe.ok".to_string();
        let source = Spanned::new(
            text,
            Span {
                start: 40,
                end: 40 + written,
            },
        );
        assert!(compile(&source, &shape(), &mut sink).is_none());
        sink.sorted()[0].span
    };
    assert_eq!(place(16), Span { start: 50, end: 53 });
    assert_eq!(place(18), Span { start: 51, end: 54 }, "in quotes");
    assert_eq!(place(20), Span { start: 40, end: 60 }, "with escapes");
    assert_eq!(place(3), Span { start: 40, end: 43 }, "of an alias");
}
