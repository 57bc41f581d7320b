//! Where in a table the flows of some keys are: eight places to a cache line, reached by one hash.
//!
//! A place has half of a key's hash beside the number, so what is found is nearly always what was meant: a look-up
//! costs one line here and one in the table. Not here: keys, which only the table knows.

/// No flow, and never was one: a search ends here.
const FREE: u32 = u32::MAX;
/// A flow was here: a search goes on.
const REMOVED: u32 = u32::MAX - 1;
/// Places in a line.
const WIDTH: usize = 8;
/// Of the places, so many of so many are taken at most before there are a quarter more: memory stays near what is
/// needed, and most searches end in their first line.
const FULL: (usize, usize) = (4, 5);

#[derive(Clone)]
#[repr(align(64))]
struct Line {
    hashes: [u32; WIDTH],
    flows: [u32; WIDTH],
}

const EMPTY: Line = Line {
    hashes: [0; WIDTH],
    flows: [FREE; WIDTH],
};

const _: () = assert!(size_of::<Line>() == 64, "a cache line");

impl Line {
    /// The places where something is, as bits. Without a branch: which place it is cannot be guessed.
    #[cfg(target_arch = "x86_64")]
    #[inline]
    fn places(what: &[u32; WIDTH], is: u32) -> u32 {
        use std::arch::x86_64::{
            _mm_cmpeq_epi32, _mm_loadu_si128, _mm_movemask_epi8, _mm_packs_epi16, _mm_packs_epi32,
            _mm_set1_epi32, _mm_setzero_si128,
        };
        let (low, high) = what.split_at(WIDTH / 2);
        // SAFETY: both halves are sixteen bytes, and every x86-64 processor can (SSE2).
        unsafe {
            let is = _mm_set1_epi32(is.cast_signed());
            let low = _mm_cmpeq_epi32(_mm_loadu_si128(low.as_ptr().cast()), is);
            let high = _mm_cmpeq_epi32(_mm_loadu_si128(high.as_ptr().cast()), is);
            let both = _mm_packs_epi16(_mm_packs_epi32(low, high), _mm_setzero_si128());
            _mm_movemask_epi8(both).cast_unsigned()
        }
    }

    #[cfg(not(target_arch = "x86_64"))]
    #[inline]
    fn places(what: &[u32; WIDTH], is: u32) -> u32 {
        Self::places_one_by_one(what, is)
    }

    /// The same, for all machines.
    #[cfg(any(not(target_arch = "x86_64"), test))]
    fn places_one_by_one(what: &[u32; WIDTH], is: u32) -> u32 {
        let mut bits = 0;
        for (place, one) in what.iter().enumerate() {
            bits |= u32::from(*one == is) << place;
        }
        bits
    }
}

