//! What each step does, and how it went. Not here: connections and what goes over them (`dialling`, `transfers`).

use super::transfers::Way;
use super::{Story, load};
use crate::evidence::Detail;
use crate::expr::Truth;
use crate::fabric::Stray;
use crate::fabric::change::Change;
use crate::plan::{Claim, HostId, Step, StepId, Verb};
use crate::run::client::Ending;
use crate::run::collect;
use crate::run::server::Order;
use crate::run::word::Fault;
use crate::spec::Handover;
use crate::verdict::{self, Scope};
use crate::world::socket::ClientOptions;
use crate::world::{Error, program};
use futures_util::future::join_all;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until};

/// How soon a `wait_until` looks again, at first and at most.
const LOOK: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(100));
/// Between two looks it waits so many times as long as a look takes, or the longest pause: where there is much to look at, looking
/// would take the processor from what is waited for.
const SHARE: u32 = 10;

impl Story {
    pub(super) async fn act(&self, number: usize, step: &Step) -> Result<(Fault, Detail), Error> {
        Ok(match &step.verb {
            Verb::Connect {
                dial,
                source_port,
                keepalive,
                user_timeout,
                nodelay,
                tls,
                timeout,
            } => {
                let options = ClientOptions {
                    source_port: *source_port,
                    source_address: None,
                    keepalive: *keepalive,
                    user_timeout: *user_timeout,
                    nodelay: *nodelay,
                    udp: dial.udp,
                };
                let mut client = self.open(number, dial, options, *timeout, None).await;
                if *tls {
                    client = client.secured(*timeout).await;
                }
                let fault = client.fault;
                let connection = self.add(client);
                (fault, Detail::Connect { connection })
            }
            Verb::Load { .. } => load::run(self, number).await,
            Verb::Exchange(transfer) => self.transfer(Way::Both, transfer).await,
            Verb::Send(transfer) => self.transfer(Way::Out, transfer).await,
            Verb::Receive(transfer) => self.transfer(Way::In, transfer).await,
            Verb::Close { over } => (self.end(*over, Ending::Close).await, Detail::Plain),
            Verb::Abort { over } => (self.end(*over, Ending::Abort).await, Detail::Plain),
            Verb::Inject {
                over,
                beyond,
                bytes,
                reset,
            } => {
                let stray = if *reset {
                    Stray::Reset
                } else {
                    Stray::Payload(*bytes)
                };
                (self.inject(*over, *beyond, stray).await, Detail::Plain)
            }
            Verb::Shutdown { over } => (self.end(*over, Ending::Shutdown).await, Detail::Plain),
            Verb::Wait { lapse } => {
                sleep(*lapse).await;
                (Fault::default(), Detail::Plain)
            }
            Verb::WaitUntil { that, timeout } => {
                (self.wait_until(that, *timeout).await?, Detail::Plain)
            }
            Verb::Stop { hosts, reset } => (
                self.order(hosts, if *reset { Order::Reset } else { Order::Finish })
                    .await,
                Detail::Plain,
            ),
            Verb::Kill { hosts } => (self.order(hosts, Order::Die).await, Detail::Plain),
            Verb::Reload { hosts, handover } => {
                (self.reload(hosts, *handover).await?, Detail::Plain)
            }
            Verb::Fault(fault) => self.fault(number, fault).await?,
            Verb::Registration {
                group,
                targets,
                registered,
                foreign,
            } => {
                self.registration(*group, targets, *registered, foreign)
                    .await
            }
            Verb::Endpoints { places, there, .. } => {
                let detail = self.endpoints(places, *there).await?;
                (Fault::default(), detail)
            }
            Verb::Set { network, .. } => {
                let change = Change::Configure(network.clone());
                self.world.driver().apply(change).await;
                (Fault::default(), Detail::Plain)
            }
            Verb::Run {
                host,
                command,
                timeout,
            } => self.run(*host, command, *timeout, step.background).await?,
        })
    }

