//! Fragments of UDP datagrams: the first says which ports all of them have, the others are known by its identification.
//!
//! Observed on: AWS, whose load balancers and NAT gateways take fragments of UDP and of nothing else. Whether they put a
//! datagram together or pass on its parts is not documented: here every part goes by itself, on the way of the first. A part
//! that comes before the first, or without it, has none.

use crate::packet::{Headers, UDP};
use rustc_hash::FxHashMap;
use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::time::Duration;

/// How long a receiver waits for the parts of a datagram (Linux: `net.ipv4.ipfrag_time`).
const KEPT: Duration = Duration::from_secs(30);
/// Datagrams remembered at a time: as many as one sender has identifications.
const MOST: usize = 1 << 16;

/// Which datagram a fragment is of (RFC 791); all are UDP.
type Datagram = (Ipv4Addr, Ipv4Addr, u16);

/// The ports of datagrams whose first fragment has come by.
#[derive(Default)]
pub struct Fragments {
    ports: FxHashMap<Datagram, (Duration, u16, u16)>,
    /// Each as often as its first fragment came, in that order.
    order: VecDeque<(Duration, Datagram)>,
}

impl Fragments {
    /// Tells a fragment the ports of its datagram, where they are known. They are in `headers` only, not in the packet.
    pub fn recognise(&mut self, now: Duration, headers: &mut Headers) {
        if !headers.fragment || headers.protocol != UDP {
            return;
        }
        let datagram = (
            headers.source(),
            headers.destination(),
            headers.identification,
        );
        if headers.has_ports() {
            let ports = (headers.from.port(), headers.to.port());
            self.ports.insert(datagram, (now, ports.0, ports.1));
            self.order.push_back((now, datagram));
            self.forget(now);
            return;
        }
        if let Some((since, from, to)) = self.ports.get(&datagram)
            && now < *since + KEPT
        {
            headers.from.set_port(*from);
            headers.to.set_port(*to);
        }
    }

    fn forget(&mut self, now: Duration) {
        while let Some(&(since, datagram)) = self.order.front()
            && (self.order.len() > MOST || now >= since + KEPT)
        {
            self.order.pop_front();
            // Another datagram may have the same identification since.
            if self
                .ports
                .get(&datagram)
                .is_some_and(|(at, ..)| *at == since)
            {
                self.ports.remove(&datagram);
            }
        }
    }
}
