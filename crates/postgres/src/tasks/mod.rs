//! Tasks of a server, kept in PostgreSQL.

use std::time::{Duration, UNIX_EPOCH};

use async_trait::async_trait;
use deadpool_postgres::{Manager, ManagerConfig, Object, RecyclingMethod, Runtime};
use towline_core::{Error, ErrorKind, TaskRecord, TaskStore};

use crate::config::{ConfigError, DatabaseConfig};
use crate::pool::connector;

/// The table, for who makes it by hand.
const TABLE: &str = include_str!("tasks.sql");
const INSERT: &str = "INSERT INTO towline_tasks (id, revision, expires_at, record) VALUES ($1, $2, $3, $4)";
const SELECT: &str = "SELECT record FROM towline_tasks WHERE id = $1";
const REPLACE: &str = "UPDATE towline_tasks SET revision = $2, record = $3 WHERE id = $1 AND revision = $4";
/// A few at a time, so that no call waits long for it.
const SWEEP: &str = "DELETE FROM towline_tasks WHERE id IN (SELECT id FROM towline_tasks WHERE expires_at < now() LIMIT 10 FOR UPDATE SKIP LOCKED)";

/// Keeps [tasks](towline_core::Tasks) in a table of a PostgreSQL database, `towline_tasks`: all replicas of a server see
/// them, and what is done survives the process that did it. A task whose process is gone fails
/// [a while later](PostgresTasks::believe_for).
///
/// Its connections are its own, and may write: the role needs SELECT, INSERT, UPDATE and DELETE on the table, and no more.
///
/// ```no_run
/// use towline_core::Tasks;
/// use towline_postgres::{DatabaseConfig, PostgresTasks};
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let store = PostgresTasks::new(&DatabaseConfig::new("postgres://tasks@localhost/app"))?;
/// store.create_table().await?;
/// let tasks = Tasks::in_store(store);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct PostgresTasks {
    connections: deadpool_postgres::Pool,
    lease: Duration,
}

impl PostgresTasks {
    /// Keeps tasks in that database; connects to nothing yet. Of the configuration, the address, the credentials, TLS and
    /// the pool's size and times count. Call it within a tokio runtime.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names the key that cannot work.
    pub fn new(config: &DatabaseConfig) -> Result<Self, ConfigError> {
        config.validate()?;
        let target = config.target()?;
        let tls = connector(&config.name, &target)?;
        let mut postgres = target.config;
        let options = postgres.get_options().unwrap_or_default();
        // No statement here takes long, unless something is wrong.
        let options = format!("{options} -c statement_timeout=5000 -c lock_timeout=5000");
        postgres.options(options.trim_start());
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let connections = deadpool_postgres::Pool::builder(Manager::from_config(postgres, tls, recycling))
            .max_size(config.pool_max_size)
            .wait_timeout(Some(Duration::from_millis(config.acquire_timeout_ms)))
            .create_timeout(Some(Duration::from_millis(config.create_timeout_ms)))
            .recycle_timeout(Some(Duration::from_millis(config.recycle_timeout_ms)))
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|_| ConfigError::new(&config.name, "pool_max_size", "cannot be served"))?;
        Ok(Self { connections, lease: Duration::from_secs(30) })
    }

    /// Believes for that long that a process that runs a task lives, without hearing of it; it is heard of three times as
    /// often. Default: 30 seconds.
    #[must_use]
    pub fn believe_for(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// Creates the table if it is not there. The role needs CREATE on the schema for it; without, run [`Self::TABLE`] as
    /// another role.
    ///
    /// # Errors
    ///
    /// When the database does not answer, or refuses.
    pub async fn create_table(&self) -> Result<(), Error> {
        self.connection().await?.batch_execute(TABLE).await.map_err(refused)
    }

    /// The SQL that [`create_table`](Self::create_table) runs.
    pub const TABLE: &'static str = TABLE;

    async fn connection(&self) -> Result<Object, Error> {
        self.connections.get().await.map_err(|error| {
            let message = "where tasks are kept cannot be reached at the moment";
            Error::new(ErrorKind::Unavailable, message).with_source(error)
        })
    }
}

#[async_trait]
impl TaskStore for PostgresTasks {
    async fn create(&self, task: &TaskRecord) -> Result<(), Error> {
        let connection = self.connection().await?;
        let sweep = connection.prepare_cached(SWEEP).await.map_err(refused)?;
        connection.execute(&sweep, &[]).await.map_err(refused)?;
        let insert = connection.prepare_cached(INSERT).await.map_err(refused)?;
        let expires = task.ttl.and_then(|ttl| {
            UNIX_EPOCH.checked_add(Duration::from_millis(task.created_at.saturating_add(ttl)))
        });
        let record = json(task)?;
        connection
            .execute(&insert, &[&task.id, &number(task.revision), &expires, &record])
            .await
            .map_err(refused)?;
        Ok(())
    }

    async fn get(&self, id: &str) -> Result<Option<TaskRecord>, Error> {
        // No id that was ever given has a character that text cannot hold.
        if id.contains('\0') {
            return Ok(None);
        }
        let connection = self.connection().await?;
        let select = connection.prepare_cached(SELECT).await.map_err(refused)?;
        let Some(row) = connection.query_opt(&select, &[&id]).await.map_err(refused)? else {
            return Ok(None);
        };
        let record: &str = row.try_get(0).map_err(refused)?;
        serde_json::from_str(record).map(Some).map_err(Error::internal)
    }

    async fn replace(&self, task: &TaskRecord, expected: u64) -> Result<bool, Error> {
        let connection = self.connection().await?;
        let replace = connection.prepare_cached(REPLACE).await.map_err(refused)?;
        let record = json(task)?;
        let values: [&(dyn postgres_types::ToSql + Sync); 4] =
            [&task.id, &number(task.revision), &record, &number(expected)];
        let count = connection.execute(&replace, &values).await.map_err(refused)?;
        Ok(count == 1)
    }

    fn lease(&self) -> Option<Duration> {
        Some(self.lease)
    }
}

fn json(task: &TaskRecord) -> Result<String, Error> {
    serde_json::to_string(task).map_err(Error::internal)
}

fn number(revision: u64) -> i64 {
    i64::try_from(revision).unwrap_or(i64::MAX)
}

fn refused(error: tokio_postgres::Error) -> Error {
    let kind = if error.is_closed() || error.as_db_error().is_none() {
        ErrorKind::Unavailable
    } else {
        ErrorKind::Internal
    };
    Error::new(kind, "where tasks are kept does not work at the moment").with_source(error)
}
