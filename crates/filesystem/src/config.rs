//! What is served.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::limits::Limits;

/// What is served, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct FilesystemConfig {
    /// The folders.
    pub roots: Vec<RootConfig>,
    /// Globs of what is kept from callers, with all that lies below it. They are relative to the roots; one without `/`
    /// counts at every depth, and upper and lower case are the same.
    pub deny: Vec<String>,
    /// Whether files and folders whose names begin with a dot are there for callers. Default: false.
    pub show_hidden: bool,
    /// How much one call may cost.
    pub limits: Limits,
}

impl FilesystemConfig {
    /// These folders, with the defaults for the rest.
    pub fn new(roots: impl IntoIterator<Item = RootConfig>) -> Self {
        Self { roots: roots.into_iter().collect(), ..Self::default() }
    }
}

/// A folder that is served.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct RootConfig {
    /// Where it is.
    pub path: PathBuf,
    /// What callers call it where there are several. Default: the last part of its path.
    pub name: Option<String>,
    /// Whether it may only be read. Default: false.
    #[serde(default)]
    pub read_only: bool,
}

impl RootConfig {
    /// A folder that may be read and written.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), name: None, read_only: false }
    }

    /// A folder that may only be read.
    pub fn read_only(path: impl Into<PathBuf>) -> Self {
        Self { read_only: true, ..Self::new(path) }
    }

    /// Gives it a name.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }
}

/// A mistake in the settings, or a folder that cannot be served. It is for the operator, never for a client.
#[derive(Debug, thiserror::Error)]
#[error("{key}: {problem}")]
pub struct ConfigError {
    key: String,
    problem: String,
}

impl ConfigError {
    pub(crate) fn new(key: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { key: key.into(), problem: problem.into() }
    }

    /// The setting, such as `roots[0].path`.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// What is wrong with it.
    pub fn problem(&self) -> &str {
        &self.problem
    }
}
