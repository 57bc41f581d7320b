//! What hosts serve: the kinds of servers, and what each can be told.

use super::Need::{Default, Optional, Required};
use super::{Field, Section, Type, Variant, Variants, Words, field, later};

/// What a host serves on a port.
pub static APPS: Variants = Variants {
    name: "server",
    bare: true,
    other: Some(&COMMAND),
    list: &[
        Variant {
            name: "echo",
            section: &ECHO,
            text: None,
        },
        Variant {
            name: "sink",
            section: &SINK,
            text: None,
        },
        Variant {
            name: "source",
            section: &SOURCE,
            text: None,
        },
        Variant {
            name: "http",
            section: &HTTP,
            text: None,
        },
        Variant {
            name: "https",
            section: &HTTPS,
            text: None,
        },
        Variant {
            name: "banner",
            section: &BANNER,
            text: Some("text"),
        },
        Variant {
            name: "name",
            section: &NAME,
            text: None,
        },
        Variant {
            name: "never_accept",
            section: &NEVER_ACCEPT,
            text: None,
        },
    ],
};

/// As nginx has it: `listen 80 proxy_protocol`.
const PROXY_PROTOCOL: Field = field(
    "proxy_protocol",
    Optional,
    Type::Word(&Words {
        now: &["v2", "v1"],
        later: &[],
    }),
    "Reads a PROXY protocol header first, of either version as nginx does, and closes a connection that does not begin with one.",
);

static ECHO: Section = Section {
    name: "an echo server",
    doc: "Sends back what it gets.",
    fields: &[
        field(
            "idle_close",
            Optional,
            Type::Lapse { zero: false },
            "Closes a connection that was idle for this long.",
        ),
        field(
            "message",
            Optional,
            Type::Bytes { max: 1 << 20 },
            "Bytes of a message: it answers when a whole one has come, as a protocol of requests does. Without it, whatever comes.",
        ),
        PROXY_PROTOCOL,
        later(
            "unread_close",
            "Closes with data unread, which makes the kernel send RST.",
        ),
    ],
};
static SINK: Section = Section {
    name: "a sink",
    doc: "Reads and counts.",
    fields: &[PROXY_PROTOCOL],
};
static SOURCE: Section = Section {
    name: "a source",
    doc: "Sends for as long as the connection takes it.",
    fields: &[
        field(
            "bytes",
            Default("1024"),
            Type::Bytes { max: 1 << 20 },
            "Bytes of each write.",
        ),
        field(
            "every",
            Default("10ms"),
            Type::Lapse { zero: false },
            "Pause between two writes.",
        ),
    ],
};
const HTTP_FIELDS: [Field; 10] = [
    PROXY_PROTOCOL,
    field(
        "host",
        Optional,
        Type::Line,
        "Answers 404 unless the Host header is this name, as a server that maps requests by name does.",
    ),
    field(
        "status",
        Default("200"),
        Type::Int { min: 200, max: 599 },
        "The status of its answers.",
    ),
    field(
        "delay",
        Optional,
        Type::Lapse { zero: false },
        "Time from a request to its answer.",
    ),
    field(
        "idle_close",
        Optional,
        Type::Lapse { zero: false },
        "Closes a connection that had no request for this long, as nginx does after `keepalive_timeout`.",
    ),
    field(
        "keep_alive",
        Default("true"),
        Type::Bool,
        "False: closes the connection after each answer, and says so in it.",
    ),
    field(
        "workers",
        Optional,
        Type::Int {
            min: 1,
            max: 10_000,
        },
        "Connections that it serves at a time at each of its addresses, each until it is closed, as a server with so many processes \
            does; others wait in the accept queue. Without it, all of them.",
    ),
    field(
        "body",
        Optional,
        Type::Bytes { max: 1 << 20 },
        "Bytes of content in each of its answers. Without it, the host's name.",
    ),
    field(
        "max_body",
        Optional,
        Type::Bytes { max: 1 << 30 },
        "Answers 413 to a request that announces more content, and closes the connection: nginx's `client_max_body_size`.",
    ),
    field(
        "lingering_close",
        Default("true"),
        Type::Bool,
        "After such a 413, closes for sending and reads what still comes until the client closes, as nginx does. False: closes at \
         once with content unread, which makes its kernel reset the connection.",
    ),
];
/// What every HTTP server can be told, and one thing more.
const fn besides(own: Field) -> [Field; HTTP_FIELDS.len() + 1] {
    let mut fields = [own; HTTP_FIELDS.len() + 1];
    let (common, _) = fields.split_at_mut(HTTP_FIELDS.len());
    common.copy_from_slice(&HTTP_FIELDS);
    fields
}
/// And what only a server without TLS of its own can be told.
const PLAIN_FIELDS: [Field; HTTP_FIELDS.len() + 1] = besides(field(
    "https_only",
    Optional,
    Type::Word(&HTTPS_ONLY),
    "Answers 301 to the same place over HTTPS, unless the request came that way: as its own `connection` says, which never is HTTPS \
        here, or as X-Forwarded-Proto does (`forwarded`).",
));
static HTTP: Section = Section {
    name: "an HTTP server",
    doc: "Answers with the host's name, over HTTP/1.1.",
    fields: &PLAIN_FIELDS,
};
/// By what a server knows how a request came.
pub static HTTPS_ONLY: Words = Words {
    now: &["connection", "forwarded"],
    later: &[],
};
/// And how it is spoken.
const HTTPS_FIELDS: [Field; HTTP_FIELDS.len() + 1] = besides(field(
    "tls",
    Optional,
    Type::Word(&TLS_VERSIONS),
    "The only TLS version it speaks. Without it, 1.2 and 1.3.",
));
static HTTPS: Section = Section {
    name: "an HTTPS server",
    doc: "The same over TLS, with a certificate made by the lab.",
    fields: &HTTPS_FIELDS,
};
/// TLS versions.
pub static TLS_VERSIONS: Words = Words {
    now: &["1.2", "1.3"],
    later: &[],
};
static BANNER: Section = Section {
    name: "a banner server",
    doc: "Speaks first, then echoes.",
    fields: &[
        field(
            "text",
            Default("ready"),
            Type::Line,
            "What it says; a line feed is added.",
        ),
        PROXY_PROTOCOL,
    ],
};
static NAME: Section = Section {
    name: "a name server",
    doc: "Answers everything with the host's name.",
    fields: &[PROXY_PROTOCOL],
};
static NEVER_ACCEPT: Section = Section {
    name: "a server that never accepts",
    doc: "Listens and never accepts, so that its queue fills.",
    fields: &[field(
        "backlog",
        Default("1"),
        Type::Int { min: 0, max: 65535 },
        "The `listen(2)` backlog.",
    )],
};

/// `{ command: ..., ready: ... }`
pub static COMMAND: Section = Section {
    name: "a program",
    doc: "A real program that listens on the port.",
    fields: &[
        field(
            "command",
            Required,
            Type::Text,
            "Shell text that starts it.",
        ),
        field(
            "ready",
            Optional,
            Type::Line,
            "The story waits for this line, wherever in its output; else for the port to listen.",
        ),
    ],
};
