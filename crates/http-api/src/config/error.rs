//! What is wrong with a configuration.

/// A configuration that cannot work, with the key to change. It holds no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}`{key}` {problem}", api.as_ref().map(|api| format!("API `{api}`: ")).unwrap_or_default())]
pub struct ConfigError {
    api: Option<String>,
    key: String,
    problem: String,
}

impl ConfigError {
    pub(crate) fn new(key: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { api: None, key: key.into(), problem: problem.into() }
    }

    pub(crate) fn of(mut self, api: &str) -> Self {
        self.api = Some(api.to_owned());
        self
    }

    pub(crate) fn within(mut self, table: &str) -> Self {
        self.key = format!("{table}.{}", self.key);
        self
    }

    /// The name of the API, if it is known.
    pub fn api(&self) -> Option<&str> {
        self.api.as_deref()
    }

    /// What is wrong with it.
    pub fn problem(&self) -> &str {
        &self.problem
    }

    /// The key to change, with the tables around it: `auth.token`.
    pub fn key(&self) -> &str {
        &self.key
    }
}
