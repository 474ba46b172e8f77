//! Who goes away takes the statement along.

mod support;

use std::time::{Duration, Instant};

use serde_json::json;
use support::{pool, query, scalar, single};
use towline_scratch_postgres::{Database, Server};

/// How many of the pack's statements match, seen from outside.
fn running(server: &Server, database: &str, pattern: &str) -> u32 {
    let sql = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = '{database}' \
         AND application_name = 'towline' AND state = 'active' AND query LIKE '{pattern}'"
    );
    server.run("postgres", &sql).unwrap().trim().parse().unwrap()
}

async fn until(what: &str, mut done: impl FnMut() -> bool) -> Duration {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(5), "never: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    start.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_call_stops_its_statement_in_the_server() {
    let database = Database::fresh().unwrap();
    let (server, name) = (database.server(), database.name());
    let pool = single(database.url());
    for _ in 0..3 {
        let call = tokio::spawn({
            let pool = pool.clone();
            async move { query(&pool, "SELECT pg_sleep(8)").await.map(drop) }
        });
        until("it runs", || running(server, name, "%pg_sleep%") == 1).await;
        call.abort();
        let took = until("it stops", || running(server, name, "%pg_sleep%") == 0).await;
        assert!(took < Duration::from_secs(2), "{took:?}");
        // The pool has one connection only, and no late cancel request hits its next statement.
        for _ in 0..20 {
            assert_eq!(scalar(&pool, "SELECT 1").await, json!(1));
        }
    }
    assert_eq!(pool.status().open, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_ignores_the_cancel_loses_its_connection() {
    let database = Database::fresh().unwrap();
    database
        .run(
            "CREATE FUNCTION stubborn() RETURNS void LANGUAGE plpgsql AS $$
             DECLARE until timestamptz := clock_timestamp() + interval '6 s';
             BEGIN
               WHILE clock_timestamp() < until LOOP
                 BEGIN PERFORM pg_sleep(0.5); EXCEPTION WHEN query_canceled THEN END;
               END LOOP;
             END $$",
        )
        .unwrap();
    let (server, name) = (database.server(), database.name());
    let pool = single(database.url());
    let call = tokio::spawn({
        let pool = pool.clone();
        async move { query(&pool, "SELECT stubborn()").await.map(drop) }
    });
    until("it runs", || running(server, name, "%stubborn%") == 1).await;
    call.abort();
    let _ = call.await;
    // Its place is kept while the server works on it, but not for ever.
    assert_eq!(pool.status().open, 1);
    let took = until("its place is free", || pool.status().open == 0).await;
    assert!(took > Duration::from_millis(1500) && took < Duration::from_secs(3), "{took:?}");
    assert_eq!(scalar(&pool, "SELECT 1").await, json!(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_dropped_at_any_moment_leave_a_working_pool() {
    let database = Database::fresh().unwrap();
    let mut config = towline_postgres::DatabaseConfig::new(database.url());
    config.pool_max_size = 2;
    let pool = towline_postgres::Pool::new(config).unwrap();
    scalar(&pool, "SELECT 1").await;
    for step in 0..60_u64 {
        let call = query(&pool, "SELECT n, pg_sleep(0.0005) FROM generate_series(1, 5) n");
        let _ = tokio::time::timeout(Duration::from_micros(step * 100), call).await;
    }
    for n in 0..10 {
        assert_eq!(scalar(&pool, &format!("SELECT {n}")).await, json!(n));
    }
    let (server, name) = (database.server(), database.name());
    until("nothing runs", || running(server, name, "%generate_series%") == 0).await;
    assert!(pool.status().open <= 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_cut_off_in_the_middle_stops_its_statement() {
    let database = Database::fresh().unwrap();
    let (server, name) = (database.server(), database.name());
    let pool = pool(database.url());
    let limits = pool.limits().with_max_bytes(20_000);
    // The first slice has enough; the statement is never asked for the rest.
    let sql = "SELECT repeat('x', 5000), CASE WHEN n > 200 THEN pg_sleep(3) END \
               FROM generate_series(1, 400) n";
    let start = Instant::now();
    let rows = pool.query_read_only(sql, &[], limits).await.unwrap();
    assert_eq!(rows.row_count, 3);
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    let took = until("it stops", || running(server, name, "%repeat%") == 0).await;
    assert!(took < Duration::from_secs(2), "{took:?}");
}
