//! Rules of the area `spec`: keys, shapes and single values.

use super::{Code, Rule};

/// A key that its section does not have.
pub const UNKNOWN_KEY: Code = Code(100);
/// A key that must be written.
pub const MISSING_KEY: Code = Code(101);
/// A list where a map belongs, and so on.
pub const WRONG_SHAPE: Code = Code(102);
/// A key with nothing behind it.
pub const NO_VALUE: Code = Code(103);
/// A list that needs an item.
pub const LIST_TOO_SHORT: Code = Code(104);
/// One item twice.
pub const LISTED_TWICE: Code = Code(105);
/// A dotted name written as nested maps.
pub const NESTED_NAME: Code = Code(106);
/// Text without a character.
pub const EMPTY_TEXT: Code = Code(107);
/// More lines than one.
pub const MANY_LINES: Code = Code(108);
/// No number.
pub const NUMBER: Code = Code(110);
/// A number that is too small or too large.
pub const OUT_OF_RANGE: Code = Code(111);
/// Neither true nor false.
pub const BOOL: Code = Code(112);
/// No duration.
pub const DURATION: Code = Code(113);
/// Cloud time where time is real.
pub const NOT_CLOUD: Code = Code(114);
/// No rate.
pub const RATE: Code = Code(115);
/// No share.
pub const PERCENT: Code = Code(116);
/// No size.
pub const BYTES: Code = Code(117);
/// No word of the vocabulary.
pub const WORD: Code = Code(118);
/// No name.
pub const NAME: Code = Code(119);
/// No name for a result.
pub const RESULT_NAME: Code = Code(120);
/// A result's name that expressions use otherwise.
pub const RESULT_KEYWORD: Code = Code(121);
/// No address.
pub const ADDRESS: Code = Code(122);
/// No port.
pub const PORT: Code = Code(123);
/// No zonal address.
pub const ZONAL: Code = Code(124);

