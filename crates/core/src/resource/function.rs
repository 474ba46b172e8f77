//! Resources made of functions.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Resource, ResourceRead, ResourceResult};
use crate::completion::{Completers, CompletionCall, CompletionOutput};
use crate::context::Context;
use crate::error::Error;
use crate::freshness::Freshness;
use crate::input::Input;
use crate::protocol::{CacheScope, Completion, ResourceContents, ResourceDefinition};
use crate::tool::schema;
use crate::uri::UriTemplate;

/// Makes a resource of an async function: at one URI, or at all URIs that a template makes, if there is a `{` in `address`.
///
/// The function takes the template's variables as one type, and the [`Context`] too if it wants it. Variables are text;
/// where the type has a number or a truth value, the text is read as one, and a URI whose text cannot be read so names no
/// resource. It returns a [`ResourceOutput`]: text, bytes, contents, `None` for what does not exist, or a `Result` of
/// one of these.
///
/// ```
/// use schemars::JsonSchema;
/// use serde::Deserialize;
/// use towline_core::resource_fn;
///
/// #[derive(Deserialize, JsonSchema)]
/// struct Line {
///     /// Which line.
///     number: usize,
/// }
///
/// const POEM: [&str; 2] = ["So much depends", "upon"];
///
/// let line = resource_fn("poem://lines/{number}", "line", async |Line { number }: Line| POEM.get(number).copied())
///     .define(|definition| definition.with_mime_type("text/plain"));
/// ```
///
/// # Panics
///
/// Panics if `address` is no template against which URIs can be matched, or the type is no struct.
pub fn resource_fn<F, M>(address: impl Into<Arc<str>>, name: impl Into<String>, run: F) -> FnResource<F, M>
where
    F: ResourceFn<M>,
{
    let address = address.into();
    let mut definition = if address.contains('{') {
        ResourceDefinition::template(address, name).unwrap_or_else(|error| panic!("{error}"))
    } else {
        ResourceDefinition::new(address, name)
    };
    definition.input_schema = F::input_schema().filter(|_| definition.address.template().is_some());
    FnResource { definition, run, completers: Completers::default(), freshness: None, marker: PhantomData }
}

/// A resource made by [`resource_fn`].
pub struct FnResource<F, M> {
    definition: ResourceDefinition,
    run: F,
    completers: Completers,
    freshness: Option<Freshness>,
    marker: PhantomData<fn() -> M>,
}

impl<F, M> FnResource<F, M> {
    /// Changes what the client learns of the resource.
    #[must_use]
    pub fn define(mut self, change: impl FnOnce(ResourceDefinition) -> ResourceDefinition) -> Self {
        self.definition = change(self.definition);
        self
    }

    /// Says how long clients may keep what is read, and who may share what is kept, unless the function says so of its own
    /// result. Default: not at all.
    #[must_use]
    pub fn fresh_for(mut self, ttl: Duration, scope: CacheScope) -> Self {
        self.freshness = Some(Freshness { ttl, scope });
        self
    }

    /// Suggests values for a variable of the template while a person types. The function returns candidates, of which those
    /// are taken that match what has been typed, or a [`Completion`]. It is asked at each keystroke.
    ///
    /// # Panics
    ///
    /// Panics if the template has no such variable.
    #[must_use]
    pub fn complete<C, Fut>(mut self, variable: &str, suggest: C) -> Self
    where
        C: Fn(CompletionCall) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: CompletionOutput> + Send + 'static,
    {
        let mut variables = self.definition.address.template().into_iter().flat_map(UriTemplate::variables);
        assert!(variables.any(|known| known == variable), "the template has no variable `{variable}`");
        drop(variables);
        self.completers.add(variable, suggest);
        self
    }
}

impl<F, M> fmt::Debug for FnResource<F, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FnResource").field(&self.definition.address).finish()
    }
}

#[async_trait]
impl<F, M> Resource for FnResource<F, M>
where
    F: ResourceFn<M>,
    M: 'static,
{
    fn definition(&self) -> &ResourceDefinition {
        &self.definition
    }

    async fn read(&self, read: ResourceRead) -> Result<ResourceResult, Error> {
        let uri = read.uri.clone();
        let output = self.run.run(read)?.await;
        let result = output.into_result(&uri, self.definition.mime_type.as_deref())?;
        Ok(result.or_fresh(self.freshness))
    }

    fn asks_input(&self) -> bool {
        F::ASKS_INPUT
    }

    fn completes(&self, variable: &str) -> bool {
        self.completers.has(variable)
    }

    async fn complete(&self, call: CompletionCall) -> Result<Completion, Error> {
        self.completers.complete(call).await
    }
}

/// A function that can be a resource. `M` tells the forms apart and is always inferred.
pub trait ResourceFn<M>: Send + Sync + 'static {
    /// What it returns.
    type Output: ResourceOutput;

    /// Whether it may ask for input.
    const ASKS_INPUT: bool = false;

    /// JSON Schema of the template's variables, if it takes them.
    fn input_schema() -> Option<Value>;

    /// Parses the variables and begins to read.
    ///
    /// # Errors
    ///
    /// When the variables are not what the function takes.
    fn run(&self, read: ResourceRead) -> Result<impl Future<Output = Self::Output> + Send, Error>;
}

