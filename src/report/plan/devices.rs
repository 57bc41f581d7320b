//! The devices of a host as an operator would make them: `eth0`, bridges for what is behind it, the veths that lead there.

use crate::plan::{Attachment, Host, HostId, Plan, Wiring};
use std::fmt::Write;

/// Where hosts are that stand in one line, in words: of several in different places each place with whom it has.
pub(super) fn places(plan: &Plan, hosts: &[Host]) -> String {
    let mut found: Vec<(String, Vec<String>)> = Vec::new();
    for host in hosts {
        let place = place(plan, host);
        match found.iter_mut().find(|(known, _)| *known == place) {
            Some((_, names)) => names.push(host.name.clone()),
            None => found.push((place, vec![host.name.clone()])),
        }
    }
    match (hosts, found.as_slice()) {
        ([one], [(place, _)]) => match &one.attachment {
            Attachment::Inside(veth) if matches!(veth.wiring, Wiring::Routed) => {
                format!("{place}, by {}", veth.name)
            }
            Attachment::Inside(_) | Attachment::Fabric => place.clone(),
        },
        (_, [(place, _)]) => place.clone(),
        (_, some) => {
            let told = some.iter();
            let told = told.map(|(place, names)| format!("{} {place}", super::listed(names)));
            told.collect::<Vec<_>>().join("; ")
        }
    }
}

/// Where a host is, in words.
fn place(plan: &Plan, host: &Host) -> String {
    match (&host.attachment, &host.zone) {
        (Attachment::Fabric, Some(zone)) => format!("zone {zone}"),
        (Attachment::Fabric, None) => "on the internet".to_owned(),
        (Attachment::Inside(veth), _) => {
            let parent = &plan.hosts[veth.parent.0 as usize].name;
            match &veth.wiring {
                Wiring::Bridged { bridge, .. } => {
                    format!("behind {parent}, on its bridge {bridge}")
                }
                Wiring::Routed => format!("inside {parent}"),
            }
        }
    }
}

/// Devices, addresses and routes, in order.
pub(super) fn devices(plan: &Plan, id: HostId, out: &mut String) {
    let host = &plan.hosts[id.0 as usize];
    match &host.attachment {
        Attachment::Fabric => {
            line!(out, "    unshare net, mnt; TUN eth0 with vnet headers");
            line!(
                out,
                "    ip addr add {}/32 dev eth0; ip link set eth0 mtu {} up; ip route add default dev eth0",
                host.address,
                host.mtu
            );
        }
        Attachment::Inside(veth) => {
            let parent = &plan.hosts[veth.parent.0 as usize].name;
            line!(
                out,
                "    unshare net, mnt; eth0 is the other end of {} in {parent}",
                veth.name
            );
            let (prefix, routes) = match &veth.wiring {
                Wiring::Bridged {
                    prefix, gateway, ..
                } => (*prefix, format!("ip route add default via {gateway}")),
                Wiring::Routed => (
                    32,
                    format!(
                        "ip route add 169.254.1.1 dev eth0; ip neigh add 169.254.1.1 dev eth0 lladdr (that of {}) nud permanent; ip route add default via 169.254.1.1",
                        veth.name
                    ),
                ),
            };
            line!(
                out,
                "    ip addr add {}/{prefix} dev eth0; ip link set eth0 mtu {} up; {routes}",
                host.address,
                host.mtu
            );
        }
    }
    if let Some(ipv6) = host.ipv6 {
        line!(
            out,
            "    sysctl -w net.ipv6.conf.eth0.disable_ipv6=0; ip addr add {ipv6}/128 dev eth0 nodad; ip -6 route add default dev eth0"
        );
    }
    for bridge in &host.bridges {
        line!(
            out,
            "    ip link add {} type bridge; ip addr add {}/{} dev {0}; ip link set {0} mtu {} up",
            bridge.name,
            bridge.address,
            bridge.prefix,
            host.mtu
        );
    }
    inside(plan, id, out);
}

/// What the host's namespace has of those inside it.
fn inside(plan: &Plan, parent: HostId, out: &mut String) {
    let veths = plan.hosts.iter().filter_map(|host| match &host.attachment {
        Attachment::Inside(veth) if veth.parent == parent => Some((host, veth)),
        Attachment::Inside(_) | Attachment::Fabric => None,
    });
    let mut forwards = false;
    for (host, veth) in veths {
        if !forwards {
            line!(out, "    sysctl -w net.ipv4.ip_forward=1");
            forwards = true;
        }
        let then = match &veth.wiring {
            Wiring::Bridged { bridge, .. } => {
                format!("ip link set {} master {bridge} up", veth.name)
            }
            Wiring::Routed => format!(
                "ip link set {0} up; ip route add {1} dev {0}",
                veth.name, host.address
            ),
        };
        line!(
            out,
            "    ip link add {} type veth peer name eth0 netns (that of {}); {then}",
            veth.name,
            host.name
        );
    }
}
