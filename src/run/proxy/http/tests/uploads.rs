//! Clients that send content, or do not.

use super::*;

const QUICK: Limits = Limits {
    idle: Duration::from_millis(300),
    ..LIMITS
};

/// Half of ten bytes, and of a chunk.
const HALVES: [&str; 2] = [
    "POST / HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 10\r\n\r\nhello",
    "POST / HTTP/1.1\r\nHost: shop.example\r\nTransfer-Encoding: chunked\r\n\r\na\r\nhello",
];

#[tokio::test]
async fn a_client_that_stops_in_the_middle_of_its_content_is_408_and_its_target_is_not_to_blame() {
    for half in HALVES {
        let (target, accepted, _) = target(vec![Say::Silence]).await;
        let stand = Stand::with(vec![target], QUICK).await;
        let mut client = stand.connect().await;
        let began = Instant::now();
        let head = ask(&mut client, half).await;
        assert_eq!(status(&head), "408");
        assert!(began.elapsed() >= QUICK.idle, "{:?}", began.elapsed());
        // The target was asked: that is counted as any request is.
        assert_eq!(accepted.load(Ordering::Relaxed), 1);
        assert_eq!(stand.count(|event| *event == Event::Routed), 1);
        let own = |event: &Event| matches!(event, Event::Own(_));
        assert_eq!(stand.count(own), 1);
        assert_eq!(stand.count(|event| *event == Event::Own(408)), 1);
        // Nothing more is taken from the client, and its target gets no more of the request.
        assert!(head.contains("connection: close"), "{head}");
        let end = timeout(PATIENCE, client.read_u8()).await.expect("an end");
        assert!(end.is_err(), "{end:?}");
        let closed = async {
            while stand.count(|event| *event == Event::Closed) < 2 {
                tokio::task::yield_now().await;
            }
        };
        timeout(PATIENCE, closed).await.expect("both are closed");
    }
}

#[tokio::test]
async fn a_target_that_does_not_read_what_its_client_sends_is_504() {
    // It reads the head, and its kernel as much as fits.
    let (target, ..) = target(vec![Say::Silence]).await;
    let stand = Stand::with(vec![target], QUICK).await;
    let (mut from, mut to) = stand.connect().await.into_split();
    let sends = tokio::spawn(async move {
        let post = "POST / HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 100000000\r\n\r\n";
        to.write_all(post.as_bytes()).await.expect("it is open");
        while to.write_all(&[b'x'; 16 * 1024]).await.is_ok() {}
    });
    let answer = timeout(PATIENCE, head(&mut from)).await;
    let answer = answer.expect("an answer").expect("a whole head");
    assert_eq!(status(&answer), "504");
    assert_eq!(stand.count(|event| *event == Event::Own(408)), 0);
    sends.abort();
}

#[tokio::test]
async fn a_target_that_has_it_all_and_is_silent_is_504() {
    let (target, ..) = target(vec![Say::Silence]).await;
    let stand = Stand::with(vec![target], QUICK).await;
    let whole = format!("{}world", HALVES[0]);
    let head = ask(&mut stand.connect().await, &whole).await;
    assert_eq!(status(&head), "504");
}

#[tokio::test]
async fn a_client_that_leaves_in_the_middle_of_its_content_has_not_asked() {
    for half in HALVES {
        let (target, _, asked) = target(vec![Say::Silence]).await;
        let stand = Stand::with(vec![target], LIMITS).await;
        let mut client = stand.connect().await;
        client.write_all(half.as_bytes()).await.expect("it is open");
        arrival(&asked).await;
        drop(client);
        stand.wait_for(Event::Own(418)).await;
        let own = |event: &Event| matches!(event, Event::Own(_));
        assert_eq!(stand.count(own), 1);
    }
}

#[tokio::test]
async fn a_client_that_only_sends_no_more_is_told() {
    for half in HALVES {
        let (target, ..) = target(vec![Say::Silence]).await;
        let stand = Stand::with(vec![target], LIMITS).await;
        let mut client = stand.connect().await;
        client.write_all(half.as_bytes()).await.expect("it is open");
        client.shutdown().await.expect("it is open");
        assert_eq!(status(&answer(&mut client).await), "418");
    }
}

/// A target that says this when it has the head, and closes for sending. It reads no content.
async fn hasty(says: &'static str) -> SocketAddrV4 {
    let (listener, address) = listen().await;
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                head(&mut stream).await.expect("a request");
                stream.write_all(says.as_bytes()).await.expect("it is open");
                stream.shutdown().await.expect("it is open");
                stream.read_to_end(&mut Vec::new()).await.ok();
            });
        }
    });
    address
}

/// Sends much more than is read, and gives the answer, which is read when all is sent.
async fn upload(stand: &Stand) -> String {
    let mut client = stand.connect().await;
    let size = 20_000_000;
    let post = format!("POST / HTTP/1.1\r\nHost: shop.example\r\nContent-Length: {size}\r\n\r\n");
    client.write_all(post.as_bytes()).await.expect("it is open");
    for _ in 0..size / 100_000 {
        // A reset would end it here.
        client
            .write_all(&[b'x'; 100_000])
            .await
            .expect("it is open");
    }
    answer(&mut client).await
}

#[tokio::test]
async fn an_answer_that_comes_before_the_content_is_read_is_not_taken_back() {
    let full = "HTTP/1.1 413 No\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno";
    let stand = Stand::with(vec![hasty(full).await], LIMITS).await;
    let head = timeout(PATIENCE, upload(&stand)).await.expect("an answer");
    assert_eq!(status(&head), "413");
    // Nor is one of its own.
    let stand = Stand::with(Vec::new(), LIMITS).await;
    let head = timeout(PATIENCE, upload(&stand)).await.expect("an answer");
    assert_eq!(status(&head), "503");
}

#[tokio::test]
async fn content_of_a_get_goes_on_however_long_it_will_be() {
    let (listener, address) = listen().await;
    let target = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let head = head(&mut stream).await.expect("a request").to_lowercase();
        let mut content = [0; 15];
        stream.read_exact(&mut content).await.expect("its content");
        stream.write_all(OK.as_bytes()).await.expect("it is open");
        (head, content)
    });
    let stand = Stand::with(vec![address], LIMITS).await;
    let text = "GET /_search HTTP/1.1\r\nHost: shop.example\r\nTransfer-Encoding: chunked\r\n\r\n\
                5\r\nhello\r\n0\r\n\r\n";
    assert_eq!(status(&ask(&mut stand.connect().await, text).await), "200");
    let (head, content) = target.await.expect("no panic");
    assert!(head.contains("transfer-encoding: chunked\r\n"), "{head}");
    assert_eq!(&content, b"5\r\nhello\r\n0\r\n\r\n");
}

#[tokio::test]
async fn content_that_is_none_is_400() {
    let (target, ..) = target(vec![Say::Silence]).await;
    let stand = Stand::with(vec![target], LIMITS).await;
    let chunked =
        "POST / HTTP/1.1\r\nHost: shop.example\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n";
    let head = ask(&mut stand.connect().await, chunked).await;
    assert_eq!(status(&head), "400");
    let own = |event: &Event| matches!(event, Event::Own(_));
    assert_eq!(stand.count(own), 1);
    assert_eq!(stand.count(|event| *event == Event::Own(400)), 1);
}
