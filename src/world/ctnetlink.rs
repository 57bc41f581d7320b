//! Messages of the kernel's connection tracking (`NFNL_SUBSYS_CTNETLINK` of nfnetlink), their attributes whole
//! and unread. Not here: what is asked, of counters in `conntrack`, of single entries in `tracked`.

use rtnetlink::packet_core::{
    DecodeError, NetlinkDeserializable, NetlinkHeader, NetlinkSerializable, NlasIterator,
};

/// The subsystem, in the upper byte of a message's type.
const SUBSYSTEM: u16 = 1 << 8;

/// Bytes of `struct nfgenmsg`: the family of addresses, version 0, no resource.
const HEADER: usize = 4;

/// A question, or a part of its answer.
#[derive(Debug, Default)]
pub(super) struct Message {
    kind: u16,
    /// `AF_UNSPEC`: all.
    family: u8,
    /// As netlink has them.
    pub attributes: Vec<u8>,
}

impl Message {
    /// `kind`: of `enum cntl_msg_types`. Source: include/uapi/linux/netfilter/nfnetlink_conntrack.h
    pub fn new(kind: u16, family: i32, attributes: Vec<u8>) -> Self {
        Self {
            kind: SUBSYSTEM | kind,
            family: family as u8,
            attributes,
        }
    }
}

impl NetlinkSerializable for Message {
    fn message_type(&self) -> u16 {
        self.kind
    }

    fn buffer_len(&self) -> usize {
        HEADER + self.attributes.len()
    }

    fn serialize(&self, buffer: &mut [u8]) {
        let (header, attributes) = buffer.split_at_mut(HEADER);
        header.copy_from_slice(&[self.family, 0, 0, 0]);
        attributes.copy_from_slice(&self.attributes);
    }
}

impl NetlinkDeserializable for Message {
    type Error = DecodeError;

    fn deserialize(header: &NetlinkHeader, payload: &[u8]) -> Result<Self, DecodeError> {
        let attributes = payload.get(HEADER..).unwrap_or_default();
        for attribute in NlasIterator::new(attributes) {
            attribute?;
        }
        Ok(Self {
            kind: header.message_type,
            family: payload.first().copied().unwrap_or_default(),
            attributes: attributes.to_vec(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_off_is_no_message() {
        let told = |payload: &[u8]| Message::deserialize(&NetlinkHeader::default(), payload);
        let whole = [2, 0, 0, 0, 8, 0, 9, 0, 0, 0, 1, 2];
        let message = told(&whole).expect("one attribute");
        assert_eq!((message.family, &message.attributes[..]), (2, &whole[4..]));
        assert!(told(&whole[..10]).is_err());
        let mut bytes = vec![7; message.buffer_len()];
        message.serialize(&mut bytes);
        assert_eq!(bytes, whole);
    }
}
