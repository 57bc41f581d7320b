//! Connections that meet no balancer: to whom they go, and under which addresses.

use super::Reached;
use crate::plan::{Attachment, Plan};
use crate::run::client::Client;
use std::net::{IpAddr, SocketAddr};

/// True when a client dials its own host, or one of those inside the same host: that never meets the fabric.
pub(super) fn own_or_inside(plan: &Plan, client: &Client) -> bool {
    let to = client.to.address.ip();
    let host = plan.host_of(to, client.from);
    host.is_some_and(|host| {
        plan.hosts[host.0 as usize].has(to) && plan.port(host) == plan.port(client.from)
    })
}

/// To whom it goes.
pub(super) fn reached(
    plan: &Plan,
    client: &Client,
    left_as: Option<SocketAddr>,
    translated: Option<String>,
) -> Reached {
    let remote = client.to.address;
    let Some(id) = plan.host_of(remote.ip(), client.from) else {
        return Reached::default();
    };
    let (host, from) = (
        &plan.hosts[id.0 as usize],
        &plan.hosts[client.from.0 as usize],
    );
    let crosses_gateway = host.zone.is_none() || !host.has(remote.ip());
    // What its NAT gateway dropped went nowhere.
    let behind = from.attachment == Attachment::Fabric
        && plan.fabric.ports[client.from.0 as usize].nat.is_some()
        && remote.is_ipv4();
    if behind && crosses_gateway && translated.is_none() {
        return Reached::default();
    }
    // What leaves a router leaves as its own.
    let sender = match left_as {
        Some(_) => plan.port(client.from).0,
        None => client.from.0,
    };
    let (host, from) = (&plan.hosts[id.0 as usize], &plan.hosts[sender as usize]);
    let (source, destination) = match remote {
        SocketAddr::V6(_) => (from.ipv6.map(IpAddr::from), remote.ip()),
        SocketAddr::V4(_) => {
            // A host with a public address appears under it wherever its packet passes the internet gateway.
            let public = from.public_address.filter(|_| crosses_gateway);
            let destination = match host.has(remote.ip()) {
                true => remote.ip(),
                false => host.address.into(),
            };
            (Some(public.unwrap_or(from.address).into()), destination)
        }
    };
    let own = match (left_as.or(client.local), source) {
        (Some(local), Some(source)) => SocketAddr::new(source, local.port()).to_string(),
        (_, _) => String::new(),
    };
    let seen_as = translated.unwrap_or(own);
    let target = SocketAddr::new(destination, remote.port());
    Reached {
        target: host.name.clone(),
        seen_as,
        address: target.to_string(),
    }
}
