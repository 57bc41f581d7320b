//! Rules of the area `expr`.

use super::{Code, Rule};

pub(crate) const TOO_LARGE: Code = Code(500);
pub(crate) const SYNTAX: Code = Code(502);
pub(crate) const LITERAL: Code = Code(503);
pub(crate) const SINGLE_EQUALS: Code = Code(504);
pub(crate) const SLIP: Code = Code(505);
pub(crate) const UNIT: Code = Code(506);
pub(crate) const UNSIGNED: Code = Code(507);
pub(crate) const UNSUPPORTED: Code = Code(508);
pub(crate) const CHAIN: Code = Code(509);
pub(crate) const NAME: Code = Code(510);
pub(crate) const FIELD: Code = Code(511);
pub(crate) const HYPHEN: Code = Code(512);
pub(crate) const INDEX: Code = Code(513);
pub(crate) const FUNCTION: Code = Code(514);
pub(crate) const ARGUMENTS: Code = Code(515);
pub(crate) const MACRO: Code = Code(516);
pub(crate) const COUNTER: Code = Code(517);
pub(crate) const FIXED: Code = Code(518);
pub(crate) const OPERANDS: Code = Code(520);
pub(crate) const DIVISION: Code = Code(521);
pub(crate) const NUMBERS: Code = Code(522);
pub(crate) const COMPARE: Code = Code(523);
pub(crate) const WORD: Code = Code(524);
pub(crate) const NULL: Code = Code(525);
pub(crate) const CONTAINED: Code = Code(526);
pub(crate) const CONDITION: Code = Code(527);
pub(crate) const MIXED: Code = Code(528);
pub(crate) const RESULT: Code = Code(529);

