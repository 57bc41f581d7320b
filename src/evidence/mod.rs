//! Everything recorded in a case, the same in memory and on disk.
//!
//! `model` is the record itself; `flow_logs`, `flow_log_text` and `target_health` are what AWS would show of it, at the
//! times of `clock`; `store` keeps it in folders, `reading` takes it from what it finds there, `capture` writes its packets
//! for other tools.

pub mod capture;
pub mod clock;
pub mod flow_log_text;
pub mod flow_logs;
pub mod model;
pub mod reading;
pub mod store;
pub mod target_health;

pub use model::*;
