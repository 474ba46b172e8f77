//! Prompts made of functions.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::sync::Arc;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use super::{Prompt, PromptCall, PromptResult};
use crate::completion::{Completers, CompletionCall, CompletionOutput};
use crate::context::Context;
use crate::error::Error;
use crate::input::Input;
use crate::protocol::{Completion, PromptDefinition, PromptMessage};

/// Makes a prompt of an async function.
///
/// The function takes its arguments as one type, from which clients learn their names, what they are (from doc comments) and
/// which must be there, and the [`Context`] too if it wants it. Arguments are text; where the type has a number or a truth
/// value, the text is read as one. For an enum, its values are suggested. It returns a [`PromptOutput`]: text, messages, a
/// [`PromptResult`], or a `Result` of one of these.
///
/// ```
/// use schemars::JsonSchema;
/// use serde::Deserialize;
/// use towline_core::prompt_fn;
///
/// #[derive(Deserialize, JsonSchema)]
/// struct Review {
///     /// The code to review.
///     code: String,
///     /// How many remarks at most.
///     remarks: Option<u8>,
/// }
///
/// let review = prompt_fn("review", "Asks for a code review.", async |args: Review| {
///     let remarks = args.remarks.unwrap_or(5);
///     format!("Review this code, with {remarks} remarks at most:\n\n{}", args.code)
/// });
/// ```
///
/// # Panics
///
/// Panics if the type is no struct, or one of its fields is a list or an object, which text cannot be.
pub fn prompt_fn<F, M>(name: impl Into<Arc<str>>, description: impl Into<String>, run: F) -> FnPrompt<F, M>
where
    F: PromptFn<M>,
{
    let definition = F::define(PromptDefinition::new(name, description));
    FnPrompt { definition, run, completers: Completers::default(), marker: PhantomData }
}

/// A prompt made by [`prompt_fn`].
pub struct FnPrompt<F, M> {
    definition: PromptDefinition,
    run: F,
    completers: Completers,
    marker: PhantomData<fn() -> M>,
}

impl<F, M> FnPrompt<F, M> {
    /// Changes what the client learns of the prompt.
    #[must_use]
    pub fn define(mut self, change: impl FnOnce(PromptDefinition) -> PromptDefinition) -> Self {
        self.definition = change(self.definition);
        self
    }

    /// Suggests values for an argument while a person types. The function returns candidates, of which those are taken that
    /// match what has been typed, or a [`Completion`]. It is asked at each keystroke.
    ///
    /// # Panics
    ///
    /// Panics if the prompt has no such argument.
    #[must_use]
    pub fn complete<C, Fut>(mut self, argument: &str, suggest: C) -> Self
    where
        C: Fn(CompletionCall) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: CompletionOutput> + Send + 'static,
    {
        let known = self.definition.arguments.iter().any(|known| known.name == argument);
        assert!(known, "the prompt {:?} has no argument `{argument}`", self.definition.name);
        self.completers.add(argument, suggest);
        self
    }
}

impl<F, M> fmt::Debug for FnPrompt<F, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FnPrompt").field(&self.definition.name).finish()
    }
}

#[async_trait]
impl<F, M> Prompt for FnPrompt<F, M>
where
    F: PromptFn<M>,
    M: 'static,
{
    fn definition(&self) -> &PromptDefinition {
        &self.definition
    }

    async fn get(&self, call: PromptCall) -> Result<PromptResult, Error> {
        self.run.run(call)?.await.into_result()
    }

    fn asks_input(&self) -> bool {
        F::ASKS_INPUT
    }

    fn completes(&self, argument: &str) -> bool {
        self.completers.has(argument)
    }

    async fn complete(&self, call: CompletionCall) -> Result<Completion, Error> {
        self.completers.complete(call).await
    }
}

