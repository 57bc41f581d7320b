//! A packet's way through links: into one, perhaps a while inside, out of it, and at last to the host's device.
//!
//! Not here: what a link does to a packet (see `link`), only that it is done and booked.

use super::config::{Numbers, PortId, is_stand_in};
use super::link::{Held, Stage, Transit, Waiting};
use super::passage::{Passage, Transient, tuple};
use super::record::{Fate, Impaired, Impairment, Reason};
use super::service_proxy::Treatment;
use super::{Fabric, Output, SPARE_BUFFERS};
use crate::packet::answer::IcmpError;
use crate::packet::checksum;
use crate::packet::fragment::fragment;
use crate::packet::rewrite::{finish_checksum, rewrite};
use crate::packet::segment::segment;
use crate::packet::{Headers, Ipv4Packet, VnetHeader, tcp};
use std::cmp::Reverse;
use std::net::Ipv4Addr;
use std::time::Duration;

/// A packet that is handed to a device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Leaving {
    /// As in [`super::record::PacketRecord::id`].
    pub id: u64,
    /// When it is handed over, since the fabric started.
    pub at: Duration,
    /// A host sent it, rather than the fabric.
    pub from_host: bool,
    /// Its source, where that is an address of its receiver, or of the host inside it that it is for.
    pub self_sourced: Option<Ipv4Addr>,
}

impl Fabric {
    /// Into a link. `at` is when the packet came to it, which is earlier than now when the driver is late.
    pub(super) fn through(
        &mut self,
        at: Duration,
        stage: Stage,
        transient: &mut Transient<'_>,
        out: &mut impl Output,
    ) {
        let link = self.links.get(stage);
        let splits = link.splits(&transient.headers) || self.faults.splits(&transient.headers);
        if link.is_plain() && !splits {
            return self.beyond(at, stage, transient, out);
        }
        if !splits {
            return self.offer_copies(at, stage, transient, out);
        }
        let mut scratch = std::mem::take(&mut self.scratch);
        let mut first = true;
        let whole = &transient.headers;
        segment(transient.packet, whole, &mut scratch, |packet, headers| {
            let mut part = self.part(transient.passage, &mut first, headers, packet);
            self.offer_copies(at, stage, &mut part, out);
        });
        self.scratch = scratch;
    }

