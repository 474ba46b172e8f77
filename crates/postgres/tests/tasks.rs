//! Tasks in PostgreSQL, held to what every store of tasks must do.

use std::time::Duration;

use serde_json::{Value, json};
use towline_core::{
    Error, ErrorKind, Router, Server, TaskOptions, TaskRecord, TaskStatus, TaskStore, Tasks, TasksInMemory,
    ToolExt, tool_fn,
};
use towline_postgres::{DatabaseConfig, PostgresTasks};
use towline_scratch_postgres::Database;
use towline_transport::memory::{self, Client};

fn record(id: &str, revision: u64) -> TaskRecord {
    let created_at = std::time::UNIX_EPOCH.elapsed().unwrap().as_millis() as u64;
    serde_json::from_value(json!({
        "id": id, "owner": "alice", "revision": revision, "status": "working",
        "created_at": created_at, "updated_at": created_at, "ttl": 60_000, "poll_interval": 1000,
        "result": {"structuredContent": {"n": 12345678901234567890123_f64}},
    }))
    .unwrap()
}

/// What every store must do.
async fn keep_the_contract(store: &dyn TaskStore) {
    let missing = store.get("nothing").await.unwrap();
    assert_eq!(missing, None);
    assert_eq!(store.get("no\0thing").await.unwrap(), None);
    assert!(!store.replace(&record("nothing", 1), 0).await.unwrap());

    store.create(&record("a", 0)).await.unwrap();
    store.create(&record("b", 0)).await.unwrap();
    let kept = store.get("a").await.unwrap().unwrap();
    assert_eq!((kept.id.as_str(), kept.owner.as_deref(), kept.revision), ("a", Some("alice"), 0));
    assert_eq!(kept.result.unwrap().as_str(), record("a", 0).result.unwrap().as_str());

    let mut next = record("a", 1);
    next.status = TaskStatus::Completed;
    assert!(store.replace(&next, 0).await.unwrap());
    assert!(!store.replace(&record("a", 1), 0).await.unwrap(), "another was first");
    assert_eq!(store.get("a").await.unwrap(), Some(next));
    assert_eq!(store.get("b").await.unwrap().unwrap().revision, 0);
}

/// Of many who change a task at once, one wins each time.
async fn have_one_winner(store: &dyn TaskStore) {
    store.create(&record("raced", 0)).await.unwrap();
    for revision in 0..5 {
        let next = record("raced", revision + 1);
        let tries = (0..8).map(|_| store.replace(&next, revision));
        let won = futures_util::future::join_all(tries).await;
        assert_eq!(won.into_iter().filter(|won| *won.as_ref().unwrap()).count(), 1);
    }
}

async fn store() -> (Database, PostgresTasks) {
    let database = Database::fresh().unwrap();
    let store = PostgresTasks::new(&DatabaseConfig::new(database.url())).unwrap();
    store.create_table().await.unwrap();
    store.create_table().await.unwrap();
    (database, store)
}

#[tokio::test]
async fn both_stores_keep_the_contract() {
    let memory = TasksInMemory::default();
    keep_the_contract(&memory).await;
    have_one_winner(&memory).await;
    let (_database, store) = store().await;
    keep_the_contract(&store).await;
    have_one_winner(&store).await;
}

#[tokio::test]
async fn what_has_expired_is_swept() {
    let (database, store) = store().await;
    let mut old = record("old", 0);
    old.created_at -= 120_000;
    store.create(&old).await.unwrap();
    store.create(&record("new", 0)).await.unwrap();
    assert_eq!(database.run("SELECT string_agg(id, ',') FROM towline_tasks").unwrap().trim(), "new");
}

#[tokio::test]
async fn a_database_that_is_down_is_told_without_its_place() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let config = DatabaseConfig::new(format!("postgres://tasks:hunter2@127.0.0.1:{free}/x"));
    let error: Error = PostgresTasks::new(&config).unwrap().get("a").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(error.message(), "where tasks are kept cannot be reached at the moment");
    // Without its table it does not work either.
    let database = Database::fresh().unwrap();
    let error = PostgresTasks::new(&DatabaseConfig::new(database.url())).unwrap().get("a").await.unwrap_err();
    assert_eq!(error.message(), "where tasks are kept does not work at the moment");
}

fn replica(store: &PostgresTasks) -> Client {
    let tasks = Tasks::in_store(store.clone());
    let quick = tool_fn("quick", "Is done at once.", async || "done").into_task(&tasks, TaskOptions::new());
    let slow = tool_fn("slow", "Takes a minute.", async || {
        tokio::time::sleep(Duration::from_secs(60)).await;
        "slept"
    });
    let slow = slow.into_task(&tasks, TaskOptions::new());
    let server = Server::new(Router::new("test", "1").tasks(&tasks).tool(quick).tool(slow));
    memory::connect(server).capabilities(json!({"extensions": {"io.modelcontextprotocol/tasks": {}}}))
}

async fn result(client: &mut Client, method: &str, params: Value) -> Value {
    client.call(method, params).await.unwrap().result.expect(method)
}

async fn until(client: &mut Client, id: &Value, status: &str) -> Value {
    for _ in 0..500 {
        let task = result(client, "tasks/get", json!({"taskId": id})).await;
        if task["status"] == status {
            return task;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("it never was {status}");
}

#[tokio::test]
async fn any_replica_answers_and_cancels() {
    let (_database, store) = store().await;
    let store = store.believe_for(Duration::from_millis(600));
    let (mut one, mut other) = (replica(&store), replica(&store));
    let quick = result(&mut one, "tools/call", json!({"name": "quick"})).await["taskId"].take();
    let task = until(&mut other, &quick, "completed").await;
    assert_eq!(task["result"]["content"][0]["text"], "done");

    let slow = result(&mut one, "tools/call", json!({"name": "slow"})).await["taskId"].take();
    // It lives on for longer than a process is believed to without being heard of.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(until(&mut other, &slow, "working").await["status"], "working");
    result(&mut other, "tasks/cancel", json!({"taskId": slow})).await;
    until(&mut one, &slow, "cancelled").await;
}
