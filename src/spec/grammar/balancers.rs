//! Load balancers, their listeners, and the emulator's knobs.

use super::Need::{Default, Optional, Required};
use super::groups::CHECK_PROTOCOLS;
use super::{Key, PORT, Section, Type, Words, field, later};

/// When the story starts.
pub static STARTS: Words = Words {
    now: &["settled", "cold"],
    later: &[],
};

/// AWS balancer types.
pub static BALANCER_TYPES: Words = Words {
    now: &["network", "classic", "application"],
    later: &["gateway"],
};

/// AWS schemes.
pub static SCHEMES: Words = Words {
    now: &["internet-facing", "internal"],
    later: &[],
};

/// AWS address families of balancers.
pub static BALANCER_FAMILIES: Words = Words {
    now: &["ipv4", "dualstack"],
    later: &["dualstack-without-public-ipv4"],
};

/// Who keeps the reverse key when two flows want it.
pub static ON_COLLISION: Words = Words {
    now: &["newest", "keep-old", "random", "port-rewrite"],
    later: &[],
};

/// The answer to data without a flow.
pub static ON_MISSING_FLOW: Words = Words {
    now: &["reset", "drop"],
    later: &[],
};

/// Which ICMP errors of targets get to clients.
pub static ON_TARGET_ERROR: Words = Words {
    now: &["mtu", "pass", "drop"],
    later: &[],
};

/// The answer to a SYN for which there is no target.
pub static ON_NO_TARGET: Words = Words {
    now: &["drop", "reset"],
    later: &[],
};

/// Which free source port a flow gets.
pub static SOURCE_PORT_ORDERS: Words = Words {
    now: &["upwards", "random", "sequential", "preserve"],
    later: &[],
};

/// Which of a zonal address's own addresses a flow gets.
pub static SOURCE_ADDRESSES: Words = Words {
    now: &["first", "spread"],
    later: &[],
};

/// What becomes of the flows of a zone that is disabled.
pub static ON_ZONE_DISABLED: Words = Words {
    now: &["drop", "keep"],
    later: &[],
};

/// What becomes of the connections of a classic balancer's instance that is not in service any more.
pub static ON_DEREGISTER: Words = Words {
    now: &["close", "reset", "blackhole", "drain"],
    later: &[],
};

/// What a classic balancer's client learns of its instance's reset.
pub static ON_BACKEND_RESET: Words = Words {
    now: &["propagate", "ignore"],
    later: &[],
};

/// `load_balancers.X`
pub static BALANCER: Section = Section {
    name: "a load balancer",
    doc: "An emulated load balancer, with one address in each of its zones.",
    fields: &[
        field(
            "type",
            Default("network"),
            Type::Word(&BALANCER_TYPES),
            "The kind of balancer.",
        ),
        field(
            "scheme",
            Default("internet-facing"),
            Type::Word(&SCHEMES),
            "Whether its addresses are public. Then its name has those inside of the VPC as well, where a host without a public \
                address or `nat` dials them in vain.",
        ),
        field(
            "ip_address_type",
            Default("ipv4"),
            Type::Word(&BALANCER_FAMILIES),
            "`dualstack`: each of its zonal addresses has an IPv6 address besides. A network balancer's only: at AWS application \
                balancers have it as well, and this release does not emulate that (HP0668).",
        ),
        field(
            "zones",
            Required,
            Type::OneOf(&[
                Type::List {
                    of: &Type::Name,
                    min: 1,
                },
                Type::Map {
                    key: Key::Name,
                    of: &Type::Address,
                    item: "zone",
                },
            ]),
            "Its zones: a list, or a map from zone to address.",
        ),
        field(
            "zonal_shift",
            Optional,
            Type::Name,
            "The zone that a zonal shift moves traffic away from: its address leaves DNS, its targets get no new flows. \
                Needs the attribute `zonal_shift.config.enabled`.",
        ),
        field(
            "listeners",
            Required,
            Type::Map {
                key: Key::Port,
                of: &Type::Short {
                    field: "target_group",
                    section: &LISTENER,
                },
                item: "listener",
            },
            "What it forwards, by port: `80: web`.",
        ),
        field(
            "attributes",
            Optional,
            Type::Free,
            "AWS load balancer attributes, by their AWS names.",
        ),
        field(
            "emulate",
            Optional,
            Type::Section(&EMULATE),
            "Settings of the emulator: what AWS does not document.",
        ),
        field(
            "instances",
            Optional,
            Type::List {
                of: &Type::Name,
                min: 0,
            },
            "The instances of a classic balancer, which has these instead of target groups.",
        ),
        field(
            "health_check",
            Optional,
            Type::Section(&CLASSIC_CHECK),
            "How a classic balancer checks its instances. Without it, they are not checked, and all are in service.",
        ),
        field(
            "vpc",
            Optional,
            Type::Name,
            "The VPC it is in. Without it, the default one.",
        ),
        field(
            "security_groups",
            Optional,
            Type::List {
                of: &Type::Name,
                min: 1,
            },
            "Its security groups: ingress for clients, egress for targets. Without them, it is unguarded.",
        ),
        field(
            "start",
            Default("settled"),
            Type::Word(&STARTS),
            "When the story starts: once health checks have settled the state of every target, or at once (`cold`).",
        ),
    ],
};

