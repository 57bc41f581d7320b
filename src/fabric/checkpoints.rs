//! Where a packet meets guards: the interface it leaves by, the borders of two subnets when it changes between them,
//! the interface it comes to. A load balancer's own security groups are asked by `balancer`, where flows begin.
//!
//! A network without guards pays one comparison at each of these.

use super::Fabric;
use super::balancer::Arrival;
use super::config::{BalancerId, EndpointPlace, PortId, StandIns, ZonalId};
use super::guard::rules::{Direction, SubnetId, View};
use super::guard::{AtGuard, Watch};
use super::passage::Transient;
use super::record::{FlowId, Reason};
use super::reply::DNS;
use super::routes::{Course, Routes};
use crate::packet::quote::Quote;
use crate::packet::{Headers, ICMP, UDP};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

/// A packet as it stands.
pub(super) fn view(headers: &Headers) -> View {
    View {
        protocol: headers.protocol,
        from: headers.from,
        to: headers.to,
    }
}

/// The same as its sender's subnet saw it, before a NAT gateway translated it.
fn as_left(transient: &Transient<'_>) -> View {
    let now = view(&transient.headers);
    match transient.passage.mapping {
        None => now,
        Some(_) => View {
            from: transient.passage.before.from,
            to: transient.passage.before.to,
            ..now
        },
    }
}

/// The packet that an ICMP error is about.
fn quoted(transient: &Transient<'_>) -> Option<View> {
    if transient.headers.protocol != ICMP {
        return None;
    }
    let quote = Quote::read(transient.packet, &transient.headers)?;
    Some(View {
        protocol: quote.protocol,
        from: quote.from,
        to: quote.to,
    })
}

/// The same end behind another address.
fn behind(end: SocketAddrV4, address: Ipv4Addr) -> SocketAddrV4 {
    SocketAddrV4::new(address, end.port())
}

/// From one subnet to another. Both views are of the packet as it stands there.
struct Borders {
    leaves: Option<SubnetId>,
    as_left: View,
    enters: Option<SubnetId>,
    as_entered: View,
    /// It goes by the internet gateway, so it leaves its subnet even when it comes back to it.
    by_gateway: bool,
}

impl Fabric {
    /// The security groups of the host that sends.
    pub(super) fn leaves_interface(
        &mut self,
        at: Duration,
        from: PortId,
        transient: &Transient<'_>,
    ) -> Result<(), Reason> {
        let Some(watch) = &mut self.watch else {
            return Ok(());
        };
        if speaks_of_names(&self.routes, transient, Direction::Out) {
            return Ok(());
        }
        let crossing = crossing(at, transient, view(&transient.headers), &self.stand_ins);
        watch.interface(from, Direction::Out, &crossing, None, quoted(transient))
    }

    /// The security groups of the host that receives. `through`: the load balancer that the packet comes through.
    pub(super) fn enters_interface(
        &mut self,
        at: Duration,
        to: PortId,
        transient: &Transient<'_>,
        through: Option<BalancerId>,
    ) -> Result<(), Reason> {
        let Some(watch) = &mut self.watch else {
            return Ok(());
        };
        if speaks_of_names(&self.routes, transient, Direction::In) {
            return Ok(());
        }
        let crossing = crossing(at, transient, view(&transient.headers), &self.stand_ins);
        watch.interface(to, Direction::In, &crossing, through, quoted(transient))
    }

    /// Between two hosts, perhaps by the internet gateway, which makes these of its addresses.
    pub(super) fn between_hosts(
        &mut self,
        at: Duration,
        from: PortId,
        to: PortId,
        transient: &Transient<'_>,
        (source, destination): (Ipv4Addr, Ipv4Addr),
    ) -> Result<(), Reason> {
        let Some(watch) = &mut self.watch else {
            return Ok(());
        };
        let as_left = as_left(transient);
        let entered = view(&transient.headers);
        let as_entered = View {
            from: behind(entered.from, source),
            to: behind(entered.to, destination),
            ..entered
        };
        let borders = Borders {
            leaves: watch.subnet(from),
            as_left,
            enters: watch.subnet(to),
            as_entered,
            by_gateway: as_entered != as_left,
        };
        cross(watch, at, transient, &borders, &self.stand_ins)
    }

    /// From a host to a zonal address, or to the interface of an endpoint; what is between that and the balancer passes
    /// no guard (AWS: it is no traffic of either VPC).
    pub(super) fn toward_balancer(
        &mut self,
        at: Duration,
        from: PortId,
        transient: &Transient<'_>,
        arrival: Arrival,
    ) -> Result<(), Reason> {
        let Some(watch) = &mut self.watch else {
            return Ok(());
        };
        let as_left = as_left(transient);
        let entered = view(&transient.headers);
        let as_entered = View {
            from: behind(entered.from, arrival.source),
            ..entered
        };
        let borders = Borders {
            leaves: watch.subnet(from),
            as_left,
            enters: match arrival.endpoint {
                Some(place) => watch.endpoint_subnet(place),
                None => watch.zonal_subnet(arrival.balancer, arrival.zonal),
            },
            as_entered,
            by_gateway: as_entered != as_left,
        };
        cross(watch, at, transient, &borders, &self.stand_ins)
    }

