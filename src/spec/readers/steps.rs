//! Reads steps.

use super::Fields;
use crate::diag::{Span, Spanned};
use crate::spec::grammar::steps::{GET, REQUEST, STEPS};
use crate::spec::model::{
    Connect, Drop, Fault, Handover, HttpRequest, Load, Request, Step, Transfer, Verb,
};
use crate::spec::node::{Entry, Node, Value};

/// `steps`
pub fn steps(node: &Node) -> Option<Vec<Step>> {
    node.items()?
        .iter()
        .enumerate()
        .map(|(i, node)| step(node, i))
        .collect()
}

fn step(node: &Node, index: usize) -> Option<Step> {
    let [entry] = node.entries()? else {
        return None;
    };
    let variant = STEPS.variant(&entry.key.value)?;
    let short;
    let body = match (&entry.value.value, variant.text) {
        (Value::Scalar(_), Some(text)) => {
            let key = Spanned::new(text.to_owned(), entry.value.span);
            short = Node::map(
                vec![Entry {
                    key,
                    value: entry.value.clone(),
                }],
                entry.value.span,
            );
            &short
        }
        (Value::Null | Value::Scalar(_) | Value::List(_) | Value::Map(_), _) => &entry.value,
    };
    let span = Span {
        start: entry.key.span.start,
        end: node.span.end.max(entry.key.span.end),
    };
    let fields = Fields::new(body, variant.section, entry.key.span);
    let name = fields.written("as");
    Some(Step {
        named: name.is_some(),
        name: name.unwrap_or_else(|| Spanned::new(format!("step {}", index + 1), entry.key.span)),
        span,
        verb: verb(variant.name, &fields)?,
    })
}

fn verb(name: &str, fields: &Fields<'_>) -> Option<Verb> {
    Some(match name {
        "connect" => Verb::Connect(Connect {
            from: fields.value("from")?,
            to: fields.value("to")?,
            source_port: fields.written("source_port"),
            family: fields.written("family"),
            keepalive: fields.written("keepalive"),
            user_timeout: fields.written("user_timeout"),
            nodelay: fields.value("nodelay")?,
            tls: fields.value("tls")?.value,
            timeout: fields.value("timeout")?,
        }),
        "load" => Verb::Load(Box::new(Load {
            from: fields.value("from")?,
            to: fields.value("to")?,
            connections: fields.value("connections")?,
            source_port: fields.written("source_port"),
            rate: fields.written("rate"),
            hold: fields.value("hold")?.value,
            request: request(fields),
            family: fields.written("family"),
            keepalive: fields.written("keepalive"),
            user_timeout: fields.written("user_timeout"),
            tls: fields.value("tls")?.value,
            timeout: fields.value("timeout")?,
            background: fields.value("background")?.value,
        })),
        "send" => Verb::Send(transfer(fields, fields.written("writes"))?),
        "exchange" => Verb::Exchange(transfer(fields, fields.written("writes"))?),
        "receive" => Verb::Receive(transfer(fields, None)?),
        "close" => Verb::Close {
            over: fields.value("over")?,
        },
        "abort" => Verb::Abort {
            over: fields.value("over")?,
        },
        "inject" => Verb::Inject {
            over: fields.value("over")?,
            beyond: fields.value("beyond")?,
            bytes: fields.value("bytes")?,
            reset: fields.value::<String>("flags")?.value == "RST",
        },
        "shutdown" => Verb::Shutdown {
            over: fields.value("over")?,
        },
        "wait" => Verb::Wait {
            span: fields.value("for")?,
        },
        "wait_until" => Verb::WaitUntil {
            that: fields.value("that")?,
            timeout: fields.value("timeout")?,
        },
        "stop" => Verb::Stop {
            host: fields.value("host")?,
            reset: fields.value::<String>("with")?.value == "reset",
        },
        "kill" => Verb::Kill {
            host: fields.value("host")?,
        },
        "reload" => Verb::Reload {
            host: fields.value("host")?,
            handover: match fields.value::<String>("listeners")?.value.as_str() {
                "drain" => Handover::Drain,
                "pass" => Handover::Pass,
                _ => Handover::Close,
            },
        },
        "freeze" => Verb::Fault(Fault::Freeze {
            host: fields.value("host")?,
        }),
        "power_off" => Verb::Fault(Fault::PowerOff {
            host: fields.value("host")?,
        }),
        "link_down" => Verb::Fault(Fault::LinkDown {
            host: fields.value("host")?,
        }),
        "drop" => Verb::Fault(Fault::Drop(Drop {
            from: fields.written("from"),
            to: fields.written("to"),
            flags: fields.written("flags"),
            length: fields.written("length"),
            window: fields.written("window"),
            nth: fields.value("nth")?,
            count: fields.value("count")?,
        })),
        "heal" => Verb::Fault(Fault::Heal {
            host: fields.written("host"),
            drop: fields.written("drop"),
        }),
        "register" | "deregister" => Verb::Registration {
            target: fields.value("target")?,
            registered: name == "register",
        },
        "set" => Verb::Set {
            path: fields.value("path")?,
            value: None,
            after: None,
        },
        "run" => Verb::Run {
            on_host: fields.value("on_host")?,
            command: fields
                .written("command")
                .or_else(|| fields.written("script"))?,
            timeout: fields.value("timeout")?,
            background: fields.value("background")?.value,
        },
        _ => return None,
    })
}

/// A load's request: a number of bytes, `GET /path`, or the map of the latter.
fn request(fields: &Fields<'_>) -> Option<Request> {
    let node = fields.node("request")?;
    let http = match &node.value {
        Value::Map(_) => node.clone(),
        Value::Scalar(text) => match text.text.strip_prefix(GET) {
            None => return fields.written("request").map(Request::Bytes),
            Some(path) => {
                let place = node.text_span();
                let span = Span {
                    start: place.start + GET.len(),
                    ..place
                };
                let key = Spanned::new("path".to_owned(), span);
                Node::map(
                    vec![Entry {
                        key,
                        value: Node::plain(path.trim_start(), span),
                    }],
                    span,
                )
            }
        },
        Value::Null | Value::List(_) => return None,
    };
    let fields = Fields::new(&http, &REQUEST, http.span);
    Some(Request::Http(HttpRequest {
        path: fields.value("path")?,
        host: fields.written("host"),
        times: fields.value("times")?,
        every: fields.written("every"),
        keep_alive: fields.value("keep_alive")?,
        body: fields.written("body"),
        cookies: fields.value("cookies")?.value,
    }))
}

fn transfer(fields: &Fields<'_>, writes: Option<Spanned<u32>>) -> Option<Transfer> {
    Some(Transfer {
        over: fields.value("over")?,
        bytes: fields.value("bytes")?,
        writes,
        times: fields.value("times")?,
        every: fields.written("every"),
        timeout: fields.value("timeout")?,
        background: fields.value("background")?.value,
    })
}
