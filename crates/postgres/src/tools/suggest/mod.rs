//! `suggest_queries`: statements that make sense for one table.
//!
//! They are built from the table's own columns, keys, types and statistics. Each is shown to the
//! guard and prepared on the server before a caller reads it.

mod analysis;
mod overview;
mod quality;
mod relationships;
mod subject;

use std::borrow::Cow;
use std::fmt::{self, Display, Formatter};

use async_trait::async_trait;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use towline_core::protocol::{ToolAnnotations, ToolDefinition};
use towline_core::{Error, RawJson, Tool, ToolCall, ToolResult};

use self::subject::Subject;
use super::Databases;
use crate::error::PostgresError;
use crate::pool::Pool;
use crate::relation::{Relation, Unresolved};
use crate::tools::table_schema::{TableSchema, describe};

/// Related tables that are looked at, at most.
const MAX_RELATED: usize = 5;

/// What queries are to be about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AnalysisType {
    /// What is in the table: rows, the latest, ranges.
    #[default]
    Overview,
    /// Numbers by group and over time.
    Analysis,
    /// What may be wrong: gaps, duplicates, orphans, outliers, old data.
    Quality,
    /// Joins along foreign keys in both directions.
    Relationships,
}

/// A plain list of words, because a caller who errs is told what the list has.
impl JsonSchema for AnalysisType {
    fn schema_name() -> Cow<'static, str> {
        "AnalysisType".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "enum": ["overview", "analysis", "quality", "relationships"]})
    }
}

impl AnalysisType {
    fn word(self) -> &'static str {
        match self {
            Self::Overview => "overview",
            Self::Analysis => "analysis",
            Self::Quality => "quality",
            Self::Relationships => "relationships",
        }
    }
}

/// Queries for one table.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct Suggestions {
    /// The table's name as a statement must spell it.
    pub table: String,
    /// What the queries are about.
    pub analysis_type: AnalysisType,
    /// The queries, the most useful first. The server has parsed and planned each of them.
    pub suggestions: Vec<Suggestion>,
}

/// A query that makes sense.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct Suggestion {
    /// What it answers.
    pub title: String,
    /// Why it makes sense for this table.
    pub why: String,
    /// The statement, for `execute_query`.
    pub sql: String,
    /// The types of the values that it needs as `params`, if any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub params: Vec<String>,
}