    /// From a target back to the zonal address of its flow.
    pub(super) fn back_to_balancer(
        &mut self,
        at: Duration,
        from: PortId,
        transient: &Transient<'_>,
        flow: FlowId,
    ) -> Result<(), Reason> {
        let Some(watch) = &mut self.watch else {
            return Ok(());
        };
        let (balancer, zonal) = self.balancers.table().place(flow);
        let as_left = view(&transient.headers);
        let borders = Borders {
            leaves: watch.subnet(from),
            as_left,
            enters: watch.zonal_subnet(balancer, zonal),
            as_entered: as_left,
            by_gateway: false,
        };
        cross(watch, at, transient, &borders, &self.stand_ins)
    }

    /// From the zonal address of a flow to a host. Translated already.
    pub(super) fn beyond_flow(
        &mut self,
        at: Duration,
        to: PortId,
        transient: &Transient<'_>,
        flow: FlowId,
    ) -> Result<(), Reason> {
        if self.watch.is_none() {
            return Ok(());
        }
        let place = self.balancers.table().place(flow);
        let endpoint = self.routes.endpoint_at(transient.headers.source());
        self.beyond_balancer(at, to, transient, place, endpoint)
    }

    /// From a zonal address to a host: a target, or a client, perhaps by the endpoint it came by. Translated already.
    pub(super) fn beyond_balancer(
        &mut self,
        at: Duration,
        to: PortId,
        transient: &Transient<'_>,
        (balancer, zonal): (BalancerId, ZonalId),
        endpoint: Option<EndpointPlace>,
    ) -> Result<(), Reason> {
        if self.watch.is_none() {
            return Ok(());
        }
        let as_entered = view(&transient.headers);
        // A client inside that dialled the public address is known there by its own public address.
        let course = self.routes.course(to, *as_entered.from.ip());
        let seen = match course {
            Ok(Course::Balancer { source, .. } | Course::Secondary { source, .. }) => source,
            Ok(
                Course::Host { .. }
                | Course::Endpoint(_)
                | Course::Resolver
                | Course::Gateway { .. },
            )
            | Err(_) => self
                .outside_of(&transient.passage)
                .unwrap_or(*as_entered.to.ip()),
        };
        let as_left = View {
            to: behind(as_entered.to, seen),
            ..as_entered
        };
        let Some(watch) = &mut self.watch else {
            return Ok(());
        };
        let borders = Borders {
            leaves: match endpoint {
                Some(place) => watch.endpoint_subnet(place),
                None => watch.zonal_subnet(balancer, zonal),
            },
            as_left,
            enters: watch.subnet(to),
            as_entered,
            by_gateway: as_entered != as_left,
        };
        cross(watch, at, transient, &borders, &self.stand_ins)
    }

    /// The router's own error to a host, about its packet for `beyond`, which did not fit the link there. It meets the inbound rules of
    /// the host's subnet where it comes from outside: from another subnet or none, or by a balancer's interface in another one. `dialled`: the
    /// endpoint that the packet was for.
    pub(super) fn error_enters(
        &mut self,
        at: Duration,
        to: PortId,
        transient: &Transient<'_>,
        (beyond, dialled): (PortId, Option<EndpointPlace>),
    ) -> Result<(), Reason> {
        let Some(watch) = &mut self.watch else {
            return Ok(());
        };
        let subnet = watch.subnet(to);
        let inside = match (dialled, transient.passage.flow) {
            // What is behind an endpoint is no traffic of its VPC.
            (Some(place), _) => watch.endpoint_subnet(place) == subnet,
            (None, Some(flow)) => {
                let (balancer, zonal) = self.balancers.table().place(flow);
                watch.zonal_subnet(balancer, zonal) == subnet && watch.subnet(beyond) == subnet
            }
            (None, None) => watch.subnet(beyond) == subnet,
        };
        if inside {
            return Ok(());
        }
        let entered = crossing(at, transient, view(&transient.headers), &self.stand_ins);
        watch.border(subnet, Direction::In, &entered)
    }
}

/// A question to the resolver of the VPC, or its answer. Security groups do not filter these (VPC user guide, "Control
/// traffic to your AWS resources using security groups"); no network ACL does, since they cross no subnet's border.
fn speaks_of_names(routes: &Routes, transient: &Transient<'_>, direction: Direction) -> bool {
    let headers = &transient.headers;
    let resolver = match direction {
        Direction::Out => headers.to,
        Direction::In => headers.from,
    };
    headers.protocol == UDP && resolver.port() == DNS && routes.is_resolver(*resolver.ip())
}

fn crossing<'a>(
    at: Duration,
    transient: &'a Transient<'_>,
    view: View,
    stand_ins: &'a StandIns,
) -> AtGuard<'a> {
    AtGuard {
        at,
        packet: transient.passage.id,
        view,
        headers: &transient.headers,
        probe: transient.passage.probe,
        stand_ins,
    }
}

fn cross(
    watch: &mut Watch,
    at: Duration,
    transient: &Transient<'_>,
    borders: &Borders,
    stand_ins: &StandIns,
) -> Result<(), Reason> {
    if borders.leaves == borders.enters && !borders.by_gateway {
        return Ok(());
    }
    let left = crossing(at, transient, borders.as_left, stand_ins);
    watch.border(borders.leaves, Direction::Out, &left)?;
    let entered = crossing(at, transient, borders.as_entered, stand_ins);
    watch.border(borders.enters, Direction::In, &entered)
}
