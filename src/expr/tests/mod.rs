//! The language as a whole; here the shape and the evidence that its tests share.

mod bounds;
mod language;
mod values;

use super::*;
use serde_json::json;

const ERRORS: &[&str] = &["", "refused", "reset", "timeout", "deadline", "closed"];

fn record(fields: &[(&str, Type)]) -> Type {
    let fields = fields.iter();
    let fields = fields.map(|(name, ty)| (name.to_string(), ty.clone()));
    Type::Record(Arc::new(fields.collect()))
}

fn list(element: Type) -> Type {
    Type::List(Arc::new(element))
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
        ("counters", Type::Map(Arc::new(Type::Int))),
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
            let claim = claim(&source, &shape(), &mut sink);
            assert_eq!(
                claim.is_none(),
                !sink.is_empty(),
                "{text}: refused without a diagnostic"
            );
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
