//! The tools of a document.

use std::collections::{BTreeSet, HashSet};
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use serde_json::{Map, Value, json};
use towline_core::protocol::ToolDefinition;
use towline_core::{Error, Schema, Tool, ToolCall, ToolResult, ToolSet};

use super::config::{Mode, OpenApiConfig};
use super::document::Document;
use super::operation::{self, Operation};
use super::plan::Plan;
use super::report::Report;
use super::search::{Call, Catalogue, Describe, Search};
use super::{Execute, response};

/// The tools of a document's operations, and what came of importing it.
///
/// The configuration should have been [validated](OpenApiConfig::validate); what is wrong with it is left out here and
/// reported. In the mode [`Tools`](Mode::Tools) the document itself is not kept.
pub fn tools(document: &Document, config: &OpenApiConfig, execute: Arc<dyn Execute>) -> (ToolSet, Report) {
    let mut report = Report::default();
    let (mut operations, skipped) = document.operations();
    report.skipped = skipped;
    operation::rename(&mut operations, &config.prefix);
    let count = operations.len();
    operations.retain(|operation| config.serves(operation) && execute.allows(operation.method()));
    report.excluded = count - operations.len();
    report.operations = operations.len();
    override_names(&mut operations, config, &mut report);
    let set = match config.mode {
        Mode::Tools => each(&operations, config, &execute, &mut report),
        Mode::Search => search(document, operations, config, execute, &mut report),
    };
    report.tools = set.len();
    report.bytes = set.definitions().map(size).sum();
    if report.tools > config.max_tools || report.bytes > config.max_bytes {
        let (tools, bytes) = (report.tools, report.bytes);
        report.warn(
            None,
            format!(
                "{tools} tools of {bytes} bytes (about {} tokens) fill much of a model's context: include fewer \
                 operations, or set mode = \"search\"",
                bytes / 4
            ),
        );
    }
    (set, report)
}

/// Bytes of what a client reads about a tool.
fn size(definition: &ToolDefinition) -> usize {
    let listed = json!({
        "name": &*definition.name, "title": definition.title, "description": definition.description,
        "annotations": definition.annotations,
    });
    // The schemas are large: they are not copied to be measured.
    length(&listed)
        + length(&definition.input_schema)
        + definition.output_schema.as_ref().map_or(0, length)
        + 32
}

fn length(value: &Value) -> usize {
    struct Count(usize);
    impl std::io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    // Counting cannot fail, and a tree always has a JSON form.
    let _ = serde_json::to_writer(&mut count, value);
    count.0
}

fn override_names(operations: &mut [Operation], config: &OpenApiConfig, report: &mut Report) {
    let mut used = BTreeSet::new();
    let mut taken: HashSet<String> =
        operations.iter().map(|operation| operation.name().to_ascii_lowercase()).collect();
    for operation in operations {
        let Some((key, over)) = config.override_of(operation) else { continue };
        used.insert(key.to_owned());
        let Some(name) = &over.name else { continue };
        if taken.insert(name.to_ascii_lowercase()) {
            operation.name.clone_from(name);
        } else {
            report.warn(Some(operation.name()), format!("it cannot be called `{name}`: another tool is"));
        }
    }
    for key in config.overrides.keys().filter(|key| !used.contains(*key)) {
        report.warn(None, format!("the override {key:?} is of no operation that is served"));
    }
}

fn each(
    operations: &[Operation],
    config: &OpenApiConfig,
    execute: &Arc<dyn Execute>,
    report: &mut Report,
) -> ToolSet {
    let mut set = ToolSet::new();
    for operation in operations {
        let (mut definition, mut notes) = operation.definition(config.output_schemas);
        if let Some(description) =
            config.override_of(operation).and_then(|(_, over)| over.description.clone())
        {
            definition.description = description;
        }
        let tool =
            |definition| OperationTool::new(definition, Arc::clone(operation.plan()), Arc::clone(execute));
        let mut made = ToolSet::new().try_with(tool(definition.clone()));
        if let (Err(error), Some(_)) = (&made, definition.output_schema.take()) {
            notes.push(format!("it is served without an output schema: {error}"));
            made = ToolSet::new().try_with(tool(definition));
        }
        match made {
            Ok(one) => {
                set = set.merge(one);
                for note in operation.warnings().iter().chain(&notes) {
                    report.warn(Some(operation.name()), note.as_str());
                }
            }
            Err(error) => {
                report.operations -= 1;
                report.skipped.push(operation::Skipped {
                    method: operation.method().to_string(),
                    path: operation.path().to_owned(),
                    reason: error.to_string(),
                });
            }
        }
    }
    set
}

fn search(
    document: &Document,
    mut operations: Vec<Operation>,
    config: &OpenApiConfig,
    execute: Arc<dyn Execute>,
    report: &mut Report,
) -> ToolSet {
    for operation in &mut operations {
        for note in operation.warnings() {
            report.warn(Some(operation.name()), note.as_str());
        }
        let described = config.override_of(operation).and_then(|(_, over)| over.description.clone());
        if let Some(description) = described {
            operation.describe(description);
        }
    }
    let api = document.title().unwrap_or("the API").to_owned();
    let catalogue = Arc::new(Catalogue::new(operations, execute));
    let prefix = config.prefix.as_str();
    ToolSet::new()
        .with(Search::new(prefix, &api, Arc::clone(&catalogue)))
        .with(Describe::new(prefix, &api, config.output_schemas, Arc::clone(&catalogue)))
        .with(Call::new(prefix, &api, catalogue))
}

/// A tool that calls one operation.
struct OperationTool {
    definition: ToolDefinition,
    plan: Arc<Plan>,
    /// Compiled at the first answer, as most tools are never called.
    output: OnceLock<Option<Schema>>,
    execute: Arc<dyn Execute>,
}

impl OperationTool {
    fn new(definition: ToolDefinition, plan: Arc<Plan>, execute: Arc<dyn Execute>) -> Self {
        Self { definition, plan, output: OnceLock::new(), execute }
    }
}

#[async_trait]
impl Tool for OperationTool {
    fn definition(&self) -> &ToolDefinition {
        &self.definition
    }

    async fn call(&self, call: ToolCall) -> Result<ToolResult, Error> {
        let arguments: Map<String, Value> = call.parse()?;
        let request = self.plan.request(&arguments)?;
        let answer = self.execute.execute(request, call.context()).await?;
        let output = self.output.get_or_init(|| {
            self.definition.output_schema.clone().and_then(|schema| Schema::compile(schema).ok())
        });
        Ok(response::result(&answer, output.as_ref()))
    }
}
