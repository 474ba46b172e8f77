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

/// Bounds what runs at once. See the settings, [`BulkheadConfig`].
#[derive(Clone, Debug)]
pub struct BulkheadLayer(Source);

#[derive(Clone, Debug)]
enum Source {
    Own(BulkheadConfig),
    Shared(Bulkhead),
}

impl BulkheadLayer {
    /// Gives each service that it wraps a bulkhead of its own, which the service's clones share.
    ///
    /// # Panics
    ///
    /// Panics where [`BulkheadConfig::validate`] fails.
    pub fn new(config: BulkheadConfig) -> Self {
        config.validate().unwrap_or_else(|error| panic!("bulkhead: {error}"));
        Self(Source::Own(config))
    }

    /// Bounds all services that it wraps together.
    pub fn shared(bulkhead: Bulkhead) -> Self {
        Self(Source::Shared(bulkhead))
    }
}

impl<S> Layer<S> for BulkheadLayer {
    type Service = BulkheadService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        let bulkhead = match &self.0 {
            Source::Own(config) => Bulkhead::new("unnamed", config),
            Source::Shared(bulkhead) => bulkhead.clone(),
        };
        BulkheadService { inner, bulkhead }
    }
}

/// Refuses calls beyond what may run and wait.
#[derive(Clone, Debug)]
pub struct BulkheadService<S> {
    inner: S,
    bulkhead: Bulkhead,
}

impl<S, Req> Service<Req> for BulkheadService<S>
where
    S: Service<Req> + Clone,
    S::Error: From<Error>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = BulkheadFuture<S, Req>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Req) -> Self::Future {
        let state = match self.bulkhead.enter() {
            Entry::Now(permit) => State::Called { inner: self.inner.call(request), _permit: permit },
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
        Called { #[pin] inner: S::Future, _permit: OwnedSemaphorePermit },
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
                state.set(State::Called { inner: service.call(request), _permit: permit });
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
