//! The PROXY protocol header that a server reads before its program sees the connection.
//!
//! Observed on: nginx with `listen 80 proxy_protocol`. A connection that begins with anything else is closed, and
//! nobody is answered; whoever connected from where it says is taken at its word.

use super::{Header, Served};
use crate::packet::proxy_protocol::{self, Beginning, FIXED_LEN};
use crate::run::word::Fault;
use std::io;
use tokio::net::TcpStream;

/// Reads the header and not a byte more.
pub(super) async fn read(stream: &TcpStream, served: &Served) -> Result<(), Fault> {
    let mut bytes = Vec::new();
    let mut wanted = FIXED_LEN;
    loop {
        match fill(stream, &mut bytes, wanted).await {
            Ok(true) => {}
            Ok(false) => return Err(Fault::EOF),
            Err(error) => return Err(Fault::from(&error)),
        }
        match proxy_protocol::read(&bytes) {
            Beginning::Header(told) => {
                served.header.get_or_init(|| Header::Read);
                if let Some(client) = told.client {
                    served.told.get_or_init(|| client);
                }
                return Ok(());
            }
            Beginning::Incomplete => wanted = proxy_protocol::len(&bytes),
            Beginning::Broken => {
                served.header.get_or_init(|| Header::Broken);
                // What has come was read in one go: the close is a FIN, and a RST only for what comes later.
                let mut rest = [0; 16 * 1024];
                let read = stream.try_read(&mut rest);
                tracing::debug!(?read, peer = %served.peer, "broken header");
                return Err(Fault::word("closed"));
            }
        }
    }
}

/// Reads until there are so many bytes; false when the stream ends before.
async fn fill(stream: &TcpStream, bytes: &mut Vec<u8>, wanted: usize) -> io::Result<bool> {
    while bytes.len() < wanted {
        stream.readable().await?;
        let have = bytes.len();
        bytes.resize(wanted, 0);
        let read = stream.try_read(&mut bytes[have..]);
        bytes.truncate(have + read.as_ref().copied().unwrap_or(0));
        match read {
            Ok(0) => return Ok(false),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        // Fewer bytes than a header has may show already that it is none.
        if proxy_protocol::read(bytes) == Beginning::Broken {
            return Ok(true);
        }
    }
    Ok(true)
}
