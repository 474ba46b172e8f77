//! Makes an error of a panic.
//!
//! A server catches panics by itself. This layer catches them further in: placed within a circuit breaker, a panic
//! counts as the failure that it is, instead of unwinding through the breaker.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use prometheus_client::metrics::counter::Counter;
use tower::{Layer, Service};
use towline_core::Error;

use crate::events::Events;

/// Makes an `Internal` error of a panic. Its text goes to the logs, not to the client.
#[derive(Clone, Debug, Default)]
pub struct PanicLayer {
    caught: Option<Counter>,
}

impl PanicLayer {
    /// Catches panics of the call itself and of its future.
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts panics there, as those of `service`.
    #[must_use]
    pub fn events(mut self, events: &Events, service: &str) -> Self {
        self.caught = Some(events.counter("panic", "caught", service));
        self
    }
}

impl<S> Layer<S> for PanicLayer {
    type Service = PanicGuard<S>;

    fn layer(&self, inner: S) -> Self::Service {
        PanicGuard { inner, caught: self.caught.clone() }
    }
}

/// Outlives the panics of what it wraps.
#[derive(Clone, Debug)]
pub struct PanicGuard<S> {
    inner: S,
    caught: Option<Counter>,
}

impl<S, Req> Service<Req> for PanicGuard<S>
where
    S: Service<Req>,
    S::Error: From<Error>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, req: Req) -> Self::Future {
        let caught = self.caught.clone();
        // The service is a handle to state that guards itself; what is broken within it is its own to tell.
        match catch_unwind(AssertUnwindSafe(|| self.inner.call(req))) {
            Ok(inner) => ResponseFuture { inner: Some(inner), panic: None, caught },
            Err(panic) => ResponseFuture { inner: None, panic: Some(text(&*panic)), caught },
        }
    }
}

pin_project! {
    /// The future of [`PanicGuard`].
    #[derive(Debug)]
    pub struct ResponseFuture<F> {
        #[pin]
        inner: Option<F>,
        panic: Option<String>,
        caught: Option<Counter>,
    }
}

impl<F, Res, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Res, E>>,
    E: From<Error>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        if let Some(inner) = this.inner.as_mut().as_pin_mut() {
            match catch_unwind(AssertUnwindSafe(|| inner.poll(cx))) {
                Ok(poll) => return poll,
                // What the work holds is given back now, not when the answer has been sent.
                Err(panic) => {
                    this.inner.set(None);
                    *this.panic = Some(text(&*panic));
                }
            }
        }
        let panic = this.panic.take().unwrap_or_else(|| "polled after its end".to_owned());
        if let Some(caught) = this.caught {
            caught.inc();
        }
        Poll::Ready(Err(Error::internal(format!("panic: {panic}")).into()))
    }
}

fn text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("of an unknown type")
        .to_owned()
}
