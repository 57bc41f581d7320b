//! Classic balancers: a proxy of bytes between a client and the instance whose turn it was, and (see `http`) one of requests.
//!
//! Observed on: AWS Classic Load Balancer, TCP listeners. What the client says is acknowledged here, whatever became of
//! the instance; a FIN or a RST of one side is passed on to the other. Connections of clients for which there is no
//! instance wait in the surge queue. How long an attempt to connect may take, and when the next one is made, AWS does not
//! say (see [`Classic::retry`]); a connection waits no longer than its idle timeout.

pub(super) mod http;

use super::journal::{Bytes, Closed, Pair};
use super::relay::{self, Activity, Side, Way};
use super::{Queued, Station, accept, reset};
use crate::fabric::config::{BalancerId, Classic, Kind, OnBackendReset, OnDeregister};
use crate::fabric::metric::Metric;
use crate::fabric::targets::Standing;
use crate::fabric::{Assigned, Config};
use crate::packet::proxy_protocol;
use crate::world::socket;
use std::io;
use std::net::{SocketAddr, SocketAddrV4};
use std::os::fd::AsFd;
use std::pin::pin;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout, timeout_at};

/// What a listener's connections go by.
struct View {
    settings: Classic,
    /// By instance.
    standings: Vec<Standing>,
}

type Views = watch::Receiver<Arc<View>>;

/// Begins to take a listener's connections.
pub(super) fn start(station: Station, listener: TcpListener) -> JoinHandle<()> {
    let tasks = Arc::clone(&station.tasks);
    tasks.spawn(async move {
        let station = Arc::new(station);
        let news = station.world.driver().news();
        let (sender, views) = watch::channel(Arc::new(view(&station).await));
        let carry = |stream, client| {
            let connection = Connection {
                station: Arc::clone(&station),
                views: views.clone(),
                client,
            };
            // Now, before the next one is accepted: turns go by the order in which clients come.
            let turn = station.next_target(connection.settings().group);
            connection.carry(stream, turn, Counted::new(&station))
        };
        tokio::select! {
            () = accept(&station.tasks, listener, carry) => {}
            () = keep_looking(&station, news, &sender) => {}
        }
    })
}

/// Tells connections whenever something may have changed.
async fn keep_looking(
    station: &Station,
    mut news: watch::Receiver<u64>,
    views: &watch::Sender<Arc<View>>,
) {
    while news.changed().await.is_ok() {
        views.send_replace(Arc::new(view(station).await));
    }
}

async fn view(station: &Station) -> View {
    let balancer = station.place.balancer;
    let driver = station.world.driver();
    let settings = driver.ask(move |fabric, _| settings(fabric.config(), balancer));
    let settings = settings.await;
    View {
        standings: station.standings(settings.group).await,
        settings,
    }
}

fn settings(config: &Config, balancer: BalancerId) -> Classic {
    match &config.balancers[usize::from(balancer.0)].kind {
        Kind::Classic(settings) => settings.clone(),
        Kind::Network | Kind::Application(_) => unreachable!("no balancer changes its kind"),
    }
}

/// True when the connections of an instance that stands like this are not to go on.
fn is_over(settings: &Classic, standing: Standing) -> bool {
    if settings.on_deregister == OnDeregister::Drain {
        return false;
    }
    match standing {
        Standing::InService | Standing::Draining => false,
        Standing::Unhealthy => !settings.draining,
        Standing::Gone => true,
    }
}

/// A client's connection.
struct Connection {
    station: Arc<Station>,
    views: Views,
    client: SocketAddrV4,
}

/// A connection of a client or to an instance, among those that are counted while it is open.
struct Counted(Arc<Station>);

impl Counted {
    fn new(station: &Arc<Station>) -> Self {
        station.note(Metric::EstimatedNewConnectionCount, 1);
        station.note(Metric::EstimatedActiveConnectionCount, 1);
        Self(Arc::clone(station))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.note(Metric::EstimatedActiveConnectionCount, -1);
    }
}

/// A connection to an instance.
struct Backend {
    stream: TcpStream,
    _counted: Counted,
}

/// How a client's connection is ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Farewell {
    Close,
    Reset,
}

impl Connection {
    fn settings(&self) -> Classic {
        self.views.borrow().settings.clone()
    }

