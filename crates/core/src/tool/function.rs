//! Tools made of functions.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::sync::Arc;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::schema;
use super::{Tool, ToolCall, ToolResult};
use crate::context::Context;
use crate::error::Error;
use crate::input::Input;
use crate::protocol::{ToolAnnotations, ToolDefinition};

/// Makes a tool of an async function.
///
/// The function takes its arguments as one type, from which the input schema comes (doc comments become
/// descriptions), and if it wants it the [`Context`] too, or an [`Input`] to ask the user for more. It returns a
/// [`ToolOutput`]: text, [`Json`], a [`ToolResult`], or a `Result` of one of these.
///
/// ```
/// use schemars::JsonSchema;
/// use serde::Deserialize;
/// use towline_core::tool_fn;
///
/// #[derive(Deserialize, JsonSchema)]
/// struct Greet {
///     /// Whom to greet.
///     name: String,
/// }
///
/// let greet = tool_fn("greet", "Greets someone.", async |args: Greet| format!("Hello, {}!", args.name));
/// ```
///
/// An argument that gateways and proxies are to see without reading bodies is mirrored into a header, here
/// `Mcp-Param-Region`, by a mark on the field. Over HTTP a call counts only if both say the same. The mark is refused
/// when the tool is registered if the [specification] forbids it there: on numbers with fractions, objects and arrays, for
/// instance, and if two fields name one header.
///
/// ```
/// # use schemars::JsonSchema;
/// # use serde::Deserialize;
/// # use towline_core::{Router, tool_fn};
/// #[derive(Deserialize, JsonSchema)]
/// struct Deploy {
///     #[schemars(extend("x-mcp-header" = "Region"))]
///     region: String,
/// }
///
/// let deploy = tool_fn("deploy", "Deploys.", async |args: Deploy| format!("Deployed to {}.", args.region));
/// let router = Router::new("deployments", "1.0.0").tool(deploy);
/// ```
///
/// [specification]: https://modelcontextprotocol.io/specification/2026-07-28/basic/transports/streamable-http
///
/// # Panics
///
/// Panics if the arguments' schema is not that of an object.
pub fn tool_fn<F, M>(name: impl Into<Arc<str>>, description: impl Into<String>, run: F) -> FnTool<F, M>
where
    F: ToolFn<M>,
{
    let mut definition = ToolDefinition::new(name, description);
    definition.input_schema = F::input_schema();
    definition.output_schema = F::Output::output_schema();
    FnTool { definition, run, marker: PhantomData }
}

/// A tool made by [`tool_fn`].
pub struct FnTool<F, M> {
    definition: ToolDefinition,
    run: F,
    marker: PhantomData<fn() -> M>,
}

impl<F, M> FnTool<F, M> {
    /// Marks the tool as one that only reads, in a closed world such as one database.
    #[must_use]
    pub fn read_only(self) -> Self {
        self.define(|definition| definition.with_annotations(ToolAnnotations::read_only()))
    }

    /// Changes what the client learns of the tool.
    #[must_use]
    pub fn define(mut self, change: impl FnOnce(ToolDefinition) -> ToolDefinition) -> Self {
        self.definition = change(self.definition);
        self
    }
}

impl<F, M> fmt::Debug for FnTool<F, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FnTool").field(&self.definition.name).finish()
    }
}

#[async_trait]
impl<F, M> Tool for FnTool<F, M>
where
    F: ToolFn<M>,
    M: 'static,
{
    fn definition(&self) -> &ToolDefinition {
        &self.definition
    }

    async fn call(&self, call: ToolCall) -> Result<ToolResult, Error> {
        self.run.run(call)?.await.into_result()
    }

    fn asks_input(&self) -> bool {
        F::ASKS_INPUT
    }
}

/// A function that can be a tool. `M` tells the forms apart and is always inferred.
pub trait ToolFn<M>: Send + Sync + 'static {
    /// What it returns.
    type Output: ToolOutput;

    /// Whether it may ask for input.
    const ASKS_INPUT: bool = false;

    /// JSON Schema of its arguments.
    fn input_schema() -> Value;

    /// Parses the arguments and begins the work.
    ///
    /// # Errors
    ///
    /// When the arguments are not what the function takes.
    fn run(&self, call: ToolCall) -> Result<impl Future<Output = Self::Output> + Send, Error>;
}

