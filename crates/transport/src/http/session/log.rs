//! The events of one stream, kept for a client that comes back for them.

use std::collections::{BTreeMap, VecDeque};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use towline_core::Error;

use super::lock;
use crate::http::event;
use crate::sync::{Arc, Mutex, Notify};

/// How many events wait for the client before who makes them waits.
const WAITING: usize = 64;
/// How many events are kept for a client that comes back.
const KEPT: usize = 256;
/// How many bytes of them.
const KEPT_BYTES: usize = 256 * 1024;
/// How many streams of a session are kept when they have ended.
const KEPT_STREAMS: usize = 32;
/// Events go out together up to about this size.
const CHUNK: usize = 64 * 1024;

/// The streams of one session. Number 0 belongs to no request.
#[derive(Debug)]
pub(in crate::http) struct Logs(Mutex<State>);

#[derive(Debug)]
struct State {
    last: u64,
    logs: BTreeMap<u64, Arc<EventLog>>,
}

impl Default for Logs {
    fn default() -> Self {
        let standing = (0, Arc::new(EventLog::new(0)));
        Self(Mutex::new(State { last: 0, logs: BTreeMap::from([standing]) }))
    }
}

impl Logs {
    /// Begins the stream of a request.
    pub(in crate::http) fn begin(&self) -> Arc<EventLog> {
        let mut state = lock(&self.0);
        let ended: Vec<u64> =
            state.logs.iter().filter(|(_, log)| log.is_done()).map(|(number, _)| *number).collect();
        for number in ended.iter().take(ended.len().saturating_sub(KEPT_STREAMS - 1)) {
            state.logs.remove(number);
        }
        state.last += 1;
        let log = Arc::new(EventLog::new(state.last));
        state.logs.insert(log.number, Arc::clone(&log));
        log
    }

    /// The stream that belongs to no request.
    pub(in crate::http) fn standing(&self) -> Arc<EventLog> {
        Arc::clone(&lock(&self.0).logs[&0])
    }

    /// The stream of an event, and which event of it that is.
    pub(in crate::http) fn find(&self, event: &str) -> Option<(Arc<EventLog>, u64)> {
        let (stream, event) = event.split_once('_')?;
        let log = Arc::clone(lock(&self.0).logs.get(&stream.parse().ok()?)?);
        Some((log, event.parse().ok()?))
    }

    /// Ends all streams.
    pub(super) fn end(&self) {
        for log in lock(&self.0).logs.values() {
            log.end();
        }
    }
}

/// The events of one stream. They are numbered from 1; number 0 is where it begins.
#[derive(Debug)]
pub(in crate::http) struct EventLog {
    number: u64,
    events: Mutex<Events>,
    /// Told when events have been taken, and at the end.
    room: Notify,
}

#[derive(Debug, Default)]
struct Events {
    kept: VecDeque<Bytes>,
    /// How many are not kept any more.
    dropped: u64,
    /// How many the client has been sent.
    sent: u64,
    is_done: bool,
    /// How the answer would be told if it went alone.
    answer: Option<(StatusCode, Option<Error>)>,
    release: Option<Duration>,
    /// The one who reads: a client that comes back takes over from itself.
    reader: u64,
    waker: Option<Waker>,
}

impl Events {
    fn last(&self) -> u64 {
        self.dropped + self.kept.len() as u64
    }

    /// How many of the oldest, which have been sent, need not be kept.
    fn surplus(&self) -> usize {
        let unsent = usize::try_from(self.last() - self.sent).unwrap_or(usize::MAX);
        let mut bytes = 0;
        let newest = self.kept.iter().rev().take(KEPT).take_while(|event| {
            // The last one, which may be the answer, is kept in any case: it may have been lost on its way.
            let is_last = bytes == 0;
            bytes += event.len();
            is_last || bytes <= KEPT_BYTES
        });
        self.kept.len().saturating_sub(newest.count().max(unsent))
    }

    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

/// What a stream begins with.
pub(in crate::http) enum First {
    /// The answer, alone.
    Answer(Bytes, StatusCode, Option<Error>),
    /// Something else: the answer comes later.
    Event,
}

impl EventLog {
    fn new(number: u64) -> Self {
        Self { number, events: Mutex::default(), room: Notify::new() }
    }

    /// Adds a message, waiting while the client is behind.
    pub(in crate::http) async fn push(&self, message: Bytes) {
        loop {
            let room = self.room.notified();
            {
                let mut events = lock(&self.events);
                if events.is_done {
                    return;
                }
                if events.last() - events.sent < WAITING as u64 {
                    events.kept.push_back(message);
                    return events.wake();
                }
            }
            room.await;
        }
    }

