//! Rules of the area `spec`: steps, servers and expectations as they are written.

use super::{Code, Rule};

/// A step that is text.
pub const NOT_A_STEP: Code = Code(130);
/// A step without a verb.
pub const NO_VARIANT: Code = Code(131);
/// A step with two verbs.
pub const TWO_VARIANTS: Code = Code(132);
/// A key beside the verb.
pub const BESIDE_VARIANT: Code = Code(133);
/// No verb.
pub const UNKNOWN_VERB: Code = Code(134);
/// No server.
pub const UNKNOWN_SERVER: Code = Code(135);
/// A verb without its settings.
pub const NEEDS_MAP: Code = Code(136);
/// Two steps of one name.
pub const STEP_NAME_TWICE: Code = Code(137);
/// `run` with nothing to run, or with two things.
pub const RUN_TEXT: Code = Code(138);
/// An nft text that begins with a brace.
pub const NFT_BRACE: Code = Code(139);
/// `- x == "a: b"`
pub const COLON_CLAIM: Code = Code(140);
/// `- a ? b : c`
pub const TERNARY_CLAIM: Code = Code(141);
/// Two claims in one entry.
pub const TWO_CLAIMS: Code = Code(142);
/// A claim of one word.
pub const CLAIM_WORDS: Code = Code(143);
/// No expression.
pub const EMPTY_CLAIM: Code = Code(144);
/// A list or map instead of an expression.
pub const CLAIM_SHAPE: Code = Code(145);

/// Words and expression in one.
pub const RUN_ON_CLAIM: Code = Code(146);

/// In order of their codes.
pub(super) const RULES: &[Rule] = &[
    Rule {
        code: NOT_A_STEP,
        title: "a step that is text",
        page: "\
A step is a map with one key, its verb.

Wrong:  - exchange over new
Right:  - exchange: { over: new }
",
    },
    Rule {
        code: NO_VARIANT,
        title: "a step without a verb",
        page: "\
A step is a map with one key, its verb.

Wrong:  - {}
Right:  - exchange: { over: new }
",
    },
    Rule {
        code: TWO_VARIANTS,
        title: "a step with two verbs",
        page: "\
Steps happen one after the other; two verbs in one step have no order. Often only a dash is missing.

Wrong:  - connect: { from: client, to: front }
          exchange: { over: new }
Right:  - connect: { from: client, to: front }
        - exchange: { over: new }
",
    },
    Rule {
        code: BESIDE_VARIANT,
        title: "a setting beside the verb",
        page: "\
The settings of a step stand inside the map behind its verb.

Wrong:  - exchange: { over: new }
          as: talk
Right:  - exchange: { over: new, as: talk }
",
    },
    Rule {
        code: UNKNOWN_VERB,
        title: "an unknown verb",
        page: "\
The help lists the verbs. A case that names a step replaces the whole step; one setting is changed by its path.

Wrong:  - exchnage: { over: new }
Right:  - exchange: { over: new }
",
    },
    Rule {
        code: UNKNOWN_SERVER,
        title: "an unknown server",
        page: "\
The help lists what a host can serve. Anything else is a program: `{ command: ... }`.

Wrong:  serve: { 80: ehco }
Right:  serve: { 80: echo }
",
    },
    Rule {
        code: NEEDS_MAP,
        title: "a verb without its settings",
        page: "\
Some verbs can be written with a single text, the one setting that they need. This one needs more.

Wrong:  - connect: front
Right:  - connect: { as: new, from: client, to: front }
",
    },
    Rule {
        code: STEP_NAME_TWICE,
        title: "two steps of one name",
        page: "\
A step's name is the name of its result, and expectations must know which is meant.

Wrong:  - exchange: { as: talk, over: old }
        - exchange: { as: talk, over: new }
Right:  - exchange: { as: first, over: old }
        - exchange: { as: second, over: new }
",
    },
    Rule {
        code: RUN_TEXT,
        title: "`run` without a text, or with two",
        page: "\
`run` has one text: `command`, or `script` for longer ones.

Wrong:  - run: { on_host: client }
Right:  - run: { on_host: client, command: ss -tin }
",
    },
    Rule {
        code: NFT_BRACE,
        title: "nft rules that begin with a brace",
        page: "\
The text goes to `nft -f` as it is, and starts with `table`, `define` or another of its words.

Wrong:  nft: \"{ chain post { ... } }\"
Right:  nft: |
          table ip nat {
            chain post { ... }
          }
",
    },
    Rule {
        code: COLON_CLAIM,
        title: "an expression that YAML took for a key and a value",
        page: "\
A colon followed by a space ends a key in YAML, even inside quotes that do not start the value.

Wrong:  - new.text == \"a: b\"
Right:  - 'new.text == \"a: b\"'
",
    },
    Rule {
        code: TERNARY_CLAIM,
        title: "a choice that YAML took for a key and a value",
        page: "\
The colon of `a ? b : c` is followed by a space, and so ends a key in YAML.

Wrong:  - new.ok ? talk.ok : true
Right:  - \"new.ok ? talk.ok : true\"
",
    },
    Rule {
        code: TWO_CLAIMS,
        title: "two claims in one entry",
        page: "\
Each claim is judged and reported on its own.

Wrong:  - it opens: new.ok
          it talks: talk.ok
Right:  - it opens: new.ok
        - it talks: talk.ok
",
    },
    Rule {
        code: CLAIM_WORDS,
        title: "a claim of one word",
        page: "\
A claim is a sentence: it is the row of every report. One word is more often a mistyped expression.

Wrong:  - opens: new.ok
Right:  - the second connection opens: new.ok
",
    },
    Rule {
        code: EMPTY_CLAIM,
        title: "no expression",
        page: "\
An expectation without an expression cannot fail.

Wrong:  - the connection opens:
Right:  - the connection opens: new.ok
",
    },
    Rule {
        code: CLAIM_SHAPE,
        title: "a list or a map instead of an expression",
        page: "\
An expression that starts with a bracket or a brace needs quotes, or YAML reads it as a list or a map.

Wrong:  - it is one of them: [\"reset\"].exists(w, w == new.error)
Right:  - it is one of them: '[\"reset\"].exists(w, w == new.error)'
",
    },
    Rule {
        code: RUN_ON_CLAIM,
        title: "words and an expression that nothing parts",
        page: "\
A claim in words is a key, and its expression the value: a colon and a space part them. In quotes the whole is one text, so
words with a colon or a `#` have quotes of their own. Without a colon all of it is taken for an expression.

Wrong:  - 'the program ends: run.exit_code == 3'
Right:  - the program ends: run.exit_code == 3
Right:  - 'step 2: the program ends': run.exit_code == 3
",
    },
];
