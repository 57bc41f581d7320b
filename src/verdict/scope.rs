//! How much of the evidence an expression is about, so that no more is looked at.
//!
//! A step that waits for something asks again and again while its story goes on. To make evidence of every packet so far, and
//! to ask the kernel of every host each time, keeps clients and servers from the processors.

/// What evidence is to have in it, beside what costs little.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scope {
    /// Packets, one by one.
    pub packets: bool,
    /// Counters, connection tracking and sockets of hosts' kernels.
    pub kernels: bool,
}

/// What expressions make of packets.
const OF_PACKETS: [&str; 2] = ["packets", "flow_logs"];

/// What they make of what kernels tell; who ended a connection depends on the state of its sockets.
pub(super) const OF_KERNELS: [&str; 6] = [
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_costs_little_is_no_reason_to_look_at_the_rest() {
        let (packets, kernels) = (false, false);
        for cheap in [
            "upload.failed == 0 && upload.attempts == 3",
            "target_groups.web.targets.web1.state != 'x'",
            "hosts.web.requests.size() == 1",
        ] {
            assert_eq!(Scope::of(cheap), Scope { packets, kernels }, "{cheap}");
        }
    }
}
