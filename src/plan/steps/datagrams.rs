//! What steps over UDP cannot do.

use crate::diag::codes::flows as code;
use crate::diag::{Diagnostic, Span};
use crate::plan::{Sink, Step, StepId, Transfer, Verb};
use crate::spec::{self, Body};

/// The largest payload of a UDP datagram over IPv4: 65,535 less two headers (RFC 768, RFC 791).
const LARGEST: u32 = 65_507;

/// Checks every step that opens or uses datagrams. Numbers of steps are right only when none is missing.
pub(super) fn check(body: &Body, steps: &[Step], sink: &mut Sink) {
    if steps.len() != body.steps.len() {
        return;
    }
    for (step, written) in steps.iter().zip(&body.steps) {
        if opens_datagrams(&step.verb) {
            opening(written, sink);
        }
        match &step.verb {
            Verb::Send(transfer) | Verb::Exchange(transfer) | Verb::Receive(transfer) => {
                sending(transfer, steps, written, sink);
            }
            Verb::Abort { over } | Verb::Shutdown { over } => {
                ending(*over, steps, body, written, sink);
            }
            Verb::Connect { .. }
            | Verb::Load { .. }
            | Verb::Close { .. }
            | Verb::Inject { .. }
            | Verb::Wait { .. }
            | Verb::WaitUntil { .. }
            | Verb::Stop { .. }
            | Verb::Kill { .. }
            | Verb::Reload { .. }
            | Verb::Registration { .. }
            | Verb::Endpoints { .. }
            | Verb::Set { .. }
            | Verb::Run { .. }
            | Verb::Fault(_) => {}
        }
    }
}

fn opens_datagrams(verb: &Verb) -> bool {
    verb.dials().iter().any(|dial| dial.udp)
}

fn is_over_datagrams(over: StepId, steps: &[Step]) -> bool {
    steps
        .get(over.0 as usize)
        .is_some_and(|step| opens_datagrams(&step.verb))
}

fn opening(written: &spec::Step, sink: &mut Sink) {
    let (keepalive, user_timeout, to) = if let spec::Verb::Connect(connect) = &written.verb {
        (&connect.keepalive, &connect.user_timeout, &connect.to)
    } else if let spec::Verb::Load(load) = &written.verb {
        (&load.keepalive, &load.user_timeout, &load.to)
    } else {
        return;
    };
    if let Some(keepalive) = keepalive {
        sink.push(
            Diagnostic::new(
                code::KEEPALIVE_OVER_UDP,
                keepalive.span,
                "a keepalive over UDP",
            )
            .label("only TCP has keepalives")
            .also(to.span, "this is a UDP port")
            .help("remove it; what keeps a UDP flow are datagrams"),
        );
    }
    if let Some(user_timeout) = user_timeout {
        sink.push(
            Diagnostic::new(
                code::USER_TIMEOUT_OVER_UDP,
                user_timeout.span,
                "a user timeout over UDP",
            )
            .label("only TCP acknowledges")
            .also(to.span, "this is a UDP port")
            .help("remove it; `timeout` limits the step"),
        );
    }
    if let spec::Verb::Connect(connect) = &written.verb
        && connect.nodelay.value
    {
        only_streams(connect.nodelay.span, "TCP_NODELAY over UDP", sink);
    }
    if let spec::Verb::Load(load) = &written.verb
        && let Some(spec::Request::Bytes(request)) = &load.request
    {
        size(request.value, request.span, sink);
    }
}

fn sending(transfer: &Transfer, steps: &[Step], written: &spec::Step, sink: &mut Sink) {
    if let (spec::Verb::Send(t) | spec::Verb::Exchange(t) | spec::Verb::Receive(t), true) =
        (&written.verb, is_over_datagrams(transfer.over, steps))
    {
        size(transfer.bytes, t.bytes.span, sink);
        if let Some(writes) = t.writes.as_ref().filter(|writes| writes.value > 1) {
            only_streams(writes.span, "a datagram in pieces", sink);
        }
    }
}

/// What a stream's bytes may wait for, or be cut into.
fn only_streams(span: Span, what: &str, sink: &mut Sink) {
    sink.push(
        Diagnostic::new(code::STREAM_OVER_UDP, span, what)
            .label("each write is a datagram, sent at once")
            .help("remove it; `times` sends several datagrams"),
    );
}

fn size(bytes: u32, span: Span, sink: &mut Sink) {
    if bytes > LARGEST {
        sink.push(
            Diagnostic::new(
                code::DATAGRAM_TOO_LARGE,
                span,
                format!("a datagram of {bytes} bytes"),
            )
            .label(format!("a datagram holds {LARGEST} bytes at most"))
            .help("send smaller ones, more often: `bytes: 1200, times: 50`"),
        );
    }
}

fn ending(over: StepId, steps: &[Step], body: &Body, written: &spec::Step, sink: &mut Sink) {
    let (spec::Verb::Abort { over: name } | spec::Verb::Shutdown { over: name }) = &written.verb
    else {
        return;
    };
    if is_over_datagrams(over, steps) {
        sink.push(
            Diagnostic::new(
                code::ENDING_OVER_UDP,
                name.span,
                format!("`{}` is a UDP socket", name.value),
            )
            .label("datagrams have no FIN and no RST")
            .also(body.steps[over.0 as usize].span, "opened here")
            .help("write `close`: the socket is gone, and nobody is told"),
        );
    }
}
