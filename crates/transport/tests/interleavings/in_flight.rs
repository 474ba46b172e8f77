//! The table of requests that run.

#[allow(dead_code, unused_imports, unreachable_pub, reason = "the tests here use a part")]
#[path = "../../src/in_flight.rs"]
mod source;

use std::future::pending;
use std::sync::Arc;

use shuttle::thread;
use tokio::runtime::Builder;
use tokio::task::yield_now;

use self::source::InFlight;
use crate::explore;

/// Two requests have the same id, so that one may begin while the other is being finished or cancelled.
pub(crate) fn a_request_is_answered_or_cancelled_and_never_both() {
    explore(800, || {
        let table = InFlight::default();
        // Its tasks stand for the futures of the requests: all that happens to them is that they are aborted.
        let runtime = Arc::new(Builder::new_current_thread().build().unwrap());
        let clients = [1, 1, 2].map(|id| {
            let (table, runtime) = (table.clone(), Arc::clone(&runtime));
            thread::spawn(move || {
                let mut running = None;
                let is_started = table.start(&id.into(), |ticket| {
                    let task = runtime.spawn(pending::<()>());
                    let handle = task.abort_handle();
                    // No more than one may answer, whoever they are.
                    let finishers = [(); 2].map(|()| {
                        let table = table.clone();
                        thread::spawn(move || table.finish(&id.into(), ticket))
                    });
                    running = Some((task, finishers));
                    handle
                });
                assert_eq!(is_started, running.is_some());
                let (task, finishers) = running?;
                let answers = finishers.map(|finisher| usize::from(finisher.join().unwrap()));
                Some((task, answers.iter().sum::<usize>()))
            })
        });
        let cancel = thread::spawn({
            let table = table.clone();
            move || table.cancel(&1.into())
        });
        let cancel_all = thread::spawn({
            let table = table.clone();
            move || table.cancel_all()
        });
        let outcomes = clients.map(|client| client.join().unwrap());
        cancel.join().unwrap();
        cancel_all.join().unwrap();

        // Those that were aborted end now.
        runtime.block_on(async {
            for _ in 0..8 {
                yield_now().await;
            }
        });
        for (task, answers) in outcomes.into_iter().flatten() {
            assert_eq!(answers + usize::from(task.is_finished()), 1, "answers: {answers}");
        }
        for id in [1, 2] {
            let spawn = |_| runtime.spawn(async {}).abort_handle();
            assert!(table.start(&id.into(), spawn), "{id} is left in the table");
        }
    });
}
