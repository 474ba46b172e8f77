//! From one stack to the next, while calls go on.

use super::Stack;
use super::parts::{Parts, same};
use crate::bulkhead::{Bulkhead, BulkheadConfig};
use crate::cache::{CacheLayer, CachePolicy};
use crate::circuit_breaker::{CircuitBreaker, CircuitBreakerConfig};
use crate::config::ConfigError;
use crate::rate_limit::{RateLimitConfig, RateLimiter};

use super::StackConfig;

impl Stack {
    /// A stack of other settings, for a server that is to take the place of this one's while calls go on.
    ///
    /// Both count into the same metrics. What has a state and the same settings as before goes on with that state: what
    /// callers have left of their allowances, what a breaker has seen, answers that are kept. Nothing changes for calls of
    /// this stack. Once the next server is made, [`take_over`](Self::take_over).
    ///
    /// How much may be kept of answers and metrics ([`StackConfig::cache`] and [`StackConfig::metrics`]) stays as it is.
    ///
    /// ```
    /// # use towline_core::{Router, Server, ToolSet, tool_fn};
    /// # use towline_middleware::{Stack, StackConfig};
    /// # let tools = || ToolSet::new().with(tool_fn("ping", "Answers.", async || "pong"));
    /// # let (config, other) = (StackConfig::default(), StackConfig::default());
    /// let stack = Stack::new(config)?;
    /// // Later, with other settings:
    /// let next = stack.next(other)?;
    /// let router = next.tools(Router::new("example", "1.0.0"), tools())?;
    /// let server = Server::new(router).layer(next.server());
    /// next.take_over();
    /// # fn is_serve<S: towline_core::Serve>(_: S) {}
    /// # is_serve(server);
    /// # Ok::<(), towline_middleware::ConfigError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// When the settings cannot work: the error names the key.
    pub fn next(&self, config: StackConfig) -> Result<Self, ConfigError> {
        config.validate()?;
        let (metrics, breakers, cache) = (self.metrics.clone(), self.breakers.clone(), self.cache.clone());
        Ok(Self::build(config, metrics, breakers, cache, self.told.clone(), Parts::default()))
    }

    /// Says that this stack is the one whose limits, bulkheads and breakers are told of from now on.
    ///
    /// It is called when its server is made, with all its tools. On the first stack it does nothing.
    pub fn take_over(&self) {
        if self.own.is(&self.told) {
            return;
        }
        let next = self.own.lock().clone();
        let mut told = self.told.lock();
        let gone = told.breakers.keys().filter(|name| !next.breakers.contains_key(*name));
        self.breakers.exchange(gone.map(String::as_str), next.breakers.values().map(|(_, breaker)| breaker));
        *told = next;
    }

    pub(super) fn bulkhead(&self, name: &str, config: &BulkheadConfig) -> Bulkhead {
        let before = same(&self.told.lock().bulkheads, name, config);
        let bulkhead = before.unwrap_or_else(|| Bulkhead::new(name, config));
        self.own.lock().bulkheads.insert(name.to_owned(), (config.clone(), bulkhead.clone()));
        bulkhead
    }

    /// The limiter at that place of the settings.
    pub(super) fn limiter(&self, place: &str, config: &RateLimitConfig) -> RateLimiter {
        let before = same(&self.told.lock().limiters, place, config);
        let limiter = before.unwrap_or_else(|| RateLimiter::new(config));
        self.own.lock().limiters.insert(place.to_owned(), (config.clone(), limiter.clone()));
        limiter
    }

    pub(super) fn breaker(&self, name: &str, config: &CircuitBreakerConfig) -> CircuitBreaker {
        let is_first = self.own.is(&self.told);
        let before = same(&self.told.lock().breakers, name, config).filter(|_| !is_first);
        let breaker = before.unwrap_or_else(|| match is_first {
            true => self.breakers.register(name, config.clone()),
            false => self.breakers.prepare(name, config.clone()),
        });
        self.own.lock().breakers.insert(name.to_owned(), (config.clone(), breaker.clone()));
        breaker
    }

    pub(super) fn cache_layer(&self, tool: &str, policy: &CachePolicy) -> CacheLayer {
        let before = same(&self.told.lock().caches, tool, policy);
        let service = before.unwrap_or_else(|| self.cache.next_service());
        self.own.lock().caches.insert(tool.to_owned(), (policy.clone(), service));
        CacheLayer::shared(self.cache.clone(), policy.clone()).of_service(service)
    }

    /// Whether a breaker of that name is one of another's, such as a pack.
    pub(super) fn is_taken(&self, name: &str) -> bool {
        let is_own = !self.own.is(&self.told) && self.told.lock().breakers.contains_key(name);
        self.breakers.get(name).is_some() && !is_own
    }
}
