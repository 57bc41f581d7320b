//! What other things cost here and now.

use crate::{BATCH, BATCHES, median, per_packet};
use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;
use std::time::Instant;

/// What other things cost here and now.
pub struct Yardstick {
    map: HashMap<[u64; 2], u64, FxBuildHasher>,
    keys: Vec<[u64; 2]>,
    chain: Vec<Line>,
    /// Where the walk goes on.
    at: u32,
}

/// A cache line, that says which is next.
#[repr(align(64))]
pub struct Line(u32);

impl Yardstick {
    pub fn new(size: usize) -> Self {
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
            at: 0,
        }
    }

    /// Nanoseconds to find a key.
    pub fn map(&self, round: u64) -> f64 {
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

    /// Nanoseconds from one cache line to the next; each round walks on from where the last one ended.
    pub fn chase(&mut self) -> f64 {
        let (mut nanos, mut at) = (Vec::with_capacity(BATCHES), self.at);
        for _ in 0..BATCHES {
            let began = Instant::now();
            for _ in 0..BATCH {
                at = self.chain[at as usize].0;
            }
            nanos.push(per_packet(began));
        }
        self.at = std::hint::black_box(at);
        median(nanos)
    }
}

/// splitmix64: the same packets on every machine.
pub struct Random(pub u64);

impl Random {
    pub fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let word = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    pub fn below(&mut self, limit: usize) -> usize {
        ((u128::from(self.word()) * limit as u128) >> 64) as usize
    }
}
