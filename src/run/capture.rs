//! From the tap on the devices to a capture: wire packets, each with a comment that says what became of it.
//!
//! All of this happens after the story. Not here: the file's format (see `evidence::capture`).

use super::books::{Books, books, flow_evidence, packet};
use super::story::Story;
use crate::evidence::capture::{Frame, Interface, Writer};
use crate::evidence::{Evidence, Packet};
use crate::fabric::record::{Fate, PacketRecord};
use crate::packet::segment::on_a_wire;
use crate::plan::Plan;
use crate::world::tap::{Entry, Tap};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// Everything that passed the devices of a case, as far as there was room for it.
pub struct Capture {
    plan: Arc<Plan>,
    tap: Tap,
    fates: Fates,
    /// The wall clock's time of the fabric's start, since 1970.
    epoch: Duration,
    kernel: String,
}

/// What became of packets.
struct Fates {
    books: Books,
    /// By a packet's number: where its record is, and that of its first wait in a link.
    ends: HashMap<u64, usize>,
    waits: HashMap<u64, usize>,
    /// By a super-packet's number: those of its parts but the first, where the fabric cut it.
    parts: HashMap<u64, Vec<u64>>,
    /// `flow 3 at front/a`, by flow.
    flows: Vec<String>,
    /// A connection's step, by its flow, and by protocol and ends.
    step_of_flow: HashMap<usize, String>,
    step_of_ends: HashMap<(String, String, String), String>,
}

impl Capture {
    /// Ends capturing. None when nothing was captured.
    pub(super) async fn take(story: &Story, evidence: &Evidence) -> Option<Self> {
        let driver = story.world.driver();
        let tap = driver.take_tap().await?;
        let since = driver.epoch().duration_since(SystemTime::UNIX_EPOCH);
        let mut books = books(story).await;
        let (latest, parts) = driver
            .ask(|fabric, _| {
                let latest = fabric.latest().cloned().unwrap_or_default();
                (latest.records, latest.parts)
            })
            .await;
        books.records.extend(latest);
        let mut of_whole: HashMap<u64, Vec<u64>> = HashMap::new();
        for (part, whole) in parts {
            of_whole.entry(whole).or_default().push(part);
        }
        Some(Self {
            fates: Fates::new(&story.plan, books, of_whole, evidence),
            plan: Arc::clone(&story.plan),
            tap,
            epoch: since.unwrap_or_default(),
            kernel: evidence.kernel.clone(),
        })
    }

    /// The attachments that had packets, in the plan's order.
    pub fn attachments(&self) -> Vec<String> {
        let named = self.interfaces().into_iter().enumerate();
        named
            .filter(|(number, _)| self.tap.seen()[*number].packets > 0)
            .map(|(_, interface)| interface.name)
            .collect()
    }

    /// Packets, as kernels handed them over, that there was no room for.
    pub fn cut(&self) -> u64 {
        self.tap.seen().iter().map(|seen| seen.cut).sum()
    }

    fn interfaces(&self) -> Vec<Interface> {
        let seen = self.tap.seen().iter();
        seen.zip(&self.plan.fabric.ports)
            .map(|(seen, port)| Interface {
                name: port.name.clone(),
                packets: seen.packets,
                cut: seen.cut,
            })
            .collect()
    }

    /// Writes the file of one attachment, or of all of them.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(
        &mut self,
        attachment: Option<&str>,
        snaplen: Option<u32>,
        out: impl Write,
    ) -> io::Result<()> {
        let all = self.interfaces();
        let wanted = |interface: &Interface| attachment.is_none_or(|name| name == interface.name);
        let places: Vec<Option<usize>> = all
            .iter()
            .scan(0, |next, interface| {
                let place = wanted(interface).then_some(*next);
                *next += usize::from(place.is_some());
                Some(place)
            })
            .collect();
        let interfaces: Vec<Interface> = all.into_iter().filter(wanted).collect();
        let about = self.about(&interfaces);
        let mut writer = Writer::new(out, &about, &self.kernel, &interfaces, snaplen)?;
        let Self {
            plan,
            tap,
            fates,
            epoch,
            ..
        } = self;
        let mut last = *epoch;
        let (mut scratch, mut comment) = (Vec::new(), String::new());
        for (entry, bytes) in tap.packets() {
            let Some(interface) = places[entry.port.0 as usize] else {
                continue;
            };
            last = *epoch + entry.at;
            let mut written = Ok(());
            let mut index = 0;
            let size = entry.vnet.gso_size;
            on_a_wire(&entry.vnet, bytes, &mut scratch, |part, count| {
                comment.clear();
                if count > 1 {
                    // A string takes everything.
                    let _ = match index {
                        0 => write!(comment, "gso {count} x {size}; "),
                        _ => write!(comment, "part {} of {count}; ", index + 1),
                    };
                }
                fates.comment(plan, entry, index, &mut comment);
                let frame = Frame {
                    interface,
                    at: *epoch + entry.at,
                    inbound: entry.inbound,
                    bytes: part,
                    comment: &comment,
                };
                if written.is_ok() {
                    written = writer.frame(&frame);
                }
                index += 1;
            });
            written?;
        }
        writer.finish(last)?.flush()
    }

    /// What the whole file is.
    fn about(&self, interfaces: &[Interface]) -> String {
        let plan = &self.plan;
        let mut about = format!(
            "hairpin {} case {} seed {}; packets as on each attachment's wire: outbound as its host sent them, before \
             any translation, inbound as it got them; super-packets (GSO) are shown as the packets that a wire carries",
            plan.lab, plan.case, plan.seed
        );
        let cut: u64 = interfaces.iter().map(|interface| interface.cut).sum();
        if cut > 0 {
            let _ = write!(
                about,
                "; the oldest {cut} packets and super-packets were cut, to keep {} bytes of the case",
                self.tap.limit()
            );
        }
        about
    }
}

