//! Application Load Balancers: proxies of HTTP whose targets are groups of the fabric.
//!
//! Observed on: AWS Application Load Balancer ("Troubleshoot your Application Load Balancers"). A request fails with the first
//! attempt to connect. Not here: HTTP (see `http`).

use super::http::{
    Choice, Event, FORWARDED_FOR, Failure, Limits, Outstanding, Pairs, Proxy, Surroundings,
    least_outstanding,
};
use super::journal::Bytes;
use super::{Settings, Station};
use crate::fabric::config::{Algorithm, Application, BalancerId, GroupId, Kind};
use crate::fabric::metric::Metric;
use crate::fabric::targets::Standing;
use crate::fabric::{Config, Place};
use hyper::Method;
use hyper::header::{HeaderMap, HeaderValue};
use std::convert::Infallible;
use std::io;
use std::net::SocketAddrV4;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// Begins to take a listener's connections.
pub(super) fn start(station: Station, listener: TcpListener) -> JoinHandle<()> {
    let port = station.place.port;
    let live = Live {
        settings: Settings::new(&station, settings),
        station,
        pairs: Pairs::default(),
    };
    let proxy = Arc::new(Proxy::new(live, port, None));
    tokio::spawn(async move {
        let live = &proxy.surroundings;
        tokio::select! {
            () = Arc::clone(&proxy).take(&live.station.journal, listener) => {}
            () = live.settings.follow(&live.station) => {}
        }
    })
}

fn settings(config: &Config, balancer: BalancerId) -> Application {
    match &config.balancers[usize::from(balancer.0)].kind {
        Kind::Application(settings) => *settings,
        Kind::Network | Kind::Classic(_) => unreachable!("no balancer changes its kind"),
    }
}

/// The group that a listener forwards to now; none: it is not there any more.
fn group_of(config: &Config, place: Place) -> Option<GroupId> {
    let listeners = &config.balancers[usize::from(place.balancer.0)].listeners;
    let listener = listeners.iter().find(|one| one.port == place.port)?;
    listener.forward.first().map(|forward| forward.group)
}

/// A request that came with more addresses in X-Forwarded-For is refused.
const MOST_ADDRESSES: usize = 30;

/// How many addresses X-Forwarded-For has.
fn addresses(headers: &HeaderMap) -> usize {
    let lists = headers.get_all(&FORWARDED_FOR).iter();
    let lists = lists.filter_map(|list| list.to_str().ok());
    let all = lists.flat_map(|list| list.split(','));
    all.filter(|one| !one.trim().is_empty()).count()
}

/// The status that refuses a request ("HTTP 405", "HTTP 463").
fn refused(method: &Method, headers: &HeaderMap) -> Option<u16> {
    match method {
        &Method::TRACE => Some(405),
        _ if addresses(headers) > MOST_ADDRESSES => Some(463),
        _ => None,
    }
}

/// The world of one proxy.
struct Live {
    station: Station,
    settings: Settings<Application>,
    /// What each client's connection led to.
    pairs: Pairs,
}

impl Surroundings for Live {
    /// No request waits: it fails.
    type Waits = Infallible;

    fn bound(&self, _: &HeaderMap) -> Option<SocketAddrV4> {
        None
    }

    fn binds(&self, _: SocketAddrV4) -> Option<HeaderValue> {
        None
    }

    async fn choose(
        &self,
        outstanding: &Outstanding,
        _bound: Option<SocketAddrV4>,
        _tried: &[usize],
    ) -> Option<Choice> {
        let place = self.station.place;
        let driver = self.station.world.driver();
        let (group, candidates, algorithm) = driver
            .ask(move |fabric, _| {
                let group = group_of(fabric.config(), place)?;
                let settings = &fabric.config().groups[usize::from(group.0)].attributes;
                let algorithm = settings.algorithm;
                Some((group, fabric.candidates(place, group, None), algorithm))
            })
            .await?;
        let mut candidates = candidates.into_iter();
        let chosen = match algorithm {
            Algorithm::RoundRobin => candidates.next(),
            Algorithm::LeastOutstandingRequests => least_outstanding(candidates, outstanding),
        };
        chosen.map(|assigned| Choice::of(group, assigned))
    }

    fn wait(&self) -> Option<Infallible> {
        None
    }

    async fn connect(&self, target: SocketAddrV4) -> io::Result<TcpStream> {
        let pending = self.station.journal.begin();
        self.station.connect(target, &pending).await
    }

    async fn gone(&self, choice: Choice) {
        self.station
            .until(choice, |standing| standing == Standing::Gone)
            .await;
    }

    fn limits(&self) -> Limits {
        let settings = self.settings.get();
        Limits {
            idle: settings.idle_timeout,
            client_keep_alive: Some(settings.client_keep_alive),
            connect: settings.connect_timeout,
            retry: None,
        }
    }

    fn refuses(&self, method: &Method, headers: &HeaderMap) -> Option<Failure> {
        refused(method, headers).map(Failure::NotTaken)
    }

    fn status(&self, failure: Failure) -> u16 {
        match failure {
            Failure::Malformed => 400,
            Failure::NotTaken(status) => status,
            Failure::Unfinished => 408,
            Failure::Left => 460,
            Failure::Refused | Failure::Closed | Failure::Unreadable | Failure::Gone => 502,
            Failure::NoTarget | Failure::Full => 503,
            Failure::Silent | Failure::Slow => 504,
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
        let count = |group, metric| self.station.count(group, metric, 1);
        match event {
            Event::Opened => {
                count(None, Metric::NewConnectionCount);
                count(None, Metric::ActiveConnectionCount);
            }
            Event::Closed => self.station.note(Metric::ActiveConnectionCount, -1),
            Event::Chosen(choice) => {
                count(Some(choice.group), Metric::ForwardedRequestCount);
                if choice.fail_open {
                    count(Some(choice.group), Metric::UnhealthyRoutingRequestCount);
                }
            }
            // It was counted when its target was chosen.
            Event::Routed => {}
            Event::ConnectionError(group) => {
                count(Some(group), Metric::TargetConnectionErrorCount);
            }
            Event::Responded(group, after) => {
                let metric = Metric::TargetResponseTime;
                self.station.took(Some(group), metric, after);
            }
            Event::Target(group, status) => {
                if let Some(metric) = of_target(status) {
                    count(Some(group), metric);
                }
            }
            Event::Own(status) => own(status).for_each(|metric| count(None, metric)),
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

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderValue;

    #[test]
    fn addresses_are_counted_over_all_headers_of_that_name() {
        let mut headers = HeaderMap::new();
        assert_eq!(addresses(&headers), 0);
        headers.append(
            FORWARDED_FOR,
            HeaderValue::from_static("192.0.2.1, 192.0.2.2"),
        );
        headers.append(FORWARDED_FOR, HeaderValue::from_static("192.0.2.3,,"));
        assert_eq!(addresses(&headers), 3);
    }

    #[test]
    fn trace_and_too_many_addresses_are_refused() {
        let through = |count: usize| {
            let mut headers = HeaderMap::new();
            let list = vec!["192.0.2.1"; count].join(", ");
            let list = HeaderValue::from_str(&list).expect("visible characters");
            headers.insert(FORWARDED_FOR, list);
            headers
        };
        assert_eq!(refused(&Method::GET, &through(30)), None);
        assert_eq!(refused(&Method::GET, &through(31)), Some(463));
        assert_eq!(refused(&Method::TRACE, &through(0)), Some(405));
        assert_eq!(refused(&Method::OPTIONS, &through(0)), None);
    }
}
