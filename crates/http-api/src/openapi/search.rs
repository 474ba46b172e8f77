//! Three tools over all operations, so that a list of a thousand does not fill a model's context.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use towline_core::protocol::{ToolAnnotations, ToolDefinition};
use towline_core::schemars::JsonSchema;
use towline_core::{Error, Schema, Tool, ToolCall, ToolResult};

use super::find::Index;
use super::operation::Operation;
use super::{Execute, response};

/// Operations that a search gives at most, and those that it gives unless asked for more or fewer.
const MAX_FOUND: u32 = 50;
const DEFAULT_FOUND: u32 = 10;

/// Names that are proposed for one that is not there.
const MAX_PROPOSED: usize = 3;

/// All operations, as the three tools share them.
pub(super) struct Catalogue {
    operations: Vec<Operation>,
    by_name: HashMap<String, usize>,
    index: Index,
    /// What calls are held against, compiled at the first call of each.
    inputs: Vec<OnceLock<Result<Schema, String>>>,
    execute: Arc<dyn Execute>,
}

impl Catalogue {
    pub(super) fn new(operations: Vec<Operation>, execute: Arc<dyn Execute>) -> Self {
        let by_name = operations.iter().enumerate().map(|(at, operation)| (operation.name().to_owned(), at));
        Self {
            by_name: by_name.collect(),
            index: Index::new(&operations),
            inputs: operations.iter().map(|_| OnceLock::new()).collect(),
            operations,
            execute,
        }
    }

    fn get(&self, name: &str) -> Result<usize, Error> {
        self.by_name.get(name).copied().ok_or_else(|| {
            let mut near: Vec<(f64, &str)> = self
                .by_name
                .keys()
                .map(|known| (strsim::jaro_winkler(name, known), known.as_str()))
                .collect();
            near.sort_by(|one, other| other.0.total_cmp(&one.0).then(one.1.cmp(other.1)));
            let near: Vec<String> =
                near.iter().take(MAX_PROPOSED).map(|(_, known)| format!("`{known}`")).collect();
            let shown: String = name.chars().take(80).collect();
            Error::invalid_params(format!(
                "There is no operation `{shown}`; the nearest are {}.",
                near.join(", ")
            ))
        })
    }

    fn input(&self, at: usize) -> Result<&Schema, Error> {
        let compiled = self.inputs[at].get_or_init(|| Schema::compile(self.operations[at].input_schema()));
        compiled.as_ref().map_err(|problem| Error::internal(problem.clone()))
    }

    fn is_read_only(&self) -> bool {
        let is_read = |operation: &Operation| {
            matches!(operation.method().as_str(), "GET" | "HEAD" | "OPTIONS" | "QUERY")
        };
        self.operations.iter().all(is_read)
    }
}

#[derive(Deserialize, JsonSchema)]
#[schemars(crate = "towline_core::schemars")]
#[serde(deny_unknown_fields)]
struct SearchArguments {
    /// Words of what you want to do, such as "list open issues". Empty lists all.
    #[serde(default)]
    query: String,
    /// Operations to give at most.
    #[serde(default = "default_found")]
    #[schemars(range(min = 1, max = 50))]
    limit: u32,
    /// Operations to skip, to read on in a long list.
    #[serde(default)]
    offset: u32,
}

fn default_found() -> u32 {
    DEFAULT_FOUND
}

#[derive(Serialize, JsonSchema)]
#[schemars(crate = "towline_core::schemars")]
struct Found {
    operations: Vec<Summary>,
    /// How many there are in all.
    total: usize,
}

#[derive(Serialize, JsonSchema)]
#[schemars(crate = "towline_core::schemars")]
struct Summary {
    name: String,
    method: String,
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    deprecated: bool,
}

#[derive(Deserialize, JsonSchema)]
#[schemars(crate = "towline_core::schemars")]
#[serde(deny_unknown_fields)]
struct DescribeArguments {
    /// The operation's name, as a search gives it.
    name: String,
}

#[derive(Serialize, JsonSchema)]
#[schemars(crate = "towline_core::schemars")]
struct Description {
    name: String,
    method: String,
    path: String,
    description: String,
    /// JSON Schema of the operation's arguments.
    input_schema: Map<String, Value>,
    /// JSON Schema of what it answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    output_schema: Option<Map<String, Value>>,
}

