//! Tries again what may succeed.
//!
//! Only what does no harm when it is done twice is tried again, only failures that may pass are a reason to, and a
//! budget keeps retries a small share of all calls: without it, retries multiply the load of a service just when it
//! can bear the least (see "The Site Reliability Workbook", chapter "Managing Load", and Finagle's `RetryBudget`).

mod budget;
mod config;
mod future;

use std::sync::Arc;
use std::task::{Context, Poll};

use prometheus_client::metrics::counter::Counter;
use tower::{Layer, Service};
use towline_core::{Error, Failure, Operation};

use budget::Budget;
pub use config::RetryConfig;
pub use future::ResponseFuture;

use crate::events::Events;

/// Says which requests may be tried again. A closure from `&Req` to `bool` is one.
pub trait RetryIf<Req> {
    /// Whether doing this twice does no more than doing it once.
    fn may_repeat(&self, req: &Req) -> bool;
}

/// Tries again what says of itself that it may be repeated ([`Operation::is_idempotent`]): the default.
#[derive(Clone, Copy, Debug, Default)]
pub struct IfIdempotent;

impl<Req: Operation> RetryIf<Req> for IfIdempotent {
    fn may_repeat(&self, req: &Req) -> bool {
        req.is_idempotent()
    }
}

impl<F: Fn(&Req) -> bool, Req> RetryIf<Req> for F {
    fn may_repeat(&self, req: &Req) -> bool {
        self(req)
    }
}

/// Tries again what may succeed.
///
/// A failure of the kind `Unavailable`, `Timeout`, `Overloaded`, `ShuttingDown` or `RateLimited` is tried again after
/// a pause that grows and is jittered, or after the time that the failure itself asks for. An open circuit is not:
/// whoever refuses there has tried already.
///
/// ```
/// use towline_core::{ToolExt, tool_fn};
/// use towline_middleware::{RetryConfig, RetryLayer};
///
/// let forecast = tool_fn("forecast", "Asks a weather service.", async || "sunny").read_only();
/// let forecast = forecast.layer(RetryLayer::new(RetryConfig::default()));
/// ```
#[derive(Clone, Debug)]
pub struct RetryLayer<P = IfIdempotent> {
    config: RetryConfig,
    policy: P,
    counts: Counts,
}

/// Counts of what happens.
#[derive(Clone, Debug, Default)]
struct Counts {
    retried: Counter,
    exhausted: Counter,
}

impl RetryLayer {
    /// Tries again as `config` says. Each wrapped service has a budget of its own.
    ///
    /// # Panics
    ///
    /// Panics if `config` is not [valid](RetryConfig::validate).
    pub fn new(config: RetryConfig) -> Self {
        if let Err(error) = config.validate() {
            panic!("{error}");
        }
        Self { config, policy: IfIdempotent, counts: Counts::default() }
    }
}

impl<P> RetryLayer<P> {
    /// Lets `policy` say which requests may be tried again. For services whose requests know nothing of that.
    #[must_use]
    pub fn when<Q>(self, policy: Q) -> RetryLayer<Q> {
        RetryLayer { config: self.config, policy, counts: self.counts }
    }

    /// Counts retries there, as those of `service`.
    #[must_use]
    pub fn events(mut self, events: &Events, service: &str) -> Self {
        self.counts = Counts {
            retried: events.counter("retry", "retried", service),
            exhausted: events.counter("retry", "budget_exhausted", service),
        };
        self
    }
}

impl<S, P: Clone> Layer<S> for RetryLayer<P> {
    type Service = Retry<S, P>;

    fn layer(&self, inner: S) -> Self::Service {
        let shared = Shared {
            config: self.config,
            budget: Budget::new(self.config.budget_ratio, self.config.budget_reserve),
            counts: self.counts.clone(),
        };
        Retry { inner, policy: self.policy.clone(), shared: Arc::new(shared) }
    }
}

/// Tries again what may succeed.
#[derive(Clone, Debug)]
pub struct Retry<S, P = IfIdempotent> {
    inner: S,
    policy: P,
    shared: Arc<Shared>,
}

/// What the clones of one service share.
#[derive(Debug)]
struct Shared {
    config: RetryConfig,
    budget: Budget,
    counts: Counts,
}

impl<S, P, Req> Service<Req> for Retry<S, P>
where
    S: Service<Req> + Clone,
    S::Error: From<Error> + Failure,
    P: RetryIf<Req>,
    Req: Clone,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S, Req>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, req: Req) -> Self::Future {
        self.shared.budget.deposit();
        if !self.policy.may_repeat(&req) || self.shared.config.max_attempts.get() == 1 {
            return ResponseFuture::once(self.inner.call(req));
        }
        // The service that is ready is the one that is called; its clone must become ready before the next call.
        let clone = self.inner.clone();
        let mut ready = std::mem::replace(&mut self.inner, clone);
        let again = req.clone();
        let first = ready.call(req);
        ResponseFuture::repeating(first, ready, again, Arc::clone(&self.shared))
    }
}
