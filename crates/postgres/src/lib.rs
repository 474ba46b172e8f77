//! Read-only PostgreSQL tools for MCP servers.
//!
//! A [`Pool`] holds the connections to one database and runs statements on them that cannot write,
//! cannot run for ever, and leave nothing behind for the next caller. [`Rows`] are what a
//! statement gives: JSON without loss.
//!
#![doc = include_str!("value/VALUES.md")]

mod config;
mod error;
mod execute;
pub mod guard;
mod pool;
mod relation;
mod tools;
mod value;

pub use config::{ConfigError, DatabaseConfig, Limits};
pub use error::{BoxError, PostgresError, SqlError};
pub use execute::{ColumnInfo, CutValue, Limit, Rows, Truncated};
pub use pool::{Answer, Caller, Description, Health, Pool, PoolStatus, ReadOnly, Savepoint};
pub use tools::{TableList, TableSummary, analysis, schema, suggestions, tools};
