//! Suggestions while a person fills in the arguments of a prompt or the variables of a template.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::context::Context;
use crate::error::Error;
use crate::protocol::{CompleteParams, Completion};

/// One request for suggestions: which argument, and what has been typed so far.
#[derive(Clone, Debug)]
pub struct CompletionCall {
    argument: String,
    value: String,
    resolved: BTreeMap<String, String>,
    context: Context,
}

impl CompletionCall {
    /// A request made in code.
    pub fn new(argument: impl Into<String>, value: impl Into<String>, context: Context) -> Self {
        Self { argument: argument.into(), value: value.into(), resolved: BTreeMap::new(), context }
    }

    pub(crate) fn of(params: CompleteParams, context: Context) -> Self {
        let resolved = params.context.arguments;
        Self { argument: params.argument.name, value: params.argument.value, resolved, context }
    }

    /// Adds an argument that has its value already.
    #[must_use]
    pub fn with_resolved(mut self, argument: impl Into<String>, value: impl Into<String>) -> Self {
        self.resolved.insert(argument.into(), value.into());
        self
    }

    /// The argument's name.
    pub fn argument(&self) -> &str {
        &self.argument
    }

    /// What has been typed so far; it may be anything.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// The value that another argument has already, if it has one and the client tells; it may be anything.
    pub fn resolved(&self, argument: &str) -> Option<&str> {
        self.resolved.get(argument).map(String::as_str)
    }

    /// What else is known of the request.
    pub fn context(&self) -> &Context {
        &self.context
    }
}

/// What a function that suggests values may return: a [`Completion`], candidates of which those that match what has been
/// typed are taken ([`Completion::matching`]), or a `Result` of one of these.
pub trait CompletionOutput {
    /// Makes the suggestions.
    ///
    /// # Errors
    ///
    /// When the function failed.
    fn into_completion(self, typed: &str) -> Result<Completion, Error>;
}

impl CompletionOutput for Completion {
    fn into_completion(self, _: &str) -> Result<Completion, Error> {
        Ok(self)
    }
}

impl<T: AsRef<str>> CompletionOutput for Vec<T> {
    fn into_completion(self, typed: &str) -> Result<Completion, Error> {
        Ok(Completion::matching(self, typed))
    }
}

impl<T: CompletionOutput, E: Into<Error>> CompletionOutput for Result<T, E> {
    fn into_completion(self, typed: &str) -> Result<Completion, Error> {
        self.map_err(Into::into)?.into_completion(typed)
    }
}

type CompletionFuture = Pin<Box<dyn Future<Output = Result<Completion, Error>> + Send>>;
type Completer = Arc<dyn Fn(CompletionCall) -> CompletionFuture + Send + Sync>;

/// Functions that suggest values, by argument.
#[derive(Default)]
pub(crate) struct Completers(Vec<(String, Completer)>);

impl Completers {
    pub(crate) fn add<F, Fut>(&mut self, argument: &str, run: F)
    where
        F: Fn(CompletionCall) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: CompletionOutput> + Send + 'static,
    {
        let completer = move |call: CompletionCall| -> CompletionFuture {
            let typed = call.value.clone();
            let suggestions = run(call);
            Box::pin(async move { suggestions.await.into_completion(&typed) })
        };
        self.0.retain(|(other, _)| other != argument);
        self.0.push((argument.to_owned(), Arc::new(completer)));
    }

    pub(crate) fn has(&self, argument: &str) -> bool {
        self.get(argument).is_some()
    }

    pub(crate) async fn complete(&self, call: CompletionCall) -> Result<Completion, Error> {
        match self.get(&call.argument) {
            Some(run) => run(call).await,
            None => Ok(Completion::default()),
        }
    }

    fn get(&self, argument: &str) -> Option<&Completer> {
        self.0.iter().find(|(other, _)| other == argument).map(|(_, run)| run)
    }
}

impl fmt::Debug for Completers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(argument, _)| argument)).finish()
    }
}

/// The argument that a request for suggestions names does not exist.
pub(crate) fn unknown_argument<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Error {
    let name: String = name.chars().take(64).collect();
    let known: Vec<String> = known.map(|name| format!("`{name}`")).collect();
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    Error::invalid_params(format!("unknown argument `{name}`; there are: {known}"))
}
