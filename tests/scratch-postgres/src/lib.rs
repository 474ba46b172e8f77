//! Private throwaway PostgreSQL servers for tests and demonstrations.
//!
//! A [`Cluster`] is a PostgreSQL server of its own in a temporary directory, on a free loopback port and a
//! Unix socket. It never touches a server that is already there, runs under an unprivileged user when
//! the caller is root, and is gone, processes and files, when it is dropped or when its owner dies, even by
//! `SIGKILL`.
//!
//! ```no_run
//! let cluster = towline_scratch_postgres::Cluster::start()?;
//! cluster.run("postgres", "CREATE TABLE t (a int)")?;
//! println!("{}", cluster.url("postgres"));
//! # Ok::<(), towline_scratch_postgres::Error>(())
//! ```
//!
//! A test that only needs a database takes a [`Database`] on the shared cluster, which is far quicker:
//!
//! ```no_run
//! let database = towline_scratch_postgres::Database::fresh()?;
//! database.run("CREATE TABLE t (a int)")?;
//! println!("{}", database.url());
//! # Ok::<(), towline_scratch_postgres::Error>(())
//! ```
//!
//! The clusters trade durability for speed (`fsync = off`): they hold nothing worth keeping.

mod binaries;
mod builder;
mod cluster;
mod database;
mod error;
mod server;
pub mod shop;
mod signal;
mod watchdog;

pub use binaries::Binaries;
pub use builder::Builder;
pub use cluster::Cluster;
pub use database::Database;
pub use error::Error;
pub use server::Server;

/// Environment variable with the URL of a running server to use as the shared cluster.
///
/// `cargo xtask test` sets it, so that all test binaries share one cluster. Its user must be a superuser.
pub const SHARED_URL: &str = "TOWLINE_TEST_POSTGRES_URL";
