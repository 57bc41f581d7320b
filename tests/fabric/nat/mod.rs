//! NAT gateways. Here the network with one, and hosts behind it.

mod expiry;
mod icmp;
mod insertion;
mod ports;
mod properties;
mod way;

use crate::kit::*;
use hairpin::fabric::config::*;
use hairpin::fabric::nat::NatCounters;
use hairpin::fabric::record::*;
use std::net::SocketAddrV4;
use std::time::Duration;

/// Hosts behind the gateway, besides those of [`config`].
const APP: PortId = PortId(4);
const OTHER: PortId = PortId(5);
const APP_IP: &str = "10.0.3.10";
const OTHER_IP: &str = "10.0.3.11";
const EGRESS: &str = "192.0.2.10";
const EGRESS_2: &str = "192.0.2.11";

fn timeouts() -> NatTimeouts {
    NatTimeouts {
        established: IDLE,
        transitory: ms(30_000),
        closed: Duration::ZERO,
        datagram: ms(60_000),
    }
}

fn gateway() -> NatGateway {
    NatGateway {
        name: "egress".to_owned(),
        zone: "a".to_owned(),
        profile: NatProfile::Aws,
        private: ip("10.0.1.6"),
        addresses: vec![ip(EGRESS)],
        allocation: Allocation::PerDestination(55_000),
        port_order: PortOrder::Sequential,
        timeouts: timeouts(),
        on_missing_flow: OnMissingFlow::Reset,
        reset_at_expiry: false,
        insertion_delay: Duration::ZERO,
        clash_resolve: true,
    }
}

/// [`one_target`] with two more hosts, behind this gateway.
fn behind(gateway: NatGateway) -> Config {
    let mut config = one_target();
    for (name, address) in [("app", APP_IP), ("other", OTHER_IP)] {
        config.ports.push(Port {
            name: name.to_owned(),
            address: ip(address),
            public_address: None,
            nat: Some(GatewayId(0)),
            ..config.ports[INSIDE.0 as usize].clone()
        });
    }
    config.nat_gateways = vec![gateway];
    config
}

fn net() -> Net {
    Net::new(behind(gateway()))
}

fn app(port: u16) -> SocketAddrV4 {
    end(APP_IP, port)
}

fn service() -> SocketAddrV4 {
    end(CLIENT_IP, 443)
}

fn counters(net: &Net) -> NatCounters {
    net.fabric.nat_counters()[0]
}

fn close(net: &mut Net, from: PortId, source: SocketAddrV4, at: Arrived) {
    net.forward(from, segment(source, at.to, FIN | ACK, 101, 9001));
    net.forward(at.port, segment(at.to, at.from, FIN | ACK, 9001, 102));
    net.forward(from, segment(source, at.to, ACK, 102, 9002));
}
