//! Resources whose contents are known when the program starts.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::{Resource, ResourceRead, ResourceResult};
use crate::error::Error;
use crate::protocol::{CacheScope, ResourceContents, ResourceDefinition};

/// A resource whose contents never change while the server runs. Reading it copies nothing.
///
/// ```
/// use towline_core::{FixedResource, Router, Server};
///
/// let rules = FixedResource::text("handbook://rules", "rules", "text/markdown", "# Rules\n\nBe kind.");
/// let server = Server::new(Router::new("handbook", "1.0.0").resource(rules));
/// ```
#[derive(Clone, Debug)]
pub struct FixedResource {
    definition: ResourceDefinition,
    result: ResourceResult,
}

impl FixedResource {
    /// Text at a URI.
    pub fn text(
        uri: impl Into<Arc<str>>,
        name: impl Into<String>,
        mime_type: impl Into<String>,
        text: impl Into<String>,
    ) -> Self {
        let (uri, text) = (uri.into(), text.into());
        let size = text.len();
        Self::new(uri.clone(), name, mime_type, ResourceContents::text(&*uri, text), size)
    }

    /// Bytes at a URI.
    pub fn blob(
        uri: impl Into<Arc<str>>,
        name: impl Into<String>,
        mime_type: impl Into<String>,
        data: &[u8],
    ) -> Self {
        let uri = uri.into();
        Self::new(uri.clone(), name, mime_type, ResourceContents::blob(&*uri, data), data.len())
    }

    fn new(
        uri: Arc<str>,
        name: impl Into<String>,
        mime_type: impl Into<String>,
        contents: ResourceContents,
        size: usize,
    ) -> Self {
        let mime_type = mime_type.into();
        let contents = contents.with_mime_type(mime_type.as_str());
        let definition = ResourceDefinition::new(uri, name).with_mime_type(mime_type).with_size(size as u64);
        Self { definition, result: ResourceResult::new([contents]) }
    }

    /// Changes what the client learns of the resource.
    #[must_use]
    pub fn define(mut self, change: impl FnOnce(ResourceDefinition) -> ResourceDefinition) -> Self {
        self.definition = change(self.definition);
        self
    }

    /// Says how long clients may keep the contents, and who may share what is kept. Default: not at all.
    #[must_use]
    pub fn fresh_for(mut self, ttl: Duration, scope: CacheScope) -> Self {
        self.result = self.result.fresh_for(ttl, scope);
        self
    }
}

#[async_trait]
impl Resource for FixedResource {
    fn definition(&self) -> &ResourceDefinition {
        &self.definition
    }

    async fn read(&self, _: ResourceRead) -> Result<ResourceResult, Error> {
        Ok(self.result.clone())
    }
}
