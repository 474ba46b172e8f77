//! Read-only PostgreSQL tools for MCP servers.
//!
//! A [`Pool`] holds the connections to one database and runs statements on them that cannot write,
//! cannot run for ever, and leave nothing behind for the next caller. [`Rows`] are what a
//! statement gives: JSON without loss.
//!
//! # Hidden columns
//!
//! [`DatabaseConfig::hidden_columns`] is no boundary: a view or a function of the owner's that reads
//! a hidden column shows it. What a role must not see, it must not be granted: the boundary is
//! PostgreSQL's grants on columns.
//!
#![doc = include_str!("value/VALUES.md")]

mod config;
mod error;
mod execute;
pub mod guard;
mod pool;
mod relation;
mod tasks;
mod tools;
mod value;

pub use config::{
    AnonymousConfig, ConfigError, DatabaseConfig, Limits, PrincipalConfig, PrincipalField, RoleRule,
};
pub use error::{BoxError, PostgresError, SqlError};
pub use execute::{ColumnInfo, CutValue, Limit, Rows, Truncated};
pub use pool::{Answer, Description, Health, Pool, PoolStatus, ReadOnly, Savepoint};
pub use tasks::PostgresTasks;
pub use tools::{TableList, TableSummary, analysis, database_of, schema, suggestions, tools};
