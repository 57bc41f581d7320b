//! A small network in memory, and packets to send through it.

use etherparse::{NetHeaders, PacketBuilder, PacketHeaders, TcpHeader, TransportHeader};
use hairpin::fabric::change::Change;
use hairpin::fabric::config::*;
use hairpin::fabric::record::*;
use hairpin::fabric::{Config, Fabric, Frame, Leaving, Output};
use hairpin::packet::rewrite::finish_checksum;
use hairpin::packet::{Headers, VnetHeader, checksum};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::ops::Range;
use std::time::Duration;

pub use hairpin::packet::tcp::{ACK, FIN, PSH, RST, SYN};

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
            snat_ports: 55_000,
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
    }
}

/// [`config`] with web1 preferred everywhere: every flow goes to it.
pub fn one_target() -> Config {
    let mut config = config();
    config.balancers[0].prefer = vec![(ZonalId(0), vec![0]), (ZonalId(1), vec![0])];
    config
}

/// A packet that came out.
#[derive(Clone, Debug)]
pub struct Delivery {
    pub to: PortId,
    pub vnet: VnetHeader,
    pub bytes: Vec<u8>,
}

impl Delivery {
    pub fn headers(&self) -> Headers {
        Headers::parse(&self.vnet, &self.bytes).expect("the fabric delivers packets")
    }
}

/// Where packets come out. Each is verified on the way.
#[derive(Default)]
pub struct Outbox {
    pub delivered: Vec<Delivery>,
    pub leaving: Vec<Leaving>,
    pub refuse: bool,
    /// For packets whose checksums nobody vouched for.
    pub unverified: bool,
}

impl Output for Outbox {
    fn leaving(&mut self, packet: Leaving) {
        self.leaving.push(packet);
    }

    fn deliver(&mut self, to: PortId, vnet: &VnetHeader, packet: &[u8]) -> bool {
        if !self.unverified {
            verify(vnet, packet);
        }
        if !self.refuse {
            self.delivered.push(Delivery {
                to,
                vnet: *vnet,
                bytes: packet.to_vec(),
            });
        }
        !self.refuse
    }
}

/// Panics unless all checksums are right, by `etherparse`; a partial one is finished first, as a device would.
pub fn verify(vnet: &VnetHeader, packet: &[u8]) {
    if packet[0] >> 4 == 6 {
        return verify_ipv6(vnet, packet);
    }
    let mut bytes = packet.to_vec();
    let mut headers = Headers::parse(vnet, &bytes).expect("well-formed");
    finish_checksum(&mut bytes, &mut headers);
    let parsed = PacketHeaders::from_ip_slice(&bytes).expect("etherparse takes it");
    let Some(NetHeaders::Ipv4(ip, _)) = &parsed.net else {
        panic!("not IPv4")
    };
    assert_eq!(ip.header_checksum, ip.calc_header_checksum(), "IPv4 sum");
    let payload = parsed.payload.slice();
    match &parsed.transport {
        Some(TransportHeader::Tcp(tcp)) => {
            let right = tcp.calc_checksum_ipv4(ip, payload).expect("short enough");
            assert_eq!(tcp.checksum, right, "TCP sum");
        }
        Some(TransportHeader::Udp(udp)) if udp.checksum != 0 => {
            let right = udp.calc_checksum_ipv4(ip, payload).expect("short enough");
            assert_eq!(udp.checksum, right, "UDP sum");
        }
        Some(TransportHeader::Icmpv4(icmp)) => {
            assert_eq!(
                icmp.checksum,
                icmp.icmp_type.calc_checksum(payload),
                "ICMP sum"
            );
        }
        Some(_) | None => {}
    }
}

fn verify_ipv6(vnet: &VnetHeader, packet: &[u8]) {
    let mut bytes = packet.to_vec();
    if vnet.needs_csum() {
        assert_eq!(vnet.csum_start, 40, "no extension headers are delivered");
        let field = usize::from(vnet.csum_start + vnet.csum_offset);
        let sum = !checksum::fold(checksum::sum(&bytes[40..]));
        bytes[field..field + 2].copy_from_slice(&sum.to_be_bytes());
    }
    let parsed = PacketHeaders::from_ip_slice(&bytes).expect("etherparse takes it");
    let Some(NetHeaders::Ipv6(ip, _)) = &parsed.net else {
        panic!("not IPv6")
    };
    let payload = parsed.payload.slice();
    match &parsed.transport {
        Some(TransportHeader::Tcp(tcp)) => {
            let right = tcp.calc_checksum_ipv6(ip, payload).expect("short enough");
            assert_eq!(tcp.checksum, right, "TCP sum");
        }
        Some(TransportHeader::Udp(udp)) => {
            let right = udp.calc_checksum_ipv6(ip, payload).expect("short enough");
            assert_eq!(udp.checksum, right, "UDP sum");
        }
        Some(TransportHeader::Icmpv6(icmp)) => {
            let kind = &icmp.icmp_type;
            let right = kind.calc_checksum(ip.source, ip.destination, payload);
            assert_eq!(icmp.checksum, right.expect("short enough"), "ICMPv6 sum");
        }
        Some(_) | None => {}
    }
}

