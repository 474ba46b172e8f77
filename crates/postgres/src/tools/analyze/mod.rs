//! `analyze_table`: what a table's values are like.
//!
//! Two statements read the table, whatever its number of columns: the first measures, the second
//! counts common values and histograms with what the first found.

mod class;
mod measure;
mod model;
mod run;
mod sql;
mod text;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use towline_core::protocol::{ToolAnnotations, ToolDefinition};
use towline_core::{Context, Error, ErrorKind, RawJson, Tool, ToolCall, ToolResult};

pub use model::{
    Bucket, Certainty, ColumnAnalysis, Common, Lengths, NotFinite, Percentiles, Scalar, Source, TableAnalysis,
};

use super::Databases;
use crate::error::PostgresError;
use crate::pool::Pool;
use crate::relation::{Relation, Unresolved};
use crate::tools::table_schema::describe;

/// Columns of one analysis at most: each costs memory on the server and room in the answer.
pub(crate) const MAX_COLUMNS: usize = 50;

/// What a call of `analyze_table` takes.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Arguments {
    /// The table, view or materialized view: `orders`, `sales.orders`, `sales."Order Items"`.
    #[schemars(length(min = 1, max = 300))]
    table: String,
    /// The columns to analyze. Default: all, or the first 50 of more.
    #[serde(default)]
    #[schemars(length(min = 1, max = 50))]
    columns: Option<Vec<String>>,
    /// About how many rows to read at most, chosen at random; 0 reads all, which takes long on a large table.
    /// Default: all rows up to 100,000, about 50,000 of more.
    #[serde(default)]
    #[schemars(range(max = 1_000_000))]
    sample: Option<u32>,
    /// The database to ask.
    #[serde(default)]
    database: Option<String>,
}

/// The tool `analyze_table`.
#[derive(Debug)]
pub(crate) struct AnalyzeTable {
    definition: ToolDefinition,
    databases: Databases,
}

impl AnalyzeTable {
    pub(crate) fn new(databases: Databases) -> Self {
        let description = "Profiles a table's data: number of rows and, for each column, NULLs, distinct \
            values, minimum, maximum, mean, standard deviation, percentiles, most common values, text lengths \
            and a histogram. Large tables are sampled, and the result says so.";
        let definition = ToolDefinition::new("analyze_table", description)
            .with_title("Analyze a table")
            .with_input::<Arguments>()
            .with_output::<TableAnalysis>()
            .with_annotations(ToolAnnotations::read_only());
        Self { definition: databases.define(definition), databases }
    }
}

#[async_trait]
impl Tool for AnalyzeTable {
    fn definition(&self) -> &ToolDefinition {
        &self.definition
    }

    async fn call(&self, call: ToolCall) -> Result<ToolResult, Error> {
        let Arguments { table, columns, sample, database } = call.parse()?;
        let pool = &self.databases.pick(database.as_deref(), call.context())?;
        match analyze(pool, &table, columns.as_deref(), sample, call.context()).await {
            Ok(analysis) => {
                Ok(ToolResult::text(analysis.to_string()).with_structured(RawJson::from_value(&analysis)?))
            }
            Err(Unresolved::Unknown(message)) => Ok(ToolResult::error(message)),
            Err(Unresolved::Postgres(error @ PostgresError::StatementTimeout { after })) => {
                let message = format!(
                    "the analysis was stopped after {after:?}; name fewer `columns`, or read fewer rows with \
                     a smaller `sample`, such as 10000"
                );
                Err(Error::new(ErrorKind::TooLarge, message).with_source(error))
            }
            Err(Unresolved::Postgres(error)) => Err(error.into()),
        }
    }
}

async fn analyze(
    pool: &Pool,
    table: &str,
    columns: Option<&[String]>,
    sample: Option<u32>,
    context: &Context,
) -> Result<TableAnalysis, Unresolved> {
    let session = pool.read_only(pool.limits()).await?;
    let work = async {
        let relation = Relation::resolve(&session, pool.config(), table).await?;
        if relation.is_of_the_system() {
            let message = format!(
                "`{}` is a table of the system; analyze_table is for tables with data",
                relation.sql_name
            );
            return Err(Unresolved::Unknown(message));
        }
        let schema = describe(&session, pool.config(), &relation).await?;
        let wanted = run::wanted(&schema, columns).map_err(Unresolved::Unknown)?;
        let run = run::Run { session: &session, context, schema: &schema, relation: &relation };
        run.analyze(&wanted, sample).await.map_err(Unresolved::from)
    };
    let analysis = work.await;
    session.finish().await;
    analysis
}
