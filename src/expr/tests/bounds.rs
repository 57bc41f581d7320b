//! Nothing panics, hangs or overflows the stack, whatever the text.

use super::*;
use proptest::prelude::*;

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
