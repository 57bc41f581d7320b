//! hairpin: a network-failure lab for one Linux machine.
//!
//! Data flows one way; each arrow is one function, each stage a module, in this order:
//!
//! ```text
//! YAML text -> spec -> plan -> world + fabric -> run -> evidence -> verdict -> report
//!              pure    pure    the machine              pure        pure       pure
//! ```
//!
//! `packet` and `fabric` are the emulated network, pure and without a clock; `expr` is the expression language of
//! expectations; `cli` joins everything. Only `world`, `run`, `cli` and evidence's store touch the machine.

pub mod cli;
pub mod diag;
pub mod evidence;
pub mod expr;
pub mod fabric;
pub mod packet;
pub mod plan;
pub mod report;
pub mod run;
pub mod spec;
pub mod units;
pub mod verdict;
pub mod world;
