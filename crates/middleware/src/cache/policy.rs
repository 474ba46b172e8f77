//! What may be answered again, and what that may take.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::{ConfigError, as_millis, millis, not_zero, share};

/// How a tool's answers are kept.
///
/// It says that the tool's answer depends on nothing but its arguments, the caller (unless the scope is
/// [shared](CacheScope::Shared)), and data that may be as old as the policy says.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct CachePolicy {
    /// How long an answer is fresh, at most; `ttl_ms` in files. It has no default: only who knows the data knows.
    #[serde(rename = "ttl_ms", deserialize_with = "millis", serialize_with = "as_millis")]
    #[schemars(with = "u64")]
    pub ttl: Duration,
    /// The share of `ttl` by which an answer may expire sooner, drawn for each, so that what was loaded together is
    /// not loaded again together; 0 to 1. Default: 0.1.
    #[serde(default = "default_jitter")]
    pub jitter: f64,
    /// For how long after that the old answer is given at once, while one load refreshes it in the background;
    /// `stale_while_revalidate_ms` in files. Default: 0.
    #[serde(
        rename = "stale_while_revalidate_ms",
        default,
        deserialize_with = "millis",
        serialize_with = "as_millis"
    )]
    #[schemars(with = "u64")]
    pub stale_while_revalidate: Duration,
    /// For how long after `ttl` the old answer is given where a load fails with an error that is not the caller's
    /// fault: `Unavailable`, `CircuitOpen`, `Timeout`, `Overloaded` or `Internal`; `stale_if_error_ms` in files.
    /// Default: 0.
    #[serde(
        rename = "stale_if_error_ms",
        default,
        deserialize_with = "millis",
        serialize_with = "as_millis"
    )]
    #[schemars(with = "u64")]
    pub stale_if_error: Duration,
    /// Who may get an answer again. Default: only the caller that it was made for.
    #[serde(default)]
    pub scope: CacheScope,
    /// Bytes of the largest answer that is kept, its arguments included. Default: 262144 (256 KiB).
    #[serde(default = "default_max_entry_bytes")]
    pub max_entry_bytes: usize,
    /// Names by which answers of several tools are forgotten together, such as `orders`. Default: none.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Callers that may wait for one load; more are refused with `Overloaded`. Default: 1024.
    #[serde(default = "default_max_waiting")]
    pub max_waiting: usize,
    /// Loads of this tool that may be under way at once, those included whose caller is gone. A call beyond them
    /// is made as if there was no cache. Default: 256.
    #[serde(default = "default_max_loads")]
    pub max_loads: usize,
    /// How long a load may take. It counts instead of the deadline of the call that began the load, because others
    /// may wait for it, or nobody; `load_timeout_ms` in files. Default: 60 s.
    #[serde(
        rename = "load_timeout_ms",
        default = "default_load_timeout",
        deserialize_with = "millis",
        serialize_with = "as_millis"
    )]
    #[schemars(with = "u64")]
    pub load_timeout: Duration,
}

/// Who may get an answer again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CacheScope {
    /// Only the [principal](towline_core::Principal) that it was made for, with the same scopes and claims. Callers without one
    /// are one.
    #[default]
    Principal,
    /// Whoever asks: the answer does not depend on who that is. Of a tool that says that it
    /// [does](towline_core::Operation::depends_on_caller), the answers stay with who asked all the same.
    Shared,
}

/// Nothing is kept or waited for any longer. Far below what clocks can count.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 60 * 60);

impl CachePolicy {
    /// Keeps answers for `ttl`, with the defaults for the rest.
    pub const fn new(ttl: Duration) -> Self {
        Self {
            ttl,
            jitter: default_jitter(),
            stale_while_revalidate: Duration::ZERO,
            stale_if_error: Duration::ZERO,
            scope: CacheScope::Principal,
            max_entry_bytes: default_max_entry_bytes(),
            tags: Vec::new(),
            max_waiting: default_max_waiting(),
            max_loads: default_max_loads(),
            load_timeout: default_load_timeout(),
        }
    }

    /// Whether the values can work.
    ///
    /// # Errors
    ///
    /// Names the key that cannot, as it stands in a file.
    pub fn validate(&self) -> Result<(), ConfigError> {
        not_zero("ttl_ms", self.ttl)?;
        for (key, time) in [
            ("ttl_ms", self.ttl),
            ("stale_while_revalidate_ms", self.stale_while_revalidate),
            ("stale_if_error_ms", self.stale_if_error),
            ("load_timeout_ms", self.load_timeout),
        ] {
            if time > LONGEST {
                return Err(ConfigError::new(key, "must be at most a year"));
            }
        }
        share("jitter", self.jitter)?;
        positive("max_entry_bytes", self.max_entry_bytes as u64)?;
        positive("max_loads", self.max_loads as u64)?;
        not_zero("load_timeout_ms", self.load_timeout)
    }

