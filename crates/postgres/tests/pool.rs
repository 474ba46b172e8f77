//! Pools in good and bad times.

mod support;

use std::time::{Duration, Instant};

use serde_json::json;
use support::{pool, query, scalar};
use towline_postgres::{DatabaseConfig, Pool, PostgresError};
use towline_scratch_postgres::{Cluster, Database};

/// An error may be shown, but neither it nor the pool may tell a secret or a place.
#[track_caller]
fn assert_is_safe(error: &PostgresError) {
    let text = error.to_string();
    for secret in ["hunter2", "127.0.0.1", "localhost", "reader", "/tmp", "os error"] {
        assert!(!text.contains(secret), "{text}");
    }
}

#[tokio::test]
async fn each_way_to_fail_has_its_own_error() {
    let database = Database::fresh().unwrap();
    let server = database.server();
    let role = format!("{}_reader", database.name());
    database.run(&format!("CREATE ROLE {role} LOGIN PASSWORD 'right'")).unwrap();

    let error = query(&pool(server.url_as(&role, "hunter2", database.name())), "SELECT 1").await;
    let error = error.unwrap_err();
    assert!(matches!(error, PostgresError::Authentication { .. }), "{error:?}");
    assert_is_safe(&error);

    let error = query(&pool(server.url_as(&role, "right", "no_such_database")), "SELECT 1").await;
    let error = error.unwrap_err();
    assert!(matches!(error, PostgresError::UnknownDatabase { .. }), "{error:?}");
    assert_is_safe(&error);

    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("postgres://reader:hunter2@127.0.0.1:{free}/x");
    let error = query(&pool(url), "SELECT 1").await.unwrap_err();
    assert!(matches!(error, PostgresError::Unreachable { .. }), "{error:?}");
    assert!(error.is_transient());
    assert_is_safe(&error);

    let url = "postgres://reader:hunter2@no-such-host.invalid/x";
    let error = query(&pool(url), "SELECT 1").await.unwrap_err();
    assert!(matches!(error, PostgresError::Unreachable { .. }), "{error:?}");
    assert_is_safe(&error);

    // A listener that never says a word.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("postgres://reader@127.0.0.1:{}/x", silent.local_addr().unwrap().port());
    let mut config = DatabaseConfig::new(url);
    config.create_timeout_ms = 200;
    let error = query(&Pool::new(config).unwrap(), "SELECT 1").await.unwrap_err();
    assert!(matches!(error, PostgresError::ConnectTimeout { .. }), "{error:?}");
    assert_is_safe(&error);

    // A server that speaks something else.
    let odd = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("postgres://reader@127.0.0.1:{}/x", odd.local_addr().unwrap().port());
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = odd.accept().await.unwrap();
            use tokio::io::AsyncWriteExt as _;
            let _ = socket.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    let error = query(&pool(url), "SELECT 1").await.unwrap_err();
    assert_is_safe(&error);
}

#[tokio::test]
async fn a_busy_pool_says_so_in_time() {
    let database = Database::fresh().unwrap();
    let mut config = DatabaseConfig::new(database.url());
    config.pool_max_size = 1;
    config.acquire_timeout_ms = 100;
    let pool = Pool::new(config).unwrap();
    scalar(&pool, "SELECT 1").await;
    let busy = tokio::spawn({
        let pool = pool.clone();
        async move { query(&pool, "SELECT pg_sleep(1)").await.map(drop) }
    });
    tokio::time::sleep(Duration::from_millis(100)).await;

    let start = Instant::now();
    let error = query(&pool, "SELECT 1").await.unwrap_err();
    assert!(matches!(error, PostgresError::Exhausted { .. }), "{error:?}");
    assert!(start.elapsed() < Duration::from_millis(800));
    assert!(!pool.health().await.is_up());

    busy.await.unwrap().unwrap();
    assert_eq!(scalar(&pool, "SELECT 1").await, json!(1));
    assert!(pool.health().await.is_up());
}

