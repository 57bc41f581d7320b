//! What somebody wants to know, so that no more is looked at.
//!
//! A step that waits for something asks again and again while its story goes on. To make evidence of every packet so far, and
//! to ask the kernel of every host each time, kept clients and servers from the processors for as long as the network did.

use crate::run::story::Story;

/// What evidence is to have in it, beside what costs little.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scope {
    /// Packets, one by one.
    pub(super) packets: bool,
    /// Counters, connection tracking and sockets of hosts' kernels.
    pub(super) kernels: bool,
}

/// What expressions make of packets.
const OF_PACKETS: [&str; 2] = ["packets", "flow_logs"];

/// What they make of what kernels tell; who ended a connection depends on the state of its sockets.
const OF_KERNELS: [&str; 6] = [
    "counters",
    "conntrack",
    "sockets",
    "listeners",
    "_state",
    "ended_by",
];

impl Scope {
    /// Everything.
    pub const ALL: Self = Self {
        packets: true,
        kernels: true,
    };

    /// What an expression mentions.
    pub fn of(expression: &str) -> Self {
        let mentions = |words: &[&str]| words.iter().any(|word| expression.contains(word));
        Self {
            packets: mentions(&OF_PACKETS),
            kernels: mentions(&OF_KERNELS),
        }
    }

    /// With packets where only these tell to whom datagrams went: those of clients inside hosts have no number.
    pub(super) fn for_clients(self, story: &Story) -> Self {
        let is_seen_inside = !story.world.observers().is_empty();
        let packets = self.packets || is_seen_inside && story.clients().iter().any(|c| c.udp);
        Self { packets, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_looked_at_than_an_expression_mentions() {
        for (expression, packets, kernels) in [
            ("upload.failed == 0 && upload.attempts == 3", false, false),
            ("target_groups.web.targets.web1.state != 'x'", false, false),
            ("hosts.web.requests.size() == 1", false, false),
            ("packets.exists(p, p.len > 0)", true, false),
            ("flow_logs.size() > 0", true, false),
            ("hosts.web.counters.TcpOutRsts > 0", false, true),
            ("hosts.web.sockets.all(s, s.send_queue == 0)", false, true),
            ("hosts.web.listeners.all(l, l.waiting == 0)", false, true),
            ("hosts.web.conntrack.drop == 0", false, true),
            ("old.client_state == ''", false, true),
            ("old.server_state == ''", false, true),
            ("old.ended_by == 'server'", false, true),
        ] {
            let wanted = Scope { packets, kernels };
            assert_eq!(Scope::of(expression), wanted, "{expression}");
        }
    }
}
