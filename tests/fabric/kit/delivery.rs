//! What comes out of the fabric, each packet verified by `etherparse`.

use etherparse::{NetHeaders, PacketHeaders, TransportHeader};
use hairpin::fabric::config::PortId;
use hairpin::fabric::{Leaving, Output};
use hairpin::packet::rewrite::finish_checksum;
use hairpin::packet::{Headers, VnetHeader, checksum};

/// A packet that came out.
#[derive(Clone, Debug)]
pub struct Delivery {
    pub to: PortId,
    pub vnet: VnetHeader,
    pub bytes: Vec<u8>,
}

impl Delivery {
    pub fn headers(&self) -> Headers {
        Headers::parse(&self.vnet, &self.bytes).expect("the fabric delivers packets")
    }
}

/// Where packets come out. Each is verified on the way.
#[derive(Default)]
pub struct Outbox {
    pub delivered: Vec<Delivery>,
    pub leaving: Vec<Leaving>,
    pub refuse: bool,
    /// For packets whose checksums nobody vouched for.
    pub unverified: bool,
}

impl Output for Outbox {
    fn leaving(&mut self, packet: Leaving) {
        self.leaving.push(packet);
    }

    fn deliver(&mut self, to: PortId, vnet: &VnetHeader, packet: &[u8]) -> bool {
        if !self.unverified {
            verify(vnet, packet);
        }
        if !self.refuse {
            self.delivered.push(Delivery {
                to,
                vnet: *vnet,
                bytes: packet.to_vec(),
            });
        }
        !self.refuse
    }
}

/// Panics unless all checksums are right, by `etherparse`; a partial one is finished first, as a device would.
pub fn verify(vnet: &VnetHeader, packet: &[u8]) {
    if packet[0] >> 4 == 6 {
        return verify_ipv6(vnet, packet);
    }
    let mut bytes = packet.to_vec();
    let mut headers = Headers::parse(vnet, &bytes).expect("well-formed");
    finish_checksum(&mut bytes, &mut headers);
    let parsed = PacketHeaders::from_ip_slice(&bytes).expect("etherparse takes it");
    let Some(NetHeaders::Ipv4(ip, _)) = &parsed.net else {
        panic!("not IPv4")
    };
    assert_eq!(ip.header_checksum, ip.calc_header_checksum(), "IPv4 sum");
    let payload = parsed.payload.slice();
    match &parsed.transport {
        Some(TransportHeader::Tcp(tcp)) => {
            let right = tcp.calc_checksum_ipv4(ip, payload).expect("short enough");
            assert_eq!(tcp.checksum, right, "TCP sum");
        }
        Some(TransportHeader::Udp(udp)) if udp.checksum != 0 => {
            let right = udp.calc_checksum_ipv4(ip, payload).expect("short enough");
            assert_eq!(udp.checksum, right, "UDP sum");
        }
        Some(TransportHeader::Icmpv4(icmp)) => {
            assert_eq!(
                icmp.checksum,
                icmp.icmp_type.calc_checksum(payload),
                "ICMP sum"
            );
        }
        Some(_) | None => {}
    }
}

fn verify_ipv6(vnet: &VnetHeader, packet: &[u8]) {
    let mut bytes = packet.to_vec();
    if vnet.needs_csum() {
        assert_eq!(vnet.csum_start, 40, "no extension headers are delivered");
        let field = usize::from(vnet.csum_start + vnet.csum_offset);
        let sum = !checksum::fold(checksum::sum(&bytes[40..]));
        bytes[field..field + 2].copy_from_slice(&sum.to_be_bytes());
    }
    let parsed = PacketHeaders::from_ip_slice(&bytes).expect("etherparse takes it");
    let Some(NetHeaders::Ipv6(ip, _)) = &parsed.net else {
        panic!("not IPv6")
    };
    let payload = parsed.payload.slice();
    match &parsed.transport {
        Some(TransportHeader::Tcp(tcp)) => {
            let right = tcp.calc_checksum_ipv6(ip, payload).expect("short enough");
            assert_eq!(tcp.checksum, right, "TCP sum");
        }
        Some(TransportHeader::Udp(udp)) => {
            let right = udp.calc_checksum_ipv6(ip, payload).expect("short enough");
            assert_eq!(udp.checksum, right, "UDP sum");
        }
        Some(TransportHeader::Icmpv6(icmp)) => {
            let kind = &icmp.icmp_type;
            let right = kind.calc_checksum(ip.source, ip.destination, payload);
            assert_eq!(icmp.checksum, right.expect("short enough"), "ICMPv6 sum");
        }
        Some(_) | None => {}
    }
}
