//! A statement of a caller: guarded and run.

use serde_json::value::RawValue;

use super::Pool;
use crate::config::Limits;
use crate::error::PostgresError;
use crate::execute::Rows;

/// Rows, and what is known of them.
#[derive(Debug)]
pub struct Answer {
    /// The rows.
    pub rows: Rows,
    /// Whether they depend on nothing but data, parameters, role and settings, so that they may be given again while
    /// the data is the same. Not so with `random()` or `now()`.
    pub is_cacheable: bool,
}

impl Pool {
    /// Runs a caller's statement if the guard lets it through.
    ///
    /// # Errors
    ///
    /// [`PostgresError::Refused`] if the guard refuses it, and whatever
    /// [`query_read_only`](Self::query_read_only) fails with.
    pub async fn query(
        &self,
        sql: &str,
        params: &[&RawValue],
        limits: Limits,
    ) -> Result<Answer, PostgresError> {
        let is_cacheable = self.check(sql).await?.is_cacheable();
        let rows = self.query_read_only(sql, params, limits).await?;
        Ok(Answer { rows, is_cacheable })
    }
}
