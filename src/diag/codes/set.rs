//! Rules of the area `spec`: the paths of `set`.

use super::{Code, Rule};

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

/// What the step `set` cannot change.
pub const SET_WHILE_RUNNING: Code = Code(207);

/// In order of their codes.
pub(super) const RULES: &[Rule] = &[
    Rule {
        code: SET_PATH,
        title: "not a path",
        page: "\
A path is names with one dot between them.

Wrong:  set: { hosts..zone: b }
Right:  set: { hosts.web1.zone: b }
",
    },
    Rule {
        code: SET_FIXED,
        title: "`set` changes what makes the lab",
        page: "\
Cases are compared by one promise. A case that changes `title`, `story`, `sources`, `opt_in`, `works` or `cases` would be
another lab.

Wrong:  set: { works: [] }
Right:  set: { hosts.web1.zone: b }
",
    },
    Rule {
        code: SET_UNKNOWN_FIELD,
        title: "a path that the language does not have",
        page: "\
A path that names nothing would change nothing, and the case would prove nothing.

Wrong:  set: { load_balancers.front.shceme: internal }
Right:  set: { load_balancers.front.scheme: internal }
",
    },
    Rule {
        code: SET_UNKNOWN_ITEM,
        title: "a path to an item that the lab does not have",
        page: "\
Items must exist, so that a slip does not make a new one. A new item is added by writing it as a map.

Wrong:  set: { load_balancers.frnt.scheme: internal }
Right:  set: { load_balancers.front.scheme: internal }
",
    },
    Rule {
        code: SET_INSIDE,
        title: "a path into a single value or a list",
        page: "\
Single values and lists are replaced as a whole: places in a list have no names.

Wrong:  set: { target_groups.web.targets.web1: {} }
Right:  set: { target_groups.web.targets: [web2] }
",
    },
    Rule {
        code: SET_CONFLICT,
        title: "two paths of which one is part of the other",
        page: "\
Which of the two wins would depend on their order, and a map has none.

Wrong:  set:
          hosts.web1: { zone: b }
          hosts.web1.mtu: 1400
Right:  set:
          hosts.web1: { zone: b, mtu: 1400 }
",
    },
    Rule {
        code: SET_RENAMES,
        title: "`set` renames a step",
        page: "\
`works` speaks of results by the names of their steps, and it is the same for all cases.

Wrong:  set: { steps.talk.as: again }
Right:  set: { steps.talk.timeout: 1s }
",
    },
    Rule {
        code: SET_WHILE_RUNNING,
        title: "the step `set` changes what cannot change while the lab runs",
        page: "\
Hosts, balancers and target groups are there for the whole story, and so are listeners at which connections end (TLS, and all of
application and classic balancers); their settings can change, as an operator changes them. Targets come and go by `register` and
`deregister`.

Wrong:  - set: { path: hosts.web1.zone, value: b }
Right:  - set: { path: target_groups.web.attributes.preserve_client_ip.enabled, value: false }
",
    },
];
