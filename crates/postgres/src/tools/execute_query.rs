//! `execute_query`: rows for SQL.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use towline_core::protocol::{ToolAnnotations, ToolDefinition};
use towline_core::{Error, RawJson, Tool, ToolCall, ToolResult};

use super::Databases;
use crate::execute::Rows;

/// What a call of `execute_query` takes.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Arguments {
    /// One SQL statement in PostgreSQL's dialect: SELECT, WITH, VALUES, TABLE, EXPLAIN or SHOW. Write values as
    /// parameters: `$1`, `$2`.
    #[schemars(length(min = 1))]
    query: String,
    /// The values of `$1`, `$2`, in order. PostgreSQL infers their types; an array fits an array parameter, as in
    /// `= ANY($1)`, and an object `json` or `jsonb`.
    #[serde(default)]
    #[schemars(with = "Vec<Value>")]
    params: Vec<Box<RawValue>>,
    /// Rows at most; fewer than the server's own limit, which is the default.
    #[serde(default)]
    #[schemars(range(min = 1))]
    limit: Option<u32>,
    /// The database to ask.
    #[serde(default)]
    database: Option<String>,
}

/// The tool `execute_query`.
#[derive(Debug)]
pub(crate) struct ExecuteQuery {
    definition: ToolDefinition,
    databases: Databases,
}

impl ExecuteQuery {
    pub(crate) fn new(databases: Databases) -> Self {
        let description = "Runs one read-only SQL statement and returns its rows, each an array in the order of \
            the columns. Nothing can be changed: writing statements and functions with side effects are refused. \
            Long results are cut off, and the result says so: aggregate, filter and name columns rather than \
            read whole tables. Numbers that JSON readers would round come as strings, timestamps with a zone in \
            UTC.";
        let mut definition = ToolDefinition::new("execute_query", description)
            .with_title("Run SQL")
            .with_input::<Arguments>()
            .with_output::<Rows>()
            .with_annotations(ToolAnnotations::read_only());
        let most = databases.iter().map(|pool| pool.limits().max_rows).max().unwrap_or(1);
        definition.input_schema["properties"]["limit"]["maximum"] = json!(most);
        Self { definition: databases.define(definition), databases }
    }
}

#[async_trait]
impl Tool for ExecuteQuery {
    fn definition(&self) -> &ToolDefinition {
        &self.definition
    }

    async fn call(&self, call: ToolCall) -> Result<ToolResult, Error> {
        let Arguments { query, params, limit, database } = call.parse()?;
        let pool = &self.databases.pick(database.as_deref(), call.context())?;
        let params: Vec<&RawValue> = params.iter().map(|value| &**value).collect();
        let limits = match limit {
            Some(rows) => pool.limits().with_max_rows(rows),
            None => pool.limits(),
        };
        let answer = pool.query(&query, &params, limits).await?;
        let result =
            ToolResult::text(answer.rows.to_text()).with_structured(RawJson::from_value(&answer.rows)?);
        Ok(if answer.is_cacheable { result } else { result.volatile() })
    }
}
