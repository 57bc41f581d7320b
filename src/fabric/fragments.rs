//! Fragments: the first says which ports all of them have, the others are known by its identification.
//!
//! Observed on: AWS, whose load balancers and NAT gateways take fragments of UDP and of nothing else. Whether they put a
//! datagram together or pass on its parts is not documented: here every part goes by itself, on the way of the first. A part
//! that comes before the first, or without it, has none. Of TCP the ports only say which flow the others would have been of.

use crate::packet::{Headers, TCP, UDP};
use rustc_hash::FxHashMap;
use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

/// How long a receiver waits for the parts of a datagram (Linux: `net.ipv4.ipfrag_time`).
const KEPT: Duration = Duration::from_secs(30);
/// Datagrams remembered at a time: as many as one sender has identifications.
const MOST: usize = 1 << 16;

/// Which datagram a fragment is of (RFC 791): source, destination, protocol, identification.
type Datagram = (Ipv4Addr, Ipv4Addr, u8, u16);

/// The ports of datagrams whose first fragment has come by.
#[derive(Default)]
pub struct Fragments {
    ports: FxHashMap<Datagram, (Duration, u16, u16)>,
    /// Each as often as its first fragment came, in that order.
    order: VecDeque<(Duration, Datagram)>,
}

impl Fragments {
    /// Tells a fragment of UDP the ports of its datagram, where they are known. They are in `headers` only, not in the packet.
    pub fn recognise(&mut self, now: Duration, headers: &mut Headers) {
        if !headers.fragment || !matches!(headers.protocol, TCP | UDP) {
            return;
        }
        if headers.has_ports() {
            let (ports, datagram) = ((headers.from.port(), headers.to.port()), datagram(headers));
            self.ports.insert(datagram, (now, ports.0, ports.1));
            self.order.push_back((now, datagram));
            self.forget(now);
            return;
        }
        if headers.protocol == UDP
            && let Some((from, to)) = self.ends(now, headers)
        {
            (headers.from, headers.to) = (from, to);
        }
    }

    /// The ends of the packet that a later fragment is of, where they are known.
    pub fn ends(&self, now: Duration, headers: &Headers) -> Option<(SocketAddrV4, SocketAddrV4)> {
        let (since, from, to) = self.ports.get(&datagram(headers))?;
        let end = SocketAddrV4::new;
        (now < *since + KEPT).then(|| {
            (
                end(headers.source(), *from),
                end(headers.destination(), *to),
            )
        })
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

fn datagram(headers: &Headers) -> Datagram {
    (
        headers.source(),
        headers.destination(),
        headers.protocol,
        headers.identification,
    )
}
