//! Steps: one verb each.

use super::Need::{Default, Optional, Required};
use super::{Field, PORT, Section, Type, Variant, Variants, Words, field, later};

/// How a host's servers stop.
pub static STOP_WITH: Words = Words {
    now: &["fin", "reset"],
    later: &[],
};

/// IP versions.
pub static FAMILIES: Words = Words {
    now: &["ipv4", "ipv6"],
    later: &[],
};

/// A step.
pub static STEPS: Variants = Variants {
    name: "verb",
    bare: false,
    other: None,
    list: &[
        Variant {
            name: "connect",
            section: &CONNECT,
            text: None,
            later: false,
        },
        Variant {
            name: "load",
            section: &LOAD,
            text: None,
            later: false,
        },
        Variant {
            name: "send",
            section: &SEND,
            text: Some("over"),
            later: false,
        },
        Variant {
            name: "exchange",
            section: &EXCHANGE,
            text: Some("over"),
            later: false,
        },
        Variant {
            name: "receive",
            section: &RECEIVE,
            text: Some("over"),
            later: false,
        },
        Variant {
            name: "close",
            section: &CLOSE,
            text: Some("over"),
            later: false,
        },
        Variant {
            name: "abort",
            section: &ABORT,
            text: Some("over"),
            later: false,
        },
        Variant {
            name: "shutdown",
            section: &SHUTDOWN,
            text: Some("over"),
            later: false,
        },
        Variant {
            name: "wait",
            section: &WAIT,
            text: Some("for"),
            later: false,
        },
        Variant {
            name: "wait_until",
            section: &WAIT_UNTIL,
            text: Some("that"),
            later: false,
        },
        Variant {
            name: "stop",
            section: &STOP,
            text: Some("host"),
            later: false,
        },
        Variant {
            name: "kill",
            section: &KILL,
            text: Some("host"),
            later: false,
        },
        Variant {
            name: "run",
            section: &RUN,
            text: None,
            later: false,
        },
        Variant {
            name: "register",
            section: &REGISTER,
            text: Some("target"),
            later: true,
        },
        Variant {
            name: "deregister",
            section: &REGISTER,
            text: Some("target"),
            later: true,
        },
        Variant {
            name: "set",
            section: &LATER,
            text: Some("path"),
            later: true,
        },
        Variant {
            name: "freeze",
            section: &LATER,
            text: Some("host"),
            later: true,
        },
        Variant {
            name: "power_off",
            section: &LATER,
            text: Some("host"),
            later: true,
        },
        Variant {
            name: "link_down",
            section: &LATER,
            text: Some("host"),
            later: true,
        },
        Variant {
            name: "drop",
            section: &LATER,
            text: None,
            later: true,
        },
        Variant {
            name: "heal",
            section: &LATER,
            text: None,
            later: true,
        },
        Variant {
            name: "inject",
            section: &LATER,
            text: None,
            later: true,
        },
    ],
};

const AS: Field = field(
    "as",
    Optional,
    Type::Result,
    "The step's name, which is its result's name in expressions.",
);
const FROM: Field = field(
    "from",
    Required,
    Type::Name,
    "The host that connects, or a group of hosts.",
);
const TO: Field = field(
    "to",
    Required,
    Type::Line,
    "The destination: balancer[/zone][:port], host[/public][:port], or \
        address:port (IPv6 in brackets). The port may be left out when there is only one.",
);
const FAMILY: Field = field(
    "family",
    Optional,
    Type::Word(&FAMILIES),
    "Over which of the destination's addresses. Default: ipv4; of an address, its own.",
);
const KEEPALIVE: Field = field(
    "keepalive",
    Optional,
    Type::Lapse { zero: false },
    "SO_KEEPALIVE with this idle time and interval; whole seconds.",
);
const OVER: Field = field(
    "over",
    Required,
    Type::Result,
    "The step that opened the connection, or the load.",
);
const BACKGROUND: Field = field(
    "background",
    Default("false"),
    Type::Bool,
    "The story goes on at once.",
);

