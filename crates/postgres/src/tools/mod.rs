//! The pack's tools.

mod analyze;
mod databases;
mod execute_query;
mod failure;
mod list_tables;
mod suggest;
mod table_schema;
mod text;

use towline_core::ToolSet;

use crate::pool::Pool;
use databases::Databases;

/// What `analyze_table` gives.
pub mod analysis {
    pub use super::analyze::{
        Bucket, Certainty, ColumnAnalysis, Common, Lengths, NotFinite, Percentiles, Scalar, Source,
        TableAnalysis,
    };
}

/// What `get_table_schema` gives.
pub mod schema {
    pub use super::table_schema::{
        Check, Column, ForeignKey, Index, Key, Partition, PartitionOf, Partitioning, Reference, TableKind,
        TableSchema,
    };
}

/// What `suggest_queries` gives.
pub mod suggestions {
    pub use super::suggest::{AnalysisType, Suggestion, Suggestions};
}

pub use databases::database_of;
pub use list_tables::{TableList, TableSummary};

/// The pack's tools on these databases; with several, a call names one.
pub fn tools(pools: impl IntoIterator<Item = Pool>) -> ToolSet {
    let databases = Databases::new(pools);
    ToolSet::new()
        .with(execute_query::ExecuteQuery::new(databases.clone()))
        .with(list_tables::ListTables::new(databases.clone()))
        .with(table_schema::GetTableSchema::new(databases.clone()))
        .with(analyze::AnalyzeTable::new(databases.clone()))
        .with(suggest::SuggestQueries::new(databases))
}
