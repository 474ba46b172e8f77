//! Tower layers for MCP servers.
//!
//! Each fits a whole server, a set of tools, one tool (also one from a pack) and any plain [`tower`] service alike:
//! it keeps the error type of what it wraps, knows a request only as an [`Operation`](towline_core::Operation), and
//! judges answers through a [`Classify`]. State is made once, when the layer is applied, and shared by clones;
//! what several services are to share is built first and handed to the layer. Dropping a future gives back what it
//! took.
//!
//! | layer | what it does |
//! |---|---|
//! | [`AuditLayer`] | writes down who did what, and how it ended |
//! | [`BulkheadLayer`] | bounds what runs at once, and what waits for its turn |
//! | [`CacheLayer`] | answers again what a read-only tool has answered |
//! | [`CircuitBreakerLayer`] | refuses calls of what keeps failing, until it is well |
//! | [`MetricsLayer`] | counts and times |
//! | [`PanicLayer`] | makes an error of a panic |
//! | [`RateLimitLayer`] | refuses callers who call too often |
//! | [`RetryLayer`] | tries again what may succeed |
//! | [`TimeoutLayer`] | bounds how long an answer may take |
//! | [`TraceLayer`] | makes a span of each request |
//! | [`ValidateLayer`] | holds arguments and results against more than the tool's own schema |
//!
//! A [`Stack`] puts them into the order that works, from settings.

pub mod audit;
pub mod bulkhead;
pub mod cache;
pub mod circuit_breaker;
mod classify;
mod config;
mod events;
pub mod metrics;
pub mod panic;
pub mod rate_limit;
pub mod retry;
mod select;
pub mod stack;
pub mod timeout;
pub mod trace;
pub mod validate;

pub use audit::{Audit, AuditLayer, AuditOutcome, AuditRecord, AuditSink, Decision, LogSink};
pub use bulkhead::{Bulkhead, BulkheadConfig, BulkheadFuture, BulkheadLayer, BulkheadService, Bulkheads};
pub use cache::{
    Cache, CacheConfig, CacheLayer, CachePolicy, CacheScope, CacheStats, CacheStore, CachedToolStats,
};
pub use circuit_breaker::{
    CircuitBreaker, CircuitBreakerConfig, CircuitBreakerLayer, CircuitBreakerRegistry,
};
pub use classify::{ByKind, Classify, Outcome};
pub use config::ConfigError;
pub use events::Events;
pub use metrics::{
    GetMetrics, LatencyClass, Measured, Metrics, MetricsConfig, MetricsLayer, RecentError, Snapshot, Times,
    ToolSnapshot, Totals, UpstreamSnapshot,
};
pub use panic::{PanicGuard, PanicLayer};
pub use rate_limit::{
    CallCost, RateKey, RateLimit, RateLimitConfig, RateLimitFuture, RateLimitLayer, RateLimitReport,
    RateLimiter, RateLimiters, RatePolicy,
};
pub use retry::{IfIdempotent, Retry, RetryConfig, RetryIf, RetryLayer};
pub use select::{Given, Own, Select};
pub use stack::{
    AuditConfig, ServerLayers, Stack, StackConfig, Switch, ToolLayers, UpstreamLayers, ValidateConfig,
};
pub use timeout::{Timeout, TimeoutConfig, TimeoutLayer};
#[cfg(feature = "otel")]
pub use trace::otel;
pub use trace::{Trace, TraceLayer};
pub use validate::{Validate, ValidateLayer};
