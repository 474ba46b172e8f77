//! What goes on at a connection, so that one on which nothing does can be closed.
//!
//! hyper's own header timer is made anew for each request and also ends connections that merely wait for the next one.
//! Here the requests only count, and a slow tick per connection looks at the counts.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// How long a connection may take over what.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timeouts {
    /// To send the head of a request, from its first byte, or from the beginning of the connection.
    pub(super) header: Duration,
    /// To begin the next request.
    pub(super) idle: Duration,
    /// To take any of what is being sent to it.
    pub(super) write: Duration,
}

impl Timeouts {
    /// How often to look. The shortest time, `also` among them, is cut into five, so that each is met to within a fifth.
    pub(super) fn tick(&self, also: Duration) -> Duration {
        (self.header.min(self.idle).min(self.write).min(also) / 5).max(Duration::from_millis(1))
    }
}

/// Counts what happens at one connection.
#[derive(Debug, Default)]
pub(super) struct Activity {
    requests: AtomicUsize,
    in_flight: AtomicUsize,
    reads: AtomicUsize,
    /// How many reads there had been when the last request was handed on or done.
    settled: AtomicUsize,
    writes: AtomicUsize,
    blocked: AtomicBool,
    http2: AtomicBool,
}

impl Activity {
    /// Notes a request, which counts until the guard is dropped.
    pub(super) fn request(self: &Arc<Self>, version: http::Version) -> Requested {
        // The first one tells for all of them.
        if self.requests.fetch_add(1, Relaxed) == 0 && version == http::Version::HTTP_2 {
            self.http2.store(true, Relaxed);
        }
        self.in_flight.fetch_add(1, Relaxed);
        Requested(Arc::clone(self))
    }
}

/// A request that is being answered.
#[derive(Debug)]
pub(super) struct Requested(Arc<Activity>);

impl Drop for Requested {
    fn drop(&mut self) {
        self.0.settled.store(self.0.reads.load(Relaxed), Relaxed);
        self.0.in_flight.fetch_sub(1, Relaxed);
    }
}

/// Looks at the counts of one connection, tick by tick.
#[derive(Debug)]
pub(super) struct Watch {
    timeouts: Timeouts,
    tick: Duration,
    requests: usize,
    writes: usize,
    waited: Duration,
    blocked: Duration,
}

/// What to do about a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Fine,
    /// Nothing has been asked for long: say goodbye.
    Idle,
    /// It holds on to something: close it.
    Stalled,
}

impl Watch {
    pub(super) fn new(timeouts: Timeouts, tick: Duration) -> Self {
        Self { timeouts, tick, requests: 0, writes: 0, waited: Duration::ZERO, blocked: Duration::ZERO }
    }

    /// Judges the time since the last look.
    pub(super) fn look(&mut self, activity: &Activity) -> Verdict {
        let writes = activity.writes.load(Relaxed);
        let moved = std::mem::replace(&mut self.writes, writes) != writes;
        if activity.blocked.load(Relaxed) && !moved {
            self.blocked += self.tick;
        } else {
            self.blocked = Duration::ZERO;
        }
        let requests = activity.requests.load(Relaxed);
        let asked = std::mem::replace(&mut self.requests, requests) != requests;
        if asked || moved || activity.in_flight.load(Relaxed) > 0 {
            self.waited = Duration::ZERO;
        } else {
            self.waited += self.tick;
        }
        // The first request counts from the beginning, so that a connection on which nothing comes is not idle. HTTP/2
        // has other things to say between requests.
        let begun = requests == 0
            || (!activity.http2.load(Relaxed)
                && activity.reads.load(Relaxed) != activity.settled.load(Relaxed));
        let late = |waited: Duration, limit: Duration| waited + self.tick > limit;
        if late(self.blocked, self.timeouts.write) || (begun && late(self.waited, self.timeouts.header)) {
            Verdict::Stalled
        } else if late(self.waited, self.timeouts.idle) {
            Verdict::Idle
        } else {
            Verdict::Fine
        }
    }
}

/// A stream whose reads and writes are counted.
#[derive(Debug)]
pub(super) struct Watched<T> {
    pub(super) inner: T,
    pub(super) activity: Arc<Activity>,
}

impl<T: AsyncRead + Unpin> AsyncRead for Watched<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.inner).poll_read(cx, out);
        if read.is_ready() {
            self.activity.reads.fetch_add(1, Relaxed);
        }
        read
    }
}

impl<T> Watched<T> {
    fn note<R>(&self, write: Poll<R>) -> Poll<R> {
        // A flag that is not set need not be cleared: most writes never wait.
        if write.is_pending() {
            self.activity.blocked.store(true, Relaxed);
        } else {
            if self.activity.blocked.load(Relaxed) {
                self.activity.blocked.store(false, Relaxed);
            }
            self.activity.writes.fetch_add(1, Relaxed);
        }
        write
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Watched<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let write = Pin::new(&mut self.inner).poll_write(cx, data);
        self.note(write)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let write = Pin::new(&mut self.inner).poll_write_vectored(cx, data);
        self.note(write)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