    /// The first part of a packet is told as the packet, every other one as a packet of its own.
    fn part<'a>(
        &mut self,
        whole: Passage,
        is_first: &mut bool,
        headers: Headers,
        packet: &'a mut [u8],
    ) -> Transient<'a> {
        let passage = match std::mem::take(is_first) {
            true => whole,
            false => Passage {
                id: self.ledger.split(&whole),
                held: false,
                ..whole
            },
        };
        Transient {
            passage,
            vnet: VnetHeader::default(),
            headers,
            packet,
        }
    }

    /// Offers a packet to a link, and perhaps once more: then it is one packet more from here on.
    fn offer_copies(
        &mut self,
        at: Duration,
        stage: Stage,
        transient: &mut Transient<'_>,
        out: &mut impl Output,
    ) {
        if !self.links.get(stage).duplicates() {
            return self.offer(at, stage, transient, out);
        }
        let mut bytes = self.spare.pop().unwrap_or_default();
        bytes.clear();
        bytes.extend_from_slice(transient.packet);
        let mut passage = transient.passage;
        passage.id = self.ledger.another(&passage);
        passage.held = false;
        let original = transient.passage.id;
        self.impaired(passage.id, stage, Impaired::CopyOf(original));
        let mut copy = Transient {
            passage,
            vnet: transient.vnet,
            headers: transient.headers,
            packet: &mut bytes,
        };
        self.offer(at, stage, transient, out);
        self.offer(at, stage, &mut copy, out);
        self.keep_spare(bytes);
    }

    /// Flips a bit of a packet where the link says so, behind the headers or, when nothing is there, in the checksum:
    /// elements on the way have read the headers and go by what they said.
    fn corrupt(&mut self, stage: Stage, transient: &mut Transient<'_>) {
        let headers = &mut transient.headers;
        let checksum = checksum::field_offset(headers.protocol)
            .filter(|_| headers.has_ports())
            .map(|offset| headers.transport + offset);
        let range = match (headers.payload_len(), checksum) {
            (0, Some(field)) => field..field + 2,
            (0, None) => return,
            (_, _) => headers.payload..headers.total_len,
        };
        let Some(bit) = self.links.get(stage).flips(range.len() * 8) else {
            return;
        };
        // A device's trust in what the sender's kernel left undone would hide the damage.
        finish_checksum(transient.packet, headers);
        transient.vnet = VnetHeader::default();
        transient.packet[range.start + bit / 8] ^= 1 << (bit % 8);
        let in_payload = transient.headers.payload_len() > 0;
        let byte = in_payload.then_some((bit / 8) as u32);
        self.impaired(transient.passage.id, stage, Impaired::Damaged(byte));
    }

    /// Books what a link did to a packet.
    pub(super) fn impaired(&mut self, packet: u64, link: Stage, what: Impaired) {
        self.ledger.impaired(Impairment { packet, link, what });
    }

    /// Books that a packet comes out of a link before others that went in before it.
    fn overtakes(&mut self, due: Duration, stage: Stage, transient: &Transient<'_>) {
        let passed = self.links.get(stage).due_after(due);
        if passed > 0 {
            let what = Impaired::Overtook(passed as u32);
            self.impaired(transient.passage.id, stage, what);
        }
    }

    /// Offers a packet to a link, and does as the link says.
    fn offer(
        &mut self,
        at: Duration,
        stage: Stage,
        transient: &mut Transient<'_>,
        out: &mut impl Output,
    ) {
        let link = self.links.get(stage);
        match link.offer(at, &transient.headers) {
            Transit::Through => {
                self.overtakes(at, stage, transient);
                self.corrupt(stage, transient);
                self.beyond(at, stage, transient, out);
            }
            Transit::Until { due, queued } => {
                if !queued.is_zero() {
                    self.impaired(transient.passage.id, stage, Impaired::Queued(queued));
                }
                self.overtakes(due, stage, transient);
                self.corrupt(stage, transient);
                let held = self.hold(due, Waiting::Link(stage), transient);
                self.links.get(stage).hold(held);
            }
            Transit::Lost(reason) => {
                self.finish(transient, Fate::Dropped(reason));
            }
            Transit::TooBig(mtu) => {
                let cuts = link.fragments();
                self.too_big(at, stage, (mtu, cuts), transient, out);
            }
        }
    }

    /// Keeps a packet until then. Whoever asked puts it where it waits.
    pub(super) fn hold(
        &mut self,
        due: Duration,
        place: Waiting,
        transient: &mut Transient<'_>,
    ) -> Held {
        let mut bytes = self.spare.pop().unwrap_or_default();
        bytes.clear();
        bytes.extend_from_slice(transient.packet);
        self.ledger
            .held(self.now, &mut transient.passage, &transient.headers);
        self.arrivals.push(Reverse((due, self.sequence, place)));
        self.sequence += 1;
        Held {
            due,
            passage: transient.passage,
            vnet: transient.vnet,
            headers: transient.headers,
            bytes,
        }
    }

    /// A packet is larger than a link carries, which is `mtu` bytes. `cuts`: it cuts what may be cut.
    fn too_big(
        &mut self,
        at: Duration,
        stage: Stage,
        (mtu, cuts): (u16, bool),
        transient: &mut Transient<'_>,
        out: &mut impl Output,
    ) {
        let headers = &transient.headers;
        let ipv6 = is_stand_in(headers.source()) || is_stand_in(headers.destination());
        let dont_fragment =
            Ipv4Packet::new_checked(&*transient.packet).is_ok_and(|ip| ip.dont_fragment());
        if !cuts || ipv6 || dont_fragment {
            // A fragment of IPv6 has no DF, and is cut by nobody but its sender (RFC 4443 section 3.2).
            if !(ipv6 || dont_fragment) {
                return self.finish(transient, Fate::Dropped(Reason::LinkMtu));
            }
            let beyond = match stage {
                Stage::Up(_) => None,
                Stage::Down(to) => Some(to),
            };
            let error = IcmpError::FragmentationNeeded(mtu);
            return self.complain(at, transient, (error, beyond), Reason::LinkMtu, out);
        }
        finish_checksum(transient.packet, &mut transient.headers);
        let mut scratch = std::mem::take(&mut self.scratch);
        let mut first = true;
        let whole = &transient.headers;
        fragment(
            transient.packet,
            whole,
            mtu,
            &mut scratch,
            |packet, headers| {
                let mut part = self.part(transient.passage, &mut first, headers, packet);
                self.offer(at, stage, &mut part, out);
            },
        );
        self.scratch = scratch;
    }

    /// The first packet that waits there waits no longer.
    pub(super) fn arrive(&mut self, place: Waiting, out: &mut impl Output) {
        match place {
            Waiting::Link(stage) => {
                let Some(held) = self.links.get(stage).release() else {
                    return;
                };
                self.resume(held, out, |fabric, at, transient, out| {
                    fabric.beyond(at, stage, transient, out);
                });
            }
            Waiting::Insertion(gateway) => {
                let Some(unconfirmed) = self.gateways.next_unconfirmed(gateway) else {
                    return;
                };
                let claim = unconfirmed.claim;
                self.resume(unconfirmed.held, out, |fabric, at, transient, out| {
                    fabric.confirm(at, gateway, claim, transient, out);
                });
            }
        }
    }

    /// A packet that waited goes on.
    fn resume<O: Output>(
        &mut self,
        held: Held,
        out: &mut O,
        onward: impl FnOnce(&mut Self, Duration, &mut Transient<'_>, &mut O),
    ) {
        self.ledger.released(&held.passage);
        let mut bytes = held.bytes;
        let mut transient = Transient {
            passage: held.passage,
            vnet: held.vnet,
            headers: held.headers,
            packet: &mut bytes,
        };
        onward(self, held.due, &mut transient, out);
        self.keep_spare(bytes);
    }

    fn keep_spare(&mut self, bytes: Vec<u8>) {
        if self.spare.len() < SPARE_BUFFERS {
            self.spare.push(bytes);
        }
    }

    fn beyond(
        &mut self,
        at: Duration,
        stage: Stage,
        transient: &mut Transient<'_>,
        out: &mut impl Output,
    ) {
        match stage {
            Stage::Up(from) => self.hop(at, from, transient, out),
            Stage::Down(to) => self.deliver(to, transient, out),
        }
    }

    fn deliver(&mut self, to: PortId, transient: &mut Transient<'_>, out: &mut impl Output) {
        if self.faults.is_down(to) {
            return self.finish(transient, Fate::Dropped(Reason::LinkDown));
        }
        if self
            .faults
            .takes_late(&transient.passage, &transient.headers, to)
        {
            return self.finish(transient, Fate::Dropped(Reason::DropRule));
        }
        if self.links.get(Stage::Down(to)).numbers() != Numbers::default() {
            self.renumber_inward(to, transient);
        }
        if transient.headers.flags & (tcp::SYN | tcp::FIN) != 0
            && let Some(Some(recycle)) = self.recycle.get_mut(to.0 as usize)
            && !recycle.takes(
                self.now,
                tuple(&transient.headers),
                &transient.headers,
                transient.packet,
            )
        {
            return self.finish(transient, Fate::Dropped(Reason::TwRecycle));
        }
        // The books have it as it was on the wire.
        let wire = transient.headers;
        let proxy = self.config.service_proxy.as_deref();
        let served = self.service_proxies.comes(self.now, to, &wire, proxy);
        if let Treatment::From(service) = served {
            rewrite(transient.packet, &mut transient.headers, service, wire.to);
        }
        let Transient {
            passage,
            vnet,
            headers,
            packet,
        } = transient;
        let source = headers.source();
        let self_sourced = self.routes.comes_home(to, source, headers.destination());
        let self_sourced = self_sourced.then_some(source);
        out.leaving(Leaving {
            id: passage.id,
            at: self.now,
            from_host: passage.sender.is_some(),
            self_sourced,
        });
        let taken = if is_stand_in(headers.destination()) {
            self.deliver_ipv6(to, vnet, headers, packet, out)
        } else {
            Some(out.deliver(to, vnet, packet))
        };
        let Some(taken) = taken else {
            return self.finish(transient, Fate::Dropped(Reason::Untranslatable));
        };
        if taken && let Some(source) = self_sourced {
            *self.self_sourced.entry(source).or_default() += 1;
        }
        self.handed_over(to, taken, &transient.passage, &wire);
    }

    /// A device refused a packet for which [`Output::deliver`] said that it was taken. The books are then as if it had been
    /// refused at once.
    pub fn refused(&mut self, packet: Leaving) {
        let source = packet.self_sourced;
        if let Some(count) = source.and_then(|source| self.self_sourced.get_mut(&source)) {
            *count -= 1;
        }
        self.ledger.refused(&packet);
    }

    /// A packet's end at its receiver's device, which took it or refused it.
    #[inline]
    pub(super) fn handed_over(
        &mut self,
        to: PortId,
        taken: bool,
        passage: &Passage,
        headers: &Headers,
    ) {
        let fate = match taken {
            true => Fate::Forwarded(to),
            false => Fate::Dropped(Reason::DeviceRefused),
        };
        self.ledger.finished(self.now, passage, headers, fate);
    }
}
