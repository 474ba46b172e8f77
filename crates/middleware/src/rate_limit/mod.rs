//! Limits how often a service is called.
//!
//! An allowance is a bucket that holds `burst` calls and gets one back every `window / limit` (the generic cell rate
//! algorithm, which the crate [`governor`] does). Each policy of a [`RateLimitConfig`] has a bucket for each key: for
//! each principal, tool, client, combination of them, or one for all.
//!
//! All policies that are about a call must allow it, and a call that one of them refuses takes nothing from any.
//! A policy is about a call if it names the call's tool, or names no tools and no policy with the same key names that
//! one: so the most specific wins among those with the same key, and policies with different keys add up. What
//! calls no tool, such as `tools/list`, is counted by the policies that name no tools and whose key holds none.
//!
//! It refuses, unless it is told to wait: a model that reads when to come back can plan. The refusal is a
//! `RateLimited` error with the time to wait and the allowance that is used up; over HTTP it is a 429 with the header
//! fields `Retry-After`, `RateLimit-Policy` and `RateLimit`. A call that waits has its turn reserved, in the order in
//! which calls came; dropped meanwhile, it gives the turn back if nobody is behind it.
//!
//! Around a whole server, tools' names come from callers, known tools or not. Keys are bounded for that reason: see
//! [`RateLimitConfig::max_keys`].

mod allowance;
mod buckets;
mod config;
mod key;
mod limiter;
mod refusal;
mod report;
mod turn;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;
use tokio::time::Sleep;
use tower::{Layer, Service};
use towline_core::{Error, Operation};

pub use config::{RateKey, RateLimitConfig, RatePolicy};
pub use limiter::{CallCost, RateLimiter};
pub use report::{RateLimitReport, RateLimiters};

use limiter::Admission;
use turn::Turn;

/// Refuses calls of callers who call too often. See the settings, [`RateLimitConfig`].
#[derive(Clone, Debug)]
pub struct RateLimitLayer(Limiter);

#[derive(Clone, Debug)]
enum Limiter {
    Own(Arc<RateLimitConfig>),
    Shared(RateLimiter),
}

impl RateLimitLayer {
    /// Gives each service that it wraps allowances of its own, which the service's clones share.
    ///
    /// # Panics
    ///
    /// Panics where [`RateLimitConfig::validate`] fails.
    pub fn new(config: RateLimitConfig) -> Self {
        config.validate().unwrap_or_else(|error| panic!("rate limit: {error}"));
        Self(Limiter::Own(Arc::new(config)))
    }

    /// Counts the calls of all services that it wraps together.
    pub fn shared(limiter: RateLimiter) -> Self {
        Self(Limiter::Shared(limiter))
    }
}

impl<S> Layer<S> for RateLimitLayer {
    type Service = RateLimit<S>;

    fn layer(&self, inner: S) -> Self::Service {
        let limiter = match &self.0 {
            Limiter::Own(config) => RateLimiter::new(config),
            Limiter::Shared(limiter) => limiter.clone(),
        };
        RateLimit { inner, limiter }
    }
}

/// Refuses calls of callers who call too often.
#[derive(Clone, Debug)]
pub struct RateLimit<S> {
    inner: S,
    limiter: RateLimiter,
}

impl<S> RateLimit<S> {
    /// The allowances, to read what they have done.
    pub fn limiter(&self) -> &RateLimiter {
        &self.limiter
    }
}

impl<S, Req> Service<Req> for RateLimit<S>
where
    S: Service<Req> + Clone,
    S::Error: From<Error>,
    Req: Operation,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = RateLimitFuture<S, Req>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Req) -> Self::Future {
        let state = match self.limiter.admit(&request) {
            Admission::Now => State::Called { inner: self.inner.call(request) },
            Admission::At(time, turn) => State::Waiting {
                sleep: tokio::time::sleep_until(time),
                turn,
                // A clone, which holds nothing of what is ready now while it waits.
                service: self.inner.clone(),
                request,
            },
            Admission::Refused(error) => State::Refused { error },
        };
        RateLimitFuture { state }
    }
}

pin_project! {
    /// The future of [`RateLimit`].
    pub struct RateLimitFuture<S, Req>
    where
        S: Service<Req>,
    {
        #[pin]
        state: State<S, Req>,
    }
}

pin_project! {
    #[project = Projected]
    #[project_replace = Replaced]
    enum State<S, Req>
    where
        S: Service<Req>,
    {
        Called { #[pin] inner: S::Future },
        Waiting { #[pin] sleep: Sleep, turn: Turn, service: S, request: Req },
        Refused { error: Error },
        Done,
    }
}

impl<S, Req> Future for RateLimitFuture<S, Req>
where
    S: Service<Req>,
    S::Error: From<Error>,
{
    type Output = Result<S::Response, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        if let Projected::Called { inner } = state.as_mut().project() {
            return inner.poll(cx);
        }
        if let Projected::Waiting { sleep, turn, service, .. } = state.as_mut().project() {
            ready!(sleep.poll(cx));
            // Its time has come: what the service does not use now is used up.
            turn.begin();
            ready!(service.poll_ready(cx))?;
        }
        match state.as_mut().project_replace(State::Done) {
            Replaced::Waiting { mut service, request, .. } => {
                state.set(State::Called { inner: service.call(request) });
                match state.project() {
                    Projected::Called { inner } => inner.poll(cx),
                    _ => Poll::Pending,
                }
            }
            Replaced::Refused { error } => Poll::Ready(Err(error.into())),
            Replaced::Called { .. } | Replaced::Done => Poll::Pending,
        }
    }
}

impl<S, Req> fmt::Debug for RateLimitFuture<S, Req>
where
    S: Service<Req>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimitFuture").finish_non_exhaustive()
    }
}
