//! A socket that has several owners, as one stream whose bytes are counted.

use std::io;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// A socket that reads and writes at once, or not at all, and can be watched until it would.
pub trait Polled {
    /// Ready when bytes, the end or an error are there.
    ///
    /// # Errors
    /// When it cannot be watched any more.
    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Ready when there is room for bytes, or an error.
    ///
    /// # Errors
    /// When it cannot be watched any more.
    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Takes some bytes; none: the end.
    ///
    /// # Errors
    /// What the kernel said; `WouldBlock` when there is nothing now.
    fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize>;

    /// Gives it some bytes.
    ///
    /// # Errors
    /// What the kernel said; `WouldBlock` when it takes nothing now.
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize>;

    /// Gives the kernel what was written and is not in its hands yet.
    ///
    /// # Errors
    /// What the kernel said; `WouldBlock` when it takes no more now.
    fn try_flush(&self) -> io::Result<()>;
}

impl Polled for TcpStream {
    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_read_ready(cx)
    }

    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_write_ready(cx)
    }

    fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        TcpStream::try_read(self, buffer)
    }

    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        TcpStream::try_write(self, bytes)
    }

    fn try_flush(&self) -> io::Result<()> {
        Ok(())
    }
}

/// The stream. Shutting it down closes nothing: the last of the socket's owners does.
pub struct Counted<S, C> {
    /// The socket.
    pub socket: S,
    /// Bytes read.
    pub received: C,
    /// Bytes written, where somebody asks for them.
    pub sent: Option<C>,
}

impl<S, C> AsyncRead for Counted<S, C>
where
    S: Deref<Target: Polled> + Unpin,
    C: Deref<Target = AtomicU64> + Unpin,
{
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            ready!(self.socket.poll_readable(cx))?;
            match self.socket.try_read(buffer.initialize_unfilled()) {
                Ok(count) => {
                    buffer.advance(count);
                    self.received.fetch_add(count as u64, Ordering::Relaxed);
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl<S, C> AsyncWrite for Counted<S, C>
where
    S: Deref<Target: Polled> + Unpin,
    C: Deref<Target = AtomicU64> + Unpin,
{
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.socket.poll_writable(cx))?;
            match self.socket.try_write(bytes) {
                Ok(count) => {
                    if let Some(sent) = &self.sent {
                        sent.fetch_add(count as u64, Ordering::Relaxed);
                    }
                    return Poll::Ready(Ok(count));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            match self.socket.try_flush() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    ready!(self.socket.poll_writable(cx))?;
                }
                done => return Poll::Ready(done),
            }
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
