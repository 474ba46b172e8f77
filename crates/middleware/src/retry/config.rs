//! How often, and how soon, something is tried again.

use std::num::NonZeroU32;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::{ConfigError, as_millis, millis, not_zero, share};

/// How often, and how soon, something is tried again.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct RetryConfig {
    /// Attempts at most, the first included. Default: 3.
    pub max_attempts: NonZeroU32,
    /// The pause before the second attempt, which doubles with each further one; `delay_ms` in files. Each pause is
    /// jittered: it takes between half of its length and all of it. Default: 100 ms.
    #[serde(rename = "delay_ms", deserialize_with = "millis", serialize_with = "as_millis")]
    #[schemars(with = "u64")]
    pub delay: Duration,
    /// No pause is longer; `max_delay_ms` in files. A failure that asks for a longer one (`retry_after`) is not tried
    /// again: that is the caller's to decide. Default: 2 s.
    #[serde(rename = "max_delay_ms", deserialize_with = "millis", serialize_with = "as_millis")]
    #[schemars(with = "u64")]
    pub max_delay: Duration,
    /// Retries as a share of calls, over time. Default: 0.2.
    pub budget_ratio: f64,
    /// Retries that may be saved up, and that there are at the start. Default: 10.
    pub budget_reserve: u32,
}

impl Default for RetryConfig {
    fn default() -> Self {
        Self {
            max_attempts: NonZeroU32::new(3).unwrap_or(NonZeroU32::MIN),
            delay: Duration::from_millis(100),
            max_delay: Duration::from_secs(2),
            budget_ratio: 0.2,
            budget_reserve: 10,
        }
    }
}

impl RetryConfig {
    /// Holds the settings against what can work.
    ///
    /// # Errors
    ///
    /// Names the key and what is wrong with it.
    pub fn validate(&self) -> Result<(), ConfigError> {
        not_zero("delay_ms", self.delay)?;
        if self.max_delay < self.delay {
            return Err(ConfigError::new("max_delay_ms", "must be at least `delay_ms`"));
        }
        if self.max_attempts.get() > 10 {
            return Err(ConfigError::new("max_attempts", "must be at most 10"));
        }
        share("budget_ratio", self.budget_ratio)?;
        if self.budget_reserve == 0 {
            return Err(ConfigError::new(
                "budget_reserve",
                "must be more than 0: nothing could ever be retried",
            ));
        }
        Ok(())
    }

    /// The pause before attempt `next`, counted from 1, or `None` if it would be longer than any may be.
    pub(super) fn pause(&self, next: u32, asked: Option<Duration>) -> Option<Duration> {
        let doubled = self.delay.saturating_mul(1 << (next - 2).min(31)).min(self.max_delay);
        let jittered = doubled.mul_f64(0.5 + fastrand::f64() / 2.0);
        let pause = asked.map_or(jittered, |asked| asked.max(jittered));
        (pause <= self.max_delay).then_some(pause)
    }
}
