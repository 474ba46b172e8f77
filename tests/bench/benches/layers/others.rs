//! The layers of tower and tower-resilience that do the same, or nearly so.

use std::future::{Ready, ready};
use std::time::Duration;

use tower::limit::{ConcurrencyLimitLayer, RateLimitLayer};
use tower::load_shed::LoadShedLayer;
use tower::retry::{Policy, RetryLayer};
use tower::timeout::TimeoutLayer;
use tower::{Layer, Service, ServiceBuilder};
use tower_resilience_bulkhead as bulkhead;
use tower_resilience_cache as cache;
use tower_resilience_circuitbreaker as circuitbreaker;
use tower_resilience_ratelimiter as ratelimiter;
use tower_resilience_retry as retry;
use tower_resilience_timelimiter as timelimiter;
use towline_bench::Error as AnyError;
use towline_bench::cost::{Contender, Origin, Turn};
use towline_core::{Error, ToolCall, ToolResult};

use towline_bench::service::{Bare, alone, contended as by_two, tool_call};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// Never reached.
const MANY: usize = 1_000_000_000;

fn contender(layer: &'static str, origin: Origin, turn: Turn) -> Contender {
    Contender { layer, origin, turn, target: None }
}

fn tower<L>(name: &'static str, layer: L) -> Contender
where
    L: Layer<Bare, Service: Service<ToolCall> + 'static>,
{
    contender(name, Origin::Tower, alone(layer.layer(Bare), tool_call()))
}

fn resilience<L>(name: &'static str, layer: L) -> Contender
where
    L: Layer<Bare, Service: Service<ToolCall> + 'static>,
{
    contender(name, Origin::TowerResilience, alone(layer.layer(Bare), tool_call()))
}

/// Each layer by itself.
pub(crate) fn layers() -> Result<Vec<Contender>, AnyError> {
    let shedding = ServiceBuilder::new().layer(LoadShedLayer::new()).layer(ConcurrencyLimitLayer::new(64));
    let refusing = bulkhead::BulkheadLayer::builder().max_concurrent_calls(64).reject_when_full().build()?;
    // It keeps answers under the arguments as they are written, for whoever asks.
    let key = |call: &ToolCall| call.raw_arguments().as_str().to_owned();
    let cache = cache::CacheLayer::<ToolCall, String>::builder().max_size(10_000).ttl(60 * MINUTE);
    let retry = retry::RetryLayer::<ToolCall, ToolResult, Error>::exponential_backoff();
    Ok(vec![
        tower("rate limit, one for all", RateLimitLayer::new(MANY as u64, SECOND)),
        tower("timeout", TimeoutLayer::new(MINUTE)),
        tower("bulkhead, waiting", ConcurrencyLimitLayer::new(64)),
        tower("bulkhead, refusing", shedding.into_inner()),
        tower("retry", RetryLayer::new(Attempts(2))),
        resilience("circuit breaker, closed", breaker()?),
        resilience("rate limit, one for all", limit()?),
        resilience("timeout", timelimiter::TimeLimiterLayer::builder().timeout_duration(MINUTE).build()),
        resilience(
            "bulkhead, waiting",
            bulkhead::BulkheadLayer::builder().max_concurrent_calls(64).max_wait_duration(SECOND).build()?,
        ),
        resilience("bulkhead, refusing", refusing),
        resilience("retry", retry.build()),
        resilience("cache, hit", cache.key_extractor(key).build()?),
    ])
}

/// Those that all calls share something in, called by two threads at once.
pub(crate) fn contended() -> Result<Vec<Contender>, AnyError> {
    Ok(vec![
        contender("circuit breaker, closed", Origin::TowerResilience, by_two(breaker()?.layer(Bare))),
        contender("rate limit, one for all", Origin::TowerResilience, by_two(limit()?.layer(Bare))),
    ])
}

fn breaker() -> Result<circuitbreaker::CircuitBreakerLayer, AnyError> {
    Ok(circuitbreaker::CircuitBreakerLayer::standard().build()?)
}

fn limit() -> Result<ratelimiter::RateLimiterLayer, AnyError> {
    Ok(ratelimiter::RateLimiterLayer::per_second(MANY).build()?)
}

/// tower leaves to its user what is tried again: so many more attempts, of what fails.
#[derive(Clone)]
struct Attempts(u32);

impl Policy<ToolCall, ToolResult, Error> for Attempts {
    type Future = Ready<()>;

    fn retry(&mut self, _: &mut ToolCall, answer: &mut Result<ToolResult, Error>) -> Option<Ready<()>> {
        if answer.is_ok() {
            return None;
        }
        self.0 = self.0.checked_sub(1)?;
        Some(ready(()))
    }

    fn clone_request(&mut self, call: &ToolCall) -> Option<ToolCall> {
        Some(call.clone())
    }
}