    /// From the client's handshake to the end.
    async fn carry(
        mut self,
        stream: TcpStream,
        turn: impl Future<Output = Option<Assigned>>,
        _counted: Counted,
    ) {
        let Some((assigned, backend)) = self.find_instance(turn).await else {
            socket::hang_up(stream.as_fd());
            return;
        };
        self.station.tell(Metric::RequestCount, 1).await;
        let settings = self.settings();
        let Ok(SocketAddr::V4(local)) = backend.stream.local_addr() else {
            return;
        };
        let bytes = Arc::<Bytes>::default();
        let pair = self.station.journal.add(Pair {
            place: self.station.place,
            client: self.client,
            local,
            group: settings.group,
            target: assigned.target,
            address: assigned.address,
            opened: Instant::now(),
            resumed: Mutex::default(),
            bytes: Arc::clone(&bytes),
            target_closed: OnceLock::new(),
            closed: OnceLock::new(),
        });
        let header = settings
            .proxy_protocol
            .then(|| proxy_protocol::proxy_v1(self.client, self.station.address));
        let (why, farewell) = self.relay(&stream, backend, header, (&pair, &bytes)).await;
        match farewell {
            Farewell::Close => socket::hang_up(stream.as_fd()),
            Farewell::Reset => reset(&stream),
        }
        let now = Instant::now();
        // Unless the client's went on without it, both are over at the same moment.
        pair.target_closed.get_or_init(|| now);
        pair.closed.get_or_init(|| (now, why));
    }

    /// Connects to the instance whose turn it is, and waits for one in the surge queue as long as there is none. None:
    /// the client's connection is closed. `turn`: whose turn it was when the client came.
    async fn find_instance(
        &mut self,
        turn: impl Future<Output = Option<Assigned>>,
    ) -> Option<(Assigned, Backend)> {
        let until = Instant::now() + self.settings().idle_timeout;
        let found = timeout_at(until, self.try_instances(turn)).await;
        found.ok().flatten()
    }

    async fn try_instances(
        &mut self,
        first: impl Future<Output = Option<Assigned>>,
    ) -> Option<(Assigned, Backend)> {
        let mut first = Some(first);
        let mut waits = None;
        let mut failed = 0;
        loop {
            let settings = self.settings();
            let assigned = match first.take() {
                Some(turn) => turn.await,
                None => self.station.next_target(settings.group).await,
            };
            let Some(assigned) = assigned else {
                self.wait(&settings, &mut waits)?;
                self.views.changed().await.ok()?;
                continue;
            };
            let station = Arc::clone(&self.station);
            let began = Instant::now();
            let connected = self.dial(assigned.address, &settings, &mut waits).await?;
            match connected {
                Ok(stream) => {
                    station.took(None, Metric::Latency, began.elapsed());
                    let backend = Backend {
                        stream,
                        _counted: Counted::new(&station),
                    };
                    return Some((assigned, backend));
                }
                Err(error) => {
                    tracing::debug!(target = %assigned.address, %error, "a connection to an instance");
                    self.station.tell(Metric::BackendConnectionErrors, 1).await;
                }
            }
            failed += 1;
            // Once round all of them without success.
            if failed % self.in_service().max(1) == 0 {
                self.wait(&settings, &mut waits)?;
                sleep(settings.retry).await;
            }
        }
    }

    /// Connects to an instance; who has waited for it long enough enters the surge queue. None: that is full.
    async fn dial(
        &self,
        address: SocketAddrV4,
        settings: &Classic,
        waits: &mut Option<Queued>,
    ) -> Option<io::Result<TcpStream>> {
        let mut attempt = pin!(self.station.connect(address));
        Some(match timeout(settings.retry, &mut attempt).await {
            Ok(connected) => connected,
            Err(_) => {
                self.wait(settings, waits)?;
                attempt.await
            }
        })
    }

    fn in_service(&self) -> usize {
        let view = self.views.borrow();
        let in_service = |standing: &&Standing| **standing == Standing::InService;
        view.standings.iter().filter(in_service).count()
    }

    /// Enters the surge queue, if it is not in there. None: the queue is full.
    fn wait(&self, settings: &Classic, waits: &mut Option<Queued>) -> Option<()> {
        if waits.is_none() {
            *waits = Some(self.station.queue(settings.surge_queue)?);
        }
        Some(())
    }

