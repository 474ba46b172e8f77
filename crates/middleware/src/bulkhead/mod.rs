//! Bounds what runs at once, and what waits for its turn.
//!
//! tower's `ConcurrencyLimit` lets any number wait, for any time. Here the queue has an end and the wait has one, too:
//! what is refused early can go elsewhere, or come back. Calls have their turns in the order in which they were
//! first polled.

mod config;
mod handle;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;
use tokio::sync::OwnedSemaphorePermit;
use tower::{Layer, Service};
use towline_core::Error;

pub use config::BulkheadConfig;
pub use handle::{Bulkhead, Bulkheads};

use handle::{Entry, Turn};

use crate::select::{Given, Own, Select};

/// Bounds what runs at once. See the settings, [`BulkheadConfig`].
///
/// What it wraps gets a bulkhead of its own ([`new`](Self::new)), or one that others share
/// ([`shared`](Self::shared)), or each request says which it is ([`select`](Self::select)).
#[derive(Clone, Debug)]
pub struct BulkheadLayer<B = Own<BulkheadConfig>>(B);

impl BulkheadLayer {
    /// Gives each service that it wraps a bulkhead of its own, which the service's clones share.
    ///
    /// # Panics
    ///
    /// Panics where [`BulkheadConfig::validate`] fails.
    pub fn new(config: BulkheadConfig) -> Self {
        config.validate().unwrap_or_else(|error| panic!("bulkhead: {error}"));
        Self(Own(config))
    }
}

impl BulkheadLayer<Given<Bulkhead>> {
    /// Bounds all services that it wraps together.
    pub fn shared(bulkhead: Bulkhead) -> Self {
        Self(Given(bulkhead))
    }
}

impl<F> BulkheadLayer<Given<F>> {
    /// Each request says which bulkhead it is: that of the upstream which its arguments name, say. A request that has
    /// none is let through.
    pub fn select<Req>(bulkhead: F) -> Self
    where
        F: Fn(&Req) -> Option<Bulkhead>,
    {
        Self(Given(bulkhead))
    }
}

impl<Req> Select<Req, Self> for Bulkhead {
    fn select(&self, _: &Req) -> Option<Self> {
        Some(self.clone())
    }
}

impl<S> Layer<S> for BulkheadLayer {
    type Service = BulkheadService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        BulkheadService { inner, bulkhead: Bulkhead::new("unnamed", &self.0.0) }
    }
}

impl<S, B: Clone> Layer<S> for BulkheadLayer<Given<B>> {
    type Service = BulkheadService<S, B>;

    fn layer(&self, inner: S) -> Self::Service {
        BulkheadService { inner, bulkhead: self.0.0.clone() }
    }
}

/// Refuses calls beyond what may run and wait.
#[derive(Clone, Debug)]
pub struct BulkheadService<S, B = Bulkhead> {
    inner: S,
    bulkhead: B,
}

impl<S, B, Req> Service<Req> for BulkheadService<S, B>
where
    S: Service<Req> + Clone,
    S::Error: From<Error>,
    B: Select<Req, Bulkhead>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = BulkheadFuture<S, Req>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Req) -> Self::Future {
        let entry = self.bulkhead.select(&request).map_or(Entry::Free, |bulkhead| bulkhead.enter());
        let state = match entry {
            Entry::Free => State::Called { inner: self.inner.call(request), _permit: None },
            Entry::Now(permit) => State::Called { inner: self.inner.call(request), _permit: Some(permit) },
            Entry::Queued(turn) => State::Queued {
                turn: Some(turn),
                permit: None,
                // A clone, which holds nothing of what is ready now while it waits.
                service: self.inner.clone(),
                request,
            },
            Entry::Refused(error) => State::Refused { error },
        };
        BulkheadFuture { state }
    }
}

pin_project! {
    /// The future of [`BulkheadService`]. What it holds is free again as soon as the answer is there.
    pub struct BulkheadFuture<S, Req>
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
        // The call is dropped before its permit.
        Called { #[pin] inner: S::Future, _permit: Option<OwnedSemaphorePermit> },
        Queued { turn: Option<Turn>, permit: Option<OwnedSemaphorePermit>, service: S, request: Req },
        Refused { error: Error },
        Done,
    }
}

impl<S, Req> Future for BulkheadFuture<S, Req>
where
    S: Service<Req>,
    S::Error: From<Error>,
{
    type Output = Result<S::Response, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        if let Projected::Queued { turn, permit, service, .. } = state.as_mut().project() {
            if let Some(waiting) = turn {
                let taken = ready!(waiting.as_mut().poll(cx));
                // Leaves the queue.
                *turn = None;
                *permit = Some(taken?);
            }
            ready!(service.poll_ready(cx))?;
            if let Replaced::Queued { permit: Some(permit), mut service, request, .. } =
                state.as_mut().project_replace(State::Done)
            {
                state.set(State::Called { inner: service.call(request), _permit: Some(permit) });
            }
        }
        if let Projected::Called { inner, .. } = state.as_mut().project() {
            let answer = ready!(inner.poll(cx));
            state.set(State::Done);
            return Poll::Ready(answer);
        }
        match state.project_replace(State::Done) {
            Replaced::Refused { error } => Poll::Ready(Err(error.into())),
            _ => Poll::Pending,
        }
    }
}

impl<S, Req> fmt::Debug for BulkheadFuture<S, Req>
where
    S: Service<Req>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BulkheadFuture").finish_non_exhaustive()
    }
}
