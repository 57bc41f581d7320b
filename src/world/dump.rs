//! What the kernel answers by netlink (RFC 3549 section 2.3.2), tables as a whole (NLM_F_DUMP) or single answers, read by a thread that waits for them.
//!
//! Not here: what is built by netlink (see `netlink`), and what is asked for (see `tcp_sockets`, `conntrack`).

use rtnetlink::packet_core::{
    NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, NetlinkDeserializable, NetlinkHeader, NetlinkMessage,
    NetlinkPayload, NetlinkSerializable,
};
use rtnetlink::sys::{Socket, SocketAddr};
use std::io;

/// A socket of this thread's namespace to ask the kernel by.
///
/// # Errors
/// When the kernel has no such protocol.
pub(super) fn socket(protocol: isize) -> io::Result<Socket> {
    let mut socket = Socket::new(protocol)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    Ok(socket)
}

/// Every entry of the table that is asked for.
///
/// # Errors
/// The kernel's own, such as ENOENT of a table that it does not have.
pub(super) fn dump<T>(socket: &Socket, question: T, each: impl FnMut(T)) -> io::Result<()>
where
    T: NetlinkSerializable + NetlinkDeserializable,
{
    answers(socket, question, NLM_F_DUMP, each)
}

/// The answer to a question about something single; none where the kernel says nothing but that it has heard it.
///
/// # Errors
/// The kernel's own.
pub(super) fn ask<T>(socket: &Socket, question: T) -> io::Result<Option<T>>
where
    T: NetlinkSerializable + NetlinkDeserializable,
{
    let mut answer = None;
    answers(socket, question, NLM_F_ACK, |one| answer = Some(one))?;
    Ok(answer)
}

/// With flags that make the kernel say when it has said all.
fn answers<T>(socket: &Socket, question: T, flags: u16, mut each: impl FnMut(T)) -> io::Result<()>
where
    T: NetlinkSerializable + NetlinkDeserializable,
{
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST | flags;
    let mut message = NetlinkMessage::new(header, NetlinkPayload::InnerMessage(question));
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    socket.send(&bytes, 0)?;
    while !take(socket, &mut each)? {}
    Ok(())
}

/// Reads one datagram of answers; true when they have come to their end.
fn take<T: NetlinkDeserializable>(socket: &Socket, each: &mut impl FnMut(T)) -> io::Result<bool> {
    let (bytes, _) = socket.recv_from_full()?;
    let mut rest = bytes.as_slice();
    while !rest.is_empty() {
        let message = NetlinkMessage::<T>::deserialize(rest)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.to_string()))?;
        match message.payload {
            NetlinkPayload::InnerMessage(one) => each(one),
            NetlinkPayload::Error(error) if error.code.is_some() => return Err(error.to_io()),
            NetlinkPayload::Done(_) | NetlinkPayload::Error(_) => return Ok(true),
            _ => {}
        }
        // Messages are aligned to four bytes (RFC 3549 section 2.3.2), the last one too.
        let length = (message.header.length as usize).next_multiple_of(4);
        rest = rest.get(length..).unwrap_or_default();
    }
    Ok(false)
}
