//! A service proxy in eBPF: what it does with a packet for a service.
//!
//! After Calico's dataplane (felix/bpf-gpl/conntrack.h), which has two entries for a connection: one from the service to the
//! pod, which every SYN writes anew, and one for the way back, of each pod that a SYN went to. Until felix #2675 a SYN was never
//! looked up: one that was sent again went to any endpoint, and what followed it as well. The endpoint is random. Not here:
//! encapsulation between nodes, direct return, policies.

use super::ipvs::State;
use super::{At, Entry, Treatment, pick};
use crate::fabric::config::Protocol;

impl At<'_> {
    /// What becomes of the packet. `word` is random.
    pub(super) fn by_ebpf(&mut self, pin_syn: bool, word: u64) -> Treatment {
        let opening = self.key.0 == Protocol::Tcp && self.headers.is_opening();
        let found = self.node.entries.get(&self.key).copied();
        // One that both sides have closed, or one has reset, is no new SYN's.
        let over =
            |entry: &Entry| matches!(entry.state, State::TimeWait | State::Close | State::LastAck);
        if let Some(entry) = found
            && (!opening || (pin_syn && !over(&entry)))
        {
            return self.follow(entry.service, entry.endpoint);
        }
        let there = self.there();
        if there.is_empty() {
            return Treatment::Refuse;
        }
        let endpoint = there[pick(word, there.len())];
        let again = found.filter(|entry| !over(entry) && entry.isn == self.headers.seq);
        match again {
            Some(entry) if entry.endpoint == endpoint => self.follow(entry.service, endpoint),
            Some(_) => {
                self.node.counters.moved_syns += 1;
                let given = self.give(endpoint);
                // The same connection still.
                self.node.counters.connections -= 1;
                given
            }
            None => self.give(endpoint),
        }
    }

    fn follow(&mut self, service: usize, endpoint: usize) -> Treatment {
        let flags = self.headers.flags;
        if let Some(entry) = self.node.entries.get_mut(&self.key) {
            entry.last = self.now;
            if self.key.0 == Protocol::Tcp {
                entry.state = entry.state.after_input(flags, entry.answered);
            }
        }
        Treatment::To(self.services[service].endpoints[endpoint].address)
    }
}
