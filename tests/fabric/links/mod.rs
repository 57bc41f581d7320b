//! Links: each direction by itself. Here a client behind one, and packets to tell apart.

mod delay;
mod impairment;
mod queue;
mod renumbering;
mod size;

use crate::kit::*;
use hairpin::fabric::config::*;
use hairpin::fabric::record::*;
use hairpin::packet::vnet::{GSO_TCPV4, NEEDS_CSUM};
use hairpin::packet::{VnetHeader, checksum};

const C: u16 = 40_000;

fn with_up(link: Link) -> Net {
    let mut config = one_target();
    config.ports[CLIENT.0 as usize].up = link;
    Net::new(config)
}

fn numbered(n: usize) -> Vec<u8> {
    datagram(end(CLIENT_IP, C), end(FRONT_A, 53), n)
}

/// A super-packet as a kernel hands it out: partial checksum, `gso_size` bytes a segment.
fn super_packet(len: usize, gso_size: u16) -> (VnetHeader, Vec<u8>) {
    let whole = segment(end(CLIENT_IP, C), end(FRONT_A, 80), ACK | PSH, 2, 9001).with_payload(len);
    let (vnet, bytes) = unfinished(whole);
    let vnet = VnetHeader {
        gso_type: GSO_TCPV4,
        hdr_len: 40,
        gso_size,
        ..vnet
    };
    (vnet, bytes)
}

/// A segment as a kernel gives it to a device: its checksum is only begun.
fn unfinished(segment: Segment) -> (VnetHeader, Vec<u8>) {
    let (from, to) = (*segment.from.ip(), *segment.to.ip());
    let mut bytes = segment.bytes();
    let pseudo = checksum::pseudo_header(from, to, 6, bytes.len() - 20);
    bytes[36..38].copy_from_slice(&checksum::fold(pseudo).to_be_bytes());
    let vnet = VnetHeader {
        flags: NEEDS_CSUM,
        csum_start: 20,
        csum_offset: 16,
        ..VnetHeader::default()
    };
    (vnet, bytes)
}

/// How many of `sent` packets, with one number each, came out: by number, in the order of their coming.
fn numbers(net: &mut Net, sent: usize) -> Vec<usize> {
    let mut came = Vec::new();
    for n in 0..sent {
        let now = net.send(CLIENT, numbered(n));
        came.extend(now.iter().map(|one| one.headers().payload_len()));
        came.extend(
            net.pass(ms(1))
                .iter()
                .map(|(_, one)| one.headers().payload_len()),
        );
    }
    came.extend(
        net.pass(ms(10_000))
            .iter()
            .map(|(_, one)| one.headers().payload_len()),
    );
    came
}

/// True when a count is what so many chances of a share give, four standard deviations either way.
fn is_share(count: usize, of: usize, share: f64) -> bool {
    let (mean, variance) = (of as f64 * share, of as f64 * share * (1.0 - share));
    (count as f64 - mean).abs() <= 4.0 * variance.sqrt()
}

/// By packet number, what links did.
fn impaired(net: &Net) -> Vec<(u64, Stage, Impaired)> {
    let told = net.fabric.impairments().iter();
    told.map(|one| (one.packet, one.link, one.what)).collect()
}
