//! Bytes that a balancer puts before what a client says, in a stream it does not terminate. Here the stream's two ends.

mod header;
mod packets;
mod properties;

use crate::kit::*;
use etherparse::{PacketBuilder, TcpHeader, TcpOptionElement};
use hairpin::fabric::Config;
use hairpin::fabric::config::*;
use hairpin::packet::proxy_protocol;
use std::net::SocketAddrV4;

/// What the balancer writes: see `packet::proxy_protocol`.
const LEN: u32 = 100;
const ISN: u32 = 5_000;
const PORT: u16 = 40_000;

fn with(placement: Placement) -> Config {
    let mut config = one_target();
    config.groups[0].proxy_protocol = Some(placement);
    config
}

fn client() -> SocketAddrV4 {
    end(CLIENT_IP, PORT)
}

fn front() -> SocketAddrV4 {
    end(FRONT_A, 80)
}

fn web() -> SocketAddrV4 {
    end(WEB1_IP, 80)
}

/// What the client's stream begins with at the target.
fn header() -> Vec<u8> {
    let listener = end(FRONT_A_PRIVATE, 80);
    proxy_protocol::proxy(client().into(), listener.into(), None)
}

/// A segment with options.
struct Rich<'a> {
    from: SocketAddrV4,
    to: SocketAddrV4,
    flags: u8,
    seq: u32,
    ack: u32,
    options: &'a [TcpOptionElement],
    payload: &'a [u8],
}

impl Rich<'_> {
    fn bytes(&self) -> Vec<u8> {
        let mut tcp = TcpHeader::new(self.from.port(), self.to.port(), self.seq, 64_240);
        tcp.acknowledgment_number = self.ack;
        tcp.fin = self.flags & FIN != 0;
        tcp.rst = self.flags & RST != 0;
        tcp.psh = self.flags & PSH != 0;
        tcp.ack = self.flags & ACK != 0;
        tcp.set_options(self.options).expect("room for options");
        let mut bytes = Vec::new();
        PacketBuilder::ipv4(self.from.ip().octets(), self.to.ip().octets(), 64)
            .tcp_header(tcp)
            .write(&mut bytes, self.payload)
            .expect("into memory");
        bytes
    }
}

fn payload(delivery: &Delivery) -> &[u8] {
    &delivery.bytes[delivery.headers().payload..]
}

/// SACK blocks of a packet.
fn blocks(delivery: &Delivery) -> Vec<(u32, u32)> {
    let parsed = etherparse::PacketHeaders::from_ip_slice(&delivery.bytes).expect("a packet");
    let Some(etherparse::TransportHeader::Tcp(tcp)) = parsed.transport else {
        panic!("not TCP")
    };
    tcp.options_iterator()
        .filter_map(|option| match option.expect("well-formed options") {
            TcpOptionElement::SelectiveAcknowledgement(first, more) => {
                Some(std::iter::once(first).chain(more.into_iter().flatten()))
            }
            _ => None,
        })
        .flatten()
        .collect()
}

fn from_client(net: &mut Net, flags: u8, offset: u32, len: usize) -> Vec<Delivery> {
    let seq = (ISN + 1).wrapping_add(offset);
    let one = segment(client(), front(), flags, seq, 9001).with_payload(len);
    net.send(CLIENT, one.bytes())
}

/// The target acknowledges this many bytes of its stream; gives what the client is told.
fn acknowledge(net: &mut Net, bytes: u32) -> u32 {
    let one = segment(web(), client(), ACK, 9001, (ISN + 1).wrapping_add(bytes));
    let told = net.forward(WEB1, one).headers().ack;
    told.wrapping_sub(ISN + 1)
}
