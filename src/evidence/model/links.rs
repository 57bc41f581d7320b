//! What links did to a packet on its way. Not here: packets that they lost, which are dropped as others are.

use serde::{Deserialize, Serialize};
use std::fmt;

/// What links did to a packet; told with its last record.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct OnLinks {
    /// How long it was in them, ms.
    pub delayed_ms: f64,
    /// How much of that it waited in their queues, until the packets before it were sent at the link's rate, ms. Of a packet
    /// that is still in one: how long it has to.
    #[serde(default, skip_serializing_if = "is_nothing")]
    pub queued_ms: f64,
    /// The same for each of them that it waited in, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub queues: Vec<Queued>,
    /// What else they did, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub effects: Vec<LinkEffect>,
}

/// A packet waited in a link's queue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Queued {
    /// Whose link: a host's name.
    pub host: String,
    /// `up` (from the host), `down` (to the host)
    pub direction: String,
    /// How long, ms.
    pub ms: f64,
}

/// One link did something to a packet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkEffect {
    /// Whose link: a host's name.
    pub host: String,
    /// `up` (from the host), `down` (to the host)
    pub direction: String,
    /// What it did.
    #[serde(flatten)]
    pub what: LinkDid,
}

/// What a link did, besides carrying a packet, delaying it or losing it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkDid {
    /// It flipped a bit.
    Damaged {
        /// In this byte behind the transport header, from 0; none: in the checksum.
        byte: Option<i64>,
    },
    /// It made this packet out of another.
    Copied {
        /// [`super::Packet::id`] of that one.
        from: i64,
    },
    /// It moved the acknowledgement number back, and left the SACK blocks where they were.
    UntranslatedSack {
        /// By how much: so far the blocks are ahead, around the end of 32 bits.
        ahead: i64,
    },
    /// It let the packet past others that were sent before it.
    Overtook {
        /// How many.
        packets: i64,
    },
}

fn is_nothing(ms: &f64) -> bool {
    *ms == 0.0
}

impl OnLinks {
    /// A bit of it is not as it was sent.
    pub fn is_damaged(&self) -> bool {
        let mut effects = self.effects.iter();
        effects.any(|effect| matches!(effect.what, LinkDid::Damaged { .. }))
    }

    /// No host sent it: it is the second one of another packet.
    pub fn is_copy(&self) -> bool {
        let mut effects = self.effects.iter();
        effects.any(|effect| matches!(effect.what, LinkDid::Copied { .. }))
    }

    /// Packets sent before it that it went past.
    pub fn overtook(&self) -> i64 {
        let passed = self.effects.iter().map(|effect| match effect.what {
            LinkDid::Overtook { packets } => packets,
            LinkDid::Damaged { .. } | LinkDid::Copied { .. } | LinkDid::UntranslatedSack { .. } => {
                0
            }
        });
        passed.sum()
    }

    /// By how much its SACK blocks are ahead of what its acknowledgement number counts; 0: they are not.
    pub fn sack_ahead(&self) -> i64 {
        let ahead = self.effects.iter().map(|effect| match effect.what {
            LinkDid::UntranslatedSack { ahead } => ahead,
            LinkDid::Damaged { .. } | LinkDid::Copied { .. } | LinkDid::Overtook { .. } => 0,
        });
        ahead.sum()
    }
}

impl LinkEffect {
    /// The link as reports name it: `client's link (up)`.
    pub fn link(&self) -> String {
        name(&self.host, &self.direction)
    }
}

impl Queued {
    /// The link as reports name it: `client's link (up)`.
    pub fn link(&self) -> String {
        name(&self.host, &self.direction)
    }
}

fn name(host: &str, direction: &str) -> String {
    format!("{host}'s link ({direction})")
}

/// `waited 12.3 ms in the queue of client's link (up)`
impl fmt::Display for Queued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "waited {:.1} ms in the queue of {}",
            self.ms,
            self.link()
        )
    }
}

/// `damaged on client's link (up): a bit of byte 12 of its payload is flipped`
impl fmt::Display for LinkEffect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let link = self.link();
        match self.what {
            LinkDid::Damaged { byte: Some(byte) } => {
                write!(
                    f,
                    "damaged on {link}: a bit of byte {byte} of its payload is flipped"
                )
            }
            LinkDid::Damaged { byte: None } => {
                write!(f, "damaged on {link}: a bit of its checksum is flipped")
            }
            LinkDid::Copied { .. } => write!(f, "a copy that {link} made"),
            LinkDid::UntranslatedSack { ahead } => write!(
                f,
                "its SACK blocks are {ahead} ahead of its other numbers since {link}"
            ),
            LinkDid::Overtook { packets: 1 } => write!(f, "overtook a packet on {link}"),
            LinkDid::Overtook { packets } => write!(f, "overtook {packets} packets on {link}"),
        }
    }
}
