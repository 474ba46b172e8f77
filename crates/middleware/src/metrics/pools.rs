//! Connections to what a server depends on, as metrics.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;
use towline_core::health::ConnectionPool;

use super::Metrics;

impl Metrics {
    /// Adds the connections of these pools, which are counted when they are scraped.
    ///
    /// | metric | type | labels |
    /// |---|---|---|
    /// | `db_client_connection_count` | gauge | `db_client_connection_pool_name`, `db_client_connection_state` (`used`, `idle`) |
    /// | `db_client_connection_max` | gauge | `db_client_connection_pool_name` |
    /// | `db_client_connection_pending_requests` | gauge | `db_client_connection_pool_name` |
    ///
    /// Names and labels are those of OpenTelemetry's semantic conventions for databases.
    pub fn register_pools(&self, pools: impl IntoIterator<Item = Arc<dyn ConnectionPool>>) {
        let pools: Vec<_> = pools.into_iter().collect();
        if !pools.is_empty() {
            self.register_collector(Box::new(Pools(pools)));
        }
    }
}

struct Pools(Vec<Arc<dyn ConnectionPool>>);

impl fmt::Debug for Pools {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|pool| pool.name())).finish()
    }
}

const POOL: &str = "db_client_connection_pool_name";
const STATE: &str = "db_client_connection_state";

impl Collector for Pools {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let counts: Vec<_> = self.0.iter().map(|pool| (pool.name(), pool.connections())).collect();
        let gauge = |count: usize| ConstGauge::new(i64::try_from(count).unwrap_or(i64::MAX));

        let name = "db_client_connection_count";
        let mut count =
            encoder.encode_descriptor(name, "Connections that are open", None, MetricType::Gauge)?;
        for (name, connections) in &counts {
            for (state, number) in [("used", connections.in_use), ("idle", connections.idle)] {
                gauge(number).encode(count.encode_family(&[(POOL, *name), (STATE, state)])?)?;
            }
        }
        let name = "db_client_connection_max";
        let mut max = encoder.encode_descriptor(name, "Connections at most", None, MetricType::Gauge)?;
        for (name, connections) in &counts {
            gauge(connections.max).encode(max.encode_family(&[(POOL, *name)])?)?;
        }
        let name = "db_client_connection_pending_requests";
        let about = "Callers that wait for a connection";
        let mut waiting = encoder.encode_descriptor(name, about, None, MetricType::Gauge)?;
        for (name, connections) in &counts {
            gauge(connections.waiting).encode(waiting.encode_family(&[(POOL, *name)])?)?;
        }
        Ok(())
    }
}
