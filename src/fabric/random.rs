//! Seeded randomness and hashing of our own, so that a seed means the same in every version of every library.
//!
//! Both are splitmix64 (Steele, Lea and Flood 2014; constants of the reference implementation). Not for secrets.

/// The finaliser of splitmix64: a bijection that spreads every input bit over the whole word.
fn scramble(mut word: u64) -> u64 {
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// Hashes some words under a seed.
#[inline]
pub fn hash(seed: u64, words: &[u64]) -> u64 {
    words
        .iter()
        .fold(scramble(seed.wrapping_add(STEP)), |state, word| {
            scramble((state ^ word).wrapping_add(STEP))
        })
}

/// Maps a hash to `0..n` by multiplication, which uses the high bits. `n` must not be 0.
#[inline]
pub fn pick(hash: u64, n: usize) -> usize {
    ((u128::from(hash) * n as u128) >> 64) as usize
}

/// A stream of random numbers.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// Streams of one seed with different `stream` numbers are independent.
    pub fn new(seed: u64, stream: u64) -> Self {
        Self(hash(seed, &[stream]))
    }

    /// The next word.
    pub fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        scramble(self.0)
    }

    /// Uniform in `0.0..1.0`.
    pub fn unit(&mut self) -> f64 {
        // 53 bits are what an f64 holds exactly.
        (self.word() >> 11) as f64 / (1u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// First outputs of splitmix64 with state 0, from its reference implementation.
    #[test]
    fn the_stream_is_splitmix64() {
        let mut random = Random(0);
        assert_eq!(random.word(), 0xe220_a839_7b1d_cdaf);
        assert_eq!(random.word(), 0x6e78_9e6a_a1b9_65f4);
    }

    #[test]
    fn a_pick_is_even_and_in_range() {
        let mut counts = [0u32; 3];
        for word in 0..3000 {
            counts[pick(hash(7, &[word]), 3)] += 1;
        }
        assert!(
            counts.iter().all(|&count| (900..1100).contains(&count)),
            "{counts:?}"
        );
    }
}
