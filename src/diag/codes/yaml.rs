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
pub const RULES: &[Rule] = &[];
