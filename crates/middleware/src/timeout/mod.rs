//! Bounds how long an answer may take.
//!
//! A call has one deadline, the earliest that a layer around it has set. Whoever does the work can see it:
//! [`Context::remaining`](towline_core::Context::remaining) tells how much time is left, so that a tool can hand
//! the rest on to a database or another service. When it passes, the work is dropped, which is what cancelling is.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use pin_project_lite::pin_project;
use prometheus_client::metrics::counter::Counter;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, Sleep, sleep_until};
use tower::{Layer, Service};
use towline_core::{Error, ErrorKind, Operation};

use crate::config::{ConfigError, as_millis, millis, not_zero};
use crate::events::Events;

/// How long an answer may take.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct TimeoutConfig {
    /// Time for one answer; `timeout_ms` in files. Default: 30 s.
    #[serde(rename = "timeout_ms", deserialize_with = "millis", serialize_with = "as_millis")]
    #[schemars(with = "u64")]
    pub timeout: Duration,
}

impl Default for TimeoutConfig {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(30) }
    }
}

impl TimeoutConfig {
    /// Holds the settings against what can work.
    ///
    /// # Errors
    ///
    /// Names the key and what is wrong with it.
    pub fn validate(&self) -> Result<(), ConfigError> {
        not_zero("timeout_ms", self.timeout)
    }
}

/// Bounds how long an answer may take.
///
/// ```
/// use std::time::Duration;
///
/// use towline_core::{Router, Server, ToolExt, tool_fn};
/// use towline_middleware::TimeoutLayer;
///
/// let report = tool_fn("report", "Takes its time.", async || "done");
/// let report = report.layer(TimeoutLayer::new(Duration::from_secs(60)));
///
/// // Around a server, a target may have its own time: the most specific one counts.
/// let deadline = TimeoutLayer::new(Duration::from_secs(10)).target("report", Duration::from_secs(60));
/// let server = Server::new(Router::new("example", "1.0.0").tool(report)).layer(deadline);
/// ```
#[derive(Clone, Debug)]
pub struct TimeoutLayer {
    times: Arc<Times>,
    elapsed: Option<Counter>,
}

#[derive(Clone, Debug)]
struct Times {
    timeout: Duration,
    /// Of calls of tools that have no time of their own.
    tools: Option<Duration>,
    by_target: BTreeMap<String, Duration>,
}

impl TimeoutLayer {
    /// Gives every answer that much time.
    pub fn new(timeout: Duration) -> Self {
        Self { times: Arc::new(Times { timeout, tools: None, by_target: BTreeMap::new() }), elapsed: None }
    }

    /// Gives answers about this target, such as the tool that a `tools/call` names, another time.
    #[must_use]
    pub fn target(mut self, target: impl Into<String>, timeout: Duration) -> Self {
        Arc::make_mut(&mut self.times).by_target.insert(target.into(), timeout);
        self
    }

    /// Gives calls of tools that have no time of their own another time than the rest.
    #[must_use]
    pub fn tools(mut self, timeout: Duration) -> Self {
        Arc::make_mut(&mut self.times).tools = Some(timeout);
        self
    }

    /// Counts timeouts there, as those of `service`.
    #[must_use]
    pub fn events(mut self, events: &Events, service: &str) -> Self {
        self.elapsed = Some(events.counter("timeout", "elapsed", service));
        self
    }
}

impl<S> Layer<S> for TimeoutLayer {
    type Service = Timeout<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Timeout { inner, layer: self.clone() }
    }
}

/// Gives up on an answer after its time.
#[derive(Clone, Debug)]
pub struct Timeout<S> {
    inner: S,
    layer: TimeoutLayer,
}

impl<S, Req> Service<Req> for Timeout<S>
where
    S: Service<Req>,
    S::Error: From<Error>,
    Req: Operation,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut req: Req) -> Self::Future {
        let timeout = self.layer.times.of(&req);
        // A stream has no answer to be late.
        let at = if req.is_stream() { None } else { Instant::now().checked_add(timeout) };
        let deadline = at.map(|at| req.context_mut().tighten_deadline(at));
        let inner = self.inner.call(req);
        ResponseFuture { inner, sleep: None, deadline, timeout, elapsed: self.layer.elapsed.clone() }
    }
}

impl Times {
    fn of<Req: Operation>(&self, req: &Req) -> Duration {
        let own = match self.by_target.is_empty() {
            true => None,
            false => req.target().and_then(|target| self.by_target.get(target)).copied(),
        };
        let of_tools = || self.tools.filter(|_| req.method() == "tools/call");
        own.or_else(of_tools).unwrap_or(self.timeout)
    }
}

pin_project! {
    /// The future of [`Timeout`].
    #[derive(Debug)]
    pub struct ResponseFuture<F> {
        #[pin]
        inner: F,
        // Made when the answer is not there at once: a timer that nobody waits for costs, too.
        #[pin]
        sleep: Option<Sleep>,
        // None: further away than the clock reaches.
        deadline: Option<Instant>,
        timeout: Duration,
        elapsed: Option<Counter>,
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
        if let Poll::Ready(answer) = this.inner.poll(cx) {
            return Poll::Ready(answer);
        }
        let Some(deadline) = *this.deadline else { return Poll::Pending };
        if this.sleep.is_none() {
            this.sleep.set(Some(sleep_until(deadline)));
        }
        match this.sleep.as_pin_mut().map(|sleep| sleep.poll(cx)) {
            Some(Poll::Ready(())) => {
                if let Some(elapsed) = this.elapsed {
                    elapsed.inc();
                }
                tracing::debug!(timeout = ?this.timeout, "timeout");
                let message = "This took too long and was stopped. Ask for less at once, or try again later.";
                Poll::Ready(Err(Error::new(ErrorKind::Timeout, message).into()))
            }
            _ => Poll::Pending,
        }
    }
}
