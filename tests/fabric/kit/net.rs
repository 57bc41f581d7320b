//! The network, its clock, and what is asked of both.

use super::*;
use hairpin::fabric::change::Change;
use hairpin::fabric::config::*;
use hairpin::fabric::record::*;
use hairpin::fabric::{Config, Fabric, Frame};
use hairpin::packet::{Headers, VnetHeader};
use std::net::SocketAddrV4;
use std::ops::Range;
use std::time::Duration;

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
