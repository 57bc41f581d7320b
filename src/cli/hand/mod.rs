//! The lab by hand: a case's world that stays up, and what can be done in it.
//!
//! `up` puts it up and `serve` keeps it, in processes of their own; `wire` is what is said between them and all other
//! commands, `state` what is on disk meanwhile, `choice` which of several labs a command means. `enter` (`exec`, `shell`),
//! `act` (`do`), `capture` and `metrics` work in it, `down` ends it, `ps` and `clean` tell of all of them. `draft` (`new`)
//! begins a lab of one's own.

mod act;
mod capture;
mod choice;
mod clean;
mod down;
mod draft;
mod enter;
mod metrics;
mod ps;
mod serve;
mod state;
mod up;
mod wire;

pub use act::act;
pub use capture::capture;
pub use clean::clean;
pub use down::down;
pub use draft::draft;
pub use enter::{exec, shell};
pub use metrics::metrics;
pub use ps::ps;
pub use up::up;
