//! From the tap on the devices to a capture: wire packets, each with a comment that says what became of it.
//!
//! All of this happens after the story. Not here: the file's format (see `evidence::capture`).

mod growing;
mod inside;

pub use growing::Behind;

use super::books::{Books, books, flow_evidence, packet};
use super::collect::links::{Effects, effects};
use super::story::Story;
use crate::evidence::capture::{Frame, Interface, Writer};
use crate::evidence::{Evidence, LinkDid, Packet, connections_of_pairs};
use crate::fabric::record::{Fate, Marked, PacketRecord};
use crate::packet::segment::on_a_wire;
use crate::plan::{HostId, Plan};
use crate::world::Recording;
use crate::world::tap::{Entry, Tap};
use inside::Inside;
use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// Everything that passed the devices of a case, as far as there was room for it.
pub struct Capture {
    plan: Arc<Plan>,
    tap: Tap,
    /// Of hosts inside others; none where there are none.
    recording: Option<Recording>,
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
    /// By the ends of a proxy's own connection.
    legs: HashMap<(String, String), Leg>,
    effects: Effects,
    /// What a step put into the network.
    injected: HashSet<u64>,
    inside: Inside,
}

/// A proxy's own connection: whose it is, and from when on for which step, in order.
type Leg = (String, Vec<(f64, String)>);

impl Capture {
    /// Ends capturing. None when nothing was captured.
    pub(super) async fn take(story: &Story, evidence: &Evidence) -> Option<Self> {
        let tap = story.world.driver().take_tap().await?;
        let recording = tokio::task::block_in_place(|| story.world.take_recording());
        Some(Self::of(story, evidence, tap, recording).await)
    }

    /// What was captured behind a place; capturing goes on. None when nothing is captured.
    pub(super) async fn behind(story: &Story, evidence: &Evidence, behind: Behind) -> Option<Self> {
        let tap = story.world.driver().tap_behind(behind.fabric).await?;
        let recording = story.world.recording_behind(behind.inside);
        Some(Self::of(story, evidence, tap, recording).await)
    }

    async fn of(
        story: &Story,
        evidence: &Evidence,
        tap: Tap,
        recording: Option<Recording>,
    ) -> Self {
        let driver = story.world.driver();
        let since = driver.epoch().duration_since(SystemTime::UNIX_EPOCH);
        let mut books = books(story, true).await;
        let (latest, parts, impairments) = driver
            .ask(|fabric, _| {
                let latest = fabric.latest().cloned().unwrap_or_default();
                (latest.records, latest.parts, latest.impairments)
            })
            .await;
        if !story.stays {
            books.records.extend(latest);
            books.impairments.extend(impairments);
        }
        let mut of_whole: HashMap<u64, Vec<u64>> = HashMap::new();
        for (part, whole) in parts {
            of_whole.entry(whole).or_default().push(part);
        }
        Self {
            fates: Fates::new(&story.plan, books, of_whole, evidence),
            plan: Arc::clone(&story.plan),
            tap,
            recording,
            epoch: since.unwrap_or_default(),
            kernel: evidence.kernel.clone(),
        }
    }

    /// The attachments that had packets, in the plan's order.
    pub fn attachments(&self) -> Vec<String> {
        let interfaces = self.interfaces().into_iter();
        interfaces
            .filter(|interface| interface.packets > 0)
            .map(|interface| interface.name)
            .collect()
    }

    /// Packets, as kernels handed them over, that there was no room for.
    pub fn cut(&self) -> u64 {
        let cut: u64 = self.interfaces().iter().map(|one| one.cut).sum();
        cut + self.missed()
    }

    /// Packets inside hosts that came faster than they could be taken.
    fn missed(&self) -> u64 {
        self.recording
            .as_ref()
            .map_or(0, |recording| recording.missed)
    }

