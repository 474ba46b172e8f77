//! What a database is and what one statement on it may cost.

mod check;
mod error;
mod limits;
mod principal;
mod url;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, Serializer};

pub use error::ConfigError;
pub use limits::Limits;
pub use principal::{AnonymousConfig, PrincipalConfig, PrincipalField, RoleRule};
pub(crate) use url::{SslMode, Target};

/// One database that the pack serves.
///
/// Only [`url`](Self::url), or a file of it, is required. A configuration file spells durations in milliseconds and
/// sizes in bytes, and an unknown key is an error. What is serialized of it shows neither the URL nor the values of
/// [`set`](Self::set).
///
/// ```
/// use towline_postgres::DatabaseConfig;
///
/// let mut shop = DatabaseConfig::new("postgres://reader:secret@db.internal/shop?sslmode=verify-full");
/// shop.max_rows = 200;
/// shop.schemas = vec!["public".into(), "sales".into()];
/// shop.validate()?;
/// # Ok::<(), towline_postgres::ConfigError>(())
/// ```
#[derive(Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct DatabaseConfig {
    /// Where the database is: a `postgres://` URL or `key=value` pairs as libpq reads them.
    ///
    /// `sslmode` may be `disable`, `prefer` (the default), `require`, `verify-ca` or `verify-full`;
    /// `sslrootcert` names a PEM file, without it the system's roots are used.
    #[serde(default, skip_serializing_if = "is_unset", serialize_with = "redacted")]
    #[schemars(with = "String", extend("writeOnly" = true))]
    pub url: SecretString,
    /// A file whose text is the `url`, as secrets come into containers. Default: none.
    #[serde(default)]
    pub url_file: Option<PathBuf>,
    /// What a caller names this database by. Default: `default`.
    #[serde(default = "default_name")]
    pub name: String,
    /// What a model reads about this database, so that it can choose among several. Default: none.
    #[serde(default)]
    pub description: Option<String>,

    /// Connections at most. Default: 8.
    #[serde(default = "default_pool_max_size")]
    pub pool_max_size: usize,
    /// How long a call waits for a free connection. Default: 2000.
    #[serde(default = "default_acquire_timeout_ms")]
    pub acquire_timeout_ms: u64,
    /// How long one TCP or socket connection may take to open. Default: 3000.
    #[serde(default = "default_connect_timeout_ms")]
    pub connect_timeout_ms: u64,
    /// How long opening a connection may take as a whole: name lookup, TLS, login. Default: 5000.
    #[serde(default = "default_create_timeout_ms")]
    pub create_timeout_ms: u64,
    /// How long a pooled connection may take to prove that it is alive. Default: 1000.
    #[serde(default = "default_recycle_timeout_ms")]
    pub recycle_timeout_ms: u64,
    /// Idle time after which TCP keepalives start. Default: 30000.
    #[serde(default = "default_keepalive_idle_ms")]
    pub keepalive_idle_ms: u64,
    /// The PEM file with the roots that sign the server's certificate; wins over `sslrootcert` in
    /// the URL. Default: the system's roots.
    #[serde(default)]
    pub ssl_root_cert: Option<PathBuf>,
    /// What the server's `pg_stat_activity` shows. Default: `towline`, or what the URL says.
    #[serde(default)]
    pub application_name: Option<String>,

    /// Time for one statement. Default: 10000.
    #[serde(default = "default_statement_timeout_ms")]
    pub statement_timeout_ms: u64,
    /// Time that a statement waits for a lock. Default: 1000.
    #[serde(default = "default_lock_timeout_ms")]
    pub lock_timeout_ms: u64,
    /// After this the server ends a transaction that its client left open. Default: 10000.
    #[serde(default = "default_idle_in_transaction_timeout_ms")]
    pub idle_in_transaction_timeout_ms: u64,
    /// Rows returned at most. The rest is not fetched, and the result says so. Default: 500.
    #[serde(default = "default_max_rows")]
    pub max_rows: u32,
    /// Bytes of the rows' JSON at most. The rest is not fetched, and the result says so.
    /// Default: 262144.
    #[serde(default = "default_max_bytes")]
    pub max_bytes: usize,

    /// Server settings for every statement, such as `work_mem = "64MB"`. Settings that would undo
    /// the pack's own protection are refused. Default: none.
    #[serde(default, serialize_with = "names_alone")]
    #[schemars(extend("writeOnly" = true))]
    pub set: BTreeMap<String, String>,
    /// Schemas that callers may see and that unqualified names are looked up in, in this order.
    /// Empty (the default): what the role's own `search_path` and grants allow.
    #[serde(default)]
    pub schemas: Vec<String>,
    /// Columns kept from callers, as `schema.table.column` or `table.column`. Default: none.
    ///
    /// This closes the table's own column and nothing else: a view or a function of the owner's that
    /// reads a hidden column shows it. The boundary is the role's column grants
    /// (`GRANT SELECT (id, name) ON people`); this list is a second line behind them. An entry that
    /// nothing in the database matches hides nothing: [`Pool::check_names`](crate::Pool::check_names)
    /// finds it.
    #[serde(default)]
    pub hidden_columns: Vec<String>,
    /// Functions that the guard lets through although it cannot prove them harmless, as
    /// `schema.name` or `name`. Default: none.
    #[serde(default)]
    pub allowed_functions: Vec<String>,
    /// What PostgreSQL is told of who calls, so that row-level security gives each caller rows of their own. Default: nothing,
    /// and all callers see what the role of the URL sees.
    #[serde(default)]
    pub principal: Option<PrincipalConfig>,
}

