//! Makes a span of each request.

mod parent;

pub(crate) use parent::TraceParent;
