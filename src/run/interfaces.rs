//! The network interfaces of a case, with ids as AWS would have given them.

use crate::evidence::{Interface, resource_id};
use crate::plan::Plan;
use std::net::SocketAddrV4;

/// The account that owns the hosts: the one of the examples in AWS's pages.
const ACCOUNT: &str = "123456789010";

/// Interfaces of the hosts that are inside, then of the balancers, the NAT gateways and the endpoints.
pub(super) fn interfaces(plan: &Plan) -> Vec<Interface> {
    let zones = zones(plan);
    let az_id = |zone: &str| {
        let number = zones.iter().position(|other| *other == zone).unwrap_or(0);
        format!("use1-az{}", number + 1)
    };
    let real = |address| {
        let end = plan.fabric.stand_ins.end(SocketAddrV4::new(address, 0));
        end.ip().to_string()
    };
    let place = |name: &str, zone: &str| Interface {
        name: name.to_owned(),
        id: id("eni", name),
        vpc_id: id("vpc", "default"),
        subnet_id: id("subnet", zone),
        zone: zone.to_owned(),
        az_id: az_id(zone),
        ..Interface::default()
    };
    let mut list = Vec::new();
    for (host, port) in plan
        .hosts
        .iter()
        .zip(&plan.fabric.ports)
        .take(plan.on_fabric())
    {
        let Some(zone) = &host.zone else { continue };
        let public = host.public_address.map(|address| address.to_string());
        let address = real(host.address);
        list.push(Interface {
            addresses: std::iter::once(address.clone())
                .chain(public.clone())
                .chain(port.routed.iter().map(ToString::to_string))
                .collect(),
            address,
            public_address: public.unwrap_or_default(),
            account_id: ACCOUNT.to_owned(),
            instance_id: id("i", &host.name),
            ..place(&host.name, zone)
        });
    }
    for balancer in &plan.fabric.balancers {
        for zonal in &balancer.zonal {
            let public = zonal.public.map(real);
            let address = real(zonal.private);
            list.push(Interface {
                addresses: std::iter::once(address.clone())
                    .chain(public.clone())
                    .chain(zonal.ipv6.map(real))
                    .collect(),
                address,
                public_address: public.unwrap_or_default(),
                account_id: "unknown".to_owned(),
                instance_id: "-".to_owned(),
                ..place(&format!("{}/{}", balancer.name, zonal.zone), &zonal.zone)
            });
        }
    }
    for gateway in &plan.fabric.nat_gateways {
        let address = gateway.private.to_string();
        list.push(Interface {
            // Under its public ones it is reached by what it has asked for only.
            addresses: vec![address.clone()],
            address,
            public_address: gateway.addresses[0].to_string(),
            account_id: "unknown".to_owned(),
            instance_id: "-".to_owned(),
            ..place(&format!("nat/{}", gateway.name), &gateway.zone)
        });
    }
    for endpoint in &plan.fabric.endpoints {
        for zonal in &endpoint.zonal {
            let address = real(zonal.address);
            list.push(Interface {
                addresses: vec![address.clone()],
                address,
                account_id: "unknown".to_owned(),
                instance_id: "-".to_owned(),
                ..place(&format!("{}/{}", endpoint.name, zonal.zone), &zonal.zone)
            });
        }
    }
    list
}

/// `eni-0` and sixteen hexadecimal digits, always the same for a name.
pub(super) fn id(kind: &str, name: &str) -> String {
    format!("{kind}-0{}", resource_id(&format!("{kind}/{name}")))
}

/// Every zone something is in, in the order of their names.
fn zones(plan: &Plan) -> Vec<&str> {
    let hosts = plan.hosts.iter().filter_map(|host| host.zone.as_deref());
    let zonal = plan
        .fabric
        .balancers
        .iter()
        .flat_map(|balancer| &balancer.zonal);
    let gateways = plan.fabric.nat_gateways.iter();
    let private = plan.fabric.endpoints.iter().flat_map(|one| &one.zonal);
    let mut zones: Vec<&str> = hosts
        .chain(gateways.map(|gateway| gateway.zone.as_str()))
        .chain(zonal.map(|zonal| zonal.zone.as_str()))
        .chain(private.map(|zonal| zonal.zone.as_str()))
        .collect();
    zones.sort_unstable();
    zones.dedup();
    zones
}
