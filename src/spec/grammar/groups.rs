//! Target groups: their targets, health checks, and the emulator's knobs.

use super::Need::{Default, Optional};
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

/// AWS target types.
pub static TARGET_TYPES: Words = Words {
    now: &["instance", "ip", "alb"],
    later: &["lambda"],
};

/// AWS address families of target groups.
pub static GROUP_FAMILIES: Words = Words {
    now: &["ipv4", "ipv6"],
    later: &[],
};

/// From several opinions to one.
pub static CONSENSUS: Words = Words {
    now: &["majority", "any", "all"],
    later: &[],
};

/// Who is told that the balancer ends a connection.
pub static TERMINATION_RESET: Words = Words {
    now: &["both", "client", "target", "neither"],
    later: &[],
};

/// What becomes of the flows of a target that fails while it drains.
pub static ON_DRAINING_FAILURE: Words = Words {
    now: &["keep", "reset"],
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
            "consensus",
            Optional,
            Type::Word(&CONSENSUS),
            "How checkers, and zonal addresses, that differ make one opinion: by `majority`, a tie being unhealthy; healthy when \
                `any` says so, or only when `all` do. Default: majority.",
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
            "zero_weight_delay",
            Optional,
            Type::Time { zero: true },
            "Cloud time from a weight of 0 to the end of the group's connections (AWS: after a short period). Default: 0s.",
        ),
        field(
            "termination_reset",
            Optional,
            Type::Word(&TERMINATION_RESET),
            "Who gets a RST when the balancer ends a connection by itself. Default: both.",
        ),
        field(
            "on_draining_failure",
            Optional,
            Type::Word(&ON_DRAINING_FAILURE),
            "What becomes of the flows of a target that fails its checks only once it is deregistered. AWS resets those of unhealthy \
                targets, and this one's state stays `draining`: they go on (`keep`). AWS says, too, that flows of a deregistered target \
                go on if it stays healthy: `reset`. Those of one that was unhealthy before are reset in any case. Default: keep.",
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
