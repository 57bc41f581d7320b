//! What reports tell of a run, as plain data: made of outcomes, or read from the machine's reports of earlier runs.
//!
//! It is the machine's report itself: names are stable, fields are added, never renamed; a field with nothing to tell is
//! there all the same, empty or null (`schema/report.json`). Times are milliseconds where
//! the name ends in `_ms` or is `at` or `ms`, else seconds. Not here: how any report looks.

mod build;
mod network;
mod over_time;
mod read;
mod remedies;
mod shards;

pub(super) use over_time::OverTime;

pub use shards::{MOST_SHARDS, Shard};

pub use network::{Asked, Gateway, Leg, Mapped, Named, Network, Queue, Refused, Taken};

use super::Word;
use super::plan::Drawing;
use super::proof::{Offered, Remedy};
use super::words::again;
use crate::plan::Kind;
use crate::verdict::Ruling;
use crate::verdict::ladder::Ladder;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Of the report. One that is higher was written by a later release.
pub const VERSION: u32 = 1;

/// Everything that was run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// Of the layout.
    pub version: u32,
    /// `hairpin 0.1.0`
    pub tool: String,
    /// What became of the runs.
    pub summary: Summary,
    /// The parts of a run that was split (`--shard`) that are in here; empty for a whole run.
    #[serde(default)]
    pub shards: Vec<Shard>,
    /// It is the report of one part, written where that was run: the others are not missed.
    #[serde(skip)]
    pub alone: bool,
    /// One for each run of a case.
    pub cases: Vec<Record>,
}

/// Counts of runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Summary {
    /// All.
    pub cases: usize,
    /// That showed everything they had to show.
    pub holds: usize,
    /// That did not.
    pub fails: usize,
    /// That could not be told.
    pub inconclusive: usize,
    /// That could not be run.
    pub errors: usize,
    /// That were not over when the user stopped the run.
    #[serde(default)]
    pub interrupted: usize,
    /// That are no runs, but what was recorded of a lab by hand.
    #[serde(default)]
    pub by_hand: usize,
}

/// One run of one case.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Record {
    /// The lab's name.
    pub lab: String,
    /// The case's name.
    pub case: String,
    /// Its kind.
    #[serde(with = "words::kind")]
    #[schemars(schema_with = "words::kind::schema")]
    pub kind: Kind,
    /// What it came to.
    #[serde(with = "words::word")]
    #[schemars(schema_with = "words::word::schema")]
    pub verdict: Word,
    /// Why it fails or is inconclusive; else empty.
    pub reason: String,
    /// Why it could not be run.
    pub error: Option<String>,
    /// The lab's file as given on the command line.
    pub file: String,
    /// Line of the case in it, from 1.
    pub line: usize,
    /// The lab's title.
    pub title: String,
    /// What the case shows; may be empty.
    pub shows: String,
    /// What it changes.
    pub set: Vec<Changed>,
    /// The seed in force.
    pub seed: u64,
    /// Which of several runs of the case, from 1.
    pub attempt: u32,
    /// Why an earlier run could not be told, after which it was run once more, alone.
    #[serde(default)]
    pub retried: Option<String>,
    /// What its story waited for in vain, of which no claim takes notice, in sentences.
    #[serde(default)]
    pub waited: Vec<String>,
    /// Cloud time divided by this.
    pub time_scale: Option<f64>,
    /// `uname -r`
    pub kernel: Option<String>,
    /// Settings of TCP that its hosts had from the machine, by their sysctl names, where the lab has not written its own.
    #[serde(default)]
    pub tcp: BTreeMap<String, String>,
    /// From the first step to the last.
    pub seconds: Option<f64>,
    /// Building the world.
    pub up_ms: Option<f64>,
    /// Worst lateness of a timer while the steps ran.
    pub lag_ms: Option<f64>,
    /// The lab's promise.
    pub works: Vec<Claimed>,
    /// What the case claims beyond it.
    pub expect: Vec<Claimed>,
    /// Mechanisms recognised.
    pub findings: Vec<Found>,
    /// What the lab offers against it, run or not; of a fault only.
    #[serde(default)]
    pub fixes: Vec<Offered>,
    /// Those that the case names and that were not.
    pub missing_finds: Vec<String>,
    /// Those that a fix or control must not show, and shows.
    pub unwanted_finds: Vec<String>,
    /// In order.
    pub steps: Vec<Stepped>,
    /// Kernel counters that moved, by host.
    pub counters: BTreeMap<String, BTreeMap<String, i64>>,
    /// By group, as `aws elbv2 describe-target-health` prints it; by classic balancer, as `aws elb describe-instance-health`
    /// does.
    pub target_health: Value,
    /// Which states each target was in.
    #[serde(default)]
    pub targets: Vec<Targeted>,
    /// As `GetMetricStatistics` names their parts.
    pub metrics: Vec<crate::evidence::MetricEvidence>,
    /// Packets that did not arrive, by reason.
    pub drops: BTreeMap<String, i64>,
    /// What the boxes of the network and the kernels have on record.
    #[serde(default)]
    pub network: Network,
    /// Where its evidence was saved.
    pub evidence: Option<String>,
    /// Where its packets were saved.
    #[serde(default)]
    pub capture: Option<Captured>,
    /// What is nearest to what it had to show; only of a case that did not.
    #[serde(default)]
    pub nearest: Vec<String>,
    /// What happens in the lab; empty in further runs of the same case.
    #[serde(default)]
    pub story: String,
    /// Links; likewise.
    #[serde(default)]
    pub sources: Vec<String>,
    /// Who is where, and who talks to whom; null in further runs.
    #[serde(default)]
    pub topology: Option<Drawing>,
    /// The boxes of the network with the settings in force, in lines; empty in further runs.
    #[serde(default)]
    pub configured: String,
    /// The connections that tell most, packet by packet, long stories cut, and every packet that a finding cites; null where
    /// there is no packet to show.
    #[serde(default)]
    pub ladder: Option<Ladder>,
}

