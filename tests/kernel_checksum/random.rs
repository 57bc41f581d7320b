//! Numbers, addresses and ports that are the same everywhere.

use std::net::{Ipv4Addr, SocketAddrV4};

/// splitmix64, so that a case is the same everywhere.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    /// A source that a router takes. The bytes that ones' complement arithmetic trips over come up often.
    pub fn socket(&mut self) -> SocketAddrV4 {
        const FIRST: [u8; 7] = [1, 11, 100, 126, 172, 192, 223];
        const EDGES: [u8; 5] = [0, 1, 127, 254, 255];
        let first = FIRST[self.below(FIRST.len())];
        let [second, third, fourth] = std::array::from_fn(|_| match self.below(2) {
            0 => EDGES[self.below(EDGES.len())],
            _ => self.next() as u8,
        });
        let address = Ipv4Addr::new(first, second, third, fourth);
        SocketAddrV4::new(address, self.port())
    }

    pub fn port(&mut self) -> u16 {
        const EDGES: [u16; 4] = [0, 1, 0xfffe, 0xffff];
        match self.below(4) {
            0 => EDGES[self.below(EDGES.len())],
            _ => self.next() as u16,
        }
    }
}