/// A TCP segment; DF is set, as Linux does.
#[derive(Clone, Copy)]
pub struct Segment {
    pub from: SocketAddrV4,
    pub to: SocketAddrV4,
    pub flags: u8,
    pub seq: u32,
    pub ack: u32,
    pub len: usize,
}

pub fn segment(from: SocketAddrV4, to: SocketAddrV4, flags: u8, seq: u32, ack: u32) -> Segment {
    Segment {
        from,
        to,
        flags,
        seq,
        ack,
        len: 0,
    }
}

impl Segment {
    pub fn with_payload(self, len: usize) -> Self {
        Self { len, ..self }
    }

    pub fn bytes(self) -> Vec<u8> {
        let mut tcp = TcpHeader::new(self.from.port(), self.to.port(), self.seq, 64_240);
        tcp.acknowledgment_number = self.ack;
        tcp.fin = self.flags & FIN != 0;
        tcp.syn = self.flags & SYN != 0;
        tcp.rst = self.flags & RST != 0;
        tcp.psh = self.flags & PSH != 0;
        tcp.ack = self.flags & ACK != 0;
        let payload: Vec<u8> = (0..self.len).map(|n| n as u8).collect();
        let mut bytes = Vec::new();
        PacketBuilder::ipv4(self.from.ip().octets(), self.to.ip().octets(), 64)
            .tcp_header(tcp)
            .write(&mut bytes, &payload)
            .expect("into memory");
        bytes
    }
}

pub fn fill_ip_checksum(bytes: &mut [u8]) {
    hairpin::packet::Ipv4Packet::new_checked(bytes)
        .expect("well-formed")
        .fill_checksum();
}

/// A datagram without DF.
pub fn datagram(from: SocketAddrV4, to: SocketAddrV4, len: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    PacketBuilder::ipv4(from.ip().octets(), to.ip().octets(), 64)
        .udp(from.port(), to.port())
        .write(&mut bytes, &vec![7; len])
        .expect("into memory");
    bytes[6] = 0;
    fill_ip_checksum(&mut bytes);
    bytes
}

/// The network and its clock.
pub struct Net {
    pub fabric: Fabric,
    pub now: Duration,
    pub out: Outbox,
}

impl Net {
    pub fn new(config: Config) -> Self {
        Self {
            fabric: Fabric::new(config),
            now: Duration::ZERO,
            out: Outbox::default(),
        }
    }

    /// Sends bytes now; gives what is delivered at once.
    pub fn send(&mut self, from: PortId, bytes: Vec<u8>) -> Vec<Delivery> {
        self.send_frame(from, VnetHeader::default(), bytes)
    }

    pub fn send_frame(
        &mut self,
        from: PortId,
        header: VnetHeader,
        mut bytes: Vec<u8>,
    ) -> Vec<Delivery> {
        let frame = Frame {
            header,
            packet: &mut bytes,
        };
        self.fabric.receive(self.now, from, frame, &mut self.out);
        self.check();
        std::mem::take(&mut self.out.delivered)
    }

    /// Lets time pass, stopping at every deadline.
    pub fn pass(&mut self, time: Duration) -> Vec<(Duration, Delivery)> {
        let end = self.now + time;
        let mut came = Vec::new();
        loop {
            let next = self
                .fabric
                .next_deadline()
                .map_or(end, |at| at.clamp(self.now, end));
            self.now = next;
            self.fabric.advance(next, &mut self.out);
            self.check();
            came.extend(self.out.delivered.drain(..).map(|one| (next, one)));
            if next == end && self.fabric.next_deadline().is_none_or(|at| at > end) {
                return came;
            }
        }
    }

    /// Does something to the network; gives what is delivered at once.
    pub fn apply(&mut self, change: Change) -> Vec<Delivery> {
        self.fabric.apply(self.now, change, &mut self.out);
        self.check();
        std::mem::take(&mut self.out.delivered)
    }

    /// The targets that new connections of a client go to, one from each source port; without repeats, in order.
    pub fn chosen(&mut self, to: SocketAddrV4, ports: Range<u16>) -> Vec<PortId> {
        let mut seen: Vec<PortId> = ports
            .map(|port| self.syn(CLIENT, end(CLIENT_IP, port), to, 7).port)
            .collect();
        seen.sort();
        seen.dedup();
        seen
    }

