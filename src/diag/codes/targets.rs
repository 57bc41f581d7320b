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
        page: "`target_health_state.unhealthy.draining_interval_seconds` says how long connections of an unhealthy target go on.\n\
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
];
