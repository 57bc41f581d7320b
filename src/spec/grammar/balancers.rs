//! Target groups, load balancers and the emulator's knobs.

use super::Need::{Default, Optional, Required};
use super::{Key, PORT, Section, Type, Words, field, later};

/// AWS protocol names.
pub static PROTOCOLS: Words = Words {
    now: &["TCP", "TLS", "UDP", "TCP_UDP", "HTTP"],
    later: &["QUIC", "TCP_QUIC", "HTTPS", "SSL"],
};
/// What a health check speaks.
pub static CHECK_PROTOCOLS: Words = Words {
    now: &["TCP", "HTTP", "HTTPS"],
    later: &[],
};
/// When the story starts.
pub static STARTS: Words = Words {
    now: &["settled", "cold"],
    later: &[],
};
/// AWS target types.
pub static TARGET_TYPES: Words = Words {
    now: &["instance", "ip", "alb"],
    later: &["lambda"],
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
/// AWS address families of target groups.
pub static GROUP_FAMILIES: Words = Words {
    now: &["ipv4", "ipv6"],
    later: &[],
};
/// Who keeps the reverse key when two flows want it.
pub static ON_COLLISION: Words = Words {
    now: &["newest", "keep-old", "port-rewrite"],
    later: &[],
};
/// The answer to data without a flow.
pub static ON_MISSING_FLOW: Words = Words {
    now: &["reset", "drop"],
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

/// Who is told that the balancer ends a connection.
pub static TERMINATION_RESET: Words = Words {
    now: &["both", "client", "target", "neither"],
    later: &[],
};

/// `target_groups.X`
pub static GROUP: Section = Section {
    name: "a target group",
    doc: "Targets that a listener forwards to.",
    fields: &[
        field(
            "target_type",
            Default("instance"),
            Type::Word(&TARGET_TYPES),
            "How targets are registered; decides whether the client's address is preserved. `alb`: its one target is an \
                application balancer.",
        ),
        field(
            "protocol",
            Default("TCP"),
            Type::Word(&PROTOCOLS),
            "The protocol toward the targets. HTTP for groups of application balancers.",
        ),
        field(
            "ip_address_type",
            Default("ipv4"),
            Type::Word(&GROUP_FAMILIES),
            "Which of its targets' addresses it has. `ipv6` needs a dualstack balancer.",
        ),
        field(
            "port",
            Optional,
            PORT,
            "The targets' port. Without it, the listener's.",
        ),
        field(
            "targets",
            Optional,
            Type::OneOf(&[
                Type::List {
                    of: &Type::Name,
                    min: 0,
                },
                Type::Map {
                    key: Key::Name,
                    of: &Type::Section(&TARGET),
                    item: "target",
                },
            ]),
            "Its targets: hosts (of `alb` one application balancer) by name, as a list, or as a map when one has a port of its own.",
        ),
        field(
            "attributes",
            Optional,
            Type::Free,
            "AWS target group attributes, by their AWS names.",
        ),
        field(
            "health_check",
            Optional,
            Type::Section(&HEALTH_CHECK),
            "How targets are checked. Without it, none are, and all are healthy.",
        ),
        field(
            "emulate",
            Optional,
            Type::Section(&GROUP_EMULATE),
            "Emulator settings of this group.",
        ),
    ],
};

/// `target_groups.X.health_check`
pub static HEALTH_CHECK: Section = Section {
    name: "a health check",
    doc: "How every zonal address checks the targets, in Terraform's keys; seconds of the cloud's time.",
    fields: &[
        field(
            "protocol",
            Optional,
            Type::Word(&CHECK_PROTOCOLS),
            "TCP: a handshake is enough. HTTP and HTTPS: the status decides. Default: TCP; HTTP where the group's protocol is, \
                and of `alb` groups.",
        ),
        field(
            "port",
            Default("traffic-port"),
            Type::Line,
            "`traffic-port`, or a port of its own.",
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
            "Cloud seconds between two checks of one checker.",
        ),
        field(
            "timeout",
            Optional,
            Type::Int { min: 2, max: 120 },
            "Cloud seconds after which a check has failed. Default: 6 for HTTP, 10 for TCP and HTTPS, 5 where the group's protocol is HTTP, and never more than `interval`.",
        ),
        field(
            "healthy_threshold",
            Default("5"),
            Type::Int { min: 2, max: 10 },
            "Checks in a row that an unhealthy target must pass.",
        ),
        field(
            "unhealthy_threshold",
            Default("2"),
            Type::Int { min: 2, max: 10 },
            "Checks in a row that a healthy target must fail.",
        ),
        field(
            "matcher",
            Optional,
            Type::Line,
            "Statuses that pass, over HTTP and HTTPS: `200`, `200,202`, `200-399`. Default: `200-399`; `200` where the group's protocol is HTTP.",
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

/// `target_groups.X.emulate`
pub static GROUP_EMULATE: Section = Section {
    name: "the emulator of a target group",
    doc: "What AWS does not document about a target group, and a lab may therefore choose.",
    fields: &[
        field(
            "checkers",
            Optional,
            Type::Int { min: 1, max: 32 },
            "Health checkers of each zonal address, each with its own phase. Default: 3, the fewest that can agree against one.",
        ),
        field(
            "register_delay",
            Optional,
            Type::Time { zero: true },
            "Cloud time from a registration to the first probe (AWS: a few minutes). Default: 0s.",
        ),
        field(
            "deregister_propagation",
            Optional,
            Type::Time { zero: true },
            "Cloud time for which a deregistered target still gets new flows (measured by others: about 120s). Default: 0s.",
        ),
        field(
            "unhealthy_propagation",
            Optional,
            Type::Time { zero: true },
            "Cloud time for which a target found unhealthy still gets new flows (measured by others: 30s to 40s). Default: 0s.",
        ),
        field(
            "termination_delay",
            Optional,
            Type::Time { zero: true },
            "Cloud time from the end of the deregistration delay to the end of connections (AWS: shortly after). Default: 0s.",
        ),
        field(
            "termination_reset",
            Optional,
            Type::Word(&TERMINATION_RESET),
            "Who gets a RST when the balancer ends a connection by itself. Default: both.",
        ),
    ],
};

/// `target_groups.X.targets.Y`
pub static TARGET: Section = Section {
    name: "a target",
    doc: "One registered target.",
    fields: &[
        field(
            "port",
            Optional,
            PORT,
            "Its own port. Without it, the group's.",
        ),
        later("zone", "The zone it counts as being in."),
    ],
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
            "Whether its addresses are public.",
        ),
        field(
            "ip_address_type",
            Default("ipv4"),
            Type::Word(&BALANCER_FAMILIES),
            "`dualstack`: each of its zonal addresses has an IPv6 address besides.",
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

/// `listeners.N`
pub static LISTENER: Section = Section {
    name: "a listener",
    doc: "A port of a balancer, and the target group behind it.",
    fields: &[
        field(
            "protocol",
            Optional,
            Type::Word(&PROTOCOLS),
            "The protocol toward the clients. Default: TCP; HTTP of an application balancer.",
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
            "Several, each with its share of new connections: `{ blue: 90, green: 10 }`. When one of them is sticky, so is the \
                choice among them, as AWS demands.",
        ),
        field(
            "attributes",
            Optional,
            Type::Free,
            "AWS listener attributes, by their AWS names.",
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
            "Who owns the target's answers when two flows of one client look the same to it. Default: newest.",
        ),
        field(
            "on_missing_flow",
            Optional,
            Type::Word(&ON_MISSING_FLOW),
            "The answer to data that belongs to no flow. Default: reset.",
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
            "Ports for each zonal address and target when the client's address is not preserved.",
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
                both go on. Default: close.",
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
            "Connections that may wait for an instance at each address of a classic balancer. Default: 1024, as AWS says.",
        ),
        later(
            "propagation_delay",
            "How long a change takes to reach every zonal address.",
        ),
    ],
};