impl Fates {
    fn new(plan: &Plan, books: Books, parts: HashMap<u64, Vec<u64>>, evidence: &Evidence) -> Self {
        let (mut ends, mut waits) = (HashMap::new(), HashMap::new());
        for (place, record) in books.records.iter().enumerate() {
            match record.fate {
                Fate::Held => {
                    waits.entry(record.id).or_insert(place);
                }
                Fate::Forwarded(_) | Fate::Answered(_) | Fate::Dropped(_) => {
                    ends.insert(record.id, place);
                }
            }
        }
        let flows = books.flows.iter().enumerate().map(|(number, flow)| {
            let via = flow_evidence(plan, &books, flow).via;
            format!("flow {number} at {via}")
        });
        let flows = flows.collect();
        let step = |index: usize| evidence.steps.get(index).map_or("", |step| &step.name);
        let (mut step_of_flow, mut step_of_ends) = (HashMap::new(), HashMap::new());
        for connection in &evidence.connections {
            let name = step(connection.step).to_owned();
            if let Some(flow) = connection.flow {
                step_of_flow.insert(flow, name.clone());
            }
            let ends = (connection.local.clone(), connection.remote.clone());
            step_of_ends.insert((connection.protocol.clone(), ends.0, ends.1), name);
        }
        Self {
            books,
            ends,
            waits,
            parts,
            flows,
            step_of_flow,
            step_of_ends,
        }
    }

    /// What became of a packet, or of the part of that number.
    fn comment(&self, plan: &Plan, entry: &Entry, part: usize, comment: &mut String) {
        let id = match part.checked_sub(1) {
            Some(rest) => {
                let parts = self.parts.get(&entry.id).and_then(|parts| parts.get(rest));
                parts.copied().unwrap_or(entry.id)
            }
            None => entry.id,
        };
        let record =
            |places: &HashMap<u64, usize>| places.get(&id).map(|place| self.record(*place));
        let (end, wait) = (record(&self.ends), record(&self.waits));
        let Some(record) = end.or(wait) else {
            // A string takes everything, here and below.
            let _ = write!(comment, "packet {id}; what became of it is not recorded");
            return;
        };
        let packet = packet(plan, &self.books, record);
        self.fate(&packet, entry.inbound, comment);
        if let (Some(end), Some(wait)) = (end, wait) {
            let held = (end.at.saturating_sub(wait.at)).as_secs_f64() * 1e3;
            let _ = write!(comment, "; held {held:.1} ms");
        }
        if let Some(flow) = packet.flow.and_then(|flow| self.flows.get(flow)) {
            let _ = write!(comment, "; {flow}");
        }
        if let Some(step) = self.step(&packet) {
            let _ = write!(comment, "; step {step}");
        }
        if packet.probe {
            comment.push_str("; health check");
        }
        let _ = write!(comment, "; packet {id}");
    }

    fn record(&self, place: usize) -> &PacketRecord {
        &self.books.records[place]
    }

    /// Whence or whither, and the translation on the way.
    fn fate(&self, packet: &Packet, inbound: bool, comment: &mut String) {
        let _ = match (inbound, packet.receiver.is_empty()) {
            (true, _) => write!(comment, "from {}", packet.sender),
            (false, false) => write!(comment, "to {}", packet.receiver),
            (false, true) => write!(comment, "{}", packet.fate),
        };
        let ported = matches!(packet.protocol.as_str(), "tcp" | "udp");
        let end = |end: &str| match ported {
            true => end.to_owned(),
            false => end
                .trim_end_matches(":0")
                .trim_matches(['[', ']'])
                .to_owned(),
        };
        let (from, to) = (end(&packet.from), end(&packet.to));
        let (from_after, to_after) = (end(&packet.from_after), end(&packet.to_after));
        if (&from, &to) != (&from_after, &to_after) {
            let _ = write!(comment, ": {from} > {to} became {from_after} > {to_after}");
        }
    }

    /// The step that opened the connection which a packet belongs to, either way.
    fn step(&self, packet: &Packet) -> Option<&String> {
        if let Some(flow) = packet.flow {
            return self.step_of_flow.get(&flow);
        }
        let key = |a: &String, b: &String| (packet.protocol.clone(), a.clone(), b.clone());
        let ways = [
            (&packet.from, &packet.to),
            (&packet.to, &packet.from),
            (&packet.to_after, &packet.from_after),
        ];
        let mut ways = ways.into_iter();
        ways.find_map(|(a, b)| self.step_of_ends.get(&key(a, b)))
    }
}
