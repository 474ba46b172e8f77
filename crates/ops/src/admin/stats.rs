//! All figures of one moment.

use serde::Serialize;
use towline_core::health::{ConnectionPool, Connections};
use towline_middleware::circuit_breaker;
use towline_middleware::{CacheStats, RateLimitReport, Snapshot};

use super::Admin;
use super::readiness::Check;

/// All figures of one moment.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Stats {
    name: String,
    version: String,
    ready: bool,
    draining: bool,
    checks: Vec<Check>,
    metrics: Snapshot,
    breakers: Vec<circuit_breaker::Snapshot>,
    limits: Vec<Limit>,
    cache: CacheStats,
    pools: Vec<Pool>,
}

/// The connections to something that the server depends on.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Pool {
    name: String,
    max: usize,
    open: usize,
    in_use: usize,
    idle: usize,
    waiting: usize,
}

impl From<&dyn ConnectionPool> for Pool {
    fn from(pool: &dyn ConnectionPool) -> Self {
        let connections = pool.connections();
        let Connections { max, in_use, idle, waiting, .. } = connections;
        Self { name: pool.name().to_owned(), max, open: connections.open(), in_use, idle, waiting }
    }
}

/// What one policy of a rate limit has done.
#[derive(Serialize)]
struct Limit {
    policy: String,
    allowed: u64,
    waited: u64,
    refused: u64,
    keys: usize,
}

impl From<RateLimitReport> for Limit {
    fn from(report: RateLimitReport) -> Self {
        let RateLimitReport { policy, allowed, waited, refused, keys, .. } = report;
        Self { policy: policy.to_string(), allowed, waited, refused, keys }
    }
}

impl Admin {
    pub(super) async fn stats(&self) -> Stats {
        let inner = &*self.0;
        Stats {
            name: inner.name.clone(),
            version: inner.version.clone(),
            ready: inner.readiness.is_ready().await,
            draining: inner.readiness.is_draining(),
            checks: inner.readiness.checks().await.to_vec(),
            metrics: inner.stack.metrics().snapshot(),
            breakers: inner.stack.breakers().snapshots(),
            limits: inner.stack.rate_limits().into_iter().map(Limit::from).collect(),
            cache: inner.stack.cache().stats(),
            pools: self.1.iter().map(|pool| Pool::from(&**pool)).collect(),
        }
    }
}
