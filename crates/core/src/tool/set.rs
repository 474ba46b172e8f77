//! Sets of tools.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use foldhash::fast::RandomState;
use jsonschema::Validator;
use serde_json::Value;
use tower::Layer;

use super::mirror::{self, Mirrored};
use super::{Tool, ToolCall, ToolResult, ToolService, schema};
use crate::answer::AnswerKind;
use crate::context::Context;
use crate::error::Error;
use crate::json::RawJson;
use crate::layered::Layered;
use crate::protocol::ToolDefinition;
use crate::registration::RegistrationError;

/// Tools by name, in the order in which they were added.
///
/// A tool's schemas are compiled when it is added, so a call only runs them.
#[derive(Clone, Default)]
pub struct ToolSet {
    entries: Vec<Entry>,
    by_name: HashMap<Arc<str>, usize, RandomState>,
}

#[derive(Clone)]
struct Entry {
    tool: Arc<dyn Tool>,
    checks: Arc<Checks>,
}

/// What is derived from a definition, once.
struct Checks {
    input: Validator,
    output: Option<Validator>,
    mirrored: Vec<Mirrored>,
}

impl ToolSet {
    /// An empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a tool that is known when the program is written.
    ///
    /// # Panics
    ///
    /// Panics where [`try_with`](Self::try_with) fails.
    #[must_use]
    pub fn with(self, tool: impl Tool) -> Self {
        self.try_with(tool).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Adds a tool that comes from configuration or from elsewhere.
    ///
    /// # Errors
    ///
    /// When its name is taken or no valid name, or a schema cannot be compiled or refers outside itself, or
    /// `x-mcp-header` stands where the specification forbids it.
    pub fn try_with(mut self, tool: impl Tool) -> Result<Self, RegistrationError> {
        self.add(Arc::new(tool))?;
        Ok(self)
    }

    /// Adds the tools of another set.
    ///
    /// # Panics
    ///
    /// Panics if a name is in both sets.
    #[must_use]
    pub fn merge(mut self, other: Self) -> Self {
        for entry in other.entries {
            let name = Arc::clone(&entry.tool.definition().name);
            let taken = self.by_name.insert(Arc::clone(&name), self.entries.len());
            assert!(taken.is_none(), "tool {name:?}: there is another of that name");
            self.entries.push(entry);
        }
        self
    }

    /// Puts a tower layer around each tool that is in the set now. A second layer goes around the first.
    ///
    /// The layer is applied once per tool. State that all of them are to share is made first and handed to the
    /// layer.
    #[must_use]
    pub fn layer<L>(self, layer: L) -> Self
    where
        L: Layer<ToolService>,
        Layered<L::Service>: Tool,
    {
        self.layer_each(|_| &layer)
    }

    /// Puts a tower layer around each tool that is in the set now, made for that tool: `make` sees its definition.
    #[must_use]
    pub fn layer_each<L>(mut self, mut make: impl FnMut(&ToolDefinition) -> L) -> Self
    where
        L: Layer<ToolService>,
        Layered<L::Service>: Tool,
    {
        for entry in &mut self.entries {
            let layer = make(entry.tool.definition());
            entry.tool = Arc::new(ToolService::layered(Arc::clone(&entry.tool), &layer));
        }
        self
    }

    /// Removes a tool; false if there is none of that name.
    pub fn remove(&mut self, name: &str) -> bool {
        let Some(at) = self.by_name.remove(name) else { return false };
        self.entries.remove(at);
        self.by_name.values_mut().filter(|other| **other > at).for_each(|other| *other -= 1);
        true
    }

    /// Whether any tool may ask for input.
    pub(crate) fn asks_input(&self) -> bool {
        self.entries.iter().any(|entry| entry.tool.asks_input())
    }

    /// The tool of that name.
    pub fn get(&self, name: &str) -> Option<&Arc<dyn Tool>> {
        self.by_name.get(name).map(|at| &self.entries[*at].tool)
    }

    /// What the tools tell about themselves, in order.
    pub fn definitions(&self) -> impl ExactSizeIterator<Item = &ToolDefinition> {
        self.entries.iter().map(|entry| entry.tool.definition())
    }

    /// How many tools there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn add(&mut self, tool: Arc<dyn Tool>) -> Result<(), RegistrationError> {
        let definition = tool.definition();
        let refuse = |reason: String| RegistrationError::new("tool", &definition.name, reason);
        check_name(&definition.name).map_err(refuse)?;
        if self.by_name.contains_key(&definition.name) {
            return Err(refuse("there is another of that name".into()));
        }
        if definition.input_schema.get("type") != Some(&Value::from("object")) {
            return Err(refuse("the type of the input schema must be \"object\"".into()));
        }
        let bad_schema = |which: &str, reason: String| refuse(format!("bad {which} schema: {reason}"));
        let input = schema::compile(&definition.input_schema).map_err(|error| bad_schema("input", error))?;
        let output = definition.output_schema.as_ref().map(schema::compile).transpose();
        let output = output.map_err(|error| bad_schema("output", error))?;
        let mirrored = mirror::find(&definition.input_schema).map_err(refuse)?;
        self.by_name.insert(Arc::clone(&definition.name), self.entries.len());
        self.entries.push(Entry { tool, checks: Arc::new(Checks { input, output, mirrored }) });
        Ok(())
    }

