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

// What every stage speaks: quantities, places in a file and what is wrong there, expressions.
pub mod units;

pub mod diag;

pub mod expr;

// From text to what will be built.
pub mod spec;

pub mod plan;

// The emulated network: bytes, and what becomes of them.
pub mod packet;

pub mod fabric;

// The machine, and what happens on it.
pub mod world;

pub mod run;

// The way back: what was recorded, what it proves, how it is told.
pub mod evidence;

pub mod verdict;

pub mod report;

// All of it together.
pub mod cli;

#[cfg(test)]
mod testing;
