//! Tower layers around tools.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use async_trait::async_trait;
use tower::{Layer, Service, ServiceExt};

use super::{Tool, ToolCall, ToolResult};
use crate::error::Error;
use crate::layered::Layered;
use crate::protocol::ToolDefinition;

/// A tool as a tower service: what a layer around it gets to wrap.
#[derive(Clone)]
pub struct ToolService(Arc<dyn Tool>);

impl ToolService {
    /// What the tool tells about itself, for layers that depend on it.
    pub fn definition(&self) -> &ToolDefinition {
        self.0.definition()
    }

    /// Puts a layer around a tool.
    pub(crate) fn layered<L: Layer<Self>>(tool: Arc<dyn Tool>, layer: &L) -> Layered<L::Service> {
        let service = layer.layer(Self(Arc::clone(&tool)));
        Layered { inner: tool, service }
    }
}

impl Service<ToolCall> for ToolService {
    type Response = ToolResult;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<ToolResult, Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut TaskContext<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, call: ToolCall) -> Self::Future {
        let tool = Arc::clone(&self.0);
        // The tool within: an `Arc` of one is a tool as well, which would box the future once more.
        Box::pin(async move { (*tool).call(call).await })
    }
}

impl fmt::Debug for ToolService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ToolService").field(&self.0.definition().name).finish()
    }
}

#[async_trait]
impl<S> Tool for Layered<S>
where
    S: Service<ToolCall, Response = ToolResult> + Clone + Send + Sync + 'static,
    S::Error: Into<Error>,
    S::Future: Send,
{
    fn definition(&self) -> &ToolDefinition {
        self.inner.definition()
    }

    async fn call(&self, call: ToolCall) -> Result<ToolResult, Error> {
        // The clone is a handle: the layer's state was made once and is shared.
        self.service.clone().oneshot(call).await.map_err(Into::into)
    }

    fn asks_input(&self) -> bool {
        self.inner.asks_input()
    }
}

impl<S> fmt::Debug for Layered<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Layered").field(&self.inner.definition().name).finish()
    }
}
