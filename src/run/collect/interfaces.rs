//! The network interfaces of a case, with ids as AWS would have given them.

use crate::evidence::flow_logs::REGION;
use crate::evidence::{Interface, resource_id};
use crate::fabric::config::{BalancerId, GatewayId, PortId, VpcId, Vpcs};
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
        let numbered = (0..).map(PortId).zip(on_fabric);
        numbered.filter_map(|(number, (host, port))| {
            let public = host.public_address.map(|address| address.to_string());
            let address = self.real(host.address);
            Some(Interface {
                addresses: std::iter::once(address.clone())
                    .chain(public.clone())
                    .chain(port.ipv6.map(|address| self.real(address)))
                    .chain(port.addresses.iter().map(|address| self.real(*address)))
                    .chain(port.routed.iter().map(ToString::to_string))
                    .collect(),
                address,
                public_address: public.unwrap_or_default(),
                account_id: ACCOUNT.to_owned(),
                instance_id: id("i", &host.name),
                ..self.place(&host.name, host.zone.as_ref()?, self.vpcs().of(number))
            })
        })
    }

    fn balancers(&self) -> impl Iterator<Item = Interface> {
        let balancers = (0..).map(BalancerId).zip(&self.plan.fabric.balancers);
        balancers.flat_map(move |(number, balancer)| {
            let vpc = self.vpcs().of_balancer(number);
            balancer.zonal.iter().map(move |zonal| {
                let public = zonal.public.map(|address| self.real(address));
                let address = self.real(zonal.private);
                Interface {
                    addresses: std::iter::once(address.clone())
                        .chain(public.clone())
                        .chain(zonal.ipv6.map(|address| self.real(address)))
                        .chain(zonal.secondary.iter().map(|address| self.real(*address)))
                        .collect(),
                    address,
                    public_address: public.unwrap_or_default(),
                    ..self.managed(
                        &format!("{}/{}", balancer.name, zonal.zone),
                        &zonal.zone,
                        vpc,
                    )
                }
            })
        })
    }

    fn gateways(&self) -> impl Iterator<Item = Interface> {
        let gateways = (0..).map(GatewayId).zip(&self.plan.fabric.nat_gateways);
        gateways.map(|(number, gateway)| {
            let mut ports = (0..).map(PortId).zip(&self.plan.fabric.ports);
            // One that no host is behind is nowhere else.
            let behind = ports.find(|(_, port)| port.nat == Some(number));
            let vpc = behind.map_or(VpcId::default(), |(host, _)| self.vpcs().of(host));
            let address = gateway.private.to_string();
            Interface {
                // Under its public ones it is reached by what it has asked for only.
                addresses: vec![address.clone()],
                address,
                public_address: gateway.addresses[0].to_string(),
                ..self.managed(&format!("nat/{}", gateway.name), &gateway.zone, vpc)
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
                    ..self.managed(
                        &format!("{}/{}", endpoint.name, zonal.zone),
                        &zonal.zone,
                        endpoint.vpc,
                    )
                }
            })
        })
    }

    /// One that AWS manages.
    fn managed(&self, name: &str, zone: &str, vpc: VpcId) -> Interface {
        Interface {
            account_id: "unknown".to_owned(),
            instance_id: "-".to_owned(),
            ..self.place(name, zone, vpc)
        }
    }

    fn vpcs(&self) -> &Vpcs {
        &self.plan.fabric.vpcs
    }

    /// A subnet is of one zone and one VPC, and here the only one of both.
    fn place(&self, name: &str, zone: &str, vpc: VpcId) -> Interface {
        let (vpc, subnet) = match vpc.0 {
            0 => ("default".to_owned(), zone.to_owned()),
            number => (number.to_string(), format!("{number}/{zone}")),
        };
        let mut zones = self.zones.iter();
        let number = zones.position(|other| *other == zone).unwrap_or(0);
        Interface {
            name: name.to_owned(),
            id: id("eni", name),
            vpc_id: id("vpc", &vpc),
            subnet_id: id("subnet", &subnet),
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

/// What an application balancer is called where it is a target.
pub(super) fn application_arn(name: &str) -> String {
    let id = resource_id(name);
    format!("arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:loadbalancer/app/{name}/{id}")
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
