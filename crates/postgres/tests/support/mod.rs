//! What the tests of this crate share.
#![allow(dead_code, unreachable_pub)] // Each test binary uses a part of it.

use serde_json::Value;
use serde_json::value::RawValue;
use towline_postgres::{DatabaseConfig, Pool, PostgresError, Rows};

/// Runs a statement with the pool's own limits.
pub async fn query(pool: &Pool, sql: &str) -> Result<Rows, PostgresError> {
    pool.query_read_only(sql, &[], pool.limits()).await
}

/// Runs a statement with parameters, given as one JSON array.
pub async fn query_with(pool: &Pool, sql: &str, params: &str) -> Result<Rows, PostgresError> {
    let params: Vec<&RawValue> = serde_json::from_str(params).unwrap();
    pool.query_read_only(sql, &params, pool.limits()).await
}

/// The rows' JSON, as text.
pub async fn json(pool: &Pool, sql: &str) -> String {
    query(pool, sql).await.unwrap().rows.get().to_owned()
}

/// The one value of the one row.
pub async fn scalar(pool: &Pool, sql: &str) -> Value {
    let rows = query(pool, sql).await.unwrap();
    let mut rows: Vec<Vec<Value>> = serde_json::from_str(rows.rows.get()).unwrap();
    assert_eq!((rows.len(), rows[0].len()), (1, 1), "{sql}");
    rows.remove(0).remove(0)
}

/// A pool with one connection, so that each caller gets what the one before left.
pub fn single(url: impl Into<String>) -> Pool {
    let mut config = DatabaseConfig::new(url);
    config.pool_max_size = 1;
    Pool::new(config).unwrap()
}

pub fn pool(url: impl Into<String>) -> Pool {
    Pool::new(DatabaseConfig::new(url)).unwrap()
}
