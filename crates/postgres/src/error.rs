//! Why PostgreSQL gave no rows.

use std::time::Duration;

use crate::guard::Refusal;
use deadpool_postgres::{PoolError, TimeoutType};
use serde::Serialize;
use tokio_postgres::error::{DbError, ErrorPosition, SqlState};

/// Why PostgreSQL gave no rows.
///
/// The `Display` text may be shown to a client: it names no host, user, path or password. The
/// source is for logs only.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PostgresError {
    /// Nothing answers at the configured address, or its name is unknown.
    #[error("database `{database}` is not reachable")]
    Unreachable {
        /// The configured name of the database.
        database: String,
        /// For logs only.
        source: BoxError,
    },
    /// The server refused the configured user or password.
    #[error("database `{database}` refuses the configured credentials")]
    Authentication {
        /// The configured name of the database.
        database: String,
        /// For logs only.
        source: BoxError,
    },
    /// The server has no database of the configured name.
    #[error("database `{database}` does not exist on its server")]
    UnknownDatabase {
        /// The configured name of the database.
        database: String,
        /// For logs only.
        source: BoxError,
    },
    /// The way to the server could not be protected as `sslmode` asks.
    #[error("database `{database}` could not be reached over TLS as configured")]
    Tls {
        /// The configured name of the database.
        database: String,
        /// For logs only.
        source: BoxError,
    },
    /// The server did not let us in in time.
    #[error("database `{database}` did not answer within {waited:?}")]
    ConnectTimeout {
        /// The configured name of the database.
        database: String,
        /// How long was waited.
        waited: Duration,
    },
    /// The server lets nobody in: it starts, stops, or has no connection left.
    #[error("database `{database}` accepts no connections at the moment")]
    NotAccepting {
        /// The configured name of the database.
        database: String,
        /// For logs only.
        source: BoxError,
    },
    /// Every connection is busy.
    #[error("no connection to database `{database}` became free within {waited:?}")]
    Exhausted {
        /// The configured name of the database.
        database: String,
        /// How long was waited.
        waited: Duration,
    },
    /// The connection broke while the statement ran.
    #[error("the connection to database `{database}` was lost")]
    Lost {
        /// The configured name of the database.
        database: String,
        /// For logs only.
        source: BoxError,
    },
    /// The statement ran longer than it may.
    #[error(
        "the statement was stopped after {after:?}; make it cheaper: filter on indexed columns, \
         aggregate less, or read fewer rows"
    )]
    StatementTimeout {
        /// The time that the statement had.
        after: Duration,
    },
    /// The statement waited for a lock longer than it may.
    #[error("the statement waited too long for a lock that another session holds; try again later")]
    LockTimeout,
    /// Somebody else stopped the statement.
    #[error("the statement was cancelled on the server")]
    Cancelled,
    /// The server rejected the statement.
    #[error("{0}")]
    Statement(#[from] SqlError),
    /// The guard does not let the statement through.
    #[error("{0}")]
    Refused(#[from] Refusal),
    /// The statement is none that returns rows.
    #[error("only a statement that returns rows can be run: SELECT, VALUES, TABLE, EXPLAIN or SHOW")]
    NotAQuery,
    /// The database tells callers apart, and nobody knows who calls.
    #[error("database `{database}` is only for callers who have authenticated themselves")]
    NoPrincipal {
        /// The configured name of the database.
        database: String,
    },
    /// The database tells callers apart, and nothing of it is for this one.
    #[error("nothing of database `{database}` is for this caller")]
    NoRole {
        /// The configured name of the database.
        database: String,
    },
    /// The server does not let a caller's role or setting in: a role that is not there, or that the database's user may not become.
    #[error("database `{database}` does not let this caller in; its operator can tell why")]
    RoleRefused {
        /// The configured name of the database.
        database: String,
        /// For logs only.
        source: BoxError,
    },
    /// The number of values is not the number of `$n` in the statement.
    #[error(
        "the statement has {expected} parameter(s) ($1 to ${expected}) but {given} value(s) were \
         given; give one value for each, in order"
    )]
    ParameterCount {
        /// How many the statement has.
        expected: usize,
        /// How many values were given.
        given: usize,
    },
    /// A value cannot be bound to its parameter.
    #[error("parameter ${index}: {problem}")]
    Parameter {
        /// Which one, from 1.
        index: usize,
        /// What is wrong and what is allowed.
        problem: String,
    },
    /// The server refuses a setting that the configuration asks for.
    #[error("database `{database}` refuses a configured setting (SQLSTATE {sqlstate})")]
    Settings {
        /// The configured name of the database.
        database: String,
        /// PostgreSQL's five-character code.
        sqlstate: String,
        /// For logs only.
        source: BoxError,
    },
    /// The server failed in a way that is not about the statement.
    #[error("database `{database}` failed to run the statement (SQLSTATE {sqlstate})")]
    Server {
        /// The configured name of the database.
        database: String,
        /// PostgreSQL's five-character code.
        sqlstate: String,
        /// For logs only.
        source: BoxError,
    },
    /// The server and this crate do not understand each other.
    #[error("database `{database}` sent something unexpected")]
    Protocol {
        /// The configured name of the database.
        database: String,
        /// For logs only.
        source: BoxError,
    },
}

