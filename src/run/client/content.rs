//! The content of requests and answers: nobody looks at it, so no request has its own, and no answer's is kept.

use http_body_util::BodyExt;
use hyper::body::{Body, Bytes};
use std::sync::{Mutex, PoisonError};

/// So many bytes to send. All requests that are under way share them: a thousand uploads of 64 MiB at once are 64 MiB.
pub fn of(size: u32) -> Bytes {
    static LONGEST: Mutex<Bytes> = Mutex::new(Bytes::new());
    let size = size as usize;
    let mut longest = LONGEST.lock().unwrap_or_else(PoisonError::into_inner);
    if longest.len() < size {
        *longest = vec![b'x'; size].into();
    }
    longest.slice(..size)
}

/// Reads an answer to its last byte.
///
/// # Errors
/// What kept it from coming.
pub async fn heard_out<B>(mut answer: B) -> Result<(), B::Error>
where
    B: Body<Data = Bytes> + Unpin,
{
    while let Some(frame) = answer.frame().await {
        drop(frame?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::body::Frame;
    use std::convert::Infallible;
    use std::pin::Pin;
    use std::sync::Arc;
    use std::task::{Context, Poll};

    #[test]
    fn requests_share_their_content() {
        let (long, short) = (of(70_000), of(500));
        assert_eq!((long.len(), short.len(), of(0).len()), (70_000, 500, 0));
        assert_eq!(long.as_ptr(), of(70_000).as_ptr());
        assert!(long.iter().all(|byte| *byte == b'x'));
    }

    /// Bytes that know of each other.
    struct Part {
        _alive: Arc<()>,
    }

    impl AsRef<[u8]> for Part {
        fn as_ref(&self) -> &[u8] {
            b"part"
        }
    }

    /// So many parts more, and at most so many of them at a time.
    struct Parts {
        left: usize,
        alive: Arc<()>,
        most: usize,
    }

    impl Body for Parts {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            self.most = self.most.max(Arc::strong_count(&self.alive) - 1);
            let Some(left) = self.left.checked_sub(1) else {
                return Poll::Ready(None);
            };
            self.left = left;
            let _alive = Arc::clone(&self.alive);
            let part = Bytes::from_owner(Part { _alive });
            Poll::Ready(Some(Ok(Frame::data(part))))
        }
    }

    #[tokio::test]
    async fn of_an_answer_nothing_is_kept() {
        let mut parts = Parts {
            left: 100,
            alive: Arc::default(),
            most: 0,
        };
        let heard = heard_out(&mut parts).await;
        assert_eq!(heard, Ok(()));
        assert_eq!((parts.left, parts.most), (0, 0));
    }
}