/// In order of their codes.
pub const RULES: &[Rule] = &[
    Rule {
        code: TOO_LARGE,
        title: "an expression is too large",
        page: "\
An expression has at most 1024 bytes and 64 operators, dots and brackets. What is longer says several things, and
a report can only tell which of them is false when they stand apart.

Wrong:  - a.ok && b.ok && c.ok && ... (forty more)
Right:  - the first: a.ok
        - the second: b.ok
",
    },
    Rule {
        code: SYNTAX,
        title: "an expression cannot be read",
        page: "\
A bracket is not closed, an operator lacks a side, or something stands where it means nothing. Expressions are CEL
(the Common Expression Language): values, the operators || && ! == != < <= > >= in + - * / % ?: and functions.

Wrong:  - new.ok && (new.syns == 1
Right:  - new.ok && (new.syns == 1)
",
    },
    Rule {
        code: LITERAL,
        title: "a text or number is not well formed",
        page: "\
Text stands between two straight quotes of one kind, \"...\" or '...'. After a backslash come n r t \\ \" ' or
xHH, uHHHH; a text after r, as r\"...\", takes backslashes as they are. Numbers are 12, 0x1f, 1.5, 1e3; integers
have 63 bits.

Wrong:  - 'late.error == \"reset'
Right:  - 'late.error == \"reset\"'
",
    },
    Rule {
        code: SINGLE_EQUALS,
        title: "a single = compares nothing",
        page: "\
Nothing can be set in an expression, so one = has no meaning.

Wrong:  - new.syns = 1
Right:  - new.syns == 1
",
    },
    Rule {
        code: SLIP,
        title: "an operator of another language",
        page: "\
CEL writes the operators as C does.

Wrong:  - new.ok and not again.ok
Right:  - new.ok && !again.ok

Wrong:  - staff.failed =< 3
Right:  - staff.failed <= 3
",
    },
    Rule {
        code: UNIT,
        title: "a number with a unit",
        page: "\
Times in the evidence are plain milliseconds: `ms` of a step is how long it took, `at` when it began.

Wrong:  - new.ms < 2s
Right:  - new.ms < 2000
",
    },
    Rule {
        code: UNSIGNED,
        title: "an unsigned number",
        page: "\
CEL's unsigned numbers do not mix with others: 1u + 1 is an error when it runs. All integers of the evidence are
signed, so there is no use for them.

Wrong:  - new.syns == 1u
Right:  - new.syns == 1
",
    },
    Rule {
        code: UNSUPPORTED,
        title: "a part of CEL that expectations do not have",
        page: "\
Map literals {...} and bytes b\"...\" have no counterpart in the evidence.

Wrong:  - 'late.text == b\"hello\"'
Right:  - 'late.text == \"hello\"'
",
    },
    Rule {
        code: CHAIN,
        title: "comparisons in a chain",
        page: "\
a <= x <= b compares the first comparison's true or false with b.

Wrong:  - 1 <= new.syns <= 3
Right:  - between(new.syns, 1, 3)
Right:  - 1 <= new.syns && new.syns <= 3
",
    },
    Rule {
        code: NAME,
        title: "an expression names nothing that exists",
        page: "\
A path begins with hosts, load_balancers, target_groups, findings, packets or the name of a step's result: what
stands after `as`, or the key of a named step. Text stands in quotes.

Wrong:  - web1.counters.TcpOutRsts == 0
Right:  - hosts.web1.counters.TcpOutRsts == 0

Wrong:  - late.error == reset
Right:  - late.error == \"reset\"
",
    },
    Rule {
        code: FIELD,
        title: "a path names a field that is not there",
        page: "\
Every result has ok, error, errno, ms and at; what else it has depends on the step's kind. The help lists what there
is.

Wrong:  - new.syn == 1
Right:  - new.syns == 1
",
    },
    Rule {
        code: HYPHEN,
        title: "a name with a hyphen reads as a subtraction",
        page: "\
web-1.ok is web minus 1.ok. Names with a hyphen are reached in brackets.

Wrong:  - hosts.web-1.self_sourced == 0
Right:  - hosts[\"web-1\"].self_sourced == 0
",
    },
    Rule {
        code: INDEX,
        title: "an index of the wrong kind",
        page: "\
A list is indexed by an integer from 0, a map by text. A group of fields takes a computed name only when all its
fields are of one type, as hosts is.

Wrong:  - hosts.web1.counters[0] == 1
Right:  - hosts.web1.counters[\"TcpOutRsts\"] == 1
",
    },
    Rule {
        code: FUNCTION,
        title: "a function that does not exist",
        page: "\
Functions:  share(part, whole)  between(x, low, high)  plausible(successes, tries, probability)
            size(list)  double(integer)  has(path.field)
Methods:    text.startsWith(\"\")  text.endsWith(\"\")  text.contains(\"\")  list.size()
            list.all(x, ...)  list.exists(x, ...)  list.exists_one(x, ...)  list.filter(x, ...)  list.map(x, ...)

share is a float, 0.0 when the whole is 0. between includes both ends. plausible is true inside the two-sided
binomial interval of one in a million.

Wrong:  - length(findings) == 1
Right:  - size(findings) == 1
",
    },
    Rule {
        code: ARGUMENTS,
        title: "a function is given the wrong values",
        page: "\
Wrong:  - plausible(curl.failed, curl.attempts)
Right:  - plausible(curl.failed, curl.attempts, 1.0 / 3.0)
",
    },
    Rule {
        code: MACRO,
        title: "all, exists, filter or map are not well formed",
        page: "\
They go over a list, or over the names of a map, and give each element in turn a name of your choice. At most two
may be nested: over n elements each level multiplies the work by n.

Wrong:  - hosts.web.sockets.exists(state == \"ESTABLISHED\")
Right:  - hosts.web.sockets.exists(s, s.state == \"ESTABLISHED\")
",
    },
    Rule {
        code: COUNTER,
        title: "a counter that is almost one of Linux's",
        page: "\
Counters have the names that `nstat -az` prints. A name that differs from one of them by a letter or two is taken for a
slip: no kernel would have it, and the case could never be told. What a newer kernel counts is written as an index.

Wrong:  - hosts.web1.counters.TcpInSegz == 0
Right:  - hosts.web1.counters.TcpInSegs == 0
Right:  - 'hosts.web1.counters[\"TcpExtOfANewerKernel\"] == 0'
",
    },
    Rule {
        code: FIXED,
        title: "a condition that nothing can change",
        page: "\
What is made of numbers and words alone, or compares a thing with itself, comes out the same whatever happens in the
case. A claim of it cannot fail, or never holds; beside `&&` or `||` it says nothing, or silences the other side.

Seen are these two forms, the second where both sides are written alike. That `size(packets) >= 0` always holds, or
`new.ok ? true : true`, is not.

Wrong:  - true
Right:  - new.ok

Wrong:  - new.ok || 1 == 1
Right:  - new.ok || new.syns == 1

Wrong:  - new.syns == new.syns
Right:  - new.syns == old.syns
",
    },
    Rule {
        code: OPERANDS,
        title: "an arithmetic operator between things that are no numbers",
        page: "\
+ - * / and % work on numbers only; text is not joined.

Wrong:  - 'new.via + new.target == \"front/aweb1\"'
Right:  - 'new.via == \"front/a\" && new.target == \"web1\"'
",
    },
    Rule {
        code: DIVISION,
        title: "a division of integers",
        page: "\
Between integers / drops the rest: failed / attempts is 0 unless all failed, and the claim would pass or fail for
the wrong reason. share(a, b) divides as floats and is 0.0 when b is 0.

Wrong:  - staff.failed / staff.attempts > 0.1
Right:  - share(staff.failed, staff.attempts) > 0.1
",
    },
    Rule {
        code: NUMBERS,
        title: "an integer and a float in one calculation",
        page: "\
CEL compares integers with floats but does not calculate with both.

Wrong:  - staff.failed * 1.5 < staff.attempts
Right:  - double(staff.failed) * 1.5 < staff.attempts
",
    },
    Rule {
        code: COMPARE,
        title: "a comparison of things that are never equal",
        page: "\
Numbers compare with numbers, text with text, true and false with each other. Only numbers and text have an order.

Wrong:  - new.syns == \"1\"
Right:  - new.syns == 1
",
    },
    Rule {
        code: WORD,
        title: "a word that the evidence never uses",
        page: "\
Errors, states and the like are words out of a fixed list; another word would make the claim false for ever, or true
for ever behind a !=. Errors: \"\" refused reset timeout deadline unreachable no-address no-port eof closed
not-connected, and of a program `failed`. `timeout` is the kernel giving up, `deadline` is the step's own limit.
Likewise senders, receivers, interfaces and targets are names of this lab (or empty), flags stand as tcpdump prints
them, and the fate of a packet that was dropped has its reason. No socket of `sockets` is in the state LISTEN: those
that listen are in `listeners`.

Wrong:  - again.error == \"timed-out\"
Right:  - again.error == \"deadline\"
Wrong:  - '!packets.exists(p, p.fate == \"dropped\")'
Right:  - '!packets.exists(p, p.fate.startsWith(\"dropped: \"))'
Wrong:  - 'hosts.web.sockets.exists(s, s.state == \"LISTEN\" && s.recv_queue > 0)'
Right:  - 'hosts.web.listeners.exists(l, l.waiting > 0)'
",
    },
    Rule {
        code: NULL,
        title: "a comparison with null",
        page: "\
Every field of the evidence has a value. The error of a step that went well is the empty text.

Wrong:  - new.error == null
Right:  - new.error == \"\"
Right:  - new.ok
",
    },
    Rule {
        code: CONTAINED,
        title: "`in` where there is nothing to look into",
        page: "\
`in` asks whether a list has an element or a map has a name.

Wrong:  - late.error in \"reset closed\"
Right:  - late.error in [\"reset\", \"closed\"]
",
    },
    Rule {
        code: CONDITION,
        title: "a condition that is neither true nor false",
        page: "\
&& || ! ?: and the body of all, exists and filter take true or false; a number is not true because it is not 0.

Wrong:  - new.syns && new.ok
Right:  - new.syns > 0 && new.ok
",
    },
    Rule {
        code: MIXED,
        title: "elements or branches of different types",
        page: "\
All elements of a list, and both branches of ?:, are of one type.

Wrong:  - new.errno in [0, \"110\"]
Right:  - new.errno in [0, 110]
",
    },
    Rule {
        code: RESULT,
        title: "an expectation that is neither true nor false",
        page: "\
An entry of works or expect is a claim.

Wrong:  - new.syns
Right:  - new.syns == 1

Wrong:  - new
Right:  - new.ok
",
    },
];
