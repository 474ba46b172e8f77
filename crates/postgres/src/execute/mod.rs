//! Runs one statement of a caller in a read-only transaction.
//!
//! Two round trips, and one for a statement that is known. The first begins the transaction, puts its settings in force and has the server
//! parse the caller's statement, by the extended protocol, which takes only one. The second opens a
//! cursor for it, fetches, and already rolls back and clears the session. A cursor runs nothing but
//! a query, and gives no more rows than it is asked for.
//!
//! # Memory
//!
//! A connection buffers no more than it hands on, so the rows in memory are bounded by
//! [`Limits::max_bytes`] and one row. That one row is the ceiling which PostgreSQL sets (1 GB a
//! value): the protocol has no way to receive a part of it.

mod known;
mod render;
mod rows;
mod statement;

use std::pin::pin;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::{join, try_join3};
use serde_json::value::RawValue;
use tokio::time::error::Elapsed;
use tokio::time::{Instant, timeout};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{RowStream, SimpleQueryStream, Statement};

use crate::config::Limits;
use crate::error::{PostgresError, is_lost};
use crate::pool::{GRACE, Identity, Lease, Pool, begin, drain, settings_error, tell, within};
use crate::value::decode::Codec;
use crate::value::encode::{self, Param};

pub(crate) use known::KnownStatements;
use rows::Builder;
pub use rows::{ColumnInfo, CutValue, Limit, Rows, Truncated};
use statement::Kind;

/// Rows fetched at once. The end of the transaction travels with the last request for rows.
const SLICE: u32 = 1024;

/// Rows fetched at once while they may be of any width: the server collects a slice before it sends
/// it, and all but the beginning of it may be too much for the answer.
const WIDE_SLICE: u32 = 128;

impl Pool {
    /// Runs one statement in a read-only transaction, which is rolled back whatever happens.
    ///
    /// `params` are the values of `$1`, `$2`, ..; PostgreSQL infers their types. The statement must
    /// be a query, EXPLAIN or SHOW: this is the second bolt behind the SQL guard, which the caller
    /// has asked.
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
        let kind = Kind::of(sql).ok_or(PostgresError::NotAQuery)?;
        let identity = self.identity()?;
        let mut as_text = Vec::new();
        let mut replaced = false;
        loop {
            let lease = self.lease().await?;
            let call = Call { pool: self, lease: &lease, identity, kind, sql, params, limits };
            let (outcome, end) = call.run(&as_text).await;
            match end {
                End::Clean => lease.release(),
                // The caller need not wait for it.
                End::Open => drop(tokio::spawn(lease.clean())),
                End::Cleaning(cleaning) => drop(tokio::spawn(lease.settle(cleaning))),
                End::Running => drop(lease),
                End::Broken => lease.discard(),
            }
            match outcome {
                Ok(rows) => return Ok(rows),
                Err(Failure::Dead(_)) if !replaced => {
                    replaced = true;
                    self.drop_idle();
                }
                // A column asked for as text is decodable, so this ends.
                Err(Failure::Undecodable(column)) => as_text.push(column),
                Err(Failure::Dead(error) | Failure::Error(error)) => return Err(error),
            }
        }
    }
}

/// One try at one statement.
struct Call<'a> {
    pool: &'a Pool,
    lease: &'a Lease,
    identity: Option<&'a Identity>,
    kind: Kind,
    sql: &'a str,
    params: &'a [&'a RawValue],
    limits: Limits,
}

/// The state in which a try leaves its connection.
enum End {
    /// The transaction is open or aborted, and the server waits.
    Open,
    /// The session is being cleared.
    Cleaning(SimpleQueryStream),
    /// The session is cleared.
    Clean,
    /// The server may still work: dropping the lease stops it.
    Running,
    /// The connection is not to be used again.
    Broken,
}

/// Why a try gave no rows.
enum Failure {
    /// The connection is dead, and nothing was run.
    Dead(PostgresError),
    Error(PostgresError),
    /// This column must be asked for as text.
    Undecodable(usize),
}

type Outcome = (Result<Rows, Failure>, End);

