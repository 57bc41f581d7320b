//! `load`: many connections from many clients.

use super::Story;
use super::transfers::dense_errors;
use crate::evidence::{Answer, Detail, Load};
use crate::plan::{Dial, HostId, Request, Verb};
use crate::run::client::request::Talk;
use crate::run::client::{Client, Ending};
use crate::run::word::Fault;
use crate::world::socket::ClientOptions;
use futures_util::StreamExt;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use std::pin::pin;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// Without `rate`, the next connection of a client waits for the one before, but not longer than this: healthy ones
/// follow each other as a busy client's do, and hanging ones do not hold up the rest.
pub(in crate::run) const PATIENCE: Duration = Duration::from_millis(20);

/// Opens the connections of a load step, and tells the last fault that any of them met; what depends on packets is filled in when evidence is collected.
pub async fn run(story: &Story, number: usize) -> (Fault, Detail) {
    let Verb::Load { dials, .. } = &story.plan.steps[number].verb else {
        unreachable!("called for a load")
    };
    let by_client = join_all(dials.iter().map(|dial| from_one(story, number, dial))).await;
    let mut load = Load {
        errors: dense_errors(),
        ..Load::default()
    };
    let mut last = Fault::default();
    for (client, talk) in by_client.into_iter().flatten() {
        let fault = talk.fault;
        load.attempts += 1;
        load.connected += i64::from(client.fault.is_none());
        if !fault.is_none() {
            load.failed += 1;
            *load.errors.entry(fault.word.to_owned()).or_default() += 1;
            last = fault;
        }
        let connection = story.add(client);
        load.connections.push(connection);
        load.requests += i64::from(talk.requests);
        for answer in talk.answers {
            *load.status.entry(answer.status.to_string()).or_default() += 1;
            load.answers.push(Answer {
                connection,
                at: story.millis(answer.asked),
                ms: answer.took.as_secs_f64() * 1e3,
                status: answer.status.into(),
            });
        }
    }
    (last, Detail::Load(load))
}

/// A client's connections, in the order they were started, each with what was said on it.
async fn from_one(story: &Story, number: usize, dial: &Dial) -> Vec<(Client, Talk)> {
    let Verb::Load {
        connections, rate, ..
    } = &story.plan.steps[number].verb
    else {
        unreachable!("called for a load")
    };
    let began = Instant::now();
    let mut running = FuturesUnordered::new();
    let mut done = Vec::with_capacity(*connections as usize);
    let mut dark = pin!(loses_power(story, dial.from));
    'turns: for turn in 0..*connections {
        running.push(async move { (turn, one(story, number, dial, turn).await) });
        let next = match rate {
            Some(rate) => began + Duration::from_secs_f64(f64::from(turn + 1) / rate),
            None => Instant::now() + PATIENCE,
        };
        loop {
            tokio::select! {
                // Without power nothing begins, whatever is due with it.
                biased;
                () = &mut dark => break 'turns,
                Some((which, outcome)) = running.next() => {
                    done.push((which, outcome));
                    if rate.is_none() && which == turn { break; }
                }
                () = sleep_until(next) => break,
            }
        }
    }
    while let Some(outcome) = running.next().await {
        done.push(outcome);
    }
    done.sort_by_key(|(turn, _)| *turn);
    done.into_iter().map(|(_, outcome)| outcome).collect()
}

/// Waits until a host's power goes. What begins without power goes on, and reaches nobody.
async fn loses_power(story: &Story, host: HostId) {
    story.lives(host).await;
    story.dies(host).await;
}

async fn one(story: &Story, number: usize, dial: &Dial, turn: u32) -> (Client, Talk) {
    let Verb::Load {
        source_port,
        hold,
        request,
        keepalive,
        user_timeout,
        tls,
        timeout,
        ..
    } = &story.plan.steps[number].verb
    else {
        unreachable!("called for a load")
    };
    let options = ClientOptions {
        source_port: source_port
            .map(|first| first + u16::try_from(turn).expect("planned within 65,535")),
        source_address: None,
        keepalive: *keepalive,
        user_timeout: *user_timeout,
        nodelay: false,
        udp: dial.udp,
    };
    let mut client = story
        .open(number, dial, options, *timeout, story.seat())
        .await;
    if *tls {
        client = client.secured(*timeout).await;
    }
    let mut talk = Talk {
        fault: client.fault,
        ..Talk::default()
    };
    match request {
        Some(Request::Bytes(bytes)) if talk.fault.is_none() => {
            talk.fault = client.exchange(*bytes, 1, *timeout).await.fault;
        }
        Some(Request::Http(request)) if talk.fault.is_none() => {
            talk = client.talk(dial.name.as_deref(), request, *timeout).await;
        }
        Some(_) | None => {}
    }
    if !hold && client.stands() {
        let closed = client.end(Ending::Close).await;
        tracing::trace!(?closed, "a load's connection closed");
    }
    (client, talk)
}
