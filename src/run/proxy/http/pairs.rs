//! What the connections of a listener's clients led to, as the journal has it: one pair for each connection to a target that a
//! request of the client went over.

use super::Choice;
use crate::fabric::Place;
use crate::run::proxy::journal::{Bytes, Closed, Journal, Pair};
use std::collections::HashMap;
use std::net::SocketAddrV4;
use std::sync::{Arc, Mutex, OnceLock};
use tokio::time::Instant;

/// Pairs that are open.
#[derive(Default)]
pub(in crate::run::proxy) struct Pairs(Mutex<Open>);

#[derive(Default)]
struct Open {
    by_client: HashMap<SocketAddrV4, Vec<Arc<Pair>>>,
    /// The client whose request was the last one over a connection to a target, by the proxy's own end of that.
    last: HashMap<SocketAddrV4, SocketAddrV4>,
}

impl Pairs {
    /// A request of this client goes over the connection to a target whose own end this is. Whom its bytes count for.
    pub(in crate::run::proxy) fn carries(
        &self,
        (journal, place): (&Journal, Place),
        client: SocketAddrV4,
        choice: Choice,
        local: SocketAddrV4,
    ) -> Arc<Bytes> {
        let mut open = self.0.lock().expect("no holder of this lock panics");
        let goes_on = open.last.insert(local, client) == Some(client);
        let own = open.by_client.entry(client).or_default();
        if let Some(pair) = own.iter().find(|pair| pair.local == local) {
            if !goes_on {
                let mut resumed = pair.resumed.lock().expect("no holder of this lock panics");
                resumed.push(Instant::now());
            }
            return Arc::clone(&pair.bytes);
        }
        let bytes = Arc::<Bytes>::default();
        own.push(journal.add(Pair {
            place,
            client,
            local,
            group: choice.group,
            target: choice.target,
            address: choice.address,
            opened: Instant::now(),
            resumed: Mutex::default(),
            bytes: Arc::clone(&bytes),
            target_closed: OnceLock::new(),
            closed: OnceLock::new(),
        }));
        bytes
    }

    /// This client's connection is over.
    pub(in crate::run::proxy) fn left(&self, client: SocketAddrV4) {
        let mut open = self.0.lock().expect("no holder of this lock panics");
        for pair in open.by_client.remove(&client).into_iter().flatten() {
            pair.closed
                .get_or_init(|| (Instant::now(), Closed::Finished));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fabric::config::{BalancerId, GroupId, ZonalId};

    #[test]
    fn who_comes_back_behind_somebody_else_is_written_down() {
        let (pairs, journal) = (Pairs::default(), Journal::default());
        let place = Place {
            balancer: BalancerId(0),
            zonal: ZonalId(0),
            port: 80,
        };
        let choice = || Choice {
            group: GroupId(0),
            target: 0,
            address: "10.0.0.10:80".parse().expect("an address"),
            fail_open: false,
            cookie: None,
        };
        let local = "10.0.1.5:40001".parse().expect("an address");
        let asks = |client: &str| {
            let client = client.parse().expect("an address");
            pairs.carries((&journal, place), client, choice(), local);
        };
        let resumed = || -> Vec<usize> {
            let all = journal.pairs().into_iter();
            all.map(|pair| pair.resumed.lock().expect("nobody panics").len())
                .collect()
        };
        let (one, other) = ("198.51.100.10:1", "198.51.100.10:2");
        for client in [one, one, other, other] {
            asks(client);
        }
        assert_eq!(resumed(), [0, 0]);
        for client in [one, one, other] {
            asks(client);
        }
        assert_eq!(resumed(), [1, 1]);
    }
}
