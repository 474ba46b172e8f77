//! The events of a session's stream.

#[allow(dead_code, unused_imports, unreachable_pub, reason = "the tests here use a part")]
#[path = "../../src/http/session/log.rs"]
mod log;

use std::future::poll_fn;

use bytes::Bytes;
use http::StatusCode;
use shuttle::future::block_on;
use shuttle::rand::{Rng, thread_rng};
use shuttle::sync::mpsc::channel;
use shuttle::thread;

use self::log::{EventLog, Logs};
use crate::explore;
use crate::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many events wait for the client.
const WAITING: u64 = 64;

/// What the source knows its parent by.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Pushes events whose text is their number.
fn push(log: &EventLog, numbers: std::ops::RangeInclusive<u64>) {
    for number in numbers {
        block_on(log.push(number.to_string().into()));
    }
}

fn finish(log: &EventLog, number: u64) {
    log.finish(number.to_string().into(), StatusCode::OK, None);
}

fn next(log: &EventLog, reader: u64) -> Option<Bytes> {
    block_on(poll_fn(|cx| log.poll_next(reader, cx)))
}

/// The numbers of some events, which must be those in their texts.
fn numbers(events: &[u8]) -> Vec<u64> {
    let events = std::str::from_utf8(events).unwrap().split_terminator("\n\n");
    let number = |event: &str| {
        let (id, text) = event.split_once("\nevent: message\ndata: ").unwrap();
        let number = id.strip_prefix("id: 1_").unwrap();
        assert_eq!(number, text);
        number.parse().unwrap()
    };
    events.map(number).collect()
}

/// Each connection is read by a thread of the server, which goes on when the client has turned to the next one. What the
/// client does not take of the earlier one is what it comes back for.
pub(crate) fn a_client_that_comes_back_misses_nothing() {
    const LAST: u64 = WAITING + 40;
    explore(60, || {
        let logs = Logs::default();
        let log = logs.begin();
        let pusher = thread::spawn({
            let log = Arc::clone(&log);
            move || {
                push(&log, 1..=LAST - 1);
                finish(&log, LAST);
            }
        });
        let mut seen = 0;
        let mut connections = Vec::new();
        for connection in 0.. {
            let (log, after) = logs.find(&format!("1_{seen}")).unwrap();
            let (reader, at) = log.read(Some(after));
            assert_eq!(at, seen, "what it comes back for is not kept");
            let (wire, arrived) = channel();
            connections.push(thread::spawn(move || {
                while let Some(events) = next(&log, reader) {
                    let _ = wire.send(events); // the client may have turned away
                }
            }));
            let is_last = connection == 3;
            let patience = if is_last { usize::MAX } else { thread_rng().gen_range(0..4) };
            for events in arrived.iter().take(patience) {
                for number in numbers(&events) {
                    assert_eq!(number, seen + 1, "lost, told twice or out of order");
                    seen = number;
                }
            }
            if is_last {
                break;
            }
        }
        assert_eq!(seen, LAST);
        for thread in connections.into_iter().chain([pusher]) {
            thread.join().unwrap();
        }
    });
}

/// Nobody reads.
pub(crate) fn who_waits_for_room_is_woken_when_the_stream_ends() {
    for end in [|log: &EventLog| finish(log, 0), EventLog::end] {
        explore(50, move || {
            let log = Logs::default().begin();
            push(&log, 1..=WAITING);
            let pusher = thread::spawn({
                let log = Arc::clone(&log);
                move || push(&log, WAITING + 1..=WAITING + 1)
            });
            end(&log);
            pusher.join().unwrap();
        });
    }
}

/// A client has received more than the server believes when an earlier request of its to come back arrives late.
pub(crate) fn who_waits_for_room_is_woken_by_a_client_that_is_ahead() {
    explore(50, || {
        let log = Logs::default().begin();
        push(&log, 1..=WAITING);
        let pusher = thread::spawn({
            let log = Arc::clone(&log);
            move || push(&log, WAITING + 1..=WAITING + 1)
        });
        let (reader, _) = log.read(Some(WAITING));
        assert_eq!(numbers(&next(&log, reader).unwrap()), [WAITING + 1]);
        pusher.join().unwrap();
    });
}