    /// The states a target of the first group has been in: since when, state, reason code.
    pub fn story(&self, target: usize) -> Vec<(Duration, &'static str, &'static str)> {
        let health = self.fabric.target_health(GroupId(0), target);
        let states = health.transitions.iter();
        states
            .map(|one| (one.at, one.state.word(), one.reason.code()))
            .collect()
    }

    /// The present state of a target of the first group, and its reason code.
    pub fn state(&self, target: usize) -> (&'static str, &'static str) {
        let last = self.story(target).pop().expect("a state");
        (last.1, last.2)
    }

    /// The books must balance at every moment.
    pub fn check(&self) {
        let totals = self.fabric.totals();
        let dropped: u64 = totals.dropped.values().sum();
        assert_eq!(
            totals.received,
            totals.forwarded + totals.answered + totals.held + dropped,
            "{totals:?}"
        );
    }

    /// A segment that must reach exactly one host unanswered; gives it as it arrives.
    pub fn forward(&mut self, from: PortId, segment: Segment) -> Delivery {
        let mut came = self.send(from, segment.bytes());
        assert_eq!(came.len(), 1, "{came:?}");
        came.remove(0)
    }

    /// A client's SYN; gives the port it came to and what the target sees.
    pub fn syn(
        &mut self,
        from: PortId,
        source: SocketAddrV4,
        to: SocketAddrV4,
        isn: u32,
    ) -> Arrived {
        let came = self.forward(from, segment(source, to, SYN, isn, 0));
        let headers = came.headers();
        Arrived {
            port: came.to,
            from: headers.from,
            to: headers.to,
        }
    }

    /// The target's SYN-ACK for a SYN that arrived; gives it as the client sees it.
    pub fn accept(&mut self, arrived: Arrived, isn: u32) -> Delivery {
        let reply = segment(
            arrived.to,
            arrived.from,
            SYN | ACK,
            9000,
            isn.wrapping_add(1),
        );
        self.forward(arrived.port, reply)
    }

    /// A whole handshake.
    pub fn connect(
        &mut self,
        from: PortId,
        source: SocketAddrV4,
        to: SocketAddrV4,
        isn: u32,
    ) -> Arrived {
        let arrived = self.syn(from, source, to, isn);
        let came = self.accept(arrived, isn);
        let headers = came.headers();
        assert_eq!((headers.from, headers.to), (to, source));
        assert_eq!(came.to, from);
        self.forward(from, segment(source, to, ACK, isn.wrapping_add(1), 9001));
        arrived
    }

    /// The fate of the last packet recorded.
    pub fn last_fate(&self) -> Fate {
        self.fabric.records().last().expect("a record").fate
    }

    /// Sends a packet that must be dropped, and gives the reason.
    pub fn dropped(&mut self, from: PortId, bytes: Vec<u8>) -> Reason {
        let came = self.send(from, bytes);
        assert!(came.is_empty(), "{came:?}");
        match self.last_fate() {
            Fate::Dropped(reason) => reason,
            other => panic!("not dropped but {other:?}"),
        }
    }

    /// Sends a segment that must be answered with a RST to its sender, and gives (why, the RST's headers).
    pub fn reset(&mut self, from: PortId, segment: Segment) -> (Answer, Headers) {
        let came = self.send(from, segment.bytes());
        assert_eq!(came.len(), 1, "{came:?}");
        assert_eq!(came[0].to, from);
        let headers = came[0].headers();
        assert!(headers.is_reset());
        assert_eq!((headers.from, headers.to), (segment.to, segment.from));
        let records = self.fabric.records();
        match records[records.len() - 2].fate {
            Fate::Answered(answer) => (answer, headers),
            other => panic!("not answered but {other:?}"),
        }
    }

    pub fn metric(&self, name: &str) -> u64 {
        let row = hairpin::fabric::metric::TABLE
            .iter()
            .find(|row| row.name == name)
            .unwrap_or_else(|| panic!("no metric {name}"));
        let meter = self.fabric.meter();
        meter.total(self.now, FRONT, row.metric) as u64
    }

    pub fn conversation(&self, from: SocketAddrV4, to: SocketAddrV4) -> Conversation {
        self.fabric
            .conversation(&Tuple {
                protocol: Protocol::Tcp,
                from,
                to,
            })
            .expect("a conversation")
    }
}

/// A SYN at the target's edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrived {
    pub port: PortId,
    pub from: SocketAddrV4,
    pub to: SocketAddrV4,
}