impl DatabaseConfig {
    /// A database at `url` with every default.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: SecretString::from(url.into()),
            url_file: None,
            name: default_name(),
            description: None,
            pool_max_size: default_pool_max_size(),
            acquire_timeout_ms: default_acquire_timeout_ms(),
            connect_timeout_ms: default_connect_timeout_ms(),
            create_timeout_ms: default_create_timeout_ms(),
            recycle_timeout_ms: default_recycle_timeout_ms(),
            keepalive_idle_ms: default_keepalive_idle_ms(),
            ssl_root_cert: None,
            application_name: None,
            statement_timeout_ms: default_statement_timeout_ms(),
            lock_timeout_ms: default_lock_timeout_ms(),
            idle_in_transaction_timeout_ms: default_idle_in_transaction_timeout_ms(),
            max_rows: default_max_rows(),
            max_bytes: default_max_bytes(),
            set: BTreeMap::new(),
            schemas: Vec::new(),
            hidden_columns: Vec::new(),
            allowed_functions: Vec::new(),
            principal: None,
        }
    }

    /// The same database under another name.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Where to connect and how to protect the way there.
    pub(crate) fn target(&self) -> Result<Target, ConfigError> {
        let from_file = self.url_file.as_deref().map(|path| self.read_url(path)).transpose()?;
        let url = from_file.as_ref().unwrap_or(&self.url);
        if url.expose_secret().is_empty() {
            return Err(ConfigError::new(&self.name, "url", "is missing: give it, or `url_file`"));
        }
        let mut target = Target::parse(url.expose_secret())
            .map_err(|problem| ConfigError::new(&self.name, "url", problem))?;
        if let Some(path) = &self.ssl_root_cert {
            target.root_cert = Some(path.clone());
        }
        if let Some(name) = &self.application_name {
            target.config.application_name(name);
        } else if target.config.get_application_name().is_none() {
            target.config.application_name("towline");
        }
        if target.config.get_connect_timeout().is_none() {
            target.config.connect_timeout(Duration::from_millis(self.connect_timeout_ms));
        }
        target.config.keepalives_idle(Duration::from_millis(self.keepalive_idle_ms));
        target.config.keepalives_interval(Duration::from_secs(10));
        target.config.keepalives_retries(3);
        target.config.tcp_user_timeout(Duration::from_secs(30));
        Ok(target)
    }

    fn read_url(&self, path: &Path) -> Result<SecretString, ConfigError> {
        let wrong = |problem: String| ConfigError::new(&self.name, "url_file", problem);
        if !self.url.expose_secret().is_empty() {
            return Err(wrong("stands beside `url`; give one of them".into()));
        }
        let text = std::fs::read_to_string(path);
        let text = text.map_err(|error| {
            let reason = match error.kind() {
                io::ErrorKind::NotFound => "there is no such file".to_owned(),
                io::ErrorKind::InvalidData => "it is not UTF-8 text".to_owned(),
                other => other.to_string(),
            };
            wrong(format!("cannot be read: {reason}"))
        })?;
        Ok(SecretString::from(text.trim()))
    }

    /// What one statement may cost here unless a caller asks for less.
    pub fn limits(&self) -> Limits {
        Limits {
            max_rows: self.max_rows,
            max_bytes: self.max_bytes,
            statement_timeout: Duration::from_millis(self.statement_timeout_ms),
        }
    }
}

/// Shows where the database is not: the URL holds a password.
impl fmt::Debug for DatabaseConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatabaseConfig")
            .field("name", &self.name)
            .field("pool_max_size", &self.pool_max_size)
            .field("statement_timeout_ms", &self.statement_timeout_ms)
            .field("max_rows", &self.max_rows)
            .field("max_bytes", &self.max_bytes)
            .field("schemas", &self.schemas)
            .finish_non_exhaustive()
    }
}