    async fn run(
        &self,
        host: HostId,
        command: &str,
        limit: Duration,
        background: bool,
    ) -> Result<(Fault, Detail), Error> {
        if self.is_dead(host) {
            return Ok(without_power(&self.plan.hosts[host.0 as usize].name));
        }
        let inside = self.world.host(host).inside()?;
        let enough = async {
            tokio::select! {
                () = sleep(limit) => {}
                () = self.dies(host) => {}
                () = self.is_told(), if background => {}
            }
        };
        let ended = inside
            .run_until("/bin/sh", &["-c", command], None, enough)
            .await?;
        let fault = match ended.timed_out && self.is_dead(host) {
            true => Fault::word("failed"),
            false => program_fault(&ended),
        };
        let detail = Detail::Run {
            exit_code: ended.code.map_or(-1, i64::from),
            stdout_cut: ended.stdout.cut as i64,
            stdout: ended.stdout.text,
            stderr_cut: ended.stderr.cut as i64,
            stderr: ended.stderr.text,
        };
        Ok((fault, detail))
    }

    async fn end(&self, over: StepId, ending: Ending) -> Fault {
        let clients = self.over(over);
        let faults = join_all(clients.iter().map(|client| client.end(ending))).await;
        // Of a load, those that never opened have nothing to close.
        let relevant = faults
            .into_iter()
            .zip(&clients)
            .filter(|(_, client)| !self.is_load(over) || client.fault.is_none());
        relevant
            .map(|(fault, _)| fault)
            .find(|fault| !fault.is_none())
            .unwrap_or_default()
    }

    /// To every connection of a step that something has come to already.
    async fn inject(&self, over: StepId, beyond: u32, stray: Stray) -> Fault {
        // One port of a client may have connections to several, whom it knows by what it dialled.
        let mut dialled = HashMap::<SocketAddr, Vec<SocketAddr>>::new();
        for client in self.clients() {
            if let Some(end) = client.local {
                dialled.entry(end).or_default().push(client.to.address);
            }
        }
        let mut fault = Fault::NOT_CONNECTED;
        for client in self.over(over) {
            let Some(end) = client.local else {
                continue;
            };
            let mut others = dialled.get(&end).cloned().unwrap_or_default();
            others.retain(|other| *other != client.to.address);
            if self
                .world
                .driver()
                .inject((end, others), beyond, stray)
                .await
            {
                fault = Fault::default();
            }
        }
        fault
    }

    pub(super) async fn order(&self, hosts: &[HostId], order: Order) -> Fault {
        let mut worst = Fault::default();
        for host in hosts {
            let fault = self.servers[host.0 as usize].order(order).await;
            if worst.is_none() {
                worst = fault;
            }
        }
        worst
    }

    /// The first fault of any of them.
    async fn reload(&self, hosts: &[HostId], handover: Handover) -> Result<Fault, Error> {
        let mut worst = Fault::default();
        for id in hosts {
            let host = &self.plan.hosts[id.0 as usize];
            let servers = &self.servers[id.0 as usize];
            let (live, addresses) = (self.world.host(*id), host.first_addresses());
            let reloaded = servers.reload(live, &addresses, &host.servers, handover);
            let fault = reloaded.await?;
            if worst.is_none() {
                worst = fault;
            }
        }
        Ok(worst)
    }

    async fn wait_until(&self, that: &Claim, timeout: Duration) -> Result<Fault, Error> {
        let until = Instant::now() + timeout;
        let mut pause = LOOK.0;
        loop {
            let began = Instant::now();
            let evidence = collect::evidence(self, Scope::of(&that.that)).await?;
            let value = verdict::value(&self.plan, &evidence, &[], [that]);
            if that.expr.eval(&value) == Truth::True {
                return Ok(Fault::default());
            }
            let now = Instant::now();
            if now >= until {
                return Ok(Fault::DEADLINE);
            }
            let rest = ((now - began) * SHARE).clamp(pause, LOOK.1);
            sleep_until((now + rest).min(until)).await;
            pause = (pause * 2).min(LOOK.1);
        }
    }
}

/// What comes of a program that no machine is there for.
fn without_power(host: &str) -> (Fault, Detail) {
    let detail = Detail::Run {
        exit_code: -1,
        stdout: String::new(),
        stdout_cut: 0,
        stderr: format!("{host} has no power\n"),
        stderr_cut: 0,
    };
    (Fault::word("failed"), detail)
}

fn program_fault(ended: &program::Ended) -> Fault {
    match ended.code {
        Some(0) => Fault::default(),
        _ if ended.timed_out => Fault::DEADLINE,
        Some(code) => {
            tracing::debug!(code, stderr = %ended.stderr.last_words(), "a program failed");
            Fault::word("failed")
        }
        None => Fault::word("failed"),
    }
}
