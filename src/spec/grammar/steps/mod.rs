//! Steps: one verb each. Here the list of them, the fields that several share, and those that wait or run a program.

mod connections;
mod faults;
mod registrations;

pub use connections::{GET, REQUEST};

use super::Need::{Default, Optional, Required};
use super::{Field, Section, Type, Variant, Variants, Words, field};
use connections::{ABORT, CLOSE, CONNECT, EXCHANGE, INJECT, LOAD, RECEIVE, SEND, SHUTDOWN};
use faults::{DROP, FREEZE, HEAL, KILL, LINK_DOWN, POWER_OFF, RELOAD, STOP};
use registrations::{DEREGISTER, REGISTER};

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
        },
        Variant {
            name: "load",
            section: &LOAD,
            text: None,
        },
        Variant {
            name: "send",
            section: &SEND,
            text: Some("over"),
        },
        Variant {
            name: "exchange",
            section: &EXCHANGE,
            text: Some("over"),
        },
        Variant {
            name: "receive",
            section: &RECEIVE,
            text: Some("over"),
        },
        Variant {
            name: "close",
            section: &CLOSE,
            text: Some("over"),
        },
        Variant {
            name: "abort",
            section: &ABORT,
            text: Some("over"),
        },
        Variant {
            name: "shutdown",
            section: &SHUTDOWN,
            text: Some("over"),
        },
        Variant {
            name: "wait",
            section: &WAIT,
            text: Some("for"),
        },
        Variant {
            name: "wait_until",
            section: &WAIT_UNTIL,
            text: Some("that"),
        },
        Variant {
            name: "stop",
            section: &STOP,
            text: Some("host"),
        },
        Variant {
            name: "kill",
            section: &KILL,
            text: Some("host"),
        },
        Variant {
            name: "reload",
            section: &RELOAD,
            text: Some("host"),
        },
        Variant {
            name: "run",
            section: &RUN,
            text: None,
        },
        Variant {
            name: "register",
            section: &REGISTER,
            text: Some("target"),
        },
        Variant {
            name: "deregister",
            section: &DEREGISTER,
            text: Some("target"),
        },
        Variant {
            name: "set",
            section: &SET,
            text: None,
        },
        Variant {
            name: "freeze",
            section: &FREEZE,
            text: Some("host"),
        },
        Variant {
            name: "power_off",
            section: &POWER_OFF,
            text: Some("host"),
        },
        Variant {
            name: "link_down",
            section: &LINK_DOWN,
            text: Some("host"),
        },
        Variant {
            name: "drop",
            section: &DROP,
            text: None,
        },
        Variant {
            name: "heal",
            section: &HEAL,
            text: Some("host"),
        },
        Variant {
            name: "inject",
            section: &INJECT,
            text: Some("over"),
        },
    ],
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

static RUN: Section = Section {
    name: "`run`",
    doc: "Runs a program on a host. Either `command` or `script`. Of each of its outputs the first 64 KiB are kept; a claim that what \
          is behind them could decide is inconclusive.",
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
        field(
            "background",
            Default("false"),
            Type::Bool,
            "The story goes on at once. What still runs at its end is killed: its error is `deadline`.",
        ),
    ],
};

static SET: Section = Section {
    name: "`set`",
    doc: "Changes a setting while the story runs, as an operator would.",
    fields: &[
        AS,
        field(
            "path",
            Required,
            Type::Line,
            "A dotted path, as in a case's `set`: settings of balancers, target groups, security groups, network ACLs and links.",
        ),
        field(
            "value",
            Required,
            Type::Any,
            "Its new value; `null` removes.",
        ),
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
    "The destination: balancer[/zone][:port], host[/public][:port], service[/clusterIP][:port], or \
        address:port (IPv6 in brackets). The port may be left out when there is only one; `:53/udp` is one of UDP.",
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

const USER_TIMEOUT: Field = field(
    "user_timeout",
    Optional,
    Type::Lapse { zero: false },
    "TCP_USER_TIMEOUT: what was sent may stay unacknowledged for so long, then its kernel gives the connection up: `timeout`. \
        Without it, after `net.ipv4.tcp_retries2` repetitions.",
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
    "Bytes each time, no more than 64MiB (`times` for more).",
);

const WRITES: Field = field(
    "writes",
    Default("1"),
    Type::Int { min: 1, max: 1000 },
    "In how many pieces each time: each is a write(2) of its own, one right after the other.",
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