impl<F, Fut> ResourceFn<()> for F
where
    F: Fn() -> Fut + Send + Sync + 'static,
    Fut: Future + Send,
    Fut::Output: ResourceOutput,
{
    type Output = Fut::Output;

    fn input_schema() -> Option<Value> {
        None
    }

    fn run(&self, _: ResourceRead) -> Result<impl Future<Output = Self::Output> + Send, Error> {
        Ok(self())
    }
}

impl<F, Fut, A> ResourceFn<(A,)> for F
where
    F: Fn(A) -> Fut + Send + Sync + 'static,
    Fut: Future + Send,
    Fut::Output: ResourceOutput,
    A: DeserializeOwned + JsonSchema,
{
    type Output = Fut::Output;

    fn input_schema() -> Option<Value> {
        Some(schema::input_schema::<A>())
    }

    fn run(&self, read: ResourceRead) -> Result<impl Future<Output = Self::Output> + Send, Error> {
        Ok(self(read.parse()?))
    }
}

impl<F, Fut, A> ResourceFn<(A, Context)> for F
where
    F: Fn(A, Context) -> Fut + Send + Sync + 'static,
    Fut: Future + Send,
    Fut::Output: ResourceOutput,
    A: DeserializeOwned + JsonSchema,
{
    type Output = Fut::Output;

    fn input_schema() -> Option<Value> {
        Some(schema::input_schema::<A>())
    }

    fn run(&self, read: ResourceRead) -> Result<impl Future<Output = Self::Output> + Send, Error> {
        let variables = read.parse()?;
        Ok(self(variables, read.into_context()))
    }
}

impl<F, Fut, A> ResourceFn<(A, Input)> for F
where
    F: Fn(A, Input) -> Fut + Send + Sync + 'static,
    Fut: Future + Send,
    Fut::Output: ResourceOutput,
    A: DeserializeOwned + JsonSchema,
{
    type Output = Fut::Output;

    const ASKS_INPUT: bool = true;

    fn input_schema() -> Option<Value> {
        Some(schema::input_schema::<A>())
    }

    fn run(&self, read: ResourceRead) -> Result<impl Future<Output = Self::Output> + Send, Error> {
        let variables = read.parse()?;
        Ok(self(variables, read.into_input()))
    }
}

/// What a resource function may return.
pub trait ResourceOutput {
    /// Makes the answer to a read of that URI, of the media type that the resource tells of itself.
    ///
    /// # Errors
    ///
    /// When the function failed, or there is no such resource.
    fn into_result(self, uri: &str, mime_type: Option<&str>) -> Result<ResourceResult, Error>;
}

impl ResourceOutput for ResourceResult {
    fn into_result(self, _: &str, _: Option<&str>) -> Result<ResourceResult, Error> {
        Ok(self)
    }
}

impl ResourceOutput for ResourceContents {
    fn into_result(self, _: &str, _: Option<&str>) -> Result<ResourceResult, Error> {
        Ok(ResourceResult::new([self]))
    }
}

impl ResourceOutput for Vec<ResourceContents> {
    fn into_result(self, _: &str, _: Option<&str>) -> Result<ResourceResult, Error> {
        Ok(ResourceResult::new(self))
    }
}

/// Text, of the media type that the resource tells of itself, or else plain.
impl ResourceOutput for String {
    fn into_result(self, uri: &str, mime_type: Option<&str>) -> Result<ResourceResult, Error> {
        let contents = ResourceContents::text(uri, self).with_mime_type(mime_type.unwrap_or("text/plain"));
        Ok(ResourceResult::new([contents]))
    }
}

impl ResourceOutput for &'static str {
    fn into_result(self, uri: &str, mime_type: Option<&str>) -> Result<ResourceResult, Error> {
        self.to_owned().into_result(uri, mime_type)
    }
}

/// Bytes, of the media type that the resource tells of itself, or else of an unknown one.
impl ResourceOutput for Bytes {
    fn into_result(self, uri: &str, mime_type: Option<&str>) -> Result<ResourceResult, Error> {
        let contents = ResourceContents::blob(uri, &self);
        Ok(ResourceResult::new([contents.with_mime_type(mime_type.unwrap_or("application/octet-stream"))]))
    }
}

impl ResourceOutput for Vec<u8> {
    fn into_result(self, uri: &str, mime_type: Option<&str>) -> Result<ResourceResult, Error> {
        Bytes::from(self).into_result(uri, mime_type)
    }
}

/// `None`: there is no such resource.
impl<T: ResourceOutput> ResourceOutput for Option<T> {
    fn into_result(self, uri: &str, mime_type: Option<&str>) -> Result<ResourceResult, Error> {
        self.ok_or_else(|| Error::resource_not_found(uri))?.into_result(uri, mime_type)
    }
}

impl<T: ResourceOutput, E: Into<Error>> ResourceOutput for Result<T, E> {
    fn into_result(self, uri: &str, mime_type: Option<&str>) -> Result<ResourceResult, Error> {
        self.map_err(Into::into)?.into_result(uri, mime_type)
    }
}
