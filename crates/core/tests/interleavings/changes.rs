//! The registry of subscriptions.

#[allow(dead_code, unused_imports, unreachable_pub, reason = "the tests here use a part")]
#[path = "../../src/registry/changes.rs"]
mod source;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use shuttle::future::block_on;
use shuttle::thread;
use towline_core::Context;
use towline_core::protocol::SubscriptionFilter;

use self::source::{Change, Changes, Subscription};
use crate::explore;

/// How many subscriptions a client may have.
const PLACES: usize = 64;

fn subscribe(changes: &Changes) -> Option<Subscription> {
    let filter = SubscriptionFilter { tools_list_changed: true, ..SubscriptionFilter::default() };
    changes.subscribe(&filter, &Context::default()).ok()
}

/// A change that is told while the one before is being taken may be told together with it, but then it is seen with it.
pub(crate) fn what_changes_after_a_subscription_began_is_told() {
    const TELLERS: usize = 2;
    const EACH: usize = 3;
    explore(800, || {
        let changes = Changes::default();
        let subscriptions: Vec<_> = (0..2).map(|_| subscribe(&changes).unwrap()).collect();
        let version = Arc::new(AtomicUsize::new(0));
        let tellers = (0..TELLERS).map(|_| {
            let (changes, version) = (changes.clone(), Arc::clone(&version));
            thread::spawn(move || {
                for _ in 0..EACH {
                    version.fetch_add(1, SeqCst);
                    changes.tell(&Change::Tools);
                    changes.tell(&Change::Prompts);
                }
            })
        });
        let tellers: Vec<_> = tellers.collect();
        // One that comes and goes meanwhile.
        let passing = thread::spawn({
            let changes = changes.clone();
            move || drop(subscribe(&changes))
        });
        let readers = subscriptions.into_iter().map(|subscription| {
            let version = Arc::clone(&version);
            thread::spawn(move || {
                // Were the last change lost, this would wait for good.
                while version.load(SeqCst) < TELLERS * EACH {
                    assert_eq!(block_on(subscription.next()), Change::Tools);
                }
            })
        });
        let readers: Vec<_> = readers.collect();
        for thread in tellers.into_iter().chain(readers).chain([passing]) {
            thread.join().unwrap();
        }
        assert_eq!(changes.subscriptions(), 0);
    });
}

pub(crate) fn what_ends_while_others_begin_is_forgotten() {
    explore(150, || {
        let changes = Changes::default();
        let threads = (0..3).map(|_| {
            let changes = changes.clone();
            thread::spawn(move || {
                let first = subscribe(&changes).unwrap();
                changes.tell(&Change::Tools);
                assert_eq!(block_on(first.next()), Change::Tools);
                let second = subscribe(&changes).unwrap();
                drop(first);
                drop(second);
            })
        });
        let threads: Vec<_> = threads.collect();
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(changes.subscriptions(), 0);
        // Were one still counted, there would be a place less.
        let all: Vec<_> = (0..PLACES).map_while(|_| subscribe(&changes)).collect();
        assert_eq!(all.len(), PLACES);
    });
}

pub(crate) fn threads_that_race_for_the_last_place_get_one() {
    explore(150, || {
        let changes = Changes::default();
        let _others: Vec<_> = (1..PLACES).map(|_| subscribe(&changes).unwrap()).collect();
        let threads = (0..3).map(|_| {
            let changes = changes.clone();
            thread::spawn(move || subscribe(&changes))
        });
        let threads: Vec<_> = threads.collect();
        let got: Vec<_> = threads.into_iter().filter_map(|thread| thread.join().unwrap()).collect();
        assert_eq!(got.len(), 1);
    });
}
