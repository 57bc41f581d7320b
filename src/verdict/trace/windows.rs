//! Closed windows: who had to stop because the other end's window was 0, and how it asked whether it still is (RFC 9293
//! section 3.8.6.1).
//!
//! Not here: windows that are small; a window that is 0 for a moment that nobody notices.

use super::{Trace, asks_again, delivered, is_reset};
use std::collections::HashMap;

/// A sender that had something to say and waited for a window.
pub struct Stall {
    /// The connection; of several that a proxy's one served, the one at the time.
    pub connection: usize,
    /// Passage of the segment that said that the window is 0.
    pub closed: usize,
    /// Passages of the questions whether it still is.
    pub probes: Vec<usize>,
    /// Passage of the segment that opened it again; none: nobody did.
    pub opened: Option<usize>,
}

impl Trace<'_> {
    /// All of them, in the order of their ends; those that were not asked about are none.
    pub fn stalls(&self) -> Vec<Stall> {
        // By connection, a proxy's own ones apart, and by who closed its window.
        let mut closed: HashMap<(usize, Option<usize>, bool), Stall> = HashMap::new();
        let mut stalls = Vec::new();
        for (number, passage) in self.passages.iter().enumerate() {
            let (sent, Some(connection)) = (self.sent(number), passage.connection) else {
                continue;
            };
            if sent.protocol != "tcp" || is_reset(sent) {
                continue;
            }
            let key = |toward_target| (connection, passage.leg, toward_target);
            if let Some(stall) = closed.get_mut(&key(!passage.toward_target))
                && asks_again(
                    sent,
                    passage.seq.at,
                    Some(self.passages[stall.closed].ack.at),
                )
            {
                stall.probes.push(number);
            }
            if !sent.flags.contains('.') || !delivered(self.ended(number)) {
                continue;
            }
            match (sent.window, closed.remove(&key(passage.toward_target))) {
                (0, stall) => {
                    let stall = stall.unwrap_or(Stall {
                        connection,
                        closed: number,
                        probes: Vec::new(),
                        opened: None,
                    });
                    closed.insert(key(passage.toward_target), stall);
                }
                (_, Some(stall)) => stalls.push(Stall {
                    opened: Some(number),
                    ..stall
                }),
                (_, None) => {}
            }
        }
        let mut open: Vec<Stall> = closed.into_values().collect();
        open.sort_by_key(|stall| stall.closed);
        stalls.extend(open);
        stalls.retain(|stall| !stall.probes.is_empty());
        stalls
    }
}
