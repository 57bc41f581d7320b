//! The fabric's edge: bytes of either family become a packet inside, and a packet inside the bytes its receiver gets.
//!
//! Inside there is IPv4 only; an IPv6 packet travels between the stand-ins of its ends (see `packet::siit`). Not here:
//! whether it may enter (see `way`).

use super::config::PortId;
use super::{Fabric, Output};
use crate::packet::{Headers, Malformed, VnetHeader, siit};

impl Fabric {
    /// Reads an IPv6 packet that a host sent: it is translated in place, and `packet` begins later then.
    pub(super) fn read_ipv6(
        &mut self,
        vnet: &mut VnetHeader,
        packet: &mut &mut [u8],
    ) -> Result<Headers, Malformed> {
        if self.stand_ins.is_empty() {
            return Headers::parse(vnet, packet);
        }
        let start = siit::enter(vnet, packet, &mut self.stand_ins)?;
        *packet = &mut std::mem::take(packet)[start..];
        Headers::parse(vnet, packet)
    }

    /// Hands an IPv6 packet to a host's device, see [`Output`]. None: it cannot be one.
    pub(super) fn deliver_ipv6(
        &mut self,
        to: PortId,
        vnet: &VnetHeader,
        headers: &Headers,
        packet: &mut [u8],
        out: &mut impl Output,
    ) -> Option<bool> {
        let mut scratch = std::mem::take(&mut self.scratch);
        let taken = siit::leave(vnet, packet, headers, &self.stand_ins, &mut scratch)
            .map(|gone| out.deliver_pieces(to, &gone.vnet, gone.head(), gone.body));
        self.scratch = scratch;
        taken
    }
}
