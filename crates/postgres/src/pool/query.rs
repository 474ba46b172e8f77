//! A statement of a caller: guarded, run, and perhaps cached.

use std::sync::Arc;

use serde_json::value::RawValue;

use super::Pool;
use super::cache::{Answer, Caller};
use crate::config::Limits;
use crate::error::PostgresError;

impl Pool {
    /// Runs a caller's statement if the guard lets it through.
    ///
    /// Where the configuration asks for a cache, a statement whose result depends on nothing but
    /// data and parameters may be answered from it, for the same caller only.
    ///
    /// # Errors
    ///
    /// [`PostgresError`], shared with those who waited for the same rows.
    pub async fn query(
        &self,
        sql: &str,
        params: &[&RawValue],
        limits: Limits,
        caller: Option<&Caller>,
    ) -> Result<Answer, Arc<PostgresError>> {
        let checked = self.check(sql).await?;
        let run = self.query_read_only(sql, params, limits);
        match &self.inner().cache {
            Some(cache) if checked.is_cacheable() => cache.get(caller, sql, params, limits, run).await,
            _ => Ok(Answer { rows: Arc::new(run.await?), cached_for: None }),
        }
    }
}
