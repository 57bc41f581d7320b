//! Echoes that come late: what was sent, and nobody waited for its echo to the end.
//!
//! Whoever sends again over the same connection must not take such an echo for its own. No two of them begin alike: each is the
//! alphabet from another letter on. A stream brings them in the order of sending; what is no echo of any is said by whoever
//! does not echo, and is an answer as it is. Not here: reading and writing (see `line`).

use std::collections::VecDeque;

/// With one more, which is sent next, as many as there are letters.
const MOST: usize = 25;

/// What is sent: letters from the one with this number on.
pub(super) fn letter(shift: u8, at: u64) -> u8 {
    b'a' + ((u64::from(shift) + at) % 26) as u8
}

/// The echoes that are owed, the oldest first; at most [`MOST`].
#[derive(Debug, Default)]
pub(super) struct Owed(VecDeque<Echo>);

/// Bytes `from..to` of what was sent.
#[derive(Debug)]
struct Echo {
    shift: u8,
    from: u64,
    to: u64,
}

impl Echo {
    /// True when these are its bytes from a place on.
    fn has(&self, from: u64, bytes: &[u8]) -> bool {
        let mut places = bytes.iter().zip(from..);
        places.all(|(byte, at)| *byte == letter(self.shift, at))
    }
}

impl Owed {
    /// The letter with which what is sent now begins.
    pub(super) fn shift(&self) -> u8 {
        self.0.back().map_or(0, |echo| (echo.shift + 1) % 26)
    }

    /// The echo of this was not awaited to its end.
    pub(super) fn add(&mut self, shift: u8, from: u64, to: u64) {
        if from < to {
            if self.0.len() == MOST {
                self.0.pop_front();
            }
            self.0.push_back(Echo { shift, from, to });
        }
    }

    /// Takes what came over a stream. Gives how many of its first bytes were owed.
    pub(super) fn take(&mut self, bytes: &[u8]) -> usize {
        let mut taken = 0;
        while taken < bytes.len()
            && let Some(echo) = self.0.front_mut()
        {
            let left = usize::try_from(echo.to - echo.from).unwrap_or(usize::MAX);
            let count = left.min(bytes.len() - taken);
            let comes = echo.has(echo.from, &bytes[taken..taken + count]);
            if comes {
                taken += count;
                echo.from += count as u64;
            }
            // What does not come in its turn does not come any more.
            if !comes || count == left {
                self.0.pop_front();
            }
        }
        taken
    }

    /// True when a datagram is one that was owed. It stays so: a network may deliver it twice.
    pub(super) fn has(&self, datagram: &[u8]) -> bool {
        let mut echoes = self.0.iter();
        echoes.any(|echo| echo.to == datagram.len() as u64 && echo.has(0, datagram))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(shift: u8, from: u64, to: u64) -> Vec<u8> {
        (from..to).map(|at| letter(shift, at)).collect()
    }

    #[test]
    fn what_is_owed_is_told_from_what_comes_behind_it_wherever_it_is_cut() {
        let stream = [said(0, 3, 30), said(1, 0, 10), said(2, 0, 10)].concat();
        for cut in 0..stream.len() {
            let mut owed = Owed::default();
            owed.add(owed.shift(), 3, 30);
            owed.add(owed.shift(), 0, 10);
            assert_eq!(owed.shift(), 2);
            let (one, other) = stream.split_at(cut);
            assert_eq!(owed.take(one) + owed.take(other), 37, "cut at {cut}");
            assert_eq!(owed.shift(), 0, "nothing is owed any more");
        }
    }

    #[test]
    fn an_echo_that_never_comes_does_not_stand_for_another() {
        let mut owed = Owed::default();
        owed.add(0, 0, 10);
        owed.add(1, 0, 10);
        assert_eq!(owed.take(&said(2, 0, 10)), 0);
        assert_eq!(owed.take(&said(0, 0, 10)), 0);
    }

    #[test]
    fn what_is_no_echo_is_an_answer() {
        let mut owed = Owed::default();
        owed.add(0, 0, 64);
        // Some of it may look like one.
        assert_eq!(owed.take(b"api\n"), 0);
    }

    #[test]
    fn no_two_that_are_owed_begin_alike_nor_like_what_is_sent_next() {
        let mut owed = Owed::default();
        for _ in 0..100 {
            owed.add(owed.shift(), 0, 1);
        }
        let mut letters: Vec<u8> = owed.0.iter().map(|echo| echo.shift).collect();
        letters.push(owed.shift());
        letters.sort_unstable();
        letters.dedup();
        assert_eq!(letters.len(), 26);
    }

    #[test]
    fn a_datagram_is_owed_as_a_whole_and_however_often_it_comes() {
        let mut owed = Owed::default();
        owed.add(0, 0, 10);
        for _ in 0..2 {
            assert!(owed.has(&said(0, 0, 10)));
        }
        assert!(!owed.has(&said(0, 0, 9)));
        assert!(!owed.has(&said(1, 0, 10)));
    }
}
