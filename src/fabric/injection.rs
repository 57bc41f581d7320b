//! Segments that a story puts into the network: like one that has come already, but from elsewhere in its stream.
//!
//! As a segment that was delayed, or belongs to another life of its connection. It enters where its sender does, and
//! goes the way of anything that the sender sends.

use super::config::is_stand_in;
use super::record::{Fate, Mark, Marked, PacketRecord};
use super::{Fabric, Frame, Output};
use crate::packet::{Headers, TCP, VnetHeader, answer, siit, tcp};
use std::collections::HashSet;
use std::net::SocketAddr;
use std::time::Duration;

/// What such a segment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stray {
    /// So many bytes of the stream.
    Payload(u16),
    /// RST without ACK.
    Reset,
}

impl Fabric {
    /// Sends a client's end one segment more from where its last one came from, `beyond` bytes after the last one's end,
    /// which SYN and FIN count for (RFC 9293 section 3.4). What was due before is done first. `others`: what other connections
    /// from that end have at their other ends. False when nothing has come from elsewhere yet, or its records were cut.
    pub fn inject(
        &mut self,
        now: Duration,
        (end, others): (SocketAddr, &[SocketAddr]),
        beyond: u32,
        stray: Stray,
        out: &mut impl Output,
    ) -> bool {
        self.advance(now, out);
        let inside = |end: &SocketAddr| self.stand_ins.inside(*end);
        let Some(end) = inside(&end) else {
            return false;
        };
        let others: Vec<_> = others.iter().filter_map(inside).collect();
        // A SYN-ACK that was lost leaves nothing that stands.
        let passes = |record: &PacketRecord| {
            record.protocol == TCP
                && record.after.to == end
                && !others.contains(&record.after.from)
                && record.sender.is_some()
                && record.flags & tcp::ACK != 0
                && record.flags & tcp::RST == 0
                && (record.flags & tcp::SYN == 0 || matches!(record.fate, Fate::Forwarded(_)))
        };
        let table = self.balancers.table();
        let Some(last) = self.ledger.records(table).rev().find(passes) else {
            return false;
        };
        let Some(sender) = last.sender else {
            return false;
        };
        let marks = (last.flags & (tcp::SYN | tcp::FIN)).count_ones();
        let behind = self.cut_off(&last);
        let taken = last.payload.wrapping_add(behind).wrapping_add(marks);
        let seq = last.seq.wrapping_add(taken).wrapping_add(beyond);
        let (from, to) = (last.before.from, last.before.to);
        let mut packet = match stray {
            Stray::Payload(length) => answer::stray(from, to, (seq, last.ack), length),
            Stray::Reset => answer::unasked_reset(from, to, seq, None).to_vec(),
        };
        if is_stand_in(*to.ip()) {
            let Some(real) = self.as_ipv6(&mut packet) else {
                return false;
            };
            packet = real;
        }
        let frame = Frame {
            header: VnetHeader::default(),
            packet: &mut packet,
        };
        // Nothing is due any more that would take this number. A record that takes the last place in the books has its mark in them.
        let (packet, what) = (self.ledger.numbered(), Marked::Injected);
        self.ledger.mark(Mark { packet, what });
        self.receive(now, sender, frame, out);
        true
    }

    /// Bytes of a segment in its other fragments, where a link cut it: its own record has those of the first.
    fn cut_off(&self, first: &PacketRecord) -> u32 {
        let mut seen = HashSet::new();
        let table = self.balancers.table();
        let records = self.ledger.records(table).rev();
        // Of those that were held the last record counts: they may have been cut again since.
        records
            .filter(|record| {
                record.protocol == TCP
                    && record.flags == 0
                    && record.after.to == first.after.to
                    && record.identification == first.identification
                    && record.id > first.id
            })
            .filter(|record| seen.insert(record.id))
            .map(|record| record.payload)
            .sum()
    }

    /// A packet between stand-ins as its sender writes it.
    fn as_ipv6(&self, packet: &mut [u8]) -> Option<Vec<u8>> {
        let vnet = VnetHeader::default();
        let headers = Headers::parse(&vnet, packet).ok()?;
        let mut scratch = Vec::new();
        let gone = siit::leave(&vnet, packet, &headers, &self.stand_ins, &mut scratch)?;
        Some([gone.head(), gone.body].concat())
    }
}
