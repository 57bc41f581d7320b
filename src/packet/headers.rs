//! What the fabric needs to know of a packet, read once.

use super::{
    ICMP, IcmpPacket, Ipv4Packet, Malformed, TCP, TcpPacket, UDP, UdpPacket, VnetHeader, checksum,
    tcp, vnet,
};
use crate::packet::stand_in::is_stand_in;
use std::net::{Ipv4Addr, SocketAddrV4};

/// A packet's addresses and the places of its headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Headers {
    /// Source address; port 0 when there is none to see.
    pub from: SocketAddrV4,
    /// Destination address; port 0 when there is none to see.
    pub to: SocketAddrV4,
    /// IP protocol number.
    pub protocol: u8,
    /// IPv4's identification; of a fragment over IPv6 the lower half of its datagram's, else 0.
    pub identification: u16,
    /// A fragment: more follow, or it is not the first.
    pub fragment: bool,
    /// Where the transport header begins, bytes.
    pub transport: usize,
    /// Where the payload begins, bytes; equal to `transport` when no transport header can be seen.
    pub payload: usize,
    /// Length of the packet, bytes.
    pub total_len: usize,
    /// TCP flags; 0 for others.
    pub flags: u8,
    /// TCP sequence number; 0 for others.
    pub seq: u32,
    /// TCP acknowledgement number; 0 for others.
    pub ack: u32,
    /// TCP window, unscaled; 0 for others.
    pub window: u16,
    /// The transport checksum field holds only the pseudo-header sum.
    pub partial: bool,
    /// Payload bytes of a segment, for a super-packet.
    pub gso_size: Option<u16>,
}

impl Headers {
    /// Reads and checks: version, lengths, IPv4 header checksum, transport header, and that the virtio-net header
    /// fits the packet. Does not verify transport checksums: a receiving kernel does.
    pub fn parse(vnet: &VnetHeader, packet: &[u8]) -> Result<Self, Malformed> {
        let mut headers = Self::unknown(packet.len());
        headers.read(vnet, packet)?;
        Ok(headers)
    }