/// The files of a capture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Captured {
    /// Of the whole case.
    pub file: String,
    /// Of each attachment that had packets.
    pub attachments: BTreeMap<String, String>,
    /// Packets that are no longer in it for want of room, if that is known.
    pub cut: Option<u64>,
}

/// One entry of `set`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Changed {
    /// Dotted path.
    pub path: String,
    /// Compact YAML; none: not written before.
    pub before: Option<String>,
    /// Compact YAML; none: removed.
    pub after: Option<String>,
}

/// What a claim came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Truth {
    /// It is true.
    Holds,
    /// It is not.
    Fails,
    /// It cannot be told.
    Inconclusive,
}

/// A claim and what it came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Claimed {
    /// In words, if the lab has any.
    pub claim: Option<String>,
    /// The expression.
    pub that: String,
    /// Line in the lab's file.
    pub line: usize,
    /// What it came to.
    pub verdict: Truth,
    /// Why it cannot be told; else empty.
    pub why: String,
    /// Where `&&` joins several: each, with what it came to.
    #[serde(default)]
    pub parts: Vec<(String, Truth)>,
    /// What it mentions, with the values met.
    pub values: Map<String, Value>,
}

/// A mechanism recognised.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Found {
    /// `flow-collision`
    pub kind: String,
    /// Sentences.
    pub summary: String,
    /// Numbers of packets, as captures and the evidence have them (`packets[].id`).
    pub packets: Vec<i64>,
    /// Indexes into the evidence's connections.
    pub connections: Vec<usize>,
    /// What the kernels counted.
    pub counters: Vec<Counted>,
    /// What else shows it, as expressions name it, with the values met.
    #[serde(default)]
    pub values: Map<String, Value>,
    /// What the lab's fixes are worth against it; of a fault's findings only.
    #[serde(default)]
    pub fixes: Vec<Remedy>,
}

/// A kernel counter that a finding cites.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Counted {
    /// Whose.
    pub host: String,
    /// nstat's name.
    pub counter: String,
    /// Over the steps.
    pub value: i64,
}

/// A step. Besides these it has what only its kind has, as expressions name it: a connection `local`, `via`, `lost`, ...
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Stepped {
    /// `as`, or `step N`.
    pub name: String,
    /// `connect client -> front/a`
    pub label: String,
    /// Without error.
    pub ok: bool,
    /// Error word; empty when ok.
    pub error: String,
    /// 0 when there was none.
    pub errno: i64,
    /// How long it took.
    pub ms: f64,
    /// When it began.
    pub at: f64,
    /// What only its kind has.
    #[serde(flatten)]
    pub fields: Map<String, Value>,
}

/// A target's states.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Targeted {
    /// The target group.
    pub group: String,
    /// The target.
    pub target: String,
    /// When it came into which; a moment before the first step is negative.
    pub states: Vec<Stated>,
}

/// A target came into a state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Stated {
    /// When.
    pub at: f64,
    /// `healthy`, ...
    pub state: String,
    /// AWS reason code; may be empty.
    pub reason: String,
}

impl Record {
    /// `nlb/source-port-collision/as-deployed`
    pub fn name(&self) -> String {
        format!("{}/{}", self.lab, self.case)
    }

