//! What binds a client to a target, and what it speaks HTTP under.

use super::*;
use crate::run::tls::{Versions, server, trusting_client};
use rustls::pki_types::ServerName;
use tokio::io::{BufWriter, duplex};
use tokio_rustls::{TlsAcceptor, TlsConnector};

fn given(head: &str) -> Option<&str> {
    let mut lines = head.lines();
    lines.find_map(|line| line.strip_prefix("set-cookie: "))
}

fn with_cookie(value: &str) -> String {
    format!("GET / HTTP/1.1\r\nHost: shop.example\r\nCookie: {value}\r\n\r\n")
}

#[tokio::test]
async fn who_is_bound_goes_to_the_same_target_and_is_given_nothing_more() {
    let (one, _, of_one) = target(Vec::new()).await;
    let (other, _, of_other) = target(Vec::new()).await;
    let stand = Stand::with(vec![one, other], LIMITS).await;
    let mut client = stand.connect().await;
    let head = ask(&mut client, GET).await;
    let cookie = given(&head).expect("it is bound").to_owned();
    assert_eq!(cookie, one.port().to_string());
    for _ in 0..4 {
        let head = ask(&mut client, &with_cookie(&cookie)).await;
        assert_eq!(given(&head), None, "{head}");
    }
    let asked = |of: &Mutex<Vec<String>>| of.lock().expect("no panic").len();
    assert_eq!((asked(&of_one), asked(&of_other)), (5, 0));
}

#[tokio::test]
async fn who_is_bound_to_a_target_that_is_not_there_is_bound_anew() {
    let (target, _, asked) = target(Vec::new()).await;
    let stand = Stand::with(vec![target], LIMITS).await;
    let head = ask(&mut stand.connect().await, &with_cookie("1")).await;
    assert_eq!(status(&head), "200");
    assert_eq!(given(&head), Some(target.port().to_string().as_str()));
    assert_eq!(asked.lock().expect("no panic").len(), 1);
}

#[tokio::test]
async fn what_the_proxy_answers_itself_binds_nobody() {
    let stand = Stand::with(Vec::new(), LIMITS).await;
    let head = ask(&mut stand.connect().await, GET).await;
    assert_eq!((status(&head), given(&head)), ("503", None));
}

/// The request as the target of a proxy that handles X-Forwarded-For like this gets it, from a client that has come through
/// another proxy.
async fn told(forwarded_for: ForwardedFor) -> (String, String) {
    let (target, _, asked) = target(Vec::new()).await;
    let stand = (vec![target], LIMITS, true);
    let stand = Stand::telling(stand, None, forwarded_for).await;
    let mut client = stand.connect().await;
    let own = client.local_addr().expect("it stands").to_string();
    let text = "GET / HTTP/1.1\r\nHost: shop.example\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n";
    ask(&mut client, text).await;
    let asked = asked.lock().expect("no panic")[0].clone();
    (asked, own)
}

#[tokio::test]
async fn what_becomes_of_whom_a_request_came_through_is_a_setting() {
    let line = |list: &str| format!("X-Forwarded-For: {list}\r\n");
    let (asked, _) = told(ForwardedFor::Append).await;
    assert!(asked.contains(&line("192.0.2.1, 127.0.0.1")), "{asked}");
    let (asked, own) = told(ForwardedFor::AppendWithPort).await;
    assert!(
        asked.contains(&line(&format!("192.0.2.1, {own}"))),
        "{asked}"
    );
    let (asked, _) = told(ForwardedFor::Preserve).await;
    assert!(asked.contains(&line("192.0.2.1")), "{asked}");
    let (asked, _) = told(ForwardedFor::Remove).await;
    assert!(!asked.contains("X-Forwarded-For"), "{asked}");
    assert!(asked.contains("X-Forwarded-Proto: http\r\n"), "{asked}");
}

#[tokio::test]
async fn names_of_headers_go_on_as_they_came() {
    let answer = "HTTP/1.1 200 OK\r\nETAG: 1\r\nx-lower: 1\r\nContent-Length: 2\r\n\r\nok";
    let (target, _, asked) = target(vec![Say::Text(answer)]).await;
    let stand = Stand::with(vec![target], LIMITS).await;
    let mut client = stand.connect().await;
    let text = "GET / HTTP/1.1\r\nHost: shop.example\r\nx-odd-Case: 1\r\nSOAPAction: x\r\n\r\n";
    client.write_all(text.as_bytes()).await.expect("it is open");
    let head = head(&mut client).await.expect("an answer");
    for name in ["ETAG: 1\r\n", "x-lower: 1\r\n"] {
        assert!(head.contains(name), "{head}");
    }
    let asked = asked.lock().expect("no panic")[0].clone();
    for name in ["Host: ", "x-odd-Case: 1\r\n", "SOAPAction: x\r\n"] {
        assert!(asked.contains(name), "{asked}");
    }
}

#[tokio::test]
async fn a_target_that_is_a_whole_uri_has_the_host_in_it() {
    let (target, _, asked) = target(Vec::new()).await;
    let stand = Stand::with(vec![target], LIMITS).await;
    let text = "GET http://user@shop.example:8080/page?x HTTP/1.1\r\nHost: other.example\r\n\r\n";
    ask(&mut stand.connect().await, text).await;
    let asked = asked.lock().expect("no panic")[0].clone();
    assert!(asked.starts_with("GET /page?x HTTP/1.1\r\n"), "{asked}");
    assert!(asked.contains("Host: shop.example:8080\r\n"), "{asked}");
    assert!(!asked.contains("other.example"), "{asked}");
}

