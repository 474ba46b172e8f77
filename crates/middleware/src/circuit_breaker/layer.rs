//! The breaker around a service.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;
use tower::{Layer, Service};
use towline_core::Error;

use super::breaker::CircuitBreaker;
use super::config::CircuitBreakerConfig;
use super::permit::{Permit, Rejected};
use crate::classify::{ByKind, Classify, Outcome};
use crate::select::{Given, Own, Select};

/// Refuses calls of what keeps failing, until it is well.
///
/// What it wraps gets a breaker of its own ([`new`](Self::new)), or one that others share
/// ([`shared`](Self::shared)), or each request says which it is ([`select`](Self::select)).
///
/// ```
/// use towline_core::{ToolExt, tool_fn};
/// use towline_middleware::{CircuitBreakerConfig, CircuitBreakerLayer, CircuitBreakerRegistry};
///
/// let breakers = CircuitBreakerRegistry::new();
/// let shop = breakers.register("shop", CircuitBreakerConfig::default());
/// let stock = tool_fn("stock", "What the shop has in stock.", async || "42 lamps")
///     .layer(CircuitBreakerLayer::shared(shop));
/// ```
#[derive(Clone, Debug)]
pub struct CircuitBreakerLayer<B = Own<CircuitBreakerConfig>, C = ByKind> {
    breaker: B,
    classify: C,
}

impl<Req> Select<Req, CircuitBreaker> for CircuitBreaker {
    fn select(&self, _: &Req) -> Option<CircuitBreaker> {
        Some(self.clone())
    }
}

impl CircuitBreakerLayer<Own<CircuitBreakerConfig>> {
    /// Each service that is wrapped gets a breaker of its own, without a name.
    ///
    /// # Panics
    ///
    /// Panics if [`validate`](CircuitBreakerConfig::validate) finds fault with `config`.
    pub fn new(config: CircuitBreakerConfig) -> Self {
        if let Err(error) = config.validate() {
            panic!("circuit breaker: {error}");
        }
        Self { breaker: Own(config), classify: ByKind }
    }
}

impl CircuitBreakerLayer<Given<CircuitBreaker>> {
    /// All services that are wrapped share that breaker: those that need the same upstream.
    pub fn shared(breaker: CircuitBreaker) -> Self {
        Self { breaker: Given(breaker), classify: ByKind }
    }
}

impl<F> CircuitBreakerLayer<Given<F>> {
    /// Each request says which breaker it is: that of the upstream which its arguments name, say. A request
    /// that has none is let through.
    ///
    /// The closure finds a breaker that is there, as with
    /// [`CircuitBreakerRegistry::get`](super::CircuitBreakerRegistry::get), and never makes one: callers
    /// choose the names in requests.
    pub fn select<Req>(breaker: F) -> Self
    where
        F: Fn(&Req) -> Option<CircuitBreaker>,
    {
        Self { breaker: Given(breaker), classify: ByKind }
    }
}

impl<B, C> CircuitBreakerLayer<B, C> {
    /// Judges answers in another way than [`ByKind`].
    pub fn classify<D>(self, classify: D) -> CircuitBreakerLayer<B, D> {
        CircuitBreakerLayer { breaker: self.breaker, classify }
    }
}

impl<S, C: Clone> Layer<S> for CircuitBreakerLayer<Own<CircuitBreakerConfig>, C> {
    type Service = CircuitBreakerService<S, CircuitBreaker, C>;

    fn layer(&self, inner: S) -> Self::Service {
        let breaker = CircuitBreaker::new("", self.breaker.0.clone());
        CircuitBreakerService { inner, breaker, classify: self.classify.clone() }
    }
}

impl<S, B: Clone, C: Clone> Layer<S> for CircuitBreakerLayer<Given<B>, C> {
    type Service = CircuitBreakerService<S, B, C>;

    fn layer(&self, inner: S) -> Self::Service {
        CircuitBreakerService { inner, breaker: self.breaker.0.clone(), classify: self.classify.clone() }
    }
}

/// Refuses calls of what keeps failing, with an error of the kind
/// [`CircuitOpen`](towline_core::ErrorKind::CircuitOpen).
#[derive(Clone, Debug)]
pub struct CircuitBreakerService<S, B = CircuitBreaker, C = ByKind> {
    inner: S,
    breaker: B,
    classify: C,
}

impl<S, B, C, Req> Service<Req> for CircuitBreakerService<S, B, C>
where
    S: Service<Req>,
    S::Error: From<Error>,
    B: Select<Req, CircuitBreaker>,
    C: Classify<S::Response, S::Error> + Clone,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, C>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx) // takes no permit: readiness may be polled and never used
    }

    fn call(&mut self, request: Req) -> Self::Future {
        let acquired = self.breaker.select(&request).map(|breaker| breaker.try_acquire()).transpose();
        let state = match acquired {
            Ok(mut permit) => {
                let inner = {
                    let _failed = FailedOnPanic(&mut permit);
                    self.inner.call(request)
                };
                Guarded::Called { inner, permit, classify: self.classify.clone() }
            }
            Err(rejected) => Guarded::Refused { rejected },
        };
        ResponseFuture { state }
    }
}

pin_project! {
    /// The future of [`CircuitBreakerService`].
    #[derive(Debug)]
    pub struct ResponseFuture<F, C = ByKind> { #[pin] state: Guarded<F, C> }
}

pin_project! {
    #[derive(Debug)]
    #[project = Projected]
    enum Guarded<F, C> {
        Called { #[pin] inner: F, permit: Option<Permit>, classify: C },
        Refused { rejected: Rejected },
    }
}

impl<F, C, Res, E> Future for ResponseFuture<F, C>
where
    F: Future<Output = Result<Res, E>>,
    E: From<Error>,
    C: Classify<Res, E>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        match self.project().state.project() {
            Projected::Called { inner, permit, classify } => {
                let answer = {
                    let _failed = FailedOnPanic(permit);
                    ready!(inner.poll(cx))
                };
                if let Some(permit) = permit.take() {
                    permit.record(classify.classify(answer.as_ref()));
                }
                Poll::Ready(answer)
            }
            Projected::Refused { rejected } => Poll::Ready(Err(Error::from(rejected.clone()).into())),
        }
    }
}

/// Records a failure if what it stands beside panics: without it, that call would look like one given up.
struct FailedOnPanic<'a>(&'a mut Option<Permit>);

impl Drop for FailedOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking()
            && let Some(permit) = self.0.take()
        {
            permit.record(Outcome::Failure);
        }
    }
}
