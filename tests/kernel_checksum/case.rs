//! One packet, as it is sent and as it must arrive.

use crate::packet::{Packet, TTL};
use crate::random::Random;
use crate::sums::{offset, transport_sum};
use etherparse::checksum::Sum16BitWords;
use hairpin::packet::print::Line;
use hairpin::packet::rewrite::rewrite;
use hairpin::packet::siit;
use hairpin::packet::vnet::{GSO_TCPV4, GSO_TCPV6, GSO_UDP_L4, NEEDS_CSUM};
use hairpin::packet::{Headers, StandIns, TCP, VnetHeader};
use std::fmt;
use std::net::{Ipv4Addr, SocketAddrV4};

/// A packet, its new ends, and its segment size when it is a super-packet.
pub struct Case {
    number: u64,
    pub packet: Packet,
    pub new_from: SocketAddrV4,
    pub new_to: SocketAddrV4,
    gso_size: Option<u16>,
    /// It came over IPv6, and was translated before it was rewritten.
    over_ipv6: bool,
}

impl Case {
    pub fn random(number: u64, protocol: u8, is_super: bool) -> Self {
        let stream = number << 16 | u64::from(is_super) << 8 | u64::from(protocol);
        let mut random = Random(stream);
        let (from, to) = (random.socket(), random.socket());
        let new_from = random.socket();
        // Neither the device's own address nor the broadcast one.
        let host = 2 + random.below(253) as u8;
        let new_to = SocketAddrV4::new(Ipv4Addr::new(10, 9, 2, host), random.port());
        let gso_size = is_super.then(|| 1 + random.below(1400) as u16);
        let len = match gso_size {
            // From one segment and a byte up to some dozens; the kernel's limit is 64 KiB in all.
            Some(size) => usize::from(size) + 1 + random.below(usize::from(size).min(1000) * 40),
            None => random.below(1400),
        };
        let mut case = Self {
            number,
            packet: Packet {
                protocol,
                from,
                to,
                ttl: TTL,
                identification: random.next() as u16,
                ip_options: random.below(8) == 0,
                seq: random.next() as u32,
                push: true,
                payload: (0..len).map(|_| random.next() as u8).collect(),
            },
            new_from,
            new_to,
            gso_size,
            over_ipv6: false,
        };
        if number.is_multiple_of(16) && !is_super {
            case.make_sum_zero();
        }
        case
    }

    /// The same from an IPv6 host. A translated packet has no IP options, and its identification is 0.
    pub fn over_ipv6(mut self) -> Self {
        self.over_ipv6 = true;
        self.packet.ip_options = false;
        self.packet.identification = 0;
        self
    }

    /// What the fabric makes of it when it enters.
    fn translated(&self) -> (VnetHeader, Vec<u8>) {
        let mut random = Random(!self.number);
        let addresses: Vec<u8> = (0..32)
            .map(|at| {
                if at % 16 == 0 {
                    0x20
                } else {
                    random.next() as u8
                }
            })
            .collect();
        let transport = self.packet.build().split_off(20);
        let mut bytes = vec![0x60, 0, 0, 0];
        bytes.extend((transport.len() as u16).to_be_bytes());
        bytes.extend([self.packet.protocol, TTL]);
        bytes.extend(&addresses);
        bytes.extend(&transport);
        let sum = Sum16BitWords::new()
            .add_slice(&addresses)
            .add_slice(&(transport.len() as u32).to_be_bytes())
            .add_slice(&[0, 0, 0, self.packet.protocol]);
        let field = 40 + offset(self.packet.protocol);
        let partial = !u16::from_be(sum.ones_complement());
        bytes[field..field + 2].copy_from_slice(&partial.to_be_bytes());
        let mut vnet = VnetHeader {
            flags: NEEDS_CSUM,
            csum_start: 40,
            csum_offset: offset(self.packet.protocol) as u16,
            ..VnetHeader::default()
        };
        if let Some(size) = self.gso_size {
            vnet.gso_size = size;
            vnet.gso_type = match self.packet.protocol {
                TCP => GSO_TCPV6,
                _ => GSO_UDP_L4,
            };
        }
        let start = siit::enter(&mut vnet, &mut bytes, &mut StandIns::default());
        let bytes = bytes.split_off(start.expect("well-formed"));
        (vnet, bytes)
    }

    /// Chooses the last word of the payload so that the finished sum is zero, which UDP has to send as all ones.
    fn make_sum_zero(&mut self) {
        let payload = &mut self.packet.payload;
        payload.resize(payload.len().next_multiple_of(2) + 2, 0);
        let last = payload.len() - 2;
        let sum = transport_sum(&self.wire()[0]);
        self.packet.payload[last..].copy_from_slice(&sum.to_be_bytes());
    }

    /// What must leave the kernel, built from nothing.
    pub fn wire(&self) -> Vec<Vec<u8>> {
        let whole = &self.packet.payload;
        let size = self.gso_size.map_or(whole.len(), usize::from).max(1);
        let count = whole.len().div_ceil(size).max(1);
        (0..count)
            .map(|index| {
                let start = index * size;
                Packet {
                    from: self.new_from,
                    to: self.new_to,
                    ttl: TTL - 1,
                    identification: self.packet.identification.wrapping_add(index as u16),
                    seq: self.packet.seq.wrapping_add(start as u32),
                    push: index + 1 == count,
                    payload: whole[start..whole.len().min(start + size)].to_vec(),
                    ..self.packet.clone()
                }
                .build()
            })
            .collect()
    }

    /// What the fabric would write to a device: the packet as a kernel leaves it, rewritten.
    pub fn rewritten(&self) -> (VnetHeader, Vec<u8>) {
        let mut bytes = self.packet.build();
        let mut vnet = self.packet.leave_partial(&mut bytes);
        if let Some(size) = self.gso_size {
            vnet.gso_size = size;
            vnet.gso_type = if self.packet.protocol == TCP {
                GSO_TCPV4
            } else {
                GSO_UDP_L4
            };
        }
        if self.over_ipv6 {
            (vnet, bytes) = self.translated();
        }
        let mut headers = Headers::parse(&vnet, &bytes).expect("well-formed");
        assert!(headers.partial);
        rewrite(&mut bytes, &mut headers, self.new_from, self.new_to);
        vnet.hdr_len = headers.payload as u16;
        (vnet, bytes)
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "case {}", self.number)?;
        if let Some(size) = self.gso_size {
            write!(f, " in segments of {size}")?;
        }
        write!(f, ", {}", Line(&self.packet.build()))
    }
}
