//! What is wrong with settings.

/// A configuration that cannot work, with the key to change. It holds no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("database `{database}`: `{key}` {problem}")]
pub struct ConfigError {
    database: String,
    key: String,
    problem: String,
}

impl ConfigError {
    pub(crate) fn new(database: &str, key: &str, problem: impl Into<String>) -> Self {
        Self { database: database.to_owned(), key: key.to_owned(), problem: problem.into() }
    }

    /// The key to change.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// What is wrong with it.
    pub fn problem(&self) -> &str {
        &self.problem
    }
}
