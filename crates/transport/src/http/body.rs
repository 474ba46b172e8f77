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
use tokio::time::{Sleep, sleep};
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
        timeout: Duration,
        // Only for a body that is not there at once.
        deadline: Option<Pin<Box<Sleep>>>,
    }
}

impl<B: Body> Collect<B> {
    /// Begins to collect.
    ///
    /// # Errors
    ///
    /// When the body says already that it is too large.
    pub(super) fn new(body: B, max: usize, timeout: Duration) -> Result<Self, Refusal> {
        if body.size_hint().lower() > max as u64 {
            return Err(too_large(max));
        }
        Ok(Self { body, first: Bytes::new(), rest: BytesMut::new(), max, timeout, deadline: None })
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
                let deadline = this.deadline.get_or_insert_with(|| Box::pin(sleep(*this.timeout)));
                ready!(deadline.as_mut().poll(cx));
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
