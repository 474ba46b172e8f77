//! The body of a request, within its bounds.

use std::error::Error as StdError;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use http::StatusCode;
use http_body::Body;
use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep};
use towline_core::{Error, ErrorKind};

use super::refusal::Refusal;

pin_project! {
    /// Collects a body. One that comes in one piece is not copied.
    pub(super) struct Collect<B> {
        #[pin]
        body: B,
        first: Bytes,
        rest: BytesMut,
        max: usize,
        deadline: Deadline,
    }
}

/// How long a body may take. The clock runs from when the body turns out not to be there at once.
#[derive(Debug)]
pub(super) enum Deadline {
    /// By a timer.
    Timer(Duration, Option<Pin<Box<Sleep>>>),
    /// By looking at the clock whenever the body is polled: where that happens from time to time, a timer per request
    /// is saved.
    Polled(Duration, Option<Instant>),
}

impl Deadline {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self {
            Self::Timer(timeout, timer) => {
                timer.get_or_insert_with(|| Box::pin(sleep(*timeout))).as_mut().poll(cx)
            }
            Self::Polled(timeout, start) => {
                let start = start.get_or_insert_with(Instant::now);
                if start.elapsed() < *timeout { Poll::Pending } else { Poll::Ready(()) }
            }
        }
    }
}

impl<B: Body> Collect<B> {
    /// Begins to collect.
    ///
    /// # Errors
    ///
    /// When the body says already that it is too large.
    pub(super) fn new(body: B, max: usize, deadline: Deadline) -> Result<Self, Refusal> {
        if body.size_hint().lower() > max as u64 {
            return Err(too_large(max));
        }
        Ok(Self { body, first: Bytes::new(), rest: BytesMut::new(), max, deadline })
    }
}

impl<B> Future for Collect<B>
where
    B: Body,
    B::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    type Output = Result<Bytes, Refusal>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            let Poll::Ready(frame) = this.body.as_mut().poll_frame(cx) else {
                ready!(this.deadline.poll(cx));
                return Poll::Ready(Err(Refusal::new(
                    StatusCode::REQUEST_TIMEOUT,
                    "the body did not come in time",
                )));
            };
            let mut data = match frame {
                None if this.rest.is_empty() => return Poll::Ready(Ok(std::mem::take(this.first))),
                None => return Poll::Ready(Ok(std::mem::take(this.rest).freeze())),
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => data,
                    Err(_trailers) => continue,
                },
                Some(Err(error)) => {
                    let error: Box<dyn StdError + Send + Sync> = error.into();
                    tracing::debug!(%error, "a body broke off");
                    return Poll::Ready(Err(Refusal::new(
                        StatusCode::BAD_REQUEST,
                        "the body could not be read",
                    )));
                }
            };
            let len = data.remaining();
            if len > *this.max - this.first.len() - this.rest.len() {
                return Poll::Ready(Err(too_large(*this.max)));
            }
            if this.first.is_empty() && this.rest.is_empty() {
                *this.first = data.copy_to_bytes(len);
                continue;
            }
            if !this.first.is_empty() {
                this.rest.reserve(this.first.len() + len);
                this.rest.put(std::mem::take(this.first));
            }
            this.rest.put(data);
        }
    }
}

fn too_large(max: usize) -> Refusal {
    let message = format!("a body may have at most {max} bytes");
    Refusal::of(StatusCode::PAYLOAD_TOO_LARGE, Error::new(ErrorKind::TooLarge, message))
}

#[cfg(test)]
mod tests {
    use futures_util::stream;
    use http_body::Frame;
    use http_body_util::StreamBody;

    use super::*;

    type Piece = Result<Frame<Bytes>, std::io::Error>;

    #[tokio::test(start_paused = true)]
    async fn a_body_that_never_comes_is_given_up() {
        let limit = Duration::from_secs(15);
        let start = Instant::now();
        let body = StreamBody::new(stream::pending::<Piece>());
        let collect = Collect::new(body, 10, Deadline::Timer(limit, None)).unwrap();
        assert!(collect.await.is_err());
        assert_eq!(start.elapsed().as_secs(), 15);
    }

    #[tokio::test]
    async fn pieces_are_joined_up_to_the_limit() {
        for (max, expected) in [(6, Some("abcdef")), (5, None)] {
            let pieces = ["ab", "", "cd", "ef"].map(|piece| Ok(Frame::data(Bytes::from(piece))) as Piece);
            let body = StreamBody::new(stream::iter(pieces));
            let collect = Collect::new(body, max, Deadline::Polled(Duration::ZERO, None)).unwrap();
            assert_eq!(collect.await.ok().as_deref(), expected.map(str::as_bytes), "{max}");
        }
    }
}
