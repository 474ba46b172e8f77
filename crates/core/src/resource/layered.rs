//! Tower layers around resources.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use async_trait::async_trait;
use tower::{Layer, Service, ServiceExt};

use super::{Resource, ResourceRead, ResourceResult};
use crate::completion::CompletionCall;
use crate::error::Error;
use crate::layered::Layered;
use crate::protocol::{Completion, ResourceDefinition};

/// A resource as a tower service: what a layer around it gets to wrap.
#[derive(Clone)]
pub struct ResourceService(Arc<dyn Resource>);

impl ResourceService {
    /// What the resource tells about itself, for layers that depend on it.
    pub fn definition(&self) -> &ResourceDefinition {
        self.0.definition()
    }

    /// Puts a layer around a resource.
    pub(crate) fn layered<L>(resource: Arc<dyn Resource>, layer: &L) -> Layered<L::Service, dyn Resource>
    where
        L: Layer<Self>,
    {
        let service = layer.layer(Self(Arc::clone(&resource)));
        Layered { inner: resource, service }
    }
}

impl Service<ResourceRead> for ResourceService {
    type Response = ResourceResult;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<ResourceResult, Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut TaskContext<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, read: ResourceRead) -> Self::Future {
        let resource = Arc::clone(&self.0);
        // The resource within: an `Arc` of one is a resource as well, which would box the future once more.
        Box::pin(async move { (*resource).read(read).await })
    }
}

impl fmt::Debug for ResourceService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ResourceService").field(&self.0.definition().address).finish()
    }
}

#[async_trait]
impl<S> Resource for Layered<S, dyn Resource>
where
    S: Service<ResourceRead, Response = ResourceResult> + Clone + Send + Sync + 'static,
    S::Error: Into<Error>,
    S::Future: Send,
{
    fn definition(&self) -> &ResourceDefinition {
        self.inner.definition()
    }

    async fn read(&self, read: ResourceRead) -> Result<ResourceResult, Error> {
        // The clone is a handle: the layer's state was made once and is shared.
        self.service.clone().oneshot(read).await.map_err(Into::into)
    }

    fn asks_input(&self) -> bool {
        self.inner.asks_input()
    }

    fn completes(&self, variable: &str) -> bool {
        self.inner.completes(variable)
    }

    async fn complete(&self, call: CompletionCall) -> Result<Completion, Error> {
        (*self.inner).complete(call).await
    }
}

impl<S> fmt::Debug for Layered<S, dyn Resource> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Layered").field(&self.inner.definition().address).finish()
    }
}
