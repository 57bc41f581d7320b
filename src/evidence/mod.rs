//! Everything recorded in a case, the same in memory and on disk.

pub mod capture;
pub mod clock;
pub mod flow_log_text;
pub mod flow_logs;
pub mod metrics;
pub mod model;
pub mod nat;
pub mod pairs;
pub mod store;
pub mod target_health;

pub use metrics::*;
pub use model::*;
pub use nat::*;
pub use pairs::*;
