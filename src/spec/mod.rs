//! Reading labs.
pub mod model;
pub use model::*;
