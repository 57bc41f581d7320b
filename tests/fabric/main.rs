//! The fabric through its public interface: what each packet becomes, what is counted, and what holds whatever
//! comes in. No privilege, no clock, no device. Every packet that leaves it is verified by `etherparse`.

mod addresses;
mod allocations;
mod attempts;
mod balancing;
mod collisions;
mod endpoints;
mod errors;
mod faults;
mod gateway;
mod guards;
mod health;
mod ipv6;
mod kit;
mod lending;
mod links;
mod metrics;
mod nat;
mod opinions;
mod probes;
mod properties;
mod proxies;
mod proxy_protocol;
mod recycle;
mod resolver;
mod service_proxy;
mod short_way;
mod targets;
mod timeouts;
mod translation;
mod vpcs;
mod zones;
