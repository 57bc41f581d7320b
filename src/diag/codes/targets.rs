//! Rules of the area `plan`: targets that come and go, and what becomes of their flows.

use super::{Code, Rule};

/// A step about a target that no group has.
pub const NO_SUCH_TARGET: Code = Code(560);
/// A step about a target that several groups have.
pub const TARGET_IN_SEVERAL_GROUPS: Code = Code(561);
/// A draining interval that is never reached.
pub const DRAINING_NEEDS_NO_TERMINATION: Code = Code(562);
/// Thresholds in an order that AWS refuses.
pub const DNS_BELOW_ROUTING: Code = Code(563);
/// Termination where there is nothing to reset.
pub const TERMINATION_OVER_UDP: Code = Code(564);
/// A listener with both of `target_group` and `target_groups`, or neither.
pub const ONE_OF_BOTH: Code = Code(565);
/// Several groups of one listener, in a profile older than that.
pub const WEIGHTS_TOO_NEW: Code = Code(566);
/// Groups of one listener that AWS does not let stand beside each other.
pub const MIXED_GROUPS: Code = Code(567);
/// Stickiness where TLS ends.
pub const STICKY_OVER_TLS: Code = Code(568);
/// More targets than one load balancer has.
pub const TOO_MANY_TARGETS: Code = Code(569);

/// In order of their codes.
pub(super) const RULES: &[Rule] = &[
    Rule {
        code: NO_SUCH_TARGET,
        title: "a registration of nothing",
        page: "`register` and `deregister` name a target of a group: `group/target`, or the target alone when only one group\n\
        has it. `register` may also name a host that is in the group only from then on.\n\
        \n\
        Wrong:\n\
        \x20   - deregister: web/wbe1\n\
        Right:\n\
        \x20   - deregister: web/web1",
    },
    Rule {
        code: TARGET_IN_SEVERAL_GROUPS,
        title: "a target without its group, where several groups have it",
        page: "A host may be a target of several groups, and is registered in each of them by itself.\n\
        \n\
        Wrong:\n\
        \x20   target_groups: { web: { targets: [web1] }, api: { targets: [web1] } }\n\
        \x20   - deregister: web1\n\
        Right:\n\
        \x20   - deregister: api/web1",
    },
    Rule {
        code: DRAINING_NEEDS_NO_TERMINATION,
        title: "a draining interval for connections that are terminated",
        page: "`target_health_state.unhealthy.draining_interval_seconds` says how long connections of an unhealthy target go on;\n\
        when it is over and the target is unhealthy still, they are reset. The default, 0, sets no end.\n\
        With `target_health_state.unhealthy.connection_termination.enabled` (the default) they do not go on at all, and\n\
        AWS refuses the two together.\n\
        \n\
        Wrong:\n\
        \x20   attributes: { target_health_state.unhealthy.draining_interval_seconds: 60 }\n\
        Right: add `target_health_state.unhealthy.connection_termination.enabled: false`.",
    },
    Rule {
        code: DNS_BELOW_ROUTING,
        title: "a DNS threshold below the routing threshold",
        page: "A zone with too few healthy targets is to leave DNS before it sends connections to unhealthy ones, so AWS wants\n\
        `target_group_health.dns_failover.minimum_healthy_targets` to be at least\n\
        `target_group_health.unhealthy_state_routing.minimum_healthy_targets`.\n\
        \n\
        Wrong:\n\
        \x20   attributes: { target_group_health.unhealthy_state_routing.minimum_healthy_targets.count: 2 }    # DNS: 1\n\
        Right: set `target_group_health.dns_failover.minimum_healthy_targets.count: 2` as well.",
    },
    Rule {
        code: TERMINATION_OVER_UDP,
        title: "termination of UDP flows of unhealthy targets",
        page: "A Network Load Balancer terminates flows of an unhealthy target by answering with RST, which UDP has not. AWS refuses\n\
        `target_health_state.unhealthy.connection_termination.enabled: true` for UDP groups.\n\
        \n\
        Right: leave the attribute out.",
    },
    Rule {
        code: ONE_OF_BOTH,
        title: "a listener with both of `target_group` and `target_groups`, or neither",
        page: "A listener forwards to one target group, or to several by weight; it says so in one place.\n\
        \n\
        Wrong:\n\
        \x20   80: { target_group: blue, target_groups: { green: 10 } }\n\
        Right:\n\
        \x20   80: { target_groups: { blue: 90, green: 10 } }",
    },
    Rule {
        code: WEIGHTS_TOO_NEW,
        title: "several target groups of one listener in an old profile",
        page: "A Network Load Balancer of `profile: aws-2020` forwards to one target group an action. Weights came later.\n\
        \n\
        Wrong:\n\
        \x20   profile: aws-2020\n\
        \x20   80: { target_groups: { blue: 90, green: 10 } }\n\
        Right:\n\
        \x20   80: blue",
    },
    Rule {
        code: MIXED_GROUPS,
        title: "target groups of one listener that differ in kind",
        page: "Behind a TLS listener all weighted groups are TCP, or all are TLS; behind a dualstack balancer all are IPv4, or\n\
        all are IPv6. AWS refuses the mixture.\n\
        \n\
        Wrong:\n\
        \x20   target_groups: { blue: { protocol: TCP, targets: [web1] }, green: { protocol: TLS, targets: [web2] } }\n\
        \x20   443: { protocol: TLS, target_groups: { blue: 90, green: 10 } }\n\
        Right:\n\
        \x20   target_groups: { blue: { protocol: TLS, targets: [web1] }, green: { protocol: TLS, targets: [web2] } }",
    },
    Rule {
        code: STICKY_OVER_TLS,
        title: "stickiness behind a TLS listener",
        page: "Stickiness of a Network Load Balancer chooses a flow's target by the client's address alone. AWS has it neither for TLS\n\
        target groups nor behind TLS listeners.\n\
        \n\
        Wrong:\n\
        \x20   target_groups: { web: { protocol: TLS, attributes: { stickiness.enabled: true }, ... } }\n\
        Right:\n\
        \x20   target_groups: { web: { protocol: TLS, ... } }",
    },
    Rule {
        code: TOO_MANY_TARGETS,
        title: "more targets than one load balancer has",
        page: "AWS gives a Network Load Balancer 500 targets in each zone; with cross-zone load balancing 500 in all zones together.\n\
        An application balancer as target counts for 50 of them, with cross-zone load balancing for 100. Each host and port\n\
        counts once here, however many groups have it; with cross-zone load balancing of its group in every zone. (AWS raises\n\
        the quota on request.)\n\
        \n\
        Wrong:\n\
        \x20   hosts: { web: { count: 501, zone: a, serve: { 80: echo } } }\n\
        Right:\n\
        \x20   hosts: { web: { count: 500, zone: a, serve: { 80: echo } } }",
    },
];
