//! Bytes of packets, and only bytes: checked views of IPv4, TCP, UDP and ICMP, flow keys, rewriting with right
//! checksums, building answers, splitting super-packets, one-line printing.
//!
//! Not here: hosts, flows, decisions (see `fabric`). This module imports nothing of ours. Input from outside goes
//! through `new_checked`; after that no getter can panic.

pub mod vnet;

pub use vnet::VnetHeader;
