//! Steps: one verb each.

use super::Need::{Default, Optional, Required};
use super::{Field, PORT, Section, Type, Variant, Variants, Words, field};

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
        field(
            "tls",
            Default("false"),
            Type::Bool,
            "Speaks TLS over the connection, and takes any certificate.",
        ),
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
            Type::OneOf(&[Type::Request { max: 1 << 20 }, Type::Section(&REQUEST)]),
            "What each connection is for before it is closed: bytes to send and to get back, or an HTTP request: \
                `GET /path`. Without it, each is only opened.",
        ),
        FAMILY,
        KEEPALIVE,
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
            "The request target of the GET.",
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
const HOST: Field = field(
    "host",
    Required,
    Type::Name,
    "The host, or a group of hosts.",
);
static FREEZE: Section = Section {
    name: "`freeze`",
    doc: "Stops a host's servers as SIGSTOP does: they neither accept, read nor answer, and its kernel goes on.",
    fields: &[AS, HOST],
};
static POWER_OFF: Section = Section {
    name: "`power_off`",
    doc: "Takes a host's power: its sockets are gone, and no FIN and no RST leaves it.",
    fields: &[AS, HOST],
};
static LINK_DOWN: Section = Section {
    name: "`link_down`",
    doc: "Cuts a host's link: nothing comes in or out, and its kernel and servers go on.",
    fields: &[AS, HOST],
};
static DROP: Section = Section {
    name: "`drop`",
    doc: "Drops packets from now on: those to which everything written here applies. Its result has `dropped`, how many.",
    fields: &[
        AS,
        field(
            "from",
            Optional,
            Type::Line,
            "Who sent them: a host, a group of hosts, or a balancer (`front`, `front/a`), whose address they bear.",
        ),
        field(
            "to",
            Optional,
            Type::Line,
            "Who would get them: a host, a group of hosts, or a balancer (`front`, `front/a`), which was dialled.",
        ),
        field(
            "flags",
            Optional,
            Type::Line,
            "TCP flags, as tcpdump prints them (`S`, `S.`, `R`, `F`, `P`, `.`) or by name (`SYN`, `SYN-ACK`, `RST`, `FIN`, `PSH`, `ACK`).",
        ),
        field(
            "length",
            Optional,
            Type::Int {
                min: 0,
                max: 65_535,
            },
            "Bytes of payload, exactly.",
        ),
        field(
            "nth",
            Default("1"),
            Type::Int {
                min: 1,
                max: 1_000_000,
            },
            "The first of the matching packets that is dropped.",
        ),
        field(
            "count",
            Default("all"),
            Type::Line,
            "How many are dropped from there on: a number, or `all`.",
        ),
    ],
};
static HEAL: Section = Section {
    name: "`heal`",
    doc: "Undoes faults: of a host (`heal: web1`: frozen servers go on, its link is up, its power is back but its \
        servers are not), of a `drop` step by its name, or, with neither, all of them.",
    fields: &[
        AS,
        field(
            "host",
            Optional,
            Type::Name,
            "The host, or a group of hosts.",
        ),
        field(
            "drop",
            Optional,
            Type::Result,
            "The name of a `drop` step, which ends.",
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
const TARGET: Field = field(
    "target",
    Required,
    Type::Line,
    "`group/target`; the target alone when it is in one group only.",
);
static REGISTER: Section = Section {
    name: "`register`",
    doc: "Registers a target with its group (AWS: RegisterTargets). An instance of another VPC is `refused`, as by AWS.",
    fields: &[AS, TARGET],
};
static DEREGISTER: Section = Section {
    name: "`deregister`",
    doc: "Deregisters a target from its group (AWS: DeregisterTargets).",
    fields: &[AS, TARGET],
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
static INJECT: Section = Section {
    name: "`inject`",
    doc: "Puts a segment into the network as if the server had sent it: to the client, from where the last one came, with \
        another place in the stream.",
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
            "Bytes of payload.",
        ),
    ],
};
