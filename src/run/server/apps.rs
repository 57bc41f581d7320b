//! The small programs behind listening sockets: what a server says on an accepted connection.
//!
//! Not here: listening, accepting, stopping (see `streams`).

use super::{Served, Shared, header, http};
use crate::plan::App;
use crate::run::word::Fault;
use std::io::ErrorKind;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

/// What an accepted connection meets.
pub(super) struct Program {
    pub(super) app: App,
    /// Its certificate and versions; only HTTPS has it.
    pub(super) tls: Option<TlsAcceptor>,
    /// It reads a PROXY protocol header first.
    pub(super) proxy_protocol: bool,
}

/// Talks until the client closes (no fault) or something breaks.
pub(super) async fn converse(
    shared: &Shared,
    stream: &TcpStream,
    served: &Served,
    program: &Program,
) -> Fault {
    if program.proxy_protocol
        && let Err(fault) = header::read(stream, served).await
    {
        return fault;
    }
    let result = match &program.app {
        App::Echo {
            idle_close,
            message,
        } => echo(stream, served, *idle_close, *message).await,
        App::Sink => sink(stream, served).await,
        App::Banner { text } => match write_all(stream, format!("{text}\n").as_bytes()).await {
            Ok(()) => echo(stream, served, None, None).await,
            Err(error) => Err(error),
        },
        App::Name => name(stream, served, &shared.name).await,
        App::Source { bytes, every } => source(stream, served, *bytes, *every).await,
        App::Http(http) => http::plain(shared, stream, served, http).await,
        App::Https { http, .. } => match &program.tls {
            Some(tls) => http::secured(shared, stream, served, http, tls).await,
            None => unreachable!("every HTTPS server has its certificate"),
        },
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
    message: Option<u32>,
) -> std::io::Result<()> {
    // What has come of a message that is not whole yet.
    let mut begun = Vec::new();
    loop {
        // Whoever waits has no buffer: there may be tens of thousands.
        let readable = stream.readable();
        match idle_close {
            None => readable.await?,
            Some(idle) => match tokio::time::timeout(idle, readable).await {
                Ok(readable) => readable?,
                Err(_) => return Ok(()),
            },
        }
        let mut buffer = Vec::with_capacity(64 * 1024);
        buffer.append(&mut begun);
        match stream.try_read_buf(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => {
                served.received.fetch_add(count as u64, Ordering::Relaxed);
                let size = message.map_or(1, |bytes| bytes.max(1) as usize);
                begun = buffer.split_off(buffer.len() - buffer.len() % size);
                write_all(stream, &buffer).await?;
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => begun = buffer,
            Err(error) => return Err(error),
        }
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

async fn read(stream: &TcpStream, served: &Served, buffer: &mut [u8]) -> std::io::Result<usize> {
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
