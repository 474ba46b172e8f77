//! The guard of one database, and what it knows of that database's functions.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::{Pool, ReadOnly, names};
use crate::config::{ConfigError, DatabaseConfig};
use crate::error::PostgresError;
use crate::guard::{Catalog, CatalogRow, Checked, Guard, Policy, RefusalKind};

/// How old the catalog may be before it is read again behind the callers' backs.
const REFRESH: Duration = Duration::from_secs(300);

/// How old the catalog must be for an unknown function to be looked up once more.
const RETRY: Duration = Duration::from_secs(10);

/// Reading the catalog may take this long, whatever callers' statements may.
const TIMEOUT: Duration = Duration::from_secs(15);

pub(crate) struct Checker {
    guard: Guard,
    loaded: Mutex<Option<Instant>>,
    loading: tokio::sync::Mutex<()>,
}

impl Checker {
    pub(super) fn new(config: &DatabaseConfig) -> Result<Self, ConfigError> {
        let mut policy = Policy::default();
        if !config.schemas.is_empty() {
            // Both hold: the schemas are the search path of every transaction.
            policy = policy.with_schemas(&config.schemas).with_search_path(&config.schemas);
        }
        for column in &config.hidden_columns {
            let column = column.parse().map_err(|error: crate::guard::InvalidColumn| {
                ConfigError::new(&config.name, "hidden_columns", format!("is wrong: {error}"))
            })?;
            policy = policy.with_hidden_column(column);
        }
        for function in &config.allowed_functions {
            policy = policy.with_function(function);
        }
        if config.principal.is_some() {
            policy = policy.with_separate_callers();
        }
        Ok(Self {
            guard: Guard::new(policy),
            loaded: Mutex::default(),
            loading: tokio::sync::Mutex::default(),
        })
    }

    /// How old the catalog is; `None` before there is one.
    fn age(&self) -> Option<Duration> {
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner).map(|at| at.elapsed())
    }

    /// Reads the catalog unless it is younger than `age`. Callers that come meanwhile wait for the
    /// one that reads.
    async fn load(&self, pool: &Pool, age: Duration) -> Result<(), PostgresError> {
        let _loading = self.loading.lock().await;
        if self.age().is_some_and(|current| current < age) {
            return Ok(());
        }
        let mut limits = pool.limits();
        limits.statement_timeout = limits.statement_timeout.max(TIMEOUT);
        let session = pool.for_program().read_only(limits).await?;
        let read = async {
            if self.age().is_none() {
                warn_of_power(pool.name(), &session).await?;
                for entry in names::unresolved(pool.config(), &session).await? {
                    tracing::warn!(
                        database = pool.name(),
                        key = entry.key,
                        entry = entry.entry,
                        "the configuration names something that the database does not have: check its spelling"
                    );
                }
            }
            session.rows(Catalog::QUERY, &[]).await
        };
        let rows = read.await;
        session.finish().await;
        let rows = rows?;
        self.guard.set_catalog(Catalog::from_rows(rows.iter().map(|row| CatalogRow {
            kind: row.get(0),
            schema: row.get(1),
            name: row.get(2),
            volatility: row.get(3),
            security_definer: row.get(4),
            languages: row.get(5),
            runs_text: row.get::<_, Option<bool>>(6).unwrap_or(true),
            unary: row.get::<_, Option<bool>>(7).unwrap_or(true),
        })));
        *self.loaded.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        Ok(())
    }
}

/// Tells the operator of a role that could do more than read data: the guard is one line of defence,
/// the role is the other.
async fn warn_of_power(database: &str, session: &ReadOnly) -> Result<(), PostgresError> {
    let powers = session.rows(POWERS, &[]).await?;
    let powers: Vec<&str> = powers.iter().map(|row| row.get(0)).collect();
    if !powers.is_empty() {
        tracing::warn!(
            database,
            powers = powers.join(", "),
            "the database's role can do more than read data: connect as one with few rights"
        );
    }
    Ok(())
}

/// What the role may do that a reader of data need not.
const POWERS: &str = "
SELECT 'superuser' FROM pg_catalog.pg_roles WHERE rolname = current_user AND rolsuper
UNION ALL
SELECT 'replication' FROM pg_catalog.pg_roles WHERE rolname = current_user AND rolreplication
UNION ALL
SELECT rolname::text FROM pg_catalog.pg_roles
WHERE rolname IN ('pg_read_server_files', 'pg_write_server_files', 'pg_execute_server_program',
        'pg_write_all_data', 'pg_signal_backend', 'pg_maintain')
    AND pg_catalog.pg_has_role(oid, 'USAGE')
    AND NOT (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user)";

impl Pool {
    /// Asks the guard whether a caller's statement may run on this database.
    ///
    /// The first call reads the database's functions.
    ///
    /// # Errors
    ///
    /// [`PostgresError::Refused`] says what to change; any other if the database does not answer.
    pub async fn check(&self, sql: &str) -> Result<Checked, PostgresError> {
        let checker = &self.inner().checker;
        match checker.age() {
            None => checker.load(self, Duration::MAX).await?,
            Some(age) if age > REFRESH && checker.loading.try_lock().is_ok() => {
                let pool = self.clone();
                tokio::spawn(async move {
                    if let Err(error) = pool.inner().checker.load(&pool, REFRESH).await {
                        let error = &error as &dyn std::error::Error;
                        tracing::warn!(
                            database = pool.name(),
                            error,
                            "the functions could not be read again"
                        );
                    }
                });
            }
            Some(_) => {}
        }
        match checker.guard.check(sql) {
            // The function may be younger than the catalog.
            Err(refusal) if refusal.kind() == RefusalKind::Function => {
                if checker.age().is_none_or(|age| age < RETRY) {
                    return Err(refusal.into());
                }
                checker.load(self, RETRY).await?;
                Ok(checker.guard.check(sql)?)
            }
            verdict => Ok(verdict?),
        }
    }
}
