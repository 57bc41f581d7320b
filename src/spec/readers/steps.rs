//! Reads steps.

use super::Fields;
use crate::diag::{Span, Spanned};
use crate::spec::grammar::steps::STEPS;
use crate::spec::model::{Fault, Step, Transfer, Verb};
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
    let variant = STEPS
        .variant(&entry.key.value)
        .filter(|variant| !variant.later)?;
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
        "connect" => Verb::Connect {
            from: fields.value("from")?,
            to: fields.value("to")?,
            source_port: fields.written("source_port"),
            family: fields.written("family"),
            keepalive: fields.written("keepalive"),
            tls: fields.value("tls")?.value,
            timeout: fields.value("timeout")?,
        },
        "load" => Verb::Load {
            from: fields.value("from")?,
            to: fields.value("to")?,
            connections: fields.value("connections")?,
            rate: fields.written("rate"),
            hold: fields.value("hold")?.value,
            request: fields.written("request"),
            family: fields.written("family"),
            keepalive: fields.written("keepalive"),
            timeout: fields.value("timeout")?,
            background: fields.value("background")?.value,
        },
        "send" => Verb::Send(transfer(fields)?),
        "exchange" => Verb::Exchange(transfer(fields)?),
        "receive" => Verb::Receive(transfer(fields)?),
        "close" => Verb::Close {
            over: fields.value("over")?,
        },
        "abort" => Verb::Abort {
            over: fields.value("over")?,
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
        "freeze" => Verb::Fault(Fault::Freeze {
            host: fields.value("host")?,
        }),
        "power_off" => Verb::Fault(Fault::PowerOff {
            host: fields.value("host")?,
        }),
        "link_down" => Verb::Fault(Fault::LinkDown {
            host: fields.value("host")?,
        }),
        "drop" => Verb::Fault(Fault::Drop {
            from: fields.written("from"),
            to: fields.written("to"),
            flags: fields.written("flags"),
            length: fields.written("length"),
            nth: fields.value("nth")?,
            count: fields.value("count")?,
        }),
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

fn transfer(fields: &Fields<'_>) -> Option<Transfer> {
    Some(Transfer {
        over: fields.value("over")?,
        bytes: fields.value("bytes")?,
        times: fields.value("times")?,
        every: fields.written("every"),
        timeout: fields.value("timeout")?,
        background: fields.value("background")?.value,
    })
}
