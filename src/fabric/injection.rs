//! Segments that a story puts into the network: like one that has come already, but from elsewhere in its stream.
//!
//! As a segment that was delayed, or belongs to another life of its connection. It enters where its sender does, and
//! goes the way of anything that the sender sends.

use super::record::PacketRecord;
use super::{Fabric, Frame, Output};
use crate::packet::{TCP, VnetHeader, answer, tcp};
use std::net::SocketAddrV4;
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
    /// Sends a client's end one segment more from where its last one came from, `beyond` bytes after the last one's end.
    /// False when nothing has come to that end yet, or its records were cut.
    pub fn inject(
        &mut self,
        now: Duration,
        end: SocketAddrV4,
        beyond: u32,
        stray: Stray,
        out: &mut impl Output,
    ) -> bool {
        let passes = |record: &PacketRecord| {
            record.protocol == TCP
                && record.after.to == end
                && record.sender.is_some()
                && record.flags & tcp::ACK != 0
                && record.flags & (tcp::SYN | tcp::RST) == 0
        };
        let table = self.balancers.table();
        let Some(last) = self.ledger.records(table).rev().find(passes) else {
            return false;
        };
        let Some(sender) = last.sender else {
            return false;
        };
        let seq = last.seq.wrapping_add(last.payload).wrapping_add(beyond);
        let (from, to) = (last.before.from, last.before.to);
        let mut packet = match stray {
            Stray::Payload(length) => answer::stray(from, to, (seq, last.ack), length),
            Stray::Reset => answer::unasked_reset(from, to, seq, None).to_vec(),
        };
        let frame = Frame {
            header: VnetHeader::default(),
            packet: &mut packet,
        };
        self.receive(now, sender, frame, out);
        true
    }
}