/// What is shown in place of a value that may be a secret.
const REDACTED: &str = "[redacted]";

fn is_unset(secret: &SecretString) -> bool {
    secret.expose_secret().is_empty()
}

fn redacted<S: Serializer>(_: &SecretString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(REDACTED)
}

/// A setting of the server's may be a secret of an extension's.
fn names_alone<S: Serializer>(set: &BTreeMap<String, String>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(set.keys().map(|name| (name, REDACTED)))
}

fn default_name() -> String {
    "default".into()
}
const fn default_pool_max_size() -> usize {
    8
}
const fn default_acquire_timeout_ms() -> u64 {
    2_000
}
const fn default_connect_timeout_ms() -> u64 {
    3_000
}
const fn default_create_timeout_ms() -> u64 {
    5_000
}
const fn default_recycle_timeout_ms() -> u64 {
    1_000
}
const fn default_keepalive_idle_ms() -> u64 {
    30_000
}
const fn default_statement_timeout_ms() -> u64 {
    10_000
}
const fn default_lock_timeout_ms() -> u64 {
    1_000
}
const fn default_idle_in_transaction_timeout_ms() -> u64 {
    10_000
}
const fn default_max_rows() -> u32 {
    500
}
const fn default_max_bytes() -> usize {
    256 * 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(config: &DatabaseConfig) -> String {
        config.validate().unwrap_err().to_string()
    }

    #[test]
    fn a_url_is_enough() {
        let config: DatabaseConfig = serde_json::from_str(r#"{"url": "postgres://u:hunter2@h/db"}"#).unwrap();
        config.validate().unwrap();
        assert_eq!(config.max_rows, 500);
    }

    #[test]
    fn a_url_may_stand_in_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("DATABASE_URL");
        std::fs::write(&file, "postgres://u:hunter2@h/db\n").unwrap();
        let mut config = DatabaseConfig::new("");
        config.url_file = Some(file.clone());
        config.validate().unwrap();
        config.url = SecretString::from("postgres://u@h/db");
        assert!(problem(&config).contains("stands beside `url`"), "{}", problem(&config));
        config.url = SecretString::default();
        std::fs::write(&file, "hunter2").unwrap();
        assert!(!problem(&config).contains("hunter2"), "{}", problem(&config));
        std::fs::remove_file(&file).unwrap();
        assert!(problem(&config).contains("`url_file` cannot be read"), "{}", problem(&config));
    }

    #[test]
    fn an_unknown_key_is_named() {
        let error = serde_json::from_str::<DatabaseConfig>(r#"{"url": "", "maxrows": 1}"#);
        assert!(error.unwrap_err().to_string().contains("maxrows"));
    }

    #[test]
    fn no_text_of_ours_holds_the_password() {
        for url in ["postgres://u:hunter2@h/db", "postgres://u:hunter2@h:x/db", "hunter2"] {
            let config = DatabaseConfig::new(url);
            assert!(!format!("{config:?}").contains("hunter2"));
            if let Err(error) = config.validate() {
                assert!(!format!("{error:?} {error}").contains("hunter2"), "{error}");
            }
        }
    }

    #[test]
    fn what_is_serialized_shows_no_secret() {
        let mut config = DatabaseConfig::new("postgres://u:hunter2@h/db");
        config.set.insert("vault.key".into(), "hunter2".into());
        let shown = serde_json::to_value(&config).unwrap();
        assert_eq!((&shown["url"], &shown["set"]["vault.key"]), (&REDACTED.into(), &REDACTED.into()));
        assert!(!shown.to_string().contains("hunter2"), "{shown}");
        assert_eq!(shown["max_rows"], 500);
    }

    #[test]
    fn a_bad_value_names_its_key() {
        let mut config = DatabaseConfig::new("postgres://u@h/db");
        config.max_rows = 0;
        assert!(problem(&config).contains("`max_rows` must be"), "{}", problem(&config));

        let mut config = DatabaseConfig::new("postgres://u@h/db");
        config.set.insert("statement_timeout".into(), "0".into());
        assert!(problem(&config).contains("`set.statement_timeout`"));

        let mut config = DatabaseConfig::new("postgres://u@h/db");
        config.set.insert("work_mem; drop".into(), "1".into());
        assert!(problem(&config).contains("not the name"));

        let config = DatabaseConfig::new("postgres://u@h/db").named("a b");
        assert!(problem(&config).contains("`name`"));
    }
}
