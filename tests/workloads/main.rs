//! Servers, steps, links, host settings and a balancer's books, each on a small lab of its own: the built binary runs it,
//! and what it recorded is read. Claims are about mechanisms; times have lower bounds only.

#[path = "../common/mod.rs"]
mod common;

mod annexes;
mod application;
mod apps;
mod balancer;
mod checks;
mod classic;
mod datagrams;
mod errors;
mod faults;
mod hosts;
mod http;
mod injections;
mod ipv6;
mod kernel;
mod kit;
mod kubernetes;
mod links;
mod mtu;
mod names;
mod nat;
mod proxy_protocol;
mod segments;
mod settings;
mod steps;
mod tls;
mod weights;
