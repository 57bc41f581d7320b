//! From plan and evidence to a verdict: pure, the same for a live run and for recorded evidence.

pub mod findings;
mod judge;
#[cfg(test)]
pub(crate) mod kit;
pub mod ladder;
mod model;
pub mod pages;
mod scope;
mod trace;
mod value;

pub use judge::{judge, judge_with};
pub use ladder::cited;
pub use model::*;
pub use scope::Scope;
pub use value::value;
