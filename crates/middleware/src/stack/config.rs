//! Settings of all layers of a server.

use std::collections::{BTreeMap, HashSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::switch::Switch;
use crate::bulkhead::BulkheadConfig;
use crate::cache::{CacheConfig, CachePolicy};
use crate::circuit_breaker::CircuitBreakerConfig;
use crate::config::ConfigError;
use crate::metrics::MetricsConfig;
use crate::rate_limit::RateLimitConfig;
use crate::retry::RetryConfig;
use crate::timeout::TimeoutConfig;

/// Settings of all layers of a server: those around the whole of it, around each tool, around one tool, and around
/// what tools depend on.
///
/// ```
/// let config: towline_middleware::StackConfig = toml::from_str(
///     r#"
///     [server]
///     audit = true
///     rate_limit = { policies = [{ name = "caller", key = ["principal"], limit = 60 }] }
///
///     [tools]                                  # each tool, unless [tool.NAME] says otherwise
///     timeout = { timeout_ms = 10000 }
///
///     [tool.execute_query]
///     cache = { ttl_ms = 60000 }
///     retry = false
///
///     [upstream.shop]
///     circuit_breaker = { failure_rate = 0.3 }
///     "#,
/// )?;
/// config.validate()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct StackConfig {
    /// Around the whole server.
    pub server: ServerLayers,
    /// Around each tool.
    pub tools: ToolLayers,
    /// Around the tool of that name; what is not set here is as in [`tools`](Self::tools).
    pub tool: BTreeMap<String, ToolLayers>,
    /// Around what tools depend on, such as a database, by its name.
    pub upstream: BTreeMap<String, UpstreamLayers>,
    /// What all cached answers together may take.
    pub cache: CacheConfig,
    /// What is kept of what passes.
    pub metrics: MetricsConfig,
}

/// Layers around the whole server.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct ServerLayers {
    /// A span for each request. Default: on.
    pub trace: bool,
    /// Counts and times, and the tool `get_metrics`. Default: on.
    pub metrics: bool,
    /// A record of each call. Default: off.
    pub audit: Switch<AuditConfig>,
    /// How many requests run at once, and how many wait. Default: on.
    pub bulkhead: Switch<BulkheadConfig>,
    /// How often callers may call. Default: off.
    pub rate_limit: Switch<RateLimitConfig>,
    /// When an answer must be there. A tool with a `deadline_ms` has that time instead. Default: on.
    pub timeout: Switch<TimeoutConfig>,
}

impl Default for ServerLayers {
    fn default() -> Self {
        Self {
            trace: true,
            metrics: true,
            audit: Switch::Off,
            bulkhead: Switch::On(BulkheadConfig::default()),
            rate_limit: Switch::Off,
            timeout: Switch::On(TimeoutConfig { timeout: std::time::Duration::from_secs(60) }),
        }
    }
}

/// What is written down of calls.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct AuditConfig {
    /// The arguments too, which may hold personal data and secrets. Default: false.
    pub arguments: bool,
}

/// Layers around a tool. What is not set is as for all tools, and for all tools as the default says.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct ToolLayers {
    /// Checks beyond the tool's own schema. Default: off.
    pub validate: Option<Switch<ValidateConfig>>,
    /// How often callers may call it. Default: off.
    pub rate_limit: Option<Switch<RateLimitConfig>>,
    /// Answers that are given again; only for tools that say they are read-only. Default: off.
    pub cache: Option<Switch<CachePolicy>>,
    /// Retries; only of tools that say they may be called twice. Default: on.
    pub retry: Option<Switch<RetryConfig>>,
    /// Refuses calls of a tool that keeps failing. Default: off, for what tools depend on has breakers of its own.
    pub circuit_breaker: Option<Switch<CircuitBreakerConfig>>,
    /// How many calls run at once. Default: off.
    pub bulkhead: Option<Switch<BulkheadConfig>>,
    /// Time for one attempt. Default: on.
    pub timeout: Option<Switch<TimeoutConfig>>,
    /// Time for the whole call, in milliseconds, instead of the server's. Default: none.
    pub deadline_ms: Option<u64>,
}

/// Checks beyond a tool's own schema.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct ValidateConfig {
    /// A JSON Schema that arguments must match besides the tool's own, to allow less. Default: none.
    pub arguments: Option<Value>,
    /// Hold structured results against the tool's output schema. Default: false.
    pub result: bool,
}

/// Layers around what tools depend on.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct UpstreamLayers {
    /// Refuses calls of what keeps failing, so that the rest goes on. Default: on.
    pub circuit_breaker: Switch<CircuitBreakerConfig>,
    /// How many calls use it at once. Default: off.
    pub bulkhead: Switch<BulkheadConfig>,
}

impl Default for UpstreamLayers {
    fn default() -> Self {
        Self { circuit_breaker: Switch::On(CircuitBreakerConfig::default()), bulkhead: Switch::Off }
    }
}

