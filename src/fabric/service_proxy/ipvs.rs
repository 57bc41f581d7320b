//! IPVS: what it does with a packet for a service, and the states of its entries.
//!
//! After `ip_vs_in` (net/netfilter/ipvs/ip_vs_core.c) and `tcp_states` (ip_vs_proto_tcp.c), with the forwarding method NAT and
//! the scheduler `rr`, which kube-proxy has when nobody chooses another. An entry has a state of its own, made from the flags
//! that it sees; it has no sequence numbers. Not here: weights (an endpoint is there, or it is not), persistence.

use super::{At, Treatment};
use crate::fabric::config::{Ipvs, IpvsTimeouts, Protocol};
use crate::fabric::record::Reason;
use crate::packet::tcp;

/// Of an entry of TCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Established,
    SynSent,
    SynRecv,
    FinWait,
    TimeWait,
    Close,
    CloseWait,
    LastAck,
}

use State::{Close, CloseWait, Established, FinWait, LastAck, SynRecv, SynSent, TimeWait};

/// By the flag that counts, SYN, FIN, ACK, RST; then by state: the columns sES, sSS, sSR, sFW, sTW, sCL, sCW, sLA of the kernel's
/// table. sNO, sLI and sSA do not come up here.
type Table = [[State; 8]; 4];

/// Packets of the client (`INPUT`).
const INPUT: Table = [
    [
        Established,
        Established,
        SynRecv,
        SynRecv,
        SynRecv,
        SynRecv,
        SynRecv,
        SynRecv,
    ],
    [
        CloseWait, SynSent, TimeWait, TimeWait, TimeWait, Close, CloseWait, LastAck,
    ],
    [
        Established,
        SynSent,
        Established,
        FinWait,
        TimeWait,
        Close,
        CloseWait,
        Close,
    ],
    [Close, Close, SynRecv, Close, Close, Close, Close, LastAck],
];

/// Packets of the server (`OUTPUT`).
const OUTPUT: Table = [
    [
        Established,
        SynSent,
        SynRecv,
        SynSent,
        SynSent,
        SynSent,
        SynSent,
        SynSent,
    ],
    [
        FinWait, SynSent, TimeWait, FinWait, TimeWait, Close, TimeWait, LastAck,
    ],
    [
        Established,
        SynSent,
        Established,
        FinWait,
        TimeWait,
        Close,
        CloseWait,
        LastAck,
    ],
    [Close, SynSent, Close, Close, TimeWait, Close, Close, Close],
];

/// Packets of the client while none of the server has come by (`INPUT_ONLY`): a FIN is another thing then.
const INPUT_ONLY: Table = [
    INPUT[0],
    [
        FinWait, SynSent, TimeWait, FinWait, TimeWait, Close, CloseWait, LastAck,
    ],
    INPUT[2],
    INPUT[3],
];

impl State {
    /// Of an entry that this packet of the client makes.
    pub(super) fn new(flags: u8) -> Self {
        match flags {
            _ if flags & tcp::SYN != 0 => SynRecv,
            _ => Established,
        }
    }

    fn after(self, table: &Table, flags: u8) -> Self {
        // `tcp_state_idx`: the first of these that is set.
        let order = [(tcp::RST, 3), (tcp::SYN, 0), (tcp::FIN, 1), (tcp::ACK, 2)];
        let row = order.iter().find(|(flag, _)| flags & flag != 0);
        match row {
            Some((_, row)) => table[*row][self as usize],
            None => Close,
        }
    }

    /// After a packet of the client. `answered`: a packet of the server has come by.
    pub(super) fn after_input(self, flags: u8, answered: bool) -> Self {
        self.after(if answered { &INPUT } else { &INPUT_ONLY }, flags)
    }

    /// After a packet of the server.
    pub(super) fn after_output(self, flags: u8) -> Self {
        self.after(&OUTPUT, flags)
    }

    /// How long an entry in this state is kept without a packet.
    pub(super) fn timeout(self, timeouts: &IpvsTimeouts) -> std::time::Duration {
        match self {
            Established => timeouts.established,
            SynSent => timeouts.syn_sent,
            SynRecv => timeouts.syn_recv,
            FinWait => timeouts.fin_wait,
            TimeWait => timeouts.time_wait,
            Close => timeouts.close,
            CloseWait => timeouts.close_wait,
            LastAck => timeouts.last_ack,
        }
    }
}

