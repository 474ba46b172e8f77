//! A response that reads a stream of a session.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, Sleep, sleep};

use super::log::EventLog;
use super::{Open, Session};
use crate::http::service::Guard;

/// Reads the events of a stream, from where the client is, to its end. Dropping it leaves the stream as it is.
pub(in crate::http) struct SessionBody {
    log: Arc<EventLog>,
    reader: u64,
    /// What tells the client where it is before anything happens.
    first: Option<Bytes>,
    quiet: Pin<Box<Sleep>>,
    keep_alive: Duration,
    end: Pin<Box<dyn Future<Output = ()> + Send>>,
    _open: Open,
    _guard: Option<Guard>,
}

impl SessionBody {
    /// Reads after that event, or from where the stream is. A stream that belongs to no request is given an `end`.
    pub(in crate::http) fn new(
        session: &Arc<Session>,
        log: Arc<EventLog>,
        after: Option<u64>,
        keep_alive: Duration,
        end: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
        guard: Option<Guard>,
    ) -> Self {
        let end = end.unwrap_or_else(|| Box::pin(std::future::pending()));
        // An event without data, so that a client that loses the stream at once knows from where to go on.
        let (reader, at) = log.read(after);
        let primes = session.primes() && after.is_none();
        let first = primes.then(|| format!("id: {}_{at}\nretry: 1000\ndata: \n\n", log.number()).into());
        let quiet = Box::pin(sleep(keep_alive));
        Self { log, reader, first, quiet, keep_alive, end, _open: session.open(), _guard: guard }
    }

    pub(in crate::http) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(first));
        }
        if let Poll::Ready(events) = self.log.poll_next(self.reader, cx) {
            self.quiet.as_mut().reset(Instant::now() + self.keep_alive);
            return Poll::Ready(events);
        }
        if self.end.as_mut().poll(cx).is_ready() {
            return Poll::Ready(None);
        }
        if self.quiet.as_mut().poll(cx).is_ready() {
            self.quiet.as_mut().reset(Instant::now() + self.keep_alive);
            return Poll::Ready(Some(Bytes::from_static(b":\n\n")));
        }
        Poll::Pending
    }
}
