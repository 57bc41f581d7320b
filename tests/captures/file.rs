//! Reading a capture: blocks by `pcap-file`, packets by `etherparse`, and the word of `tshark`.

use etherparse::{NetHeaders, PacketHeaders, TransportHeader};
use pcap_file::DataLink;
use pcap_file::pcapng::blocks::enhanced_packet::EnhancedPacketOption;
use pcap_file::pcapng::blocks::interface_description::InterfaceDescriptionOption;
use pcap_file::pcapng::blocks::interface_statistics::InterfaceStatisticsOption;
use pcap_file::pcapng::blocks::section_header::SectionHeaderOption;
use pcap_file::pcapng::{Block, PcapNgReader};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// A file that was read.
pub struct Capture {
    pub comment: String,
    pub interfaces: Vec<String>,
    pub frames: Vec<Frame>,
    /// Received and dropped, by interface.
    pub statistics: Vec<(u64, u64)>,
}

/// A packet in it.
#[derive(Clone, Debug)]
pub struct Frame {
    pub interface: String,
    pub inbound: bool,
    pub at: Duration,
    pub original_len: u32,
    pub bytes: Vec<u8>,
    pub comment: String,
}

/// What a TCP segment says.
pub struct Segment {
    pub from: SocketAddr,
    pub to: SocketAddr,
    pub seq: u32,
    pub syn: bool,
    pub fin: bool,
    pub psh: bool,
    pub payload: Vec<u8>,
}

impl Capture {
    /// Reads a file. Panics when a block or a checksum is wrong.
    pub fn read(path: &Path) -> Self {
        let capture = Self::read_cut(path);
        for frame in &capture.frames {
            frame.verify();
        }
        capture
    }

    /// The same of packets that may be cut off.
    pub fn read_cut(path: &Path) -> Self {
        let file = std::fs::File::open(path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
        let mut reader = PcapNgReader::new(file).expect("a section header");
        let comments = reader
            .section()
            .options
            .iter()
            .filter_map(|option| match option {
                SectionHeaderOption::Comment(text) => Some(text.to_string()),
                _ => None,
            });
        let mut capture = Self {
            comment: comments.collect(),
            interfaces: Vec::new(),
            frames: Vec::new(),
            statistics: Vec::new(),
        };
        while let Some(block) = reader.next_block() {
            capture.block(&block.expect("a block"));
        }
        assert_eq!(capture.statistics.len(), capture.interfaces.len());
        let times: Vec<Duration> = capture.frames.iter().map(|frame| frame.at).collect();
        assert!(times.is_sorted(), "{path:?} is in order");
        capture
    }

    fn block(&mut self, block: &Block<'_>) {
        match block {
            Block::InterfaceDescription(interface) => {
                assert_eq!(interface.linktype, DataLink::RAW);
                let nanoseconds = InterfaceDescriptionOption::IfTsResol(9);
                assert!(interface.options.contains(&nanoseconds));
                let name = interface.options.iter().find_map(|option| match option {
                    InterfaceDescriptionOption::IfName(name) => Some(name.to_string()),
                    _ => None,
                });
                self.interfaces.push(name.expect("a name"));
            }
            Block::EnhancedPacket(packet) => {
                let (mut comment, mut flags) = (String::new(), 0);
                for option in &packet.options {
                    match option {
                        EnhancedPacketOption::Comment(text) => comment = text.to_string(),
                        EnhancedPacketOption::Flags(word) => flags = *word,
                        other => panic!("{other:?}"),
                    }
                }
                assert!(flags == 1 || flags == 2, "it went one way");
                self.frames.push(Frame {
                    interface: self.interfaces[packet.interface_id as usize].clone(),
                    inbound: flags == 1,
                    at: packet.timestamp,
                    original_len: packet.original_len,
                    bytes: packet.data.to_vec(),
                    comment,
                });
            }
            Block::InterfaceStatistics(statistics) => {
                let (mut received, mut dropped) = (0, 0);
                for option in &statistics.options {
                    match option {
                        InterfaceStatisticsOption::IsbIfRecv(count) => received = *count,
                        InterfaceStatisticsOption::IsbIfDrop(count) => dropped = *count,
                        other => panic!("{other:?}"),
                    }
                }
                assert_eq!(statistics.interface_id as usize, self.statistics.len());
                self.statistics.push((received, dropped));
            }
            other => panic!("{other:?}"),
        }
    }

    /// Frames of one attachment, one way.
    pub fn of(&self, interface: &str, inbound: bool) -> Vec<&Frame> {
        let frames = self.frames.iter();
        frames
            .filter(|frame| frame.interface == interface && frame.inbound == inbound)
            .collect()
    }

    /// What one attachment's connection carried, one way, put together from its segments as they came.
    pub fn stream(&self, interface: &str, inbound: bool) -> Vec<u8> {
        let segments: Vec<Segment> = self
            .of(interface, inbound)
            .into_iter()
            .filter_map(Frame::segment)
            .collect();
        let ends: std::collections::BTreeSet<_> = segments
            .iter()
            .map(|segment| (segment.from, segment.to))
            .collect();
        assert_eq!(ends.len(), 1, "one connection");
        let opening = segments.iter().find(|segment| segment.syn).expect("a SYN");
        let first = opening.seq.wrapping_add(1);
        let mut pieces: BTreeMap<u32, &[u8]> = BTreeMap::new();
        for segment in segments
            .iter()
            .filter(|segment| !segment.payload.is_empty())
        {
            let place = pieces.entry(segment.seq.wrapping_sub(first)).or_default();
            if segment.payload.len() > place.len() {
                *place = &segment.payload;
            }
        }
        let mut stream = Vec::new();
        for (place, payload) in pieces {
            let place = place as usize;
            assert!(place <= stream.len(), "a gap at {}", stream.len());
            let known = stream.len() - place;
            stream.extend_from_slice(payload.get(known..).unwrap_or_default());
        }
        stream
    }
}

impl Frame {
    /// A TCP segment; none for all else.
    pub fn segment(&self) -> Option<Segment> {
        let parsed = PacketHeaders::from_ip_slice(&self.bytes).expect("etherparse takes it");
        let (source, destination): (IpAddr, IpAddr) = match parsed.net? {
            NetHeaders::Ipv4(ip, _) => (ip.source.into(), ip.destination.into()),
            NetHeaders::Ipv6(ip, _) => (ip.source.into(), ip.destination.into()),
            other => panic!("{other:?}"),
        };
        let TransportHeader::Tcp(tcp) = parsed.transport? else {
            return None;
        };
        Some(Segment {
            from: SocketAddr::new(source, tcp.source_port),
            to: SocketAddr::new(destination, tcp.destination_port),
            seq: tcp.sequence_number,
            syn: tcp.syn,
            fin: tcp.fin,
            psh: tcp.psh,
            payload: parsed.payload.slice().to_vec(),
        })
    }