/// A function that can be a prompt. `M` tells the forms apart and is always inferred.
pub trait PromptFn<M>: Send + Sync + 'static {
    /// What it returns.
    type Output: PromptOutput;

    /// Whether it may ask for input.
    const ASKS_INPUT: bool = false;

    /// Adds what is known of its arguments.
    fn define(definition: PromptDefinition) -> PromptDefinition;

    /// Parses the arguments and begins the work.
    ///
    /// # Errors
    ///
    /// When the arguments are not what the function takes.
    fn run(&self, call: PromptCall) -> Result<impl Future<Output = Self::Output> + Send, Error>;
}

impl<F, Fut> PromptFn<()> for F
where
    F: Fn() -> Fut + Send + Sync + 'static,
    Fut: Future + Send,
    Fut::Output: PromptOutput,
{
    type Output = Fut::Output;

    fn define(definition: PromptDefinition) -> PromptDefinition {
        definition
    }

    fn run(&self, _: PromptCall) -> Result<impl Future<Output = Self::Output> + Send, Error> {
        Ok(self())
    }
}

impl<F, Fut, A> PromptFn<(A,)> for F
where
    F: Fn(A) -> Fut + Send + Sync + 'static,
    Fut: Future + Send,
    Fut::Output: PromptOutput,
    A: DeserializeOwned + JsonSchema,
{
    type Output = Fut::Output;

    fn define(definition: PromptDefinition) -> PromptDefinition {
        definition.with_input::<A>()
    }

    fn run(&self, call: PromptCall) -> Result<impl Future<Output = Self::Output> + Send, Error> {
        Ok(self(call.parse()?))
    }
}

impl<F, Fut, A> PromptFn<(A, Context)> for F
where
    F: Fn(A, Context) -> Fut + Send + Sync + 'static,
    Fut: Future + Send,
    Fut::Output: PromptOutput,
    A: DeserializeOwned + JsonSchema,
{
    type Output = Fut::Output;

    fn define(definition: PromptDefinition) -> PromptDefinition {
        definition.with_input::<A>()
    }

    fn run(&self, call: PromptCall) -> Result<impl Future<Output = Self::Output> + Send, Error> {
        let arguments = call.parse()?;
        Ok(self(arguments, call.into_context()))
    }
}

impl<F, Fut, A> PromptFn<(A, Input)> for F
where
    F: Fn(A, Input) -> Fut + Send + Sync + 'static,
    Fut: Future + Send,
    Fut::Output: PromptOutput,
    A: DeserializeOwned + JsonSchema,
{
    type Output = Fut::Output;

    const ASKS_INPUT: bool = true;

    fn define(definition: PromptDefinition) -> PromptDefinition {
        definition.with_input::<A>()
    }

    fn run(&self, call: PromptCall) -> Result<impl Future<Output = Self::Output> + Send, Error> {
        let arguments = call.parse()?;
        Ok(self(arguments, call.into_input()))
    }
}

/// What a prompt function may return.
pub trait PromptOutput {
    /// Makes the answer.
    ///
    /// # Errors
    ///
    /// When the function failed.
    fn into_result(self) -> Result<PromptResult, Error>;
}

impl PromptOutput for PromptResult {
    fn into_result(self) -> Result<PromptResult, Error> {
        Ok(self)
    }
}

impl PromptOutput for PromptMessage {
    fn into_result(self) -> Result<PromptResult, Error> {
        Ok(PromptResult::new([self]))
    }
}

impl PromptOutput for Vec<PromptMessage> {
    fn into_result(self) -> Result<PromptResult, Error> {
        Ok(PromptResult::new(self))
    }
}

impl<const N: usize> PromptOutput for [PromptMessage; N] {
    fn into_result(self) -> Result<PromptResult, Error> {
        Ok(PromptResult::new(self))
    }
}

/// One message of the person.
impl PromptOutput for String {
    fn into_result(self) -> Result<PromptResult, Error> {
        PromptMessage::user(self).into_result()
    }
}

/// One message of the person.
impl PromptOutput for &'static str {
    fn into_result(self) -> Result<PromptResult, Error> {
        PromptMessage::user(self).into_result()
    }
}

impl<T: PromptOutput, E: Into<Error>> PromptOutput for Result<T, E> {
    fn into_result(self) -> Result<PromptResult, Error> {
        self.map_err(Into::into)?.into_result()
    }
}
