//! The emulated network that is measured: clients, one balancer, targets.

use crate::packets::PACKET;
use hairpin::fabric::Config;
use hairpin::fabric::config::*;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

/// Hosts that connect. A million flows are 50,000 ports of each.
const CLIENTS: usize = 20;
const FIRST_PORT: usize = 10_000;
/// Targets: enough that each has a free source port for every flow that is translated.
const TARGETS: usize = 32;

/// What is special about a network.
#[derive(Clone, Copy)]
pub struct Shape {
    pub name: &'static str,
    pub preserve: bool,
    /// Links that might lose a packet, and never do.
    pub links: bool,
    /// Room in the books.
    pub records: usize,
}

impl Shape {
    pub const ALL: [Self; 4] = [
        Self {
            name: "preserved",
            preserve: true,
            links: false,
            records: 0,
        },
        Self {
            name: "translated",
            preserve: false,
            links: false,
            records: 0,
        },
        Self {
            name: "preserved, links",
            preserve: true,
            links: true,
            records: 0,
        },
        Self {
            name: "preserved, books",
            preserve: true,
            links: false,
            records: usize::MAX,
        },
    ];
}

pub const FRONT: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(203, 0, 113, 1), 80);

pub fn client_address(client: usize) -> Ipv4Addr {
    Ipv4Addr::new(198, 51, 100, client as u8)
}

pub fn target_address(target: usize) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, 1, 100 + target as u8)
}

/// Who has this flow, and from where.
pub fn client(flow: usize) -> (PortId, SocketAddrV4) {
    let (client, port) = (flow % CLIENTS, FIRST_PORT + flow / CLIENTS);
    (
        PortId(client as u32),
        SocketAddrV4::new(client_address(client), port as u16),
    )
}

/// Which host a packet comes from.
pub fn sender(bytes: &[u8; PACKET]) -> PortId {
    match bytes[12] {
        10 => PortId(CLIENTS as u32 + u32::from(bytes[15]) - 100),
        _ => PortId(u32::from(bytes[15])),
    }
}

/// Clients on the internet, targets in one zone, a balancer with one address.
pub fn config(shape: Shape) -> Config {
    let link = Link {
        loss: if shape.links { 1e-300 } else { 0.0 },
        ..Link::default()
    };
    let port = |name: String, address, internet| Port {
        name,
        address,
        addresses: Vec::new(),
        routed: Vec::new(),
        source_check: true,
        public_address: None,
        ipv6: None,
        internet,
        zone: (!internet).then(|| "a".to_owned()),
        up: link.clone(),
        down: link.clone(),
        quirks: Quirks::default(),
        terminates: false,
        nat: None,
    };
    let clients = (0..CLIENTS).map(|n| port(format!("client{n}"), client_address(n), true));
    let targets = (0..TARGETS).map(|n| port(format!("web{n}"), target_address(n), false));
    Config {
        seed: 1,
        ports: clients.chain(targets).collect(),
        balancers: vec![Balancer {
            name: "front".to_owned(),
            kind: Kind::Network,
            failure: None,
            zonal: vec![Zonal {
                zone: "a".to_owned(),
                private: Ipv4Addr::new(10, 0, 1, 5),
                public: Some(*FRONT.ip()),
                port: None,
                enabled: true,
                shifted: false,
                ipv6: None,
                secondary: Vec::new(),
            }],
            ipv6_from_internet: false,
            listeners: vec![Listener {
                port: FRONT.port(),
                protocol: Protocol::Tcp,
                forward: vec![Forward {
                    group: GroupId(0),
                    weight: 1,
                    cross_zone: true,
                }],
                group_stickiness: false,
                idle_timeout: Duration::from_secs(350),
                terminates: false,
                http: false,
                https: false,
                instance_port: None,
            }],
            prefer: Vec::new(),
            on_collision: OnCollision::default(),
            on_missing_flow: OnMissingFlow::default(),
            on_no_target: OnNoTarget::default(),
            on_target_error: OnTargetError::default(),
            port_order: SourcePortOrder::default(),
            source_address: SourceAddress::default(),
            snat_ports: 55_000,
            port_reuse: Duration::ZERO,
            flow_capacity: usize::MAX,
            half_open: Duration::from_secs(30),
            flow_reuse: Duration::ZERO,
            client_routing: ClientRouting::Any,
            on_zone_disabled: OnZoneDisabled::Drop,
        }],
        groups: vec![TargetGroup {
            name: "web".to_owned(),
            preserve_client_ip: shape.preserve,
            proxy_protocol: None,
            tls: false,
            http: false,
            inner: None,
            targets: (0..TARGETS)
                .map(|n| Target {
                    name: format!("web{n}"),
                    address: target_address(n),
                    port: None,
                    zone: Some("a".to_owned()),
                    registered: true,
                })
                .collect(),
            health_check: None,
            attributes: GroupAttributes::default(),
            emulate: GroupEmulate::default(),
        }],
        record_limit: shape.records,
        ..Config::default()
    }
}
