//! Classic balancers: 0640..0659.

use super::{Code, Rule};

/// A word of other kinds of balancer.
pub const NOT_OF_CLASSIC: Code = Code(640);

/// A word of classic balancers in another one.
pub const ONLY_OF_CLASSIC: Code = Code(641);

/// A listener that is neither TCP nor HTTP nor HTTPS.
pub const NOT_EMULATED: Code = Code(642);

/// A listener without a port of its instances.
pub const NO_INSTANCE_PORT: Code = Code(643);

/// `ConnectionDraining.Timeout` without `ConnectionDraining.Enabled`.
pub const DRAINING_IS_OFF: Code = Code(644);

/// A classic balancer called as a target group.
pub const NAME_OF_GROUP: Code = Code(645);

/// Sticky sessions by an application's cookie.
pub const STICKY: Code = Code(646);

/// A setting of TCP listeners, without one.
pub const OF_TCP_LISTENERS: Code = Code(647);

/// Sticky sessions without a listener that sees cookies.
pub const STICKY_OVER_TCP: Code = Code(648);

/// The rules of this area.
pub static RULES: &[Rule] = &[
    Rule {
        code: NOT_OF_CLASSIC,
        title: "a classic balancer has no such setting",
        page: "A classic balancer is a proxy with instances. It has no target groups and no flows, so nothing that is about\n\
        those: zonal shift, address families, what happens to flows that collide or expire.\n\
        \n\
        Wrong:\n\
        \x20   chat: { type: classic, zones: [a], listeners: { 5222: servers } }\n\
        Right:\n\
        \x20   chat: { type: classic, zones: [a], instances: [blue, green], listeners: { 5222: 5222 } }",
    },
    Rule {
        code: ONLY_OF_CLASSIC,
        title: "only a classic balancer has this setting",
        page: "Network balancers forward to target groups, which name the targets and say how they are checked.\n\
        \n\
        Wrong:\n\
        \x20   front: { zones: [a], instances: [web1], listeners: { 80: 80 } }\n\
        Right:\n\
        \x20   target_groups: { web: { targets: [web1] } }\n\
        \x20   load_balancers: { front: { zones: [a], listeners: { 80: web } } }",
    },
    Rule {
        code: NOT_EMULATED,
        title: "a listener of a classic balancer that is neither TCP nor HTTP nor HTTPS",
        page: "AWS has TCP, SSL, HTTP and HTTPS listeners here. This release emulates TCP, a proxy of bytes, and\n\
        HTTP and HTTPS, one of requests.\n\
        \n\
        Wrong:\n\
        \x20   listeners: { 5222: { protocol: TLS, instance_port: 5222 } }\n\
        Right:\n\
        \x20   listeners: { 5222: 5222 }\n\
        \x20   listeners: { 443: { protocol: HTTPS, instance_port: 80 } }",
    },
    Rule {
        code: NO_INSTANCE_PORT,
        title: "a listener of a classic balancer without a port of its instances",
        page: "Each listener of a classic balancer leads to one port of all its instances.\n\
        \n\
        Wrong:\n\
        \x20   listeners: { 5222: {} }\n\
        Right:\n\
        \x20   listeners: { 5222: 5222 }",
    },
    Rule {
        code: DRAINING_IS_OFF,
        title: "a timeout of connection draining that is off",
        page: "The API's default is off, and without draining the connections of an instance are closed at once.\n\
        \n\
        Wrong:\n\
        \x20   attributes: { ConnectionDraining.Timeout: 300 }\n\
        Right:\n\
        \x20   attributes: { ConnectionDraining.Enabled: true, ConnectionDraining.Timeout: 300 }",
    },
    Rule {
        code: NAME_OF_GROUP,
        title: "a classic balancer called as a target group",
        page: "Steps name an instance as they name a target: `chat/blue`.\n\
        \n\
        Wrong:\n\
        \x20   target_groups: { chat: { targets: [blue] } }\n\
        \x20   load_balancers: { chat: { type: classic, zones: [a], instances: [blue], listeners: { 80: 80 } } }\n\
        Right:\n\
        \x20   target_groups: { servers: { targets: [blue] } }",
    },
    Rule {
        code: STICKY,
        title: "sticky sessions of a classic balancer by an application's cookie",
        page: "AWS has two policies by which a cookie decides which instance a request goes to. One follows a cookie of the\n\
        application, and is not emulated yet. The other one has a cookie of the balancer's own, AWSELB.\n\
        \n\
        Wrong:\n\
        \x20   attributes: { AppCookieStickinessPolicyType.CookieName: session }\n\
        Right:\n\
        \x20   attributes: { LBCookieStickinessPolicyType.CookieExpirationPeriod: 60 }",
    },
    Rule {
        code: OF_TCP_LISTENERS,
        title: "a setting of TCP listeners for a balancer that has only HTTP listeners",
        page: "A TCP listener passes bytes on, so what becomes of a connection at one side is a matter of settings, and a PROXY\n\
        protocol header can go before them. An HTTP listener answers each request: with 504 when its instance closes or resets\n\
        the connection, with 503 when that is not in service any more, unless `on_deregister` is `drain`. The client's address\n\
        goes into X-Forwarded-For.\n\
        \n\
        Wrong:\n\
        \x20   listeners: { 80: { protocol: HTTP, instance_port: 80 } }\n\
        \x20   emulate: { on_deregister: blackhole }\n\
        Right:\n\
        \x20   listeners: { 80: 80 }\n\
        \x20   emulate: { on_deregister: blackhole }",
    },
    Rule {
        code: STICKY_OVER_TCP,
        title: "sticky sessions without an HTTP listener",
        page: "A cookie is part of a request, and TCP listeners pass bytes on without looking at them. AWS attaches the policy to\n\
        HTTP and HTTPS listeners only.\n\
        \n\
        Wrong:\n\
        \x20   listeners: { 80: 80 }\n\
        \x20   attributes: { LBCookieStickinessPolicyType.CookieExpirationPeriod: 60 }\n\
        Right:\n\
        \x20   listeners: { 80: { protocol: HTTP, instance_port: 80 } }\n\
        \x20   attributes: { LBCookieStickinessPolicyType.CookieExpirationPeriod: 60 }",
    },
];
