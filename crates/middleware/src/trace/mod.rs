//! To be written.

/// The trace id of a `traceparent`, if it is valid.
pub(crate) fn trace_id(traceparent: &str) -> Option<&str> {
    traceparent.split('-').nth(1).filter(|id| id.len() == 32)
}
