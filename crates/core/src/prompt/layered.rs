//! Tower layers around prompts.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use async_trait::async_trait;
use tower::{Layer, Service, ServiceExt};

use super::{Prompt, PromptCall, PromptResult};
use crate::completion::CompletionCall;
use crate::error::Error;
use crate::layered::Layered;
use crate::protocol::{Completion, PromptDefinition};

/// A prompt as a tower service: what a layer around it gets to wrap.
#[derive(Clone)]
pub struct PromptService(Arc<dyn Prompt>);

impl PromptService {
    /// What the prompt tells about itself, for layers that depend on it.
    pub fn definition(&self) -> &PromptDefinition {
        self.0.definition()
    }

    /// Puts a layer around a prompt.
    pub(crate) fn layered<L>(prompt: Arc<dyn Prompt>, layer: &L) -> Layered<L::Service, dyn Prompt>
    where
        L: Layer<Self>,
    {
        let service = layer.layer(Self(Arc::clone(&prompt)));
        Layered { inner: prompt, service }
    }
}

impl Service<PromptCall> for PromptService {
    type Response = PromptResult;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<PromptResult, Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut TaskContext<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, call: PromptCall) -> Self::Future {
        let prompt = Arc::clone(&self.0);
        // The prompt within: an `Arc` of one is a prompt as well, which would box the future once more.
        Box::pin(async move { (*prompt).get(call).await })
    }
}

impl fmt::Debug for PromptService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PromptService").field(&self.0.definition().name).finish()
    }
}

#[async_trait]
impl<S> Prompt for Layered<S, dyn Prompt>
where
    S: Service<PromptCall, Response = PromptResult> + Clone + Send + Sync + 'static,
    S::Error: Into<Error>,
    S::Future: Send,
{
    fn definition(&self) -> &PromptDefinition {
        self.inner.definition()
    }

    async fn get(&self, call: PromptCall) -> Result<PromptResult, Error> {
        // The clone is a handle: the layer's state was made once and is shared.
        self.service.clone().oneshot(call).await.map_err(Into::into)
    }

    fn asks_input(&self) -> bool {
        self.inner.asks_input()
    }

    fn completes(&self, argument: &str) -> bool {
        self.inner.completes(argument)
    }

    async fn complete(&self, call: CompletionCall) -> Result<Completion, Error> {
        (*self.inner).complete(call).await
    }
}

impl<S> fmt::Debug for Layered<S, dyn Prompt> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Layered").field(&self.inner.definition().name).finish()
    }
}
