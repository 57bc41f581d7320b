//! Single entries of a namespace's connection tracking: which are translations to a place that is no more, and their end. As
//! `conntrack -L` and `-D` have them. Not here: what was counted (see `conntrack`).

use super::conntrack;
use super::ctnetlink::Message;
use super::dump;
use rtnetlink::packet_core::{NLA_F_NESTED, NLA_HEADER_SIZE, NlasIterator};
use rtnetlink::sys::protocols::NETLINK_NETFILTER;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};

/// `IPCTNL_MSG_CT_GET` and `IPCTNL_MSG_CT_DELETE`.
const GET: u16 = 1;
const DELETE: u16 = 2;

// `enum ctattr_type` and those inside of it. Source: include/uapi/linux/netfilter/nfnetlink_conntrack.h
const CTA_TUPLE_ORIG: u16 = 1;
const CTA_TUPLE_REPLY: u16 = 2;
const CTA_STATUS: u16 = 3;
const CTA_ID: u16 = 12;
const CTA_TUPLE_IP: u16 = 1;
const CTA_TUPLE_PROTO: u16 = 2;
const CTA_IP_V4_SRC: u16 = 1;
const CTA_IP_V4_DST: u16 = 2;
const CTA_PROTO_NUM: u16 = 1;
const CTA_PROTO_SRC_PORT: u16 = 2;
const CTA_PROTO_DST_PORT: u16 = 3;
/// `IPS_SEEN_REPLY` of the status.
const SEEN_REPLY: u32 = 1 << 1;

/// Translations that ought to be no more: of all connections of datagrams, of TCP those that nobody has answered.
#[derive(Clone, Copy, Debug)]
pub struct Stale {
    /// Of UDP; else of TCP.
    pub udp: bool,
    /// What was dialled: this address,
    pub service: SocketAddrV4,
    /// or any one at this port.
    pub node_port: Option<u16>,
    /// Where it was made to lead.
    pub endpoint: SocketAddrV4,
}

impl Stale {
    fn is(&self, entry: &Entry) -> bool {
        let protocol = if self.udp {
            libc::IPPROTO_UDP
        } else {
            libc::IPPROTO_TCP
        };
        let dialled = entry.original.destination;
        i32::from(entry.original.protocol) == protocol
            && entry.reply.source == self.endpoint
            && (dialled == self.service || Some(dialled.port()) == self.node_port)
            && (self.udp || !entry.answered)
    }
}

