//! A step in a few words, as reports name it.

use super::faults;
use crate::diag::Spanned;
use crate::plan::clock;
use crate::spec::{self, Handover};

/// A step in words, and whether the story goes on at once.
pub(super) fn describe(step: &spec::Step) -> (String, bool) {
    let over = |verb: &str, over: &Spanned<String>| (format!("{verb} over {}", over.value), false);
    match &step.verb {
        spec::Verb::Connect(connect) => {
            let (from, to) = (&connect.from.value, &connect.to.value);
            (format!("connect {from} -> {to}"), false)
        }
        spec::Verb::Load(load) => {
            let (from, to) = (&load.from.value, &load.to.value);
            let each = load.connections.value;
            (format!("load {from} -> {to}, {each} each"), load.background)
        }
        spec::Verb::Exchange(t) => (format!("exchange over {}", t.over.value), t.background),
        spec::Verb::Send(t) => (format!("send over {}", t.over.value), t.background),
        spec::Verb::Receive(t) => (format!("receive over {}", t.over.value), t.background),
        spec::Verb::Close { over: name } => over("close", name),
        spec::Verb::Abort { over: name } => over("abort", name),
        spec::Verb::Inject { over: name, .. } => over("inject", name),
        spec::Verb::Shutdown { over: name } => over("shutdown", name),
        spec::Verb::Wait { span } => (
            format!(
                "wait {}{}",
                clock::show(span.value.length),
                if span.value.cloud { " cloud" } else { "" }
            ),
            false,
        ),
        spec::Verb::WaitUntil { that, .. } => (format!("wait until {}", that.value), false),
        spec::Verb::Stop { host, reset } => (
            format!(
                "stop {}{}",
                host.value,
                if *reset { " with reset" } else { "" }
            ),
            false,
        ),
        spec::Verb::Kill { host } => (format!("kill {}", host.value), false),
        spec::Verb::Reload { host, handover } => {
            let how = match handover {
                Handover::Close => "",
                Handover::Drain => ", when its queues are empty",
                Handover::Pass => ", passing its listening sockets on",
            };
            (format!("reload {}{how}", host.value), false)
        }
        spec::Verb::Fault(fault) => (faults::label(fault), false),
        spec::Verb::Registration { target, registered } => {
            let verb = if *registered {
                "register"
            } else {
                "deregister"
            };
            (format!("{verb} {}", target.value), false)
        }
        spec::Verb::Set { path, value, .. } => {
            let value = value.as_deref().unwrap_or("null");
            (format!("set {}: {value}", path.value), false)
        }
        spec::Verb::Run {
            on_host,
            background,
            ..
        } => (format!("run on {}", on_host.value), *background),
    }
}
