//! Clients that send so slowly that they would never be done.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::task::{JoinSet, block_in_place};
use tokio::time::{sleep, timeout};
use towline_scratch_postgres::Database;
use towline_soak::{Answer, Connection};

use crate::load::Load;
use crate::support::{figure, server, sleeps};

const PATIENCE: Duration = Duration::from_secs(10);
const CLIENTS: usize = 200;
/// The server's `header_timeout`, and the tick in which it looks.
const HEAD: Duration = Duration::from_secs(11);
/// The server's `body_timeout`.
const BODY: Duration = Duration::from_secs(16);
const SLACK: Duration = Duration::from_secs(4);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_heads_and_bodies_are_cut_off_while_others_are_served() {
    let database = block_in_place(Database::fresh).unwrap();
    let server = server(&database.url(), "").await;
    let load = Load::start(server.address(), 4, PATIENCE, "execute_query", &sleeps(Duration::ZERO));

    let mut slow = JoinSet::new();
    for number in 0..CLIENTS {
        slow.spawn(trickle(server.address(), number % 2 == 0));
    }
    let mut longest = [Duration::ZERO; 2];
    while let Some(ended) = slow.join_next().await {
        let (is_head, took, answer) = ended.unwrap();
        let (bound, status) = if is_head { (HEAD, None) } else { (BODY, Some(408)) };
        assert!(took < bound + SLACK, "{took:?}, a head: {is_head}");
        assert_eq!(answer, status, "a head: {is_head}");
        let longest = &mut longest[usize::from(is_head)];
        *longest = took.max(*longest);
    }
    let others = load.stop().await;
    assert!(others.answers().all(Answer::is_good), "{}", others.kinds());
    let (p50, p99) = others.percentiles();
    figure(format_args!(
        "{CLIENTS} slow clients: heads cut off after {:.1} s, bodies answered with 408 after {:.1} s; {} calls of others, \
         p50 {:.1} ms, p99 {:.1} ms, none lost",
        longest[1].as_secs_f64(),
        longest[0].as_secs_f64(),
        others.0.len(),
        p50.as_secs_f64() * 1e3,
        p99.as_secs_f64() * 1e3,
    ));
}

/// Sends a byte each half second until the server has enough, and tells how long that took and what it answered.
async fn trickle(address: SocketAddr, is_head: bool) -> (bool, Duration, Option<u16>) {
    let begun = Instant::now();
    let mut connection = Connection::open(address).await.unwrap();
    let head = format!("POST /mcp HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n");
    let length = "Accept: application/json, text/event-stream\r\nContent-Length: 1000\r\n\r\n{";
    let start = if is_head { format!("{head}X-Slow: ") } else { format!("{head}{length}") };
    connection.write(start.as_bytes()).await.unwrap();
    loop {
        // Whatever comes is the end.
        match timeout(Duration::from_millis(500), connection.head()).await {
            Ok(answer) => return (is_head, begun.elapsed(), answer.ok().map(|head| head.status)),
            Err(_) => {
                if connection.write(b"x").await.is_err() {
                    // It is over; the answer, if there is one, came before.
                    sleep(Duration::from_millis(10)).await;
                }
            }
        }
    }
}
