//! Rules of the area `spec`.

use super::Rule;

/// In order of their codes.
pub const RULES: &[Rule] = &[];
