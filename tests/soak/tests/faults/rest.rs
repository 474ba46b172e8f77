//! When all is over, a server has what it began with.

use std::time::Duration;

use serde_json::json;
use tokio::task::{JoinSet, block_in_place};
use tokio::time::sleep;
use towline_scratch_postgres::Cluster;
use towline_soak::{Caller, Connection, DatabaseServer};

use crate::support::{at_rest, figure, scale, server, sleeps};

const PATIENCE: Duration = Duration::from_secs(20);
const CLIENTS: usize = 32;
/// How many times each client does all that it can.
const ROUNDS: usize = 12;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_and_descriptors_return_to_what_they_were() {
    // Over its socket, without a password: each statement that is cancelled costs a connection.
    let cluster = block_in_place(Cluster::start).unwrap();
    let server = server(&cluster.socket_url("postgres"), "").await;
    let start = server.sample().unwrap();
    // The same load makes what is made once, such as connections to the database.
    let mut requests = run(&server, ROUNDS / 2).await;
    let before = at_rest(&server).await;
    requests += run(&server, ROUNDS * scale()).await;
    let after = at_rest(&server).await;
    assert_eq!(after.more_than(&before), Vec::<String>::new());
    figure(format_args!(
        "{requests} requests, a quarter each answered, refused, cancelled and half-sent: {} KiB at the start, {} KiB after a warm-up, \
         {} KiB in the end; {} descriptors, then {}",
        start.memory_kib, before.memory_kib, after.memory_kib, before.descriptors, after.descriptors,
    ));
}

/// Lets all clients do all that they can, so many times, and tells how many requests that was.
async fn run(server: &DatabaseServer, rounds: usize) -> usize {
    let address = server.address();
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        clients.spawn(async move {
            let mut caller = Caller::new(address, PATIENCE);
            for round in 0..rounds {
                let answer = caller.call("execute_query", &sleeps(Duration::ZERO)).await.unwrap();
                assert!(answer.is_good(), "{answer:?}");
                let refused = caller.call("execute_query", &json!({"query": "DROP TABLE t"})).await.unwrap();
                assert!(!refused.is_good(), "{refused:?}");
                // Cancelled.
                let mut connection = Connection::open(address).await.unwrap();
                let params = json!({"name": "execute_query", "arguments": sleeps(Duration::from_millis(500))});
                connection.ask("tools/call", Some("execute_query"), params, round as u64).await.unwrap();
                sleep(Duration::from_millis(5)).await;
                drop(connection);
                // Half-sent, with a head of which one believes that more follows.
                let mut connection = Connection::open(address).await.unwrap();
                let half = format!(
                    "POST /mcp HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: 9999\r\n\r\n{{"
                );
                connection.write(half.as_bytes()).await.unwrap();
            }
        });
    }
    clients.join_all().await;
    CLIENTS * rounds * 4
}
