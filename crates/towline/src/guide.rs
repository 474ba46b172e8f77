//! Guides: one task each, with programs that compile and run.

#[cfg(all(feature = "stdio", feature = "http"))]
#[doc = include_str!("../../../docs/guides/your-first-server.md")]
pub mod your_first_server {}

#[cfg(all(feature = "http", feature = "postgres"))]
#[doc = include_str!("../../../docs/guides/put-your-database-behind-mcp.md")]
pub mod put_your_database_behind_mcp {}
