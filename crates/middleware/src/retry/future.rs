//! One call and its retries.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;
use tokio::time::{Sleep, sleep};
use tower::Service;
use towline_core::{ErrorKind, Failure};

use super::Shared;

pin_project! {
    /// The future of [`Retry`](super::Retry).
    pub struct ResponseFuture<S, Req>
    where
        S: Service<Req>,
    {
        #[pin]
        state: State<S::Future>,
        again: Option<Again<S, Req>>,
    }
}

pin_project! {
    #[project = Projected]
    enum State<F> {
        Calling { #[pin] call: F },
        Pausing { #[pin] sleep: Sleep },
        Readying,
    }
}

/// What another attempt needs.
struct Again<S, Req> {
    service: S,
    req: Req,
    attempt: u32,
    shared: Arc<Shared>,
}

impl<S: Service<Req>, Req> ResponseFuture<S, Req> {
    pub(super) fn once(call: S::Future) -> Self {
        Self { state: State::Calling { call }, again: None }
    }

    pub(super) fn repeating(call: S::Future, service: S, req: Req, shared: Arc<Shared>) -> Self {
        Self { state: State::Calling { call }, again: Some(Again { service, req, attempt: 1, shared }) }
    }
}

impl<S, Req> Future for ResponseFuture<S, Req>
where
    S: Service<Req>,
    S::Error: Failure,
    Req: Clone,
{
    type Output = Result<S::Response, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            match this.state.as_mut().project() {
                Projected::Calling { call } => {
                    let answer = ready!(call.poll(cx));
                    let pause = match (&answer, this.again.as_mut()) {
                        (Err(error), Some(again)) => again.pause(error),
                        _ => None,
                    };
                    let Some(sleep) = pause else { return Poll::Ready(answer) };
                    this.state.set(State::Pausing { sleep });
                }
                Projected::Pausing { sleep } => {
                    ready!(sleep.poll(cx));
                    this.state.set(State::Readying);
                }
                Projected::Readying => {
                    let Some(again) = this.again.as_mut() else {
                        unreachable!("a pause is before an attempt")
                    };
                    ready!(again.service.poll_ready(cx))?;
                    let call = again.service.call(again.req.clone());
                    this.state.set(State::Calling { call });
                }
            }
        }
    }
}

impl<S, Req> Again<S, Req> {
    /// The pause after which to try again, if that makes sense.
    fn pause(&mut self, error: &impl Failure) -> Option<Sleep> {
        let Shared { config, budget, counts } = &*self.shared;
        if !may_pass(error.kind()) || self.attempt >= config.max_attempts.get() {
            return None;
        }
        let pause = config.pause(self.attempt + 1, error.retry_after())?;
        if !budget.withdraw() {
            counts.exhausted.inc();
            tracing::debug!(kind = error.kind().name(), "no retry: the budget is used up");
            return None;
        }
        self.attempt += 1;
        counts.retried.inc();
        tracing::debug!(attempt = self.attempt, ?pause, kind = error.kind().name(), "retry");
        Some(sleep(pause))
    }
}

/// Whether the same call may succeed later. An open circuit is no reason: its layer has tried already.
fn may_pass(kind: ErrorKind) -> bool {
    use ErrorKind::{Overloaded, RateLimited, ShuttingDown, Timeout, Unavailable};
    matches!(kind, Unavailable | Timeout | Overloaded | ShuttingDown | RateLimited)
}

impl<S: Service<Req>, Req> std::fmt::Debug for ResponseFuture<S, Req> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ResponseFuture")
    }
}
