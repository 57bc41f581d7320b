//! HTTP: requests of loads, Application Load Balancers: 0660..0679.

use super::{Code, Rule};

/// A load's request that is neither bytes nor a GET.
pub const REQUEST: Code = Code(660);

/// A path that no request can have.
pub const PATH: Code = Code(661);

/// HTTP over UDP.
pub const OVER_UDP: Code = Code(662);

/// More requests than a connection that closes after each can carry.
pub const ONE_REQUEST: Code = Code(663);

/// A listener protocol that its kind of balancer does not have.
pub const LISTENER_PROTOCOL: Code = Code(664);

/// An application balancer without cross-zone.
pub const CROSS_ZONE_IS_ON: Code = Code(665);

/// An attribute of groups of another protocol.
pub const ATTRIBUTE_OF_OTHERS: Code = Code(666);

/// Stickiness of an HTTP group that is not emulated.
pub const STICKY_OVER_HTTP: Code = Code(667);

/// A word of network balancers in an application balancer.
pub const NOT_OF_APPLICATION: Code = Code(668);

/// An HTTP group that is checked over TCP.
pub const CHECKED_OVER_TCP: Code = Code(669);

/// An `alb` group with no target or several.
pub const ONE_BALANCER: Code = Code(670);

/// A target of an `alb` group that is no application balancer.
pub const NO_BALANCER: Code = Code(671);

/// A port of an `alb` group on which its target does not listen.
pub const BALANCER_PORT: Code = Code(672);

/// Something of an `alb` group that AWS does not let anybody choose.
pub const FIXED_FOR_BALANCERS: Code = Code(673);

/// More network balancers before an application balancer than AWS lets stand there.
pub const TOO_MANY_IN_FRONT: Code = Code(674);

