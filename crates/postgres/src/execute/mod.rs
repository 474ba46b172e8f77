//! Runs one statement of a caller in a read-only transaction.
//!
//! Four round trips: `START TRANSACTION READ ONLY`; the settings with the caller's statement, which
//! the extended protocol takes only if it is one; its parameters; its rows, together with
//! `ROLLBACK` and what clears the session.
//!
//! # Memory
//!
//! A connection buffers no more than it hands on, so the rows in memory are bounded by
//! [`Limits::max_bytes`] and one row. That one row is the ceiling which PostgreSQL sets (1 GB a
//! value): the protocol has no way to receive a part of it.

mod render;
mod rows;

use std::pin::pin;
use std::time::Duration;

use futures_util::{StreamExt as _, TryStreamExt as _};
use serde_json::value::RawValue;
use tokio::time::{Instant, timeout};
use tokio_postgres::{RowStream, SimpleQueryStream, Statement, Transaction};

use crate::config::Limits;
use crate::error::{PostgresError, is_lost};
use crate::pool::{GRACE, Lease, Pool, settings_error, transaction_settings, within};
use crate::value::decode::Codec;
use crate::value::encode;

pub use rows::{ColumnInfo, CutValue, Rows, Truncated};
use rows::Builder;

/// Rows asked for at once. Up to here the end of the transaction travels with the request for the
/// rows; beyond it the rows come in slices of this size.
const SLICE: u32 = 1024;

impl Pool {
    /// Runs one statement in a read-only transaction, which is rolled back whatever happens.
    ///
    /// `params` are the values of `$1`, `$2`, ..; PostgreSQL infers their types. The statement must
    /// return rows: this is the second bolt behind the SQL guard, which the caller has asked.
    ///
    /// Dropping the future cancels the statement in PostgreSQL.
    ///
    /// # Errors
    ///
    /// [`PostgresError`]. A connection that turns out dead before the statement ran is replaced
    /// once.
    pub async fn query_read_only(
        &self,
        sql: &str,
        params: &[&RawValue],
        limits: Limits,
    ) -> Result<Rows, PostgresError> {
        let mut as_text = Vec::new();
        let mut replaced = false;
        loop {
            let mut lease = self.lease().await?;
            let call = Call { pool: self, sql, params, limits, as_text: &as_text };
            match call.run(&mut lease).await {
                Ok((rows, End::Clean)) => {
                    lease.release();
                    return Ok(rows);
                }
                // The rest of the rows is on its way: dropping the lease stops it.
                Ok((rows, End::Running)) => return Ok(rows),
                Ok((rows, End::Broken)) => {
                    lease.discard();
                    return Ok(rows);
                }
                Err(Failure::Aborted(error)) => {
                    lease.clean().await;
                    return Err(error);
                }
                Err(Failure::Running(error)) => return Err(error),
                Err(Failure::Broken(error)) => {
                    lease.discard();
                    return Err(error);
                }
                Err(Failure::Dead(error)) => {
                    lease.discard();
                    if replaced {
                        return Err(error);
                    }
                    replaced = true;
                    self.drop_idle();
                }
                Err(Failure::Undecodable(column)) => {
                    drop(lease);
                    as_text.push(column);
                }
            }
        }
    }
}

/// One try at one statement.
struct Call<'a> {
    pool: &'a Pool,
    sql: &'a str,
    params: &'a [&'a RawValue],
    limits: Limits,
    /// Columns whose binary form was tried in vain.
    as_text: &'a [usize],
}

/// The state in which a try leaves its connection.
enum End {
    /// The session is cleared.
    Clean,
    /// The server still sends rows.
    Running,
    /// The session could not be cleared.
    Broken,
}

/// Why a try failed, and what is left of its connection.
enum Failure {
    /// Nothing was run: the connection is dead.
    Dead(PostgresError),
    /// The transaction ends, and the server waits.
    Aborted(PostgresError),
    /// The server may still work.
    Running(PostgresError),
    /// The connection is not to be used again.
    Broken(PostgresError),
    /// This column must be asked for as text.
    Undecodable(usize),
}

type PostgresResult<T> = Result<T, tokio_postgres::Error>;

