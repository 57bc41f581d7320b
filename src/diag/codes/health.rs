//! Rules of the area `plan`: health checks.

use super::{Code, Rule};

/// A check whose limit passes too fast.
pub const CHECK_TIMEOUT_SHORT: Code = Code(530);
/// A check longer than the pause between two.
pub const CHECK_TIMEOUT_LONG: Code = Code(531);
/// Settings of HTTP for a TCP check.
pub const CHECK_WITHOUT_HTTP: Code = Code(532);
/// A matcher that matches nothing.
pub const CHECK_MATCHER: Code = Code(533);
/// No port.
pub const CHECK_PORT: Code = Code(534);
/// No path.
pub const CHECK_PATH: Code = Code(535);
/// Source ports for flows that the checks need.
pub const SNAT_PORTS_OF_CHECKS: Code = Code(536);

/// In order of their codes.
pub(super) const RULES: &[Rule] = &[
    Rule {
        code: CHECK_TIMEOUT_SHORT,
        title: "a scaled health check timeout under 50 ms",
        page: "A health check's times are the cloud's, and `time_scale` divides them. Below 50 ms of real time an ordinary delay\n\
        on a busy machine would look like a dead target.\n\
        \n\
        Wrong:\n\
        \x20   time_scale: 200\n\
        \x20   target_groups: { web: { health_check: { timeout: 6 }, ... } }       # 30 ms\n\
        Right:\n\
        \x20   time_scale: 100\n\
        \x20   target_groups: { web: { health_check: { timeout: 6 }, ... } }       # 60 ms",
    },
    Rule {
        code: CHECK_TIMEOUT_LONG,
        title: "a health check that outlasts its interval",
        page: "One checker makes one check after the other, so `timeout` is at most `interval`.\n\
        \n\
        Wrong:\n\
        \x20   health_check: { interval: 10, timeout: 20 }\n\
        Right:\n\
        \x20   health_check: { interval: 20, timeout: 20 }",
    },
    Rule {
        code: CHECK_WITHOUT_HTTP,
        title: "a path or matcher without HTTP",
        page: "A TCP health check opens a connection and closes it. It asks for nothing and sees no status.\n\
        \n\
        Wrong:\n\
        \x20   health_check: { path: /healthz }\n\
        Right:\n\
        \x20   health_check: { protocol: HTTP, path: /healthz }",
    },
    Rule {
        code: CHECK_MATCHER,
        title: "a matcher that names no statuses",
        page: "Statuses from 200 to 599, where the group's protocol is HTTP (an Application Load Balancer's) from 200 to 499: one,\n\
        several with commas, or a range.\n\
        \n\
        Wrong:\n\
        \x20   matcher: 2xx\n\
        Right:\n\
        \x20   matcher: 200-299",
    },
    Rule {
        code: CHECK_PORT,
        title: "no port to check",
        page: "Wrong:\n\
        \x20   health_check: { port: http }\n\
        Right:\n\
        \x20   health_check: { port: 8080 }\n\
        \x20   health_check: { port: traffic-port }      # the default: where the target gets its connections",
    },
    Rule {
        code: CHECK_PATH,
        title: "no path to ask for",
        page: "Wrong:\n\
        \x20   health_check: { protocol: HTTP, path: healthz }\n\
        Right:\n\
        \x20   health_check: { protocol: HTTP, path: /healthz }",
    },
    Rule {
        code: SNAT_PORTS_OF_CHECKS,
        title: "source ports that the health checks need",
        page: "A zonal address that checks targets shares its ports: those from 57344 on are the checks', those below are for\n\
        flows whose client address is not preserved. AWS has about 55,000 of these.\n\
        \n\
        Wrong:\n\
        \x20   emulate: { snat_ports: 60000 }\n\
        Right:\n\
        \x20   emulate: { snat_ports: 55000 }",
    },
];
