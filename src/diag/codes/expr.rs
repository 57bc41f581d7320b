//! Rules of the area `expr`.

use super::Rule;

/// In order of their codes.
pub const RULES: &[Rule] = &[];
