//! What goes on at a connection, so that one on which nothing does can be closed.
//!
//! hyper's own header timer is made anew for each request and also ends connections that merely wait for the next one.
//! Here the requests only count, and a slow tick per connection looks at the counts.

use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;

/// The most that passes between looks, so that a client that has gone away is noticed soon.
const LONGEST_TICK: Duration = Duration::from_secs(1);

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
        let shortest = self.header.min(self.idle).min(self.write).min(also);
        (shortest / 5).clamp(Duration::from_millis(1), LONGEST_TICK)
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

    /// Whether a request is being answered.
    pub(super) fn is_busy(&self) -> bool {
        self.in_flight.load(Relaxed) > 0
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
        // What HTTP/2 says between requests, such as that it is still there, asks for nothing. Over HTTP/1.1 only
        // answers are written.
        let answers = moved && requests > 0 && !activity.http2.load(Relaxed);
        if asked || answers || activity.is_busy() {
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

/// A socket that is looked at while hyper owns the stream over it. Both happen in the connection's own task, so the
/// lock is always free.
#[derive(Clone, Debug)]
pub(super) struct Socket(Arc<Mutex<TcpStream>>);

impl Socket {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self(Arc::new(Mutex::new(stream)))
    }

    /// Whether the peer has closed its side, be there unread bytes before the end or not.
    ///
    /// hyper looks for the end by reading, which it does not do while it holds bytes of a next request.
    pub(super) fn is_closed_by_peer(&self) -> bool {
        let stream = self.lock();
        let ready = pin!(stream.ready(Interest::READABLE));
        match ready.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(ready)) => ready.is_read_closed(),
            Poll::Ready(Err(_)) => true,
            Poll::Pending => false,
        }
    }

    fn lock(&self) -> MutexGuard<'_, TcpStream> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A stream over a socket whose reads and writes are counted.
#[derive(Debug)]
pub(super) struct Watched {
    socket: Socket,
    is_write_vectored: bool,
    activity: Arc<Activity>,
}

impl Watched {
    pub(super) fn new(socket: Socket, activity: Arc<Activity>) -> Self {
        let is_write_vectored = socket.lock().is_write_vectored();
        Self { socket, is_write_vectored, activity }
    }
}

impl AsyncRead for Watched {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut *self.socket.lock()).poll_read(cx, out);
        if read.is_ready() {
            self.activity.reads.fetch_add(1, Relaxed);
        }
        read
    }
}

impl Watched {
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

impl AsyncWrite for Watched {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let write = Pin::new(&mut *self.socket.lock()).poll_write(cx, data);
        self.note(write)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let write = Pin::new(&mut *self.socket.lock()).poll_write_vectored(cx, data);
        self.note(write)
    }

    fn is_write_vectored(&self) -> bool {
        self.is_write_vectored
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.socket.lock()).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.socket.lock()).poll_shutdown(cx)
    }
}