impl<F, Fut> ToolFn<()> for F
where
    F: Fn() -> Fut + Send + Sync + 'static,
    Fut: Future + Send,
    Fut::Output: ToolOutput,
{
    type Output = Fut::Output;

    fn input_schema() -> Value {
        serde_json::json!({"type": "object", "additionalProperties": false})
    }

    fn run(&self, _: ToolCall) -> Result<impl Future<Output = Self::Output> + Send, Error> {
        Ok(self())
    }
}

impl<F, Fut, A> ToolFn<(A,)> for F
where
    F: Fn(A) -> Fut + Send + Sync + 'static,
    Fut: Future + Send,
    Fut::Output: ToolOutput,
    A: DeserializeOwned + JsonSchema,
{
    type Output = Fut::Output;

    fn input_schema() -> Value {
        schema::input_schema::<A>()
    }

    fn run(&self, call: ToolCall) -> Result<impl Future<Output = Self::Output> + Send, Error> {
        Ok(self(call.parse()?))
    }
}

impl<F, Fut, A> ToolFn<(A, Context)> for F
where
    F: Fn(A, Context) -> Fut + Send + Sync + 'static,
    Fut: Future + Send,
    Fut::Output: ToolOutput,
    A: DeserializeOwned + JsonSchema,
{
    type Output = Fut::Output;

    fn input_schema() -> Value {
        schema::input_schema::<A>()
    }

    fn run(&self, call: ToolCall) -> Result<impl Future<Output = Self::Output> + Send, Error> {
        let arguments = call.parse()?;
        Ok(self(arguments, call.into_context()))
    }
}

impl<F, Fut, A> ToolFn<(A, Input)> for F
where
    F: Fn(A, Input) -> Fut + Send + Sync + 'static,
    Fut: Future + Send,
    Fut::Output: ToolOutput,
    A: DeserializeOwned + JsonSchema,
{
    type Output = Fut::Output;

    const ASKS_INPUT: bool = true;

    fn input_schema() -> Value {
        schema::input_schema::<A>()
    }

    fn run(&self, call: ToolCall) -> Result<impl Future<Output = Self::Output> + Send, Error> {
        let arguments = call.parse()?;
        Ok(self(arguments, call.into_input()))
    }
}

/// What a tool function may return.
pub trait ToolOutput {
    /// JSON Schema of the structured result, if there is one.
    fn output_schema() -> Option<Value> {
        None
    }

    /// Makes the answer.
    ///
    /// # Errors
    ///
    /// When the function failed, or its output has no JSON form.
    fn into_result(self) -> Result<ToolResult, Error>;
}

impl ToolOutput for ToolResult {
    fn into_result(self) -> Result<ToolResult, Error> {
        Ok(self)
    }
}

impl ToolOutput for String {
    fn into_result(self) -> Result<ToolResult, Error> {
        Ok(ToolResult::text(self))
    }
}

impl ToolOutput for &'static str {
    fn into_result(self) -> Result<ToolResult, Error> {
        Ok(ToolResult::text(bytestring::ByteString::from_static(self)))
    }
}

impl<T: ToolOutput, E: Into<Error>> ToolOutput for Result<T, E> {
    fn output_schema() -> Option<Value> {
        T::output_schema()
    }

    fn into_result(self) -> Result<ToolResult, Error> {
        self.map_err(Into::into)?.into_result()
    }
}

/// Data: a structured result, whose schema clients learn, with the same as text beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Json<T>(pub T);

impl<T: Serialize + JsonSchema> ToolOutput for Json<T> {
    fn output_schema() -> Option<Value> {
        Some(schema::output_schema::<T>())
    }

    fn into_result(self) -> Result<ToolResult, Error> {
        ToolResult::json(&self.0)
    }
}