/// `protocol:` of a listener.
pub static LISTENER_PROTOCOLS: Words = Words {
    now: &["TCP", "TLS", "UDP", "TCP_UDP", "HTTP", "HTTPS"],
    later: &["QUIC", "TCP_QUIC", "SSL"],
};

/// `listeners.N`
pub static LISTENER: Section = Section {
    name: "a listener",
    doc: "A port of a balancer, and the target group behind it.",
    fields: &[
        field(
            "protocol",
            Optional,
            Type::Word(&LISTENER_PROTOCOLS),
            "The protocol toward the clients. Default: TCP; HTTP of an application balancer. A classic one has TCP, HTTP and HTTPS, \
                behind which its instances get HTTP.",
        ),
        field(
            "target_group",
            Optional,
            Type::GroupOrPort,
            "The target group it forwards to. In short, of a classic balancer, the port of its instances.",
        ),
        field(
            "instance_port",
            Optional,
            PORT,
            "The port of a classic balancer's instances.",
        ),
        field(
            "target_groups",
            Optional,
            Type::Map {
                key: Key::Name,
                of: &Type::Int { min: 0, max: 999 },
                item: "weight",
            },
            "Several, each with its share of new connections, of an application balancer of requests: `{ blue: 90, green: 10 }`. \
                One that has no targets keeps its share. When one of them is sticky, so is the choice among them, as AWS demands.",
        ),
        field(
            "attributes",
            Optional,
            Type::Free,
            "AWS listener attributes, by their AWS names.",
        ),
    ],
};

/// `load_balancers.X.health_check`
pub static CLASSIC_CHECK: Section = Section {
    name: "a health check",
    doc: "How every zonal address of a classic balancer checks the instances; seconds of the cloud's time.",
    fields: &[
        field(
            "protocol",
            Default("TCP"),
            Type::Word(&CHECK_PROTOCOLS),
            "TCP: a handshake is enough. HTTP and HTTPS: the status must be 200.",
        ),
        field(
            "port",
            Default("traffic-port"),
            Type::Line,
            "A port of its own. Default: that of the first listener's instances.",
        ),
        field(
            "path",
            Optional,
            Type::Line,
            "What is asked for, over HTTP and HTTPS. Default: `/`.",
        ),
        field(
            "interval",
            Default("30"),
            Type::Int { min: 5, max: 300 },
            "Cloud seconds between two checks of one zonal address.",
        ),
        field(
            "timeout",
            Default("5"),
            Type::Int { min: 2, max: 60 },
            "Cloud seconds after which a check has failed, fewer than `interval`.",
        ),
        field(
            "healthy_threshold",
            Default("10"),
            Type::Int { min: 2, max: 10 },
            "Checks in a row that an unhealthy instance must pass.",
        ),
        field(
            "unhealthy_threshold",
            Default("2"),
            Type::Int { min: 2, max: 10 },
            "Checks in a row that a healthy instance must fail.",
        ),
    ],
};

