//! What a case came to: the ruling, each claim with its values, the mechanisms recognised.
//!
//! Plain data, handed to reports. Not here: how it is reached (see `judge`, `findings`).

use serde::Serialize;
use serde_json::Value;

/// The word on a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Ruling {
    /// Everything the case had to show was shown.
    Holds,
    /// Something it had to show was not.
    Fails,
    /// It cannot be told, see [`Verdict::reason`].
    Inconclusive,
}

/// A case's verdict.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verdict {
    /// The word on the case.
    pub ruling: Ruling,
    /// One sentence, why it fails or is inconclusive; empty when it holds.
    pub reason: String,
    /// The lab's promise, entry by entry.
    pub works: Vec<ClaimVerdict>,
    /// What the case claims, entry by entry.
    pub expect: Vec<ClaimVerdict>,
    /// What was recognised in the evidence.
    pub findings: Vec<Finding>,
    /// By finding: the numbers of the packets that it cites, as captures have them ([`crate::evidence::Packet::id`]). Packets
    /// may be let go of before somebody asks.
    pub cited: Vec<Vec<i64>>,
    /// Kinds the case names in `finds` that were not recognised.
    pub missing_finds: Vec<String>,
    /// Kinds that the lab's faults name and that a fix or control must not show, but shows.
    pub unwanted_finds: Vec<String>,
}

/// What a claim came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ClaimTruth {
    /// It holds.
    True,
    /// It does not.
    False,
    /// It cannot be told, see [`ClaimVerdict::why`].
    Unknown,
}

/// A claim and what it came to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClaimVerdict {
    /// In words; none when the lab gives only the expression.
    pub claim: Option<String>,
    /// The expression.
    pub that: String,
    /// Line in the lab's file, from 1.
    pub line: usize,
    /// What it came to.
    #[serde(rename = "verdict")]
    pub truth: ClaimTruth,
    /// Why it cannot be told; empty unless unknown.
    pub why: String,
    /// Where `&&` joins several claims: each as written, with what it came to; else empty.
    pub parts: Vec<(String, ClaimTruth)>,
    /// What it mentions, with the values met: `("new.syns", 1)`; null for what the evidence does not have.
    pub values: Vec<(String, Value)>,
}

/// A named mechanism recognised in the evidence.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Finding {
    /// `flow-collision`, `challenge-ack`, ...
    pub kind: String,
    /// One or two sentences with the hosts, addresses, counters and times of this very case.
    pub summary: String,
    /// Indexes into [`crate::evidence::Evidence::packets`].
    pub packets: Vec<usize>,
    /// Indexes into [`crate::evidence::Evidence::connections`].
    pub connections: Vec<usize>,
    /// Host, counter, delta over the steps.
    pub counters: Vec<(String, String, i64)>,
    /// What else shows it, as expressions name it, with the values met:
    /// `("load_balancers.front.state", "failed")`.
    pub values: Vec<(String, Value)>,
}
