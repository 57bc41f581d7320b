//! The hosts, addresses and balancer that most tests have in common.

use hairpin::fabric::Config;
use hairpin::fabric::config::*;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

/// The hosts of [`config`].
pub const CLIENT: PortId = PortId(0);
pub const WEB1: PortId = PortId(1);
pub const WEB2: PortId = PortId(2);
pub const INSIDE: PortId = PortId(3);

pub const CLIENT_IP: &str = "198.51.100.1";
pub const WEB1_IP: &str = "10.0.1.10";
pub const WEB1_PUBLIC: &str = "203.0.113.10";
pub const WEB2_IP: &str = "10.0.2.10";
pub const INSIDE_IP: &str = "10.0.1.20";
pub const INSIDE_PUBLIC: &str = "203.0.113.20";
pub const FRONT_A: &str = "203.0.113.1";
pub const FRONT_B: &str = "203.0.113.2";
pub const FRONT_A_PRIVATE: &str = "10.0.1.5";
pub const FRONT_B_PRIVATE: &str = "10.0.2.5";

pub const FRONT: BalancerId = BalancerId(0);
pub const IDLE: Duration = Duration::from_secs(350);
pub const HALF_OPEN: Duration = Duration::from_secs(30);

pub fn ip(text: &str) -> Ipv4Addr {
    text.parse().expect("an address")
}

pub fn end(address: &str, port: u16) -> SocketAddrV4 {
    SocketAddrV4::new(ip(address), port)
}

pub fn ms(value: u64) -> Duration {
    Duration::from_millis(value)
}

/// A client on the internet, two targets in zones a and b (the first with a public address), another host inside
/// with a public address, and one balancer in both zones: port 80 TCP and 53 UDP, across zones, preserving.
pub fn config() -> Config {
    let port = |name: &str, address: &str, public: Option<&str>, zone: Option<&str>| Port {
        name: name.to_owned(),
        address: ip(address),
        addresses: Vec::new(),
        routed: Vec::new(),
        source_check: true,
        public_address: public.map(ip),
        internet: zone.is_none(),
        zone: zone.map(str::to_owned),
        ipv6: None,
        up: Link::default(),
        down: Link::default(),
        quirks: Quirks::default(),
        terminates: false,
        nat: None,
    };
    let target = |name: &str, address: &str, zone: &str| Target {
        name: name.to_owned(),
        address: ip(address),
        port: None,
        zone: Some(zone.to_owned()),
        registered: true,
    };
    let zonal = |zone: &str, private: &str, public: &str| Zonal {
        zone: zone.to_owned(),
        private: ip(private),
        public: Some(ip(public)),
        port: None,
        enabled: true,
        shifted: false,
        ipv6: None,
        secondary: Vec::new(),
    };
    let listener = |port, protocol| Listener {
        port,
        protocol,
        forward: vec![Forward {
            group: GroupId(0),
            weight: 1,
            cross_zone: true,
        }],
        group_stickiness: false,
        idle_timeout: IDLE,
        terminates: false,
        http: false,
        https: false,
        instance_port: None,
    };
    Config {
        seed: 1,
        ports: vec![
            port("client", CLIENT_IP, None, None),
            port("web1", WEB1_IP, Some(WEB1_PUBLIC), Some("a")),
            port("web2", WEB2_IP, None, Some("b")),
            port("inside", INSIDE_IP, Some(INSIDE_PUBLIC), Some("a")),
        ],
        balancers: vec![Balancer {
            name: "front".to_owned(),
            kind: Kind::Network,
            failure: None,
            zonal: vec![
                zonal("a", FRONT_A_PRIVATE, FRONT_A),
                zonal("b", FRONT_B_PRIVATE, FRONT_B),
            ],
            ipv6_from_internet: false,
            listeners: vec![listener(80, Protocol::Tcp), listener(53, Protocol::Udp)],
            prefer: Vec::new(),
            on_collision: OnCollision::default(),
            on_missing_flow: OnMissingFlow::default(),
            on_no_target: OnNoTarget::default(),
            on_target_error: OnTargetError::default(),
            port_order: SourcePortOrder::default(),
            source_address: SourceAddress::default(),
            snat_ports: 55_000,
            port_reuse: Duration::ZERO,
            flow_capacity: 1_000_000,
            half_open: HALF_OPEN,
            flow_reuse: Duration::ZERO,
            client_routing: ClientRouting::Any,
            on_zone_disabled: OnZoneDisabled::Drop,
        }],
        groups: vec![TargetGroup {
            name: "web".to_owned(),
            preserve_client_ip: true,
            proxy_protocol: None,
            tls: false,
            http: false,
            inner: None,
            targets: vec![target("web1", WEB1_IP, "a"), target("web2", WEB2_IP, "b")],
            health_check: None,
            attributes: GroupAttributes::default(),
            emulate: GroupEmulate::default(),
        }],
        nat_gateways: Vec::new(),
        endpoints: Vec::new(),
        guards: Default::default(),
        vpcs: Default::default(),
        stand_ins: StandIns::default(),
        record_limit: 100_000,
        resolver: Resolver::default(),
        metric_period: Duration::from_secs(60),
        service_proxy: None,
    }
}

/// [`config`] with web1 preferred everywhere: every flow goes to it.
pub fn one_target() -> Config {
    let mut config = config();
    config.balancers[0].prefer = vec![(ZonalId(0), vec![0]), (ZonalId(1), vec![0])];
    config
}

/// A configuration with a kernel behind each of its two zonal addresses: ports 4 and 5.
pub fn with_kernels(mut config: Config) -> Config {
    for number in 0..2 {
        let zonal = &mut config.balancers[0].zonal[number];
        zonal.port = Some(PortId(config.ports.len() as u32));
        config.ports.push(Port {
            terminates: false,
            nat: None,
            name: format!("front/{}", zonal.zone),
            address: zonal.private,
            addresses: Vec::new(),
            routed: Vec::new(),
            source_check: true,
            public_address: None,
            ipv6: None,
            internet: false,
            zone: None,
            up: Link::default(),
            down: Link::default(),
            quirks: Quirks::default(),
        });
    }
    config
}
