//! Tower layers around tools, resources and prompts.

use std::sync::Arc;

use crate::tool::Tool;

/// A tool, a resource or a prompt with a layer around it. It is again what it was.
pub struct Layered<S, T: ?Sized = dyn Tool> {
    pub(crate) inner: Arc<T>,
    pub(crate) service: S,
}
