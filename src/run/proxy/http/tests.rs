//! The proxy against small servers on the loopback interface.

mod clients;
mod stand;
mod uploads;

use super::*;
use hyper::Method;
use hyper::header::COOKIE;
use stand::*;
use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

fn status(head: &str) -> &str {
    head.split(' ').nth(1).expect("a status line")
}

async fn status_with(script: Vec<Say>, limits: Limits) -> (String, Stand) {
    let (target, ..) = target(script).await;
    let stand = Stand::with(vec![target], limits).await;
    let head = ask(&mut stand.connect().await, GET).await;
    (status(&head).to_owned(), stand)
}

#[tokio::test]
async fn one_connection_to_the_target_carries_the_requests_of_many_clients() {
    let (target, accepted, asked) = target(Vec::new()).await;
    let stand = Stand::with(vec![target], LIMITS).await;
    let mut clients = Vec::new();
    for _ in 0..10 {
        let mut client = stand.connect().await;
        assert_eq!(status(&ask(&mut client, GET).await), "200");
        clients.push(client);
    }
    assert_eq!(accepted.load(Ordering::Relaxed), 1);
    assert_eq!(asked.lock().expect("no panic").len(), 10);
    assert_eq!(stand.count(|event| *event == Event::Opened), 11);
    let told = |event: &Event| matches!(event, Event::Target(GroupId(0), 200));
    assert_eq!(stand.count(told), 10);
}

#[tokio::test]
async fn a_target_that_closes_after_each_answer_gets_a_connection_for_each_request() {
    let close = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok";
    let (target, accepted, _) = target(vec![Say::Last(close); 3]).await;
    let stand = Stand::with(vec![target], LIMITS).await;
    let mut client = stand.connect().await;
    for _ in 0..3 {
        let head = ask(&mut client, GET).await;
        assert_eq!(status(&head), "200");
        assert!(!head.contains("connection: close"), "{head}");
    }
    assert_eq!(accepted.load(Ordering::Relaxed), 3);
}

#[tokio::test]
async fn the_target_is_told_who_asked_and_nothing_that_ends_at_the_proxy() {
    let (target, _, asked) = target(Vec::new()).await;
    let stand = Stand::with(vec![target], LIMITS).await;
    let text = "GET / HTTP/1.1\r\nHost: shop.example\r\nX-Forwarded-For: 192.0.2.1\r\nConnection: x-hop\r\nX-Hop: 1\r\n\r\n";
    ask(&mut stand.connect().await, text).await;
    let asked = asked.lock().expect("no panic")[0].to_lowercase();
    for line in [
        "host: shop.example",
        "x-forwarded-for: 192.0.2.1, 127.0.0.1",
        "x-forwarded-proto: http",
        "x-forwarded-port: 8080",
    ] {
        assert!(asked.contains(&format!("{line}\r\n")), "{line} in {asked}");
    }
    assert!(!asked.contains("x-hop"), "{asked}");
}

#[tokio::test]
async fn without_a_target_it_is_503_and_no_request_is_counted() {
    let stand = Stand::with(Vec::new(), LIMITS).await;
    let head = ask(&mut stand.connect().await, GET).await;
    assert_eq!(status(&head), "503");
    assert!(head.contains("server: awselb/2.0"), "{head}");
    assert_eq!(stand.count(|event| *event == Event::Own(503)), 1);
    assert_eq!(stand.count(|event| matches!(event, Event::Chosen(_))), 0);
}

#[tokio::test]
async fn its_own_answers_are_written_down_with_who_got_them_and_those_of_targets_are_not() {
    let (target, _, _) = target(vec![Say::Last(
        "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n",
    )])
    .await;
    let stand = Stand::with(vec![target], LIMITS).await;
    assert_eq!(status(&ask(&mut stand.connect().await, GET).await), "503");
    assert_eq!(*stand.own.lock().expect("no panic"), []);
    let stand = Stand::with(Vec::new(), LIMITS).await;
    let mut client = stand.connect().await;
    ask(&mut client, GET).await;
    let client = client.local_addr().expect("it stands").to_string();
    let own = stand.own.lock().expect("no panic").clone();
    let own: Vec<(String, u16)> = own
        .into_iter()
        .map(|(end, n)| (end.to_string(), n))
        .collect();
    assert_eq!(own, [(client, 503)]);
}

