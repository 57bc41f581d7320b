//! The devices as the fabric's output, and the tap on them.

use super::outbox::Outbox;
use super::tap::{Entry, Tap};
use crate::fabric::config::PortId;
use crate::fabric::{Leaving, Output};
use crate::packet::VnetHeader;
use std::io::IoSlice;
use std::os::fd::OwnedFd;
use std::time::Duration;

/// All devices; the place of each is its port's number.
pub struct Devices {
    files: Vec<OwnedFd>,
    tap: Option<Tap>,
    outbox: Outbox,
    /// The time that a captured packet gets.
    now: Duration,
    /// The packet that is handed out next.
    leaving: Option<Leaving>,
}

impl Devices {
    /// With or without a tap on them.
    pub fn new(files: Vec<OwnedFd>, tap: Option<Tap>) -> Self {
        Self {
            files,
            tap,
            outbox: Outbox::default(),
            now: Duration::ZERO,
            leaving: None,
        }
    }

    /// A device's descriptor.
    pub fn file(&self, number: usize) -> &OwnedFd {
        &self.files[number]
    }

    /// What is captured from now on has this time.
    pub fn set_time(&mut self, now: Duration) {
        self.now = now;
    }

    /// Ends capturing.
    pub fn take_tap(&mut self) -> Option<Tap> {
        self.tap.take()
    }

    /// A copy of what was captured behind so many packets.
    pub fn tap_behind(&self, packets: u64) -> Option<Tap> {
        Some(self.tap.as_ref()?.behind(packets))
    }

    /// Up to `count` packets or so are handed out next, and nobody looks at the books in between: until
    /// [`Devices::settle`] they may be written together. A capture shows packets in the order in which they passed, and
    /// so it has each written at once.
    pub fn gather(&mut self, count: usize) {
        if self.tap.is_none() {
            self.outbox.open(count);
        }
    }

    /// Writes what was gathered. Gives the packets that devices refused.
    pub fn settle(&mut self) -> impl Iterator<Item = Leaving> {
        self.outbox.close(&self.files)
    }

    fn capture(
        &mut self,
        (id, port, inbound): (u64, PortId, bool),
        vnet: &VnetHeader,
        head: &[u8],
        body: &[u8],
    ) {
        if let Some(tap) = &mut self.tap {
            let entry = Entry {
                at: self.now,
                id,
                port,
                inbound,
                vnet: *vnet,
                len: 0,
            };
            tap.push(entry, head, body);
        }
    }
}

impl Output for Devices {
    fn entered(&mut self, id: u64, from: PortId, header: &VnetHeader, packet: &[u8]) {
        self.capture((id, from, false), header, packet, &[]);
    }

    fn leaving(&mut self, packet: Leaving) {
        self.leaving = Some(packet);
    }

    fn deliver(&mut self, to: PortId, header: &VnetHeader, packet: &[u8]) -> bool {
        self.deliver_pieces(to, header, packet, &[])
    }

    fn deliver_pieces(
        &mut self,
        to: PortId,
        header: &VnetHeader,
        head: &[u8],
        body: &[u8],
    ) -> bool {
        let bytes = header.to_bytes();
        let slices = [IoSlice::new(&bytes), IoSlice::new(head), IoSlice::new(body)];
        let leaving = self.leaving.take();
        if let Some(leaving) = leaving
            && self.outbox.put(&self.files, to, leaving, &slices)
        {
            return true;
        }
        match nix::sys::uio::writev(&self.files[to.0 as usize], &slices) {
            Ok(_) => {
                if let Some(leaving) = leaving {
                    self.capture((leaving.id, to, true), header, head, body);
                }
                true
            }
            Err(errno) => {
                tracing::debug!(
                    ?errno,
                    port = to.0,
                    length = head.len() + body.len(),
                    "a device refused a packet"
                );
                false
            }
        }
    }
}
