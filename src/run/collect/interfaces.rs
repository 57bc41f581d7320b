//! The network interfaces of a case, with ids as AWS would have given them.

use crate::evidence::{Interface, resource_id};
use crate::plan::Plan;
use std::net::{Ipv4Addr, SocketAddrV4};

/// The account that owns the hosts: the one of the examples in AWS's pages.
const ACCOUNT: &str = "123456789010";

/// Interfaces of the hosts that are inside, then of the balancers, the NAT gateways and the endpoints.
pub(super) fn interfaces(plan: &Plan) -> Vec<Interface> {
    let of = Places {
        plan,
        zones: zones(plan),
    };
    let mut list: Vec<Interface> = of.hosts().collect();
    list.extend(of.balancers());
    list.extend(of.gateways());
    list.extend(of.endpoints());
    list
}

/// Where interfaces are.
struct Places<'a> {
    plan: &'a Plan,
    zones: Vec<&'a str>,
}

impl Places<'_> {
    fn hosts(&self) -> impl Iterator<Item = Interface> {
        let hosts = self.plan.hosts.iter().zip(&self.plan.fabric.ports);
        let on_fabric = hosts.take(self.plan.on_fabric());
        on_fabric.filter_map(|(host, port)| {
            let public = host.public_address.map(|address| address.to_string());
            let address = self.real(host.address);
            Some(Interface {
                addresses: std::iter::once(address.clone())
                    .chain(public.clone())
                    .chain(port.routed.iter().map(ToString::to_string))
                    .collect(),
                address,
                public_address: public.unwrap_or_default(),
                account_id: ACCOUNT.to_owned(),
                instance_id: id("i", &host.name),
                ..self.place(&host.name, host.zone.as_ref()?)
            })
        })
    }

    fn balancers(&self) -> impl Iterator<Item = Interface> {
        let balancers = self.plan.fabric.balancers.iter();
        balancers.flat_map(move |balancer| {
            balancer.zonal.iter().map(move |zonal| {
                let public = zonal.public.map(|address| self.real(address));
                let address = self.real(zonal.private);
                Interface {
                    addresses: std::iter::once(address.clone())
                        .chain(public.clone())
                        .chain(zonal.ipv6.map(|address| self.real(address)))
                        .collect(),
                    address,
                    public_address: public.unwrap_or_default(),
                    ..self.managed(&format!("{}/{}", balancer.name, zonal.zone), &zonal.zone)
                }
            })
        })
    }

    fn gateways(&self) -> impl Iterator<Item = Interface> {
        let gateways = self.plan.fabric.nat_gateways.iter();
        gateways.map(|gateway| {
            let address = gateway.private.to_string();
            Interface {
                // Under its public ones it is reached by what it has asked for only.
                addresses: vec![address.clone()],
                address,
                public_address: gateway.addresses[0].to_string(),
                ..self.managed(&format!("nat/{}", gateway.name), &gateway.zone)
            }
        })
    }

    fn endpoints(&self) -> impl Iterator<Item = Interface> {
        let endpoints = self.plan.fabric.endpoints.iter();
        endpoints.flat_map(move |endpoint| {
            endpoint.zonal.iter().map(move |zonal| {
                let address = self.real(zonal.address);
                Interface {
                    addresses: vec![address.clone()],
                    address,
                    ..self.managed(&format!("{}/{}", endpoint.name, zonal.zone), &zonal.zone)
                }
            })
        })
    }

    /// One that AWS manages.
    fn managed(&self, name: &str, zone: &str) -> Interface {
        Interface {
            account_id: "unknown".to_owned(),
            instance_id: "-".to_owned(),
            ..self.place(name, zone)
        }
    }

    fn place(&self, name: &str, zone: &str) -> Interface {
        let mut zones = self.zones.iter();
        let number = zones.position(|other| *other == zone).unwrap_or(0);
        Interface {
            name: name.to_owned(),
            id: id("eni", name),
            vpc_id: id("vpc", "default"),
            subnet_id: id("subnet", zone),
            zone: zone.to_owned(),
            az_id: format!("use1-az{}", number + 1),
            ..Interface::default()
        }
    }

    /// An address as it is written, also where it stands for one of IPv6.
    fn real(&self, address: Ipv4Addr) -> String {
        let end = SocketAddrV4::new(address, 0);
        self.plan.fabric.stand_ins.end(end).ip().to_string()
    }
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
