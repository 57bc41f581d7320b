//! Rules of the area `plan`.

use super::Rule;

/// In order of their codes.
pub const RULES: &[Rule] = &[];
