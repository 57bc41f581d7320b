//! A proxy at a zonal address of the lab: its targets are the fabric's, its sockets the kernel's.

use super::{Choice, Event, Limits, Outstanding, Proxy, Surroundings};
use crate::fabric::config::{Algorithm, Application, BalancerId, GroupId, Kind};
use crate::fabric::metric::Metric;
use crate::fabric::targets::Standing;
use crate::fabric::{Config, Fabric};
use crate::run::proxy::journal::{Bytes, Closed, Pair};
use crate::run::proxy::{Station, accept};
use std::collections::HashMap;
use std::io;
use std::net::SocketAddrV4;
use std::sync::{Arc, Mutex, OnceLock};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// Begins to take a listener's connections.
pub(in super::super) fn start(
    station: Station,
    group: GroupId,
    listener: TcpListener,
) -> JoinHandle<()> {
    let port = station.place.port;
    let settings = settings(&station.plan.fabric, station.place.balancer);
    let live = Live {
        station,
        group,
        settings: Mutex::new(settings),
        pairs: Mutex::default(),
    };
    let proxy = Arc::new(Proxy::new(live, port));
    tokio::spawn(async move {
        let carry = |stream, client, pending| {
            let serving = Arc::clone(&proxy).serve(stream, client);
            drop(pending);
            serving
        };
        tokio::select! {
            () = accept(&proxy.surroundings.station.journal, listener, carry) => {}
            () = proxy.surroundings.keep_looking() => {}
        }
    })
}

fn settings(config: &Config, balancer: BalancerId) -> Application {
    match &config.balancers[usize::from(balancer.0)].kind {
        Kind::Application(settings) => *settings,
        Kind::Network | Kind::Classic(_) => unreachable!("no balancer changes its kind"),
    }
}

/// The world of one proxy.
struct Live {
    station: Station,
    group: GroupId,
    settings: Mutex<Application>,
    /// What each client's connection led to.
    pairs: Mutex<HashMap<SocketAddrV4, Vec<Arc<Pair>>>>,
}

impl Live {
    /// Takes over what a step changes.
    async fn keep_looking(&self) {
        let driver = self.station.world.driver();
        let mut news = driver.news();
        let balancer = self.station.place.balancer;
        while news.changed().await.is_ok() {
            let now = driver.ask(move |fabric, _| settings(fabric.config(), balancer));
            *self.settings.lock().expect("no holder of this lock panics") = now.await;
        }
    }

    fn count(&self, group: Option<GroupId>, metric: Metric, change: i64) {
        let place = self.station.place;
        let driver = self.station.world.driver();
        driver.tell(move |fabric: &mut Fabric| fabric.tell(place, group, metric, change));
    }
}

impl Surroundings for Live {
    async fn choose(&self, outstanding: &Outstanding) -> Option<Choice> {
        let (place, group) = (self.station.place, self.group);
        let driver = self.station.world.driver();
        let (candidates, algorithm) = driver
            .ask(move |fabric, _| {
                let settings = &fabric.config().groups[usize::from(group.0)].attributes;
                let algorithm = settings.algorithm;
                (fabric.candidates(place, group), algorithm)
            })
            .await;
        let mut candidates = candidates.into_iter();
        let chosen = match algorithm {
            Algorithm::RoundRobin => candidates.next(),
            Algorithm::LeastOutstandingRequests => {
                candidates.min_by_key(|candidate| outstanding.of(candidate.address))
            }
        };
        chosen.map(|assigned| Choice {
            group,
            target: assigned.target,
            address: assigned.address,
            fail_open: assigned.fail_open,
        })
    }

    async fn connect(&self, target: SocketAddrV4) -> io::Result<TcpStream> {
        let pending = self.station.journal.begin();
        self.station.connect(target, &pending).await
    }

    async fn gone(&self, choice: Choice) {
        let place = self.station.place;
        let driver = self.station.world.driver();
        let mut news = driver.news();
        loop {
            let standing =
                driver.ask(move |fabric, _| fabric.standing(place, choice.group, choice.target));
            if standing.await == Standing::Gone {
                return;
            }
            if news.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    fn limits(&self) -> Limits {
        let settings = *self.settings.lock().expect("no holder of this lock panics");
        Limits {
            idle: settings.idle_timeout,
            client_keep_alive: settings.client_keep_alive,
            connect: settings.connect_timeout,
        }
    }

    fn carries(&self, client: SocketAddrV4, choice: Choice, local: SocketAddrV4) -> Arc<Bytes> {
        let mut pairs = self.pairs.lock().expect("no holder of this lock panics");
        let own = pairs.entry(client).or_default();
        if let Some(pair) = own.iter().find(|pair| pair.local == local) {
            return Arc::clone(&pair.bytes);
        }
        let bytes = Arc::<Bytes>::default();
        own.push(self.station.journal.add(Pair {
            place: self.station.place,
            client,
            local,
            group: choice.group,
            target: choice.target,
            address: choice.address,
            opened: Instant::now(),
            bytes: Arc::clone(&bytes),
            target_closed: OnceLock::new(),
            closed: OnceLock::new(),
        }));
        bytes
    }

    fn left(&self, client: SocketAddrV4) {
        let mut pairs = self.pairs.lock().expect("no holder of this lock panics");
        for pair in pairs.remove(&client).into_iter().flatten() {
            pair.closed
                .get_or_init(|| (Instant::now(), Closed::Finished));
        }
    }

    fn tell(&self, event: Event) {
        match event {
            Event::Opened => {
                self.count(None, Metric::NewConnectionCount, 1);
                self.count(None, Metric::ActiveConnectionCount, 1);
            }
            Event::Closed => self.count(None, Metric::ActiveConnectionCount, -1),
            Event::Request(choice) => {
                self.count(Some(choice.group), Metric::ForwardedRequestCount, 1);
                if choice.fail_open {
                    self.count(Some(choice.group), Metric::UnhealthyRoutingRequestCount, 1);
                }
            }
            Event::ConnectionError(group) => {
                self.count(Some(group), Metric::TargetConnectionErrorCount, 1);
            }
            Event::Responded(group, after) => {
                let metric = Metric::TargetResponseTime;
                self.station.took(Some(group), metric, after);
            }
            Event::Target(group, status) => {
                if let Some(metric) = of_target(status) {
                    self.count(Some(group), metric, 1);
                }
            }
            Event::Own(status) => {
                for metric in own(status) {
                    self.count(None, metric, 1);
                }
            }
        }
    }
}

fn of_target(status: u16) -> Option<Metric> {
    match status / 100 {
        2 => Some(Metric::HttpCodeTarget2xx),
        3 => Some(Metric::HttpCodeTarget3xx),
        4 => Some(Metric::HttpCodeTarget4xx),
        5 => Some(Metric::HttpCodeTarget5xx),
        _ => None,
    }
}

fn own(status: u16) -> impl Iterator<Item = Metric> {
    let of_class = match status / 100 {
        3 => Some(Metric::HttpCodeElb3xx),
        4 => Some(Metric::HttpCodeElb4xx),
        5 => Some(Metric::HttpCodeElb5xx),
        _ => None,
    };
    let alone = match status {
        500 => Some(Metric::HttpCodeElb500),
        502 => Some(Metric::HttpCodeElb502),
        503 => Some(Metric::HttpCodeElb503),
        504 => Some(Metric::HttpCodeElb504),
        _ => None,
    };
    of_class.into_iter().chain(alone)
}
