//! The smaller tables of an API's configuration.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::form::{as_millis, millis};
use super::secret::some_redacted;
use super::{ConfigError, Secret};
use crate::egress::BaseUrl;

/// How many requests an API takes: never more than `requests` in any window, wherever it begins.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct RateLimitConfig {
    /// Requests within a window; redirects and retries are requests too.
    pub requests: NonZeroU32,
    /// How long a window is; `window_ms` in files.
    #[serde(rename = "window_ms", deserialize_with = "millis", serialize_with = "as_millis")]
    #[schemars(with = "u64")]
    pub window: Duration,
}

impl RateLimitConfig {
    /// At most `requests` in any `window`.
    pub const fn new(requests: NonZeroU32, window: Duration) -> Self {
        Self { requests, window }
    }

    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        if self.requests.get() > 1_000_000 {
            return Err(ConfigError::new("requests", "must be at most 1000000"));
        }
        if self.window.is_zero() || self.window > Duration::from_secs(31 * 24 * 60 * 60) {
            return Err(ConfigError::new("window_ms", "must be between 1 and 2678400000"));
        }
        Ok(())
    }
}

/// What is kept of answers.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct CacheConfig {
    /// Whether anything is. Default: true.
    pub enabled: bool,
    /// Bytes that are kept at most; the least useful are dropped first. Default: 16777216.
    pub max_bytes: u64,
}

impl Default for CacheConfig {
    fn default() -> Self {
        Self { enabled: true, max_bytes: 16 * 1024 * 1024 }
    }
}

/// How the next page of an answer is found: by its `Link` header, else by a cursor in its body, else by counting a
/// page parameter that the call gave.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct PaginationConfig {
    /// Pages that one call may follow at most. Default: 10.
    pub max_pages: u32,
    /// Where the body has the cursor, such as `meta.next`. Default: one of the usual names, such as `next_cursor`.
    pub cursor_field: Option<String>,
    /// The query parameter that takes the cursor. Default: follows from the field, such as `cursor`.
    pub cursor_parameter: Option<String>,
    /// The query parameter that counts pages. Default: `page`.
    pub page_parameter: String,
}

impl Default for PaginationConfig {
    fn default() -> Self {
        Self { max_pages: 10, cursor_field: None, cursor_parameter: None, page_parameter: "page".into() }
    }
}

impl PaginationConfig {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        if !(1..=1000).contains(&self.max_pages) {
            return Err(ConfigError::new("max_pages", "must be between 1 and 1000"));
        }
        if self.cursor_field.is_some() != self.cursor_parameter.is_some() {
            return Err(ConfigError::new("cursor_field", "and `cursor_parameter` must be set together"));
        }
        if self.page_parameter.is_empty() {
            return Err(ConfigError::new("page_parameter", "must not be empty"));
        }
        Ok(())
    }
}

/// A proxy, which connections are tunnelled through (`CONNECT`).
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct ProxyConfig {
    /// Where it is: `http://proxy.internal:3128`. Its own address is not guarded.
    pub url: String,
    /// Who is known to it. Default: nobody.
    pub username: Option<String>,
    /// The password.
    #[serde(serialize_with = "some_redacted")]
    #[schemars(with = "Option<String>", extend("writeOnly" = true))]
    pub password: Option<SecretString>,
    /// The environment variable that holds the password.
    pub password_env: Option<String>,
    /// The file that holds the password.
    pub password_file: Option<PathBuf>,
}

impl ProxyConfig {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        let base = BaseUrl::parse(&self.url).map_err(|problem| ConfigError::new("url", problem))?;
        if base.scheme() != "http" || !base.prefix().is_empty() {
            return Err(ConfigError::new("url", "must be `http://`, a host and a port"));
        }
        self.password().map(drop)
    }

    /// Where the password is, if there is one.
    pub(crate) fn password(&self) -> Result<Option<Secret>, ConfigError> {
        if self.username.is_none() {
            return Ok(None);
        }
        let (value, env, file) =
            (self.password.clone(), self.password_env.clone(), self.password_file.clone());
        let secret = Secret::one_of("password", value, env, file);
        secret.map(Some).map_err(|problem| ConfigError::new("password", problem))
    }
}

/// How a named tool asks its API, where that is not as the tool expects.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct NamedToolConfig {
    /// The path. Default: `/forecast` of `weather`, `/search` of `search`.
    pub path: Option<String>,
    /// Query parameters by the tool's arguments, such as `{ city = "location" }`. Default: `city` is `q` and `days`
    /// is `days`; `query` is `q` and `num_results` is `num`.
    pub parameters: BTreeMap<String, String>,
}

impl NamedToolConfig {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        if self.path.as_ref().is_some_and(|path| !path.starts_with('/')) {
            return Err(ConfigError::new("path", "must begin with `/`"));
        }
        if self.parameters.values().any(String::is_empty) {
            return Err(ConfigError::new("parameters", "must not hold an empty name"));
        }
        Ok(())
    }

    /// The query parameter of an argument.
    pub(crate) fn parameter<'a>(&'a self, argument: &'a str, usual: &'a str) -> &'a str {
        self.parameters.get(argument).map_or(usual, String::as_str)
    }
}
