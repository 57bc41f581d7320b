//! The emulated network between the hosts: routes, links, internet gateway, load balancers. Pure: it has no
//! clock and does no I/O. Give it a packet and the time, it hands the outcome to an [`Output`].
//!
//! Not here: TUN devices, threads, sockets (`world` drives this), names of YAML (`plan` lowers to [`Config`]).

pub mod config;
pub mod record;

pub use config::Config;
