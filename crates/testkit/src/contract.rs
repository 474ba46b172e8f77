//! What every implementation of a store must do, whoever wrote it.
//!
//! A store of your own passes if these return; they panic with what is wrong.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! towline_testkit::contract::task_store(&towline_core::TasksInMemory::default()).await;
//! towline_testkit::contract::used_states(&towline_core::UsedStatesInMemory::default()).await;
//! # }
//! ```

use std::time::{Duration, SystemTime};

use futures_util::future::join_all;
use serde_json::json;
use towline_core::{TaskRecord, TaskStatus, TaskStore, UsedStates};

/// A task with that id and revision, which begins now, belongs to alice and has a result.
///
/// # Panics
///
/// Panics if the clock is before 1970.
pub fn task(id: &str, revision: u64) -> TaskRecord {
    let now = SystemTime::UNIX_EPOCH.elapsed().expect("it is later than 1970");
    let now = u64::try_from(now.as_millis()).expect("it is no later than the year 584 million");
    serde_json::from_value(json!({
        "id": id, "owner": "alice", "revision": revision, "status": "working",
        "created_at": now, "updated_at": now, "ttl": 60_000, "poll_interval": 1000,
        "result": {"structuredContent": {"n": 12_345_678_901_234_567_890_123_f64}},
    }))
    .expect("a task")
}

/// Holds a store of tasks to its contract. It must not have the tasks `a`, `b` and `raced`.
///
/// # Panics
///
/// Panics with what the store does not do.
pub async fn task_store(store: &dyn TaskStore) {
    keeps_what_it_is_given(store).await;
    has_one_winner(store).await;
}

async fn keeps_what_it_is_given(store: &dyn TaskStore) {
    assert_eq!(get(store, "nothing").await, None, "a task that nobody created");
    assert_eq!(get(store, "no\0thing").await, None, "ids come from clients, and may be any text");
    assert!(!replace(store, &task("nothing", 1), 0).await, "what is not there cannot be replaced");

    for id in ["a", "b"] {
        store.create(&task(id, 0)).await.expect("a task can be created");
    }
    let kept = get(store, "a").await.expect("a task is there when `create` returns");
    assert_eq!((kept.id.as_str(), kept.owner.as_deref(), kept.revision), ("a", Some("alice"), 0));
    let result = |task: TaskRecord| task.result.map(|result| result.as_str().to_owned());
    assert_eq!(result(kept), result(task("a", 0)), "a result is kept as it is, to the letter");

    let mut next = task("a", 1);
    next.status = TaskStatus::Completed;
    assert!(replace(store, &next, 0).await, "a task is replaced if its revision is the expected one");
    assert!(!replace(store, &task("a", 1), 0).await, "and not if another was first");
    assert_eq!(get(store, "a").await, Some(next));
    assert_eq!(get(store, "b").await.map(|task| task.revision), Some(0), "other tasks stay as they are");
}

/// Of many who change a task at once, one wins each time.
async fn has_one_winner(store: &dyn TaskStore) {
    store.create(&task("raced", 0)).await.expect("a task can be created");
    for revision in 0..5 {
        let next = task("raced", revision + 1);
        let won = join_all((0..8).map(|_| replace(store, &next, revision))).await;
        assert_eq!(won.into_iter().filter(|won| *won).count(), 1, "of several who replace a task, one wins");
    }
}

async fn get(store: &dyn TaskStore, id: &str) -> Option<TaskRecord> {
    store.get(id).await.expect("the store can tell what it has")
}

async fn replace(store: &dyn TaskStore, task: &TaskRecord, expected: u64) -> bool {
    store.replace(task, expected).await.expect("the store can tell whether it replaced a task")
}

/// Holds a memory of used states to its contract. It must not know the ids that are sixteen times 201, 202 or 203.
///
/// # Panics
///
/// Panics with what it does not do.
pub async fn used_states(used: &dyn UsedStates) {
    let hour = Duration::from_secs(3600);
    let claim = async |id: u8| used.claim([id; 16], hour).await.expect("it can tell what was used");
    assert!(claim(201).await, "a state is good for its first use");
    assert!(!claim(201).await, "and for no other");
    assert!(claim(202).await, "states have nothing to do with each other");
    let won = join_all((0..8).map(|_| claim(203))).await;
    assert_eq!(won.into_iter().filter(|won| *won).count(), 1, "of several who use a state at once, one may");
}
