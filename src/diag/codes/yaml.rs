//! Rules of the area `yaml`: what keeps a text from being a tree of values.

use super::{Code, Rule};

/// Anything without a rule of its own.
pub const SYNTAX: Code = Code(1);
/// A tab in the indentation.
pub const TAB: Code = Code(2);
/// Bytes that are no UTF-8.
pub const NOT_UTF8: Code = Code(3);
/// More than 1 MiB.
pub const FILE_TOO_LARGE: Code = Code(4);
/// More values than any lab has.
pub const TOO_MANY_NODES: Code = Code(5);
/// Deeper than any lab is.
pub const TOO_DEEP: Code = Code(6);
/// One key twice.
pub const DUPLICATE_KEY: Code = Code(7);
/// A key that is a list, a map or nothing.
pub const KEY_NOT_TEXT: Code = Code(8);
/// `on:` and the like.
pub const BOOLEAN_KEY: Code = Code(9);
/// `yes` and the like where a boolean or a name belongs.
pub const BOOLEAN_WORD: Code = Code(10);
/// `!name` anywhere.
pub const TAG: Code = Code(11);
/// `- !x.ok`
pub const TAG_IN_CLAIM: Code = Code(12);
/// `*name` without `&name`.
pub const UNKNOWN_ALIAS: Code = Code(13);
/// `<<: text`
pub const MERGE_NOT_A_MAP: Code = Code(14);
/// `---` between two documents.
pub const SECOND_DOCUMENT: Code = Code(15);
/// No value at all.
pub const EMPTY_FILE: Code = Code(16);
/// A list or text at the top.
pub const NOT_A_MAP: Code = Code(17);
/// A quote that is never closed.
pub const UNCLOSED: Code = Code(18);
/// `{ address: fd00:: }`
pub const DOUBLE_COLON: Code = Code(19);
/// A line that fits nowhere.
pub const INDENTATION: Code = Code(20);
/// `a: b: c`
pub const COLON: Code = Code(21);
/// Brackets that do not match.
pub const BRACKETS: Code = Code(22);
/// `@x`
pub const CHARACTER: Code = Code(23);
/// `nft: "... "eth0" ..."`
pub const TEXT_ON_ONE_LINE: Code = Code(24);
/// `"a" b`
pub const AFTER_QUOTE: Code = Code(25);
/// `"\q"`
pub const ESCAPE: Code = Code(26);