    /// What can be said of so many bytes that are no packet.
    pub fn unknown(len: usize) -> Self {
        let nowhere = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0);
        Self {
            from: nowhere,
            to: nowhere,
            protocol: 0,
            fragment: false,
            transport: 0,
            payload: 0,
            total_len: len,
            identification: 0,
            flags: 0,
            seq: 0,
            ack: 0,
            window: 0,
            partial: false,
            gso_size: None,
        }
    }

    /// As [`Headers::parse`], in place: moving them costs more than reading them. They are of no use after an error.
    #[inline]
    pub fn read(&mut self, vnet: &VnetHeader, packet: &[u8]) -> Result<(), Malformed> {
        let ip = Ipv4Packet::new_checked(packet)?;
        if !ip.verify_checksum() {
            return Err(Malformed::Checksum);
        }
        let later_fragment = ip.fragment_offset() != 0;
        self.from = SocketAddrV4::new(ip.source_address(), 0);
        self.to = SocketAddrV4::new(ip.destination_address(), 0);
        self.protocol = ip.protocol();
        self.fragment = later_fragment || ip.more_fragments();
        self.transport = ip.header_len();
        self.payload = self.transport;
        self.total_len = ip.total_len();
        self.identification = ip.identification();
        if !later_fragment {
            self.read_transport(ip.payload())?;
        }
        self.read_offload(vnet)
    }

    #[inline]
    fn read_transport(&mut self, segment: &[u8]) -> Result<(), Malformed> {
        match self.protocol {
            TCP => {
                let tcp = TcpPacket::new_checked(segment)?;
                self.from.set_port(tcp.source_port());
                self.to.set_port(tcp.destination_port());
                self.payload = self.transport + tcp.header_len();
                self.flags = tcp.flags();
                self.seq = tcp.sequence_number();
                self.ack = tcp.acknowledgment_number();
                self.window = tcp.window();
            }
            UDP => {
                let udp = UdpPacket::new_checked(segment)?;
                self.from.set_port(udp.source_port());
                self.to.set_port(udp.destination_port());
                self.payload = self.transport + super::udp::HEADER_LEN;
            }
            ICMP => {
                IcmpPacket::new_checked(segment)?;
                self.payload = self.transport + super::icmp::HEADER_LEN;
            }
            _ => {}
        }
        Ok(())
    }

    /// The kernel trusts what a device's header says, so it must be true before it is handed on.
    #[inline]
    fn read_offload(&mut self, vnet: &VnetHeader) -> Result<(), Malformed> {
        if vnet.needs_csum() {
            let start = usize::from(vnet.csum_start);
            let field = start + usize::from(vnet.csum_offset);
            if start < self.transport || field + 2 > self.total_len {
                return Err(Malformed::Offload);
            }
            // A kernel that tunnels may leave the *inner* sum undone; then the outer one is finished.
            let own = checksum::field_offset(self.protocol);
            self.partial = start == self.transport && own == Some(usize::from(vnet.csum_offset));
        }
        if vnet.is_gso() {
            let fits = match vnet.gso_type & !vnet::GSO_ECN {
                vnet::GSO_TCPV4 => self.protocol == TCP,
                vnet::GSO_UDP_L4 => self.protocol == UDP,
                _ => false,
            };
            if !fits || !self.partial || self.fragment || vnet.gso_size == 0 {
                return Err(Malformed::Offload);
            }
            self.gso_size = Some(vnet.gso_size);
        }
        Ok(())
    }

    /// TCP or UDP with its ports in sight.
    pub fn has_ports(&self) -> bool {
        self.payload > self.transport && (self.protocol == TCP || self.protocol == UDP)
    }

    /// TCP or UDP whose ports are known: they are in sight, or were told of this fragment of a datagram.
    pub fn knows_ports(&self) -> bool {
        self.has_ports() || (self.protocol == UDP && self.to.port() != 0)
    }

    /// A fragment of which nobody can say where it belongs: of anything but UDP, or of a datagram whose ports are not known.
    pub fn is_untraceable(&self) -> bool {
        self.fragment && (self.protocol != UDP || !self.knows_ports())
    }

    /// Bytes behind the transport header.
    pub fn payload_len(&self) -> usize {
        self.total_len - self.payload
    }

    /// How many packets this is on a wire.
    pub fn wire_packets(&self) -> usize {
        match self.gso_size {
            Some(size) => self.payload_len().div_ceil(usize::from(size)).max(1),
            None => 1,
        }
    }

    /// Size of the largest packet this is on a wire.
    pub fn wire_len(&self) -> usize {
        match self.gso_size {
            Some(size) => self.longer() + self.payload + self.payload_len().min(usize::from(size)),
            None => self.longer() + self.total_len,
        }
    }

    /// What an IPv6 packet, of which this is the stand-in, has more of header on a wire, bytes; else 0. A fragment has a
    /// header of its own that says so.
    pub fn longer(&self) -> usize {
        match self.fragment && is_stand_in(self.destination()) {
            true => self.longer_header() + super::ipv6::FRAGMENT_LEN,
            false => self.longer_header(),
        }
    }

    /// How much longer the IPv6 header by itself is than the one of this stand-in, bytes; else 0.
    pub fn longer_header(&self) -> usize {
        match is_stand_in(self.destination()) {
            true => super::siit::LONGER,
            false => 0,
        }
    }

    /// Bytes of all packets this is on a wire.
    pub fn wire_bytes(&self) -> usize {
        let packets = self.wire_packets();
        self.total_len + (packets - 1) * self.payload + packets * self.longer()
    }

    /// SYN without ACK: it opens a connection.
    pub fn is_opening(&self) -> bool {
        self.protocol == TCP && self.flags & (tcp::SYN | tcp::ACK | tcp::RST) == tcp::SYN
    }

    /// FIN or RST.
    pub fn is_ending(&self) -> bool {
        self.protocol == TCP && self.flags & (tcp::FIN | tcp::RST) != 0
    }

    /// RST.
    pub fn is_reset(&self) -> bool {
        self.protocol == TCP && self.flags & tcp::RST != 0
    }

    /// Source address.
    pub fn source(&self) -> Ipv4Addr {
        *self.from.ip()
    }

    /// Destination address.
    pub fn destination(&self) -> Ipv4Addr {
        *self.to.ip()
    }
}
