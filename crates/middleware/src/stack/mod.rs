//! All layers of a server, in the order that works, from settings.
//!
//! | place | layers, outermost first | why there |
//! |---|---|---|
//! | server | trace, metrics, audit | they see what the others refuse, too |
//! | | timeout | one deadline for the whole call, waiting included, which the tool can see |
//! | | rate limit, bulkhead | what is refused costs little, and who waits for a turn holds no place |
//! | tool | trace | a span of its own |
//! | | validate, rate limit | nothing is kept, tried or counted for a call that may not run |
//! | | cache | after authorization, and before anything that guards what it spares |
//! | | retry | each attempt passes the breaker and has its own time |
//! | | circuit breaker, bulkhead | those of the tool, then those of what it depends on |
//! | | timeout | the time of one attempt |
//! | | panic guard | a panic is a failure, which the breaker sees |
//!
//! Retries do not repeat what an open circuit refuses, an answer from the cache needs no circuit, and what waits in a
//! queue has not begun to use up the time of its attempt. To a breaker's rule about slow calls, though, time in the queue of a
//! bulkhead counts: an open circuit must refuse at once, so it stands outside.

mod build;
mod config;
mod next;
mod parts;
mod switch;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use towline_core::{Operation, Router, ToolSet};

use crate::bulkhead::{Bulkhead, Bulkheads};
use crate::cache::CacheStore;
use crate::circuit_breaker::{self, CircuitBreaker, CircuitBreakerRegistry};
use crate::config::ConfigError;
use crate::metrics::{Metrics, UpstreamSnapshot};
use crate::rate_limit::{RateLimitReport, RateLimiter, RateLimiters};

use parts::{Parts, Told};

/// The tool that tells of the metrics.
const GET_METRICS: &str = "get_metrics";

pub use config::{AuditConfig, ServerLayers, StackConfig, ToolLayers, UpstreamLayers, ValidateConfig};
pub use switch::Switch;

/// All layers of a server, in the order that works, from settings.
///
/// ```
/// use towline_core::{Router, Server, ToolSet, tool_fn};
/// use towline_middleware::{Stack, StackConfig};
///
/// let ping = tool_fn("ping", "Answers.", async || "pong").read_only();
///
/// let stack = Stack::new(StackConfig::default())?;
/// let router = Router::new("example", "1.0.0");
/// let router = stack.tools(router, ToolSet::new().with(ping))?;
/// let server = Server::new(router).layer(stack.server());
/// # fn is_serve<S: towline_core::Serve>(_: S) {}
/// # is_serve(server);
/// # Ok::<(), towline_middleware::ConfigError>(())
/// ```
///
/// It is built once, at start; other settings make the [`next`](Self::next) one of it. What it counts is in
/// [`metrics`](Self::metrics).
#[derive(Clone, Debug)]
pub struct Stack {
    config: StackConfig,
    metrics: Metrics,
    breakers: CircuitBreakerRegistry,
    cache: CacheStore,
    upstreams: Upstreams,
    /// What this stack is made of, and what is told of: the same for a first stack, and for one that has not taken over
    /// yet, what there was before.
    own: Parts,
    told: Parts,
    server_bulkhead: Option<Bulkhead>,
    server_limiter: Option<RateLimiter>,
    /// What all tools share that have no limit of their own.
    shared_limiter: Option<RateLimiter>,
}

/// What tools depend on, and which of them a call does.
#[derive(Clone, Default)]
struct Upstreams {
    guards: Arc<BTreeMap<String, Guards>>,
    choose: Option<Arc<Choose>>,
}

type Choose = dyn Fn(&dyn Operation) -> Option<Arc<str>> + Send + Sync;

/// What guards one upstream.
#[derive(Clone, Debug)]
struct Guards {
    breaker: Option<CircuitBreaker>,
    bulkhead: Option<Bulkhead>,
}

impl Stack {
    /// The layers that `config` asks for.
    ///
    /// # Errors
    ///
    /// When the settings cannot work: the error names the key.
    pub fn new(config: StackConfig) -> Result<Self, ConfigError> {
        config.validate()?;
        let (metrics, cache) = (Metrics::new(config.metrics.clone()), CacheStore::new(&config.cache));
        let (breakers, parts) = (CircuitBreakerRegistry::new(), Parts::default());
        metrics.register_collector(Box::new(breakers.clone()));
        metrics.register_collector(Box::new(cache.clone()));
        metrics.register_collector(Box::new(Told::<Bulkheads>::new(&parts)));
        metrics.register_collector(Box::new(Told::<RateLimiters>::new(&parts)));
        let (all, kept) = (breakers.clone(), cache.clone());
        metrics.add_upstreams(move || all.snapshots().iter().map(upstream).collect());
        metrics.add_cache_hits(move || kept.stats().tools.iter().map(|tool| tool.hits).sum());
        Ok(Self::build(config, metrics, breakers, cache, parts.clone(), parts))
    }

    /// A stack of valid settings that counts there.
    fn build(
        config: StackConfig,
        metrics: Metrics,
        breakers: CircuitBreakerRegistry,
        cache: CacheStore,
        told: Parts,
        own: Parts,
    ) -> Self {
        let mut stack = Self {
            metrics,
            breakers,
            cache,
            upstreams: Upstreams::default(),
            own,
            told,
            server_bulkhead: None,
            server_limiter: None,
            shared_limiter: None,
            config,
        };
        let server = &stack.config.server;
        let bulkhead = server.bulkhead.on().map(|config| stack.bulkhead("server", config));
        let limiter = server.rate_limit.on().map(|config| stack.limiter("server", config));
        (stack.server_bulkhead, stack.server_limiter) = (bulkhead, limiter);
        let shared = stack.config.tools.rate_limit.as_ref().and_then(Switch::on);
        stack.shared_limiter = shared.map(|config| stack.limiter("tools", config));
        stack
    }