/// In order of their codes.
pub const RULES: &[Rule] = &[
    Rule {
        code: SYNTAX,
        title: "the file is not YAML",
        page: "\
The YAML parser gave up for a reason that has no rule of its own. The place is where it noticed; the mistake is
often a little earlier: a quote, a bracket or the indentation.

Wrong:  %YAML 9.9
        ---
        title: One
Right:  title: One
",
    },
    Rule {
        code: TAB,
        title: "a tab in the indentation",
        page: "\
YAML counts columns in spaces, because nobody agrees on how wide a tab is.

Wrong:  hosts:
        <TAB>client: {}
Right:  hosts:
          client: {}
",
    },
    Rule {
        code: NOT_UTF8,
        title: "the file is not UTF-8",
        page: "\
A lab is UTF-8 text. Other encodings are not guessed: a wrong guess would change names silently.

Wrong:  title: caf\\xe9 (Latin-1)
Right:  title: café (saved as UTF-8)
",
    },
    Rule {
        code: FILE_TOO_LARGE,
        title: "the file is too large",
        page: "\
A lab has at most 1 MiB, so that reading any file takes bounded time and memory. Real labs have a few kilobytes.

Wrong:  (a file of 1,048,577 bytes)
Right:  hosts:
          desk: { count: 1000 }
",
    },
    Rule {
        code: TOO_MANY_NODES,
        title: "the lab has too many values",
        page: "\
A lab has at most 20,000 values, and its cases together make bounded work: each has its own copy of the lab. An alias
counts as all that it stands for, and every 64 bytes of text there as one value more: nested aliases make billions of
values out of ten lines, and a thousand aliases of one long text make gigabytes.

Wrong:  a: &a [x, x]
        b: &b [*a, *a]
        c: &c [*b, *b]
Right:  hosts:
          desk: { count: 20 }
",
    },
    Rule {
        code: TOO_DEEP,
        title: "lists and maps are nested too deep",
        page: "\
No part of a lab is nested more than ten levels deep; at 48 a bracket is missing, or the file is no lab.

Wrong:  client: [[[[[[ ... ]]]]]]
Right:  client: {}
",
    },
    Rule {
        code: DUPLICATE_KEY,
        title: "a key is written twice",
        page: "\
Most YAML readers keep one of the two, and it is not always the one you think.

Wrong:  hosts:
          client: {}
          client: { zone: a }
Right:  hosts:
          client: { zone: a }
",
    },
    Rule {
        code: KEY_NOT_TEXT,
        title: "a key is not text",
        page: "\
Keys are names. A list or a map as a key is legal YAML and means nothing in a lab.

Wrong:  hosts:
          [client, other]: {}
Right:  hosts:
          client: {}
          other: {}
",
    },
    Rule {
        code: BOOLEAN_KEY,
        title: "a word that YAML 1.1 reads as a boolean is a key",
        page: "\
`on`, `off`, `yes`, `no`, `y` and `n` are booleans for many YAML readers and text for others. So the language has
no such key, and no item may have such a name.

Wrong:  - exchange: { on: new }
Right:  - exchange: { over: new }
",
    },
    Rule {
        code: BOOLEAN_WORD,
        title: "a word that YAML 1.1 reads as a boolean is a value",
        page: "\
`on`, `off`, `yes`, `no`, `y` and `n` are booleans for many YAML readers and text for others. Where a boolean
belongs write `true` or `false`; where a name belongs put it into quotes, or choose another.

Wrong:  attributes: { load_balancing.cross_zone.enabled: on }
Right:  attributes: { load_balancing.cross_zone.enabled: true }
",
    },
    Rule {
        code: TAG,
        title: "a YAML tag",
        page: "\
An exclamation mark at the start of a value names a type in YAML. Labs have no types to name.

Wrong:  zone: !zone a
Right:  zone: a
",
    },
    Rule {
        code: TAG_IN_CLAIM,
        title: "a negation that is a YAML tag",
        page: "\
An exclamation mark at the start of a value names a type in YAML, and the rest is lost. An expression that starts
with a negation needs quotes.

Wrong:  works:
          - !new.ok
Right:  works:
          - \"!new.ok\"
",
    },
    Rule {
        code: UNKNOWN_ALIAS,
        title: "an alias that stands for nothing",
        page: "\
A value that starts with `*` repeats what was marked with `&` before. If it is text, it needs quotes.

Wrong:  client: *settings
Right:  web1: &settings { zone: a }
        web2: *settings
",
    },
    Rule {
        code: MERGE_NOT_A_MAP,
        title: "`<<` with something that is no map",
        page: "\
The merge key `<<` takes over the keys of another map.

Wrong:  web2: { <<: web1 }
Right:  web1: &web { zone: a }
        web2: { <<: *web }
",
    },
    Rule {
        code: SECOND_DOCUMENT,
        title: "a second document in one file",
        page: "\
One file is one lab, so that `lab.yaml/case` names one case. The line `---` starts another document.

Wrong:  title: One
        ---
        title: Two
Right:  title: One
",
    },
    Rule {
        code: EMPTY_FILE,
        title: "the file is empty",
        page: "\
A file without any value is no lab; perhaps all of it is commented out.

Wrong:  # title: One
Right:  title: One
",
    },
    Rule {
        code: NOT_A_MAP,
        title: "the file is not a map",
        page: "\
A lab is a map: `title`, `hosts`, `steps`, `cases` and so on.

Wrong:  - title: One
Right:  title: One
",
    },
    Rule {
        code: UNCLOSED,
        title: "a quote is never closed",
        page: "\
A quoted value goes on over line ends until the same quote comes again.

Wrong:  title: \"One
Right:  title: \"One\"
",
    },
    Rule {
        code: DOUBLE_COLON,
        title: "an address that ends with a colon, in braces",
        page: "\
Inside braces YAML takes a colon before a space, a comma or a bracket for the end of a key.

Wrong:  client: { address: fd00:: }
Right:  client: { address: \"fd00::\" }
",
    },
    Rule {
        code: INDENTATION,
        title: "a line that continues nothing",
        page: "\
Entries of one map or list start in the same column. An entry of a map is `key: value`, one of a list `- value`.

Wrong:  hosts:
          client: {}
         web1: {}
Right:  hosts:
          client: {}
          web1: {}
",
    },
    Rule {
        code: COLON,
        title: "a second colon in a value",
        page: "\
A colon followed by a space ends a key. A value that holds one needs quotes.

Wrong:  title: Part 1: the fault
Right:  title: \"Part 1: the fault\"
",
    },
    Rule {
        code: BRACKETS,
        title: "brackets or commas that do not fit together",
        page: "\
Inside `{ }` and `[ ]`, entries are separated by commas, and each bracket is closed by its own kind.

Wrong:  web1: { zone: a serve: { 80: echo }
Right:  web1: { zone: a, serve: { 80: echo } }
",
    },
    Rule {
        code: CHARACTER,
        title: "a value that starts with a character of YAML",
        page: "\
The characters @ ` % & * | > ! mean something to YAML at the start of a value without quotes.

Wrong:  title: @One
Right:  title: \"@One\"
",
    },
    Rule {
        code: TEXT_ON_ONE_LINE,
        title: "a text with quotes and braces on one line",
        page: "\
Rules for nft, iptables and shell are full of quotes, braces and colons. On one line YAML takes them for its own.
A block after `|` takes every character as it is.

Wrong:  nft: \"table ip nat { chain c { oifname \"eth0\" masquerade } }\"
Right:  nft: |
          table ip nat { chain c { oifname \"eth0\" masquerade } }
",
    },
    Rule {
        code: AFTER_QUOTE,
        title: "a value that goes on after its closing quote",
        page: "\
A value that starts with a quote ends with the next one. If the quotes belong to the value, the whole needs
quotes of the other kind.

Wrong:  - \"reset\" == new.error
Right:  - '\"reset\" == new.error'
",
    },
    Rule {
        code: ESCAPE,
        title: "an unknown escape in double quotes",
        page: "\
In double quotes a backslash starts an escape. In single quotes it is a backslash.

Wrong:  title: \"One \\q\"
Right:  title: 'One \\q'
",
    },
];
