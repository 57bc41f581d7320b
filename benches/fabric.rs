//! What a packet of an established flow costs inside the fabric: `cargo bench --bench fabric`.
//!
//! Pure: no device, no system call. Packets of random flows, or of a few flows by turns, are made outside the measured
//! time, 64 at once as the driver reads them, and handed to the fabric. In the same rounds, as a yardstick for this
//! machine at this moment: a bare hash map of as many 16-byte keys asked in random order, and a walk through as many
//! cache lines where each says which is next. Rounds of all of them alternate. A round's figure is its median batch, which
//! a machine with other work to do preempts seldom, and the table has the medians of these. With `BENCH_JSON` the
//! rows go into that file; arguments that are numbers are other sizes of the table.

use hairpin::fabric::config::*;
use hairpin::fabric::record::FlowState;
use hairpin::fabric::{Config, Fabric, Frame, Output};
use hairpin::packet::tcp::{ACK, PSH, SYN};
use hairpin::packet::{VnetHeader, checksum, vnet};
use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;
use std::alloc::{GlobalAlloc, Layout, System};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Flows in the table.
const SIZES: [usize; 3] = [1_000, 100_000, 1_000_000];
/// Rounds, of which the median counts.
const ROUNDS: usize = 9;
/// Packets handed over at once.
const BATCH: usize = 64;
/// Batches in a round.
const BATCHES: usize = 800;
/// Packets of one flow that come one after the other, when they come in bursts.
const BURST: usize = 8;
/// Hosts that connect. A million flows are 50,000 ports of each.
const CLIENTS: usize = 20;
const FIRST_PORT: usize = 10_000;
/// Targets: enough that each has a free source port for every flow that is translated.
const TARGETS: usize = 32;
const PAYLOAD: usize = 64;
const PACKET: usize = 40 + PAYLOAD;

/// Counts what is asked of the system's allocator.
struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);
static BYTES: AtomicU64 = AtomicU64::new(0);

// SAFETY: everything is passed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        BYTES.fetch_add(layout.size() as u64, Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        BYTES.fetch_sub(layout.size() as u64, Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() {
    println!(
        "{:>9}  {:<50} {:>7} {:>8} {:>8} {:>8} {:>11}",
        "flows", "what", "ns", "of map", "of chase", "allocs", "bytes/flow"
    );
    let mut rows = Vec::new();
    let asked: Vec<usize> = std::env::args().flat_map(|word| word.parse()).collect();
    for flows in if asked.is_empty() { &SIZES } else { &*asked } {
        rows.extend(measure(*flows));
    }
    if let Ok(file) = std::env::var("BENCH_JSON") {
        let report = serde_json::json!({ "bench": "fabric", "rows": rows });
        std::fs::write(&file, format!("{report:#}\n"))
            .expect("the file of BENCH_JSON can be written");
    }
}

/// Everything at one size.
fn measure(flows: usize) -> Vec<serde_json::Value> {
    let yardstick = Yardstick::new(flows);
    let mut networks: Vec<Network> = Shape::ALL.map(|shape| Network::new(shape, flows)).into();
    let (mut map, mut chase) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS as u64 {
        map.push(yardstick.map(round));
        chase.push(yardstick.chase());
        for network in &mut networks {
            network.round(round);
        }
    }
    let (map, chase) = (median(map), median(chase));
    println!(
        "{flows:>9}  {:<50} {map:>7.1} {:>8} {:>8}",
        "(a hash map)", "1.00", ""
    );
    println!(
        "{flows:>9}  {:<50} {chase:>7.1} {:>8} {:>8}",
        "(one cache line after the other)", "", "1.00"
    );
    let mut rows = vec![
        serde_json::json!({ "flows": flows, "what": "map", "ns": map }),
        serde_json::json!({ "flows": flows, "what": "chase", "ns": chase }),
    ];
    for network in networks {
        for (traffic, result) in Traffic::ALL.into_iter().zip(network.results) {
            let ns = median(result.nanos);
            let (of_map, of_chase) = (ns / map, ns / chase);
            let per_packet = result.allocations as f64 / (ROUNDS * BATCHES * BATCH) as f64;
            let what = format!("{}, {}", network.shape.name, traffic.name);
            println!(
                "{flows:>9}  {what:<50} {ns:>7.1} {of_map:>8.2} {of_chase:>8.2} {per_packet:>8.2} {:>11.0}",
                network.bytes_per_flow,
            );
            rows.push(serde_json::json!({
                "flows": flows,
                "what": what,
                "ns": ns,
                "of_map": of_map,
                "of_chase": of_chase,
                "allocations_per_packet": per_packet,
                "bytes_per_flow": network.bytes_per_flow,
            }));
        }
    }
    rows
}