impl StackConfig {
    /// Holds the settings against what can work.
    ///
    /// # Errors
    ///
    /// Names the key, such as `tool.execute_query.cache.ttl_ms`, and what is wrong with it.
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.server.validate().map_err(|error| error.within("server"))?;
        self.tools.validate().map_err(|error| error.within("tools"))?;
        if self.tools.cache.as_ref().and_then(Switch::on).is_some() {
            let problem = "set it per tool, in [tool.NAME]: only a tool that reads alone may be cached";
            return Err(ConfigError::new("tools.cache", problem));
        }
        for (name, layers) in &self.tool {
            layers.validate().map_err(|error| error.within(name).within("tool"))?;
        }
        for (name, layers) in &self.upstream {
            layers.validate().map_err(|error| error.within(name).within("upstream"))?;
        }
        self.check_policy_names()?;
        self.cache.validate().map_err(|error| error.within("cache"))?;
        self.metrics.validate().map_err(|error| error.within("metrics"))
    }

    /// Refusals and metrics name a policy, so two of one name could not be told apart.
    fn check_policy_names(&self) -> Result<(), ConfigError> {
        let mut names = HashSet::new();
        for (place, limit) in self.limits() {
            for policy in &limit.policies {
                if !names.insert(&policy.name) {
                    let key = format!("{place}.rate_limit.policies");
                    let problem = format!("there is another policy named {:?}", policy.name);
                    return Err(ConfigError::new(key, problem));
                }
            }
        }
        Ok(())
    }

    /// The rate limits that are on, and where they stand.
    pub(super) fn limits(&self) -> impl Iterator<Item = (String, &RateLimitConfig)> {
        let server = self.server.rate_limit.on().map(|limit| ("server".to_owned(), limit));
        let tools =
            self.tools.rate_limit.as_ref().and_then(Switch::on).map(|limit| ("tools".to_owned(), limit));
        let each = self.tool.iter().filter_map(|(name, layers)| {
            Some((format!("tool.{name}"), layers.rate_limit.as_ref().and_then(Switch::on)?))
        });
        server.into_iter().chain(tools).chain(each)
    }

    /// The layers of the tool of that name: its own settings, and those of all tools where it has none.
    pub(super) fn of_tool(&self, name: &str) -> ToolLayers {
        let own = self.tool.get(name).cloned().unwrap_or_default();
        let general = self.tools.clone();
        ToolLayers {
            validate: own.validate.or(general.validate),
            rate_limit: own.rate_limit.or(general.rate_limit),
            cache: own.cache.or(general.cache),
            retry: own.retry.or(general.retry).or_else(|| Some(Switch::On(RetryConfig::default()))),
            circuit_breaker: own.circuit_breaker.or(general.circuit_breaker),
            bulkhead: own.bulkhead.or(general.bulkhead),
            timeout: own.timeout.or(general.timeout).or_else(|| Some(Switch::On(TimeoutConfig::default()))),
            deadline_ms: own.deadline_ms.or(general.deadline_ms),
        }
    }
}

/// Holds the settings of a layer, if it is there, against what can work.
fn check<T>(
    key: &str,
    switch: Option<&Switch<T>>,
    validate: impl FnOnce(&T) -> Result<(), ConfigError>,
) -> Result<(), ConfigError> {
    switch.and_then(Switch::on).map_or(Ok(()), validate).map_err(|error| error.within(key))
}

impl ServerLayers {
    fn validate(&self) -> Result<(), ConfigError> {
        check("bulkhead", Some(&self.bulkhead), BulkheadConfig::validate)?;
        check("rate_limit", Some(&self.rate_limit), RateLimitConfig::validate)?;
        check("timeout", Some(&self.timeout), TimeoutConfig::validate)
    }
}

impl ToolLayers {
    fn validate(&self) -> Result<(), ConfigError> {
        check("validate", self.validate.as_ref(), ValidateConfig::validate)?;
        check("rate_limit", self.rate_limit.as_ref(), RateLimitConfig::validate)?;
        check("cache", self.cache.as_ref(), CachePolicy::validate)?;
        check("retry", self.retry.as_ref(), RetryConfig::validate)?;
        check("circuit_breaker", self.circuit_breaker.as_ref(), CircuitBreakerConfig::validate)?;
        check("bulkhead", self.bulkhead.as_ref(), BulkheadConfig::validate)?;
        check("timeout", self.timeout.as_ref(), TimeoutConfig::validate)?;
        match self.deadline_ms {
            Some(0) => Err(ConfigError::new("deadline_ms", "must be more than 0")),
            _ => Ok(()),
        }
    }
}

impl UpstreamLayers {
    fn validate(&self) -> Result<(), ConfigError> {
        check("circuit_breaker", Some(&self.circuit_breaker), CircuitBreakerConfig::validate)?;
        check("bulkhead", Some(&self.bulkhead), BulkheadConfig::validate)
    }
}

impl ValidateConfig {
    fn validate(&self) -> Result<(), ConfigError> {
        let Some(schema) = &self.arguments else { return Ok(()) };
        let compiled = towline_core::Schema::compile(schema.clone());
        compiled.map(drop).map_err(|problem| ConfigError::new("arguments", problem))
    }
}