#[tokio::test]
async fn what_a_target_breaks_is_502() {
    let refused = {
        let (listener, address) = listen().await;
        drop(listener);
        address
    };
    let stand = Stand::with(vec![refused], LIMITS).await;
    assert_eq!(status(&ask(&mut stand.connect().await, GET).await), "502");
    let error = Event::ConnectionError(GroupId(0));
    assert_eq!(stand.count(|event| *event == error), 1);

    let short = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok";
    for (script, own) in [
        (Say::Reset, 502),
        (Say::Last(""), 502),
        (Say::Last(short), 502),
        (Say::Last("nonsense\r\n\r\n"), 520),
    ] {
        let (status, stand) = status_with(vec![script], LIMITS).await;
        assert_eq!(status, own.to_string());
        assert_eq!(stand.count(|event| *event == Event::Own(own)), 1);
        assert_eq!(stand.count(|event| matches!(event, Event::Target(..))), 0);
    }
}

#[tokio::test]
async fn what_the_surroundings_refuse_no_target_is_asked() {
    let (target, accepted, _) = target(Vec::new()).await;
    let stand = Stand::with(vec![target], LIMITS).await;
    let connect = "CONNECT shop.example:443 HTTP/1.1\r\nHost: shop.example\r\n\r\n";
    let head = ask(&mut stand.connect().await, connect).await;
    assert_eq!(status(&head), "400");
    assert_eq!(accepted.load(Ordering::Relaxed), 0);
    let routed = |event: &Event| matches!(event, Event::Chosen(_) | Event::Routed);
    assert_eq!(stand.count(routed), 0);
}

#[tokio::test]
async fn what_is_no_request_is_400_and_counted_once() {
    let stand = Stand::with(Vec::new(), LIMITS).await;
    let head = ask(&mut stand.connect().await, "non sense\r\n\r\n").await;
    assert_eq!(status(&head), "400");
    stand.wait_for(Event::Own(400)).await;
    stand.wait_for(Event::Closed).await;
    assert_eq!(stand.count(|event| matches!(event, Event::Own(_))), 1);
}

/// A proxy that tries again.
const PATIENT: Limits = Limits {
    retry: Some(Duration::from_millis(50)),
    ..LIMITS
};

#[tokio::test]
async fn who_is_patient_tries_the_next_target() {
    let refused = {
        let (listener, address) = listen().await;
        drop(listener);
        address
    };
    let (target, ..) = target(Vec::new()).await;
    let stand = Stand::with(vec![refused, target], PATIENT).await;
    assert_eq!(status(&ask(&mut stand.connect().await, GET).await), "200");
    let error = Event::ConnectionError(GroupId(0));
    assert_eq!(stand.count(|event| *event == error), 1);
    assert_eq!(stand.count(|event| *event == Event::Routed), 1);
}

#[tokio::test]
async fn who_waits_gets_the_connection_that_another_request_leaves_and_who_may_not_wait_503() {
    let (target, accepted, asked) = target(Vec::new()).await;
    let (gone, told) = (watch::Sender::new(false), Arc::default());
    let fake = Fake {
        targets: vec![target],
        turn: AtomicUsize::new(0),
        told: Arc::clone(&told),
        own: Arc::default(),
        connects: false,
        room: Arc::new(AtomicUsize::new(1)),
        limits: PATIENT,
        forwarded_for: ForwardedFor::default(),
        gone: gone.subscribe(),
        tasks: Arc::default(),
        left: AtomicUsize::new(0),
    };
    let proxy = Arc::new(Proxy::new(fake, 8080, None));
    let waiting = {
        let proxy = Arc::clone(&proxy);
        tokio::spawn(async move { proxy.route(None).await.map(|route| route.upstream.target) })
    };
    let full = async {
        while proxy.surroundings.room.load(Ordering::Relaxed) > 0 {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, full).await.expect("it waits");
    assert_eq!(proxy.route(None).await.map(|_| ()), Err(Failure::Full));

    let choice = Choice {
        group: GroupId(0),
        target: 0,
        address: target,
        fail_open: false,
        cookie: None,
    };
    let used = TcpStream::connect(target).await.expect("it listens");
    let used = proxy.over(choice, used).await.expect("a connection");
    proxy.pool.keep(used);
    let found = timeout(PATIENCE, waiting).await.expect("a connection");
    assert_eq!(found.expect("no panic"), Ok(target));
    assert_eq!(proxy.surroundings.room.load(Ordering::Relaxed), 1);
    assert_eq!(accepted.load(Ordering::Relaxed), 1);
    assert!(asked.lock().expect("no panic").is_empty());
}

#[tokio::test]
async fn who_waited_in_vain_is_told_in_the_end() {
    let limits = Limits {
        connect: Duration::from_millis(300),
        ..PATIENT
    };
    let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 1);
    let stand = Stand::new(vec![address], limits, false).await;
    assert_eq!(status(&ask(&mut stand.connect().await, GET).await), "504");
    assert_eq!(stand.count(|event| *event == Event::Routed), 0);
}