/// Deletes them from the table of this thread's namespace, and says how many there were.
///
/// # Errors
/// The kernel's own, such as EINVAL of one without `nf_conntrack_netlink`.
pub fn forget(stale: &[Stale]) -> io::Result<usize> {
    let socket = dump::socket(NETLINK_NETFILTER)?;
    let mut entries = Vec::new();
    let question = Message::new(GET, libc::AF_INET, Vec::new());
    dump::dump(&socket, question, |message: Message| {
        entries.extend(Entry::read(&message.attributes));
    })?;
    let mut forgotten = 0;
    for entry in &entries {
        if !stale.iter().any(|stale| stale.is(entry)) {
            continue;
        }
        let question = Message::new(DELETE, libc::AF_INET, entry.handle.clone());
        match dump::ask(&socket, question) {
            Ok(_) => forgotten += 1,
            // It came to its end by itself.
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(forgotten)
}

/// Deletes all entries from the table of this thread's namespace, of every protocol and family.
///
/// # Errors
/// The kernel's own, such as EINVAL of one without `nf_conntrack_netlink`, where it tracks connections at all.
pub fn forget_all() -> io::Result<()> {
    if !conntrack::has_entries() {
        return Ok(());
    }
    let socket = dump::socket(NETLINK_NETFILTER)?;
    let question = Message::new(DELETE, libc::AF_UNSPEC, Vec::new());
    dump::ask(&socket, question).map(drop)
}

/// One direction of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Tuple {
    protocol: u8,
    source: SocketAddrV4,
    destination: SocketAddrV4,
}

/// An entry of the table.
#[derive(Debug)]
struct Entry {
    original: Tuple,
    reply: Tuple,
    answered: bool,
    /// The attributes by which the kernel knows it again.
    handle: Vec<u8>,
}

impl Entry {
    /// None: of a protocol without ports, or not as kernels write it.
    fn read(attributes: &[u8]) -> Option<Self> {
        let (mut original, mut reply, mut status) = (None, None, 0);
        let mut handle = Vec::new();
        for attribute in NlasIterator::new(attributes) {
            let attribute = attribute.ok()?;
            let value = attribute.value();
            match attribute.kind() {
                CTA_TUPLE_ORIG => {
                    original = tuple(value);
                    append(&mut handle, CTA_TUPLE_ORIG | NLA_F_NESTED, value);
                }
                CTA_TUPLE_REPLY => reply = tuple(value),
                CTA_STATUS => status = u32::from_be_bytes(value.try_into().ok()?),
                CTA_ID => append(&mut handle, CTA_ID, value),
                _ => {}
            }
        }
        Some(Self {
            original: original?,
            reply: reply?,
            answered: status & SEEN_REPLY != 0,
            handle,
        })
    }
}

fn tuple(attributes: &[u8]) -> Option<Tuple> {
    let ip = nested(attributes, CTA_TUPLE_IP)?;
    let protocol = nested(attributes, CTA_TUPLE_PROTO)?;
    let address = |kind| {
        let octets: [u8; 4] = nested(ip, kind)?.try_into().ok()?;
        Some(Ipv4Addr::from(octets))
    };
    let port = |kind| Some(u16::from_be_bytes(nested(protocol, kind)?.try_into().ok()?));
    Some(Tuple {
        protocol: *nested(protocol, CTA_PROTO_NUM)?.first()?,
        source: SocketAddrV4::new(address(CTA_IP_V4_SRC)?, port(CTA_PROTO_SRC_PORT)?),
        destination: SocketAddrV4::new(address(CTA_IP_V4_DST)?, port(CTA_PROTO_DST_PORT)?),
    })
}

/// The value of the first attribute of a kind.
fn nested(attributes: &[u8], kind: u16) -> Option<&[u8]> {
    let mut all = NlasIterator::new(attributes).flatten();
    let found = all.find(|one| one.kind() == kind)?;
    let length = usize::from(found.length());
    found.into_inner().get(NLA_HEADER_SIZE..length)
}

/// Attributes begin at multiples of four bytes (RFC 3549 section 2.3.2).
fn append(attributes: &mut Vec<u8>, kind: u16, value: &[u8]) {
    let length =
        u16::try_from(NLA_HEADER_SIZE + value.len()).expect("an attribute that the kernel sent");
    attributes.extend(length.to_ne_bytes());
    attributes.extend(kind.to_ne_bytes());
    attributes.extend(value);
    attributes.resize(attributes.len().next_multiple_of(4), 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        append(&mut bytes, kind, value);
        bytes
    }

    fn direction(
        kind: u16,
        protocol: u8,
        source: SocketAddrV4,
        destination: SocketAddrV4,
    ) -> Vec<u8> {
        let ip = [
            attribute(CTA_IP_V4_SRC, &source.ip().octets()),
            attribute(CTA_IP_V4_DST, &destination.ip().octets()),
        ];
        let ports = [
            attribute(CTA_PROTO_NUM, &[protocol]),
            attribute(CTA_PROTO_SRC_PORT, &source.port().to_be_bytes()),
            attribute(CTA_PROTO_DST_PORT, &destination.port().to_be_bytes()),
        ];
        let parts = [
            attribute(CTA_TUPLE_IP | NLA_F_NESTED, &ip.concat()),
            attribute(CTA_TUPLE_PROTO | NLA_F_NESTED, &ports.concat()),
        ];
        attribute(kind | NLA_F_NESTED, &parts.concat())
    }

    /// An entry as the kernel writes it: what was dialled, who it leads to, the status.
    fn entry(protocol: u8, dialled: &str, pod: &str, status: u32) -> Entry {
        let [client, dialled, pod] =
            ["10.0.0.11:40000", dialled, pod].map(|end| end.parse().expect("an address"));
        let message = [
            direction(CTA_TUPLE_ORIG, protocol, client, dialled),
            direction(CTA_TUPLE_REPLY, protocol, pod, client),
            attribute(CTA_STATUS, &status.to_be_bytes()),
            attribute(CTA_ID, &[0, 1, 2, 3]),
        ];
        Entry::read(&message.concat()).expect("an entry of a protocol with ports")
    }

    fn stale(udp: bool) -> Stale {
        Stale {
            udp,
            service: "172.20.0.100:80".parse().expect("an address"),
            node_port: Some(31_468),
            endpoint: "10.0.16.11:80".parse().expect("an address"),
        }
    }

    const SERVICE: &str = "172.20.0.100:80";
    const POD: &str = "10.0.16.11:80";

    #[test]
    fn unanswered_translations_to_the_endpoint_are_stale() {
        assert!(stale(false).is(&entry(6, SERVICE, POD, 0)));
        assert!(stale(false).is(&entry(6, "10.0.0.10:31468", POD, 0)));
        // Answered: the pod may still be there, and close it in its own time.
        assert!(!stale(false).is(&entry(6, SERVICE, POD, SEEN_REPLY)));
        assert!(stale(true).is(&entry(17, SERVICE, POD, SEEN_REPLY)));
    }

    #[test]
    fn what_leads_elsewhere_stays() {
        assert!(!stale(false).is(&entry(6, SERVICE, "10.0.16.12:80", 0)));
        assert!(!stale(false).is(&entry(6, "172.20.0.101:80", POD, 0)));
        assert!(!stale(false).is(&entry(17, SERVICE, POD, 0)));
        assert!(!stale(true).is(&entry(6, SERVICE, POD, 0)));
    }

    #[test]
    fn the_kernel_is_told_the_tuple_and_the_number_that_it_gave() {
        let own = entry(6, SERVICE, POD, 0);
        let read = |kind| nested(&own.handle, kind);
        assert_eq!(
            tuple(read(CTA_TUPLE_ORIG).expect("a tuple")),
            Some(own.original)
        );
        assert_eq!(read(CTA_ID), Some(&[0, 1, 2, 3][..]));
        assert_eq!(read(CTA_TUPLE_REPLY), None);
    }

    #[test]
    fn a_protocol_without_ports_is_no_translation_of_a_service() {
        let ip = attribute(CTA_TUPLE_IP | NLA_F_NESTED, &[]);
        assert!(Entry::read(&attribute(CTA_TUPLE_ORIG | NLA_F_NESTED, &ip)).is_none());
        assert!(Entry::read(&[7, 0, 1]).is_none());
    }
}
