//! Segments that a story puts into the network: like one that has come already, but from elsewhere in its stream.
//!
//! As a segment that was delayed, or belongs to another life of its connection. It enters where its sender does, and
//! goes the way of anything that the sender sends.

use super::record::PacketRecord;
use super::{Fabric, Frame, Output};
use crate::packet::{TCP, VnetHeader, answer, tcp};
use std::net::SocketAddrV4;
use std::time::Duration;

impl Fabric {
    /// Sends a client's end one segment more from where its last one came from, with `length` bytes of payload, `beyond`
    /// bytes after the last one's end. False when nothing has come to that end yet, or its records were cut.
    pub fn inject(
        &mut self,
        now: Duration,
        end: SocketAddrV4,
        beyond: u32,
        length: u16,
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
        let mut packet = answer::segment(last.before.from, last.before.to, (seq, last.ack), length);
        let frame = Frame {
            header: VnetHeader::default(),
            packet: &mut packet,
        };
        self.receive(now, sender, frame, out);
        true
    }
}
