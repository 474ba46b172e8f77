//! How much one call may cost.

use std::num::NonZeroUsize;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// How much one call may cost.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of text that one call reads, and of a file that is edited. Default: 4 MiB.
    pub max_read_bytes: u64,
    /// Bytes of a file that is read as media. Default: 16 MiB.
    pub max_media_bytes: u64,
    /// Bytes that one call writes. Default: 16 MiB.
    pub max_write_bytes: u64,
    /// Bytes of a file in which `grep_files` looks; larger ones are passed over, and counted. Default: 64 MiB.
    pub max_grep_bytes: u64,
    /// Entries that one call looks at, whether it tells of them or not. Default: 1,000,000.
    pub max_scanned: usize,
    /// Entries, or matches, on a page. Default: 1,000.
    pub page_size: NonZeroUsize,
    /// How deep walks go below where they begin. Default: 64.
    pub max_depth: usize,
    /// Files that one call reads. Default: 100.
    pub max_files: usize,
    /// Calls that use the disk at the same time; others wait. Default: 8.
    pub max_concurrent: NonZeroUsize,
    /// How long one call may use the disk, and wait for its turn; `timeout_ms` in files. Default: 30 s.
    #[serde(rename = "timeout_ms", deserialize_with = "millis", serialize_with = "as_millis")]
    #[schemars(with = "u64")]
    pub timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_read_bytes: 4 << 20,
            max_media_bytes: 16 << 20,
            max_write_bytes: 16 << 20,
            max_grep_bytes: 64 << 20,
            max_scanned: 1_000_000,
            page_size: const { NonZeroUsize::new(1000).unwrap() },
            max_depth: 64,
            max_files: 100,
            max_concurrent: const { NonZeroUsize::new(8).unwrap() },
            timeout: Duration::from_secs(30),
        }
    }
}

fn millis<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    u64::deserialize(deserializer).map(Duration::from_millis)
}

fn as_millis<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}