impl Call<'_> {
    /// Every way out drops the transaction, which sends `ROLLBACK`.
    async fn run(&self, lease: &mut Lease) -> Result<(Rows, End), Failure> {
        let transaction = self.begin(lease).await?;
        let deadline = Instant::now() + self.limits.statement_timeout + GRACE;
        let prepared = self.within(deadline, self.prepare(&transaction)).await??;
        let params = encode::params(self.params, prepared.statement.params())
            .map_err(Failure::Aborted)?;
        let portal = self
            .within(deadline, transaction.bind_raw(&prepared.statement, params.iter()))
            .await?
            .map_err(|error| self.failed(error))?;

        let mut rows = Builder::new(prepared.columns, prepared.codecs, self.limits);
        let wanted = self.limits.max_rows.saturating_add(1); // one more tells whether there are more
        let mut asked = 0;
        loop {
            let slice = SLICE.min(wanted - asked);
            asked += slice;
            let stream = transaction
                .query_portal_raw(&portal, slice.cast_signed())
                .await
                .map_err(|error| self.failed(error))?;
            if asked == wanted {
                drop(portal);
                drop(transaction);
                let cleaning = lease.client().simple_query_raw(Lease::CLEAN).await;
                let cleaning = cleaning.map_err(|error| self.failed(error))?;
                let read = self.read(deadline, stream, &mut rows).await?;
                let end = self.settle(deadline, read, cleaning).await?;
                return self.finish(rows, end);
            }
            match self.read(deadline, stream, &mut rows).await? {
                Read::Suspended => {}
                Read::Complete => {
                    drop(portal);
                    drop(transaction);
                    let cleaning = lease.client().simple_query_raw(Lease::CLEAN).await;
                    let cleaning = cleaning.map_err(|error| self.failed(error))?;
                    let end = self.settle(deadline, Read::Complete, cleaning).await?;
                    return self.finish(rows, end);
                }
                Read::Full => return self.finish(rows, End::Running),
            }
        }
    }

    /// The first statement on the connection also proves that it is alive.
    async fn begin<'c>(&self, lease: &'c mut Lease) -> Result<Transaction<'c>, Failure> {
        let database = self.pool.name();
        let alive = Duration::from_millis(self.pool.config().recycle_timeout_ms);
        let start = lease.client_mut().build_transaction().read_only(true).start();
        match timeout(alive, start).await {
            Ok(Ok(transaction)) => Ok(transaction),
            Ok(Err(error)) => Err(Failure::Dead(settings_error(error, database))),
            Err(_) => Err(Failure::Dead(PostgresError::Lost {
                database: database.to_owned(),
                source: "the connection is silent".into(),
            })),
        }
    }

    async fn prepare(&self, transaction: &Transaction<'_>) -> Result<Prepared, Failure> {
        let settings = transaction_settings(&self.pool.inner().settings, self.limits);
        let settings = transaction
            .client()
            .simple_query_raw(&settings)
            .await
            .map_err(|error| self.failed(error))?;
        let prepared = transaction.prepare(self.sql).await;
        if let Err(error) = drain(settings).await {
            let lost = is_lost(&error);
            let error = settings_error(error, self.pool.name());
            return Err(if lost { Failure::Dead(error) } else { Failure::Aborted(error) });
        }
        let statement = prepared.map_err(|error| self.failed(error))?;

        let columns: Vec<_> = statement.columns().iter().map(ColumnInfo::of).collect();
        let mut codecs: Vec<_> =
            statement.columns().iter().map(|column| Codec::of(column.type_())).collect();
        for column in self.as_text {
            if let Some(codec) = codecs.get_mut(*column) {
                *codec = None;
            }
        }
        if !codecs.is_empty() && codecs.iter().all(Option::is_some) {
            let codecs = codecs.into_iter().flatten().collect();
            return Ok(Prepared { statement, columns, codecs });
        }
        // Only a query can stand in FROM, so this also refuses a statement without columns that is
        // none: SET, LISTEN, PREPARE, DO, COMMIT, ..
        let statement = match transaction.prepare(&wrap(self.sql, &codecs)).await {
            Ok(statement) => statement,
            Err(error) if error.as_db_error().is_some() => {
                return Err(Failure::Aborted(PostgresError::NotAQuery));
            }
            Err(error) => return Err(self.failed(error)),
        };
        let codecs = codecs.into_iter().map(|codec| codec.unwrap_or(Codec::Text)).collect();
        Ok(Prepared { statement, columns, codecs })
    }

    async fn read(
        &self,
        deadline: Instant,
        stream: RowStream,
        rows: &mut Builder,
    ) -> Result<Read, Failure> {
        let mut stream = pin!(stream);
        loop {
            let Some(row) = self.within(deadline, stream.next()).await? else {
                let suspended = stream.rows_affected().is_none();
                return Ok(if suspended { Read::Suspended } else { Read::Complete });
            };
            match rows.push(&row.map_err(|error| self.failed(error))?) {
                Ok(true) => {}
                Ok(false) => return Ok(Read::Full),
                Err(column) => return Err(Failure::Undecodable(column)),
            }
        }
    }

    /// Waits until the session is cleared.
    async fn settle(
        &self,
        deadline: Instant,
        read: Read,
        cleaning: SimpleQueryStream,
    ) -> Result<End, Failure> {
        let cleaned = match read {
            // What is left of the slice may be little, and cheaper to take in than a connection.
            Read::Full => match timeout(DRAIN, drain(cleaning)).await {
                Ok(cleaned) => cleaned,
                Err(_) => return Ok(End::Running),
            },
            _ => self.within(deadline, drain(cleaning)).await?,
        };
        match cleaned {
            Ok(()) => Ok(End::Clean),
            Err(error) => {
                tracing::warn!(
                    database = self.pool.name(),
                    error = &error as &dyn std::error::Error,
                    "a session could not be cleared, so it is closed"
                );
                Ok(End::Broken)
            }
        }
    }

    fn finish(&self, rows: Builder, end: End) -> Result<(Rows, End), Failure> {
        match rows.finish() {
            Ok(rows) => Ok((rows, end)),
            Err(error) => Err(Failure::Running(PostgresError::Protocol {
                database: self.pool.name().to_owned(),
                source: error,
            })),
        }
    }

    async fn within<T>(
        &self,
        deadline: Instant,
        step: impl Future<Output = T>,
    ) -> Result<T, Failure> {
        within(deadline, self.limits.statement_timeout, step).await.map_err(Failure::Running)
    }

    /// An error of the server leaves the transaction aborted; any other, who knows.
    fn failed(&self, error: tokio_postgres::Error) -> Failure {
        let lost = is_lost(&error);
        let of_server = error.as_db_error().is_some();
        let error = PostgresError::from_statement(
            error,
            self.pool.name(),
            self.limits.statement_timeout,
        );
        match (lost, of_server) {
            (false, true) => Failure::Aborted(error),
            _ => Failure::Broken(error),
        }
    }
}

