//! Clients that send more than anybody needs.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::json;
use tokio::task::{JoinSet, block_in_place};
use tokio::time::timeout;
use towline_scratch_postgres::Database;
use towline_soak::{Caller, Connection};

use crate::support::{figure, scale, server};

const PATIENCE: Duration = Duration::from_secs(20);
const CLIENTS: usize = 20;
/// What each sends at most: far more than a body may have.
const MEBIBYTES: usize = 32;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn endless_bodies_and_bombs_of_json_take_no_memory() {
    let database = block_in_place(Database::fresh).unwrap();
    let server = server(&database.url(), "").await;
    let mut caller = Caller::new(server.address(), PATIENCE);
    for _ in 0..50 {
        assert!(caller.call("execute_query", &json!({"query": "SELECT 7"})).await.unwrap().is_good());
    }
    let before = server.sample().unwrap();

    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        clients.spawn(endless(server.address(), MEBIBYTES * scale()));
    }
    let mut sent = 0;
    for (status, mebibytes) in clients.join_all().await {
        // One that is still sending may find the connection closed before it has read why.
        assert!(status.is_none_or(|status| status == 413), "{status:?}");
        sent += mebibytes;
    }
    let bodies = server.sample().unwrap();

    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        clients.spawn(bomb(server.address()));
    }
    for (status, code) in clients.join_all().await {
        assert_eq!((status, code), (400, -32600));
    }
    let bombs = server.sample().unwrap();
    assert!(caller.call("execute_query", &json!({"query": "SELECT 7"})).await.unwrap().is_good());
    // Each may have its mebibyte, and a second while that grows.
    let bound = 2 * 1024 * CLIENTS as u64 + 16 * 1024;
    let grown = bombs.peak_kib.saturating_sub(before.peak_kib);
    assert!(grown < bound, "{grown} KiB: {before:?} {bodies:?} {bombs:?}");
    figure(format_args!(
        "{CLIENTS} endless bodies ({sent} MiB sent) and {CLIENTS} bombs of a mebibyte at once: the most memory in use rose by {grown} KiB, \
         from {} KiB",
        before.peak_kib,
    ));
}

/// Sends a body in chunks until the server has enough, and tells what it answered and how much was sent.
async fn endless(address: SocketAddr, mebibytes: usize) -> (Option<u16>, usize) {
    let mut connection = Connection::open(address).await.unwrap();
    let head = format!(
        "POST /mcp HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n\
         Accept: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    connection.write(head.as_bytes()).await.unwrap();
    let chunk = format!("100000\r\n{}\r\n", "x".repeat(1 << 20));
    let mut sent = 0;
    while sent < mebibytes && connection.write(chunk.as_bytes()).await.is_ok() {
        sent += 1;
    }
    let answer = timeout(PATIENCE, connection.head()).await.expect("it is closed");
    (answer.ok().map(|head| head.status), sent)
}

/// Sends what becomes a hundred times as much if it is built, and tells the status and the code of the answer.
async fn bomb(address: SocketAddr) -> (u16, i64) {
    let mut connection = Connection::open(address).await.unwrap();
    let mut body = String::from(
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x","arguments":{"a":["#,
    );
    while body.len() < (1 << 20) - 100 {
        body.write_str(r#"{"":0},"#).unwrap();
    }
    body.push_str("0]}}}");
    connection.send("POST", "", &body).await.unwrap();
    let head = timeout(PATIENCE, connection.head()).await.expect("an answer").unwrap();
    let answer: serde_json::Value = serde_json::from_slice(&connection.body(&head).await.unwrap()).unwrap();
    (head.status, answer["error"]["code"].as_i64().unwrap_or_default())
}
