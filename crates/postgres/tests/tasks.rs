//! Tasks in PostgreSQL, held to what every store of tasks must do.

use std::time::Duration;

use serde_json::{Value, json};
use towline_core::{
    Error, ErrorKind, Router, Server, TaskOptions, TaskStore, Tasks, TasksInMemory, ToolExt, tool_fn,
};
use towline_postgres::{DatabaseConfig, PostgresTasks};
use towline_scratch_postgres::Database;
use towline_testkit::contract;
use towline_transport::memory::{self, Client};

async fn store() -> (Database, PostgresTasks) {
    let database = Database::fresh().unwrap();
    let store = PostgresTasks::new(&DatabaseConfig::new(database.url())).unwrap();
    store.create_table().await.unwrap();
    store.create_table().await.unwrap();
    (database, store)
}

#[tokio::test]
async fn both_stores_keep_the_contract() {
    contract::task_store(&TasksInMemory::default()).await;
    let (_database, store) = store().await;
    contract::task_store(&store).await;
}

#[tokio::test]
async fn what_has_expired_is_swept() {
    let (database, store) = store().await;
    let mut old = contract::task("old", 0);
    old.created_at -= 120_000;
    store.create(&old).await.unwrap();
    store.create(&contract::task("new", 0)).await.unwrap();
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
