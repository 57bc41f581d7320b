//! DNS messages: a question read from bytes, the answer as bytes. What the names mean is decided elsewhere.
//!
//! Observed on: Amazon's resolver answers over UDP with at most 512 bytes, or as many as EDNS (RFC 6891) offers, and
//! sets TC beyond that. Here as there, a message that is no question gets FORMERR, or nothing when it cannot even be
//! told who asked what.

use simple_dns::rdata::{A, AAAA, OPT, RData};
use simple_dns::{CLASS, Packet, PacketFlag, QCLASS, QTYPE, RCODE, ResourceRecord, TYPE};
use std::net::IpAddr;

/// The header, RFC 1035 section 4.1.1.
const HEADER_LEN: usize = 12;
/// Without EDNS (RFC 1035 section 4.2.1).
const PLAIN_SIZE: usize = 512;
/// What this resolver offers and never exceeds: the value of DNS Flag Day 2020, which needs no fragments.
const EDNS_SIZE: u16 = 1232;

/// A question that can be answered.
pub struct Question<'a> {
    query: Packet<'a>,
    /// The name in lower case, labels joined by dots; none when a label itself has a dot, which no name here has.
    pub name: Option<Vec<u8>>,
    /// What is asked for.
    pub wants: Wants,
    size: usize,
}

/// A kind of record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Wants {
    /// A: IPv4 addresses.
    Ipv4,
    /// AAAA: IPv6 addresses.
    Ipv6,
    /// Something that no name here has.
    Other,
}

/// What bytes sent to a resolver are.
pub enum Message<'a> {
    /// A question.
    Question(Question<'a>),
    /// Something that is answered, but not with an address.
    Refused(Vec<u8>),
    /// Nothing that may be answered: too short, or itself an answer.
    Silence,
}

/// What is known of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// These addresses, in this order; none: the name is there and has no address.
    Addresses(Vec<IpAddr>),
    /// No such name.
    NoName,
}

/// Reads a message. Never panics, whatever the bytes.
pub fn read(bytes: &[u8]) -> Message<'_> {
    if bytes.len() < HEADER_LEN || bytes[2] & 0x80 != 0 {
        return Message::Silence;
    }
    let word = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
    // Opcode 0 is a standard query; servers answer no other to clients.
    if bytes[2] & 0x78 != 0 {
        return Message::Refused(bare(bytes, RCODE::NotImplemented));
    }
    let (questions, answers, authorities, additional) = (word(4), word(6), word(8), word(10));
    // Checked before anything is read, so that no count makes the parser reserve memory.
    if questions != 1 || answers != 0 || authorities != 0 || additional > 2 {
        return Message::Refused(bare(bytes, RCODE::FormatError));
    }
    let Ok(query) = Packet::parse(bytes) else {
        return Message::Refused(bare(bytes, RCODE::FormatError));
    };
    let Some(question) = query.questions.first() else {
        return Message::Refused(bare(bytes, RCODE::FormatError));
    };
    if !matches!(question.qclass, QCLASS::CLASS(CLASS::IN) | QCLASS::ANY) {
        return Message::Refused(bare(bytes, RCODE::Refused));
    }
    let mut name = Some(Vec::new());
    for label in question.qname.as_bytes() {
        match &mut name {
            Some(text) if !label.contains(&b'.') => {
                if !text.is_empty() {
                    text.push(b'.');
                }
                text.extend(label.iter().map(u8::to_ascii_lowercase));
            }
            Some(_) | None => name = None,
        }
    }
    let offered = query
        .opt()
        .map_or(0, |opt| usize::from(opt.udp_packet_size));
    Message::Question(Question {
        name,
        wants: match question.qtype {
            QTYPE::TYPE(TYPE::A) | QTYPE::ANY => Wants::Ipv4,
            QTYPE::TYPE(TYPE::AAAA) => Wants::Ipv6,
            _ => Wants::Other,
        },
        size: offered.clamp(PLAIN_SIZE, usize::from(EDNS_SIZE)),
        query,
    })
}

impl Question<'_> {
    /// The message that answers it. `ttl`: seconds.
    pub fn answer(&self, answer: &Answer, ttl: u32) -> Vec<u8> {
        let mut reply = Packet::new_reply(self.query.id());
        reply.set_flags(PacketFlag::RECURSION_AVAILABLE);
        if self.query.has_flags(PacketFlag::RECURSION_DESIRED) {
            reply.set_flags(PacketFlag::RECURSION_DESIRED);
        }
        reply.questions = self.query.questions.clone();
        if self.query.opt().is_some() {
            *reply.opt_mut() = Some(OPT {
                opt_codes: Vec::new(),
                udp_packet_size: EDNS_SIZE,
                version: 0,
            });
        }
        if self.query.opt().is_some_and(|opt| opt.version != 0) {
            *reply.rcode_mut() = RCODE::BADVERS;
            return written(&reply);
        }
        match answer {
            Answer::NoName => *reply.rcode_mut() = RCODE::NameError,
            Answer::Addresses(addresses) => {
                let name = &self.query.questions[0].qname;
                let record = |address: &IpAddr| {
                    let data = match address {
                        IpAddr::V4(address) => RData::A(A {
                            address: address.to_bits(),
                        }),
                        IpAddr::V6(address) => RData::AAAA(AAAA {
                            address: address.to_bits(),
                        }),
                    };
                    ResourceRecord::new(name.clone(), CLASS::IN, ttl, data)
                };
                reply.answers = addresses.iter().map(record).collect();
            }
        }
        let bytes = written(&reply);
        if bytes.len() <= self.size {
            return bytes;
        }
        // The rest is to be had over TCP in the real world; the names of a lab are not that long.
        reply.answers.clear();
        reply.set_flags(PacketFlag::TRUNCATION);
        written(&reply)
    }
}

/// Names are written once, later ones point to them; so the order in `answers` is that of the addresses.
fn written(reply: &Packet<'_>) -> Vec<u8> {
    reply
        .build_bytes_vec_compressed()
        .expect("a parsed question and addresses fit into memory")
}

/// An answer without a question, to a message that could not be read: its number and an error.
fn bare(bytes: &[u8], error: RCODE) -> Vec<u8> {
    let mut answer = vec![0; HEADER_LEN];
    answer[..2].copy_from_slice(&bytes[..2]);
    // QR, the opcode and RD as asked; RA and the error.
    answer[2] = 0x80 | bytes[2] & 0x79;
    answer[3] = 0x80 | error as u8 & 0xf;
    answer
}
