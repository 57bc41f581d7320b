//! Attempts to connect through a gateway that have no entry in its table: which of them a packet is of, so that what is sent
//! again is not counted again.

use super::super::record::Tuple;
use crate::packet::{Headers, TCP};
use rustc_hash::FxHashMap;

/// All that have no entry, or none yet.
#[derive(Default)]
pub struct Attempts(FxHashMap<Tuple, Attempt>);

#[derive(Clone, Copy)]
struct Attempt {
    /// What tells it from the next one with the same ends: the sequence number of its SYN; 0: datagrams.
    opening: u32,
    /// It has found no port; else it waits for its entry, or that clashed.
    refused: bool,
}

impl Attempts {
    /// True when a packet with these ends is of an attempt that has been noted.
    pub fn knows(&self, ends: &Tuple, headers: &Headers) -> bool {
        self.find(ends, headers).is_some()
    }

    /// It waits for its entry.
    pub fn wait(&mut self, ends: Tuple, headers: &Headers) {
        if !self.knows(&ends, headers) {
            self.note(ends, headers, false);
        }
    }

    /// It finds no port. True: for the first time.
    pub fn refuse(&mut self, ends: Tuple, headers: &Headers) -> bool {
        let before = self.find(&ends, headers);
        self.note(ends, headers, true);
        before.is_none_or(|before| !before.refused)
    }

    /// It has an entry.
    pub fn succeed(&mut self, ends: &Tuple) {
        self.0.remove(ends);
    }

    fn find(&self, ends: &Tuple, headers: &Headers) -> Option<Attempt> {
        let attempt = self.0.get(ends).copied();
        attempt.filter(|attempt| attempt.opening == opening(headers))
    }

    fn note(&mut self, ends: Tuple, headers: &Headers, refused: bool) {
        let opening = opening(headers);
        self.0.insert(ends, Attempt { opening, refused });
    }
}

fn opening(headers: &Headers) -> u32 {
    match headers.protocol {
        TCP => headers.seq,
        _ => 0,
    }
}
