//! Hosts, their links, and what they serve.

use super::Need::{Default, Optional, Required};
use super::{Field, Key, MTU, Section, Type, Variant, Variants, Words, field, later};

/// How long a client keeps an answer of the resolver.
pub static DNS_CACHES: Words = Words {
    now: &["ttl", "forever", "none"],
    later: &[],
};

/// `hosts.X`
pub static HOST: Section = Section {
    name: "a host",
    doc: "A machine: a network namespace with a real kernel stack.",
    fields: &[
        field(
            "address",
            Optional,
            Type::Address,
            "Its IPv4 address. Without it, one is given out.",
        ),
        field(
            "public_address",
            Optional,
            Type::PublicAddress,
            "How the internet reaches it: `none`, `auto` (one is given out), or this address, translated 1:1.",
        ),
        field(
            "ipv6",
            Optional,
            Type::Ipv6Address,
            "Its IPv6 address besides: `auto` (one is given out), or this one. Without it, its kernel has no IPv6.",
        ),
        field(
            "zone",
            Optional,
            Type::Name,
            "The zone it is in. Without it, the host is out on the internet.",
        ),
        field(
            "count",
            Optional,
            Type::Int { min: 1, max: 1000 },
            "Makes so many alike: `desk` becomes desk-1, desk-2, ..., and `desk` names them all.",
        ),
        field(
            "serve",
            Optional,
            Type::Map {
                key: Key::ServePort,
                of: &Type::Variants(&APPS),
                item: "port",
            },
            "What it serves, by port: `80: echo`, `53/udp: name`.",
        ),
        field(
            "sysctls",
            Optional,
            Type::Free,
            "Kernel settings of its namespace, by sysctl name.",
        ),
        field(
            "nft",
            Optional,
            Type::Text,
            "Its firewall rules, as `nft -f` reads them. `$name` becomes a host's address.",
        ),
        field(
            "iptables",
            Optional,
            Type::Text,
            "The same, as `iptables-restore` reads them.",
        ),
        field(
            "setup",
            Optional,
            Type::Text,
            "Shell text, run in its namespace before the servers start.",
        ),
        field(
            "link",
            Optional,
            Type::Section(&LINK),
            "What its link to the fabric does to packets.",
        ),
        field(
            "mtu",
            Default("1500"),
            MTU,
            "MTU of its device, in bytes. The wire's own is `link.mtu`, and where that is not written: what a receiver's device takes, and 1500 \
                over the internet, as AWS has it, cut into fragments where the packet may be.",
        ),
        field(
            "kernel",
            Optional,
            Type::Free,
            "Behaviour of other kernels, emulated at the fabric's edge, by quirk.",
        ),
        field(
            "dns_cache",
            Default("ttl"),
            Type::Word(&DNS_CACHES),
            "How long its clients keep the addresses of a name: for the answer's `ttl`; `forever`, as a JVM does with \
                `networkaddress.cache.ttl=-1`; `none`: each connection asks anew. Programs in it have their own ways.",
        ),
        field(
            "vpc",
            Optional,
            Type::Name,
            "The VPC it is in. Without it, the default one.",
        ),
        field(
            "behind",
            Optional,
            Type::OneOf(&[
                Type::Name,
                Type::Map {
                    key: Key::Name,
                    of: &Type::Name,
                    item: "router",
                },
            ]),
            "The host that routes for it: it hangs on that host's bridge `lan0`, and has its own address there. \
                `{ router: members }` is a second segment, with a bridge of that name.",
        ),
        field(
            "gateway",
            Optional,
            Type::Address,
            "Its default route, when it is `behind` a router: an address of its segment. Without it, the bridge's.",
        ),
        field(
            "nat",
            Optional,
            Type::Name,
            "The NAT gateway by which it reaches the internet. Without it and without a public address, it does not.",
        ),
        field(
            "security_groups",
            Optional,
            Type::List {
                of: &Type::Name,
                min: 1,
            },
            "The security groups of its interface. Without them, it is unguarded.",
        ),
        field(
            "addresses",
            Optional,
            Type::List {
                of: &Type::Address,
                min: 1,
            },
            "Further IPv4 addresses of its device: the secondary addresses of its interface.",
        ),
    ],
};