/// The rules of this area.
pub static RULES: &[Rule] = &[
    Rule {
        code: REQUEST,
        title: "no such request",
        page: "A load's `request` is a number of bytes to send and to get back, or an HTTP request: GET and a path. Other methods\n\
        are not there.\n\
        \n\
        Wrong:\n\
        \x20   - load: { as: curl, from: client, to: front, request: POST /login }\n\
        Right:\n\
        \x20   - load: { as: curl, from: client, to: front, request: GET /login }\n\
        \x20   - load: { as: curl, from: client, to: front, request: { path: /login, host: shop.example } }",
    },
    Rule {
        code: PATH,
        title: "a request for no path",
        page: "What an HTTP request asks for begins with a slash and has no spaces.\n\
        \n\
        Wrong:\n\
        \x20   - load: { as: curl, from: client, to: front, request: GET index.html }\n\
        Right:\n\
        \x20   - load: { as: curl, from: client, to: front, request: GET /index.html }",
    },
    Rule {
        code: OVER_UDP,
        title: "HTTP over UDP",
        page: "Wrong:\n\
        \x20   - load: { as: curl, from: client, to: web:80/udp, request: GET / }\n\
        Right:\n\
        \x20   - load: { as: curl, from: client, to: web:80, request: GET / }",
    },
    Rule {
        code: ONE_REQUEST,
        title: "several requests over a connection that is to be closed after the first",
        page: "`keep_alive: false` sends `Connection: close`: the server closes after its answer, and a second request would have\n\
        no connection.\n\
        \n\
        Wrong:\n\
        \x20   request: { path: /, times: 10, keep_alive: false }\n\
        Right:\n\
        \x20   request: { path: /, times: 10 }\n\
        \x20   request: { path: /, keep_alive: false }",
    },
    Rule {
        code: LISTENER_PROTOCOL,
        title: "a listener protocol of another kind of balancer",
        page: "Application balancers take HTTP requests, network balancers take connections. HTTPS listeners are\n\
        emulated for classic balancers only.\n\
        \n\
        Wrong:\n\
        \x20   load_balancers: { front: { zones: [a], listeners: { 80: { protocol: HTTP, target_group: web } } } }\n\
        Right:\n\
        \x20   target_groups: { web: { protocol: HTTP, targets: [web1] } }\n\
        \x20   load_balancers: { front: { type: application, zones: [a], listeners: { 80: web } } }",
    },
    Rule {
        code: CROSS_ZONE_IS_ON,
        title: "cross-zone load balancing of an application balancer",
        page: "It is always on at the load balancer, and can be switched off for a target group.\n\
        \n\
        Wrong:\n\
        \x20   load_balancers: { front: { type: application, attributes: { load_balancing.cross_zone.enabled: false } } }\n\
        Right:\n\
        \x20   target_groups: { web: { protocol: HTTP, attributes: { load_balancing.cross_zone.enabled: false } } }",
    },
    Rule {
        code: ATTRIBUTE_OF_OTHERS,
        title: "an attribute of groups of another protocol",
        page: "What a target group can be told depends on who forwards to it. An application balancer ends connections, so nothing\n\
        about preserved addresses, PROXY protocol headers or terminated flows is there; a network balancer knows no requests.\n\
        \n\
        Wrong:\n\
        \x20   target_groups: { web: { protocol: HTTP, attributes: { preserve_client_ip.enabled: true } } }\n\
        Right:\n\
        \x20   target_groups: { web: { protocol: HTTP, attributes: { load_balancing.algorithm.type: least_outstanding_requests } } }",
    },
    Rule {
        code: STICKY_OVER_HTTP,
        title: "stickiness of an HTTP group that is not emulated",
        page: "An application balancer keeps a client at one target by a cookie of its own, AWSALB. This release does not know those of applications\n\
        (`app_cookie`), nor the one that keeps a client with one of several groups (AWSALBTG), which AWS demands where one of them is sticky.\n\
        \n\
        Wrong:\n\
        \x20   target_groups: { web: { protocol: HTTP, attributes: { stickiness.enabled: true, stickiness.type: app_cookie } } }\n\
        Right:\n\
        \x20   target_groups: { web: { protocol: HTTP, attributes: { stickiness.enabled: true, stickiness.type: lb_cookie } } }",
    },
    Rule {
        code: NOT_OF_APPLICATION,
        title: "an application balancer has no such setting",
        page: "It ends connections and makes no flows. Of what AWS has for it, this release leaves out zonal shift, dual stack and\n\
        rules with several target groups.\n\
        \n\
        Wrong:\n\
        \x20   load_balancers: { front: { type: application, zones: [a], listeners: { 80: web }, emulate: { on_missing_flow: drop } } }\n\
        Right:\n\
        \x20   load_balancers: { front: { type: application, zones: [a], listeners: { 80: web } } }",
    },
    Rule {
        code: CHECKED_OVER_TCP,
        title: "an HTTP group that is checked over TCP",
        page: "An application balancer makes its checks over HTTP or HTTPS.\n\
        \n\
        Wrong:\n\
        \x20   target_groups: { web: { protocol: HTTP, targets: [web1], health_check: { protocol: TCP } } }\n\
        Right:\n\
        \x20   target_groups: { web: { protocol: HTTP, targets: [web1], health_check: { path: /healthz } } }",
    },
    Rule {
        code: ONE_BALANCER,
        title: "an `alb` group has exactly one target",
        page: "Wrong:\n\
        \x20   target_groups: { albs: { target_type: alb, targets: [inner, other] } }\n\
        Right:\n\
        \x20   target_groups: { albs: { target_type: alb, targets: [inner] } }",
    },
    Rule {
        code: NO_BALANCER,
        title: "the target of an `alb` group is an application balancer",
        page: "Wrong:\n\
        \x20   target_groups: { albs: { target_type: alb, targets: [web1] } }\n\
        Right:\n\
        \x20   target_groups: { albs: { target_type: alb, targets: [inner] } }\n\
        \x20   load_balancers: { inner: { type: application, scheme: internal, zones: [a, b], listeners: { 80: web } } }",
    },
    Rule {
        code: BALANCER_PORT,
        title: "the port of an `alb` group is one of its target's listeners",
        page: "AWS refuses to register an application balancer with a port on which it does not listen.\n\
        \n\
        Wrong:\n\
        \x20   target_groups: { albs: { target_type: alb, port: 8080, targets: [inner] } }\n\
        \x20   load_balancers: { inner: { type: application, zones: [a], listeners: { 80: web } } }\n\
        Right:\n\
        \x20   target_groups: { albs: { target_type: alb, port: 80, targets: [inner] } }",
    },
    Rule {
        code: FIXED_FOR_BALANCERS,
        title: "what an `alb` group cannot choose",
        page: "A target group of type `alb` is TCP over IPv4, belongs to TCP listeners of network balancers, has the default of every\n\
        attribute, and is checked over HTTP or HTTPS.\n\
        \n\
        Wrong:\n\
        \x20   target_groups: { albs: { target_type: alb, targets: [inner], attributes: { preserve_client_ip.enabled: false } } }\n\
        Right:\n\
        \x20   target_groups: { albs: { target_type: alb, targets: [inner] } }",
    },
    Rule {
        code: TOO_MANY_IN_FRONT,
        title: "more than two network balancers in front of an application balancer",
        page: "An application balancer is a target of two network balancers at most; the groups through which each reaches it do not\n\
        matter.\n\
        \n\
        Wrong, with `albs` an `alb` group:\n\
        \x20   load_balancers:\n\
        \x20     one: { zones: [a], listeners: { 80: albs } }\n\
        \x20     two: { zones: [a], listeners: { 80: albs } }\n\
        \x20     three: { zones: [a], listeners: { 80: albs } }\n\
        Right: two of them.",
    },
];
