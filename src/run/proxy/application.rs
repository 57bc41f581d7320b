//! Application Load Balancers: proxies of HTTP whose targets are groups of the fabric.
//!
//! Observed on: AWS Application Load Balancer ("Troubleshoot your Application Load Balancers"; quotas: "HTTP headers"; "HTTP headers
//! and Application Load Balancers"). A request fails with the first attempt to connect. Not here: HTTP (see `http`).

use super::http::{
    Choice, Event, FORWARDED_FOR, Failure, Limits, Outstanding, Pairs, Proxy, Sizes, Surroundings,
    in_answer, in_request, least_outstanding,
};
use super::journal::Bytes;
use super::{Settings, Station, cookie};
use crate::fabric::Config;
use crate::fabric::config::{Algorithm, Application, BalancerId, ForwardedFor, Kind};
use crate::fabric::metric::Metric;
use crate::fabric::targets::Standing;
use crate::run::tasks::Tasks;
use hyper::Method;
use hyper::header::{HeaderMap, HeaderValue, TRANSFER_ENCODING};
use hyper::http::request::Parts;
use hyper::http::response;
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
    let tasks = Arc::clone(&proxy.surroundings.station.tasks);
    tasks.spawn(async move {
        let live = &proxy.surroundings;
        tokio::select! {
            () = Arc::clone(&proxy).take(listener) => {}
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

/// A request that came with more addresses in X-Forwarded-For is refused.
const MOST_ADDRESSES: usize = 30;

/// AWS: they cannot be changed.
const SIZES: Sizes = Sizes {
    line: 16 * 1024,
    header: 16 * 1024,
    request: 64 * 1024,
    answer: 32 * 1024,
};

/// How many addresses X-Forwarded-For has.
fn addresses(headers: &HeaderMap) -> usize {
    let lists = headers.get_all(&FORWARDED_FOR).iter();
    let lists = lists.filter_map(|list| list.to_str().ok());
    let all = lists.flat_map(|list| list.split(','));
    all.filter(|one| !one.trim().is_empty()).count()
}

/// True of a transfer coding besides those that AWS takes, `chunked` and `identity` ("HTTP 501"). Where `chunked` is not the last of them
/// nobody knows how long the content is (RFC 9112 section 6.3), and the library that reads requests takes none: a lone `gzip`, and
/// other than on AWS a lone `identity`, is 400 and never comes here.
fn is_coded(headers: &HeaderMap) -> bool {
    let lists = headers.get_all(TRANSFER_ENCODING).iter();
    let mut codings = lists.flat_map(|list| list.as_bytes().split(|byte| *byte == b','));
    codings.any(|coding| {
        let is = |known: &[u8]| coding.trim_ascii().eq_ignore_ascii_case(known);
        !is(b"chunked") && !is(b"identity")
    })
}

/// Why a request is refused ("HTTP 400", "HTTP 405", "HTTP 414", "HTTP 463", "HTTP 501").
fn refused(request: &Parts) -> Option<Failure> {
    match request.method {
        Method::CONNECT => Some(Failure::Malformed),
        Method::TRACE => Some(Failure::NotTaken(405)),
        _ if addresses(&request.headers) > MOST_ADDRESSES => Some(Failure::NotTaken(463)),
        _ if is_coded(&request.headers) => Some(Failure::NotTaken(501)),
        _ => in_request(request, SIZES),
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

    fn bound(&self, headers: &HeaderMap) -> Option<SocketAddrV4> {
        cookie::target(cookie::APPLICATION, headers)
    }

    /// Each answer gives it anew, so that each request puts the end off.
    fn binds(&self, choice: Choice, _: Option<SocketAddrV4>) -> Option<HeaderValue> {
        let given = |age| cookie::of(cookie::APPLICATION, choice.address, Some(age));
        choice.cookie.map(given)
    }

    async fn choose(
        &self,
        outstanding: &Outstanding,
        bound: Option<SocketAddrV4>,
        _tried: &[usize],
    ) -> Option<Choice> {
        let place = self.station.place;
        let driver = self.station.world.driver();
        let (group, candidates, algorithm, cookie, bound) = driver
            .ask(move |fabric, _| {
                let group = fabric.next_group(place)?;
                let settings = &fabric.config().groups[usize::from(group.0)].attributes;
                let (algorithm, cookie) = (settings.algorithm, settings.cookie);
                let bound = cookie.and(bound);
                let candidates = fabric.candidates(place, group, bound);
                Some((group, candidates, algorithm, cookie, bound))
            })
            .await?;
        let wanted = candidates.iter().find(|one| Some(one.address) == bound);
        let chosen = match (wanted, algorithm) {
            (Some(wanted), _) => Some(*wanted),
            (None, Algorithm::RoundRobin) => candidates.first().copied(),
            (None, Algorithm::LeastOutstandingRequests) => {
                least_outstanding(candidates.into_iter(), outstanding)
            }
        };
        chosen.map(|assigned| Choice {
            cookie,
            ..Choice::of(group, assigned)
        })
    }

    fn wait(&self) -> Option<Infallible> {
        None
    }

    async fn connect(&self, target: SocketAddrV4) -> io::Result<TcpStream> {
        self.station.connect(target).await
    }

    fn tasks(&self) -> &Arc<Tasks> {
        &self.station.tasks
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

    fn refuses(&self, request: &Parts) -> Option<Failure> {
        refused(request)
    }

    fn mistrusts(&self, answer: &response::Parts) -> Option<Failure> {
        in_answer(answer, SIZES)
    }

    fn forwarded_for(&self) -> ForwardedFor {
        self.settings.get().forwarded_for
    }

    fn status(&self, failure: Failure) -> u16 {
        match failure {
            Failure::Malformed | Failure::CutShort => 400,
            Failure::NotTaken(status) => status,
            Failure::Newer => 505,
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
    use hyper::Request;
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
        let of = |method: Method, count: usize| {
            let list = vec!["192.0.2.1"; count].join(", ");
            let request = Request::builder()
                .method(method)
                .header(FORWARDED_FOR, list);
            refused(&request.body(()).expect("a request").into_parts().0)
        };
        assert_eq!(of(Method::GET, 30), None);
        assert_eq!(of(Method::GET, 31), Some(Failure::NotTaken(463)));
        assert_eq!(of(Method::TRACE, 0), Some(Failure::NotTaken(405)));
        assert_eq!(of(Method::CONNECT, 0), Some(Failure::Malformed));
        assert_eq!(of(Method::OPTIONS, 0), None);
    }

    #[test]
    fn a_transfer_coding_that_is_not_known_is_not_taken() {
        let of = |coding: &str| {
            let request = Request::post("/").header(TRANSFER_ENCODING, coding);
            refused(&request.body(()).expect("a request").into_parts().0)
        };
        for known in ["chunked", "Chunked", "chunked ", "Identity , chunked"] {
            assert_eq!(of(known), None, "{known}");
        }
        for unknown in ["gzip, chunked", "gzip,chunked", "identity, gzip, chunked"] {
            assert_eq!(of(unknown), Some(Failure::NotTaken(501)), "{unknown}");
        }
    }
}