const fn timeout(default: &'static str) -> Field {
    field(
        "timeout",
        Default(default),
        Type::Lapse { zero: false },
        "The step's own limit; past it, its error is `deadline`.",
    )
}

const BYTES: Field = field(
    "bytes",
    Default("64"),
    Type::Bytes { max: 1 << 30 },
    "Bytes each time.",
);
const TIMES: Field = field(
    "times",
    Default("1"),
    Type::Int {
        min: 1,
        max: 1_000_000,
    },
    "How often.",
);
const EVERY: Field = field(
    "every",
    Optional,
    Type::Lapse { zero: true },
    "Pause between two times.",
);

static CONNECT: Section = Section {
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
        timeout("5s"),
    ],
};
static LOAD: Section = Section {
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
            Type::Bytes { max: 1 << 20 },
            "Bytes to send and to get back on each connection before it is closed. Without it, each is only opened.",
        ),
        FAMILY,
        KEEPALIVE,
        timeout("5s"),
        BACKGROUND,
    ],
};
static SEND: Section = Section {
    name: "`send`",
    doc: "Sends, and waits for nothing.",
    fields: &[AS, OVER, BYTES, TIMES, EVERY, timeout("2s"), BACKGROUND],
};
static EXCHANGE: Section = Section {
    name: "`exchange`",
    doc: "Sends, and waits for as many bytes to come back.",
    fields: &[AS, OVER, BYTES, TIMES, EVERY, timeout("2s"), BACKGROUND],
};
static RECEIVE: Section = Section {
    name: "`receive`",
    doc: "Only receives.",
    fields: &[AS, OVER, BYTES, TIMES, EVERY, timeout("2s"), BACKGROUND],
};
static CLOSE: Section = Section {
    name: "`close`",
    doc: "Closes a connection (FIN), and reads no more.",
    fields: &[AS, OVER],
};
static ABORT: Section = Section {
    name: "`abort`",
    doc: "Resets a connection (RST).",
    fields: &[AS, OVER],
};
static SHUTDOWN: Section = Section {
    name: "`shutdown`",
    doc: "Closes a connection for sending (FIN), and goes on reading.",
    fields: &[AS, OVER],
};
static WAIT: Section = Section {
    name: "`wait`",
    doc: "Lets time pass.",
    fields: &[
        AS,
        field(
            "for",
            Required,
            Type::Lapse { zero: true },
            "How long: `2s`, or `400s cloud`.",
        ),
    ],
};
static WAIT_UNTIL: Section = Section {
    name: "`wait_until`",
    doc: "Waits for a fact.",
    fields: &[
        AS,
        field("that", Required, Type::Expression, "What must become true."),
        timeout("30s"),
    ],
};
static STOP: Section = Section {
    name: "`stop`",
    doc: "Stops a host's servers, as a server shuts down.",
    fields: &[
        AS,
        field(
            "host",
            Required,
            Type::Name,
            "The host, or a group of hosts.",
        ),
        field(
            "with",
            Default("fin"),
            Type::Word(&STOP_WITH),
            "How its connections end: `fin` closes, `reset` resets them.",
        ),
    ],
};
static KILL: Section = Section {
    name: "`kill`",
    doc: "Kills a host's servers (SIGKILL); whether FIN or RST follows depends on what they had not read.",
    fields: &[
        AS,
        field(
            "host",
            Required,
            Type::Name,
            "The host, or a group of hosts.",
        ),
    ],
};
static RUN: Section = Section {
    name: "`run`",
    doc: "Runs a program on a host. Either `command` or `script`.",
    fields: &[
        AS,
        field("on_host", Required, Type::Name, "The host it runs on."),
        field("command", Optional, Type::Text, "Shell text."),
        field(
            "script",
            Optional,
            Type::Text,
            "The same, for longer texts.",
        ),
        timeout("30s"),
        BACKGROUND,
    ],
};
static REGISTER: Section = Section {
    name: "a registration",
    doc: "Adds a target to its group, or removes it.",
    fields: &[AS, later("target", "group/target")],
};
static LATER: Section = Section {
    name: "a change",
    doc: "A change to the running lab.",
    fields: &[AS],
};
