//! Tools: what a model can call.

mod builtin;
mod function;
mod layered;
mod mirror;
mod result;
pub(crate) mod schema;
pub(crate) mod set;

use std::sync::Arc;

use async_trait::async_trait;
use serde::de::DeserializeOwned;

pub(crate) use builtin::{HealthTool, InfoTool, ServerFacts};
pub use function::{FnTool, Json, ToolFn, ToolOutput, tool_fn};
pub use layered::ToolService;
pub use result::ToolResult;
pub use schema::Schema;
pub use set::ToolSet;

use crate::arguments;
use crate::context::Context;
use crate::error::Error;
use crate::input::Input;
use crate::json::RawJson;
use crate::layered::Layered;
use crate::operation::Operation;
use crate::protocol::ToolDefinition;
use crate::task::{TaskOptions, TaskTool, Tasks};

/// Something that a model can call.
///
/// [`tool_fn`] makes one of an async function; a type of one's own implements this trait.
///
/// Arguments are held against the whole input schema before `call` runs. Dropping the future of a call is how a
/// client's cancellation arrives: what must be undone then is undone in `Drop`.
#[async_trait]
pub trait Tool: Send + Sync + 'static {
    /// What the client learns of it. It must not change once the tool is part of a [`ToolSet`].
    fn definition(&self) -> &ToolDefinition;

    /// Does the work.
    ///
    /// # Errors
    ///
    /// A failure of the service. The model reads its message as a result with `isError`.
    async fn call(&self, call: ToolCall) -> Result<ToolResult, Error>;

    /// Whether it may ask for [`Input`]. For clients of older revisions over HTTP, a session is kept only if anything may.
    /// Default: false.
    fn asks_input(&self) -> bool {
        false
    }
}

#[async_trait]
impl Tool for Arc<dyn Tool> {
    fn definition(&self) -> &ToolDefinition {
        (**self).definition()
    }

    async fn call(&self, call: ToolCall) -> Result<ToolResult, Error> {
        (**self).call(call).await
    }

    fn asks_input(&self) -> bool {
        (**self).asks_input()
    }
}

/// Wraps single tools, also those from a pack.
pub trait ToolExt: Tool + Sized {
    /// Puts a tower layer around the tool. A second layer goes around the first.
    fn layer<L>(self, layer: L) -> Layered<L::Service>
    where
        L: tower::Layer<ToolService>,
    {
        ToolService::layered(Arc::new(self), &layer)
    }

    /// Lets the tool run as a task, where the client knows tasks.
    ///
    /// Layers that are around the tool by then go around its work; those that come later around the answer that tells of the
    /// task.
    fn into_task(self, tasks: &Tasks, options: TaskOptions) -> TaskTool<Self> {
        TaskTool::new(self, tasks, options)
    }
}

impl<T: Tool> ToolExt for T {}

/// One call of a tool. A clone is a few refcounts.
#[derive(Clone, Debug)]
pub struct ToolCall {
    name: Arc<str>,
    arguments: RawJson,
    is_idempotent: bool,
    is_read_only: bool,
    depends_on_caller: bool,
    context: Context,
}

impl ToolCall {
    /// A call made in code. `arguments` must be a JSON object.
    pub fn new(name: impl Into<Arc<str>>, arguments: RawJson, context: Context) -> Self {
        Self {
            name: name.into(),
            arguments,
            is_idempotent: false,
            is_read_only: false,
            depends_on_caller: false,
            context,
        }
    }

    /// Says whether calling the tool twice does no more than calling it once; a [`ToolSet`] says what the tool's
    /// annotations say. Default: false.
    #[must_use]
    pub fn with_idempotent(mut self, is_idempotent: bool) -> Self {
        self.is_idempotent = is_idempotent;
        self
    }

    /// Says whether calling the tool changes nothing, in which case it is idempotent as well; a [`ToolSet`] says what
    /// the tool's annotations say. Default: false.
    #[must_use]
    pub fn with_read_only(mut self, is_read_only: bool) -> Self {
        self.is_read_only = is_read_only;
        self
    }

    /// Says whether the answer depends on who calls; a [`ToolSet`] says what the tool's definition says. Default: false.
    #[must_use]
    pub fn with_caller(mut self, depends_on_caller: bool) -> Self {
        self.depends_on_caller = depends_on_caller;
        self
    }

    /// The tool's name.
    pub fn tool(&self) -> &Arc<str> {
        &self.name
    }

    /// The arguments, unparsed.
    pub fn raw_arguments(&self) -> &RawJson {
        &self.arguments
    }

    /// Parses the arguments.
    ///
    /// # Errors
    ///
    /// `InvalidParams` when they are not what `T` expects; the model reads what was wrong.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, Error> {
        arguments::parse(&self.arguments)
    }

    /// What else is known of the request.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// What else is known of the request, to add to it.
    pub fn context_mut(&mut self) -> &mut Context {
        &mut self.context
    }

    /// Makes of the call what asks the user or the client for input.
    pub fn into_input(self) -> Input {
        Input::new(self.context, "tools/call")
    }

    /// Takes the context out of the call, for work that outlives it.
    pub fn into_context(self) -> Context {
        self.context
    }
}

impl Operation for ToolCall {
    fn name(&self) -> &str {
        &self.name
    }

    fn method(&self) -> &str {
        "tools/call"
    }

    fn target(&self) -> Option<&str> {
        Some(&self.name)
    }

    fn arguments(&self) -> Option<&RawJson> {
        Some(&self.arguments)
    }

    fn is_idempotent(&self) -> bool {
        self.is_idempotent || self.is_read_only
    }

    fn is_read_only(&self) -> bool {
        self.is_read_only
    }

    fn depends_on_caller(&self) -> bool {
        self.depends_on_caller
    }

    fn context(&self) -> &Context {
        &self.context
    }

    fn context_mut(&mut self) -> &mut Context {
        &mut self.context
    }
}
