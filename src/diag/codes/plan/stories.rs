//! Rules of the area `plan`: connections and what goes over them (0410..0419).

use crate::diag::codes::{Code, Rule};

/// No step of this name.
pub const OVER_UNKNOWN: Code = Code(410);
/// A step that opens nothing.
pub const OVER_NO_CONNECTION: Code = Code(411);
/// A connection that is not open yet.
pub const OVER_LATER: Code = Code(412);
/// One 4-tuple twice.
pub const SAME_TUPLE: Code = Code(413);
/// More connections than ports, or than a lab holds.
pub const TOO_MANY_CONNECTIONS: Code = Code(414);
/// More than 64 MiB at once.
pub const TOO_MANY_BYTES: Code = Code(415);

/// In order of their codes.
#[rustfmt::skip]
pub(in crate::diag::codes) const RULES: &[Rule] = &[
    Rule {
        code: OVER_UNKNOWN,
        title: "no connection of this name",
        page: "`over` takes the name (`as`) of a `connect` or `load` step. A case that removes a step with `null` must not leave\n\
        others that use it.\n\
        \n\
        Wrong:\n\
        \x20   - connect: { as: old, from: client, to: front }\n\
        \x20   - exchange: { over: odl }\n\
        Right:\n\
        \x20   - exchange: { over: old }",
    },
    Rule {
        code: OVER_NO_CONNECTION,
        title: "a step that opens no connection",
        page: "Wrong:\n\
        \x20   - exchange: { over: old, as: again }\n\
        \x20   - exchange: { over: again }\n\
        Right:\n\
        \x20   - exchange: { over: old }",
    },
    Rule {
        code: OVER_LATER,
        title: "a connection that opens later",
        page: "Steps run in the order of the file.\n\
        \n\
        Wrong:\n\
        \x20   - exchange: { over: old }\n\
        \x20   - connect: { as: old, from: client, to: front }\n\
        Right: the other way round.",
    },
    Rule {
        code: SAME_TUPLE,
        title: "one source port twice toward one destination",
        page: "Two open connections never share one 4-tuple on one host: the second connect(2) fails with EADDRNOTAVAIL. One\n\
        source port toward two destinations is legal, and what the collision labs are about.\n\
        \n\
        Wrong:\n\
        \x20   - connect: { as: old, from: client, to: front/a, source_port: 40000 }\n\
        \x20   - connect: { as: new, from: client, to: front/a, source_port: 40000 }\n\
        Right:\n\
        \x20   - connect: { as: new, from: client, to: front/b, source_port: 40000 }",
    },
    Rule {
        code: TOO_MANY_CONNECTIONS,
        title: "too many connections",
        page: "A client has 65,535 ports toward one destination, and a lab holds 250,000 connections. `connections` counts for\n\
        each host of a group. A load with a `source_port` has as many as follow: from 60000 on, 5,536.\n\
        \n\
        Wrong:\n\
        \x20   - load: { from: client, to: front/a, connections: 100000 }\n\
        Right:\n\
        \x20   - load: { from: client, to: front, connections: 100000 }     # over three addresses",
    },
    Rule {
        code: TOO_MANY_BYTES,
        title: "too many bytes at once",
        page: "Wrong:\n\
        \x20   - send: { over: old, bytes: 256MiB }\n\
        Right:\n\
        \x20   - send: { over: old, bytes: 64MiB, times: 4 }",
    },
];
