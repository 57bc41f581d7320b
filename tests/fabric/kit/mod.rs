//! A small network in memory, and packets to send through it.

mod delivery;
mod net;
mod network;
mod packets;

pub use delivery::*;
pub use net::*;
pub use network::*;
pub use packets::*;
