//! Steps that open connections, send over them and end them.

use super::{
    AS, BACKGROUND, BYTES, EVERY, FAMILY, FROM, KEEPALIVE, OVER, TIMES, TO, USER_TIMEOUT, WRITES,
    timeout,
};
use crate::spec::grammar::Need::{Default, Optional};
use crate::spec::grammar::{Field, PORT, Section, Type, Words, field};

const TLS: Field = field(
    "tls",
    Default("false"),
    Type::Bool,
    "Speaks TLS over the connection, and takes any certificate.",
);

pub(super) static CONNECT: Section = Section {
    name: "`connect`",
    doc: "Opens one connection.",
    fields: &[
        AS,
        FROM,
        TO,
        field(
            "source_port",
            Optional,
            PORT,
            "The client's port. Without it, the kernel chooses.",
        ),
        FAMILY,
        KEEPALIVE,
        USER_TIMEOUT,
        field(
            "nodelay",
            Default("false"),
            Type::Bool,
            "TCP_NODELAY: small segments do not wait until what was sent before them is acknowledged.",
        ),
        TLS,
        timeout("5s"),
    ],
};

pub(super) static LOAD: Section = Section {
    name: "`load`",
    doc: "Opens many connections.",
    fields: &[
        AS,
        FROM,
        TO,
        field(
            "connections",
            Default("1"),
            Type::Int {
                min: 1,
                max: 250_000,
            },
            "How many, from each host.",
        ),
        field(
            "source_port",
            Optional,
            PORT,
            "Each host's port of its first connection; every further one takes the next port. Without it, the kernel \
                chooses, which may give one port to two destinations, or again after a close.",
        ),
        field(
            "rate",
            Optional,
            Type::Number {
                min: 0.01,
                max: 1_000_000.0,
            },
            "New connections per second and host. Without it, the \
                next one starts when the last is open, or after 20 ms.",
        ),
        field("hold", Default("false"), Type::Bool, "Keeps them open."),
        field(
            "request",
            Optional,
            Type::OneOf(&[Type::Request { max: 1 << 20 }, Type::Section(&REQUEST)]),
            "What each connection is for before it is closed: bytes to send and to get back, or an HTTP request: \
                `GET /path`. Without it, each is only opened. An HTTP answer is a success to `failed`, whatever its status: count \
                errors by `status`.",
        ),
        FAMILY,
        KEEPALIVE,
        USER_TIMEOUT,
        TLS,
        timeout("5s"),
        BACKGROUND,
    ],
};

/// How the short form of an HTTP request begins.
pub const GET: &str = "GET ";

/// The long form.
pub static REQUEST: Section = Section {
    name: "an HTTP request",
    doc: "What a load asks for over HTTP/1.1 on each of its connections.",
    fields: &[
        field(
            "path",
            Default("/"),
            Type::Line,
            "The request target: of a GET, or of a POST where there is a `body`.",
        ),
        field(
            "host",
            Optional,
            Type::Line,
            "The Host header. Without it, the name or address that was dialled.",
        ),
        TIMES,
        EVERY,
        field(
            "keep_alive",
            Default("true"),
            Type::Bool,
            "False: asks for the connection to be closed after the answer.",
        ),
        field(
            "body",
            Optional,
            Type::Bytes { max: 64 << 20 },
            "Bytes of content to send with each: a POST, as an upload is. Without it, none.",
        ),
        field(
            "cookies",
            Default("false"),
            Type::Bool,
            "Keeps the cookies that answers set, for as long as they say, and sends them with what the same connection asks next: each \
                is a visitor of its own.",
        ),
    ],
};

/// What is sent over a connection.
const TRANSFER: [Field; 8] = [
    AS,
    OVER,
    BYTES,
    WRITES,
    TIMES,
    EVERY,
    timeout("2s"),
    BACKGROUND,
];

pub(super) static SEND: Section = Section {
    name: "`send`",
    doc: "Sends, and waits for nothing.",
    fields: &TRANSFER,
};

pub(super) static EXCHANGE: Section = Section {
    name: "`exchange`",
    doc: "Sends, and waits for as many bytes to come back. What came before and was not read is no answer, nor is the echo of what was sent before: they are read and forgotten.",
    fields: &TRANSFER,
};

pub(super) static RECEIVE: Section = Section {
    name: "`receive`",
    doc: "Only receives. Of UDP, one datagram is what it waits for each time, however long it is.",
    fields: &[AS, OVER, BYTES, TIMES, EVERY, timeout("2s"), BACKGROUND],
};

pub(super) static CLOSE: Section = Section {
    name: "`close`",
    doc: "Closes a connection (FIN), and reads no more.",
    fields: &[AS, OVER],
};

pub(super) static ABORT: Section = Section {
    name: "`abort`",
    doc: "Resets a connection (RST).",
    fields: &[AS, OVER],
};

pub(super) static SHUTDOWN: Section = Section {
    name: "`shutdown`",
    doc: "Closes a connection for sending (FIN), and goes on reading.",
    fields: &[AS, OVER],
};

/// What a segment of a story can be.
pub static INJECTED: Words = Words {
    now: &["ACK", "RST"],
    later: &[],
};

pub(super) static INJECT: Section = Section {
    name: "`inject`",
    doc: "Puts a segment into the network as if the server had sent it: to the client, from where the last one came, with \
        another place in the stream. The last one may be the SYN-ACK, and where none of both came the connection never stood: `not-connected`.",
    fields: &[
        AS,
        OVER,
        field(
            "beyond",
            Default("1000000000"),
            Type::Int {
                min: 0,
                max: u32::MAX as u64,
            },
            "How many bytes after the end of the last segment it begins, modulo 2^32: far outside the window by default.",
        ),
        field(
            "bytes",
            Default("1"),
            Type::Int { min: 0, max: 1400 },
            "Bytes of payload. A RST has none.",
        ),
        field(
            "flags",
            Default("ACK"),
            Type::Word(&INJECTED),
            "What it is: a segment of the stream (`ACK`), or one that resets the connection where its receiver believes it (`RST`).",
        ),
    ],
};
