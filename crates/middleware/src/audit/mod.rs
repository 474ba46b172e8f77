//! Writes down who did what, and how it ended.
//!
//! Each call leaves one record, whatever becomes of it: also when a layer further in refuses it, and when the client
//! goes away. Arguments are left out unless asked for, for they may hold what must not stand in logs.

mod record;

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;
use tokio::time::Instant;
use tower::{Layer, Service};
use towline_core::{AnswerKind, ErrorKind, Failure, Operation};

use record::Subject;
pub use record::{AuditOutcome, AuditRecord, AuditSink, Decision, LogSink};

/// Writes down who did what, and how it ended.
///
/// ```
/// use towline_core::{Router, Server, tool_fn};
/// use towline_middleware::AuditLayer;
///
/// let ping = tool_fn("ping", "Answers.", async || "pong");
/// // To the logs, under the target `towline::audit`.
/// let server = Server::new(Router::new("example", "1.0.0").tool(ping)).layer(AuditLayer::new());
/// ```
#[derive(Clone)]
pub struct AuditLayer {
    sink: Arc<dyn AuditSink>,
    with_arguments: bool,
}

impl AuditLayer {
    /// Writes to the logs, as events of the level INFO and the target `towline::audit`.
    pub fn new() -> Self {
        Self::to(LogSink)
    }

    /// Writes to a sink of one's own.
    pub fn to(sink: impl AuditSink) -> Self {
        Self { sink: Arc::new(sink), with_arguments: false }
    }

    /// Writes arguments too, cut at 4 KiB. They may hold personal data and secrets.
    #[must_use]
    pub fn with_arguments(mut self) -> Self {
        self.with_arguments = true;
        self
    }
}

impl Default for AuditLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for AuditLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditLayer").field("with_arguments", &self.with_arguments).finish_non_exhaustive()
    }
}

impl<S> Layer<S> for AuditLayer {
    type Service = Audit<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Audit { inner, layer: self.clone() }
    }
}

/// Writes down each call of what it wraps.
#[derive(Clone, Debug)]
pub struct Audit<S> {
    inner: S,
    layer: AuditLayer,
}

impl<S, Req> Service<Req> for Audit<S>
where
    S: Service<Req, Response: Any>,
    S::Error: Failure,
    Req: Operation,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, req: Req) -> Self::Future {
        let subject = Subject::new(&req, self.layer.with_arguments);
        let sink = Arc::clone(&self.layer.sink);
        let mut entry = Entry { sink, subject, began: Instant::now(), written: false, is_running: true };
        let inner = self.inner.call(req);
        entry.is_running = false;
        ResponseFuture { inner, entry }
    }
}

/// The record of one call. It is written once, if only because the call was dropped.
struct Entry {
    sink: Arc<dyn AuditSink>,
    subject: Subject,
    began: Instant,
    written: bool,
    /// The wrapped service is at work this very moment: who sees this from outside sees a panic.
    is_running: bool,
}

impl Entry {
    fn write(&mut self, outcome: AuditOutcome) {
        if !std::mem::replace(&mut self.written, true) {
            self.sink.record(&self.subject.record(outcome, self.began.elapsed()));
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let outcome = match self.is_running {
            true => AuditOutcome::Failed(ErrorKind::Internal),
            false => AuditOutcome::Cancelled,
        };
        self.write(outcome);
    }
}

pin_project! {
    /// The future of [`Audit`]. Dropping it before its end is written down as a cancellation.
    pub struct ResponseFuture<F> {
        #[pin]
        inner: F,
        entry: Entry,
    }
}

impl<F, Res, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Res, E>>,
    Res: Any,
    E: Failure,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        this.entry.is_running = true;
        let polled = this.inner.poll(cx);
        this.entry.is_running = false;
        let answer = ready!(polled);
        this.entry.write(match &answer {
            Ok(result) => match AnswerKind::of(result) {
                AnswerKind::ToolError => AuditOutcome::ToolError,
                AnswerKind::InputRequired => AuditOutcome::InputRequired,
                _ => AuditOutcome::Answered,
            },
            Err(error) => AuditOutcome::Failed(error.kind()),
        });
        Poll::Ready(answer)
    }
}

impl<F> fmt::Debug for ResponseFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResponseFuture")
    }
}
