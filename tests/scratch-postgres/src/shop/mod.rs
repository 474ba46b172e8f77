//! The sample shop: a realistic database to ask questions of.

use crate::{Database, Error, Server};

/// Types, tables, constraints, comments and views.
pub const SCHEMA: &str = include_str!("schema.sql");
/// The rows, about 100,000, the same in every load.
pub const DATA: &str = include_str!("data.sql");
/// Indexes and extended statistics.
pub const INDEXES: &str = include_str!("indexes.sql");

/// Loads the shop into an empty database, in one transaction, and gathers its statistics.
///
/// Customers, products in categories, orders with their items, and events in monthly partitions, from
/// 2023-01-01 to 2025-06-30. Every value follows from row numbers, so two loads give the same rows.
///
/// # Errors
///
/// [`Error::Failed`] when the database is not empty or the server refuses.
pub fn load(server: &Server, database: &str) -> Result<(), Error> {
    let sql = format!("BEGIN;\n{SCHEMA}\n{DATA}\n{INDEXES}\nCOMMIT;\nVACUUM ANALYZE;\n");
    server.run(database, &sql).map(drop)
}

impl Database {
    /// Creates a database on the shared cluster and loads the [shop](self) into it, which takes seconds.
    ///
    /// # Errors
    ///
    /// Those of [`Database::fresh`] and [`load`].
    pub fn with_shop() -> Result<Self, Error> {
        let database = Self::fresh()?;
        load(database.server(), database.name())?;
        Ok(database)
    }
}