const NAMES: Type = Type::OneOf(&[
    Type::Name,
    Type::List {
        of: &Type::Name,
        min: 1,
    },
]);

/// `load_balancers.X.emulate`
pub static EMULATE: Section = Section {
    name: "the emulator",
    doc: "What AWS does not document, and a lab may therefore choose.",
    fields: &[
        field(
            "prefer",
            Optional,
            Type::OneOf(&[
                Type::Name,
                Type::List {
                    of: &Type::Name,
                    min: 1,
                },
                Type::Map {
                    key: Key::Zonal,
                    of: &NAMES,
                    item: "zonal address",
                },
            ]),
            "The target chosen wherever it is eligible, instead of the hash; or a map from zonal address to target.",
        ),
        field(
            "on_collision",
            Optional,
            Type::Word(&ON_COLLISION),
            "Who owns the target's answers when two flows of one client look the same to it; with `random` the lot decides, of each \
             newcomer anew. Default: newest.",
        ),
        field(
            "on_missing_flow",
            Optional,
            Type::Word(&ON_MISSING_FLOW),
            "The answer to data that belongs to no flow. Default: reset.",
        ),
        field(
            "on_no_target",
            Optional,
            Type::Word(&ON_NO_TARGET),
            "The answer to a SYN for which there is no target. Default: drop.",
        ),
        field(
            "on_target_error",
            Optional,
            Type::Word(&ON_TARGET_ERROR),
            "Which ICMP errors of targets get to clients: only those that path MTU discovery needs (`mtu`), all, or none. \
                Default: mtu.",
        ),
        field(
            "on_zone_disabled",
            Optional,
            Type::Word(&ON_ZONE_DISABLED),
            "What becomes of the flows of a zone that is disabled: silence, or they go on to their end. Default: drop.",
        ),
        field(
            "snat_ports",
            Optional,
            Type::Int {
                min: 1,
                max: 64_511,
            },
            "Ports for each zonal address and target when the client's address is not preserved, and of TLS listeners. Default: 55000.",
        ),
        field(
            "port_reuse",
            Optional,
            Type::Time { zero: true },
            "Cloud time from the end of a flow to when another may have its port toward the same target (AWS: about 55,000 \
                connections a minute). Default: 60s.",
        ),
        field(
            "port_order",
            Optional,
            Type::Word(&SOURCE_PORT_ORDERS),
            "Which of these ports a flow gets: from a random one `upwards`, so that a port comes back as late as possible; a \
                `random` one; the lowest (`sequential`); the client's own, or the next one (`preserve`). Default: upwards.",
        ),
        field(
            "source_address",
            Optional,
            Type::Word(&SOURCE_ADDRESSES),
            "Which address a flow has such a port of, where there are secondary ones: the `first` that has one left, or flows \
                are `spread` over all. Default: first.",
        ),
        field(
            "flow_capacity",
            Optional,
            Type::Int {
                min: 1,
                max: 10_000_000,
            },
            "Flows that fit into the table.",
        ),
        field(
            "flow_reuse",
            Optional,
            Type::Time { zero: true },
            "Cloud time after FIN or RST in which a SYN from the same port still goes to the old flow's target. Default: 0s.",
        ),
        field(
            "on_deregister",
            Optional,
            Type::Word(&ON_DEREGISTER),
            "What becomes of the connections of a classic balancer's instance that was deregistered or is unhealthy, when \
                they are not drained (any more): both are closed, the client's is reset, it goes on and leads nowhere, \
                both go on. A request at an HTTP listener is answered with 503, or goes on (`drain`). Default: close.",
        ),
        field(
            "on_backend_reset",
            Optional,
            Type::Word(&ON_BACKEND_RESET),
            "Whether a classic balancer's client learns of its instance's reset. Default: propagate.",
        ),
        field(
            "surge_queue",
            Optional,
            Type::Int {
                min: 0,
                max: 100_000,
            },
            "Connections, or requests of HTTP listeners, that may wait for an instance at each address of a classic balancer. \
                Default: 1024, as AWS says.",
        ),
        later(
            "propagation_delay",
            "How long a change takes to reach every zonal address.",
        ),
    ],
};
