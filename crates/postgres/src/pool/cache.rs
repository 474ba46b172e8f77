//! Results that may be served again.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use moka::future::Cache;
use serde_json::value::RawValue;
use tokio::time::Instant;

use crate::config::{DatabaseConfig, Limits};
use crate::error::PostgresError;
use crate::execute::Rows;

/// Who a call is made for. An authentication layer attaches it to a request's extensions; without
/// it all callers are one.
///
/// Cached results are kept for each caller apart, so that none sees what was read for another.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Caller(pub Arc<str>);

/// Rows, and since when they are known.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The rows.
    pub rows: Arc<Rows>,
    /// How old they are if they come from the cache.
    pub cached_for: Option<Duration>,
}

/// Everything that a result depends on, but for the database: each has a cache of its own.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    caller: Option<Caller>,
    sql: Arc<str>,
    /// The values as they were written, NUL between them: JSON text holds none.
    params: Arc<str>,
    limits: Limits,
}

#[derive(Clone)]
struct Entry {
    rows: Arc<Rows>,
    at: Instant,
}

pub(crate) struct ResultCache {
    entries: Cache<Key, Entry>,
    ttl: Duration,
}

impl ResultCache {
    /// `None` when the database's results are not to be cached.
    pub(super) fn new(config: &DatabaseConfig) -> Option<Self> {
        if config.cache_ttl_ms == 0 {
            return None;
        }
        let ttl = Duration::from_millis(config.cache_ttl_ms);
        let entries = Cache::builder()
            .max_capacity(config.cache_max_bytes)
            .time_to_live(ttl)
            .weigher(|key: &Key, entry: &Entry| {
                let columns: usize = entry.rows.columns.iter().map(|column| column.name.len() + 64).sum();
                let bytes = key.sql.len() + key.params.len() + entry.rows.rows.get().len() + columns;
                u32::try_from(bytes + 256).unwrap_or(u32::MAX)
            })
            .build();
        Some(Self { entries, ttl })
    }

    /// The rows of this call, from the cache or from `run`, which several callers wait for together.
    pub(super) async fn get<F>(
        &self,
        caller: Option<&Caller>,
        sql: &str,
        params: &[&RawValue],
        limits: Limits,
        run: F,
    ) -> Result<Answer, Arc<PostgresError>>
    where
        F: Future<Output = Result<Rows, PostgresError>>,
    {
        let params: Vec<&str> = params.iter().map(|value| value.get()).collect();
        let key = Key { caller: caller.cloned(), sql: sql.into(), params: params.join("\0").into(), limits };
        let asked = Instant::now();
        if let Some(entry) = self.entries.get(&key).await {
            let age = entry.at.elapsed();
            if age < self.ttl {
                return Ok(Answer { rows: entry.rows, cached_for: Some(age) });
            }
            self.entries.invalidate(&key).await;
        }
        let run = async { run.await.map(|rows| Entry { rows: Arc::new(rows), at: Instant::now() }) };
        let entry = self.entries.try_get_with(key, run).await?;
        // Rows that another caller was already waiting for are as fresh as one's own.
        let cached_for = (entry.at < asked).then(|| entry.at.elapsed());
        Ok(Answer { rows: entry.rows, cached_for })
    }
}

impl fmt::Debug for ResultCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResultCache").field("ttl", &self.ttl).finish_non_exhaustive()
    }
}
