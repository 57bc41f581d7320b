//! Rules of the area `spec`: structure and values (0100..), `set` (0200..).

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
/// No cases.
pub const NO_CASES: Code = Code(150);
/// No promise.
pub const NO_WORKS: Code = Code(151);
/// A fix, and no fault.
pub const FIX_WITHOUT_FAULT: Code = Code(152);
/// A fix that changes nothing.
pub const EMPTY_FIX: Code = Code(153);
/// A partial without an expectation.
pub const PARTIAL_WITHOUT_EXPECT: Code = Code(154);
/// A field that this release does not run.
pub const LATER_FIELD: Code = Code(190);
/// A verb that this release does not run.
pub const LATER_VERB: Code = Code(191);
/// A value that this release does not run.
pub const LATER_VALUE: Code = Code(192);
/// A path that is none.
pub const SET_PATH: Code = Code(200);
/// What `set` cannot change.
pub const SET_FIXED: Code = Code(201);
/// A path that the grammar does not have.
pub const SET_UNKNOWN_FIELD: Code = Code(202);
/// A path to an item that the lab does not have.
pub const SET_UNKNOWN_ITEM: Code = Code(203);
/// A path into a single value or a list.
pub const SET_INSIDE: Code = Code(204);
/// Two paths of which one is part of the other.
pub const SET_CONFLICT: Code = Code(205);
/// A step's name.
pub const SET_RENAMES: Code = Code(206);

/// In order of their codes.
pub const RULES: &[Rule] = &[];
