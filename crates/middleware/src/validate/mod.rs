//! Holds arguments and results against more than the tool's own schema.
//!
//! A server holds arguments against a tool's input schema before any layer of the tool runs. This layer adds what an
//! operator or a team knows beyond it: a tighter schema, a rule in code, and the promise of the output schema, which
//! is otherwise checked in debug builds only.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};

use pin_project_lite::pin_project;
use prometheus_client::metrics::counter::Counter;
use serde_json::Value;
use tower::{Layer, Service};
use towline_core::{Context, Error, Operation, Schema, ToolResult};

use crate::events::Events;

type Rule = dyn Fn(&Value, &Context) -> Result<(), Error> + Send + Sync;

/// Holds arguments and results against more than the tool's own schema.
///
/// ```
/// use serde_json::json;
/// use towline_core::{Schema, ToolExt, tool_fn};
/// use towline_middleware::ValidateLayer;
///
/// let tool = tool_fn("report", "Makes a report.", async || "done");
/// // In this deployment, at most a month at once.
/// let month = Schema::compile(json!({"properties": {"days": {"maximum": 31}}}))?;
/// let tool = tool.layer(ValidateLayer::new().arguments(month));
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Default)]
pub struct ValidateLayer {
    checks: Arc<Checks>,
    refused: Option<Counter>,
}

#[derive(Clone, Default)]
struct Checks {
    arguments: Option<Arc<Schema>>,
    rules: Vec<Arc<Rule>>,
    result: Option<Arc<Schema>>,
}

impl ValidateLayer {
    /// Checks nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Holds arguments against this schema too. What breaks it is `InvalidParams`, told as a tool's own schema would
    /// tell it.
    #[must_use]
    pub fn arguments(self, schema: Schema) -> Self {
        self.with(|checks| checks.arguments = Some(Arc::new(schema)))
    }

    /// Holds arguments against a rule that no schema can say, such as one that depends on who calls. The error is
    /// what the client gets.
    #[must_use]
    pub fn rule(self, rule: impl Fn(&Value, &Context) -> Result<(), Error> + Send + Sync + 'static) -> Self {
        self.with(|checks| checks.rules.push(Arc::new(rule)))
    }

    /// Holds structured results of tools against this schema. What breaks it is an `Internal` error: the client gets
    /// none of it.
    #[must_use]
    pub fn result(self, schema: Schema) -> Self {
        self.with(|checks| checks.result = Some(Arc::new(schema)))
    }

    /// Counts refusals there, as those of `service`.
    #[must_use]
    pub fn events(mut self, events: &Events, service: &str) -> Self {
        self.refused = Some(events.counter("validate", "refused", service));
        self
    }

    fn with(mut self, change: impl FnOnce(&mut Checks)) -> Self {
        change(Arc::make_mut(&mut self.checks));
        self
    }
}

impl fmt::Debug for ValidateLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ValidateLayer")
            .field("arguments", &self.checks.arguments)
            .field("rules", &self.checks.rules.len())
            .field("result", &self.checks.result)
            .finish_non_exhaustive()
    }
}

impl Checks {
    fn check_arguments<Req: Operation>(&self, req: &Req) -> Result<(), Error> {
        if self.arguments.is_none() && self.rules.is_empty() {
            return Ok(());
        }
        let arguments: Value = match req.arguments() {
            Some(arguments) => arguments.parse().map_err(|error| Error::invalid_params(error.to_string()))?,
            None => Value::Object(serde_json::Map::new()),
        };
        if let Some(schema) = &self.arguments {
            schema.check_arguments(&arguments)?;
        }
        self.rules.iter().try_for_each(|rule| rule(&arguments, req.context()))
    }

    fn check_result<T: Any>(&self, answer: &T) -> Result<(), Error> {
        let result = (answer as &dyn Any).downcast_ref::<ToolResult>();
        let structured = result.and_then(ToolResult::structured);
        let (Some(schema), Some(structured)) = (&self.result, structured) else { return Ok(()) };
        let value: Value = structured.parse().map_err(Error::internal)?;
        schema
            .check(&value)
            .map_err(|problem| Error::internal(format!("the result breaks its schema: {problem}")))
    }
}

impl<S> Layer<S> for ValidateLayer {
    type Service = Validate<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Validate { inner, layer: self.clone() }
    }
}

/// Refuses arguments and results that break a rule.
#[derive(Clone, Debug)]
pub struct Validate<S> {
    inner: S,
    layer: ValidateLayer,
}

impl<S, Req> Service<Req> for Validate<S>
where
    S: Service<Req, Response: Any>,
    S::Error: From<Error>,
    Req: Operation,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, req: Req) -> Self::Future {
        let state = match self.layer.checks.check_arguments(&req) {
            Ok(()) => State::Called { inner: self.inner.call(req) },
            Err(error) => State::Refused { error: Some(error) },
        };
        ResponseFuture { state, layer: self.layer.clone() }
    }
}

pin_project! {
    /// The future of [`Validate`].
    #[derive(Debug)]
    pub struct ResponseFuture<F> {
        #[pin]
        state: State<F>,
        layer: ValidateLayer,
    }
}

pin_project! {
    #[project = Projected]
    #[derive(Debug)]
    enum State<F> { Called { #[pin] inner: F }, Refused { error: Option<Error> } }
}

impl<F, Res, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Res, E>>,
    Res: Any,
    E: From<Error>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<F::Output> {
        let this = self.project();
        let refused = match this.state.project() {
            Projected::Refused { error } => error.take(),
            Projected::Called { inner } => {
                let answer = ready!(inner.poll(cx));
                let Ok(result) = &answer else { return Poll::Ready(answer) };
                match this.layer.checks.check_result(result) {
                    Ok(()) => return Poll::Ready(answer),
                    Err(error) => Some(error),
                }
            }
        };
        if let Some(count) = &this.layer.refused {
            count.inc();
        }
        let error = refused.unwrap_or_else(|| Error::internal("polled after its end"));
        Poll::Ready(Err(error.into()))
    }
}
