//! Bytes over the connections of a step, one of `connect` or the many of a load.

use super::Story;
use crate::evidence::Detail;
use crate::plan::Transfer;
use crate::plan::vocabulary::ERRORS;
use crate::run::client::{Client, Moved};
use crate::run::word::Fault;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// So many connections of a load begin a transfer at once; the next as many follow when half are done, or when none was
/// for a while: dead ones do not hold up the rest. More would overrun the queues of the hosts' devices, a loss that
/// nobody asked for.
const CROWD: usize = 128;

/// See [`CROWD`]; longer than a busy machine stands still.
const STANDSTILL: Duration = Duration::from_millis(200);

/// Which way a transfer's bytes go, seen from the client.
#[derive(Clone, Copy, Debug)]
pub(super) enum Way {
    /// `send`
    Out,
    /// `receive`
    In,
    /// `exchange`
    Both,
}

impl Story {
    pub(super) async fn transfer(&self, way: Way, transfer: &Transfer) -> (Fault, Detail) {
        let clients = self.over(transfer.over);
        if self.is_load(transfer.over) {
            return transfer_all(way, transfer, &clients).await;
        }
        let Some(client) = clients.first() else {
            return (
                Fault::NOT_CONNECTED,
                Detail::Transfer {
                    sent: 0,
                    received: 0,
                    unacked: 0,
                    text: String::new(),
                    text_cut: 0,
                },
            );
        };
        let moved = move_bytes(way, transfer, client).await;
        let detail = Detail::Transfer {
            sent: moved.sent as i64,
            received: moved.received as i64,
            unacked: client.unacked().await as i64,
            text_cut: moved.received as i64 - moved.text.len() as i64,
            text: String::from_utf8_lossy(&moved.text).into_owned(),
        };
        (moved.fault, detail)
    }
}

/// `times` times over one connection; the first failure ends it.
async fn move_bytes(way: Way, transfer: &Transfer, client: &Client) -> Moved {
    let mut all = Moved::default();
    let began = Instant::now();
    for turn in 0..transfer.times {
        if turn > 0 && !transfer.every.is_zero() {
            sleep_until(began + transfer.every * turn).await;
        }
        let moved = match way {
            Way::Both => {
                client
                    .exchange(transfer.bytes, transfer.writes, transfer.timeout)
                    .await
            }
            Way::Out => {
                client
                    .send(transfer.bytes, transfer.writes, transfer.timeout)
                    .await
            }
            Way::In => client.receive(transfer.bytes, transfer.timeout).await,
        };
        all.sent += moved.sent;
        all.received += moved.received;
        all.keep(&moved.text);
        all.fault = moved.fault;
        if !all.fault.is_none() {
            break;
        }
    }
    all
}

async fn transfer_all(way: Way, transfer: &Transfer, clients: &[Arc<Client>]) -> (Fault, Detail) {
    let mut errors = dense_errors();
    let (mut attempts, mut failed, mut fault) = (0, 0, Fault::default());
    let mut note = |moved: Moved| {
        attempts += 1;
        if !moved.fault.is_none() {
            failed += 1;
            *errors.entry(moved.fault.word.to_owned()).or_default() += 1;
            fault = moved.fault;
        }
    };
    let mut work = FuturesUnordered::new();
    let standing: Vec<_> = clients.iter().filter(|c| c.fault.is_none()).collect();
    for crowd in standing.chunks(CROWD) {
        work.extend(crowd.iter().map(|client| move_bytes(way, transfer, client)));
        while work.len() > CROWD / 2 {
            match tokio::time::timeout(STANDSTILL, work.next()).await {
                Ok(moved) => moved.into_iter().for_each(&mut note),
                Err(_) => break,
            }
        }
    }
    while let Some(moved) = work.next().await {
        note(moved);
    }
    (
        fault,
        Detail::TransferAll {
            attempts,
            failed,
            errors,
        },
    )
}

/// Every word, each 0 times: a map over a closed vocabulary has all its keys.
pub(super) fn dense_errors() -> BTreeMap<String, i64> {
    let words = ERRORS.iter().filter(|word| !word.is_empty());
    words.map(|word| ((*word).to_owned(), 0)).collect()
}
