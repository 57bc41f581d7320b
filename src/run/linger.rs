//! The lingering close of HTTP (RFC 9112 section 9.6): who has said the last word hears its client out. A kernel resets a connection
//! that is closed with something unread, and takes back what its client has not read yet.

use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::timeout;

/// For so long at most: nginx's `lingering_time`. AWS names no such limit of its load balancers.
///
/// It and the next are in real time whatever `time_scale` is, as all that hangs on how fast a client's kernel sends.
const IN_ALL: Duration = Duration::from_secs(30);
/// For so long without a byte: nginx's `lingering_timeout`.
const IN_SILENCE: Duration = Duration::from_secs(5);

/// Reads and forgets what still comes, until the other end closes or its time is up.
///
/// # Errors
/// What the kernel said of the connection.
pub async fn linger(stream: impl AsyncRead + Unpin) -> io::Result<()> {
    within(IN_ALL, IN_SILENCE, stream).await
}

async fn within(
    in_all: Duration,
    in_silence: Duration,
    mut stream: impl AsyncRead + Unpin,
) -> io::Result<()> {
    let all = async {
        let mut rest = vec![0; 16 * 1024];
        while let Ok(read) = timeout(in_silence, stream.read(&mut rest)).await {
            if read? == 0 {
                break;
            }
        }
        Ok(())
    };
    timeout(in_all, all).await.unwrap_or(Ok(()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{duplex, repeat};

    const SHORT: Duration = Duration::from_millis(20);
    const LONG: Duration = Duration::from_secs(3600);
    const PATIENCE: Duration = Duration::from_secs(10);

    #[tokio::test]
    async fn who_does_not_close_is_heard_out_for_so_long_and_no_longer() {
        let (_client, silent) = duplex(64);
        let heard = timeout(PATIENCE, within(LONG, SHORT, silent)).await;
        heard.expect("silence ends it").expect("no error");
        let heard = timeout(PATIENCE, within(SHORT, LONG, repeat(0))).await;
        heard.expect("time ends it").expect("no error");
    }
}