/// A statement, and how to read what it gives.
struct Prepared {
    statement: Statement,
    columns: Vec<ColumnInfo>,
    codecs: Vec<Codec>,
}

/// Why reading stopped.
enum Read {
    /// The statement has no more rows.
    Complete,
    /// The slice has no more rows; the statement may.
    Suspended,
    /// No more rows are wanted.
    Full,
}

/// How long the rest of a slice may take to arrive before its connection is given up.
const DRAIN: Duration = Duration::from_millis(20);

async fn drain(stream: SimpleQueryStream) -> PostgresResult<()> {
    pin!(stream).try_for_each(|_| std::future::ready(Ok(()))).await
}

/// The statement with the columns that have no codec as text. Its own text stays one query: nothing
/// in it can close the parenthesis and still be what the extended protocol parsed before.
fn wrap(sql: &str, codecs: &[Option<Codec>]) -> String {
    let sql = sql.trim_end_matches(|c: char| c == ';' || c.is_ascii_whitespace());
    let mut names = String::new();
    let mut list = String::new();
    for (at, codec) in codecs.iter().enumerate() {
        let comma = if at > 0 { "," } else { "" };
        let cast = if codec.is_none() { "::pg_catalog.text" } else { "" };
        names.push_str(&format!("{comma}c{at}"));
        list.push_str(&format!("{comma}q.c{at}{cast}"));
    }
    let names = if names.is_empty() { names } else { format!("({names})") };
    format!("SELECT {list} FROM (\n{sql}\n) AS q{names}")
}
