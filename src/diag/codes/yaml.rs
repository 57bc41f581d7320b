//! Rules of the area `yaml`.

use super::Rule;

/// In order of their codes.
pub const RULES: &[Rule] = &[];
