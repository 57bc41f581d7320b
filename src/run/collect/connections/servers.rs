//! What servers know of connections: those that they accepted, and what their programs read of each.

use crate::run::client::Client;
use crate::run::server::{self, Header, Served};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

/// What a server accepted, with the bytes delivered on each connection, by the server's and the client's end.
pub(super) struct ByEnds(HashMap<(SocketAddr, SocketAddr), Vec<Delivered>>);

/// A connection that a server accepted, and the bytes delivered on it.
pub(super) type Delivered = (Arc<Served>, u64);

impl ByEnds {
    pub(super) async fn new(list: Vec<Arc<Served>>) -> Self {
        let delivered = server::delivered(&list).await;
        let mut by_ends: HashMap<_, Vec<_>> = HashMap::with_capacity(list.len());
        for (served, delivered) in list.into_iter().zip(delivered) {
            let same = by_ends.entry((served.local, served.peer)).or_default();
            same.push((served, delivered));
        }
        Self(by_ends)
    }

    /// A client's connection, by the server's end and the client's. Two may show one tuple to a server: it is the one
    /// accepted nearest to when the client's came to stand.
    pub(super) fn accepted(
        &self,
        client: &Client,
        own: SocketAddr,
        peer: SocketAddr,
    ) -> Option<&Delivered> {
        if !client.fault.is_none() {
            return None;
        }
        let stood = client.began + client.took;
        let same = self.0.get(&(own, peer))?;
        same.iter().min_by_key(|(served, _)| {
            if served.accepted > stood {
                served.accepted - stood
            } else {
                stood - served.accepted
            }
        })
    }

    /// The last that was accepted between two ends: a socket there is its own.
    pub(super) fn latest(&self, own: SocketAddr, peer: SocketAddr) -> Option<&Arc<Served>> {
        let same = self.0.get(&(own, peer))?.iter();
        same.map(|(served, _)| served)
            .max_by_key(|served| served.accepted)
    }
}

/// What became of the header that the server looked for.
pub(super) fn header_word(served: &Arc<Served>) -> &'static str {
    match served.header.get() {
        Some(Header::NotExpected) => "not-expected",
        Some(Header::Read) => "read",
        Some(Header::Broken) => "broken",
        None => "awaited",
    }
}
