//! Clients that stop reading, and clients that go away.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::task::block_in_place;
use tokio::time::{sleep, timeout};
use towline_scratch_postgres::Database;
use towline_soak::{Answer, Caller, Connection, Error};

use crate::load::Load;
use crate::support::{at_rest, figure, server, sleeps, until};

const PATIENCE: Duration = Duration::from_secs(10);
/// The server gives up a client that takes nothing for 30 seconds, and looks each second.
const WRITE_TIMEOUT: Duration = Duration::from_secs(31);
const SLACK: Duration = Duration::from_secs(5);

/// Each of them asks for a quarter of a megabyte so many times, which no socket holds.
const READERS: usize = 16;
const ANSWERS: u64 = 40;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_that_stop_are_let_go_and_hold_up_nobody() {
    let database = block_in_place(Database::fresh).unwrap();
    let server = server(&database.url(), "").await;
    let mut caller = Caller::new(server.address(), PATIENCE);
    let large = json!({"query": "SELECT repeat('x', 2000) AS x FROM generate_series(1, 120)"});
    // What is made once is kept, and so are connections to the database.
    for _ in 0..20 {
        assert!(caller.call("execute_query", &large).await.unwrap().is_good());
    }
    let many = Load::start(server.address(), READERS, PATIENCE, "execute_query", &sleeps(Duration::ZERO));
    sleep(Duration::from_secs(2)).await;
    many.stop().await;
    let before = at_rest(&server).await;

    let begun = Instant::now();
    let mut deaf = Vec::new();
    for _ in 0..READERS {
        let mut connection = Connection::open_narrow(server.address()).await.unwrap();
        for id in 0..ANSWERS {
            let params = json!({"name": "execute_query", "arguments": large});
            // One that is full takes no more, which is what this is about.
            let asked = connection.ask("tools/call", Some("execute_query"), params, id);
            if timeout(Duration::from_secs(1), asked).await.is_err() {
                break;
            }
        }
        deaf.push(connection);
    }
    // What they have asked for is made until they hold no more.
    let begun_to_wait = begun.elapsed();
    sleep(Duration::from_secs(5)).await;
    let load = Load::start(server.address(), 4, PATIENCE, "execute_query", &sleeps(Duration::ZERO));
    sleep(Duration::from_secs(5)).await;
    let others = load.stop().await;
    assert!(others.answers().all(Answer::is_good), "{}", others.kinds());
    let during = server.sample().unwrap();
    assert!(during.descriptors >= before.descriptors + READERS, "{during:?} {before:?}");
    // An answer that nobody takes is held, and no second one is made behind it.
    let held = during.memory_kib.saturating_sub(before.memory_kib);
    assert!(held < 64 * 1024, "{held} KiB for {READERS} readers");

    let bound = begun_to_wait + WRITE_TIMEOUT + SLACK;
    // The callers' own connections have ended with them.
    until("all are let go", bound, async || Ok(server.sample()?.descriptors <= before.descriptors)).await;
    let gone = begun.elapsed() - begun_to_wait;
    drop(deaf);
    let (p50, p99) = others.percentiles();
    figure(format_args!(
        "{READERS} readers that stop: let go after {:.1} s; {held} KiB held meanwhile; {} calls of others, p50 {:.1} ms, p99 {:.1} ms",
        gone.as_secs_f64(),
        others.0.len(),
        p50.as_secs_f64() * 1e3,
        p99.as_secs_f64() * 1e3,
    ));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_go_away_leave_nothing_running() {
    const CLIENTS: usize = 200;
    let database = block_in_place(Database::fresh).unwrap();
    let server = server(&database.url(), "").await;
    let mut caller = Caller::new(server.address(), PATIENCE);
    let soon = sleeps(Duration::ZERO);
    assert!(caller.call("execute_query", &soon).await.unwrap().is_good());
    let running = || {
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%pg_sleep(%' \
                   AND state = 'active' AND pid <> pg_backend_pid()";
        Ok::<usize, Error>(block_in_place(|| database.run(sql))?.trim().parse()?)
    };

    let mut connections = Vec::new();
    for id in 0..CLIENTS {
        let mut connection = Connection::open(server.address()).await.unwrap();
        let params = json!({"name": "execute_query", "arguments": sleeps(Duration::from_secs(8))});
        connection.ask("tools/call", Some("execute_query"), params, id as u64).await.unwrap();
        connections.push(connection);
    }
    until("all connections to the database are busy", PATIENCE, async || Ok(running()? == 8)).await;
    let begun = Instant::now();
    drop(connections);
    until("nothing runs", Duration::from_secs(5), async || Ok(running()? == 0)).await;
    let stopped = begun.elapsed();
    let answer = caller.call("execute_query", &soon).await.unwrap();
    assert!(answer.is_good(), "{answer:?}");
    figure(format_args!(
        "{CLIENTS} clients that go away in a call: what they began has stopped in PostgreSQL after {:.2} s; the next call took {:.1} ms",
        stopped.as_secs_f64(),
        answer.took.as_secs_f64() * 1e3,
    ));
}
