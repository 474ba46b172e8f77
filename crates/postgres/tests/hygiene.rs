//! Nothing that one caller does to a session reaches the next.
//!
//! These statements would not pass the SQL guard. Here they have passed.

mod support;

use serde_json::json;
use support::{json, query, scalar, single};
use towline_scratch_postgres::Database;

/// What a session keeps, as seen from within.
const STATE: &str = "SELECT
    (SELECT array_agg(name || '=' || setting ORDER BY name) FROM pg_settings WHERE source = 'session'),
    (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'),
    (SELECT array_agg(x) FROM pg_listening_channels() x),
    (SELECT count(*) FROM pg_class WHERE relpersistence = 't'),
    (SELECT count(*) FROM pg_prepared_statements WHERE from_sql),
    (SELECT count(*) FROM pg_cursors WHERE is_holdable),
    current_user, NULLIF(current_setting('app.who', true), ''), current_schemas(false),
    current_setting('transaction_read_only')";

#[tokio::test]
async fn a_function_that_touches_the_session_touches_only_its_own() {
    let database = Database::fresh().unwrap();
    let role = format!("{}_other", database.name());
    database.run(&format!("CREATE ROLE {role}; CREATE TABLE t (a int)")).unwrap();
    let pool = single(database.url());
    json(&pool, STATE).await; // tokio-postgres prepares its own
    let clean = json(&pool, STATE).await;
    let backend = scalar(&pool, "SELECT pg_backend_pid()").await;

    for sql in [
        "SELECT set_config('app.who', 'me', false)",
        "SELECT set_config('search_path', 'pg_temp', false)",
        "SELECT set_config('statement_timeout', '0', false)",
        "SELECT set_config('default_transaction_read_only', 'off', false)",
        &format!("SELECT set_config('role', '{role}', false)"),
        &format!("SELECT set_config('session_authorization', '{role}', false)"),
        "SELECT pg_advisory_lock(1), pg_advisory_lock_shared(2, 3)",
        "SELECT pg_notify('a', 'b')",
        "SELECT setseed(0.5)",
        "SELECT query_to_xml('SELECT pg_advisory_lock(7)', true, true, '')",
        "SELECT 1/0, pg_advisory_lock(8)",
        "SELECT pg_advisory_lock(9), n, 1/(3 - n) FROM generate_series(1, 5) n",
    ] {
        let _ = query(&pool, sql).await;
        assert_eq!(json(&pool, STATE).await, clean, "{sql}");
    }
    // It was cleared, not replaced.
    assert_eq!(scalar(&pool, "SELECT pg_backend_pid()").await, backend);
}

#[tokio::test]
async fn locks_are_gone_when_the_answer_is_there() {
    let database = Database::fresh().unwrap();
    let pool = single(database.url());
    for _ in 0..20 {
        scalar(&pool, "SELECT pg_advisory_lock(1) IS NULL").await;
        let held = database.run("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'");
        assert_eq!(held.unwrap().trim(), "0");
    }
}

#[tokio::test]
async fn a_session_that_escaped_its_transaction_is_cleared_all_the_same() {
    let database = Database::fresh().unwrap();
    database
        .run(
            "CREATE PROCEDURE escape(INOUT x int) LANGUAGE plpgsql AS $$
             BEGIN
               PERFORM set_config('app.who', 'me', false);
               EXECUTE 'LISTEN a';
               EXECUTE 'DECLARE c CURSOR WITH HOLD FOR SELECT 1';
               EXECUTE 'CREATE TEMP TABLE left_behind (a int)';
             END $$",
        )
        .unwrap();
    let pool = single(database.url());
    json(&pool, STATE).await;
    let clean = json(&pool, STATE).await;
    for sql in ["CALL escape(1)", "CALL escape(NULL)"] {
        let _ = query(&pool, sql).await;
        assert_eq!(json(&pool, STATE).await, clean, "{sql}");
    }

    // The same through the trusted door, which takes any statement: what COMMIT made last.
    for sql in [
        "SET app.who = 'me'",
        "SET search_path = pg_temp",
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE",
        "LISTEN a",
        "SELECT pg_advisory_lock(1)",
        "CREATE TEMP TABLE left_behind (a int)",
        "DECLARE c CURSOR WITH HOLD FOR SELECT 1",
    ] {
        let session = pool.read_only(pool.limits()).await.unwrap();
        session.rows("COMMIT", &[]).await.unwrap();
        session.rows("BEGIN READ WRITE", &[]).await.unwrap();
        session.rows(sql, &[]).await.unwrap();
        session.rows("COMMIT", &[]).await.unwrap();
        session.finish().await;
        assert_eq!(json(&pool, STATE).await, clean, "{sql}");
    }
}

#[tokio::test]
async fn a_caller_does_not_find_the_statements_of_another() {
    let database = Database::fresh().unwrap();
    let pool = single(database.url());
    scalar(&pool, "SELECT 'secret of another caller'").await;
    let found = scalar(
        &pool,
        "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%of another caller%' \
         AND statement NOT LIKE '%pg_prepared%'",
    )
    .await;
    assert_eq!(found, json!(0));
}