    /// Guards what tools depend on, each with a breaker of its own: one that is down leaves the others alone.
    ///
    /// `choose` says on which of `names` a call depends, for instance by an argument that names a database. A call for
    /// which it says `None`, or what is not among them, depends on none.
    ///
    /// # Errors
    ///
    /// When the settings have an upstream that is not among `names`.
    pub fn upstreams<I>(
        mut self,
        names: I,
        choose: impl Fn(&dyn Operation) -> Option<Arc<str>> + Send + Sync + 'static,
    ) -> Result<Self, ConfigError>
    where
        I: IntoIterator<Item: Into<String>>,
    {
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        for (at, name) in names.iter().enumerate() {
            if self.is_taken(name) || names[..at].contains(name) {
                let problem = "there are two upstreams, or a tool and an upstream, of that name";
                return Err(ConfigError::new(format!("upstream.{name}"), problem));
            }
        }
        known("upstream", self.config.upstream.keys(), &names)?;
        let guards = names.iter().map(|name| {
            let layers = self.config.upstream.get(name).cloned().unwrap_or_default();
            let breaker = layers.circuit_breaker.on();
            let breaker = breaker.map(|config| self.breaker(name, config));
            let bulkhead = layers.bulkhead.on();
            let bulkhead = bulkhead.map(|config| self.bulkhead(name, config));
            (name.clone(), Guards { breaker, bulkhead })
        });
        let guards = Arc::new(guards.collect());
        self.upstreams = Upstreams { guards, choose: Some(Arc::new(choose)) };
        Ok(self)
    }

    /// Adds these tools to the router, each with its layers around it: all of a server's at once. If there are metrics,
    /// the tool `get_metrics` comes with them, with none of a tool's layers around it; those of the server are.
    ///
    /// # Errors
    ///
    /// When the settings have a tool that is not among them, also in the policies of a rate limit, or a cache for one that
    /// does not say that it is read-only; and when one of them is called `get_metrics`.
    pub fn tools(&self, router: Router, tools: ToolSet) -> Result<Router, ConfigError> {
        let names: Vec<String> = tools.definitions().map(|definition| definition.name.to_string()).collect();
        known("tool", self.config.tool.keys(), &names)?;
        let upstreams: Vec<String> = self.upstreams.guards.keys().cloned().collect();
        known("upstream", self.config.upstream.keys(), &upstreams)?;
        self.known_in_policies(&names)?;
        if self.config.server.metrics && names.iter().any(|name| name == GET_METRICS) {
            let problem =
                format!("there is a tool `{GET_METRICS}` already: turn them off, or give it another name");
            return Err(ConfigError::new("server.metrics", problem));
        }
        for definition in tools.definitions() {
            let layers = self.config.of_tool(&definition.name);
            let is_cached = layers.cache.as_ref().and_then(Switch::on).is_some();
            if is_cached && !definition.annotations.is_read_only() {
                let key = format!("tool.{}.cache", definition.name);
                return Err(ConfigError::new(key, "this tool does not say that it is read-only"));
            }
            self.metrics.register_tool(&definition.name);
        }
        let router = router.tools(tools.layer_each(|definition| self.tool(definition)));
        Ok(match self.config.server.metrics {
            true => router.tool(self.metrics.tool()),
            false => router,
        })
    }

    /// Refuses policies about tools that nobody has.
    fn known_in_policies(&self, names: &[String]) -> Result<(), ConfigError> {
        for (place, limit) in self.config.limits() {
            for (at, policy) in limit.policies.iter().enumerate() {
                let within = |table: &str| format!("{place}.rate_limit.policies[{at}].{table}");
                let tools = policy.tools.iter().filter(|name| *name != GET_METRICS);
                known(&within("tools"), tools, names)?;
                known(&within("costs"), policy.costs.keys().filter(|name| *name != GET_METRICS), names)?;
            }
        }
        Ok(())
    }

    /// What the layers count and time.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// The breakers, to look at and to override.
    pub fn breakers(&self) -> &CircuitBreakerRegistry {
        &self.breakers
    }

    /// What the policies of all rate limits have done.
    pub fn rate_limits(&self) -> Vec<RateLimitReport> {
        let limiters: Vec<_> =
            self.told.lock().limiters.values().map(|(_, limiter)| limiter.clone()).collect();
        limiters.iter().flat_map(RateLimiter::report).collect()
    }

    /// The answers that are kept, to look at and to invalidate.
    pub fn cache(&self) -> &CacheStore {
        &self.cache
    }
}

/// What `get_metrics` tells of a breaker.
fn upstream(breaker: &circuit_breaker::Snapshot) -> UpstreamSnapshot {
    UpstreamSnapshot {
        name: breaker.name.to_string(),
        state: breaker.state.name().to_owned(),
        failure_rate: breaker.failure_rate,
        retry_after_ms: breaker.retry_after.map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX)),
    }
}

/// Refuses names in the settings that nothing has: they are most often misspelt, and do nothing.
fn known<'a>(
    table: &str,
    configured: impl Iterator<Item = &'a String>,
    names: &[String],
) -> Result<(), ConfigError> {
    for name in configured {
        if !names.contains(name) {
            let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            let problem = format!("there is none of that name; there are: {names}");
            return Err(ConfigError::new(format!("{table}.{name}"), problem));
        }
    }
    Ok(())
}

impl Upstreams {
    /// What guards the upstream of a call.
    fn of(&self, operation: &dyn Operation) -> Option<&Guards> {
        let name = self.choose.as_ref()?(operation)?;
        self.guards.get(&*name)
    }
}

impl fmt::Debug for Upstreams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Upstreams").field(&self.guards).finish()
    }
}
