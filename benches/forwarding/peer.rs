//! The traffic that every path carries: one server and one client, the same in all of them.
//!
//! Bulk, latency and four connections at a time come from threads that block, as in simple programs; sixty-four at a time
//! come from one thread that waits for all of them, as in proxies and load generators.

use nix::sys::socket::sockopt::TcpCongestion;
use nix::sys::socket::{getsockopt, setsockopt};
use std::ffi::OsString;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// What a connection is for, told by its first byte.
const SINK: u8 = b's';
const ECHO: u8 = b'e';
const BRIEF: u8 = b'b';
/// Bytes a write or read.
const CHUNK: usize = 256 * 1024;
/// Threads that open and close connections, and that answer them.
const HANDS: usize = 4;
/// Connections that the event-driven client has under way.
const MANY: usize = 64;

/// What one round on one path gave.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct Figures {
    /// Goodput with one stream, Gbit/s.
    pub one_stream: f64,
    /// Goodput with four streams together, Gbit/s.
    pub four_streams: f64,
    /// Connections opened, used for a byte each way and closed, per second: by four threads that block.
    pub by_threads: f64,
    /// The same, by one thread with 64 under way, to a server of the same kind.
    pub by_events: f64,
    /// Median time of a byte there and a byte back, microseconds.
    pub latency: f64,
    /// The congestion control that the client's streams had.
    pub congestion: String,
}

/// Serves `port` by threads, until the process is ended.
pub fn serve(port: u16) {
    let listener = TcpListener::bind(("0.0.0.0", port)).expect("a free port");
    std::thread::scope(|scope| {
        for _ in 0..HANDS {
            scope.spawn(|| {
                loop {
                    let (stream, _) = listener.accept().expect("a connection");
                    answer(stream);
                }
            });
        }
    });
}

fn answer(mut stream: TcpStream) {
    let mut kind = [0];
    if stream.read_exact(&mut kind).is_err() {
        return;
    }
    match kind[0] {
        BRIEF => {
            // The client may have gone already.
            let _ = stream.write_all(&kind);
        }
        ECHO => {
            std::thread::spawn(move || echo(stream));
        }
        _ => {
            std::thread::spawn(move || swallow(stream));
        }
    }
}

/// Serves `port` by events, until the process is ended.
pub fn serve_by_events(port: u16) {
    runtime().block_on(answer_all(port));
}

async fn answer_all(port: u16) {
    let listener = tokio::net::TcpListener::bind(("0.0.0.0", port))
        .await
        .expect("a free port");
    loop {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        tokio::spawn(async move {
            let mut byte = [0];
            // Until the client resets it.
            while stream.read_exact(&mut byte).await.is_ok()
                && stream.write_all(&byte).await.is_ok()
            {}
        });
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}

fn echo(mut stream: TcpStream) {
    stream.set_nodelay(true).expect("a socket");
    let mut byte = [0];
    while stream.read_exact(&mut byte).is_ok() && stream.write_all(&byte).is_ok() {}
}

/// Reads to the end, then tells how many bytes there were.
fn swallow(mut stream: TcpStream) {
    let mut buffer = vec![0; CHUNK];
    let mut sum = 0u64;
    loop {
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => break,
            Ok(length) => sum += length as u64,
        }
    }
    let _ = stream.write_all(&sum.to_be_bytes());
}

/// Measures a path whose near end is `to` (`name:port`), `time` for each figure. `congestion`: what streams shall have.
pub fn measure(to: &str, time: Duration, congestion: Option<&str>) -> Figures {
    let address = reachable(to);
    let (one_stream, name) = goodput(address, 1, time, congestion);
    Figures {
        one_stream,
        congestion: name,
        four_streams: goodput(address, 4, time, congestion).0,
        by_threads: by_threads(address, time),
        by_events: runtime().block_on(by_events(address, time)),
        latency: latency(address, time),
    }
}

