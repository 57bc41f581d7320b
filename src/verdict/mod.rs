//! From plan and evidence to a verdict: pure, the same for a live run and for recorded evidence.

pub mod findings;
mod judge;
mod model;
mod value;

pub use judge::{judge, judge_with};
pub use model::*;
pub use value::value;