#[tokio::test]
async fn what_is_no_request_is_answered_in_the_proxys_own_words_after_what_was_asked_before() {
    let (target, ..) = target(Vec::new()).await;
    let stand = Stand::with(vec![target], LIMITS).await;
    for (nonsense, own) in [
        ("non sense\r\n\r\n".to_owned(), "400"),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(), "505"),
        (
            format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(1_000_000)),
            "400",
        ),
    ] {
        let mut client = stand.connect().await;
        assert_eq!(status(&ask(&mut client, GET).await), "200");
        let head = ask(&mut client, &nonsense).await;
        assert_eq!(status(&head), own);
        assert!(head.contains("server: awselb/2.0"), "{head}");
        assert!(head.contains("connection: close"), "{head}");
        let end = timeout(PATIENCE, client.read_u8()).await.expect("an end");
        assert!(end.is_err(), "{end:?}");
    }
    let own = |event: &Event| matches!(event, Event::Own(_));
    assert_eq!(stand.count(own), 3);
}

#[tokio::test]
async fn a_request_without_its_one_host_is_400_and_the_end() {
    let (target, accepted, _) = target(Vec::new()).await;
    let stand = Stand::with(vec![target], LIMITS).await;
    for hosts in ["", "Host: a\r\nHost: a\r\n", "Host: a b\r\n"] {
        let mut client = stand.connect().await;
        let head = ask(&mut client, &format!("GET / HTTP/1.1\r\n{hosts}\r\n")).await;
        assert_eq!(status(&head), "400", "{hosts}");
        assert!(head.contains("server: awselb/2.0"), "{head}");
        assert!(head.contains("connection: close"), "{head}");
    }
    assert_eq!(accepted.load(Ordering::Relaxed), 0);
    let old = ask(&mut stand.connect().await, "GET / HTTP/1.0\r\n\r\n").await;
    assert_eq!(status(&old), "200");
}

fn acceptor() -> TlsAcceptor {
    let config = server(vec!["shop.example".into()], Versions::Both);
    TlsAcceptor::from(config.expect("a certificate"))
}

#[tokio::test]
async fn tls_ends_at_the_proxy_and_the_target_is_told_of_it() {
    let (target, _, asked) = target(Vec::new()).await;
    let stand = Stand::under(vec![target], LIMITS, true, Some(acceptor())).await;
    let connector = TlsConnector::from(trusting_client(Versions::Both));
    let name = ServerName::try_from("shop.example").expect("a name");
    let secured = connector.connect(name, stand.connect().await).await;
    let mut client = secured.expect("a handshake");
    assert_eq!(status(&ask(&mut client, GET).await), "200");
    let asked = asked.lock().expect("no panic")[0].to_lowercase();
    assert!(asked.starts_with("get /page "), "{asked}");
    assert!(asked.contains("x-forwarded-proto: https\r\n"), "{asked}");
}

#[tokio::test]
async fn who_speaks_no_tls_is_closed_and_one_who_says_nothing_as_well_in_time() {
    let limits = Limits {
        idle: Duration::from_millis(100),
        ..LIMITS
    };
    let stand = Stand::under(Vec::new(), limits, true, Some(acceptor())).await;
    for said in [GET, ""] {
        let mut client = stand.connect().await;
        client.write_all(said.as_bytes()).await.expect("it is open");
        let mut answer = Vec::new();
        let ended = timeout(PATIENCE, client.read_to_end(&mut answer)).await;
        ended.expect("an end").ok();
        assert!(!answer.starts_with(b"HTTP"), "{said}: {answer:?}");
    }
    let closed = async {
        while stand.count(|event| *event == Event::Closed) < 2 {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, closed).await.expect("both are counted");
    assert_eq!(stand.count(|event| matches!(event, Event::Own(_))), 0);
}

const QUICK: Limits = Limits {
    idle: Duration::from_millis(300),
    ..LIMITS
};

#[tokio::test]
async fn who_does_not_take_last_words_is_not_waited_for() {
    let stand = Stand::with(Vec::new(), QUICK).await;
    let (mut client, near) = duplex(64);
    stand.carry(near);
    let nonsense = client.write_all(b"non sense\r\n\r\n").await;
    nonsense.expect("it is open");
    stand.wait_for(Event::Closed).await;
    assert_eq!(stand.count(|event| *event == Event::Own(400)), 1);
}

/// TLS takes an answer as a whole, and may not get rid of it.
#[tokio::test]
async fn who_does_not_take_an_answer_is_in_the_middle_of_it() {
    let (target, ..) = target(Vec::new()).await;
    let stand = Stand::with(vec![target], QUICK).await;
    let (mut client, near) = duplex(64);
    stand.carry(BufWriter::new(near));
    let one_and_a_half = client.write_all(format!("{GET}GET / HT").as_bytes()).await;
    one_and_a_half.expect("it is open");
    // Its connection, and that to the target.
    let closed = async {
        while stand.count(|event| *event == Event::Closed) < 2 {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, closed).await.expect("both are closed");
    assert_eq!(stand.count(|event| *event == Event::Own(408)), 0);
}

#[tokio::test]
async fn who_is_heard_out_asks_for_nothing_any_more() {
    let half = "POST / HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 10\r\n\r\nhello";
    for (said, answer) in [(half, "503"), ("NONSENSE\r\n\r\n", "400")] {
        let stand = Stand::with(Vec::new(), LIMITS).await;
        let mut client = stand.connect().await;
        assert_eq!(status(&ask(&mut client, said).await), answer);
        let left = async {
            while stand.proxy.surroundings.left.load(Ordering::Relaxed) == 0 {
                tokio::task::yield_now().await;
            }
        };
        timeout(PATIENCE, left).await.expect("it is over");
        assert_eq!(stand.count(|event| *event == Event::Closed), 0, "{said}");
        drop(client);
        stand.wait_for(Event::Closed).await;
    }
}
