//! What packets tell of the attempts that they belong to (see `conversation`).

use super::Fabric;
use super::conversation::reversed;
use super::passage::{Transient, tuple};
use super::record::{Ended, Party, Tuple};
use crate::packet::tcp;

impl Fabric {
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
                self.conversations.travels(&before, headers.seq, flow);
            }
        } else if headers.flags & tcp::SYN != 0 {
            self.conversations.accepted(&answered, headers.ack);
        }
        if headers.is_ending() {
            let owner = match party {
                Some(Party::Client) => Some((before, Party::Client)),
                Some(Party::Server) => Some((answered, Party::Server)),
                Some(Party::Fabric) | None => self.conversations.owner(&before, &tuple(headers)),
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
        self.conversations.ending(tuple, ended);
    }
}