/// Where it is, as soon as somebody answers there.
fn reachable(to: &str) -> SocketAddr {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let address = to.to_socket_addrs().ok().and_then(|mut all| all.next());
        let answered = address.filter(|address| {
            let wait = Duration::from_secs(1);
            TcpStream::connect_timeout(address, wait)
                .and_then(|mut stream| {
                    stream.set_read_timeout(Some(wait))?;
                    stream.write_all(&[BRIEF])?;
                    stream.read_exact(&mut [0])
                })
                .is_ok()
        });
        if let Some(address) = answered {
            return address;
        }
        assert!(Instant::now() < deadline, "nobody answers at {to}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Gbit/s, and the congestion control that there was.
fn goodput(
    to: SocketAddr,
    streams: usize,
    time: Duration,
    congestion: Option<&str>,
) -> (f64, String) {
    let began = Instant::now();
    let (sums, names): (Vec<u64>, Vec<String>) = std::thread::scope(|scope| {
        let all: Vec<_> = (0..streams)
            .map(|_| scope.spawn(|| push(to, time, congestion)))
            .collect();
        all.into_iter()
            .map(|one| one.join().expect("a stream"))
            .unzip()
    });
    let sum: u64 = sums.into_iter().sum();
    let rate = sum as f64 * 8.0 / 1e9 / began.elapsed().as_secs_f64();
    (rate, names.into_iter().next().unwrap_or_default())
}

/// The bytes that arrived, as the other side counts them, and the congestion control.
fn push(to: SocketAddr, time: Duration, congestion: Option<&str>) -> (u64, String) {
    let mut stream = TcpStream::connect(to).expect("a connection");
    if let Some(name) = congestion {
        setsockopt(&stream, TcpCongestion, &OsString::from(name)).expect("a congestion control");
    }
    let name = getsockopt(&stream, TcpCongestion).expect("a socket's congestion control");
    stream.write_all(&[SINK]).expect("the first byte");
    let chunk = vec![0; CHUNK];
    let end = Instant::now() + time;
    while Instant::now() < end {
        stream.write_all(&chunk).expect("bytes");
    }
    stream.shutdown(std::net::Shutdown::Write).expect("the end");
    let mut sum = [0; 8];
    stream.read_exact(&mut sum).expect("the sum");
    // The kernel fills up with zeros.
    let name = name.to_string_lossy().trim_end_matches('\0').to_owned();
    (u64::from_be_bytes(sum), name)
}

fn by_threads(to: SocketAddr, time: Duration) -> f64 {
    let began = Instant::now();
    let end = began + time;
    let sum: u64 = std::thread::scope(|scope| {
        let all: Vec<_> = (0..HANDS)
            .map(|_| {
                scope.spawn(|| {
                    let mut count = 0;
                    while Instant::now() < end {
                        once(to);
                        count += 1;
                    }
                    count
                })
            })
            .collect();
        all.into_iter().map(|one| one.join().expect("a hand")).sum()
    });
    sum as f64 / began.elapsed().as_secs_f64()
}

fn once(to: SocketAddr) {
    let mut stream = TcpStream::connect(to).expect("a connection");
    stream.write_all(&[BRIEF]).expect("a byte");
    stream.read_exact(&mut [0]).expect("an answer");
    // With a reset: TIME_WAIT would use up the ports within a second, on every path.
    let linger = libc::linger {
        l_onoff: 1,
        l_linger: 0,
    };
    // SAFETY: the pointer and the length are those of `linger`.
    unsafe {
        libc::setsockopt(
            stream.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_LINGER,
            (&raw const linger).cast(),
            size_of::<libc::linger>() as libc::socklen_t,
        );
    }
}

async fn by_events(to: SocketAddr, time: Duration) -> f64 {
    let to = SocketAddr::new(to.ip(), to.port() + 1);
    let began = Instant::now();
    let end = began + time;
    let all: Vec<_> = (0..MANY)
        .map(|_| {
            tokio::spawn(async move {
                let mut count = 0u64;
                while Instant::now() < end {
                    let mut stream = tokio::net::TcpStream::connect(to)
                        .await
                        .expect("a connection");
                    stream.write_all(&[BRIEF]).await.expect("a byte");
                    stream.read_exact(&mut [0]).await.expect("an answer");
                    stream.set_zero_linger().expect("a socket");
                    count += 1;
                }
                count
            })
        })
        .collect();
    let mut sum = 0;
    for one in all {
        sum += one.await.expect("a task");
    }
    sum as f64 / began.elapsed().as_secs_f64()
}

fn latency(to: SocketAddr, time: Duration) -> f64 {
    let mut stream = TcpStream::connect(to).expect("a connection");
    stream.set_nodelay(true).expect("a socket");
    stream.write_all(&[ECHO]).expect("the first byte");
    let end = Instant::now() + time;
    let mut taken = Vec::new();
    while Instant::now() < end {
        let began = Instant::now();
        stream.write_all(&[1]).expect("a byte");
        stream.read_exact(&mut [0]).expect("the byte");
        taken.push(began.elapsed().as_nanos() as f64 / 1e3);
    }
    taken.sort_by(f64::total_cmp);
    taken[taken.len() / 2]
}
