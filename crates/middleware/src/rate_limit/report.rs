//! What limiters have done, for metrics and dashboards.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use super::limiter::RateLimiter;

/// What one policy has done since its limiter was made.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RateLimitReport {
    /// The policy's name.
    pub policy: Arc<str>,
    /// Calls that had their turn at once.
    pub allowed: u64,
    /// Calls that this policy made wait for their turn.
    pub waited: u64,
    /// Calls that were refused, and would have had to wait longest for this policy.
    pub refused: u64,
    /// How many keys it tells apart now.
    pub keys: usize,
}

/// Several limiters, to be registered as one collector. Policies must differ in their names.
///
/// ```
/// # use towline_middleware::{RateLimitConfig, RateLimiter, RateLimiters};
/// let (server, search) = (RateLimiter::new(&RateLimitConfig::default()), RateLimiter::new(&RateLimitConfig::default()));
/// let all: RateLimiters = [&server, &search].into_iter().collect();
/// # let mut registry = prometheus_client::registry::Registry::default();
/// registry.register_collector(Box::new(all));
/// ```
#[derive(Clone, Debug, Default)]
pub struct RateLimiters(Arc<[RateLimiter]>);

#[derive(Debug, Default)]
pub(super) struct Counts {
    allowed: AtomicU64,
    waited: AtomicU64,
    refused: AtomicU64,
}

impl Counts {
    pub(super) fn count_admitted(&self, waits: bool) {
        let count = if waits { &self.waited } else { &self.allowed };
        count.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }
}

impl RateLimiter {
    /// What each policy has done so far.
    pub fn report(&self) -> Vec<RateLimitReport> {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let report = |policy: &super::limiter::Policy| RateLimitReport {
            policy: Arc::clone(&policy.name),
            allowed: of(&policy.counts.allowed),
            waited: of(&policy.counts.waited),
            refused: of(&policy.counts.refused),
            keys: policy.buckets.held(),
        };
        self.0.policies.iter().map(report).collect()
    }
}

impl<'a> FromIterator<&'a RateLimiter> for RateLimiters {
    fn from_iter<I: IntoIterator<Item = &'a RateLimiter>>(limiters: I) -> Self {
        Self(limiters.into_iter().cloned().collect())
    }
}

impl Collector for RateLimiter {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        encode(std::slice::from_ref(self), encoder)
    }
}

impl Collector for RateLimiters {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        encode(&self.0, encoder)
    }
}

fn encode(limiters: &[RateLimiter], mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
    let reports: Vec<_> = limiters.iter().flat_map(RateLimiter::report).collect();
    let help = "Decisions of rate limits, by policy";
    let mut family = encoder.encode_descriptor("mcp_ratelimit_decisions", help, None, MetricType::Counter)?;
    for report in &reports {
        let decisions = [("allowed", report.allowed), ("waited", report.waited), ("refused", report.refused)];
        for (decision, count) in decisions {
            let labels = [("policy", &*report.policy), ("decision", decision)];
            ConstCounter::new(count).encode(family.encode_family(&labels)?)?;
        }
    }
    let help = "Keys that rate limits tell apart, by policy";
    let mut family = encoder.encode_descriptor("mcp_ratelimit_keys", help, None, MetricType::Gauge)?;
    for report in &reports {
        let keys = i64::try_from(report.keys).unwrap_or(i64::MAX);
        ConstGauge::new(keys).encode(family.encode_family(&[("policy", &*report.policy)])?)?;
    }
    Ok(())
}