/// Which packets are measured.
#[derive(Clone, Copy)]
struct Traffic {
    name: &'static str,
    reply: bool,
    burst: bool,
    /// The fabric is not told beforehand which packets come.
    single: bool,
}

impl Traffic {
    const ALL: [Self; 6] = {
        const fn traffic(name: &'static str, reply: bool, burst: bool, single: bool) -> Traffic {
            Traffic {
                name,
                reply,
                burst,
                single,
            }
        }
        [
            traffic("forward, random", false, false, false),
            traffic("reply, random", true, false, false),
            traffic("forward, bursts", false, true, false),
            traffic("reply, bursts", true, true, false),
            traffic("forward, random, one by one", false, false, true),
            traffic("reply, random, one by one", true, false, true),
        ]
    };
}

/// What is special about a network.
#[derive(Clone, Copy)]
struct Shape {
    name: &'static str,
    preserve: bool,
    /// Links that might lose a packet, and never do.
    links: bool,
    /// Room in the books.
    records: usize,
}

impl Shape {
    const ALL: [Self; 4] = [
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

#[derive(Default)]
struct Measured {
    nanos: Vec<f64>,
    allocations: u64,
}

/// A network with flows that stand.
struct Network {
    shape: Shape,
    fabric: Fabric,
    /// The two ends of every flow, as its target sends.
    replies: Vec<(SocketAddrV4, SocketAddrV4)>,
    bytes_per_flow: f64,
    clock: Duration,
    batch: Vec<[u8; PACKET]>,
    results: [Measured; Traffic::ALL.len()],
}

impl Network {
    fn new(shape: Shape, flows: usize) -> Self {
        let mut fabric = Fabric::new(config(shape));
        // What the network needs besides flows is there before them.
        let before = BYTES.load(Ordering::Relaxed);
        let mut clock = Duration::ZERO;
        let mut sink = Sink::default();
        let mut replies = Vec::with_capacity(flows);
        let own = (flows * size_of::<(SocketAddrV4, SocketAddrV4)>()) as u64;
        for flow in 0..flows {
            clock += Duration::from_nanos(100);
            let (port, from) = client(flow);
            let mut send = |port, from, to, flags| {
                let mut packet = packet(from, to, flags);
                fabric.receive(clock, port, frame(&mut packet), &mut sink);
                sink.last
            };
            let (target, from_seen, to_seen) = send(port, from, FRONT, SYN);
            send(target, to_seen, from_seen, SYN | ACK);
            // Each side has said something, as in any connection that is used.
            send(port, from, FRONT, ACK | PSH);
            send(target, to_seen, from_seen, ACK | PSH);
            replies.push((to_seen, from_seen));
        }
        let used = BYTES.load(Ordering::Relaxed) - before - own;
        let states = fabric.flows();
        assert_eq!(states.len(), flows, "a flow for every client's port");
        assert!(
            states
                .iter()
                .all(|flow| flow.state == FlowState::Established)
        );
        Self {
            shape,
            fabric,
            replies,
            bytes_per_flow: used as f64 / flows as f64,
            clock,
            batch: vec![[0; PACKET]; BATCH],
            results: Default::default(),
        }
    }

    fn round(&mut self, round: u64) {
        for (number, traffic) in Traffic::ALL.into_iter().enumerate() {
            let mut random = Random(round << 8 | number as u64);
            let (mut nanos, mut sink) = (Vec::with_capacity(BATCHES), Sink::default());
            for _ in 0..BATCHES {
                self.fill(traffic, &mut random);
                let allocations = ALLOCATIONS.load(Ordering::Relaxed);
                let began = Instant::now();
                self.handle(traffic, &mut sink);
                nanos.push(per_packet(began));
                self.results[number].allocations +=
                    ALLOCATIONS.load(Ordering::Relaxed) - allocations;
            }
            assert_eq!(sink.delivered, BATCHES * BATCH, "every packet is delivered");
            self.results[number].nanos.push(median(nanos));
        }
    }

    /// Makes the packets of one batch. They come from whichever hosts have these flows.
    fn fill(&mut self, traffic: Traffic, random: &mut Random) {
        let mut flow = 0;
        for (number, bytes) in self.batch.iter_mut().enumerate() {
            if !traffic.burst || number % BURST == 0 {
                flow = random.below(self.replies.len());
            }
            let (from, to) = match traffic.reply {
                true => self.replies[flow],
                false => (client(flow).1, FRONT),
            };
            *bytes = packet(from, to, ACK | PSH);
        }
    }

    fn handle(&mut self, traffic: Traffic, sink: &mut Sink) {
        if !traffic.single {
            let packets = self.batch.iter().map(|bytes| (sender(bytes), &bytes[..]));
            self.fabric.foresee(packets);
        }
        for bytes in &mut self.batch {
            self.clock += Duration::from_nanos(100);
            let port = sender(bytes);
            self.fabric.receive(self.clock, port, frame(bytes), sink);
        }
    }
}

/// Where packets come out: the port and the ends of the last one.
struct Sink {
    delivered: usize,
    last: (PortId, SocketAddrV4, SocketAddrV4),
}

impl Default for Sink {
    fn default() -> Self {
        Self {
            delivered: 0,
            last: (PortId(0), FRONT, FRONT),
        }
    }
}

impl Output for Sink {
    fn deliver(&mut self, to: PortId, _: &VnetHeader, packet: &[u8]) -> bool {
        let end = |at: usize, port: usize| {
            let address = Ipv4Addr::new(packet[at], packet[at + 1], packet[at + 2], packet[at + 3]);
            SocketAddrV4::new(
                address,
                u16::from_be_bytes([packet[port], packet[port + 1]]),
            )
        };
        self.delivered += 1;
        self.last = (to, end(12, 20), end(16, 22));
        true
    }
}

const FRONT: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(203, 0, 113, 1), 80);

fn client_address(client: usize) -> Ipv4Addr {
    Ipv4Addr::new(198, 51, 100, client as u8)
}

fn target_address(target: usize) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, 1, 100 + target as u8)
}