#[derive(Deserialize, JsonSchema)]
#[schemars(crate = "towline_core::schemars")]
#[serde(deny_unknown_fields)]
struct CallArguments {
    /// The operation's name, as a search gives it.
    name: String,
    /// Its arguments, as its description has them.
    #[serde(default)]
    arguments: Map<String, Value>,
}

/// Finds operations by words.
pub(super) struct Search {
    definition: ToolDefinition,
    catalogue: Arc<Catalogue>,
}

impl Search {
    pub(super) fn new(prefix: &str, api: &str, catalogue: Arc<Catalogue>) -> Self {
        let count = catalogue.operations.len();
        let definition = ToolDefinition::new(
            format!("{prefix}search_operations"),
            format!("Finds operations of {api} ({count} in all) by words. Describe one before you call it."),
        );
        let definition = definition.with_input::<SearchArguments>().with_output::<Found>();
        Self { definition: definition.with_annotations(ToolAnnotations::read_only()), catalogue }
    }
}

#[async_trait]
impl Tool for Search {
    fn definition(&self) -> &ToolDefinition {
        &self.definition
    }

    async fn call(&self, call: ToolCall) -> Result<ToolResult, Error> {
        let SearchArguments { query, limit, offset } = call.parse()?;
        let found = self.catalogue.index.find(&query);
        let shown = found.iter().skip(offset as usize).take(limit.min(MAX_FOUND) as usize);
        let operations = shown.map(|at| {
            let operation = &self.catalogue.operations[*at];
            Summary {
                name: operation.name().to_owned(),
                method: operation.method().to_string(),
                path: operation.path().to_owned(),
                summary: operation.title(),
                deprecated: operation.is_deprecated(),
            }
        });
        ToolResult::json(&Found { operations: operations.collect(), total: found.len() })
    }
}

/// Tells what an operation takes.
pub(super) struct Describe {
    definition: ToolDefinition,
    catalogue: Arc<Catalogue>,
    has_output: bool,
}

impl Describe {
    pub(super) fn new(prefix: &str, api: &str, has_output: bool, catalogue: Arc<Catalogue>) -> Self {
        let definition = ToolDefinition::new(
            format!("{prefix}describe_operation"),
            format!("Tells what an operation of {api} does, and the schema of its arguments."),
        );
        let definition = definition.with_input::<DescribeArguments>().with_output::<Description>();
        Self { definition: definition.with_annotations(ToolAnnotations::read_only()), catalogue, has_output }
    }
}

#[async_trait]
impl Tool for Describe {
    fn definition(&self) -> &ToolDefinition {
        &self.definition
    }

    async fn call(&self, call: ToolCall) -> Result<ToolResult, Error> {
        let DescribeArguments { name } = call.parse()?;
        let operation = &self.catalogue.operations[self.catalogue.get(&name)?];
        let object = |schema: Value| if let Value::Object(members) = schema { members } else { Map::new() };
        ToolResult::json(&Description {
            name,
            method: operation.method().to_string(),
            path: operation.path().to_owned(),
            description: operation.description(),
            input_schema: object(operation.input_schema()),
            output_schema: operation.output_schema().filter(|_| self.has_output).map(object),
        })
    }
}

/// Calls an operation.
pub(super) struct Call {
    definition: ToolDefinition,
    catalogue: Arc<Catalogue>,
}

impl Call {
    pub(super) fn new(prefix: &str, api: &str, catalogue: Arc<Catalogue>) -> Self {
        let mut annotations = ToolAnnotations::default();
        if catalogue.is_read_only() {
            annotations.read_only_hint = Some(true);
        }
        let definition = ToolDefinition::new(
            format!("{prefix}call_operation"),
            format!("Calls an operation of {api} with arguments as its description has them."),
        );
        let definition = definition.with_input::<CallArguments>().with_annotations(annotations);
        Self { definition, catalogue }
    }
}

#[async_trait]
impl Tool for Call {
    fn definition(&self) -> &ToolDefinition {
        &self.definition
    }

    async fn call(&self, call: ToolCall) -> Result<ToolResult, Error> {
        let CallArguments { name, arguments } = call.parse()?;
        let at = self.catalogue.get(&name)?;
        let arguments = Value::Object(arguments);
        self.catalogue.input(at)?.check_arguments(&arguments)?;
        let Value::Object(arguments) = arguments else {
            return Err(Error::internal("arguments are an object"));
        };
        let request = self.catalogue.operations[at].request(&arguments)?;
        let answer = self.catalogue.execute.execute(request, call.context()).await?;
        Ok(response::result(&answer, None))
    }
}
