//! Resources: what a client can read.

mod fixed;
mod function;
mod layered;
mod result;
pub(crate) mod set;

use std::sync::Arc;

use async_trait::async_trait;
use bytestring::ByteString;
use serde::de::DeserializeOwned;

pub use fixed::FixedResource;
pub use function::{FnResource, ResourceFn, ResourceOutput, resource_fn};
pub use layered::ResourceService;
pub use result::ResourceResult;
pub use set::ResourceSet;

use crate::arguments;
use crate::completion::CompletionCall;
use crate::context::Context;
use crate::error::Error;
use crate::input::Input;
use crate::json::RawJson;
use crate::layered::Layered;
use crate::operation::Operation;
use crate::protocol::{Completion, ResourceDefinition};

/// Something that a client can read: at one URI, or at all URIs that a template makes.
///
/// [`FixedResource`] is one whose contents never change, [`resource_fn`] makes one of an async function; a type of one's
/// own implements this trait. Dropping the future of a read is how a client's cancellation arrives.
#[async_trait]
pub trait Resource: Send + Sync + 'static {
    /// What the client learns of it. It must not change once the resource is part of a [`ResourceSet`].
    fn definition(&self) -> &ResourceDefinition;

    /// Reads it.
    ///
    /// # Errors
    ///
    /// [`Error::resource_not_found`] where a template stands for no resource, any other failure as it is.
    async fn read(&self, read: ResourceRead) -> Result<ResourceResult, Error>;

    /// Whether it may ask for [`Input`]. For clients of older revisions over HTTP, a session is kept only if anything may.
    /// Default: false.
    fn asks_input(&self) -> bool {
        false
    }

    /// Whether it can suggest values for a variable of its template. Default: for none; what the template's
    /// [schema](ResourceDefinition::input_schema) lists is suggested in any case.
    fn completes(&self, _variable: &str) -> bool {
        false
    }

    /// Suggests values for a variable of its template. It is asked only for those that it [completes](Self::completes).
    ///
    /// # Errors
    ///
    /// A failure of the service.
    async fn complete(&self, _call: CompletionCall) -> Result<Completion, Error> {
        Ok(Completion::default())
    }
}

#[async_trait]
impl Resource for Arc<dyn Resource> {
    fn definition(&self) -> &ResourceDefinition {
        (**self).definition()
    }

    async fn read(&self, read: ResourceRead) -> Result<ResourceResult, Error> {
        (**self).read(read).await
    }

    fn asks_input(&self) -> bool {
        (**self).asks_input()
    }

    fn completes(&self, variable: &str) -> bool {
        (**self).completes(variable)
    }

    async fn complete(&self, call: CompletionCall) -> Result<Completion, Error> {
        (**self).complete(call).await
    }
}

/// Wraps single resources, also those from a pack.
pub trait ResourceExt: Resource + Sized {
    /// Puts a tower layer around the reading of the resource. A second layer goes around the first.
    ///
    /// Suggestions for the variables of a template do not pass it; they pass the layers around the server.
    fn layer<L>(self, layer: L) -> Layered<L::Service, dyn Resource>
    where
        L: tower::Layer<ResourceService>,
    {
        ResourceService::layered(Arc::new(self), &layer)
    }
}

impl<T: Resource> ResourceExt for T {}

/// One read of a resource. A clone is a few refcounts.
#[derive(Clone, Debug)]
pub struct ResourceRead {
    address: Arc<str>,
    uri: ByteString,
    arguments: RawJson,
    context: Context,
}

impl ResourceRead {
    /// A read made in code: of the resource at that address (its URI or its template), by that URI. `variables` must be a
    /// JSON object: the values of the template's variables.
    pub fn new(
        address: impl Into<Arc<str>>,
        uri: impl Into<ByteString>,
        variables: RawJson,
        context: Context,
    ) -> Self {
        Self { address: address.into(), uri: uri.into(), arguments: variables, context }
    }

    /// The URI under which the resource is registered, or its template.
    pub fn address(&self) -> &Arc<str> {
        &self.address
    }

    /// The URI that the client reads.
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// The values of the template's variables, unparsed.
    pub fn raw_variables(&self) -> &RawJson {
        &self.arguments
    }

    /// Parses the values of the template's variables.
    ///
    /// # Errors
    ///
    /// `InvalidParams` when they are not what `T` expects.
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

    /// Makes of the read what asks the user or the client for input.
    pub fn into_input(self) -> Input {
        Input::new(self.context, "resources/read")
    }

    /// Takes the context out of the read, for work that outlives it.
    pub fn into_context(self) -> Context {
        self.context
    }
}

impl Operation for ResourceRead {
    /// The URI under which the resource is registered, or its template: of low cardinality, whatever callers send.
    fn name(&self) -> &str {
        &self.address
    }

    fn method(&self) -> &str {
        "resources/read"
    }

    fn target(&self) -> Option<&str> {
        Some(&self.uri)
    }

    fn arguments(&self) -> Option<&RawJson> {
        Some(&self.arguments)
    }

    fn is_idempotent(&self) -> bool {
        true
    }

    fn is_read_only(&self) -> bool {
        true
    }

    fn context(&self) -> &Context {
        &self.context
    }

    fn context_mut(&mut self) -> &mut Context {
        &mut self.context
    }
}