    /// The same of a packet that is cut off behind its headers.
    pub fn segment_of_cut(&self) -> Segment {
        let mut frame = self.clone();
        let length = (frame.bytes.len() as u16).to_be_bytes();
        frame.bytes[2..4].copy_from_slice(&length);
        frame.segment().expect("TCP over IPv4")
    }

    /// IPv4's identification.
    pub fn identification(&self) -> u16 {
        u16::from_be_bytes([self.bytes[4], self.bytes[5]])
    }

    /// Panics unless every length and checksum is right.
    pub fn verify(&self) {
        assert_eq!(self.original_len as usize, self.bytes.len());
        let parsed = PacketHeaders::from_ip_slice(&self.bytes).expect("etherparse takes it");
        let payload = parsed.payload.slice();
        match &parsed.net {
            Some(NetHeaders::Ipv4(ip, _)) => {
                assert_eq!(usize::from(ip.total_len), self.bytes.len(), "IPv4 length");
                assert_eq!(ip.header_checksum, ip.calc_header_checksum(), "IPv4 sum");
                match &parsed.transport {
                    Some(TransportHeader::Tcp(tcp)) => {
                        let right = tcp.calc_checksum_ipv4(ip, payload).expect("short enough");
                        assert_eq!(tcp.checksum, right, "TCP sum: {}", self.comment);
                    }
                    Some(TransportHeader::Udp(udp)) => {
                        assert_eq!(usize::from(udp.length), 8 + payload.len(), "UDP length");
                        let right = udp.calc_checksum_ipv4(ip, payload).expect("short enough");
                        assert_eq!(udp.checksum, right, "UDP sum: {}", self.comment);
                    }
                    Some(TransportHeader::Icmpv4(icmp)) => {
                        let right = icmp.icmp_type.calc_checksum(payload);
                        assert_eq!(icmp.checksum, right, "ICMP sum: {}", self.comment);
                    }
                    other => panic!("{other:?}"),
                }
            }
            Some(NetHeaders::Ipv6(ip, _)) => {
                let length = usize::from(ip.payload_length) + 40;
                assert_eq!(length, self.bytes.len(), "IPv6 length");
                match &parsed.transport {
                    Some(TransportHeader::Tcp(tcp)) => {
                        let right = tcp.calc_checksum_ipv6(ip, payload).expect("short enough");
                        assert_eq!(tcp.checksum, right, "TCP sum: {}", self.comment);
                    }
                    Some(TransportHeader::Udp(udp)) => {
                        let right = udp.calc_checksum_ipv6(ip, payload).expect("short enough");
                        assert_eq!(udp.checksum, right, "UDP sum: {}", self.comment);
                    }
                    other => panic!("{other:?}"),
                }
            }
            other => panic!("{other:?}"),
        }
    }
}

/// Asks `tshark`, where it is installed, for everything it finds wrong with a file, wrong checksums included. With
/// `HAIRPIN_EXPECT_TSHARK` set it must be there.
pub fn tshark(path: &Path) {
    let wrong = "_ws.malformed || _ws.expert.severity == error || tcp.checksum.status == 0 \
                 || udp.checksum.status == 0 || ip.checksum.status == 0 || icmp.checksum.status == 0";
    let validate = ["ip", "tcp", "udp"].map(|name| format!("-o{name}.check_checksum:TRUE"));
    // A packet is in the case's file twice, at its sender and at its receiver: no stream to put together.
    let apart = "-otcp.desegment_tcp_streams:FALSE";
    let output = Command::new("tshark")
        .args(["-n", "-r"])
        .arg(path)
        .args(validate)
        .arg(apart)
        .args(["-Y", wrong])
        .output();
    let output = match output {
        Ok(output) => output,
        Err(error) => {
            let expected = std::env::var_os("HAIRPIN_EXPECT_TSHARK").is_some();
            assert!(
                !expected,
                "HAIRPIN_EXPECT_TSHARK is set, and tshark: {error}"
            );
            eprintln!("SKIPPED: tshark: {error}");
            return;
        }
    };
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{path:?}: {said}");
    let found = String::from_utf8_lossy(&output.stdout);
    assert_eq!(found, "", "{path:?}");
}
