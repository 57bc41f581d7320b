//! From plan and evidence to a verdict: pure, the same for a live run and for recorded evidence.

pub mod findings;
mod judge;
#[cfg(test)]
pub(crate) mod kit;
mod ladder;
mod model;
pub mod pages;
mod trace;
mod value;

pub use judge::{judge, judge_with};
pub use ladder::{cited, ladder};
pub use model::*;
pub use value::value;