    fn interfaces(&self) -> Vec<Interface> {
        let ports = self.tap.seen().iter().zip(&self.plan.fabric.ports);
        let ports = ports.map(|(seen, port)| Interface {
            name: port.name.clone(),
            description: String::new(),
            packets: seen.packets,
            cut: seen.cut,
        });
        let first = self.plan.on_fabric();
        let hosts = (first as u32..).map(HostId).zip(&self.plan.hosts[first..]);
        let recording = self.recording.iter();
        let inside = recording
            .flat_map(|recording| recording.tap.seen())
            .zip(hosts);
        let inside = inside.map(|(seen, (id, host))| Interface {
            name: host.name.clone(),
            description: Inside::description(&self.plan, id),
            packets: seen.packets,
            cut: seen.cut,
        });
        ports.chain(inside).collect()
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
        let (interfaces, places) = wanted(self.interfaces(), attachment);
        let about = self.about(&interfaces);
        let mut writer = Writer::new(out, &about, &self.kernel, &interfaces, snaplen)?;
        let last = self.frames(&mut writer, &places, (usize::MAX, usize::MAX))?;
        writer.finish(last)?.flush()
    }

    /// Writes so many packets of the fabric's, and so many of those inside hosts. Gives the time of the last.
    fn frames<W: Write>(
        &mut self,
        writer: &mut Writer<W>,
        places: &[Option<usize>],
        most: (usize, usize),
    ) -> io::Result<Duration> {
        let Self {
            plan,
            tap,
            recording,
            fates,
            epoch,
            ..
        } = self;
        let ports = plan.fabric.ports.len();
        let mut last = *epoch;
        let (mut scratch, mut comment) = (Vec::new(), String::new());
        let of_fabric = tap.packets().take(most.0);
        let of_fabric = of_fabric.map(|(entry, bytes)| (None, entry, bytes));
        let recorded = recording.iter_mut().flat_map(|one| one.tap.packets());
        let offset = fates.books.offset;
        let recorded = recorded.take(most.1);
        let of_inside = recorded.map(|(entry, bytes)| (Some(offset), entry, bytes));
        let mut all: Vec<_> = of_fabric.chain(of_inside).collect();
        all.sort_by_key(|(_, entry, _)| entry.at);
        for (inside, entry, bytes) in all {
            let number = entry.port.0 as usize + if inside.is_some() { ports } else { 0 };
            let Some(interface) = places[number] else {
                continue;
            };
            last = last.max(*epoch + entry.at);
            let packet = inside.map(|offset| {
                let t = (entry.at.as_secs_f64() - offset.as_secs_f64()) * 1e3;
                fates.inside.find(entry, bytes, t)
            });
            let mut written = Ok(());
            let mut index = 0;
            let size = entry.vnet.gso_size;
            on_a_wire(&entry.vnet, bytes, &mut scratch, |part, count| {
                comment.clear();
                tell_part(index, count, size, &mut comment);
                match packet {
                    Some(packet) => fates.on_device(entry, packet, &mut comment),
                    None => fates.comment(plan, entry, index, &mut comment),
                }
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
        Ok(last)
    }

    /// What the whole file is.
    fn about(&self, interfaces: &[Interface]) -> String {
        let plan = &self.plan;
        let mut about = format!(
            "hairpin {} case {} seed {}; packets as on each attachment's wire: outbound as its host sent them, before \
             any translation, inbound as it got them; of hosts inside others at the other end of their veths; super-packets \
             (GSO) are shown as the packets that a wire carries",
            plan.lab, plan.case, plan.seed
        );
        let cut: u64 = interfaces.iter().map(|interface| interface.cut).sum();
        if cut > 0 {
            let _ = write!(
                about,
                "; the oldest {cut} packets and super-packets were cut, to keep {} bytes of the case",
                self.tap.limit() + self.recording.as_ref().map_or(0, |one| one.tap.limit())
            );
        }
        if self.missed() > 0 {
            let missed = self.missed();
            let _ = write!(
                about,
                "; {missed} packets inside hosts came faster than they could be taken"
            );
        }
        about
    }
}

/// The interfaces of a file, and the place there of each of `all`; none: it is of another attachment.
fn wanted(all: Vec<Interface>, attachment: Option<&str>) -> (Vec<Interface>, Vec<Option<usize>>) {
    let mut places = Vec::with_capacity(all.len());
    let mut interfaces = Vec::new();
    for interface in all {
        let wanted = attachment.is_none_or(|name| name == interface.name);
        places.push(wanted.then_some(interfaces.len()));
        if wanted {
            interfaces.push(interface);
        }
    }
    (interfaces, places)
}

/// Says of a packet that its host left to be cut which part of that it is.
fn tell_part(index: usize, count: usize, size: u16, comment: &mut String) {
    if count > 1 {
        // A string takes everything.
        let _ = match index {
            0 => write!(comment, "gso {count} x {size}; "),
            _ => write!(comment, "part {} of {count}; ", index + 1),
        };
    }
}

impl Fates {
    fn new(
        plan: &Arc<Plan>,
        books: Books,
        parts: HashMap<u64, Vec<u64>>,
        evidence: &Evidence,
    ) -> Self {
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
            effects: effects(plan, &books.impairments),
            injected: books
                .marks
                .iter()
                .filter(|mark| mark.what == Marked::Injected)
                .map(|mark| mark.packet)
                .collect(),
            books,
            ends,
            waits,
            parts,
            flows,
            step_of_flow,
            step_of_ends,
            legs: legs(evidence),
            inside: Inside::new(plan, evidence),
        }
    }

    /// What became of a packet on a device inside a host.
    fn on_device(&self, entry: &Entry, packet: Option<&Packet>, comment: &mut String) {
        self.inside.comment(entry, packet, comment);
        if let Some(packet) = packet {
            self.whose(packet, comment);
            // A string takes everything.
            let _ = write!(comment, "; packet {}", packet.id);
        }
    }

    /// The step that opened the connection it belongs to, or those that a proxy's own connection was opened for.
    fn whose(&self, packet: &Packet, comment: &mut String) {
        let (first, last) = self.inside.ends(packet);
        let own = [packet, first, last]
            .into_iter()
            .find_map(|one| self.step(one));
        let leg = || {
            let toward = (first.from.clone(), first.to.clone());
            let back = (last.to_after.clone(), last.from_after.clone());
            self.legs.get(&toward).or_else(|| self.legs.get(&back))
        };
        // A string takes everything, here and below.
        if let Some(step) = own {
            let _ = write!(comment, "; step {step}");
        } else if let Some((via, served)) = leg() {
            let of = served.iter().rfind(|(since, _)| *since <= first.t + 0.5);
            let step = of.or(served.first()).map_or("", |(_, step)| step);
            let _ = write!(comment, "; own connection of {via}, for step {step}");
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
        if self.injected.contains(&id) {
            let _ = write!(
                comment,
                "; put there by a step, not sent by {}",
                packet.sender
            );
        }
        if let (Some(end), Some(wait)) = (end, wait) {
            let held = (end.at.saturating_sub(wait.at)).as_secs_f64() * 1e3;
            let _ = write!(comment, "; held {held:.1} ms");
        }
        let did = self.effects.get(&(id as i64));
        for wait in did.into_iter().flat_map(|links| &links.queues) {
            let _ = write!(comment, "; {wait}");
        }
        for effect in did.into_iter().flat_map(|links| &links.effects) {
            let _ = write!(comment, "; {effect}");
            if let LinkDid::Copied { from } = effect.what {
                let _ = write!(comment, " of packet {from}");
            }
        }
        if let Some(flow) = packet.flow.and_then(|flow| self.flows.get(flow)) {
            let _ = write!(comment, "; {flow}");
        }
        if let Some(record) = self.inside.record(id) {
            self.inside.links(record, comment);
        }
        self.whose(self.inside.record(id).unwrap_or(&packet), comment);
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

/// Connections of proxies to targets: by their ends, at which zonal address, and whom they served from when on.
fn legs(evidence: &Evidence) -> HashMap<(String, String), Leg> {
    let mut legs: HashMap<_, Leg> = HashMap::new();
    let owners = connections_of_pairs(evidence);
    for (pair, connection) in evidence.pairs.iter().zip(owners) {
        let connection = connection.map(|number| &evidence.connections[number]);
        let step = connection.and_then(|c| evidence.steps.get(c.step));
        let Some(step) = step else { continue };
        let ends = (pair.seen_as.clone(), pair.target_address.clone());
        let (_, served) = legs.entry(ends).or_insert((pair.via.clone(), Vec::new()));
        served.push((pair.opened, step.name.clone()));
    }
    legs
}
