//! The language as a whole: what is refused and how, what the rest comes to, and that nothing hangs or overflows.

use super::*;
use proptest::prelude::*;
use serde_json::json;

const ERRORS: &[&str] = &["", "refused", "reset", "timeout", "deadline", "closed"];

fn record(fields: &[(&str, Type)]) -> Type {
    Type::Record(
        fields
            .iter()
            .map(|(name, ty)| (name.to_string(), ty.clone()))
            .collect(),
    )
}

fn list(element: Type) -> Type {
    Type::List(Box::new(element))
}

fn shape() -> Shape {
    let result = [
        ("ok", Type::Bool),
        ("error", Type::Word(ERRORS)),
        ("errno", Type::Int),
        ("ms", Type::Millis),
        ("at", Type::Millis),
        ("syns", Type::Int),
        ("target", Type::Text),
    ];
    let load = [
        ("attempts", Type::Int),
        ("failed", Type::Int),
        (
            "by_target",
            record(&[("web1", Type::Int), ("web-2", Type::Int)]),
        ),
        ("connect_ms", record(&[("p50", Type::Millis)])),
    ];
    let socket = record(&[("state", Type::Text), ("local", Type::Text)]);
    let host = record(&[
        ("counters", Type::Map(Box::new(Type::Int))),
        ("sockets", list(socket)),
        ("self_sourced", Type::Int),
    ]);
    let finding = record(&[("kind", Type::Text), ("packets", list(Type::Int))]);
    let roots = [
        ("hosts", record(&[("web1", host.clone()), ("web-2", host)])),
        ("findings", list(finding)),
        ("new", record(&result)),
        ("again", record(&result)),
        ("staff", record(&load)),
    ];
    Shape {
        roots: roots
            .into_iter()
            .map(|(name, ty)| (name.to_string(), ty))
            .collect(),
    }
}

fn evidence() -> Value {
    let socket = json!({ "state": "ESTABLISHED", "local": "10.0.0.1:80" });
    json!({
        "hosts": {
            "web1": { "counters": { "TcpOutRsts": 2, "TcpExtTCPSYNChallenge": 1 }, "sockets": [socket], "self_sourced": 0 },
            "web-2": { "counters": { "TcpOutRsts": 0 }, "sockets": [], "self_sourced": 3 },
        },
        "findings": [{ "kind": "flow-collision", "packets": [3, 4] }],
        "new": { "ok": true, "error": "", "errno": 0, "ms": 8.5, "at": 12.0, "syns": 2, "target": "web1" },
        "again": { "ok": false, "error": "deadline", "errno": 0, "ms": 2000.1, "at": 20.0, "syns": 1, "target": "web1" },
        "staff": { "attempts": 60, "failed": 20, "by_target": { "web1": 40, "web-2": 20 }, "connect_ms": { "p50": 0.4 } },
    })
}

fn try_compile(text: &str) -> Result<Expr, Diagnostics> {
    let mut sink = Diagnostics::default();
    let source = Spanned::new(
        text.to_string(),
        Span {
            start: 100,
            end: 100 + text.len(),
        },
    );
    match compile(&source, &shape(), &mut sink) {
        Some(expr) => {
            assert!(sink.is_empty(), "{text}: compiled with diagnostics");
            Ok(expr)
        }
        None => {
            assert!(!sink.is_empty(), "{text}: refused without a diagnostic");
            Err(sink)
        }
    }
}

fn expr(text: &str) -> Expr {
    try_compile(text).unwrap_or_else(|sink| panic!("{text}: {:?}", sink.sorted()))
}

fn eval(text: &str) -> Truth {
    expr(text).eval(&evidence())
}

/// Code, underlined text, message and help of the first mistake.
fn refused(text: &str) -> (u16, String, String) {
    let sink = try_compile(text)
        .err()
        .unwrap_or_else(|| panic!("{text}: accepted"));
    let first = sink.sorted()[0].clone();
    let under = text
        .get(first.span.start - 100..first.span.end - 100)
        .expect("a span on characters");
    (
        first.code.0,
        under.to_string(),
        first.help.unwrap_or_default(),
    )
}

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
        ("", 501, "", ""),
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
        ("new.syns == \"1\"", 523, "new.syns == \"1\"", ""),
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
            "did you mean `\"deadline\"`?",
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
            "write `'reset'.contains(again.error)`",
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
fn time_bound_is_what_mentions_a_time() {
    for (text, bound) in [
        ("new.ms < 10", true),
        ("new.ok && (again.at - new.at) > 3", true),
        ("staff.connect_ms.p50 < 1", true),
        ("new.ok && new.syns == 1", false),
    ] {
        assert_eq!(expr(text).time_bound, bound, "{text}");
    }
}