/// Has a cache line fetched from memory, and does not wait for it. Into the second cache: measured, a
/// thread that asks for 128 lines at once loses less time than with the first one, which probably waits for few at once.
#[inline]
pub fn prefetch<T>(line: &T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: fetching is no access, and every x86-64 processor can (SSE).
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T1>(std::ptr::from_ref(line).cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = line;
}

/// What a glance at one line shows.
pub enum Glance {
    /// A flow with that hash.
    Flow(u32),
    /// None here, and the search goes on in this line.
    Beyond(usize),
    /// No flow has that hash.
    Nothing,
}

/// Numbers of flows by the hashes of their keys.
#[derive(Default)]
pub struct FlowIndex {
    lines: Vec<Line>,
    /// Places that are not free.
    used: usize,
}

impl FlowIndex {
    /// The line where a search begins.
    fn first(&self, hash: u32) -> usize {
        ((u64::from(hash) * self.lines.len() as u64) >> 32) as usize
    }

    /// The first flow with this hash for which `same` is true.
    #[inline]
    pub fn find(&self, hash: u32, same: impl Fn(u32) -> bool) -> Option<u32> {
        self.seek(hash, same).map(|(.., flow)| flow)
    }

    #[inline]
    fn seek(&self, hash: u32, same: impl Fn(u32) -> bool) -> Option<(usize, usize, u32)> {
        if self.lines.is_empty() {
            return None;
        }
        let mut number = self.first(hash);
        loop {
            let line = &self.lines[number];
            let mut alike = Line::places(&line.hashes, hash);
            while alike != 0 {
                let place = alike.trailing_zeros() as usize;
                let flow = line.flows[place];
                if flow < REMOVED && same(flow) {
                    return Some((number, place, flow));
                }
                alike &= alike - 1;
            }
            // Lines are filled from the front.
            if line.flows[WIDTH - 1] == FREE {
                return None;
            }
            number = self.after(number);
        }
    }

    /// Has the line fetched where a search for this hash begins, and gives it.
    #[inline]
    pub fn fetch(&self, hash: u32) -> usize {
        let number = self.first(hash);
        self.fetch_line(number);
        number
    }

    #[inline]
    fn fetch_line(&self, number: usize) {
        if let Some(line) = self.lines.get(number) {
            prefetch(line);
        }
    }

    /// Looks for the first flow with this hash in one line, which is seldom another one than is meant. Where a search goes
    /// on in the next line, that is fetched.
    #[inline]
    pub fn glance(&self, number: usize, hash: u32) -> Glance {
        let Some(line) = self.lines.get(number) else {
            return Glance::Nothing;
        };
        let alike = Line::places(&line.hashes, hash);
        let flow = line.flows[alike.trailing_zeros() as usize % WIDTH];
        if alike != 0 && flow < REMOVED {
            return Glance::Flow(flow);
        }
        if line.flows[WIDTH - 1] == FREE {
            return Glance::Nothing;
        }
        let next = self.after(number);
        self.fetch_line(next);
        Glance::Beyond(next)
    }

    fn after(&self, line: usize) -> usize {
        if line + 1 == self.lines.len() {
            0
        } else {
            line + 1
        }
    }

    /// Puts `flow` in the place of the one for which `same` is true, or in a new one. Gives the one that was there.
    pub fn replace(&mut self, hash: u32, flow: u32, same: impl Fn(u32) -> bool) -> Option<u32> {
        debug_assert!(flow < REMOVED, "four billion flows and more");
        if let Some((line, place, _)) = self.seek(hash, same) {
            let found = &mut self.lines[line].flows[place];
            return Some(std::mem::replace(found, flow));
        }
        if (self.used + 1) * FULL.1 > self.lines.len() * WIDTH * FULL.0 {
            self.grow();
        }
        self.put(hash, flow);
        None
    }

    fn grow(&mut self) {
        let old = std::mem::take(&mut self.lines);
        self.lines = vec![EMPTY; old.len() + old.len() / 4 + 1];
        self.used = 0;
        for line in &old {
            let places = line.hashes.iter().zip(&line.flows);
            for (hash, flow) in places.filter(|(_, flow)| **flow < REMOVED) {
                self.put(*hash, *flow);
            }
        }
    }

    fn put(&mut self, hash: u32, flow: u32) {
        let mut number = self.first(hash);
        loop {
            let line = &mut self.lines[number];
            if let Some(place) = line.flows.iter().position(|flow| *flow >= REMOVED) {
                self.used += usize::from(line.flows[place] == FREE);
                (line.hashes[place], line.flows[place]) = (hash, flow);
                return;
            }
            number = self.after(number);
        }
    }

    /// Takes out the flow with this hash for which `same` is true.
    pub fn remove(&mut self, hash: u32, same: impl Fn(u32) -> bool) {
        if let Some((line, place, _)) = self.seek(hash, same) {
            self.lines[line].flows[place] = REMOVED;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    proptest! {
        #[test]
        fn it_is_a_map(steps in prop::collection::vec((0..40_u32, 0..3_u8), 0..400)) {
            let (mut index, mut map) = (FlowIndex::default(), HashMap::new());
            let mut keys: Vec<u32> = Vec::new();
            for (key, what) in steps {
                // Few hashes, so that keys meet.
                let hash = ((key % 7) << 29) | (key % 3);
                if what < 2 {
                    let flow = keys.len() as u32;
                    keys.push(key);
                    let old = index.replace(hash, flow, |other| keys[other as usize] == key);
                    prop_assert_eq!(old, map.insert(key, flow));
                } else {
                    index.remove(hash, |other| keys[other as usize] == key);
                    map.remove(&key);
                }
                for key in 0..40 {
                    let hash = ((key % 7) << 29) | (key % 3);
                    let found = index.find(hash, |other| keys[other as usize] == key);
                    prop_assert_eq!(found, map.get(&key).copied());
                }
            }
        }
    }

    proptest! {
        #[test]
        fn places_are_where_it_is(what in prop::array::uniform8(0..3_u32), is in 0..3_u32) {
            prop_assert_eq!(Line::places(&what, is), Line::places_one_by_one(&what, is));
        }
    }

    #[test]
    fn a_flow_takes_less_than_thirteen_bytes() {
        let mut index = FlowIndex::default();
        for flow in 0..100_000_u32 {
            index.replace(flow.wrapping_mul(0x9e37_79b9), flow, |_| false);
        }
        let bytes = index.lines.capacity() * size_of::<Line>();
        assert!(bytes < 13 * 100_000, "{bytes}");
    }
}
