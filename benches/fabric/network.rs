//! A network with flows that stand, and what its packets cost.

use crate::packets::{PACKET, frame, packet};
use crate::scene::{FRONT, Shape, client, config, sender};
use crate::yardstick::Random;
use crate::{ALLOCATIONS, BATCH, BATCHES, BYTES, median, per_packet};
use hairpin::fabric::config::PortId;
use hairpin::fabric::record::FlowState;
use hairpin::fabric::{Fabric, Output};
use hairpin::packet::VnetHeader;
use hairpin::packet::tcp::{ACK, PSH, SYN};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Packets of one flow that come one after the other, when they come in bursts.
const BURST: usize = 8;

/// Which packets are measured.
#[derive(Clone, Copy)]
pub struct Traffic {
    pub name: &'static str,
    reply: bool,
    burst: bool,
    /// The fabric is not told beforehand which packets come.
    single: bool,
}

impl Traffic {
    pub const ALL: [Self; 6] = {
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

#[derive(Default)]
pub struct Measured {
    pub nanos: Vec<f64>,
    pub allocations: u64,
}

/// A network with flows that stand.
pub struct Network {
    pub shape: Shape,
    fabric: Fabric,
    /// The two ends of every flow, as its target sends.
    replies: Vec<(SocketAddrV4, SocketAddrV4)>,
    pub bytes_per_flow: f64,
    clock: Duration,
    batch: Vec<[u8; PACKET]>,
    pub results: [Measured; Traffic::ALL.len()],
}

impl Network {
    pub fn new(shape: Shape, flows: usize) -> Self {
        let mut fabric = Fabric::new(config(shape));
        // What the network needs besides flows is there before them.
        let before = BYTES.load(Ordering::Relaxed);
        let mut clock = Duration::ZERO;
        let mut sink = Sink {
            last: (PortId(0), FRONT, FRONT),
        };
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

    pub fn round(&mut self, round: u64) {
        for (number, traffic) in Traffic::ALL.into_iter().enumerate() {
            let mut random = Random(round << 8 | number as u64);
            let (mut nanos, mut sink) = (Vec::with_capacity(BATCHES), Count::default());
            for _ in 0..BATCHES {
                self.fill(traffic, &mut random);
                let allocations = ALLOCATIONS.load(Ordering::Relaxed);
                let began = Instant::now();
                self.handle(traffic, &mut sink);
                nanos.push(per_packet(began));
                self.results[number].allocations +=
                    ALLOCATIONS.load(Ordering::Relaxed) - allocations;
            }
            assert_eq!(sink.0, BATCHES * BATCH, "every packet is delivered");
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

    fn handle(&mut self, traffic: Traffic, sink: &mut Count) {
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

/// Where packets come out while flows are made: the port and the ends of the last one.
struct Sink {
    last: (PortId, SocketAddrV4, SocketAddrV4),
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
        self.last = (to, end(12, 20), end(16, 22));
        true
    }
}

/// Where packets come out while they are measured: nothing is done to them there.
#[derive(Default)]
struct Count(usize);

impl Output for Count {
    fn deliver(&mut self, _: PortId, _: &VnetHeader, _: &[u8]) -> bool {
        self.0 += 1;
        true
    }
}
