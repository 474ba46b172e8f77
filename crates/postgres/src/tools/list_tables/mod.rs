//! `list_tables`: what there is to query.

use std::fmt::{self, Display, Formatter};

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use towline_core::protocol::{ToolAnnotations, ToolDefinition};
use towline_core::{Error, RawJson, Tool, ToolCall, ToolResult};

use super::Databases;
use super::schema::TableKind;
use super::text::{Bytes, Thousands};
use crate::error::PostgresError;
use crate::pool::Pool;

const LIST: &str = include_str!("list.sql");

/// Tables in one answer at most.
const MAX_TABLES: usize = 300;

/// What a call of `list_tables` takes.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Arguments {
    /// Only tables of this schema, such as `public`. Default: every schema but the system's.
    #[serde(default)]
    #[schemars(length(min = 1, max = 63))]
    schema: Option<String>,
    /// Only tables whose name holds this text, whatever its case; `*` stands for anything, `order*` for what
    /// starts with `order`.
    #[serde(default)]
    #[schemars(length(min = 1, max = 128))]
    pattern: Option<String>,
    /// The database to ask.
    #[serde(default)]
    database: Option<String>,
}

/// The tables of a database, as far as a caller may read them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct TableList {
    /// The tables by schema and name. Partitions are part of their table.
    pub tables: Vec<TableSummary>,
    /// How many tables match; more than there are in `tables` if the list was cut off.
    pub total: u64,
}

/// One table or view.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct TableSummary {
    /// Its name as SQL must spell it.
    pub table: String,
    /// The schema it is in.
    pub schema: String,
    /// Its bare name.
    pub name: String,
    /// What it is.
    pub kind: TableKind,
    /// What its owner says about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// About how many rows it has, from the server's statistics; absent when they do not know.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub row_estimate: Option<u64>,
    /// Bytes on disk, indexes included; absent for views.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_bytes: Option<u64>,
}

/// The tool `list_tables`.
#[derive(Debug)]
pub(crate) struct ListTables {
    definition: ToolDefinition,
    databases: Databases,
}

impl ListTables {
    pub(crate) fn new(databases: Databases) -> Self {
        let description = "Lists the tables and views that can be queried, with what they hold, about how many \
            rows, and size. Start here; get_table_schema tells the columns.";
        let definition = ToolDefinition::new("list_tables", description)
            .with_title("List tables")
            .with_input::<Arguments>()
            .with_output::<TableList>()
            .with_annotations(ToolAnnotations::read_only());
        Self { definition: databases.define(definition), databases }
    }
}

#[async_trait]
impl Tool for ListTables {
    fn definition(&self) -> &ToolDefinition {
        &self.definition
    }

    async fn call(&self, call: ToolCall) -> Result<ToolResult, Error> {
        let Arguments { schema, pattern, database } = call.parse()?;
        let pool = &self.databases.pick(database.as_deref(), call.context())?;
        let list = pool.tables(schema.as_deref(), pattern.as_deref()).await?;
        Ok(ToolResult::text(list.to_string()).with_structured(RawJson::from_value(&list)?))
    }
}

impl Pool {
    /// Lists the tables that callers may read, as the role's grants and the configuration allow.
    ///
    /// `pattern` is part of a name; a `*` in it stands for anything, and then it is the whole name.
    ///
    /// # Errors
    ///
    /// [`PostgresError`] if the database does not answer.
    pub async fn tables(
        &self,
        schema: Option<&str>,
        pattern: Option<&str>,
    ) -> Result<TableList, PostgresError> {
        // PostgreSQL's text holds no NUL, so no name does.
        if [schema, pattern].into_iter().flatten().any(|text| text.contains('\0')) {
            return Ok(TableList { tables: Vec::new(), total: 0 });
        }
        let pattern = pattern.map(ilike);
        let most = MAX_TABLES as i64;
        let rows = self.catalog(LIST, &[&schema, &pattern, &self.config().schemas, &most]).await?;
        let number = |value: Option<i64>| value.and_then(|value| u64::try_from(value).ok());
        let tables = rows
            .iter()
            .map(|row| TableSummary {
                schema: row.get(0),
                name: row.get(1),
                table: row.get(2),
                kind: kind(row.get(3)),
                comment: row.get(4),
                row_estimate: number(row.get(5)),
                total_bytes: number(row.get(6)),
            })
            .collect();
        let total = rows.first().and_then(|row| number(row.get(7))).unwrap_or(0);
        Ok(TableList { tables, total })
    }
}

fn kind(relkind: &str) -> TableKind {
    match relkind {
        "p" => TableKind::PartitionedTable,
        "v" => TableKind::View,
        "m" => TableKind::MaterializedView,
        "f" => TableKind::ForeignTable,
        _ => TableKind::Table,
    }
}

/// A pattern for ILIKE: its own special characters mean themselves.
fn ilike(pattern: &str) -> String {
    let mut text = String::with_capacity(pattern.len() + 2);
    for c in pattern.chars() {
        match c {
            '*' => text.push('%'),
            '%' | '_' | '\\' => text.extend(['\\', c]),
            c => text.push(c),
        }
    }
    if pattern.contains('*') { text } else { format!("%{text}%") }
}

/// One table a line.
impl Display for TableList {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.tables.is_empty() {
            return f.write_str(
                "no tables: the schema or pattern matches none, or the database's role may read none",
            );
        }
        for table in &self.tables {
            write!(f, "{} ({}", table.table, table.kind.words())?;
            if let Some(rows) = table.row_estimate {
                write!(f, ", about {} row{}", Thousands(rows), if rows == 1 { "" } else { "s" })?;
            }
            if let Some(bytes) = table.total_bytes {
                write!(f, ", {}", Bytes(bytes))?;
            }
            f.write_str(")")?;
            if let Some(comment) = &table.comment {
                write!(f, ": {}", comment.split_whitespace().collect::<Vec<_>>().join(" "))?;
            }
            f.write_str("\n")?;
        }
        let shown = self.tables.len() as u64;
        if shown < self.total {
            write!(f, "({shown} of {} tables; narrow the list with `schema` or `pattern`)", self.total)
        } else {
            write!(f, "({shown} table{})", if shown == 1 { "" } else { "s" })
        }
    }
}