    /// Carries bytes until the connection is over, behind a header where the instance is to have one.
    async fn relay(
        &mut self,
        client: &TcpStream,
        mut backend: Backend,
        header: Option<String>,
        (pair, bytes): (&Pair, &Bytes),
    ) -> (Closed, Farewell) {
        let activity = Activity::new();
        let header = header.unwrap_or_default();
        let told = backend.stream.write_all(header.as_bytes()).await;
        let end = if told.is_err() {
            Closed::TargetReset
        } else {
            let up = Way {
                from: (client, Side::Client),
                to: (&backend.stream, Side::Target),
                counts: (&bytes.from_client, &bytes.to_target),
            };
            let down = Way {
                from: (&backend.stream, Side::Target),
                to: (client, Side::Client),
                counts: (&bytes.from_target, &bytes.to_client),
            };
            self.both_ways(&up, &down, &activity, pair).await
        };
        match end {
            Closed::ClientReset => reset(&backend.stream),
            Closed::Finished
            | Closed::Idle
            | Closed::ClientBrokeOff
            | Closed::TargetBrokeOff
            | Closed::TargetReset
            | Closed::OutOfService => socket::hang_up(backend.stream.as_fd()),
        }
        let settings = self.settings();
        match end {
            Closed::Finished
            | Closed::Idle
            | Closed::ClientReset
            | Closed::ClientBrokeOff
            | Closed::TargetBrokeOff => (end, Farewell::Close),
            Closed::TargetReset => match settings.on_backend_reset {
                OnBackendReset::Propagate => (end, Farewell::Reset),
                OnBackendReset::Ignore => {
                    self.swallow(client, backend, (pair, bytes), &activity)
                        .await
                }
            },
            Closed::OutOfService => match settings.on_deregister {
                OnDeregister::Close | OnDeregister::Drain => (end, Farewell::Close),
                OnDeregister::Reset => (end, Farewell::Reset),
                OnDeregister::Blackhole => {
                    self.swallow(client, backend, (pair, bytes), &activity)
                        .await
                }
            },
        }
    }

    /// Passes on what both say, until there is a reason to end.
    async fn both_ways(
        &mut self,
        up: &Way<'_>,
        down: &Way<'_>,
        activity: &Activity,
        pair: &Pair,
    ) -> Closed {
        let (mut toward_target, mut toward_client) =
            (pin!(up.carry(activity)), pin!(down.carry(activity)));
        let (mut client_done, mut target_done) = (false, false);
        let broken = |side| match side {
            Side::Client => Closed::ClientReset,
            Side::Target => Closed::TargetReset,
        };
        loop {
            if client_done && target_done {
                return Closed::Finished;
            }
            if self.is_over(pair.target) {
                return Closed::OutOfService;
            }
            let limit = self.settings().idle_timeout;
            tokio::select! {
                done = &mut toward_target, if !client_done => match done {
                    Ok(()) => client_done = true,
                    Err(side) => return broken(side),
                },
                done = &mut toward_client, if !target_done => match done {
                    Ok(()) => target_done = true,
                    Err(side) => return broken(side),
                },
                () = relay::broken(up.from.0), if client_done => return Closed::ClientReset,
                () = relay::broken(down.from.0), if target_done => return Closed::TargetReset,
                () = activity.idle(limit) => return Closed::Idle,
                changed = self.views.changed() => if changed.is_err() {
                    return Closed::Finished;
                },
            }
        }
    }

    /// True when the connections of an instance are not to go on.
    fn is_over(&self, instance: usize) -> bool {
        let view = self.views.borrow();
        is_over(&view.settings, view.standings[instance])
    }

    /// The client's connection leads nowhere: what it says is acknowledged and forgotten.
    async fn swallow(
        &self,
        client: &TcpStream,
        backend: Backend,
        (pair, bytes): (&Pair, &Bytes),
        activity: &Activity,
    ) -> (Closed, Farewell) {
        pair.target_closed.get_or_init(Instant::now);
        drop(backend);
        let limit: Duration = self.settings().idle_timeout;
        tokio::select! {
            done = relay::swallow(client, &bytes.from_client, activity) => match done {
                Ok(()) => (Closed::Finished, Farewell::Close),
                Err(()) => (Closed::ClientReset, Farewell::Close),
            },
            () = activity.idle(limit) => (Closed::Idle, Farewell::Close),
        }
    }
}
