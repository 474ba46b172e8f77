//! Counts and times what is asked of a server, for Prometheus and for a look from inside.
//!
//! Names, labels and buckets are those of OpenTelemetry's semantic conventions for MCP. Labels take their values from
//! closed sets and from registered names, so no caller can make series.

mod entry;
mod latency;
mod layer;
mod names;
mod pools;
mod recent;
mod snapshot;
mod table;
mod tool;

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use prometheus_client::collector::Collector;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

pub use layer::{Measured, MetricsLayer};
pub use snapshot::{LatencyClass, RecentError, Snapshot, Times, ToolSnapshot, Totals, UpstreamSnapshot};
pub use tool::GetMetrics;

pub(crate) use names::{ErrorType, OTHER, TOOLS_CALL, is_method, is_plain};

use self::entry::{Cancellations, Durations, Entry, durations};
use self::names::METHODS;
use self::recent::RecentErrors;
use self::table::Table;
use crate::config::ConfigError;
use crate::events::Events;

/// How many methods beyond the protocol's may be registered.
const OWN_METHODS: usize = 100;

/// What is kept of what passes.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct MetricsConfig {
    /// What this replica calls itself in [`Snapshot::replica`], such as the name of its pod. Default: none.
    pub replica: Option<String>,
    /// How many tools are told apart; calls of more count as those of `_other`. Each tool that is called takes about
    /// 0.1 MB. Default: 1000; at most 10 000.
    pub max_tools: NonZeroUsize,
    /// How many errors are remembered, newest first. Default: 100; at most 10 000.
    pub max_recent_errors: NonZeroUsize,
}

impl Default for MetricsConfig {
    fn default() -> Self {
        const THOUSAND: NonZeroUsize = NonZeroUsize::new(1000).unwrap();
        const HUNDRED: NonZeroUsize = NonZeroUsize::new(100).unwrap();
        Self { replica: None, max_tools: THOUSAND, max_recent_errors: HUNDRED }
    }
}

impl MetricsConfig {
    /// Whether the settings can work.
    ///
    /// # Errors
    ///
    /// When a number is beyond its bound.
    pub fn validate(&self) -> Result<(), ConfigError> {
        for (key, value) in [("max_tools", self.max_tools), ("max_recent_errors", self.max_recent_errors)] {
            if value.get() > 10_000 {
                return Err(ConfigError::new(key, format!("must be at most 10000, got {value}")));
            }
        }
        Ok(())
    }
}

/// What is counted and timed in one process. A clone is a handle to the same.
///
/// [`MetricsLayer`] feeds it; [`encode`](Self::encode) gives it to Prometheus, [`tool`](Self::tool) to models, and
/// [`snapshot`](Self::snapshot) to code.
///
/// | metric | type | labels |
/// |---|---|---|
/// | `mcp_server_operation_duration_seconds` | histogram | `mcp_method_name`, `gen_ai_tool_name`, `error_type` |
/// | `mcp_server_operation_cancelled_total` | counter | `mcp_method_name`, `gen_ai_tool_name` |
/// | `mcp_inflight_requests` | gauge | |
/// | `towline_layer_events_total` | counter | `layer`, `event`, `service` |
/// | `towline_build_info` | info | `version` |
/// | `process_start_time_seconds` | gauge | |
///
/// `error_type` is left out where all went well, and where the mistake was the client's: wrong arguments, an unknown
/// tool or method. It is `tool_error` for a result with `isError`, and the JSON-RPC code of any other failure, also of
/// one that the client gets as a result with `isError`: so a database that is down (`503`) can be told from "no such
/// city".
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

pub(crate) struct Inner {
    config: MetricsConfig,
    registry: Mutex<Registry>,
    durations: Durations,
    cancellations: Cancellations,
    in_flight: Gauge,
    events: Events,
    tools: Table<Entry>,
    methods: Table<Entry>,
    other_tool: usize,
    other_method: usize,
    started: Instant,
    recent: Mutex<RecentErrors>,
    upstreams: Mutex<Vec<Provider<Vec<UpstreamSnapshot>>>>,
    cache_hits: Mutex<Vec<Provider<u64>>>,
}

type Provider<T> = Arc<dyn Fn() -> T + Send + Sync>;

impl Default for Metrics {
    fn default() -> Self {
        Self::new(MetricsConfig::default())
    }
}

