//! What packets tell: of the attempts that they belong to (see `conversation`), and what the books have besides their records.

use super::Fabric;
use super::conversation::reversed;
use super::passage::{Transient, tuple};
use super::record::{Ended, Mark, Marked, Party, Tuple};
use crate::packet::icmp::Message;
use crate::packet::stream::Sack;
use crate::packet::{Headers, tcp};

impl Fabric {
    /// Puts down what a packet says besides its record.
    pub(super) fn mark(&mut self, id: u64, packet: &[u8], headers: &Headers) {
        let sack = Sack::read(packet, headers).map(Marked::Sack);
        let what = sack.or_else(|| Message::read(packet, headers).map(Marked::Icmp));
        if let Some(what) = what {
            self.ledger.mark(Mark { packet: id, what });
        }
    }

    /// Tells the conversations of SYN-ACK, FIN and RST, and of the flow a SYN took. `party`: who sent it, of a
    /// packet on a flow.
    pub(super) fn note(&mut self, transient: &Transient<'_>, party: Option<Party>) {
        let headers = &transient.headers;
        if headers.flags & (tcp::SYN | tcp::FIN | tcp::RST) == 0 {
            return;
        }
        let before = transient.passage.before;
        let answered = reversed(&tuple(headers));
        if headers.is_opening() {
            if let Some(flow) = transient.passage.flow {
                let flows = self.balancers.table_mut();
                self.conversations
                    .travels(flows, &before, headers.seq, flow);
            }
        } else if headers.flags & tcp::SYN != 0 {
            let flows = self.balancers.table();
            self.conversations.accepted(flows, &answered, headers.ack);
        }
        if headers.is_ending() {
            let owner = match party {
                Some(Party::Client) => Some((before, Party::Client)),
                Some(Party::Server) => Some((answered, Party::Server)),
                Some(Party::Fabric) | None => {
                    let flows = self.balancers.table();
                    self.conversations.owner(flows, &before, &tuple(headers))
                }
            };
            if let Some((tuple, by)) = owner {
                self.end_conversation(&tuple, headers.is_reset(), by);
            }
        }
    }

    pub(super) fn end_conversation(&mut self, tuple: &Tuple, reset: bool, by: Party) {
        let ended = Ended {
            at: self.now,
            reset,
            by,
        };
        let flows = self.balancers.table();
        self.conversations.ending(flows, tuple, ended);
    }
}