const IMPAIRMENTS: [Field; 9] = [
    field(
        "delay",
        Optional,
        Type::Time { zero: true },
        "Each packet arrives this much later.",
    ),
    field(
        "jitter",
        Optional,
        Type::Time { zero: true },
        "Each packet arrives up to this much later still; the order stays.",
    ),
    field(
        "loss",
        Optional,
        Type::Percent,
        "This share of the packets is lost, by the lab's seed.",
    ),
    field(
        "rate",
        Optional,
        Type::Rate,
        "The link carries this many bits per second.",
    ),
    field(
        "mtu",
        Optional,
        MTU,
        "Larger packets are dropped or answered with ICMP, in bytes.",
    ),
    field(
        "queue",
        Optional,
        Type::Int {
            min: 1,
            max: 1_000_000,
        },
        "The link's queue holds this many packets that wait for `rate`.",
    ),
    field(
        "duplicate",
        Optional,
        Type::Percent,
        "This share of the packets arrives twice.",
    ),
    field(
        "reorder",
        Optional,
        Type::Percent,
        "This share of the packets is not delayed and so overtakes others; without a delay it does nothing.",
    ),
    field(
        "corrupt",
        Optional,
        Type::Percent,
        "This share of the packets has one bit flipped behind its headers, or in its checksum when there is nothing behind \
         them: the receiver's checksum fails.",
    ),
];

/// `link.up`, `link.down`
pub static DIRECTION: Section = Section {
    name: "one direction of a link",
    doc: "What happens to packets in this direction; wins over what the link says for both.",
    fields: &IMPAIRMENTS,
};

/// `link`
pub static LINK: Section = {
    const FIELDS: [Field; 11] = {
        let [
            delay,
            jitter,
            loss,
            rate,
            mtu,
            queue,
            duplicate,
            reorder,
            corrupt,
        ] = IMPAIRMENTS;
        [
            delay,
            jitter,
            loss,
            rate,
            mtu,
            queue,
            field(
                "up",
                Optional,
                Type::Section(&DIRECTION),
                "Only from the host to the fabric.",
            ),
            field(
                "down",
                Optional,
                Type::Section(&DIRECTION),
                "Only from the fabric to the host.",
            ),
            duplicate,
            reorder,
            corrupt,
        ]
    };
    Section {
        name: "a link",
        doc: "What a host's link does to packets, in both directions.",
        fields: &FIELDS,
    }
};

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
/// And what only a server without TLS of its own can be told.
const PLAIN_FIELDS: [Field; 11] = {
    let https_only = field(
        "https_only",
        Optional,
        Type::Word(&HTTPS_ONLY),
        "Answers 301 to the same place over HTTPS, unless the request came that way: as its own `connection` says, which never is HTTPS \
            here, or as X-Forwarded-Proto does (`forwarded`).",
    );
    let mut fields = [https_only; 11];
    let (common, _) = fields.split_at_mut(HTTP_FIELDS.len());
    common.copy_from_slice(&HTTP_FIELDS);
    fields
};
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
const HTTPS_FIELDS: [Field; 11] = {
    let tls = field(
        "tls",
        Optional,
        Type::Word(&TLS_VERSIONS),
        "The only TLS version it speaks. Without it, 1.2 and 1.3.",
    );
    let mut fields = [tls; 11];
    let (common, _) = fields.split_at_mut(HTTP_FIELDS.len());
    common.copy_from_slice(&HTTP_FIELDS);
    fields
};
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
            "The story waits for this line of its output; else for the port to listen.",
        ),
    ],
};
