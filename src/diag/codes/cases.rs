//! Rules of the area `spec`: cases together, and what this release does not run yet.

use super::{Code, Rule};

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
/// A value that this release does not run.
pub const LATER_VALUE: Code = Code(192);

/// In order of their codes.
pub(super) const RULES: &[Rule] = &[
    Rule {
        code: NO_CASES,
        title: "a lab without cases",
        page: "\
A lab runs its cases; without one there is nothing to run.

Wrong:  cases: {}
Right:  cases:
          as-deployed: { kind: fault }
",
    },
    Rule {
        code: NO_WORKS,
        title: "a lab that promises nothing",
        page: "\
`works` is the promise. A fault must break it and a fix must keep it; without it both would be right whatever
happens.

Wrong:  cases:
          as-deployed: { kind: fault }
Right:  works:
          - the first connection lives on: again.ok
        cases:
          as-deployed: { kind: fault }
",
    },
    Rule {
        code: FIX_WITHOUT_FAULT,
        title: "a fix without a fault",
        page: "\
A fix proves that what the fault broke holds again. Without a fault it proves nothing.

Wrong:  cases:
          cross-zone-off: { kind: fix, set: { ... } }
Right:  cases:
          as-deployed: { kind: fault }
          cross-zone-off: { kind: fix, set: { ... } }
",
    },
    Rule {
        code: EMPTY_FIX,
        title: "a fix that changes nothing",
        page: "\
A case differs from the lab by its `set`. A fix with an empty `set`, or one that sets what is set already, is the
fault under another name. Maps merge: an empty one changes nothing, and a key that is not named stays until `null`
removes it.

Wrong:  cross-zone-off: { kind: fix }
Right:  cross-zone-off:
          kind: fix
          set: { load_balancers.front.attributes.load_balancing.cross_zone.enabled: false }
",
    },
    Rule {
        code: PARTIAL_WITHOUT_EXPECT,
        title: "a partial without an expectation",
        page: "\
A `partial` is judged by its own `expect` only, since it may keep the promise or break it.

Wrong:  halfway: { kind: partial, set: { ... } }
Right:  halfway:
          kind: partial
          set: { ... }
          expect: [share(staff.failed, staff.attempts) < 0.1]
",
    },
    Rule {
        code: LATER_FIELD,
        title: "a setting that this release does not run yet",
        page: "\
The setting belongs to the language, and a later release will run it. Ignoring it would run another lab than the one
that is written.

Wrong:  web1: { behind: router }
Right:  web1: {}
",
    },
    Rule {
        code: LATER_VALUE,
        title: "a value that this release does not run yet",
        page: "\
The value belongs to the language, and a later release will run it.

Wrong:  type: classic
Right:  type: network
",
    },
];