/// In order of their codes.
pub(super) const RULES: &[Rule] = &[
    Rule {
        code: UNKNOWN_KEY,
        title: "an unknown key",
        page: "\
A key that nobody reads would be a setting that does nothing. The help lists the keys there are.

Wrong:  web1: { zoen: a }
Right:  web1: { zone: a }
",
    },
    Rule {
        code: MISSING_KEY,
        title: "a required key is missing",
        page: "\
The language has defaults where there is a usual value. This key has none.

Wrong:  - connect: { as: new, to: front }
Right:  - connect: { as: new, from: client, to: front }
",
    },
    Rule {
        code: WRONG_SHAPE,
        title: "a list, a map or a single value in the wrong place",
        page: "\
What a case may change has keys, so most things are maps; lists are for names, steps and expectations.

Wrong:  listeners: [80]
Right:  listeners: { 80: web }
",
    },
    Rule {
        code: NO_VALUE,
        title: "a key without a value",
        page: "\
A key with nothing behind it means `null` in YAML. Write `{}` for an item whose settings all have their defaults.

Wrong:  hosts:
          client:
Right:  hosts:
          client: {}
",
    },
    Rule {
        code: LIST_TOO_SHORT,
        title: "an empty list",
        page: "\
A lab without steps, or a balancer without zones, does nothing.

Wrong:  zones: []
Right:  zones: [a]
",
    },
    Rule {
        code: LISTED_TWICE,
        title: "one name listed twice",
        page: "\
A target, a zone or a finding is there or not; twice means the same as once, so one of them is a slip.

Wrong:  targets: [web1, web1]
Right:  targets: [web1, web2]
",
    },
    Rule {
        code: NESTED_NAME,
        title: "a dotted name written as nested maps",
        page: "\
AWS attributes and sysctls have names with dots. The whole name is one key, as AWS and sysctl(8) print it; its
value is a single one.

Wrong:  sysctls: { net: { ipv4: { tcp_timestamps: 0 } } }
Right:  sysctls: { net.ipv4.tcp_timestamps: 0 }
",
    },
    Rule {
        code: EMPTY_TEXT,
        title: "an empty text",
        page: "\
A text that is written says something.

Wrong:  title: \"\"
Right:  title: Two addresses, one target
",
    },
    Rule {
        code: MANY_LINES,
        title: "a text of more than one line",
        page: "\
This text stands in one row of every report.

Wrong:  title: |
          Two addresses,
          one target
Right:  title: Two addresses, one target
",
    },
    Rule {
        code: NUMBER,
        title: "not a number",
        page: "\
Numbers are written in decimal digits, without quotes, units, separators or leading zeros (which YAML 1.1 reads as
octal).

Wrong:  source_port: 040000
Right:  source_port: 40000
",
    },
    Rule {
        code: OUT_OF_RANGE,
        title: "a number out of its range",
        page: "\
The help says the range. It is what the protocol, the kernel or the emulator can do.

Wrong:  source_port: 70000
Right:  source_port: 40000
",
    },
    Rule {
        code: BOOL,
        title: "neither true nor false",
        page: "\
A boolean is `true` or `false`, without quotes.

Wrong:  hold: maybe
Right:  hold: true
",
    },
    Rule {
        code: DURATION,
        title: "not a duration",
        page: "\
A duration has a unit: us, ms, s, m or h. A number alone would be seconds to one reader and milliseconds to the next.

Wrong:  timeout: 5
Right:  timeout: 5s
",
    },
    Rule {
        code: NOT_CLOUD,
        title: "cloud time where time is real",
        page: "\
`cloud` marks time that `time_scale` shortens, in steps and in what servers wait for. The links of a lab live in real time.

Wrong:  link: { delay: 30ms cloud }
Right:  link: { delay: 30ms }
",
    },
    Rule {
        code: RATE,
        title: "not a rate",
        page: "\
A rate is in bits per second, with the units of tc(8): bit, kbit, mbit, gbit.

Wrong:  link: { rate: 50Mbit/s }
Right:  link: { rate: 50mbit }
",
    },
    Rule {
        code: PERCENT,
        title: "not a share",
        page: "\
A share has a percent sign, so that `1` cannot be read as all.

Wrong:  link: { loss: 0.01 }
Right:  link: { loss: 1% }
",
    },
    Rule {
        code: BYTES,
        title: "not a size",
        page: "\
A size is a number of bytes, or has a unit: B, kB, MB, GB (powers of 1000), KiB, MiB, GiB (powers of 1024).

Wrong:  bytes: 64k
Right:  bytes: 64KiB
",
    },
    Rule {
        code: WORD,
        title: "a word that is not in the vocabulary",
        page: "\
This setting takes one of a few words.

Wrong:  kind: contrl
Right:  kind: control
",
    },
    Rule {
        code: NAME,
        title: "not a name",
        page: "\
Names of hosts, groups, balancers, zones and cases are small letters, digits and hyphens, and start with a letter:
they become host names and parts of paths.

Wrong:  hosts:
          Client_1: {}
Right:  hosts:
          client-1: {}
",
    },
    Rule {
        code: RESULT_NAME,
        title: "not a name for a result",
        page: "\
Expressions use the names of steps, and a hyphen is a subtraction there. So they are small letters, digits and
underscores, and start with a letter.

Wrong:  - connect: { as: new-one, from: client, to: front }
Right:  - connect: { as: new_one, from: client, to: front }
",
    },
    Rule {
        code: RESULT_KEYWORD,
        title: "a result is called like a word of the expression language",
        page: "\
Expectations could not speak of a step that is called like a CEL keyword, or like a part of the evidence.

Wrong:  - exchange: { as: hosts, over: new }
Right:  - exchange: { as: talk, over: new }
",
    },
    Rule {
        code: ADDRESS,
        title: "not an IPv4 address",
        page: "\
An address has four numbers of 0 to 255, and no prefix length.

Wrong:  address: 192.0.2.1/24
Right:  address: 192.0.2.1
",
    },
    Rule {
        code: PORT,
        title: "not a port",
        page: "\
Ports are numbers from 1 to 65535. What a host serves may be UDP: `53/udp`.

Wrong:  serve: { http: echo }
Right:  serve: { 80: echo }
",
    },
    Rule {
        code: ZONAL,
        title: "not a zonal address",
        page: "\
A balancer has one address in each of its zones, written balancer/zone.

Wrong:  prefer: { \"front:a\": web1 }
Right:  prefer: { front/a: web1 }
",
    },
];
