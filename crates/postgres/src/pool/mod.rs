//! One pool of connections per database.

mod checker;
mod health_check;
mod identity;
mod lease;
mod names;
mod query;
mod read_only;
mod tls;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use deadpool_postgres::{Manager, ManagerConfig, RecyclingMethod, Runtime};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::config::{ConfigError, DatabaseConfig, Limits};
use crate::error::PostgresError;
use crate::execute::KnownStatements;

pub(crate) use identity::{Identity, tell};
pub(crate) use lease::{Lease, drain, within};
pub use query::Answer;
pub use read_only::{Description, ReadOnly, Savepoint};
pub(crate) use read_only::{GRACE, begin, settings_error};
pub(crate) use tls::connector;

/// The connections to one database. Clones share them.
///
/// Connections are opened when they are needed, so a pool can be made while the database is down,
/// and it works as soon as the database is up. What a caller leaves behind in a session is cleared
/// before the next one gets it.
#[derive(Clone)]
pub struct Pool {
    inner: Arc<Inner>,
    who: identity::Who,
}

pub(crate) struct Inner {
    pub(crate) config: DatabaseConfig,
    pub(crate) connections: deadpool_postgres::Pool,
    pub(crate) tls: MakeRustlsConnect,
    /// The settings of every transaction, but for its statement timeout.
    pub(crate) settings: String,
    pub(crate) known: KnownStatements,
    checker: checker::Checker,
}

/// How long a check of the health waits.
const HEALTH: Duration = Duration::from_secs(4);

impl Pool {
    /// Makes a pool; connects to nothing yet. Call it within a tokio runtime.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names the key that cannot work.
    pub fn new(config: DatabaseConfig) -> Result<Self, ConfigError> {
        config.validate()?;
        let target = config.target()?;
        let tls = tls::connector(&config.name, &target)?;
        let settings = read_only::settings(&config);

        let mut postgres = target.config;
        // A second bolt below every transaction's own READ ONLY.
        let options =
            format!("{} -c default_transaction_read_only=on", postgres.get_options().unwrap_or_default());
        postgres.options(options.trim_start());
        // Each transaction proves that its connection is alive with its first statement, so that
        // a separate check would only add a round trip.
        let manager = Manager::from_config(
            postgres,
            tls.clone(),
            ManagerConfig { recycling_method: RecyclingMethod::Fast },
        );
        let connections = deadpool_postgres::Pool::builder(manager)
            .max_size(config.pool_max_size)
            .wait_timeout(Some(Duration::from_millis(config.acquire_timeout_ms)))
            .create_timeout(Some(Duration::from_millis(config.create_timeout_ms)))
            .recycle_timeout(Some(Duration::from_millis(config.recycle_timeout_ms)))
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|_| ConfigError::new(&config.name, "pool_max_size", "cannot be served"))?;
        let checker = checker::Checker::new(&config)?;
        let known = KnownStatements::new();
        let inner = Inner { config, connections, tls, settings, known, checker };
        Ok(Self { inner: Arc::new(inner), who: identity::Who::default() })
    }

    /// What callers name the database by.
    pub fn name(&self) -> &str {
        &self.inner.config.name
    }

    /// What the pool was made of.
    pub fn config(&self) -> &DatabaseConfig {
        &self.inner.config
    }

    /// What one statement may cost unless a caller asks for less.
    pub fn limits(&self) -> Limits {
        self.inner.config.limits()
    }

    /// How many connections there are.
    pub fn status(&self) -> PoolStatus {
        let status = self.inner.connections.status();
        PoolStatus {
            max_size: status.max_size,
            open: status.size,
            idle: status.available,
            waiting: status.waiting,
        }
    }

    /// Asks the database whether it answers, and gives it a few seconds for that.
    ///
    /// It takes a connection like any call, so a pool whose connections are all busy has that problem.
    pub async fn health(&self) -> Health {
        let start = Instant::now();
        let asked = async {
            self.for_program().read_only(self.limits()).await?.finish().await;
            Ok(())
        };
        let error: PostgresError = match tokio::time::timeout(HEALTH, asked).await {
            Ok(Ok(())) => return Health { latency: start.elapsed(), problem: None, is_busy: false },
            Ok(Err(error)) => error,
            Err(_) => PostgresError::ConnectTimeout { database: self.name().to_owned(), waited: HEALTH },
        };
        tracing::warn!(
            database = self.name(),
            error = &error as &dyn std::error::Error,
            "the database does not answer"
        );
        let is_busy = matches!(error, PostgresError::Exhausted { .. });
        Health { latency: start.elapsed(), problem: Some(error.to_string()), is_busy }
    }

    /// Closes idle connections and refuses new calls.
    pub fn close(&self) {
        self.inner.connections.close();
    }

    pub(crate) fn inner(&self) -> &Arc<Inner> {
        &self.inner
    }

    pub(crate) async fn lease(&self) -> Result<Lease, PostgresError> {
        let inner = &self.inner;
        let object = inner.connections.get().await.map_err(|error| {
            PostgresError::from_pool(
                error,
                &inner.config.name,
                Duration::from_millis(inner.config.acquire_timeout_ms),
                Duration::from_millis(inner.config.create_timeout_ms),
            )
        })?;
        Ok(Lease::new(object, Arc::clone(inner)))
    }

    /// Drops idle connections: one was found dead, so its siblings probably are.
    pub(crate) fn drop_idle(&self) {
        self.inner.connections.retain(|_, _| false);
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("config", self.config()).finish_non_exhaustive()
    }
}

/// How many connections a pool has.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct PoolStatus {
    /// Connections at most.
    pub max_size: usize,
    /// Connections open now.
    pub open: usize,
    /// Open connections that nobody uses.
    pub idle: usize,
    /// Callers that wait for one.
    pub waiting: usize,
}

/// Whether a database answers.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Health {
    /// How long the answer took.
    pub latency: Duration,
    /// Why it is down, in words for a client; `None` when it is up.
    pub problem: Option<String>,
    /// Whether the problem is only that all connections are busy.
    pub is_busy: bool,
}

impl Health {
    /// Whether the database answered.
    pub fn is_up(&self) -> bool {
        self.problem.is_none()
    }
}