impl Suggestion {
    fn new(title: impl Into<String>, why: impl Into<String>, sql: impl Into<String>) -> Self {
        Self { title: title.into(), why: why.into(), sql: sql.into(), params: Vec::new() }
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Arguments {
    /// The table, view or materialized view: `orders`, `sales.orders`, `sales."Order Items"`.
    #[schemars(length(min = 1, max = 300))]
    table: String,
    /// What the queries are to be about: `overview` (the default), `analysis`, `quality` or `relationships`.
    #[serde(default)]
    analysis_type: AnalysisType,
    /// The database to ask.
    #[serde(default)]
    database: Option<String>,
}

/// The tool `suggest_queries`.
#[derive(Debug)]
pub(crate) struct SuggestQueries {
    definition: ToolDefinition,
    databases: Databases,
}

impl SuggestQueries {
    pub(crate) fn new(databases: Databases) -> Self {
        let description = "Suggests SQL for a table, built from its columns, keys, types and statistics and \
            checked by the server: an overview, an analysis by groups and time, a check of the data's quality, \
            or joins along foreign keys. Run them with execute_query.";
        let definition = ToolDefinition::new("suggest_queries", description)
            .with_title("Suggest queries")
            .with_input::<Arguments>()
            .with_output::<Suggestions>()
            .with_annotations(ToolAnnotations::read_only());
        Self { definition: databases.define(definition), databases }
    }
}

#[async_trait]
impl Tool for SuggestQueries {
    fn definition(&self) -> &ToolDefinition {
        &self.definition
    }

    async fn call(&self, call: ToolCall) -> Result<ToolResult, Error> {
        let Arguments { table, analysis_type, database } = call.parse()?;
        let pool = &self.databases.pick(database.as_deref(), call.context())?;
        match suggest(pool, &table, analysis_type).await {
            Ok(suggestions) => {
                Ok(ToolResult::text(suggestions.to_string())
                    .with_structured(RawJson::from_value(&suggestions)?))
            }
            Err(Unresolved::Unknown(message)) => Ok(ToolResult::error(message)),
            Err(Unresolved::Postgres(error)) => Err(error.into()),
        }
    }
}

async fn suggest(pool: &Pool, table: &str, analysis_type: AnalysisType) -> Result<Suggestions, Unresolved> {
    let (schema, related) = read(pool, table).await?;
    let subject = Subject::new(&schema, &related, !pool.config().hidden_columns.is_empty());
    let suggestions = match analysis_type {
        AnalysisType::Overview => overview::suggest(&subject),
        AnalysisType::Analysis => analysis::suggest(&subject),
        AnalysisType::Quality => quality::suggest(&subject),
        AnalysisType::Relationships => relationships::suggest(&subject),
    };
    let suggestions = proven(pool, suggestions).await?;
    Ok(Suggestions { table: schema.table, analysis_type, suggestions })
}

/// Reads the table's definition, and those of the tables that it refers to and that refer to it.
async fn read(pool: &Pool, table: &str) -> Result<(TableSchema, Vec<TableSchema>), Unresolved> {
    let session = pool.read_only(pool.limits()).await?;
    let work = async {
        let relation = Relation::resolve(&session, pool.config(), table).await?;
        let schema = describe(&session, pool.config(), &relation).await?;
        let mut names: Vec<&str> = Vec::new();
        let far = schema.foreign_keys.iter().take(MAX_RELATED).map(|key| key.references_table.as_str());
        let near = schema.referenced_by.iter().take(MAX_RELATED).map(|key| key.table.as_str());
        for name in far.chain(near) {
            if name != schema.table && !names.contains(&name) {
                names.push(name);
            }
        }
        let mut related = Vec::new();
        for name in names {
            match Relation::resolve(&session, pool.config(), name).await {
                Ok(relation) => related.push(describe(&session, pool.config(), &relation).await?),
                Err(Unresolved::Unknown(_)) => {} // gone since
                Err(error) => return Err(error),
            }
        }
        Ok((schema, related))
    };
    let read = work.await;
    session.finish().await;
    read
}

/// Keeps those that the guard lets through and the server can prepare.
async fn proven(pool: &Pool, suggestions: Vec<Suggestion>) -> Result<Vec<Suggestion>, PostgresError> {
    let mut allowed = Vec::new();
    // Before the session: the guard may need a connection of its own.
    for suggestion in suggestions {
        match pool.check(&suggestion.sql).await {
            Ok(_) => allowed.push(suggestion),
            Err(PostgresError::Refused(refusal)) => dropped(pool, &suggestion, &refusal),
            Err(error) => return Err(error),
        }
    }
    let session = pool.read_only(pool.limits()).await?;
    let work = async {
        let mut proven = Vec::new();
        for mut suggestion in allowed {
            let savepoint = session.savepoint().await?;
            match session.describe(&suggestion.sql).await {
                Ok(description) => {
                    suggestion.params = description.params;
                    proven.push(suggestion);
                }
                Err(PostgresError::Statement(error)) => dropped(pool, &suggestion, &error),
                Err(error) => return Err(error),
            }
            savepoint.rollback().await?;
        }
        Ok(proven)
    };
    let proven = work.await;
    session.finish().await;
    proven
}

fn dropped(pool: &Pool, suggestion: &Suggestion, error: &(dyn std::error::Error + 'static)) {
    tracing::debug!(database = pool.name(), sql = suggestion.sql, error, "a suggestion is dropped");
}

impl Display for Suggestions {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let kind = self.analysis_type.word();
        if self.suggestions.is_empty() {
            return writeln!(f, "There are no {kind} queries to suggest for {}.", self.table);
        }
        writeln!(f, "Suggested {kind} queries for {}:", self.table)?;
        for (at, suggestion) in self.suggestions.iter().enumerate() {
            writeln!(f, "\n{}. {}: {}", at + 1, suggestion.title, suggestion.why)?;
            for line in suggestion.sql.lines() {
                writeln!(f, "   {line}")?;
            }
            if !suggestion.params.is_empty() {
                writeln!(f, "   (params: {})", suggestion.params.join(", "))?;
            }
        }
        Ok(())
    }
}