    /// Everything it had to show was shown.
    pub fn holds(&self) -> bool {
        self.verdict == Word::Ruled(Ruling::Holds)
    }

    /// Something that was claimed was not shown.
    pub fn is_amiss(&self) -> bool {
        self.verdict.is_amiss()
    }

    /// Why it did not hold; empty when it did.
    pub fn why(&self) -> &str {
        self.error.as_deref().unwrap_or(&self.reason)
    }

    /// The command that runs it again and tells everything about it; none where it was no run but a lab worked by hand, which
    /// no command repeats.
    pub fn again(&self) -> Option<String> {
        (self.verdict != Word::ByHand).then(|| again(&self.file, &self.case, self.seed))
    }

    /// Entries of the promise that it had to keep and did not.
    pub fn broken_promise(&self) -> impl Iterator<Item = &Claimed> {
        let promised = match self.kind {
            // A fault must break it.
            Kind::Fault | Kind::Partial => &[],
            Kind::Fix | Kind::Control => self.works.as_slice(),
        };
        let claims = promised.iter();
        claims.filter(|claim| claim.verdict != Truth::Holds)
    }

    /// Of its own claims, those that did not come out true.
    pub fn untrue(&self) -> impl Iterator<Item = &Claimed> {
        let claims = self.expect.iter();
        claims.filter(|claim| claim.verdict != Truth::Holds)
    }
}

impl Report {
    /// Of records in any order, sorted by lab, place in the file, and run.
    pub fn of(mut cases: Vec<Record>, shards: Vec<Shard>) -> Self {
        cases.sort_by(|a, b| {
            let key = |r: &Record| (r.lab.clone(), r.line, r.case.clone(), r.attempt);
            key(a).cmp(&key(b))
        });
        remedies::prove(&mut cases);
        let came_to = |word: Word| cases.iter().filter(|case| case.verdict == word).count();
        Self {
            version: VERSION,
            tool: concat!("hairpin ", env!("CARGO_PKG_VERSION")).to_owned(),
            summary: Summary {
                cases: cases.len(),
                holds: came_to(Word::Ruled(Ruling::Holds)),
                fails: came_to(Word::Ruled(Ruling::Fails)),
                inconclusive: came_to(Word::Ruled(Ruling::Inconclusive)),
                errors: came_to(Word::Failure),
                interrupted: came_to(Word::Interrupted),
                by_hand: came_to(Word::ByHand),
            },
            shards,
            alone: false,
            cases,
        }
    }
}

/// Words for what the rest of the program has as enums.
mod words {
    pub mod kind {
        use crate::plan::Kind;
        use crate::report::kind_word;
        use schemars::{Schema, SchemaGenerator, json_schema};
        use serde::{Deserialize, Deserializer, Serializer, de::Error};

        const ALL: [Kind; 4] = [Kind::Fault, Kind::Fix, Kind::Partial, Kind::Control];

        pub fn serialize<S: Serializer>(kind: &Kind, to: S) -> Result<S::Ok, S::Error> {
            to.serialize_str(kind_word(*kind))
        }

        pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Kind, D::Error> {
            let word = String::deserialize(from)?;
            let mut all = ALL.into_iter();
            all.find(|kind| kind_word(*kind) == word)
                .ok_or_else(|| D::Error::custom(format!("no kind is called `{word}`")))
        }

        pub fn schema(_: &mut SchemaGenerator) -> Schema {
            json_schema!({ "type": "string", "enum": ALL.map(kind_word) })
        }
    }

    pub mod word {
        use crate::report::{Word, machine_word};
        use crate::verdict::Ruling;
        use schemars::{Schema, SchemaGenerator, json_schema};
        use serde::{Deserialize, Deserializer, Serializer, de::Error};

        const ALL: [Word; 6] = [
            Word::Ruled(Ruling::Holds),
            Word::Ruled(Ruling::Fails),
            Word::Ruled(Ruling::Inconclusive),
            Word::Failure,
            Word::Interrupted,
            Word::ByHand,
        ];

        pub fn serialize<S: Serializer>(word: &Word, to: S) -> Result<S::Ok, S::Error> {
            to.serialize_str(machine_word(*word))
        }

        pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Word, D::Error> {
            let text = String::deserialize(from)?;
            let mut all = ALL.into_iter();
            all.find(|word| machine_word(*word) == text)
                .ok_or_else(|| D::Error::custom(format!("no verdict is called `{text}`")))
        }

        pub fn schema(_: &mut SchemaGenerator) -> Schema {
            json_schema!({ "type": "string", "enum": ALL.map(machine_word) })
        }
    }
}
