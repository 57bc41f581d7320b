//! HTTP listeners of classic balancers: a proxy of requests, whose targets are the balancer's instances.
//!
//! Observed on: AWS Classic Load Balancer ("Troubleshoot a Classic Load Balancer: HTTP errors", "CloudWatch metrics for your
//! Classic Load Balancer"). A request goes to the instance with the fewest outstanding ones. What an instance closes, or does not
//! answer within the idle timeout, is 504, as is a request that has no connection by then; without an instance in service, with
//! a full surge queue, or with an instance that goes while it is asked, 503. AWS says that the balancer tries again when it cannot
//! connect, not when: as for connections (see [`Classic::retry`]). Not here: HTTP (see `super::super::http`).

use super::super::http::{
    Choice, Event, Failure, Limits, Outstanding, Pairs, Proxy, Surroundings, least_outstanding,
};
use super::super::journal::Bytes;
use super::super::{Queued, Settings, Station, acceptor, cookie};
use super::{is_over, settings};
use crate::fabric::config::{Classic, ForwardedFor};
use crate::fabric::metric::Metric;
use crate::run::tasks::Tasks;
use crate::world::Error;
use hyper::Method;
use hyper::header::{HeaderMap, HeaderValue};
use hyper::http::request::Parts;
use hyper::http::response;
use std::io;
use std::net::SocketAddrV4;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// AWS: longer methods are not taken.
const LONGEST_METHOD: usize = 127;

/// Begins to take a listener's connections. `https`: under TLS.
///
/// # Errors
/// A certificate that cannot be made.
pub(in crate::run::proxy) fn start(
    station: Station,
    https: bool,
    listener: TcpListener,
) -> Result<JoinHandle<()>, Error> {
    let port = station.place.port;
    let tls = https.then(|| acceptor(&station)).transpose()?;
    let live = Live {
        settings: Settings::new(&station, settings),
        station: Arc::new(station),
        pairs: Pairs::default(),
    };
    let proxy = Arc::new(Proxy::new(live, port, tls));
    let tasks = Arc::clone(&proxy.surroundings.station.tasks);
    Ok(tasks.spawn(async move {
        let live = &proxy.surroundings;
        tokio::select! {
            () = Arc::clone(&proxy).take(listener) => {}
            () = live.settings.follow(&live.station) => {}
        }
    }))
}

/// The world of one proxy.
struct Live {
    station: Arc<Station>,
    settings: Settings<Classic>,
    /// What each client's connection led to.
    pairs: Pairs,
}

impl Surroundings for Live {
    type Waits = Queued;

    fn bound(&self, headers: &HeaderMap) -> Option<SocketAddrV4> {
        self.settings.get().stickiness?;
        cookie::target(cookie::CLASSIC, headers)
    }

    /// Who is bound is given nothing more, so that requests do not put the end off.
    fn binds(&self, choice: Choice, bound: Option<SocketAddrV4>) -> Option<HeaderValue> {
        let stickiness = self.settings.get().stickiness?;
        let given = || cookie::of(cookie::CLASSIC, choice.address, stickiness.expires);
        (bound != Some(choice.address)).then(given)
    }

    async fn choose(
        &self,
        outstanding: &Outstanding,
        bound: Option<SocketAddrV4>,
        tried: &[usize],
    ) -> Option<Choice> {
        let (place, group) = (self.station.place, self.settings.get().group);
        let driver = self.station.world.driver();
        let candidates = driver.ask(move |fabric, _| fabric.candidates(place, group, bound));
        let mut untried = candidates.await;
        untried.retain(|candidate| !tried.contains(&candidate.target));
        let wanted = untried.iter().find(|one| Some(one.address) == bound);
        let chosen = match wanted {
            Some(wanted) => *wanted,
            None => least_outstanding(untried.into_iter(), outstanding)?,
        };
        Some(Choice::of(group, chosen))
    }

    fn wait(&self) -> Option<Queued> {
        self.station.queue(self.settings.get().surge_queue)
    }

    async fn connect(&self, target: SocketAddrV4) -> io::Result<TcpStream> {
        self.station.connect(target).await
    }

    fn tasks(&self) -> &Arc<Tasks> {
        &self.station.tasks
    }

    async fn gone(&self, choice: Choice) {
        let over = |standing| is_over(&self.settings.get(), standing);
        self.station.until(choice, over).await;
    }

    fn limits(&self) -> Limits {
        let settings = self.settings.get();
        Limits {
            idle: settings.idle_timeout,
            client_keep_alive: None,
            connect: settings.idle_timeout,
            retry: Some(settings.retry),
        }
    }

    fn refuses(&self, request: &Parts) -> Option<Failure> {
        match &request.method {
            &Method::CONNECT => Some(Failure::Malformed),
            method if method.as_str().len() > LONGEST_METHOD => Some(Failure::NotTaken(405)),
            _ => None,
        }
    }

    /// AWS names no sizes.
    fn mistrusts(&self, _: &response::Parts) -> Option<Failure> {
        None
    }

    fn forwarded_for(&self) -> ForwardedFor {
        ForwardedFor::Append
    }

    fn status(&self, failure: Failure) -> u16 {
        match failure {
            Failure::Malformed | Failure::Newer => 400,
            Failure::NotTaken(status) => status,
            Failure::Unfinished | Failure::Left | Failure::CutShort => 408,
            Failure::Unreadable => 502,
            Failure::NoTarget | Failure::Full | Failure::Gone => 503,
            Failure::Refused | Failure::Silent | Failure::Closed | Failure::Slow => 504,
        }
    }

    fn carries(&self, client: SocketAddrV4, choice: Choice, local: SocketAddrV4) -> Arc<Bytes> {
        let station = &self.station;
        let at = (&*station.journal, station.place);
        self.pairs.carries(at, client, choice, local)
    }

    fn answered(&self, client: SocketAddrV4, asked: Instant, status: u16) {
        self.station.answered(client, asked, status);
    }

    fn left(&self, client: SocketAddrV4) {
        self.pairs.left(client);
    }

    fn tell(&self, event: Event) {
        let count = |metric| self.station.note(metric, 1);
        match event {
            Event::Opened => {
                count(Metric::EstimatedNewConnectionCount);
                count(Metric::EstimatedActiveConnectionCount);
            }
            Event::Closed => self
                .station
                .note(Metric::EstimatedActiveConnectionCount, -1),
            // It is counted when it goes to its instance.
            Event::Chosen(_) => {}
            Event::Routed => count(Metric::RequestCount),
            Event::ConnectionError(_) => count(Metric::BackendConnectionErrors),
            Event::Responded(_, after) => self.station.took(None, Metric::Latency, after),
            Event::Target(_, status) => {
                if let Some(metric) = of_instance(status) {
                    count(metric);
                }
            }
            Event::Own(status) => {
                if let Some(metric) = own(status) {
                    count(metric);
                }
            }
        }
    }
}

fn of_instance(status: u16) -> Option<Metric> {
    match status / 100 {
        2 => Some(Metric::HttpCodeBackend2xx),
        3 => Some(Metric::HttpCodeBackend3xx),
        4 => Some(Metric::HttpCodeBackend4xx),
        5 => Some(Metric::HttpCodeBackend5xx),
        _ => None,
    }
}

fn own(status: u16) -> Option<Metric> {
    match status / 100 {
        4 => Some(Metric::HttpCodeOwn4xx),
        5 => Some(Metric::HttpCodeOwn5xx),
        _ => None,
    }
}
