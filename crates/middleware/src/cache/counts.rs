//! What the cache has done, for metrics and dashboards.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use serde::Serialize;

use super::store::CacheStore;

/// How a call was answered.
#[derive(Clone, Copy, Debug)]
pub(super) enum Answered {
    /// By a fresh answer from the cache.
    Hit,
    /// By a call of the service, whose answer may have been kept.
    Miss,
    /// By an answer from the cache that is no longer fresh.
    Stale,
    /// By a call that another caller had begun.
    Coalesced,
    /// By a call that has nothing to do with the cache.
    Bypass,
}

impl Answered {
    const ALL: [(Self, &'static str); 5] = [
        (Self::Hit, "hit"),
        (Self::Miss, "miss"),
        (Self::Stale, "stale"),
        (Self::Coalesced, "coalesced"),
        (Self::Bypass, "bypass"),
    ];
}

/// How the calls of one tool were answered.
#[derive(Debug, Default)]
pub(super) struct Counts([AtomicU64; 5]);

impl Counts {
    /// What stands for the tools beyond those that are counted each by itself. No tool has such a name.
    pub(super) const OTHER: &'static str = "_other";

    pub(super) fn add(&self, answered: Answered) {
        self.0[answered as usize].fetch_add(1, Ordering::Relaxed);
    }

    fn get(&self, answered: Answered) -> u64 {
        self.0[answered as usize].load(Ordering::Relaxed)
    }

    pub(super) fn stats(&self, tool: &str) -> CachedToolStats {
        CachedToolStats {
            tool: tool.to_owned(),
            hits: self.get(Answered::Hit),
            misses: self.get(Answered::Miss),
            stale: self.get(Answered::Stale),
            coalesced: self.get(Answered::Coalesced),
            bypassed: self.get(Answered::Bypass),
        }
    }
}

/// What a store of answers holds and has done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct CacheStats {
    /// Answers that are kept now.
    pub entries: u64,
    /// Bytes that they take, about.
    pub bytes: u64,
    /// How calls were answered, by tool, in the order of their names.
    pub tools: Vec<CachedToolStats>,
}

/// How the calls of one tool were answered. A call counts once, when its answer is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct CachedToolStats {
    /// The tool's name.
    pub tool: String,
    /// By a fresh answer from the cache.
    pub hits: u64,
    /// By the tool, or not at all.
    pub misses: u64,
    /// By an answer from the cache that was no longer fresh.
    pub stale: u64,
    /// By a call that another caller had begun.
    pub coalesced: u64,
    /// By the tool, because such a call is not cached.
    pub bypassed: u64,
}

/// `mcp_cache_requests_total{tool, result}`, `mcp_cache_bytes` and `mcp_cache_entries`.
impl Collector for CacheStore {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let help = "Calls of tools with a cache, by how they were answered";
        let mut requests =
            encoder.encode_descriptor("mcp_cache_requests", help, None, MetricType::Counter)?;
        for tool in self.tools() {
            for (answered, result) in Answered::ALL {
                let labels = [("tool", &*tool.name), ("result", result)];
                ConstCounter::new(tool.counts.get(answered)).encode(requests.encode_family(&labels)?)?;
            }
        }
        let stats = self.stats();
        for (name, help, value) in [
            ("mcp_cache_bytes", "Bytes of answers in the cache", stats.bytes),
            ("mcp_cache_entries", "Answers in the cache", stats.entries),
        ] {
            encoder.encode_descriptor(name, help, None, MetricType::Gauge)?.encode_gauge(&value)?;
        }
        Ok(())
    }
}
