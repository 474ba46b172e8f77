//! `get_table_schema`: what a table is made of.

mod model;
mod text;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use towline_core::protocol::{ToolAnnotations, ToolDefinition};
use towline_core::{Error, RawJson, Tool, ToolCall, ToolResult};

pub use model::{
    Check, Column, ForeignKey, Index, Key, Partition, PartitionOf, Partitioning, Reference, TableKind,
    TableSchema,
};

use super::Databases;
use crate::config::DatabaseConfig;
use crate::error::PostgresError;
use crate::pool::{Pool, ReadOnly};
use crate::relation::{Relation, Unresolved};

const CATALOG: &str = include_str!("catalog.sql");

/// What a call of `get_table_schema` gives.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Arguments {
    /// The table, view or materialized view: `orders`, `sales.orders`, `sales."Order Items"`.
    #[schemars(length(min = 1, max = 300))]
    table: String,
    /// The database to ask.
    #[serde(default)]
    database: Option<String>,
}

/// The tool `get_table_schema`.
#[derive(Debug)]
pub(crate) struct GetTableSchema {
    definition: ToolDefinition,
    databases: Databases,
}

impl GetTableSchema {
    pub(crate) fn new(databases: Databases) -> Self {
        let description = "Describes a table or view: columns with types, defaults and comments, keys, \
            foreign keys in both directions, constraints, indexes, partitions, view definition, size and \
            about how many rows. Read it before you write a query.";
        let definition = ToolDefinition::new("get_table_schema", description)
            .with_title("Table schema")
            .with_input::<Arguments>()
            .with_output::<TableSchema>()
            .with_annotations(ToolAnnotations::read_only());
        Self { definition: databases.define(definition), databases }
    }
}

#[async_trait]
impl Tool for GetTableSchema {
    fn definition(&self) -> &ToolDefinition {
        &self.definition
    }

    async fn call(&self, call: ToolCall) -> Result<ToolResult, Error> {
        let Arguments { table, database } = call.parse()?;
        let pool = &self.databases.pick(database.as_deref(), call.context())?;
        match pool.table_schema(&table).await? {
            Ok(schema) => {
                Ok(ToolResult::text(schema.to_string()).with_structured(RawJson::from_value(&schema)?))
            }
            Err(message) => Ok(ToolResult::error(message)),
        }
    }
}

impl Pool {
    /// Describes a table, as the role and the configuration let callers see it.
    ///
    /// `table` is a name as in SQL: `orders`, `sales."Order Items"`. The inner error says that there
    /// is no such table, and which names are nearest.
    ///
    /// # Errors
    ///
    /// [`PostgresError`] if the database does not answer.
    pub async fn table_schema(&self, table: &str) -> Result<Result<TableSchema, String>, PostgresError> {
        let session = self.read_only(self.limits()).await?;
        let described = async {
            let relation = Relation::resolve(&session, self.config(), table).await?;
            Ok(describe(&session, self.config(), &relation).await?)
        };
        let described = described.await;
        session.finish().await;
        match described {
            Ok(schema) => Ok(Ok(schema)),
            Err(Unresolved::Unknown(message)) => Ok(Err(message)),
            Err(Unresolved::Postgres(error)) => Err(error),
        }
    }
}

/// Reads the definition of a relation in one round trip.
pub(crate) async fn describe(
    session: &ReadOnly,
    config: &DatabaseConfig,
    relation: &Relation,
) -> Result<TableSchema, PostgresError> {
    let rows = session.rows(CATALOG, &[&relation.oid, &config.hidden_columns, &config.schemas]).await?;
    let unexpected = |source| PostgresError::Protocol { database: config.name.clone(), source };
    // The table may have gone since its name was resolved.
    let row = rows.first().ok_or_else(|| unexpected("the relation is gone".into()))?;
    let mut schema: TableSchema =
        serde_json::from_str(row.get(0)).map_err(|error| unexpected(error.into()))?;
    schema.table.clone_from(&relation.sql_name);
    Ok(schema)
}
