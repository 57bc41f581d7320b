//! A packet of the plainest kind, read at one glance: IPv4 without options, whole, with hops left, TCP or UDP, that does no
//! more than to carry bytes and acknowledge some. Nearly all packets are of this kind.
//!
//! What is read here [`Headers`] read alike, and what is written [`super::rewrite`] writes alike (tests hold them against
//! each other); of all other packets this says nothing. Not here: IPv6 and its stand-ins.

use super::ends::Ends;
use super::rewrite::updated;
use super::stream::{NOP, TIMESTAMPS};
use super::{Headers, TCP, UDP, VnetHeader, be16, be32, checksum, put16, tcp, udp, vnet};

/// Flags by which a segment does more than to carry bytes and acknowledge some.
pub const CONTROL: u8 = tcp::SYN | tcp::FIN | tcp::RST;
/// The first byte of an IPv4 header without options.
const WITHOUT_OPTIONS: u8 = 0x45;
/// Where its options begin.
const OPTIONS: usize = TRANSPORT + tcp::MIN_HEADER_LEN;
/// A TCP header with no option but timestamps, bytes.
const WITH_TIMESTAMPS: u32 = 32;
/// Where the transport header begins.
const TRANSPORT: usize = 20;

/// What is to be known of a plain packet.
#[derive(Clone, Copy, Debug)]
pub struct Plain {
    /// Its ends.
    pub ends: Ends,
    /// [`TCP`] or [`UDP`].
    pub protocol: u8,
    /// TCP flags; 0 for UDP.
    pub flags: u8,
    /// IPv4's identification.
    pub identification: u16,
    /// TCP window, unscaled; 0 for UDP.
    pub window: u16,
    /// TCP sequence number; 0 for UDP.
    pub seq: u32,
    /// TCP acknowledgement number; 0 for UDP.
    pub ack: u32,
    /// Where the payload begins, bytes.
    payload: u32,
    /// Length of the packet, bytes.
    total_len: u32,
    /// As [`Headers::partial`].
    partial: bool,
    /// As [`Headers::gso_size`]; 0 is none.
    gso_size: u16,
}

impl Plain {
    /// Reads and checks a packet as [`Headers::parse`] does. None: it is no packet, or not of this kind.
    #[inline(always)]
    pub fn read(vnet: &VnetHeader, packet: &[u8]) -> Option<Self> {
        let head: &[u8; TRANSPORT + udp::HEADER_LEN] = packet.first_chunk()?;
        let (ip, _) = head.split_first_chunk::<TRANSPORT>()?;
        let is_whole = be16(ip, 6) & 0x3fff == 0;
        let fits = usize::from(be16(ip, 2)) == packet.len();
        let has_hops = ip[8] > 1;
        if ip[0] != WITHOUT_OPTIONS || !is_whole || !fits || !has_hops {
            return None;
        }
        if checksum::fold(checksum::sum(ip)) != 0xffff {
            return None;
        }
        let mut plain = Self {
            ends: Ends::read(head.first_chunk()?),
            protocol: ip[9],
            flags: 0,
            identification: be16(ip, 4),
            window: 0,
            seq: 0,
            ack: 0,
            payload: (TRANSPORT + udp::HEADER_LEN) as u32,
            total_len: packet.len() as u32,
            partial: false,
            gso_size: 0,
        };
        match plain.protocol {
            TCP => plain.read_segment(packet)?,
            UDP => {}
            _ => return None,
        }
        plain.read_offload(vnet)?;
        Some(plain)
    }