impl Metrics {
    /// Begins to count.
    pub fn new(config: MetricsConfig) -> Self {
        let (durations, cancellations) = (durations(), Cancellations::default());
        // One more each, for all others.
        let tools = Table::new(config.max_tools.get() + 1);
        let methods = Table::new(METHODS.len() + OWN_METHODS + 1);
        let other_tool = tools.find_or_add(OTHER, |name| Entry::tool(name, &durations, &cancellations));
        let other_method = methods.find_or_add(OTHER, |name| Entry::method(name, &durations, &cancellations));
        let inner = Inner {
            registry: Mutex::default(),
            durations,
            cancellations,
            in_flight: Gauge::default(),
            events: Events::default(),
            other_tool: other_tool.unwrap_or_default(),
            other_method: other_method.unwrap_or_default(),
            tools,
            methods,
            started: Instant::now(),
            recent: Mutex::new(RecentErrors::new(config.max_recent_errors)),
            upstreams: Mutex::default(),
            cache_hits: Mutex::default(),
            config,
        };
        let metrics = Self(Arc::new(inner));
        METHODS.iter().for_each(|method| metrics.register_method(method));
        metrics.register(|registry| metrics.0.describe(registry));
        metrics
    }

    /// Names a tool before its first call, so that its series are there from the start.
    ///
    /// A tool that is not named is known from its first call on, or at the server's level from its first answer on.
    pub fn register_tool(&self, name: &str) {
        self.0.tool(name);
    }

    /// Names a method of one's own, which else counts as `_other`. There is room for 100.
    pub fn register_method(&self, name: &str) {
        let Inner { methods, durations, cancellations, .. } = &*self.0;
        if is_plain(name) && name != TOOLS_CALL {
            methods.find_or_add(name, |name| Entry::method(name, durations, cancellations));
        }
    }

    /// Where layers count what they do.
    pub fn events(&self) -> &Events {
        &self.0.events
    }

    /// Adds metrics of one's own to what is scraped.
    ///
    /// `add` runs while the registry is locked: it must not call [`encode`](Self::encode) or this method.
    pub fn register(&self, add: impl FnOnce(&mut Registry)) {
        add(&mut self.0.registry.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Adds what is read when it is scraped, such as the handle of a breaker or a cache.
    pub fn register_collector(&self, collector: Box<dyn Collector>) {
        self.register(|registry| registry.register_collector(collector));
    }

    /// Adds a source of [`Snapshot::upstreams`], such as a registry of circuit breakers. It is asked for each
    /// snapshot, so it must be quick.
    pub fn add_upstreams(&self, states: impl Fn() -> Vec<UpstreamSnapshot> + Send + Sync + 'static) {
        lock(&self.0.upstreams).push(Arc::new(states));
    }

    /// Adds a source of [`Totals::cache_hits`]: how many answers a cache has given since the start.
    pub fn add_cache_hits(&self, hits: impl Fn() -> u64 + Send + Sync + 'static) {
        lock(&self.0.cache_hits).push(Arc::new(hits));
    }

    /// All metrics as OpenMetrics text, whose content type is
    /// `application/openmetrics-text; version=1.0.0; charset=utf-8`.
    pub fn encode(&self) -> String {
        let mut text = String::new();
        // Writing to a `String` does not fail; a collector that fails leaves text that lacks its `# EOF`, which a
        // scraper refuses.
        let registry = lock(&self.0.registry);
        if let Err(error) = prometheus_client::encoding::text::encode(&mut text, &registry) {
            tracing::error!(%error, "metrics could not be written");
        }
        text
    }

    /// The tool `get_metrics`, which tells [`Self::snapshot`] to models and people.
    ///
    /// What it tells is for those who run the server. It holds no arguments and no results, but names of tools and
    /// messages of errors: offer it only where every caller may see these, or behind a layer that asks who calls.
    pub fn tool(&self) -> GetMetrics {
        GetMetrics::new(self.clone())
    }
}

impl Inner {
    fn describe(&self, registry: &mut Registry) {
        registry.register_with_unit(
            "mcp_server_operation_duration",
            "Time until a request was answered",
            Unit::Seconds,
            self.durations.clone(),
        );
        registry.register(
            "mcp_server_operation_cancelled",
            "Requests for whose answer nobody waited",
            self.cancellations.clone(),
        );
        registry.register("mcp_inflight_requests", "Requests that are worked on", self.in_flight.clone());
        registry.register("towline_layer_events", "What layers did", self.events.family());
        let version = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("towline_build", "The layers' version", version);
        registry.register_with_unit(
            "process_start_time",
            "When the server started, since 1970",
            Unit::Seconds,
            ConstGauge::new(since_epoch().saturating_sub(self.started.elapsed()).as_secs_f64()),
        );
    }

    /// Where the tool's entry is, made if need be: that of all others if there is no room, or the name can be no label.
    fn tool(&self, name: &str) -> usize {
        let make = |name| Entry::tool(name, &self.durations, &self.cancellations).shown();
        let found = if is_plain(name) { self.tools.find_or_add(name, make) } else { None };
        found.unwrap_or(self.other_tool)
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").field("config", &self.0.config).finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
