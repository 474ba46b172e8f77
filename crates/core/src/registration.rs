//! Why something cannot be offered.

/// Why a tool, a resource or a prompt cannot be part of a set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind} {name:?}: {reason}")]
pub struct RegistrationError {
    kind: &'static str,
    name: String,
    reason: String,
}

impl RegistrationError {
    pub(crate) fn new(kind: &'static str, name: &str, reason: impl Into<String>) -> Self {
        Self { kind, name: name.to_owned(), reason: reason.into() }
    }
}
