//! From plan and evidence to a verdict: pure, the same for a live run and for recorded evidence.

pub mod findings;
mod judge;
mod ladder;
mod model;
pub mod pages;
mod value;

pub use judge::{judge, judge_with};
pub use ladder::ladder;
pub use model::*;
pub use value::value;
