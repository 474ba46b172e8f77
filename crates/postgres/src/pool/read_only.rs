//! A read-only transaction for statements that this crate wrote itself.

use std::fmt::Write as _;
use std::time::Duration;

use futures_util::future::try_join;
use tokio::time::{Instant, timeout};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::lease::within;
use super::{Lease, Pool, tell};
use crate::config::{DatabaseConfig, Limits};
use crate::error::{PostgresError, is_lost};
use crate::execute::ColumnInfo;

/// Statements kept prepared on a connection at most.
const MAX_CACHED: usize = 128;

/// A read-only transaction on one connection, for statements that are trusted: text of this
/// program, with values as parameters. It is always rolled back.
///
/// Statements stay prepared on the connection. Dropping it cancels what runs; give it back with
/// [`finish`](Self::finish).
pub struct ReadOnly {
    lease: Lease,
    database: String,
    limits: Limits,
}

/// What a statement takes and gives, without running it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Description {
    /// The types of its parameters, by PostgreSQL's names.
    pub params: Vec<String>,
    /// The columns of its result.
    pub columns: Vec<ColumnInfo>,
}

impl Pool {
    /// Begins a read-only transaction for trusted statements.
    ///
    /// # Errors
    ///
    /// [`PostgresError`] if there is no connection. One that has died is replaced once.
    pub async fn read_only(&self, limits: Limits) -> Result<ReadOnly, PostgresError> {
        match self.begin(limits).await {
            Err(PostgresError::Lost { .. }) => {
                self.drop_idle();
                self.begin(limits).await
            }
            other => other,
        }
    }

    /// Runs one trusted statement in a read-only transaction and returns all its rows.
    ///
    /// Meant for the catalog. A result that a caller shapes goes through
    /// [`query_read_only`](Self::query_read_only), which bounds it.
    ///
    /// # Errors
    ///
    /// [`PostgresError`], as any statement.
    pub async fn catalog(
        &self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, PostgresError> {
        let session = self.read_only(self.limits()).await?;
        let rows = session.rows(sql, params).await;
        session.finish().await;
        rows
    }

    async fn begin(&self, limits: Limits) -> Result<ReadOnly, PostgresError> {
        let identity = self.identity()?;
        let lease = self.lease().await?;
        let alive = Duration::from_millis(self.config().recycle_timeout_ms);
        let begin = begin(&self.inner().settings, limits);
        // Both are sent at once.
        let client = lease.client();
        let begin =
            async { client.batch_execute(&begin).await.map_err(|error| settings_error(error, self.name())) };
        let begun = timeout(alive, try_join(begin, tell(identity, client, self.name()))).await;
        match begun {
            Ok(Ok(((), ()))) => Ok(ReadOnly { lease, database: self.name().to_owned(), limits }),
            Ok(Err(error)) => {
                lease.discard();
                Err(error)
            }
            Err(_) => {
                lease.discard();
                Err(self.silent())
            }
        }
    }

    /// A connection that does not answer in time.
    pub(crate) fn silent(&self) -> PostgresError {
        let source = "the connection is silent".into();
        PostgresError::Lost { database: self.name().to_owned(), source }
    }
}

impl ReadOnly {
    /// Runs a statement and returns all its rows.
    ///
    /// # Errors
    ///
    /// [`PostgresError`]. After an error of the statement itself the transaction takes no other.
    pub async fn rows(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, PostgresError> {
        let client = self.lease.client();
        self.step(async {
            if client.statement_cache.size() >= MAX_CACHED {
                client.statement_cache.clear();
            }
            let statement = client.prepare_cached(sql).await?;
            client.query(&statement, params).await
        })
        .await
    }

    /// Has the server parse and plan a statement without running it.
    ///
    /// The text may come from a model: nothing of it is executed.
    ///
    /// # Errors
    ///
    /// [`PostgresError::Statement`] says why the statement is no good.
    pub async fn describe(&self, sql: &str) -> Result<Description, PostgresError> {
        let statement = self.step(self.lease.client().prepare(sql)).await?;
        Ok(Description {
            params: statement.params().iter().map(|ty| ty.name().to_owned()).collect(),
            columns: statement.columns().iter().map(ColumnInfo::of).collect(),
        })
    }

    /// Forgets an error, so that the next statement runs: `describe` of a bad one aborts the
    /// transaction.
    ///
    /// # Errors
    ///
    /// [`PostgresError`] if the connection is gone.
    pub async fn savepoint(&self) -> Result<Savepoint<'_>, PostgresError> {
        self.step(self.lease.client().batch_execute("SAVEPOINT towline")).await?;
        Ok(Savepoint { session: self })
    }

