//! What a load asks for on each of its connections.

use crate::diag::codes::http as code;
use crate::diag::{Diagnostic, Spanned};
use crate::plan::clock::Clock;
use crate::plan::{Dial, HttpRequest, Request, Sink};
use crate::spec;
use std::time::Duration;

/// A load's request, resolved.
pub(super) fn resolve(
    request: &spec::Request,
    dial: &Dial,
    to: &Spanned<String>,
    clock: Clock,
    sink: &mut Sink,
) -> Request {
    let http = match request {
        spec::Request::Bytes(bytes) => return Request::Bytes(bytes.value),
        spec::Request::Http(http) => http,
    };
    if dial.udp {
        sink.push(
            Diagnostic::new(
                code::OVER_UDP,
                http.path.span,
                "HTTP/1.1 goes over TCP, and this is UDP",
            )
            .also(to.span, "this is a UDP port")
            .help("remove the `/udp`, or write a number of bytes"),
        );
    }
    path(&http.path, sink);
    one_request(http, sink);
    Request::Http(HttpRequest {
        path: http.path.value.clone(),
        host: http.host.as_ref().map(|host| host.value.clone()),
        times: http.times.value.max(1),
        every: http
            .every
            .as_ref()
            .map_or(Duration::ZERO, |every| clock.step(every, sink)),
        keep_alive: http.keep_alive.value,
        body: http.body.as_ref().map(|body| body.value),
        cookies: http.cookies,
    })
}

fn path(path: &Spanned<String>, sink: &mut Sink) {
    let text = path.value.as_str();
    if text.starts_with('/') && text.chars().all(|c| c.is_ascii_graphic()) {
        return;
    }
    sink.push(
        Diagnostic::new(
            code::PATH,
            path.span,
            format!("`{text}` is no path to ask for"),
        )
        .label("a path begins with `/` and has no spaces")
        .help("write it as `/` or `/status?full=1`"),
    );
}

fn one_request(http: &spec::HttpRequest, sink: &mut Sink) {
    if http.keep_alive.value || http.times.value <= 1 {
        return;
    }
    sink.push(
        Diagnostic::new(
            code::ONE_REQUEST,
            http.times.span,
            format!(
                "{} requests over a connection that ends with the first answer",
                http.times.value
            ),
        )
        .also(http.keep_alive.span, "it asks to be closed")
        .help("remove `keep_alive: false`, or use more `connections`"),
    );
}
