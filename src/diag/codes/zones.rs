//! Rules of the area `plan`: zones of a balancer. 0573 was used: the older profile's lack of zonal shift, which is HP0355.

use super::{Code, Rule};

/// A zonal shift on a balancer that has it disabled.
pub const SHIFT_DISABLED: Code = Code(570);
/// A zonal shift away from a zone that the balancer is not in.
pub const SHIFT_ZONE: Code = Code(571);
/// Zonal shift enabled across zones, on a balancer that AWS does not let have it.
pub const SHIFT_UNSUPPORTED: Code = Code(572);

/// In order of their codes.
pub(super) const RULES: &[Rule] = &[
    Rule {
        code: SHIFT_DISABLED,
        title: "a zonal shift without the attribute that allows it",
        page: "Zonal shift is disabled on a Network Load Balancer until `zonal_shift.config.enabled` is true.\n\
        \n\
        Wrong:\n\
        \x20   load_balancers: { front: { zones: [a, b], zonal_shift: a, ... } }\n\
        Right:\n\
        \x20   load_balancers:\n\
        \x20     front: { zones: [a, b], zonal_shift: a, attributes: { zonal_shift.config.enabled: true }, ... }",
    },
    Rule {
        code: SHIFT_ZONE,
        title: "a zonal shift away from a zone that is not enabled",
        page: "A shift moves traffic away from one of the balancer's zones.\n\
        \n\
        Wrong:\n\
        \x20   front: { zones: [a, b], zonal_shift: c, ... }\n\
        Right:\n\
        \x20   front: { zones: [a, b], zonal_shift: b, ... }",
    },
    Rule {
        code: SHIFT_UNSUPPORTED,
        title: "zonal shift across zones, with a group that does not allow it",
        page: "On a balancer with cross-zone load balancing, AWS lets zonal shift be enabled only when every target group\n\
        forwards TCP or TLS, does not turn cross-zone off for itself, and has\n\
        `target_health_state.unhealthy.connection_termination.enabled` false (its default is true).\n\
        \n\
        Wrong:\n\
        \x20   attributes: { load_balancing.cross_zone.enabled: true, zonal_shift.config.enabled: true }\n\
        Right, for each target group besides:\n\
        \x20   attributes: { target_health_state.unhealthy.connection_termination.enabled: false }",
    },
];
