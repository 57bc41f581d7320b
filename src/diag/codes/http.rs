//! HTTP: requests of loads, Application Load Balancers: 0660..0679.

use super::{Code, Rule};

/// A load's request that is neither bytes nor a GET.
pub const REQUEST: Code = Code(660);

/// A path that no request can have.
pub const PATH: Code = Code(661);

/// HTTP over UDP.
pub const OVER_UDP: Code = Code(662);

/// More requests than a connection that closes after each can carry.
pub const ONE_REQUEST: Code = Code(663);

/// The rules of this area.
pub static RULES: &[Rule] = &[
    Rule {
        code: REQUEST,
        title: "no such request",
        page: "A load's `request` is a number of bytes to send and to get back, or an HTTP request: GET and a path. Other methods\n\
        are not there.\n\
        \n\
        Wrong:\n\
        \x20   - load: { as: curl, from: client, to: front, request: POST /login }\n\
        Right:\n\
        \x20   - load: { as: curl, from: client, to: front, request: GET /login }\n\
        \x20   - load: { as: curl, from: client, to: front, request: { path: /login, host: shop.example } }",
    },
    Rule {
        code: PATH,
        title: "a request for no path",
        page: "What an HTTP request asks for begins with a slash and has no spaces.\n\
        \n\
        Wrong:\n\
        \x20   - load: { as: curl, from: client, to: front, request: GET index.html }\n\
        Right:\n\
        \x20   - load: { as: curl, from: client, to: front, request: GET /index.html }",
    },
    Rule {
        code: OVER_UDP,
        title: "HTTP over UDP",
        page: "Wrong:\n\
        \x20   - load: { as: curl, from: client, to: web:80/udp, request: GET / }\n\
        Right:\n\
        \x20   - load: { as: curl, from: client, to: web:80, request: GET / }",
    },
    Rule {
        code: ONE_REQUEST,
        title: "several requests over a connection that is to be closed after the first",
        page: "`keep_alive: false` sends `Connection: close`: the server closes after its answer, and a second request would have\n\
        no connection.\n\
        \n\
        Wrong:\n\
        \x20   request: { path: /, times: 10, keep_alive: false }\n\
        Right:\n\
        \x20   request: { path: /, times: 10 }\n\
        \x20   request: { path: /, keep_alive: false }",
    },
];