    /// Ends the transaction and gives the connection back, cleared.
    pub async fn finish(self) {
        self.lease.clean().await;
    }

    async fn step<T>(
        &self,
        step: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, PostgresError> {
        let after = self.limits.statement_timeout;
        match within(Instant::now() + after + GRACE, step).await {
            Some(result) => {
                result.map_err(|error| PostgresError::from_statement(error, &self.database, after))
            }
            None => Err(PostgresError::StatementTimeout { after }),
        }
    }
}

impl std::fmt::Debug for ReadOnly {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReadOnly").field("limits", &self.limits).finish_non_exhaustive()
    }
}

/// A point in a [`ReadOnly`] transaction to come back to.
#[derive(Debug)]
pub struct Savepoint<'a> {
    session: &'a ReadOnly,
}

impl Savepoint<'_> {
    /// Comes back: statements run again after one that failed.
    ///
    /// # Errors
    ///
    /// [`PostgresError`] if the connection is gone.
    pub async fn rollback(self) -> Result<(), PostgresError> {
        let back = "ROLLBACK TO SAVEPOINT towline;RELEASE SAVEPOINT towline";
        self.session.step(self.session.lease.client().batch_execute(back)).await
    }
}

/// What the network and a busy server may add to a statement's time.
pub(crate) const GRACE: Duration = Duration::from_secs(1);

/// The settings of every transaction on this database, as calls of one `SELECT`.
///
/// It takes the transaction's snapshot, too, after which the server refuses to make it READ WRITE.
pub(super) fn settings(config: &DatabaseConfig) -> String {
    let mut settings = vec![
        ("lock_timeout", config.lock_timeout_ms.to_string()),
        ("idle_in_transaction_session_timeout", config.idle_in_transaction_timeout_ms.to_string()),
        ("row_security", "on".to_owned()),
        // Without it the guard and the server would read strings differently.
        ("standard_conforming_strings", "on".to_owned()),
    ];
    if !config.schemas.is_empty() {
        let path: Vec<String> = config.schemas.iter().map(|name| quote_identifier(name)).collect();
        settings.push(("search_path", path.join(",")));
    }
    settings.extend(config.set.iter().map(|(name, value)| (name.as_str(), value.clone())));

    let mut sql = String::new();
    for (name, value) in settings {
        // Writing to a String cannot fail.
        let _ = write!(sql, ",pg_catalog.set_config('{name}',{},true)", quote_literal(&value));
    }
    sql
}

/// What begins a read-only transaction and puts its settings in force.
pub(crate) fn begin(settings: &str, limits: Limits) -> String {
    let timeout = limits.statement_timeout.as_millis().clamp(1, i32::MAX as u128);
    format!("BEGIN READ ONLY;SELECT pg_catalog.set_config('statement_timeout','{timeout}',true){settings}")
}

/// An error before any caller's statement: a dead connection, or a setting that the server refuses.
pub(crate) fn settings_error(error: tokio_postgres::Error, database: &str) -> PostgresError {
    let database = database.to_owned();
    if is_lost(&error) {
        return PostgresError::Lost { database, source: error.into() };
    }
    match error.code().map(|code| code.code().to_owned()) {
        Some(sqlstate) => PostgresError::Settings { database, sqlstate, source: error.into() },
        None => PostgresError::Protocol { database, source: error.into() },
    }
}

/// A name in SQL, whatever it holds.
pub(crate) fn quote_identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A string in SQL, whatever it holds and whatever `standard_conforming_strings` says.
pub(crate) fn quote_literal(value: &str) -> String {
    let quoted = value.replace('\'', "''");
    if quoted.contains('\\') { format!("E'{}'", quoted.replace('\\', "\\\\")) } else { format!("'{quoted}'") }
}