    #[inline(always)]
    fn read_segment(&mut self, packet: &[u8]) -> Option<()> {
        let head: &[u8; TRANSPORT + tcp::MIN_HEADER_LEN] = packet.first_chunk()?;
        let (_, tcp) = head.split_last_chunk::<{ tcp::MIN_HEADER_LEN }>()?;
        let header_len = u32::from(tcp[12] >> 4) * 4;
        self.payload = TRANSPORT as u32 + header_len;
        self.flags = tcp[13];
        self.seq = be32(tcp, 4);
        self.ack = be32(tcp, 8);
        self.window = be16(tcp, 14);
        // What has other options has something to say of itself, SACK blocks for instance.
        let usual = header_len == tcp::MIN_HEADER_LEN as u32
            || header_len == WITH_TIMESTAMPS
                && packet.get(OPTIONS..OPTIONS + 3) == Some(&[NOP, NOP, TIMESTAMPS]);
        let fits = usual && self.payload <= self.total_len;
        (fits && self.flags & CONTROL == 0).then_some(())
    }

    /// What the kernel left undone, where it is the usual: the sum of this very transport header, and the cutting of a
    /// super-packet of this protocol.
    #[inline(always)]
    fn read_offload(&mut self, vnet: &VnetHeader) -> Option<()> {
        if vnet.needs_csum() {
            let own = (TRANSPORT as u16, self.sum_offset() as u16);
            if (vnet.csum_start, vnet.csum_offset) != own {
                return None;
            }
            self.partial = true;
        }
        if vnet.is_gso() {
            let of = match vnet.gso_type & !vnet::GSO_ECN {
                vnet::GSO_TCPV4 => TCP,
                vnet::GSO_UDP_L4 => UDP,
                _ => return None,
            };
            if of != self.protocol || !self.partial || vnet.gso_size == 0 {
                return None;
            }
            self.gso_size = vnet.gso_size;
        }
        Some(())
    }

    /// Where the transport's sum is, from the start of its header.
    #[inline(always)]
    fn sum_offset(&self) -> usize {
        if self.protocol == TCP { 16 } else { 6 }
    }

    /// Writes new ends and one hop less into the packet that this was read from, all sums updated.
    #[inline(always)]
    pub fn send_on(&self, packet: &mut [u8], to: Ends) {
        let addresses = to.addresses_after(self.ends);
        let field = TRANSPORT + self.sum_offset();
        if let Some(sum) = packet.get_mut(field..field + 2) {
            let old = be16(sum, 0);
            let new = if self.partial {
                addresses.apply_partial(old)
            } else {
                let delta = addresses.and(to.ports_after(self.ends));
                updated(old, delta, self.protocol)
            };
            put16(sum, 0, new);
        }
        if let Some(head) = packet.first_chunk_mut::<24>() {
            let old = be16(head, 8);
            let new = old.wrapping_sub(0x100);
            let delta = addresses.word(old, new);
            let checksum = delta.apply(be16(head, 10));
            put16(head, 8, new);
            put16(head, 10, checksum);
            head[12..].copy_from_slice(&to.to_bytes());
        }
    }

    /// Bytes behind the transport header.
    #[inline]
    pub fn payload_len(&self) -> u32 {
        self.total_len - self.payload
    }

    /// Bytes in front of the payload.
    #[inline]
    pub fn header_len(&self) -> u32 {
        self.payload
    }

    /// How many packets this is on a wire, and their bytes.
    #[inline]
    pub fn on_wire(&self) -> (u32, u32) {
        match self.gso_size {
            0 => (1, self.total_len),
            size => {
                let packets = self.payload_len().div_ceil(u32::from(size)).max(1);
                (packets, self.total_len + (packets - 1) * self.payload)
            }
        }
    }

    /// The same as everybody else reads it.
    pub fn headers(&self) -> Headers {
        Headers {
            from: self.ends.from(),
            to: self.ends.to(),
            protocol: self.protocol,
            identification: self.identification,
            fragment: false,
            transport: TRANSPORT,
            payload: self.payload as usize,
            total_len: self.total_len as usize,
            flags: self.flags,
            seq: self.seq,
            ack: self.ack,
            window: self.window,
            partial: self.partial,
            gso_size: (self.gso_size != 0).then_some(self.gso_size),
        }
    }
}