impl Call<'_> {
    async fn run(&self, as_text: &[usize]) -> Outcome {
        let deadline = Instant::now() + self.limits.statement_timeout + GRACE;
        if let Some(known) = self.pool.inner().known.get(self.sql) {
            match within(deadline, self.run_known(&known)).await {
                Some(Some(outcome)) => return outcome,
                Some(None) => {}
                None => return self.too_late(),
            }
        }
        let mut prepared = match within(deadline, self.prepare()).await {
            Some(Ok(prepared)) => prepared,
            Some(Err(outcome)) => return *outcome,
            None => return self.too_late(),
        };
        for column in as_text {
            if let Some(codec) = prepared.codecs.get_mut(*column) {
                *codec = None;
            }
        }
        let statement = prepared.statement.clone();
        match within(deadline, self.execute(prepared)).await {
            Some((Ok(rows), end)) => {
                if self.kind == Kind::Query && as_text.is_empty() {
                    let known = &self.pool.inner().known;
                    known.remember(self.sql, statement.params(), statement.columns(), &rows);
                }
                (Ok(rows), end)
            }
            Some((Err(Failure::Error(PostgresError::Statement(mut error))), end)) => {
                if self.kind == Kind::Query {
                    error.position = error.position.and_then(statement::position);
                }
                (Err(Failure::Error(error.into())), end)
            }
            Some(outcome) => outcome,
            None => self.too_late(),
        }
    }

    /// The first round trip. Its first statement also proves that the connection is alive.
    async fn prepare(&self) -> Result<Prepared, Box<Outcome>> {
        let client = self.lease.client();
        let alive = Duration::from_millis(self.pool.config().recycle_timeout_ms);
        let begin = begin(&self.pool.inner().settings, self.limits);
        // All of it is sent at once, as `try_join` polls in order. A transaction whose caller cannot be told takes nothing more.
        let begun = async { self.begun(timeout(alive, client.batch_execute(&begin)).await) };
        let told = self.tell();
        let prepare = async { client.prepare(self.sql).await.map_err(|error| Box::new(self.failed(error))) };
        let ((), (), statement) = try_join3(begun, told, prepare).await?;
        let params = encode::params(self.params, statement.params())
            .map_err(|error| Box::new((Err(Failure::Error(error)), End::Open)))?;
        let columns = statement.columns();
        Ok(Prepared {
            columns: columns.iter().map(ColumnInfo::of).collect(),
            codecs: columns.iter().map(|column| Codec::of(column.type_())).collect(),
            params: params.into_iter().zip(statement.params().iter().cloned()).collect(),
            statement,
        })
    }

    /// Tells who calls, if that is to be told.
    async fn tell(&self) -> Result<(), Box<Outcome>> {
        let told = tell(self.identity, self.lease.client(), self.pool.name()).await;
        told.map_err(|error| match error {
            PostgresError::Lost { .. } => Box::new((Err(Failure::Dead(error)), End::Broken)),
            error => Box::new((Err(Failure::Error(error)), End::Open)),
        })
    }

    /// Judges how the transaction began.
    fn begun(&self, begun: Result<PostgresResult<()>, Elapsed>) -> Result<(), Box<Outcome>> {
        let (failure, end) = match begun {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) if is_lost(&error) => {
                (Failure::Dead(settings_error(error, self.pool.name())), End::Broken)
            }
            Ok(Err(error)) => (Failure::Error(settings_error(error, self.pool.name())), End::Open),
            Err(_) => (Failure::Dead(self.pool.silent()), End::Broken),
        };
        Err(Box::new((Err(failure), end)))
    }

    /// The second round trip. A result that may be large takes one for each slice.
    async fn execute(&self, prepared: Prepared) -> Outcome {
        let Prepared { columns, codecs, params, statement: _ } = prepared;
        let declare = statement::declare(self.sql, &codecs);
        let is_wide = codecs.iter().flatten().any(Codec::is_unbounded);
        let codecs = codecs.into_iter().map(|codec| codec.unwrap_or(Codec::Text)).collect();
        let rows = Builder::new(columns, codecs, self.limits);
        match self.kind {
            Kind::Query => self.query(&declare, &params, is_wide, rows).await,
            Kind::Report => self.report(&params, rows).await,
        }
    }

    async fn query(&self, declare: &str, params: &Params, is_wide: bool, mut rows: Builder) -> Outcome {
        let client = self.lease.client();
        let params = borrowed(params);
        let wanted = self.limits.max_rows.saturating_add(1); // one more tells whether there are more
        let mut slice = wanted.min(if is_wide { WIDE_SLICE } else { SLICE });
        let mut asked = slice;
        let mut declared = false;
        loop {
            let fetch = statement::fetch(slice, self.sql);
            let declare =
                async { if declared { Ok(0) } else { client.execute_typed(declare, &params).await } };
            let clean = async {
                if asked < wanted {
                    return Ok(None);
                }
                client.simple_query_raw(Lease::CLEAN).await.map(Some)
            };
            // `join` polls in order, and each first poll sends: nothing waits for an answer before
            // all of it is on its way.
            let fetch = client.query_typed_raw(&fetch, NO_PARAMS);
            let (opened, (fetched, cleaning)) = join(declare, join(fetch, clean)).await;
            // Without its cursor the fetch has failed as well.
            let fetched = opened.and(fetched);
            match cleaning {
                Ok(Some(cleaning)) => return self.read_and_settle(fetched, cleaning, rows).await,
                Ok(None) => {}
                Err(error) => return self.failed(error),
            }
            declared = true;
            let before = rows.count();
            match self.read(fetched, &mut rows).await {
                Read::Complete if rows.count() - before < slice => {
                    return self.finish(rows, End::Open);
                }
                Read::Complete => {}
                Read::Full => return self.finish(rows, End::Open),
                Read::Undecodable(column) => return (Err(Failure::Undecodable(column)), End::Open),
                Read::Failed(error) => return self.failed(error),
            }
            slice = rows.room().clamp(WIDE_SLICE, SLICE).min(wanted - asked);
            asked += slice;
        }
    }

    /// EXPLAIN and SHOW, which no cursor takes. Their rows are few.
    async fn report(&self, params: &Params, rows: Builder) -> Outcome {
        let client = self.lease.client();
        let (fetched, cleaning) =
            join(client.query_typed_raw(self.sql, borrowed(params)), client.simple_query_raw(Lease::CLEAN))
                .await;
        match cleaning {
            Ok(cleaning) => self.read_and_settle(fetched, cleaning, rows).await,
            Err(error) => self.failed(error),
        }
    }

    /// Reads the last rows; the session is being cleared behind them.
    async fn read_and_settle(
        &self,
        fetched: PostgresResult<RowStream>,
        cleaning: SimpleQueryStream,
        mut rows: Builder,
    ) -> Outcome {
        match self.read(fetched, &mut rows).await {
            Read::Complete => {
                let end = match drain(cleaning).await {
                    Ok(()) => End::Clean,
                    Err(_) => End::Broken,
                };
                self.finish(rows, end)
            }
            Read::Full => self.finish(rows, End::Cleaning(cleaning)),
            Read::Undecodable(column) => (Err(Failure::Undecodable(column)), End::Cleaning(cleaning)),
            Read::Failed(error) => match self.failed(error) {
                (failure, End::Open) => (failure, End::Cleaning(cleaning)),
                broken => broken,
            },
        }
    }

    async fn read(&self, fetched: PostgresResult<RowStream>, rows: &mut Builder) -> Read {
        let mut stream = match fetched {
            Ok(stream) => pin!(stream),
            Err(error) => return Read::Failed(error),
        };
        while let Some(row) = stream.next().await {
            match row.map(|row| rows.push(&row)) {
                Ok(Ok(true)) => {}
                Ok(Ok(false)) => return Read::Full,
                Ok(Err(column)) => return Read::Undecodable(column),
                Err(error) => return Read::Failed(error),
            }
        }
        Read::Complete
    }

    fn finish(&self, rows: Builder, end: End) -> Outcome {
        let rows = rows.finish().map_err(|source| {
            Failure::Error(PostgresError::Protocol { database: self.pool.name().to_owned(), source })
        });
        (rows, end)
    }

    /// The connection broke at the very end.
    fn failed_to_clean(&self) -> Outcome {
        (Err(Failure::Dead(self.pool.silent())), End::Broken)
    }

    fn too_late(&self) -> Outcome {
        let after = self.limits.statement_timeout;
        (Err(Failure::Error(PostgresError::StatementTimeout { after })), End::Running)
    }

    /// An error of the server leaves the transaction aborted; any other, who knows.
    fn failed(&self, error: tokio_postgres::Error) -> Outcome {
        let end = match error.as_db_error() {
            Some(_) if !is_lost(&error) => End::Open,
            _ => End::Broken,
        };
        let timeout = self.limits.statement_timeout;
        let error = PostgresError::from_statement(error, self.pool.name(), timeout);
        (Err(Failure::Error(error)), end)
    }
}

type PostgresResult<T> = Result<T, tokio_postgres::Error>;

type Params = [(Param, Type)];

const NO_PARAMS: [(Param, Type); 0] = [];

/// What is to be run, and how to read what it gives.
struct Prepared {
    columns: Vec<ColumnInfo>,
    /// `None` for a column that must be asked for as text.
    codecs: Vec<Option<Codec>>,
    params: Vec<(Param, Type)>,
    statement: Statement,
}

/// Why reading stopped.
enum Read {
    /// Everything fetched is read.
    Complete,
    /// No more rows are wanted.
    Full,
    /// This column has no form that is known.
    Undecodable(usize),
    Failed(tokio_postgres::Error),
}

fn borrowed(params: &Params) -> Vec<(&(dyn ToSql + Sync), Type)> {
    params.iter().map(|(param, ty)| (param as &(dyn ToSql + Sync), ty.clone())).collect()
}