    /// How long an answer that comes now is fresh.
    pub(super) fn fresh_for(&self) -> Duration {
        self.ttl.mul_f64(1.0 - self.jitter.clamp(0.0, 1.0) * fastrand::f64())
    }

    /// For how long an answer that is fresh for `fresh_for` may be of any use. The store cannot count further than
    /// some centuries.
    pub(super) fn keep(&self, fresh_for: Duration) -> Duration {
        let stale = self.stale_while_revalidate.max(self.stale_if_error);
        fresh_for.saturating_add(stale).min(LONGEST)
    }
}

/// What a store of answers may take.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct CacheConfig {
    /// Bytes of answers that are kept at most. Default: 67108864 (64 MiB).
    pub max_bytes: u64,
    /// Answers that are kept at most. Each counts for `max_bytes / max_entries` bytes or more. Default: 10000.
    pub max_entries: u64,
}

impl CacheConfig {
    /// Whether the values can work.
    ///
    /// # Errors
    ///
    /// Names the key that cannot, as it stands in a file.
    pub fn validate(&self) -> Result<(), ConfigError> {
        positive("max_bytes", self.max_bytes)?;
        positive("max_entries", self.max_entries)
    }
}

impl Default for CacheConfig {
    fn default() -> Self {
        Self { max_bytes: 64 * 1024 * 1024, max_entries: 10_000 }
    }
}

fn positive(key: &str, value: u64) -> Result<(), ConfigError> {
    if value == 0 {
        return Err(ConfigError::new(key, "must be more than 0"));
    }
    Ok(())
}

const fn default_jitter() -> f64 {
    0.1
}

const fn default_max_entry_bytes() -> usize {
    256 * 1024
}

const fn default_max_waiting() -> usize {
    1024
}

const fn default_max_loads() -> usize {
    256
}

const fn default_load_timeout() -> Duration {
    Duration::from_secs(60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_need_only_say_how_long() {
        let policy: CachePolicy = toml::from_str("ttl_ms = 60000").unwrap();
        assert_eq!(policy, CachePolicy::new(Duration::from_secs(60)));
        assert!(policy.validate().is_ok());
        assert!(toml::from_str::<CachePolicy>("").unwrap_err().to_string().contains("ttl_ms"));
    }

    #[test]
    fn a_file_can_say_everything() {
        let policy: CachePolicy = toml::from_str(
            r#"
            ttl_ms = 1000
            jitter = 0
            stale_while_revalidate_ms = 2000
            stale_if_error_ms = 3000
            scope = "shared"
            max_entry_bytes = 4
            tags = ["orders", "people"]
            max_waiting = 5
            max_loads = 6
            load_timeout_ms = 7000
            "#,
        )
        .unwrap();
        assert_eq!((policy.ttl, policy.jitter), (Duration::from_secs(1), 0.0));
        assert_eq!(policy.stale_while_revalidate, Duration::from_secs(2));
        assert_eq!(policy.stale_if_error, Duration::from_secs(3));
        assert_eq!((policy.scope, policy.max_entry_bytes), (CacheScope::Shared, 4));
        assert_eq!((policy.tags.len(), policy.max_waiting, policy.max_loads), (2, 5, 6));
        assert_eq!(policy.load_timeout, Duration::from_secs(7));
    }

    #[test]
    fn what_cannot_work_is_named_by_its_key() {
        for (text, key) in [
            ("ttl_ms = 0", "ttl_ms"),
            ("ttl_ms = 1\njitter = 1.5", "jitter"),
            ("ttl_ms = 1\nmax_entry_bytes = 0", "max_entry_bytes"),
            ("ttl_ms = 1\nmax_loads = 0", "max_loads"),
            ("ttl_ms = 1\nload_timeout_ms = 0", "load_timeout_ms"),
        ] {
            let policy: CachePolicy = toml::from_str(text).unwrap();
            assert_eq!(policy.validate().unwrap_err().key(), key);
        }
        assert!(toml::from_str::<CachePolicy>("ttl_ms = 1\nttl_s = 1").is_err());
        let config = CacheConfig { max_entries: 0, ..CacheConfig::default() };
        assert_eq!(config.validate().unwrap_err().key(), "max_entries");
    }

    #[test]
    fn an_answer_expires_within_the_jitter_and_never_late() {
        let policy = CachePolicy::new(Duration::from_secs(10));
        let drawn: Vec<Duration> = (0..1000).map(|_| policy.fresh_for()).collect();
        assert!(drawn.iter().all(|fresh| (9.0..=10.0).contains(&fresh.as_secs_f64())));
        assert!(drawn.iter().any(|fresh| fresh.as_secs_f64() < 9.3));
        assert!(drawn.iter().any(|fresh| fresh.as_secs_f64() > 9.7));
        let exact = CachePolicy { jitter: 0.0, ..policy };
        assert_eq!(exact.fresh_for(), Duration::from_secs(10));
    }
}
