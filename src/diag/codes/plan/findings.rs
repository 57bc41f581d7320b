//! Rules of the area `plan`: the findings that a case names (0420..0429).

use crate::diag::codes::{Code, Rule};

/// `finds` where nothing is found.
pub const FINDS_IN_A_FIX: Code = Code(420);
/// `may_find` leaves open what `finds` decides.
pub const MAY_FIND_WHAT_IS_JUDGED: Code = Code(421);

/// In order of their codes.
#[rustfmt::skip]
pub(in crate::diag::codes) const RULES: &[Rule] = &[
    Rule {
        code: FINDS_IN_A_FIX,
        title: "a fix or control names findings",
        page: "A fix or control shows none of the findings that the lab's faults name; that is part of its proof. So it names\n\
        none itself.\n\
        \n\
        Wrong:\n\
        \x20   kind: fix\n\
        \x20   finds: [flow-collision]\n\
        Right:\n\
        \x20   kind: fault\n\
        \x20   finds: [flow-collision]",
    },
    Rule {
        code: MAY_FIND_WHAT_IS_JUDGED,
        title: "`may_find` names what the case is judged by",
        page: "A fault must show what its `finds` names; a fix or control must show nothing that a fault's `finds` names.\n\
        `may_find` is for what else is at work, or is in some runs only: nothing depends on it.\n\
        \n\
        Wrong:\n\
        \x20   kind: fault\n\
        \x20   finds: [flow-collision]\n\
        \x20   may_find: [flow-collision]\n\
        Right:\n\
        \x20   kind: fault\n\
        \x20   finds: [flow-collision]\n\
        \x20   may_find: [stale-connection]",
    },
];