/// Who has this flow, and from where.
fn client(flow: usize) -> (PortId, SocketAddrV4) {
    let (client, port) = (flow % CLIENTS, FIRST_PORT + flow / CLIENTS);
    (
        PortId(client as u32),
        SocketAddrV4::new(client_address(client), port as u16),
    )
}

/// Which host a packet comes from.
fn sender(bytes: &[u8; PACKET]) -> PortId {
    match bytes[12] {
        10 => PortId(CLIENTS as u32 + u32::from(bytes[15]) - 100),
        _ => PortId(u32::from(bytes[15])),
    }
}

/// Clients on the internet, targets in one zone, a balancer with one address.
fn config(shape: Shape) -> Config {
    let link = Link {
        loss: if shape.links { 1e-300 } else { 0.0 },
        ..Link::default()
    };
    let port = |name: String, address, internet| Port {
        name,
        address,
        addresses: Vec::new(),
        routed: Vec::new(),
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
                instance_port: None,
            }],
            prefer: Vec::new(),
            on_collision: OnCollision::default(),
            on_missing_flow: OnMissingFlow::default(),
            snat_ports: 55_000,
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

/// As a kernel gives it to a device: the TCP checksum is not finished.
fn frame(packet: &mut [u8]) -> Frame<'_> {
    Frame {
        header: VnetHeader {
            flags: vnet::NEEDS_CSUM,
            csum_start: 20,
            csum_offset: 16,
            ..VnetHeader::default()
        },
        packet,
    }
}

