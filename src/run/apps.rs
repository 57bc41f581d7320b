//! The small programs behind listening sockets: what a server says on an accepted connection.
//!
//! Not here: listening, accepting, stopping (see `server`).

use super::server::{Request, Served, Shared};
use super::word::Fault;
use crate::spec::App;
use std::io::ErrorKind;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::net::TcpStream;

/// Talks until the client closes (no fault) or something breaks.
pub(super) async fn converse(
    shared: &Shared,
    stream: &TcpStream,
    served: &Served,
    app: &App,
) -> Fault {
    let result = match app {
        App::Echo { idle_close } => echo(stream, served, *idle_close).await,
        App::Sink => sink(stream, served).await,
        App::Banner { text } => match write_all(stream, format!("{text}\n").as_bytes()).await {
            Ok(()) => echo(stream, served, None).await,
            Err(error) => Err(error),
        },
        App::Name => name(stream, served, &shared.name).await,
        App::Source { bytes, every } => source(stream, served, *bytes, *every).await,
        App::Http => http(shared, stream, served).await,
        App::NeverAccept { .. } | App::Command { .. } => Ok(()),
    };
    result
        .err()
        .map(|error| Fault::from(&error))
        .unwrap_or_default()
}

async fn echo(
    stream: &TcpStream,
    served: &Served,
    idle_close: Option<Duration>,
) -> std::io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let reading = read(stream, served, &mut buffer);
        let count = match idle_close {
            None => reading.await?,
            Some(idle) => match tokio::time::timeout(idle, reading).await {
                Ok(count) => count?,
                Err(_) => return Ok(()),
            },
        };
        if count == 0 {
            return Ok(());
        }
        write_all(stream, &buffer[..count]).await?;
    }
}

async fn sink(stream: &TcpStream, served: &Served) -> std::io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    while read(stream, served, &mut buffer).await? > 0 {}
    Ok(())
}

async fn name(stream: &TcpStream, served: &Served, name: &str) -> std::io::Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    while read(stream, served, &mut buffer).await? > 0 {
        write_all(stream, format!("{name}\n").as_bytes()).await?;
    }
    Ok(())
}

async fn source(
    stream: &TcpStream,
    served: &Served,
    bytes: u32,
    every: Duration,
) -> std::io::Result<()> {
    let chunk = vec![b's'; bytes as usize];
    let mut clock = tokio::time::interval(every.max(Duration::from_micros(1)));
    clock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut buffer = vec![0; 16 * 1024];
    loop {
        tokio::select! {
            _ = clock.tick() => write_all(stream, &chunk).await?,
            count = read(stream, served, &mut buffer) => if count? == 0 { return Ok(()) },
        }
    }
}

/// HTTP/1.1 with keep-alive: 200 and the host's name for every request; bodies are not expected.
async fn http(shared: &Shared, stream: &TcpStream, served: &Served) -> std::io::Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    let mut head = Vec::new();
    loop {
        let count = read(stream, served, &mut buffer).await?;
        if count == 0 {
            return Ok(());
        }
        head.extend_from_slice(&buffer[..count]);
        while let Some(end) = head.windows(4).position(|window| window == b"\r\n\r\n") {
            let text = String::from_utf8_lossy(&head[..end]).into_owned();
            head.drain(..end + 4);
            let path = text.split_whitespace().nth(1).unwrap_or("/").to_owned();
            let header = |name: &str| {
                text.lines()
                    .skip(1)
                    .filter_map(|line| line.split_once(':'))
                    .find(|(key, _)| key.eq_ignore_ascii_case(name))
                    .map(|(_, value)| value.trim().to_owned())
            };
            let close =
                header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
            shared
                .requests
                .lock()
                .expect("no holder of this lock panics")
                .push(Request {
                    host: header("host").unwrap_or_default(),
                    path,
                    status: 200,
                });
            let body = format!("{}\n", shared.name);
            let connection = if close { "close" } else { "keep-alive" };
            write_all(stream, format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: {connection}\r\n\r\n{body}", body.len()).as_bytes()).await?;
            if close {
                return Ok(());
            }
        }
        if head.len() > 64 * 1024 {
            return Ok(());
        }
    }
}
pub(super) async fn read(
    stream: &TcpStream,
    served: &Served,
    buffer: &mut [u8],
) -> std::io::Result<usize> {
    loop {
        stream.readable().await?;
        match stream.try_read(buffer) {
            Ok(count) => {
                served.received.fetch_add(count as u64, Ordering::Relaxed);
                return Ok(count);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

async fn write_all(stream: &TcpStream, mut bytes: &[u8]) -> std::io::Result<()> {
    while !bytes.is_empty() {
        stream.writable().await?;
        match stream.try_write(bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