/// An error of any kind.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What PostgreSQL says about a statement.
///
/// Whoever wrote the statement may read it: it is about their own text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{}", self.render())]
#[non_exhaustive]
pub struct SqlError {
    /// PostgreSQL's five-character code, such as `42P01` for an unknown table.
    pub sqlstate: String,
    /// What is wrong.
    pub message: String,
    /// More about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Where in the statement, in characters from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<u32>,
}

impl SqlError {
    fn new(error: &DbError) -> Self {
        Self {
            sqlstate: error.code().code().to_owned(),
            message: error.message().to_owned(),
            detail: error.detail().map(str::to_owned),
            hint: error.hint().map(str::to_owned),
            position: match error.position() {
                Some(ErrorPosition::Original(position)) => Some(*position),
                _ => None,
            },
        }
    }

    fn render(&self) -> String {
        let mut text = format!("{} (SQLSTATE {}", self.message, self.sqlstate);
        if let Some(position) = self.position {
            text.push_str(&format!(", at character {position}"));
        }
        text.push(')');
        for (label, value) in [("Detail", &self.detail), ("Hint", &self.hint)] {
            if let Some(value) = value {
                text.push_str(&format!("\n{label}: {value}"));
            }
        }
        text
    }
}

impl PostgresError {
    /// Whether the same call may succeed later without any change.
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. }
                | Self::ConnectTimeout { .. }
                | Self::NotAccepting { .. }
                | Self::Exhausted { .. }
                | Self::Lost { .. }
                | Self::LockTimeout
        )
    }

    /// Judges why no connection came from the pool.
    pub(crate) fn from_pool(error: PoolError, database: &str, acquire: Duration, create: Duration) -> Self {
        let database = database.to_owned();
        match error {
            PoolError::Timeout(TimeoutType::Wait) => Self::Exhausted { database, waited: acquire },
            PoolError::Timeout(_) => Self::ConnectTimeout { database, waited: create },
            PoolError::Backend(error) => Self::from_connect(error, &database),
            other => Self::Protocol { database, source: other.into() },
        }
    }

    /// Judges why a connection could not be opened.
    pub(crate) fn from_connect(error: tokio_postgres::Error, database: &str) -> Self {
        let database = database.to_owned();
        if let Some(code) = error.code() {
            let class = &code.code()[..2];
            return match class {
                "28" => Self::Authentication { database, source: error.into() },
                "3D" => Self::UnknownDatabase { database, source: error.into() },
                // 42501: the role may not connect to this database.
                "42" => Self::Authentication { database, source: error.into() },
                "53" | "57" => Self::NotAccepting { database, source: error.into() },
                _ => Self::Server { database, sqlstate: code.code().to_owned(), source: error.into() },
            };
        }
        // tokio-postgres keeps its kinds to itself; their texts are fixed.
        let text = error.to_string();
        if text.contains("TLS") {
            Self::Tls { database, source: error.into() }
        } else if text.contains("authentication") || text.contains("invalid configuration") {
            Self::Authentication { database, source: error.into() }
        } else if text.contains("parsing") || text.contains("unexpected message") {
            Self::Protocol { database, source: error.into() }
        } else {
            Self::Unreachable { database, source: error.into() }
        }
    }

    /// Judges why a statement failed on an open connection.
    pub(crate) fn from_statement(error: tokio_postgres::Error, database: &str, timeout: Duration) -> Self {
        let database = database.to_owned();
        let Some(inner) = error.as_db_error() else {
            return if is_lost(&error) {
                Self::Lost { database, source: error.into() }
            } else {
                Self::Protocol { database, source: error.into() }
            };
        };
        let code = inner.code();
        if *code == SqlState::QUERY_CANCELED {
            // Both have this code; the text may be in any language, so the server's routine is
            // no help either. The deadline is the likelier one: nobody else knows our sessions.
            return if inner.message().contains("user request") {
                Self::Cancelled
            } else {
                Self::StatementTimeout { after: timeout }
            };
        }
        if *code == SqlState::LOCK_NOT_AVAILABLE {
            return Self::LockTimeout;
        }
        match &code.code()[..2] {
            // Resources, operators, system errors, foreign servers, internal errors: their texts
            // hold paths and hosts.
            // Before PostgreSQL 16 extensions such as hstore report mistakes in the statement this way.
            // Only the message: the rest of such an error is the server's own business.
            "XX" if code.code() == "XX000" && !inner.message().contains(['/', '\\']) => {
                Self::Statement(SqlError { detail: None, hint: None, ..SqlError::new(inner) })
            }
            "57" | "08" => Self::Lost { database, source: error.into() },
            "53" | "58" | "XX" | "HV" | "F0" | "72" => {
                Self::Server { database, sqlstate: code.code().to_owned(), source: error.into() }
            }
            _ => Self::Statement(SqlError::new(inner)),
        }
    }
}

/// Whether the connection itself is gone.
pub(crate) fn is_lost(error: &tokio_postgres::Error) -> bool {
    if let Some(code) = error.code() {
        return matches!(code.code(), "57P01" | "57P02" | "57P03" | "57P05" | "25P03" | "25P04");
    }
    error.is_closed()
        || std::error::Error::source(error).is_some_and(<dyn std::error::Error>::is::<std::io::Error>)
}
