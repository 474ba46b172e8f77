//! What all settings share.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serializer};

/// A setting that cannot work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {problem}")]
pub struct ConfigError {
    key: String,
    problem: String,
}

impl ConfigError {
    /// Names the key, as it stands in a file, and what is wrong with its value and what is allowed. The problem must
    /// not quote a secret.
    pub fn new(key: impl Into<String>, problem: impl fmt::Display) -> Self {
        Self { key: key.into(), problem: problem.to_string() }
    }

    /// The key, with those of the tables around it before it: `layers.tools.retry.max_attempts`.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// What is wrong with the value, and what is allowed.
    pub fn problem(&self) -> &str {
        &self.problem
    }

    /// The same, for a key that stands in the table `table`.
    #[must_use]
    pub fn within(mut self, table: &str) -> Self {
        self.key = format!("{table}.{}", self.key);
        self
    }
}

/// A duration in whole milliseconds, for fields whose names in files end in `_ms`.
pub(crate) fn millis<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    u64::deserialize(deserializer).map(Duration::from_millis)
}

/// The way back.
pub(crate) fn as_millis<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

/// Refuses a duration that is zero.
pub(crate) fn not_zero(key: &str, duration: Duration) -> Result<(), ConfigError> {
    if duration.is_zero() {
        return Err(ConfigError::new(key, "must be more than 0"));
    }
    Ok(())
}

/// Refuses a share outside of 0 to 1.
pub(crate) fn share(key: &str, value: f64) -> Result<(), ConfigError> {
    if (0.0..=1.0).contains(&value) {
        return Ok(());
    }
    Err(ConfigError::new(key, format!("must be between 0 and 1, got {value}")))
}
