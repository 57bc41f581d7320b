//! A request's way to a target: whom to ask, and over which connection.

use super::upstream::Upstream;
use super::{Choice, Event, Failure, Outstanding, Proxy, Surroundings, Waiting};
use crate::fabric::Assigned;
use std::net::SocketAddrV4;
use std::pin::pin;
use std::sync::Arc;
use tokio::time::{Instant, sleep, timeout, timeout_at};

/// Where a request goes.
pub(super) struct Route<'a> {
    pub(super) choice: Choice,
    pub(super) upstream: Upstream,
    /// It is among those that wait for this target's answers.
    pub(super) waiting: Waiting<'a>,
}

/// The candidate with the fewest requests that wait for its answers; among equals the first.
pub(in crate::run::proxy) fn least_outstanding(
    candidates: impl Iterator<Item = Assigned>,
    outstanding: &Outstanding,
) -> Option<Assigned> {
    candidates.min_by_key(|candidate| outstanding.of(candidate.address))
}

impl<S: Surroundings> Proxy<S> {
    /// A target and a connection to it. `bound`: the target that it should be.
    pub(super) async fn route(
        self: &Arc<Self>,
        bound: Option<SocketAddrV4>,
    ) -> Result<Route<'_>, Failure> {
        let limits = self.surroundings.limits();
        let until = Instant::now() + limits.connect;
        let search = self.search(bound, until);
        if limits.retry.is_none() {
            return search.await;
        }
        timeout_at(until, search)
            .await
            .unwrap_or(Err(Failure::Silent))
    }

    /// `until`: who tries again does so no later.
    async fn search(
        self: &Arc<Self>,
        bound: Option<SocketAddrV4>,
        until: Instant,
    ) -> Result<Route<'_>, Failure> {
        let (mut waits, mut tried) = (None, Vec::new());
        loop {
            let chosen = self
                .surroundings
                .choose(&self.outstanding, bound, &tried)
                .await;
            let Some(choice) = chosen else {
                let Some(retry) = self
                    .surroundings
                    .limits()
                    .retry
                    .filter(|_| !tried.is_empty())
                else {
                    return Err(Failure::NoTarget);
                };
                self.wait(&mut waits)?;
                sleep(retry).await;
                if Instant::now() >= until {
                    return Err(Failure::Silent);
                }
                tried.clear();
                continue;
            };
            self.surroundings.tell(Event::Chosen(choice));
            let waiting = self.outstanding.begin(choice.address);
            let connected = tokio::select! {
                connected = self.connected(choice, &mut waits) => connected,
                () = self.surroundings.gone(choice) => Err(Failure::Gone),
            };
            match connected {
                Ok(upstream) => {
                    return Ok(Route {
                        choice,
                        upstream,
                        waiting,
                    });
                }
                Err(Failure::Refused | Failure::Silent | Failure::Gone)
                    if self.surroundings.limits().retry.is_some() =>
                {
                    tried.push(choice.target);
                }
                Err(why) => return Err(why),
            }
        }
    }

    /// A connection to a target; who has waited for it long enough is among those that wait, and takes one that is left by
    /// another request as well.
    pub(super) async fn connected(
        self: &Arc<Self>,
        choice: Choice,
        waits: &mut Option<S::Waits>,
    ) -> Result<Upstream, Failure> {
        let mut attempt = pin!(self.upstream(choice));
        let connected = match self.surroundings.limits().retry {
            None => attempt.await,
            Some(retry) => match timeout(retry, &mut attempt).await {
                Ok(connected) => connected,
                Err(_) => {
                    self.wait(waits)?;
                    tokio::select! {
                        connected = attempt => connected,
                        freed = self.freed(choice) => Ok(freed),
                    }
                }
            },
        };
        if connected.is_err() {
            let error = Event::ConnectionError(choice.group);
            self.surroundings.tell(error);
        }
        connected
    }

    fn wait(&self, waits: &mut Option<S::Waits>) -> Result<(), Failure> {
        if waits.is_none() {
            *waits = Some(self.surroundings.wait().ok_or(Failure::Full)?);
        }
        Ok(())
    }
}
