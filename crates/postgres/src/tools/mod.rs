//! The pack's tools.

mod analyze;
mod databases;
mod failure;
mod suggest;
mod table_schema;
mod text;

use towline_core::ToolSet;

use crate::pool::Pool;
use databases::Databases;

pub use table_schema::{TableKind, TableSchema};

/// The pack's tools on these databases; with several, a call names one.
pub fn tools(pools: impl IntoIterator<Item = Pool>) -> ToolSet {
    let databases = Databases::new(pools);
    ToolSet::new().with(table_schema::GetTableSchema::new(databases))
}
