//! Evidence.
pub mod model;
pub use model::*;
