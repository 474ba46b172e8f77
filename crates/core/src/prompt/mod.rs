//! Prompts: messages that a person chooses to begin with.

mod function;
mod layered;
mod result;
pub(crate) mod set;

use std::sync::Arc;

use async_trait::async_trait;
use serde::de::DeserializeOwned;

pub use function::{FnPrompt, PromptFn, PromptOutput, prompt_fn};
pub use layered::PromptService;
pub use result::PromptResult;
pub use set::PromptSet;

use crate::arguments;
use crate::completion::CompletionCall;
use crate::context::Context;
use crate::error::Error;
use crate::input::Input;
use crate::json::RawJson;
use crate::layered::Layered;
use crate::operation::Operation;
use crate::protocol::{Completion, PromptDefinition};

/// Messages that a person chooses to begin with, such as a slash command.
///
/// [`prompt_fn`] makes one of an async function; a type of one's own implements this trait. Arguments are held against the
/// definition before `get` runs. Dropping the future of a call is how a client's cancellation arrives.
#[async_trait]
pub trait Prompt: Send + Sync + 'static {
    /// What the client learns of it. It must not change once the prompt is part of a [`PromptSet`].
    fn definition(&self) -> &PromptDefinition;

    /// Makes the messages.
    ///
    /// # Errors
    ///
    /// A failure of the service.
    async fn get(&self, call: PromptCall) -> Result<PromptResult, Error>;

    /// Whether it may ask for [`Input`]. For clients of older revisions over HTTP, a session is kept only if anything may.
    /// Default: false.
    fn asks_input(&self) -> bool {
        false
    }

    /// Whether it can suggest values for an argument. Default: for none; what the
    /// [schema](PromptDefinition::input_schema) lists is suggested in any case.
    fn completes(&self, _argument: &str) -> bool {
        false
    }

    /// Suggests values for an argument. It is asked only for those that it [completes](Self::completes).
    ///
    /// # Errors
    ///
    /// A failure of the service.
    async fn complete(&self, _call: CompletionCall) -> Result<Completion, Error> {
        Ok(Completion::default())
    }
}

#[async_trait]
impl Prompt for Arc<dyn Prompt> {
    fn definition(&self) -> &PromptDefinition {
        (**self).definition()
    }

    async fn get(&self, call: PromptCall) -> Result<PromptResult, Error> {
        (**self).get(call).await
    }

    fn asks_input(&self) -> bool {
        (**self).asks_input()
    }

    fn completes(&self, argument: &str) -> bool {
        (**self).completes(argument)
    }

    async fn complete(&self, call: CompletionCall) -> Result<Completion, Error> {
        (**self).complete(call).await
    }
}

/// Wraps single prompts, also those from a pack.
pub trait PromptExt: Prompt + Sized {
    /// Puts a tower layer around the prompt. A second layer goes around the first.
    ///
    /// Suggestions for its arguments do not pass it; they pass the layers around the server.
    fn layer<L>(self, layer: L) -> Layered<L::Service, dyn Prompt>
    where
        L: tower::Layer<PromptService>,
    {
        PromptService::layered(Arc::new(self), &layer)
    }
}

impl<T: Prompt> PromptExt for T {}

/// One request for a prompt. A clone is a few refcounts.
#[derive(Clone, Debug)]
pub struct PromptCall {
    name: Arc<str>,
    arguments: RawJson,
    context: Context,
}

impl PromptCall {
    /// A request made in code. `arguments` must be a JSON object.
    pub fn new(name: impl Into<Arc<str>>, arguments: RawJson, context: Context) -> Self {
        Self { name: name.into(), arguments, context }
    }

    /// The prompt's name.
    pub fn prompt(&self) -> &Arc<str> {
        &self.name
    }

    /// The arguments, unparsed: as the schema says they are, or text where there is no schema.
    pub fn raw_arguments(&self) -> &RawJson {
        &self.arguments
    }

    /// Parses the arguments.
    ///
    /// # Errors
    ///
    /// `InvalidParams` when they are not what `T` expects; the message says what was wrong.
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

    /// Makes of the request what asks the user or the client for input.
    pub fn into_input(self) -> Input {
        Input::new(self.context, "prompts/get")
    }

    /// Takes the context out of the call, for work that outlives it.
    pub fn into_context(self) -> Context {
        self.context
    }
}

impl Operation for PromptCall {
    fn name(&self) -> &str {
        &self.name
    }

    fn method(&self) -> &str {
        "prompts/get"
    }

    fn target(&self) -> Option<&str> {
        Some(&self.name)
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
