//! A line to a server on the loopback interface that says what a test wants, and when.

use super::*;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;

const LIMIT: Duration = Duration::from_secs(5);
const SHORT: Duration = Duration::from_millis(50);

fn over(socket: OwnedFd) -> Line {
    let line = Line::new(Slot::new(None));
    let wire = Wire::new(socket).expect("a socket");
    line.slot.put(Arc::new(wire));
    line
}

/// A line, and its other end.
fn stream() -> (Line, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it has one");
    let client = TcpStream::connect(address).expect("it listens");
    client.set_nonblocking(true).expect("a socket");
    let (server, _) = listener.accept().expect("it waits");
    server.set_read_timeout(Some(LIMIT)).expect("a socket");
    (over(client.into()), server)
}

fn datagrams() -> (Line, UdpSocket) {
    let [client, server] = [(), ()].map(|()| UdpSocket::bind("127.0.0.1:0").expect("a free port"));
    client.set_nonblocking(true).expect("a socket");
    let to = |other: &UdpSocket| other.local_addr().expect("it has one");
    client.connect(to(&server)).expect("an address");
    server.connect(to(&client)).expect("an address");
    server.set_read_timeout(Some(LIMIT)).expect("a socket");
    (over(client.into()), server)
}

fn heard(mut server: &TcpStream, bytes: usize) -> Vec<u8> {
    let mut heard = vec![0; bytes];
    server.read_exact(&mut heard).expect("they were sent");
    heard
}

/// What a server thread does while the line exchanges.
async fn meanwhile<T: Send + 'static>(
    line: &Line,
    bytes: u32,
    limit: Duration,
    does: impl FnOnce() -> T + Send + 'static,
) -> (Moved, T) {
    let server = tokio::task::spawn_blocking(does);
    let moved = line.exchange(bytes, 1, limit).await;
    (moved, server.await.expect("no panic"))
}

fn text(moved: &Moved) -> &str {
    std::str::from_utf8(&moved.text).expect("letters")
}

#[tokio::test]
async fn an_echo_that_comes_late_is_no_answer_to_what_is_sent_next() {
    let (line, server) = stream();
    let given_up = line.exchange(10, 1, SHORT).await;
    assert_eq!((given_up.fault, given_up.sent), (Fault::DEADLINE, 10));
    // The server echoes the first when the second is under way, and the second never.
    let copy = server.try_clone().expect("a descriptor");
    let (moved, ()) = meanwhile(&line, 10, SHORT * 4, move || {
        let first = heard(&copy, 20);
        (&copy).write_all(&first[..10]).expect("it is open");
    })
    .await;
    assert_eq!(
        (moved.fault, moved.received),
        (Fault::DEADLINE, 0),
        "{moved:?}"
    );
    // Both come together with the third.
    let (moved, sent) = meanwhile(&line, 10, LIMIT, move || {
        let third = heard(&server, 10);
        let all = [b"bcdefghijk".as_slice(), &third].concat();
        (&server).write_all(&all).expect("it is open");
        third
    })
    .await;
    assert_eq!((moved.fault, moved.received), (Fault::default(), 10));
    assert_eq!(moved.text, sent);
    // All of it was read.
    assert_eq!(line.examine().received, 30);
}

#[tokio::test]
async fn what_was_sent_without_waiting_is_answered_first() {
    let (line, server) = stream();
    let sent = line.send(10, 1, LIMIT).await;
    assert_eq!(sent.sent, 10);
    let (moved, ()) = meanwhile(&line, 4, LIMIT, move || {
        let all = heard(&server, 14);
        (&server).write_all(&all).expect("it is open");
    })
    .await;
    assert_eq!((moved.fault, text(&moved)), (Fault::default(), "bcde"));
}

#[tokio::test]
async fn who_answers_something_else_is_heard_however_much_was_left_unanswered() {
    let (line, server) = stream();
    for _ in 0..3 {
        assert_eq!(line.exchange(4, 1, SHORT).await.fault, Fault::DEADLINE);
    }
    let (moved, ()) = meanwhile(&line, 4, LIMIT, move || {
        heard(&server, 16);
        (&server).write_all(b"api\n").expect("it is open");
    })
    .await;
    assert_eq!((moved.fault, text(&moved)), (Fault::default(), "api\n"));
}

#[tokio::test]
async fn a_late_datagram_is_no_answer_either() {
    let (line, server) = datagrams();
    assert_eq!(line.exchange(10, 1, SHORT).await.fault, Fault::DEADLINE);
    let (moved, server) = meanwhile(&line, 10, SHORT * 4, move || {
        let mut first = [0; 10];
        server.recv(&mut first).expect("it was sent");
        server.recv(&mut [0; 10]).expect("it was sent");
        server.send(&first).expect("it is open");
        server
    })
    .await;
    assert_eq!(
        (moved.fault, moved.received),
        (Fault::DEADLINE, 0),
        "{moved:?}"
    );
    let (moved, ()) = meanwhile(&line, 10, LIMIT, move || {
        let mut third = [0; 10];
        server.recv(&mut third).expect("it was sent");
        server.send(b"abcdefghij").expect("it is open");
        server.send(&third).expect("it is open");
    })
    .await;
    assert_eq!(
        (moved.fault, text(&moved)),
        (Fault::default(), "cdefghijkl")
    );
}

#[tokio::test]
async fn what_goes_on_writes_the_alphabet_on() {
    let (line, server) = stream();
    let (moved, sent) = meanwhile(&line, 60, LIMIT, move || {
        let all = heard(&server, 60);
        (&server).write_all(&all).expect("it is open");
        all
    })
    .await;
    assert_eq!(moved.text, sent);
    let letters: Vec<u8> = (0..60).map(|at| letter(0, at)).collect();
    assert_eq!(sent, letters);
}

#[tokio::test]
async fn a_connection_is_closed_whoever_has_a_copy_of_its_descriptor() {
    let (line, mut server) = stream();
    let copied = {
        let wire = line.slot.get().expect("it stands");
        wire.as_fd().try_clone_to_owned().expect("a descriptor")
    };
    assert_eq!(line.end(Ending::Close), Fault::default());
    assert_eq!(server.read(&mut [0]).expect("a FIN, and no RST"), 0);
    // Nobody reads there any more, and whoever writes is told.
    let told = loop {
        if let Err(error) = server.write(b"x") {
            break error.kind();
        }
    };
    assert!(
        matches!(told, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe),
        "{told}"
    );
    drop(copied);
}

#[tokio::test]
async fn what_is_unread_makes_a_close_reset() {
    let (line, mut server) = stream();
    server.write_all(b"hello").expect("it is open");
    let wire = line.slot.get().expect("it stands");
    wire.readable().await.expect("it comes");
    drop(wire);
    assert_eq!(line.end(Ending::Close), Fault::default());
    let reset = server.read(&mut [0]).expect_err("a RST");
    assert_eq!(reset.kind(), ErrorKind::ConnectionReset);
}
