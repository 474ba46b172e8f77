//! Statements that ran before and gave few rows: they take one round trip.
//!
//! What the first round trip asks for is remembered: the types of parameters and columns. It is
//! checked against the first row, and a statement without rows is asked about again, so a changed
//! table changes the answer at once.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::{join, try_join3};
use moka::sync::Cache;
use tokio::time::timeout;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{Oid, Type};
use tokio_postgres::{Column, Row, RowStream};

use super::rows::{Builder, ColumnInfo, Rows};
use super::{Call, End, Outcome, PostgresResult, borrowed};
use crate::pool::{Lease, begin, drain};
use crate::value::decode::Codec;
use crate::value::encode;

/// Rows of a statement at most to be remembered: this way of running it reads all it gives.
const MAX_ROWS: usize = 100;

/// Longest text of a statement to be remembered.
const MAX_SQL: usize = 4096;

/// For how long a statement is taken to be the same.
const KEEP: Duration = Duration::from_secs(300);

/// What is known of a statement.
pub(crate) struct Known {
    params: Vec<Type>,
    columns: Vec<(ColumnInfo, Oid, Codec)>,
}

/// What is known of statements, by their text.
pub(crate) struct KnownStatements(Cache<Box<str>, Arc<Known>>);

impl KnownStatements {
    pub(crate) fn new() -> Self {
        Self(Cache::builder().max_capacity(500).time_to_live(KEEP).build())
    }

    pub(super) fn get(&self, sql: &str) -> Option<Arc<Known>> {
        self.0.get(sql)
    }

    pub(super) fn forget(&self, sql: &str) {
        self.0.invalidate(sql);
    }

    /// Remembers a statement that gave `rows`, if it is one to run in this way.
    pub(super) fn remember(&self, sql: &str, params: &[Type], columns: &[Column], rows: &Rows) {
        if sql.len() > MAX_SQL || rows.truncated.is_some() || !(1..=MAX_ROWS).contains(&rows.row_count) {
            return;
        }
        let columns = columns.iter().map(|column| {
            // A type that a connection does not know is looked up while rows wait, which must not be.
            let ty = Type::from_oid(column.type_().oid())?;
            Some((ColumnInfo::of(column), ty.oid(), Codec::of(&ty)?))
        });
        if let Some(columns) = columns.collect() {
            self.0.insert(sql.into(), Arc::new(Known { params: params.to_vec(), columns }));
        }
    }
}

impl Known {
    fn fits(&self, row: &Row) -> bool {
        row.len() == self.columns.len()
            && row
                .columns()
                .iter()
                .zip(&self.columns)
                .all(|(column, (info, oid, _))| column.type_().oid() == *oid && column.name() == info.name)
    }
}

impl Call<'_> {
    /// Runs a known statement. `None` leaves the connection as it found it: the statement is to be
    /// run as one that is not known.
    pub(super) async fn run_known(&self, known: &Known) -> Option<Outcome> {
        let params = encode::params(self.params, &known.params).ok()?;
        let params: Vec<_> = params.into_iter().zip(known.params.iter().cloned()).collect();
        let client = self.lease.client();
        let alive = Duration::from_millis(self.pool.config().recycle_timeout_ms);
        let begin = begin(&self.pool.inner().settings, self.limits);
        // All of it is sent at once, as `join` and `try_join` poll in order.
        let begun = async { self.begun(timeout(alive, client.batch_execute(&begin)).await) };
        let told = self.tell();
        let run = async {
            let run = client.query_typed_raw(self.sql, borrowed(&params));
            Ok(join(run, client.simple_query_raw(Lease::CLEAN)).await)
        };
        let (fetched, cleaning) = match try_join3(begun, told, run).await {
            Ok(((), (), sent)) => sent,
            // With the session's end on its way behind an error in the settings, there is no telling.
            Err(failed) => return Some((failed.0, End::Broken)),
        };
        let Ok(cleaning) = cleaning else { return Some(self.failed_to_clean()) };

        let columns = known.columns.iter().map(|(info, _, _)| info.clone()).collect();
        let codecs = known.columns.iter().map(|(_, _, codec)| codec.clone()).collect();
        let mut rows = Builder::new(columns, codecs, self.limits);
        match self.read_known(known, fetched, &mut rows).await {
            Ok(Some(Read::Complete)) => {
                let end = if drain(cleaning).await.is_ok() { End::Clean } else { End::Broken };
                return Some(self.finish(rows, end));
            }
            Ok(Some(Read::Full)) => {
                self.pool.inner().known.forget(self.sql);
                return Some(self.finish(rows, End::Cleaning(cleaning)));
            }
            // It would fail again, and take as long.
            Err(error) if error.code() == Some(&SqlState::QUERY_CANCELED) => {
                return Some((self.failed(error).0, End::Cleaning(cleaning)));
            }
            Ok(None) | Err(_) => {}
        }
        self.pool.inner().known.forget(self.sql);
        match drain(cleaning).await {
            Ok(()) => None,
            Err(_) => Some(self.failed_to_clean()),
        }
    }

    /// Reads the rows; `None` if what was known does not hold.
    async fn read_known(
        &self,
        known: &Known,
        fetched: PostgresResult<RowStream>,
        rows: &mut Builder,
    ) -> PostgresResult<Option<Read>> {
        let mut stream = std::pin::pin!(fetched?);
        while let Some(row) = stream.next().await {
            let row = row?;
            if rows.count() == 0 && !known.fits(&row) {
                return Ok(None);
            }
            match rows.push(&row) {
                Ok(true) => {}
                Ok(false) => return Ok(Some(Read::Full)),
                Err(_) => return Ok(None),
            }
        }
        Ok((rows.count() > 0).then_some(Read::Complete))
    }
}

/// Why reading stopped.
enum Read {
    Complete,
    /// No more rows are wanted.
    Full,
}
