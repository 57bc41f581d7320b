//! What binds a client to a target, and what it speaks HTTP under.

use super::*;
use crate::run::tls::{Versions, server, trusting_client};
use rustls::pki_types::ServerName;
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
