//! The settings of a bulkhead.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::{ConfigError, as_millis, millis};

/// The most that tokio's semaphore counts, on any machine.
const MOST: usize = (u32::MAX >> 3) as usize;

/// How much runs at once, and how much waits for its turn.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct BulkheadConfig {
    /// How many calls run at once. Default: 64.
    pub max_concurrent: usize,
    /// How many calls wait for their turn; those beyond are refused at once. Default: 64.
    pub max_queue: usize,
    /// How long a call waits for its turn before it is refused; `queue_timeout_ms` in files. Default: 1 s.
    #[serde(rename = "queue_timeout_ms", deserialize_with = "millis", serialize_with = "as_millis")]
    #[schemars(with = "u64")]
    pub queue_timeout: Duration,
}

impl Default for BulkheadConfig {
    fn default() -> Self {
        Self { max_concurrent: 64, max_queue: 64, queue_timeout: Duration::from_secs(1) }
    }
}

impl BulkheadConfig {
    /// Lets so many calls run at once, and as many wait as by default.
    pub fn new(max_concurrent: usize) -> Self {
        Self { max_concurrent, ..Self::default() }
    }

    /// Lets so many calls wait.
    #[must_use]
    pub fn max_queue(mut self, max_queue: usize) -> Self {
        self.max_queue = max_queue;
        self
    }

    /// Lets calls wait so long.
    #[must_use]
    pub fn queue_timeout(mut self, queue_timeout: Duration) -> Self {
        self.queue_timeout = queue_timeout;
        self
    }

    /// Whether it can work.
    ///
    /// # Errors
    ///
    /// Names the key that cannot work, and says why.
    pub fn validate(&self) -> Result<(), ConfigError> {
        if !(1..=MOST).contains(&self.max_concurrent) {
            return Err(ConfigError::new("max_concurrent", format!("must be between 1 and {MOST}")));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_come_from_a_file_and_what_is_left_out_has_its_default() {
        let config: BulkheadConfig = toml::from_str("max_queue = 3\nqueue_timeout_ms = 250").unwrap();
        config.validate().unwrap();
        let read = (config.max_concurrent, config.max_queue, config.queue_timeout);
        assert_eq!(read, (64, 3, Duration::from_millis(250)));
        assert!(toml::from_str::<BulkheadConfig>("queue_timeout = 250").is_err());
    }

    #[test]
    fn a_setting_that_cannot_work_is_named() {
        for max_concurrent in [0, MOST + 1] {
            assert_eq!(BulkheadConfig::new(max_concurrent).validate().unwrap_err().key(), "max_concurrent");
        }
    }
}