#[tokio::test]
async fn a_connection_that_nobody_uses_ends_with_its_target() {
    let (target, ..) = target(Vec::new()).await;
    let stand = Stand::with(vec![target], LIMITS).await;
    let mut client = stand.connect().await;
    assert_eq!(status(&ask(&mut client, GET).await), "200");
    assert_eq!(stand.count(|event| *event == Event::Closed), 0);
    stand.gone.send_replace(true);
    stand.wait_for(Event::Closed).await;
}

#[tokio::test]
async fn what_takes_too_long_is_504() {
    let limits = Limits {
        idle: Duration::from_millis(200),
        ..LIMITS
    };
    let short = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok";
    for script in [Say::Silence, Say::Text(short)] {
        let (status, stand) = status_with(vec![script], limits).await;
        assert_eq!(status, "504");
        assert_eq!(stand.count(|event| *event == Event::Own(504)), 1);
    }
    let limits = Limits {
        connect: Duration::from_millis(200),
        ..LIMITS
    };
    let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 1);
    let stand = Stand::new(vec![address], limits, false).await;
    assert_eq!(status(&ask(&mut stand.connect().await, GET).await), "504");
}

#[tokio::test]
async fn what_goes_on_is_not_idle_however_long_it_takes() {
    let limits = Limits {
        idle: Duration::from_secs(1),
        ..LIMITS
    };
    let (listener, address) = listen().await;
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        head(&mut stream).await.expect("a request");
        let content = stream.read_exact(&mut [0; 10]).await;
        content.expect("its content");
        stream.write_all(OK.as_bytes()).await.expect("it is open");
    });
    let stand = Stand::with(vec![address], limits).await;
    let mut client = stand.connect().await;
    let post = "POST / HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 10\r\n\r\n";
    client.write_all(post.as_bytes()).await.expect("it is open");
    for _ in 0..10 {
        sleep(Duration::from_millis(200)).await;
        client.write_all(b"x").await.expect("it is open");
    }
    assert_eq!(status(&answer(&mut client).await), "200");
}

#[tokio::test]
async fn a_target_whose_time_is_up_costs_its_request() {
    let (target, _, asked) = target(vec![Say::Silence]).await;
    let stand = Stand::with(vec![target], LIMITS).await;
    let mut client = stand.connect().await;
    client.write_all(GET.as_bytes()).await.expect("it is open");
    arrival(&asked).await;
    stand.gone.send_replace(true);
    assert_eq!(status(&answer(&mut client).await), "502");
}

#[tokio::test]
async fn a_client_that_leaves_before_its_answer_is_460() {
    let (target, _, asked) = target(vec![Say::Silence]).await;
    let stand = Stand::with(vec![target], LIMITS).await;
    let mut client = stand.connect().await;
    client.write_all(GET.as_bytes()).await.expect("it is open");
    arrival(&asked).await;
    drop(client);
    stand.wait_for(Event::Own(460)).await;
}