#[test]
fn values_are_the_longest_paths_in_order() {
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
fn too_large_is_refused() {
    let terms = |n: usize| vec!["1"; n].join("+") + " > 0";
    assert_eq!(eval(&terms(lex::MAX_OPERATORS)), Truth::True);
    assert_eq!(refused(&terms(lex::MAX_OPERATORS + 1)).0, 500);
    assert_eq!(
        refused(&format!("new.target == '{}'", "x".repeat(1024))).0,
        500
    );
    assert_eq!(
        refused("findings.all(a, findings.all(b, findings.all(c, true)))").0,
        516
    );
}

#[test]
fn work_is_bounded() {
    let many = json!({ "findings": vec![json!({ "kind": "x", "packets": [1] }); 50_000] });
    let start = std::time::Instant::now();
    for text in [
        "findings.all(a, findings.all(b, a.kind == b.kind))",
        "findings.map(a, findings).map(b, findings.map(c, findings)) == findings.map(a, findings)",
        "findings.exists(a, a in findings.map(b, b))",
        "findings.all(a, findings.map(b, b.packets) == findings.map(b, b.packets))",
    ] {
        if let Ok(expr) = try_compile(text) {
            assert!(matches!(expr.eval(&many), Truth::Unknown(_)), "{text}");
        }
    }
    assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
}

/// Runs with little stack: an overflow aborts the whole test binary.
fn on_a_small_stack(work: impl FnOnce() + Send) {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(256 * 1024);
        thread
            .spawn_scoped(scope, work)
            .expect("a thread")
            .join()
            .expect("no panic");
    });
}

#[test]
fn the_deepest_texts_need_little_stack() {
    let shape = shape();
    let evidence = evidence();
    let deep = |open: &str, middle: &str, close: &str| {
        (lex::MAX_OPERATORS - 6..=lex::MAX_OPERATORS + 1)
            .chain([300, 1000])
            .map(|n| open.repeat(n) + middle + &close.repeat(n))
            .collect::<Vec<_>>()
    };
    let shapes = [
        deep("(", "new.ok", ")"),
        deep("[", "1", "]"),
        deep("!", "new.ok", ""),
        deep("-", "1", ""),
        deep("true ? true : ", "false", ""),
        deep("1 + (", "1", ")"),
        deep("share(1, ", "1", ")"),
        deep("1 +", "1 > 0", ""),
        deep("", "new", ".ok"),
        deep("", "findings", "[0]"),
        deep("", "findings", ".filter(a, true)"),
        deep("has(", "new.ok", ")"),
        deep("1 in [", "1", "]"),
        deep("{", "", "}"),
        deep("findings.all(a, ", "true", ")"),
        deep("a-b.", "c", ""),
    ];
    on_a_small_stack(|| {
        for text in shapes.iter().flatten() {
            for text in [
                text.clone(),
                format!("{text} == 1"),
                format!("new.ok || {text}"),
            ] {
                let mut sink = Diagnostics::default();
                let source = Spanned::new(text, Span::default());
                if let Some(expr) = compile(&source, &shape, &mut sink) {
                    expr.eval(&evidence);
                    expr.values(&evidence);
                    let _ = format!("{:?}", expr.clone());
                }
            }
        }
    });
}

/// Texts that are nearly right: pieces of the language in any order.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "new",
        "hosts",
        "findings",
        "web-2",
        ".ok",
        ".syns",
        ".error",
        ".ms",
        ".all(x, ",
        ".map(x, ",
        ".size()",
        "x",
        "[\"web1\"]",
        "[0]",
        "(",
        ")",
        "[",
        "]",
        ",",
        "?",
        ":",
        "&&",
        "||",
        "!",
        "-",
        "+",
        "*",
        "/",
        "%",
        "==",
        "<=",
        "<",
        "in",
        "1",
        "0",
        "2.5",
        "'reset'",
        "\"",
        "true",
        "null",
        "share(",
        "plausible(",
        "has(",
        "between(",
        " ",
        "é",
        "\\",
        "9223372036854775807",
        ".counters",
        ".TcpX",
        "{",
    ]);
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.join(" "))
}

/// Texts that parse, well-typed or not.
fn grammar() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        "new.ok",
        "again.ok",
        "new.syns",
        "new.ms",
        "new.error",
        "staff.failed",
        "0",
        "1",
        "2.5",
        "'reset'",
        "true",
        "findings",
        "hosts.web1.counters.TcpX",
        "hosts",
        "9223372036854775807",
    ])
    .prop_map(str::to_string);
    leaf.prop_recursive(5, 40, 3, |inner| {
        let op = prop::sample::select(vec![
            "&&", "||", "==", "!=", "<", ">=", "in", "+", "-", "*", "/", "%",
        ]);
        prop_oneof![
            (inner.clone(), op, inner.clone()).prop_map(|(a, op, b)| format!("({a} {op} {b})")),
            inner.clone().prop_map(|a| format!("!{a}")),
            inner.clone().prop_map(|a| format!("-{a}")),
            (inner.clone(), inner.clone(), inner.clone())
                .prop_map(|(a, b, c)| format!("({a} ? {b} : {c})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("share({a}, {b})")),
            (inner.clone(), inner.clone(), inner.clone())
                .prop_map(|(a, b, c)| format!("plausible({a}, {b}, {c})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{a}[{b}]")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("[{a}, {b}]")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{a}.exists(x, {b} == x)")),
            (inner.clone(), inner).prop_map(|(a, b)| format!("size({a}.map(x, {b}))")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_ends_in_diagnostics_or_a_truth(text in prop_oneof![".{0,60}", pieces(), grammar()]) {
        if let Ok(expr) = try_compile(&text) {
            // What is checked fails at run time only for its values, never for its types.
            if let Truth::Unknown(why) = expr.eval(&evidence()) {
                prop_assert!(!why.contains("wanted"), "{}: {}", text, why);
            }
            expr.values(&evidence());
            expr.eval(&Value::Null);
        }
    }
}