    /// Adds the answer, which is the end.
    pub(in crate::http) fn finish(&self, answer: Bytes, status: StatusCode, error: Option<Error>) {
        let mut events = lock(&self.events);
        if !events.is_done {
            events.kept.push_back(answer);
            events.answer = Some((status, error));
        }
        events.is_done = true;
        events.wake();
        self.room.notify_waiters();
    }

    /// Lets the client go, to come back after that time.
    pub(in crate::http) fn release(&self, retry: Duration) {
        let mut events = lock(&self.events);
        events.release = Some(retry);
        events.wake();
    }

    /// Ends the stream without an answer.
    pub(in crate::http) fn end(&self) {
        let mut events = lock(&self.events);
        events.is_done = true;
        events.wake();
        self.room.notify_waiters();
    }

    fn is_done(&self) -> bool {
        lock(&self.events).is_done
    }

    /// Waits for the first event.
    pub(in crate::http) fn poll_first(&self, cx: &mut Context<'_>) -> Poll<First> {
        let mut events = lock(&self.events);
        if events.kept.is_empty() && events.release.is_none() && !events.is_done {
            events.waker = Some(cx.waker().clone());
            return Poll::Pending;
        }
        if events.kept.len() == 1
            && events.release.is_none()
            && let Some((status, error)) = events.answer.take()
        {
            events.sent = events.last();
            return Poll::Ready(First::Answer(events.kept[0].clone(), status, error));
        }
        Poll::Ready(First::Event)
    }

    /// Begins to read after that event. Whoever read before has its end.
    ///
    /// Without an event, that is where the last reader was.
    pub(super) fn read(&self, after: Option<u64>) -> (u64, u64) {
        let mut events = lock(&self.events);
        events.reader += 1;
        if let Some(after) = after {
            events.sent = after.clamp(events.dropped, events.last());
            // It may have more than is known here, when what it asked for earlier arrives late.
            self.room.notify_waiters();
        }
        events.wake();
        (events.reader, events.sent)
    }

    /// The events that come next, as they are written. `None` at the end of the stream.
    pub(super) fn poll_next(&self, reader: u64, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let mut guard = lock(&self.events);
        let events = &mut *guard;
        if events.reader != reader {
            return Poll::Ready(None);
        }
        let mut out = Vec::new();
        while events.sent < events.last() && out.len() < CHUNK {
            let at = usize::try_from(events.sent - events.dropped).expect("as many as are kept");
            events.sent += 1;
            event::push_numbered(&mut out, self.number, events.sent, &events.kept[at]);
        }
        if !out.is_empty() {
            let surplus = events.surplus();
            events.kept.drain(..surplus);
            events.dropped += surplus as u64;
            self.room.notify_waiters();
            return Poll::Ready(Some(out.into()));
        }
        if events.is_done {
            return Poll::Ready(None);
        }
        if let Some(retry) = events.release.take() {
            // The next one to read is the client when it comes back.
            events.reader += 1;
            return Poll::Ready(Some(format!("retry: {}\n\n", retry.as_millis()).into()));
        }
        events.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    /// Sends so many events of that size to a client that takes them all; the first that is still kept.
    async fn first_kept(events: usize, size: usize) -> u64 {
        let log = EventLog::new(1);
        let (reader, _) = log.read(None);
        for _ in 0..events {
            log.push(Bytes::from(vec![b'x'; size])).await;
            assert!(log.poll_next(reader, &mut Context::from_waker(Waker::noop())).is_ready());
        }
        let (_, sent) = log.read(Some(0));
        sent + 1
    }

    #[tokio::test]
    async fn what_is_kept_is_bounded_by_number_and_by_bytes() {
        assert_eq!(first_kept(256, 10).await, 1);
        assert_eq!(first_kept(300, 10).await, 45);
        assert_eq!(first_kept(32, 8 * 1024).await, 1);
        assert_eq!(first_kept(100, 8 * 1024).await, 69);
        assert_eq!(first_kept(2, 300 * 1024).await, 2, "the last one may have been lost on its way");
    }

    #[tokio::test]
    async fn what_has_not_been_sent_is_kept_however_large_it_is() {
        let log = EventLog::new(1);
        let (reader, _) = log.read(None);
        for _ in 0..4 {
            log.push(Bytes::from(vec![b'x'; 300 * 1024])).await;
        }
        for _ in 0..4 {
            let sent = log.poll_next(reader, &mut Context::from_waker(Waker::noop()));
            assert!(matches!(sent, Poll::Ready(Some(text)) if text.len() > 300 * 1024));
        }
    }
}
