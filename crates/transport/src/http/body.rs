//! The body of a request, within its bounds.

use std::error::Error as StdError;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use http::{StatusCode, Version};
use http_body::Body;
use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep};
use towline_core::{Error, ErrorKind, codec};

use super::refusal::Refusal;

/// How far into a body that is too large the id of the call is looked for.
const BEGINNING: usize = 64 * 1024;

/// How long the beginning of a body that is too large is waited for.
const MOMENT: Duration = Duration::from_secs(1);

pin_project! {
    /// Collects a body. One that comes in one piece is not copied.
    pub(super) struct Collect<B> {
        #[pin]
        body: B,
        first: Bytes,
        rest: BytesMut,
        max: usize,
        // Whether it says itself that it is larger. What comes first is waited for a moment: the id of the call is in it.
        excess: bool,
        version: Version,
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
    /// Makes it no longer than that.
    fn at_most(self, longest: Duration) -> Self {
        match self {
            Self::Timer(timeout, _) => Self::Timer(timeout.min(longest), None),
            Self::Polled(timeout, _) => Self::Polled(timeout.min(longest), None),
        }
    }

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
    /// Begins to collect a body that comes in that version of HTTP.
    pub(super) fn new(body: B, max: usize, version: Version, deadline: Deadline) -> Self {
        let excess = is_too_large(&body, max);
        let deadline = if excess { deadline.at_most(MOMENT) } else { deadline };
        Self { body, first: Bytes::new(), rest: BytesMut::new(), max, excess, version, deadline }
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
                let refusal = match this.excess {
                    true => too_large(*this.max, &[]),
                    false => Refusal::new(StatusCode::REQUEST_TIMEOUT, "the body did not come in time"),
                };
                return Poll::Ready(Err(refusal.with_body_left(*this.version)));
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
            if *this.excess || len > *this.max - this.first.len() - this.rest.len() {
                let came_first = [&**this.first, &**this.rest, data.chunk()];
                let beginning = came_first.into_iter().find(|part| !part.is_empty()).unwrap_or_default();
                return Poll::Ready(Err(too_large(*this.max, beginning).with_body_left(*this.version)));
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

/// Whether a body says itself that it is larger than that.
pub(super) fn is_too_large<B: Body>(body: &B, max: usize) -> bool {
    body.size_hint().lower() > max as u64
}

/// Refuses a body, of which this is the beginning, so that the client knows which of its calls it was.
pub(super) fn too_large(max: usize, beginning: &[u8]) -> Refusal {
    let message = format!("a body may have at most {max} bytes");
    let beginning = &beginning[..beginning.len().min(BEGINNING)];
    Refusal::of(StatusCode::PAYLOAD_TOO_LARGE, Error::new(ErrorKind::TooLarge, message))
        .with_id(codec::id_of_cut(beginning, &[]))
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
        let collect = Collect::new(body, 10, Version::HTTP_11, Deadline::Timer(limit, None));
        assert!(collect.await.is_err());
        assert_eq!(start.elapsed().as_secs(), 15);
    }

    #[tokio::test]
    async fn pieces_are_joined_up_to_the_limit() {
        for (max, expected) in [(6, Some("abcdef")), (5, None)] {
            let pieces = ["ab", "", "cd", "ef"].map(|piece| Ok(Frame::data(Bytes::from(piece))) as Piece);
            let body = StreamBody::new(stream::iter(pieces));
            let collect = Collect::new(body, max, Version::HTTP_11, Deadline::Polled(Duration::ZERO, None));
            assert_eq!(collect.await.ok().as_deref(), expected.map(str::as_bytes), "{max}");
        }
    }
}