impl At<'_> {
    /// What becomes of the packet.
    pub(super) fn by_ipvs(&mut self, knobs: &Ipvs) -> Treatment {
        let tcp = self.key.0 == Protocol::Tcp;
        let opening = tcp && self.headers.flags & tcp::SYN != 0;
        let Some(entry) = self.node.entries.get(&self.key).copied() else {
            return self.schedule(tcp, opening);
        };
        // `is_new_conn_expected`
        let reused = match entry.state {
            TimeWait | Close => knobs.conn_reuse_mode != 0,
            FinWait => knobs.conn_reuse_mode & 2 != 0 && !entry.answered,
            Established | SynSent | SynRecv | CloseWait | LastAck => false,
        };
        if opening && reused {
            self.node.remove(&self.key, self.services);
            if knobs.conntrack && !knobs.since_5_9 {
                self.node.counters.port_reuse_drops += 1;
                return Treatment::Drop(Reason::IpvsPortReuse);
            }
            self.node.counters.rescheduled += 1;
            return self.schedule(tcp, opening);
        }
        if self.is_gone(&entry) {
            return self.without_destination(knobs, tcp, opening);
        }
        let flags = self.headers.flags;
        if let Some(entry) = self.node.entries.get_mut(&self.key) {
            entry.last = self.now;
            if tcp {
                entry.state = entry.state.after_input(flags, entry.answered);
            }
        }
        Treatment::To(self.services[entry.service].endpoints[entry.endpoint].address)
    }

    /// A new connection gets the endpoint whose turn it is. What opens none goes on to the node's own TCP, which has the
    /// service's address on `kube-ipvs0`; so does what nobody is there for (kube-proxy rejects it).
    fn schedule(&mut self, tcp: bool, opening: bool) -> Treatment {
        let there = self.there();
        if (tcp && !opening) || there.is_empty() {
            return match self.headers.is_reset() {
                true => Treatment::Drop(Reason::MissingFlow),
                false => Treatment::Refuse,
            };
        }
        let turn = &mut self.node.turn[self.service];
        let all = self.services[self.service].endpoints.len();
        let endpoint = (*turn..*turn + all)
            .map(|place| place % all)
            .find(|place| there.contains(place))
            .unwrap_or(there[0]);
        *turn = (endpoint + 1) % all;
        self.give(endpoint)
    }

    /// The entry's endpoint is gone. Without `expire_nodest_conn` the packet is dropped, and the entry's timer runs on.
    fn without_destination(&mut self, knobs: &Ipvs, tcp: bool, opening: bool) -> Treatment {
        if !knobs.expire_nodest_conn {
            self.node.counters.no_destination_drops += 1;
            return Treatment::Drop(Reason::IpvsNoDestination);
        }
        self.node.remove(&self.key, self.services);
        // Connection tracking holds the packet to its old entry, unless a SYN has made it a new one. Before 5.9 none went on.
        let held = knobs.conntrack && !opening;
        if held || !knobs.since_5_9 {
            self.node.counters.no_destination_drops += 1;
            return Treatment::Drop(Reason::IpvsNoDestination);
        }
        self.schedule(tcp, opening)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SYN_ACK: u8 = tcp::SYN | tcp::ACK;
    const FIN_ACK: u8 = tcp::FIN | tcp::ACK;

    /// From the client: true.
    fn life(steps: &[(bool, u8)]) -> State {
        let first = State::new(steps[0].1);
        let mut answered = false;
        steps[1..].iter().fold(first, |state, (client, flags)| {
            if *client {
                state.after_input(*flags, answered)
            } else {
                answered = true;
                state.after_output(*flags)
            }
        })
    }

    #[test]
    fn a_connection_ends_in_time_wait_whoever_closes_first() {
        let handshake = [(true, tcp::SYN), (false, SYN_ACK), (true, tcp::ACK)];
        assert_eq!(life(&handshake), Established);
        let after = |more: &[(bool, u8)]| life(&[&handshake, more].concat());
        let server = [(false, FIN_ACK), (true, FIN_ACK), (false, tcp::ACK)];
        assert_eq!(after(&server[..1]), FinWait);
        assert_eq!(after(&server), TimeWait);
        let client = [(true, FIN_ACK), (false, FIN_ACK), (true, tcp::ACK)];
        assert_eq!(after(&client[..1]), CloseWait);
        assert_eq!(after(&client), TimeWait);
        assert_eq!(after(&[(false, tcp::RST)]), Close);
    }

    #[test]
    fn a_new_syn_does_not_change_an_established_entry() {
        let steps = [
            (true, tcp::SYN),
            (false, SYN_ACK),
            (true, tcp::ACK),
            (true, tcp::SYN),
        ];
        assert_eq!(life(&steps), Established);
    }
}
