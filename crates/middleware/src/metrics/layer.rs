//! The layer.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;
use tokio::time::Instant;
use tower::{Layer, Service};
use towline_core::{AnswerKind, ErrorKind, Failure, Operation};

use super::entry::Entry;
use super::names::{ErrorType, TOOLS_CALL, is_plain};
use super::recent::{Noted, shorten};
use super::{Inner, Metrics, lock, since_epoch};
use crate::trace::TraceParent;

/// Counts and times what passes.
///
/// Put it at one level for each [`Metrics`], best around the whole server, where it sees refusals and every method:
/// what passes it twice is counted twice.
#[derive(Clone, Debug)]
pub struct MetricsLayer {
    metrics: Metrics,
    tool: Option<usize>,
}

impl MetricsLayer {
    /// Counts into `metrics`, by the names that requests have.
    ///
    /// Around a whole server a tool is known from its first answer on, if it is not
    /// [registered](Metrics::register_tool): until then its calls are of the tool `_other`.
    pub fn new(metrics: &Metrics) -> Self {
        Self { metrics: metrics.clone(), tool: None }
    }

    /// Counts everything as calls of the tool of that name, whose handles it has from the start.
    pub fn tool(metrics: &Metrics, name: &str) -> Self {
        Self { metrics: metrics.clone(), tool: Some(metrics.0.tool(name)) }
    }
}

impl<S> Layer<S> for MetricsLayer {
    type Service = Measured<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Measured { inner, metrics: self.metrics.clone(), tool: self.tool }
    }
}

/// A service whose calls are counted and timed.
#[derive(Clone, Debug)]
pub struct Measured<S> {
    inner: S,
    metrics: Metrics,
    tool: Option<usize>,
}

impl<S, Req> Service<Req> for Measured<S>
where
    S: Service<Req>,
    S::Response: 'static,
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
        let subject = match self.tool {
            Some(at) => Subject::Tool(at),
            None => self.metrics.0.subject(&req),
        };
        let mut call = Call::begin(Arc::clone(&self.metrics.0), subject, &req);
        let inner = self.inner.call(req);
        call.swap(State::Running, State::Waiting);
        ResponseFuture { inner, call }
    }
}

/// What a request is counted as.
enum Subject {
    Tool(usize),
    Method(usize),
    /// A tool of which only the caller has said so far that it is there.
    Claimed(Arc<str>),
}

impl Inner {
    fn subject(&self, req: &impl Operation) -> Subject {
        let method = req.method();
        match req.target() {
            Some(tool) if method == TOOLS_CALL => match self.tools.find(tool) {
                Some(at) => Subject::Tool(at),
                // At a tool's own level the name is the tool's, and no caller's choice.
                None if req.name() != method => Subject::Tool(self.tool(tool)),
                None if is_plain(tool) && self.tools.has_room() => Subject::Claimed(tool.into()),
                None => Subject::Tool(self.other_tool),
            },
            None if method == TOOLS_CALL => Subject::Tool(self.other_tool),
            _ => Subject::Method(self.methods.find(method).unwrap_or(self.other_method)),
        }
    }

    fn entry(&self, subject: &Subject) -> Option<&Entry> {
        match *subject {
            Subject::Tool(at) => self.tools.at(at),
            Subject::Method(at) => self.methods.at(at),
            Subject::Claimed(_) => None,
        }
    }
}

/// A call under way. Dropping it before its end counts as a cancellation.
struct Call {
    metrics: Arc<Inner>,
    subject: Subject,
    started: Instant,
    trace_id: Option<u128>,
    state: State,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Waiting,
    /// The wrapped service is at work this very moment: who sees this from outside sees a panic.
    Running,
    Over,
}

impl Call {
    fn begin(metrics: Arc<Inner>, subject: Subject, req: &impl Operation) -> Self {
        metrics.in_flight.inc();
        if let Some(entry) = metrics.entry(&subject) {
            entry.begin();
        }
        let parent = req.context().meta().traceparent().and_then(|text| TraceParent::parse(&text));
        let trace_id = parent.map(|parent| parent.trace_id);
        Self { metrics, subject, started: Instant::now(), trace_id, state: State::Running }
    }

    fn swap(&mut self, from: State, to: State) {
        if self.state == from {
            self.state = to;
        }
    }

    fn answered<E: Failure>(&mut self, answer: Result<AnswerKind, &E>) {
        match answer {
            Ok(AnswerKind::ToolError) => {
                self.prove();
                self.record(Some(ErrorType::TOOL_ERROR));
                self.note(None, "The tool answered with a result that says `isError`.");
            }
            Ok(_) => {
                self.prove();
                self.record(None);
            }
            Err(error) => {
                if error.is_in_tool() {
                    self.prove();
                }
                self.failed(error.kind(), error.message());
            }
        }
    }

    fn failed(&mut self, kind: ErrorKind, message: &str) {
        if kind == ErrorKind::Cancelled {
            return self.cancelled();
        }
        let error = ErrorType::of(kind);
        self.record(error);
        if error.is_some() {
            self.note(Some(kind), message);
        }
    }

    /// The tool has answered, so it is there.
    fn prove(&mut self) {
        if let Subject::Claimed(name) = &self.subject {
            self.leave(Subject::Tool(self.metrics.tool(name)));
        }
    }

    /// Counts the call as one of another subject from now on.
    fn leave(&mut self, subject: Subject) {
        if let Some(entry) = self.metrics.entry(&subject) {
            entry.begin();
        }
        self.subject = subject;
    }

    fn record(&mut self, error: Option<ErrorType>) {
        let now = Instant::now();
        let (uptime, took) = (now - self.metrics.started, now - self.started);
        if let Some(entry) = self.end() {
            entry.record(uptime, took, error);
        }
    }

    fn cancelled(&mut self) {
        if let Some(entry) = self.end() {
            entry.cancel();
        }
    }

    /// Takes the call out of what is in flight.
    fn end(&mut self) -> Option<&Entry> {
        if matches!(self.subject, Subject::Claimed(_)) {
            self.leave(Subject::Tool(self.metrics.other_tool));
        }
        self.state = State::Over;
        self.metrics.in_flight.dec();
        let entry = self.metrics.entry(&self.subject)?;
        entry.end();
        Some(entry)
    }

    fn note(&self, kind: Option<ErrorKind>, message: &str) {
        let Some(entry) = self.metrics.entry(&self.subject) else { return };
        let at = since_epoch();
        entry.note_error_at(at);
        let noted = Noted {
            at,
            subject: entry.name(),
            is_tool: !matches!(self.subject, Subject::Method(_)),
            kind,
            message: shorten(message),
            trace_id: self.trace_id,
        };
        lock(&self.metrics.recent).push(noted);
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        match self.state {
            State::Over => {}
            State::Waiting => self.cancelled(),
            State::Running => self.failed(ErrorKind::Internal, "internal error"),
        }
    }
}

pin_project! {
    /// The future of [`Measured`].
    pub struct ResponseFuture<F> {
        #[pin]
        inner: F,
        call: Call,
    }
}

impl<F, Res, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Res, E>>,
    Res: 'static,
    E: Failure,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        this.call.swap(State::Waiting, State::Running);
        let polled = this.inner.poll(cx);
        this.call.swap(State::Running, State::Waiting);
        let answer = ready!(polled);
        this.call.answered(answer.as_ref().map(AnswerKind::of));
        Poll::Ready(answer)
    }
}

impl<F> fmt::Debug for ResponseFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