#[tokio::test]
async fn a_pool_outlives_its_server() {
    let mut cluster = Cluster::start().unwrap();
    let pool = pool(cluster.url("postgres"));
    cluster.stop().unwrap();

    let health = pool.health().await;
    assert!(!health.is_up());
    assert_eq!(health.problem.unwrap(), "database `default` is not reachable");

    cluster.restart().unwrap();
    assert_eq!(scalar(&pool, "SELECT 1").await, json!(1));
    // Several idle connections, all of which the restart kills: no caller notices.
    let calls = (0..4).map(|_| query(&pool, "SELECT pg_sleep(0.05)"));
    for result in futures_util::future::join_all(calls).await {
        result.unwrap();
    }
    assert!(pool.status().idle >= 4);
    cluster.restart().unwrap();
    for _ in 0..4 {
        assert_eq!(scalar(&pool, "SELECT 1").await, json!(1));
    }
    assert!(pool.health().await.is_up());
}

#[tokio::test]
async fn connections_that_the_server_ends_are_replaced() {
    let database = Database::fresh().unwrap();
    let pool = pool(database.url());
    for _ in 0..10 {
        assert_eq!(scalar(&pool, "SELECT 1").await, json!(1));
        database
            .run(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                 WHERE datname = current_database() AND application_name = 'towline'",
            )
            .unwrap();
    }
}

#[tokio::test]
async fn a_server_that_falls_silent_costs_a_bounded_time() {
    let cluster = Cluster::start().unwrap();
    let mut config = DatabaseConfig::new(cluster.url("postgres"));
    config.recycle_timeout_ms = 300;
    config.create_timeout_ms = 2000;
    config.statement_timeout_ms = 2000;
    let pool = Pool::new(config).unwrap();
    assert_eq!(scalar(&pool, "SELECT 1").await, json!(1));

    cluster.pause().unwrap();
    let start = Instant::now();
    let error = query(&pool, "SELECT 1").await.unwrap_err();
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    assert!(error.is_transient(), "{error:?}");
    cluster.resume().unwrap();
    assert_eq!(scalar(&pool, "SELECT 1").await, json!(1));

    // The same in the middle of a statement: the server's own timeout cannot come.
    let call = tokio::spawn({
        let pool = pool.clone();
        async move { query(&pool, "SELECT pg_sleep(1.5)").await.map(drop) }
    });
    tokio::time::sleep(Duration::from_millis(500)).await;
    cluster.pause().unwrap();
    let start = Instant::now();
    let error = call.await.unwrap().unwrap_err();
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    assert!(matches!(error, PostgresError::StatementTimeout { .. }), "{error:?}");
    cluster.resume().unwrap();
    assert_eq!(scalar(&pool, "SELECT 1").await, json!(1));
}

#[tokio::test]
async fn a_pool_never_has_more_connections_than_configured() {
    let database = Database::fresh().unwrap();
    let mut config = DatabaseConfig::new(database.url());
    config.pool_max_size = 3;
    let pool = Pool::new(config).unwrap();
    let calls = (0..30).map(|_| {
        scalar(
            &pool,
            "SELECT count(*) FROM pg_stat_activity, pg_sleep(0.01) \
             WHERE application_name = 'towline' AND datname = current_database()",
        )
    });
    for count in futures_util::future::join_all(calls).await {
        assert!(count.as_i64().unwrap() <= 3, "{count}");
    }
    assert_eq!(pool.status().open, 3);
}

#[tokio::test]
async fn trusted_statements_have_a_transaction_of_their_own() {
    let database = Database::fresh().unwrap();
    database.run("CREATE TABLE t AS SELECT n FROM generate_series(1, 3) n").unwrap();
    let pool = support::single(database.url());
    for _ in 0..3 {
        let rows = pool.catalog("SELECT n FROM t WHERE n > $1 ORDER BY n", &[&1]).await.unwrap();
        assert_eq!(rows.iter().map(|row| row.get::<_, i32>(0)).collect::<Vec<_>>(), [2, 3]);
    }
    let error = pool.catalog("DELETE FROM t", &[]).await.unwrap_err();
    assert!(error.to_string().contains("25006"), "{error}");

    let session = pool.read_only(pool.limits()).await.unwrap();
    let point = session.savepoint().await.unwrap();
    assert!(session.describe("SELECT nope FROM t").await.is_err());
    point.rollback().await.unwrap();
    let description = session.describe("SELECT n, $1::text[] AS x FROM t").await.unwrap();
    assert_eq!(description.params, ["_text"]);
    assert_eq!(description.columns[1].type_name, "text[]");
    session.finish().await;
    assert_eq!(scalar(&pool, "SELECT 1").await, json!(1));
}
