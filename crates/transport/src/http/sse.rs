//! An answer as a stream of server-sent events: what the call reports, then its answer.
//!
//! Source: basic/transports/streamable-http, "Receiving Messages".

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderName, HeaderValue, Response};
use pin_project_lite::pin_project;
use tokio::sync::mpsc::Receiver;
use tokio::time::{Instant, Sleep, sleep};
use towline_core::codec;
use towline_core::protocol::{ProtocolVersion, RequestId};
use towline_core::{Error, Reply, Report, Serve};

use super::event::push_event;
use super::respond::ResponseBody;
use super::service::Guard;
use crate::call::Call;

const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");
/// Notifications go out together up to about this size.
const CHUNK: usize = 64 * 1024;

/// A response whose body is a stream of events.
pub(super) fn response<S: Serve>(body: ResponseBody<S>) -> Response<ResponseBody<S>> {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_ACCEL_BUFFERING, HeaderValue::from_static("no"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// What a request reports. Nobody is let go of a stream to which they could not come back.
pub(super) fn push_report(out: &mut Vec<u8>, report: &Report) {
    if let Report::Message(notification) = report {
        push_event(out, notification);
    }
}

pin_project! {
    /// A call that is running and what it reports. Dropping it, which a client does by closing the stream, cancels it.
    pub(super) struct Events<S: Serve> {
        call: Option<Pin<Box<Call<S>>>>,
        notifications: Receiver<Report>,
        id: RequestId,
        version: ProtocolVersion,
        ready: Vec<u8>,
        keep_alive: Duration,
        #[pin]
        quiet: Sleep,
        // Counts the request until the stream is dropped.
        _guard: Option<Guard>,
    }
}

impl<S: Serve> Events<S> {
    /// The stream of a call that has reported `first` and goes on.
    pub(super) fn new(
        call: Pin<Box<Call<S>>>,
        notifications: Receiver<Report>,
        first: &Report,
        (id, version): (RequestId, ProtocolVersion),
        keep_alive: Duration,
        guard: Option<Guard>,
    ) -> Self {
        let mut ready = Vec::new();
        push_report(&mut ready, first);
        let quiet = sleep(keep_alive);
        Self { call: Some(call), notifications, id, version, ready, keep_alive, quiet, _guard: guard }
    }

    pub(super) fn is_done(&self) -> bool {
        self.call.is_none() && self.ready.is_empty()
    }

    pub(super) fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let mut this = self.project();
        let Some(call) = this.call else { return Poll::Ready(None) };
        let answer: Poll<Result<Reply, Error>> = call.as_mut().poll(cx);
        while this.ready.len() < CHUNK
            && let Poll::Ready(Some(report)) = this.notifications.poll_recv(cx)
        {
            push_report(this.ready, &report);
        }
        if let Poll::Ready(answer) = answer {
            // A task that the call has left behind may report on: what is left is no more than the channel holds.
            this.notifications.close();
            while let Ok(report) = this.notifications.try_recv() {
                push_report(this.ready, &report);
            }
            push_event(this.ready, &codec::encode(Some(this.id), &answer, *this.version));
            *this.call = None;
        }
        if this.ready.is_empty() {
            if this.quiet.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            this.ready.extend_from_slice(b":\n\n");
        }
        // Nothing is written at every call of a busy tool: the timer is only moved.
        this.quiet.as_mut().reset(Instant::now() + *this.keep_alive);
        Poll::Ready(Some(std::mem::take(this.ready).into()))
    }
}