#[tokio::test]
async fn a_client_that_does_not_finish_is_408_and_one_between_requests_is_closed() {
    let limits = Limits {
        idle: Duration::from_millis(200),
        ..LIMITS
    };
    for unfinished in ["", "GET / HT"] {
        let stand = Stand::with(Vec::new(), limits).await;
        let head = ask(&mut stand.connect().await, unfinished).await;
        assert_eq!(status(&head), "408");
        assert_eq!(stand.count(|event| *event == Event::Own(408)), 1);
    }
    let (target, ..) = target(Vec::new()).await;
    let stand = Stand::with(vec![target], limits).await;
    let mut client = stand.connect().await;
    ask(&mut client, GET).await;
    let began = Instant::now();
    let end = timeout(PATIENCE, client.read_u8()).await.expect("an end");
    assert!(end.is_err(), "{end:?}");
    assert!(began.elapsed() >= Duration::from_millis(150));
    assert_eq!(stand.count(|event| *event == Event::Own(408)), 0);
    // Half of a second request is half a request.
    let mut again = stand.connect().await;
    ask(&mut again, GET).await;
    assert_eq!(status(&ask(&mut again, "GET / HT").await), "408");
    // That to the target has had its time too: all that was opened is closed.
    let closed = async {
        while stand.count(|event| *event == Event::Closed) < 2 {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, closed).await.expect("both are closed");
}

#[tokio::test]
async fn a_clients_connection_that_is_old_enough_ends_with_an_answer() {
    let limits = Limits {
        client_keep_alive: Some(Duration::from_secs(2)),
        ..LIMITS
    };
    let (target, ..) = target(Vec::new()).await;
    let stand = Stand::with(vec![target], limits).await;
    let mut client = stand.connect().await;
    let young = ask(&mut client, GET).await;
    assert!(!young.contains("connection: close"), "{young}");
    // It is not closed before: a request that crosses the end would be lost.
    let nothing = timeout(Duration::from_millis(2200), client.read_u8()).await;
    assert!(nothing.is_err(), "{nothing:?}");
    let old = ask(&mut client, GET).await;
    assert_eq!(status(&old), "200");
    assert!(old.contains("connection: close"), "{old}");
    let end = timeout(PATIENCE, client.read_u8()).await.expect("an end");
    assert!(end.is_err(), "{end:?}");
}

#[tokio::test]
async fn an_answer_says_its_length_once() {
    let both = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";
    let (target, ..) = target(vec![Say::Text(both)]).await;
    let stand = Stand::with(vec![target], LIMITS).await;
    let mut client = stand.connect().await;
    let head = ask(&mut client, GET).await;
    assert!(!head.contains("content-length"), "{head}");
    assert!(head.contains("transfer-encoding: chunked"), "{head}");
    let mut content = [0; 12];
    client.read_exact(&mut content).await.expect("its content");
    assert_eq!(&content, b"2\r\nok\r\n0\r\n\r\n");
}

#[tokio::test]
async fn nobody_switches_to_another_protocol() {
    let switched =
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
    let (status, _) = status_with(vec![Say::Text(switched)], LIMITS).await;
    assert_eq!(status, "520");
}

#[tokio::test]
async fn an_answer_that_is_not_trusted_is_502() {
    let wrong = "HTTP/1.1 200 OK\r\nX-Wrong: 1\r\nContent-Length: 2\r\n\r\nok";
    let (status, stand) = status_with(vec![Say::Text(wrong)], LIMITS).await;
    assert_eq!(status, "520");
    assert_eq!(stand.count(|event| matches!(event, Event::Target(..))), 0);
}

/// A target that answers with more than is passed on as a whole, and stops in the middle.
async fn stopping() -> SocketAddrV4 {
    let (listener, address) = listen().await;
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        head(&mut stream).await.expect("a request");
        let begun = "HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n";
        stream
            .write_all(begun.as_bytes())
            .await
            .expect("it is open");
        stream
            .write_all(&[b'x'; 100_000])
            .await
            .expect("it is open");
        std::future::pending::<()>().await;
    });
    address
}

#[tokio::test]
async fn nothing_is_said_in_the_middle_of_an_answer() {
    let limits = Limits {
        idle: Duration::from_millis(300),
        ..LIMITS
    };
    let stand = Stand::with(vec![stopping().await], limits).await;
    let mut client = stand.connect().await;
    let two = format!("{GET}{GET}");
    client.write_all(two.as_bytes()).await.expect("it is open");
    let mut all = Vec::new();
    let ended = timeout(PATIENCE, client.read_to_end(&mut all)).await;
    ended.expect("an end").ok();
    let text = String::from_utf8(all).expect("it is ASCII");
    let (head, content) = text.split_once("\r\n\r\n").expect("a whole head");
    assert_eq!(status(head), "200");
    assert!(
        content.bytes().all(|byte| byte == b'x'),
        "{}",
        &content[99_000..]
    );
    assert_eq!(stand.count(|event| *event == Event::Own(408)), 0);
}

#[tokio::test]
async fn outstanding_requests_are_counted_until_they_are_answered() {
    let outstanding = Outstanding::default();
    let target = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 80);
    let first = outstanding.begin(target);
    let second = outstanding.begin(target);
    assert_eq!(outstanding.of(target), 2);
    drop(first);
    assert_eq!(outstanding.of(target), 1);
    drop(second);
    assert_eq!(outstanding.of(target), 0);
}
