//! Values that must not be shown, and where they come from.

use std::collections::BTreeMap;
use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretString};
use serde::Serializer;

use super::ConfigError;

/// A value that must not be shown, or where it is: in files `token`, `token_env` or `token_file`.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Secret {
    /// The value itself.
    Value(SecretString),
    /// The environment variable that holds it.
    Env(String),
    /// The file that holds it; white space at its end is cut off.
    File(PathBuf),
}

impl Secret {
    /// A value that the program has.
    pub fn new(value: impl Into<String>) -> Self {
        Self::Value(SecretString::from(value.into()))
    }

    /// Takes the one of three keys that is set.
    pub(super) fn one_of(
        key: &str,
        value: Option<SecretString>,
        env: Option<String>,
        file: Option<PathBuf>,
    ) -> Result<Self, String> {
        match (value, env, file) {
            (Some(value), None, None) => Ok(Self::Value(value)),
            (None, Some(variable), None) => Ok(Self::Env(variable)),
            (None, None, Some(path)) => Ok(Self::File(path)),
            (None, None, None) => {
                Err(format!("is missing: set one of `{key}`, `{key}_env` and `{key}_file`"))
            }
            _ => Err(format!("is set twice: set one of `{key}`, `{key}_env` and `{key}_file`")),
        }
    }

    /// The three keys, of which one is set.
    pub(super) fn apart(self) -> (Option<SecretString>, Option<String>, Option<PathBuf>) {
        match self {
            Self::Value(value) => (Some(value), None, None),
            Self::Env(variable) => (None, Some(variable), None),
            Self::File(path) => (None, None, Some(path)),
        }
    }

    /// Reads it.
    pub(crate) fn read(&self, key: &str) -> Result<SecretString, ConfigError> {
        let (key, text) = match self {
            Self::Value(value) => (key.to_owned(), value.expose_secret().to_owned()),
            Self::Env(variable) => {
                let key = format!("{key}_env");
                let value = std::env::var(variable)
                    .map_err(|_| ConfigError::new(&key, "names an environment variable that is not set"))?;
                (key, value)
            }
            Self::File(path) => {
                let key = format!("{key}_file");
                let text = std::fs::read_to_string(path)
                    .map_err(|_| ConfigError::new(&key, "names a file that is not readable as text"))?;
                (key, text.trim_end().to_owned())
            }
        };
        if text.is_empty() {
            return Err(ConfigError::new(key, "must not be empty"));
        }
        Ok(SecretString::from(text))
    }
}

/// What is shown in place of a value that is, or may be, a secret.
const REDACTED: &str = "[redacted]";

pub(super) fn some_redacted<S: Serializer>(
    secret: &Option<SecretString>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match secret {
        Some(_) => serializer.serialize_str(REDACTED),
        None => serializer.serialize_none(),
    }
}

/// Shows the names alone.
pub(super) fn values_redacted<V, S: Serializer>(
    map: &BTreeMap<String, V>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(map.keys().map(|name| (name, REDACTED)))
}