fn packet(from: SocketAddrV4, to: SocketAddrV4, flags: u8) -> [u8; PACKET] {
    let mut bytes = [0; PACKET];
    bytes[..12].copy_from_slice(&[0x45, 0, 0, PACKET as u8, 0, 1, 0x40, 0, 64, 6, 0, 0]);
    bytes[12..16].copy_from_slice(&from.ip().octets());
    bytes[16..20].copy_from_slice(&to.ip().octets());
    let sum = !checksum::fold(checksum::sum(&bytes[..20]));
    bytes[10..12].copy_from_slice(&sum.to_be_bytes());
    bytes[20..22].copy_from_slice(&from.port().to_be_bytes());
    bytes[22..24].copy_from_slice(&to.port().to_be_bytes());
    // The SYN has number 0, so that the SYN-ACK's acknowledgement is 1.
    bytes[27] = u8::from(flags & SYN == 0);
    bytes[31] = 1;
    bytes[32] = 0x50;
    bytes[33] = flags;
    bytes
}

/// What other things cost here and now.
struct Yardstick {
    map: HashMap<[u64; 2], u64, FxBuildHasher>,
    keys: Vec<[u64; 2]>,
    chain: Vec<Line>,
}

/// A cache line, that says which is next.
#[repr(align(64))]
struct Line(u32);

impl Yardstick {
    fn new(size: usize) -> Self {
        let mut random = Random(7);
        let keys: Vec<[u64; 2]> = (0..size).map(|_| [random.word(), random.word()]).collect();
        let map = keys.iter().map(|key| (*key, key[0])).collect();
        // One cycle through all of them (Sattolo).
        let mut order: Vec<u32> = (0..size as u32).collect();
        for last in (1..size).rev() {
            order.swap(last, random.below(last));
        }
        Self {
            map,
            keys,
            chain: order.into_iter().map(Line).collect(),
        }
    }

    /// Nanoseconds to find a key.
    fn map(&self, round: u64) -> f64 {
        let mut random = Random(round);
        let (mut nanos, mut sum) = (Vec::with_capacity(BATCHES), 0);
        let mut batch = [[0; 2]; BATCH];
        for _ in 0..BATCHES {
            batch.fill_with(|| self.keys[random.below(self.keys.len())]);
            let began = Instant::now();
            for key in &batch {
                sum ^= self.map[std::hint::black_box(key)];
            }
            nanos.push(per_packet(began));
        }
        std::hint::black_box(sum);
        median(nanos)
    }

    /// Nanoseconds from one cache line to the next.
    fn chase(&self) -> f64 {
        let (mut nanos, mut at) = (Vec::with_capacity(BATCHES), 0);
        for _ in 0..BATCHES {
            let began = Instant::now();
            for _ in 0..BATCH {
                at = self.chain[at as usize].0;
            }
            nanos.push(per_packet(began));
        }
        std::hint::black_box(at);
        median(nanos)
    }
}

/// Nanoseconds for each packet of a batch.
fn per_packet(began: Instant) -> f64 {
    began.elapsed().as_nanos() as f64 / BATCH as f64
}

/// splitmix64: the same packets on every machine.
struct Random(u64);

impl Random {
    fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let word = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        ((u128::from(self.word()) * limit as u128) >> 64) as usize
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
