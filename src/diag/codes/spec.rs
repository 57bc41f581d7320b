//! The codes of the area `spec`, by part: 0100.. structure and values, 0130.. steps and expectations, 0150.. cases,
//! 0190.. what comes later, 0200.. `set`.

pub use super::cases::*;
pub use super::set::*;
pub use super::steps::*;
pub use super::values::*;
