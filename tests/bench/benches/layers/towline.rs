//! The layers of this workspace.

use std::time::Duration;

use serde_json::json;
use tokio::runtime::Runtime;
use tower::{Layer, Service};
use towline_bench::Error;
use towline_bench::cost::{Contender, Origin, Target, Turn};
use towline_bench::workload::{ECHO, Echo, NAME, NoArguments, ROWS, SERVER_VERSION, Workload, rows};
use towline_core::{Json, Router, Schema, Server, Tool, ToolCall, ToolExt, ToolSet, tool_fn};
use towline_middleware::{
    AuditLayer, AuditRecord, AuditSink, BulkheadConfig, BulkheadLayer, CacheLayer, CachePolicy,
    CircuitBreakerConfig, CircuitBreakerLayer, Metrics, MetricsLayer, PanicLayer, RateKey, RateLimitConfig,
    RateLimitLayer, RatePolicy, RetryConfig, RetryLayer, Stack, StackConfig, TimeoutLayer, TraceLayer,
    ValidateLayer,
};

use towline_bench::service::{Bare, alone, called, client_request, contended as by_two, tool_call};

/// The most that a layer may add.
const LAYER: Target = Target { ns: 1000.0, no_allocations: false };
/// The most that a layer may add which need not keep anything.
const LEAN: Target = Target { no_allocations: true, ..LAYER };
/// The most that all layers of a server may add which are on by default.
const STACK: Target = Target { ns: 3000.0, no_allocations: false };

const MINUTE: Duration = Duration::from_secs(60);

fn towline(layer: &'static str, turn: Turn, target: Option<Target>) -> Contender {
    Contender { layer, origin: Origin::Towline, turn, target }
}

/// A layer around the bare service.
fn around<L>(name: &'static str, layer: L, target: Target) -> Contender
where
    L: Layer<Bare, Service: Service<ToolCall> + 'static>,
{
    towline(name, alone(layer.layer(Bare), tool_call()), Some(target))
}

/// Each layer by itself.
pub(crate) fn layers(runtime: &Runtime) -> Result<Vec<Contender>, Error> {
    let mut warm = cache().layer(Bare);
    runtime.block_on(warm.call(tool_call()))?;
    let schema = json!({
        "type": "object",
        "properties": { "text": { "type": "string", "maxLength": 200 } },
        "required": ["text"],
        "additionalProperties": false,
    });
    let schema = Schema::compile(schema).expect("a valid schema");
    Ok(vec![
        around("circuit breaker, closed", breaker(), LEAN),
        around("rate limit, one for all", limit(RateKey::Server), LEAN),
        around("rate limit, by principal", limit(RateKey::Principal), LEAN),
        around("timeout", TimeoutLayer::new(MINUTE), LEAN),
        around("bulkhead, waiting", BulkheadLayer::new(BulkheadConfig::new(64)), LAYER),
        around("bulkhead, refusing", BulkheadLayer::new(BulkheadConfig::new(64).max_queue(0)), LAYER),
        around("retry", RetryLayer::new(RetryConfig::default()), LAYER),
        towline("cache, hit", alone(warm, tool_call()), Some(LAYER)),
        around("panic guard", PanicLayer::new(), LAYER),
        around("validate", ValidateLayer::new().arguments(schema), LAYER),
        around("audit, to nowhere", AuditLayer::to(Nowhere), LAYER),
        around("metrics", metrics(), LEAN),
        around("trace, no subscriber", TraceLayer::new(), LAYER),
    ])
}

/// Those that all calls share something in, called by two threads at once.
pub(crate) fn contended() -> Vec<Contender> {
    vec![
        towline("circuit breaker, closed", by_two(breaker().layer(Bare)), None),
        towline("rate limit, one for all", by_two(limit(RateKey::Server).layer(Bare)), None),
        towline("metrics", by_two(metrics().layer(Bare)), None),
    ]
}

/// A server without layers, and with those that are on by default.
pub(crate) fn servers() -> Result<(Turn, Vec<Contender>), Error> {
    let tools = || ToolSet::new().with(tool_fn("echo", ECHO, async |args: Echo| args.text).read_only());
    let router = || Router::new(NAME, SERVER_VERSION);
    let bare = Server::new(router().tools(tools()));
    let stack = Stack::new(StackConfig::default())?;
    let layered = Server::new(stack.tools(router(), tools())?).layer(stack.server());
    let request = || client_request(Workload::Echo);
    Ok((
        alone(bare, request()),
        vec![towline("all that is on by default", alone(layered, request()), Some(STACK))],
    ))
}

/// A tool that has something to do, without and with a cache.
pub(crate) fn tools(runtime: &Runtime) -> Result<Vec<Contender>, Error> {
    let tool = || tool_fn("rows", ROWS, async |_: NoArguments| Json(rows())).read_only();
    let cached = tool().layer(cache());
    runtime.block_on(cached.call(tool_call()))?;
    Ok(vec![towline("the tool", called(tool()), None), towline("from the cache", called(cached), None)])
}

fn breaker() -> CircuitBreakerLayer {
    CircuitBreakerLayer::new(CircuitBreakerConfig::default())
}

/// An answer is loaded in a task and found from then on, for longer than anything here takes.
fn cache() -> CacheLayer {
    CacheLayer::new(CachePolicy::new(60 * MINUTE))
}

/// So wide that it never refuses: one call every ten nanoseconds.
fn limit(key: RateKey) -> RateLimitLayer {
    let policy = RatePolicy::new("all", 100_000_000, Duration::from_secs(1)).key([key]);
    RateLimitLayer::new(RateLimitConfig::new([policy]))
}

fn metrics() -> MetricsLayer {
    let metrics = Metrics::default();
    metrics.register_tool("echo");
    MetricsLayer::new(&metrics)
}

struct Nowhere;

impl AuditSink for Nowhere {
    fn record(&self, _: &AuditRecord<'_>) {}
}
