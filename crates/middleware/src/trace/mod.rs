//! Makes a span of each request, for logs and for traces.
//!
//! Names and attributes are those of OpenTelemetry's semantic conventions for MCP. Without a subscriber that wants it,
//! no span is made, and nothing of it is worked out.

#[cfg(feature = "otel")]
pub mod otel;
mod parent;
mod span;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;
use tower::{Layer, Service};
use towline_core::{AnswerKind, Failure, Operation};
use tracing::Instrument;
use tracing::instrument::Instrumented;

pub(crate) use parent::TraceParent;

/// Makes a span of each request: around a whole server one per request, around a tool one per call.
///
/// | attribute | what it tells |
/// |---|---|
/// | `mcp.method.name` | the method |
/// | `gen_ai.tool.name`, `gen_ai.prompt.name` | the tool or prompt |
/// | `gen_ai.operation.name` | `execute_tool`, for calls of tools |
/// | `mcp.protocol.version` | the protocol's revision |
/// | `jsonrpc.request.id` | the request's id, if it has one |
/// | `network.transport`, `network.protocol.name` | `pipe` for stdio; `tcp` and `http` for HTTP |
/// | `client.address`, `client.port` | from where the client is connected, if it is through a socket |
/// | `error.type` | a JSON-RPC code, or `tool_error` for a result with `isError`; not for the client's mistakes |
/// | `rpc.response.status_code` | the JSON-RPC code of any failure |
/// | `towline.cancelled` | true if nobody waited for the answer |
/// | `trace_id` | the trace that the client names in `_meta`, so that logs can be found by it |
///
/// Arguments and results are never part of it. What the client may choose freely is cut to 128 bytes.
///
/// With the feature `otel`, a span's parent in exported traces is the one that the client names in `_meta`
/// (`traceparent` and `tracestate`); what is around the request in this process, such as the span of an HTTP request, is
/// linked. Without a valid name, what is around it is the parent. A span around a tool is a child of the span around
/// the server, if there is one.
#[derive(Clone, Copy, Debug, Default)]
pub struct TraceLayer(());

impl TraceLayer {
    /// Spans of level `INFO`: `mcp.request` around a server, `mcp.tool` around a tool.
    pub const fn new() -> Self {
        Self(())
    }
}

impl<S> Layer<S> for TraceLayer {
    type Service = Trace<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Trace { inner }
    }
}

/// A service each of whose calls has a span.
#[derive(Clone, Debug)]
pub struct Trace<S> {
    inner: S,
}

impl<S, Req> Service<Req> for Trace<S>
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

    fn call(&mut self, mut req: Req) -> Self::Future {
        let span = span::begin(&mut req);
        let inner = span.in_scope(|| self.inner.call(req));
        ResponseFuture { inner: inner.instrument(span), is_over: false }
    }
}

pin_project! {
    /// The future of [`Trace`].
    pub struct ResponseFuture<F> {
        #[pin]
        inner: Instrumented<F>,
        is_over: bool,
    }

    impl<F> PinnedDrop for ResponseFuture<F> {
        fn drop(this: Pin<&mut Self>) {
            if !this.is_over {
                span::cancelled(this.inner.span());
            }
        }
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
        let mut this = self.project();
        let answer = ready!(this.inner.as_mut().poll(cx));
        *this.is_over = true;
        let span = this.inner.span();
        if !span.is_disabled() {
            span::end(span, answer.as_ref().map(AnswerKind::of).map_err(Failure::kind));
        }
        Poll::Ready(answer)
    }
}

impl<F> fmt::Debug for ResponseFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