    /// Finds the tool and begins the call.
    ///
    /// # Errors
    ///
    /// The outer error is the protocol's: an unknown tool, arguments that are no object, headers that differ. What is
    /// wrong with the arguments themselves comes out of the future, as the model's to mend.
    pub(crate) fn call(
        self: &Arc<Self>,
        name: &str,
        arguments: Option<RawJson>,
        context: Context,
    ) -> Result<CallFuture, Error> {
        let at = *self.by_name.get(name).ok_or_else(|| Error::tool_not_found(name))?;
        let entry = &self.entries[at];
        let raw = arguments.filter(|json| json.as_str() != "null").unwrap_or(RawJson::EMPTY_OBJECT);
        if !raw.as_str().starts_with('{') {
            return Err(Error::invalid_params("`arguments` must be an object"));
        }
        let arguments: Value = raw.parse().map_err(|error| Error::invalid_params(error.to_string()))?;
        if let Some(headers) = context.header_params() {
            mirror::check(&entry.checks.mirrored, headers, &arguments)?;
        }
        let definition = entry.tool.definition();
        if let Err(error) = schema::check_arguments(&entry.checks.input, &definition.input_schema, &arguments)
        {
            return Ok(Box::pin(std::future::ready(Err(error))));
        }
        let call = ToolCall::new(Arc::clone(&definition.name), raw, context)
            .with_idempotent(definition.annotations.is_idempotent())
            .with_read_only(definition.annotations.is_read_only())
            .with_caller(definition.depends_on_caller);
        let set = Arc::clone(self);
        Ok(Box::pin(async move {
            let entry = &set.entries[at];
            // The tool within: an `Arc` of one is a tool as well, which would box the future once more.
            let result = (*entry.tool).call(call).await?;
            entry.check_output(&result)?;
            Ok(result)
        }))
    }
}

pub(crate) type CallFuture = Pin<Box<dyn Future<Output = Result<ToolResult, Error>> + Send>>;

impl Entry {
    /// In debug builds and tests: whether the data is what the schema promises. In release builds the cost is not
    /// worth what a client can check for itself.
    fn check_output(&self, result: &ToolResult) -> Result<(), Error> {
        if !cfg!(debug_assertions) || result.kind() != AnswerKind::Complete {
            return Ok(());
        }
        let Some(validator) = &self.checks.output else { return Ok(()) };
        let Some(structured) = result.structured() else {
            return Err(Error::internal("a tool with an output schema gave no structured result"));
        };
        let structured: Value = structured.parse().map_err(Error::internal)?;
        validator.validate(&structured).map_err(|error| {
            Error::internal(format!("the result breaks its schema at {}: {error}", error.instance_path()))
        })
    }
}

impl fmt::Debug for ToolSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.definitions().map(|definition| &definition.name)).finish()
    }
}

impl FromIterator<Arc<dyn Tool>> for ToolSet {
    /// # Panics
    ///
    /// Panics where [`ToolSet::try_with`] fails.
    fn from_iter<I: IntoIterator<Item = Arc<dyn Tool>>>(tools: I) -> Self {
        tools.into_iter().fold(Self::new(), ToolSet::with)
    }
}

/// server/tools, "Tool Names": what clients agree to take.
fn check_name(name: &str) -> Result<(), String> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    if (1..=128).contains(&name.len()) && name.bytes().all(allowed) {
        return Ok(());
    }
    Err("a name has 1 to 128 of A-Z, a-z, 0-9, `_`, `-` and `.`".into())
}
