//! The future of a call.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use pin_project_lite::pin_project;
use tokio::sync::oneshot::Receiver;
use tokio::time::{Instant, Sleep, sleep_until};
use tower::Service;
use tower::util::Oneshot;
use towline_core::{Error, ErrorKind, Failure, ToolResult};

use super::counts::Answered;
use super::flight::{Lost, Told};
use super::store::{CachedTool, Entry};

pin_project! {
    /// The future of [`Cache`](super::Cache).
    pub struct ResponseFuture<S: Service<Req>, Req> {
        #[pin]
        state: State<S, Req>,
        tool: Arc<CachedTool>,
    }
}

pin_project! {
    #[project = Projected]
    pub(super) enum State<S: Service<Req>, Req> {
        /// The answer is there.
        Answered { answer: Option<Result<ToolResult, Error>> },
        /// The cache has no part in the call.
        Bypassed { #[pin] inner: Oneshot<S, Req> },
        /// A load for this call is under way.
        Loading { #[pin] receiver: Receiver<Result<S::Response, S::Error>>, fallback: Option<Fallback> },
        /// A load for another call is under way.
        Waiting { #[pin] receiver: Receiver<Told>, own: Option<(S, Req)>, fallback: Option<Fallback> },
    }
}

/// An old answer, in case that no new one comes.
pub(super) struct Fallback {
    entry: Arc<Entry>,
    until: Instant,
    /// Rings before the caller's own deadline: after it nobody would hear of the old answer.
    patience: Option<Pin<Box<Sleep>>>,
}

impl<S: Service<Req>, Req> ResponseFuture<S, Req> {
    pub(super) fn new(tool: Arc<CachedTool>, state: State<S, Req>) -> Self {
        Self { state, tool }
    }
}

/// How long before the caller's deadline an old answer is given, and which share of the time that is left at most.
const AHEAD: Duration = Duration::from_millis(100);
const SHARE_AHEAD: u32 = 10;

impl Fallback {
    /// An answer that may be given `until` then, to a caller that waits no longer than to `deadline`.
    pub(super) fn new(entry: Arc<Entry>, until: Instant, deadline: Option<Instant>) -> Self {
        let patience = deadline.map(|deadline| {
            let ahead = AHEAD.min(deadline.saturating_duration_since(Instant::now()) / SHARE_AHEAD);
            Box::pin(sleep_until(deadline - ahead))
        });
        Self { entry, until, patience }
    }

    /// The answer, once the caller cannot wait for another any longer.
    fn in_time(&mut self, cx: &mut Context<'_>, tool: &CachedTool) -> Option<ToolResult> {
        let rang = self.patience.as_mut()?.as_mut().poll(cx).is_ready();
        if rang {
            self.patience = None;
            return self.answer(ErrorKind::Timeout, tool);
        }
        None
    }

    /// The answer, if `kind` is a failure that it may stand in for.
    pub(super) fn answer(&self, kind: ErrorKind, tool: &CachedTool) -> Option<ToolResult> {
        use ErrorKind::{CircuitOpen, Internal, Overloaded, Timeout, Unavailable};
        let now = Instant::now();
        if now >= self.until || !matches!(kind, Unavailable | CircuitOpen | Timeout | Overloaded | Internal) {
            return None;
        }
        tracing::debug!(tool = &*tool.name, kind = kind.name(), "a stale answer stands in for a failed call");
        tool.counts.add(Answered::Stale);
        Some(self.entry.answer(now, true))
    }
}

impl<S, Req> Future for ResponseFuture<S, Req>
where
    S: Service<Req, Response = ToolResult>,
    S::Error: From<Error> + Failure,
{
    type Output = Result<ToolResult, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let tool = &**this.tool;
        loop {
            let (inner, req) = match this.state.as_mut().project() {
                Projected::Answered { answer } => {
                    let answer = answer.take().expect("polled after it was done");
                    return Poll::Ready(answer.map_err(Into::into));
                }
                Projected::Bypassed { inner } => return inner.poll(cx),
                Projected::Loading { receiver, fallback } => {
                    let Poll::Ready(answer) = receiver.poll(cx) else { return old(fallback, cx, tool) };
                    let answer = answer.unwrap_or_else(|_| Err(lost().into()));
                    return Poll::Ready(settle(answer, fallback.as_ref(), tool, Answered::Miss));
                }
                Projected::Waiting { receiver, own, fallback } => {
                    let Poll::Ready(told) = receiver.poll(cx) else { return old(fallback, cx, tool) };
                    let answer = match told {
                        Ok(Told::Own) => Err(own.take().expect("polled after it was done")),
                        Ok(Told::Answer(result)) => Ok(Ok(result)),
                        Ok(Told::Failed(failed)) => Ok(Err(failed.into_error().into())),
                        Err(_) => Ok(Err(lost().into())),
                    };
                    match answer {
                        Ok(answer) => {
                            return Poll::Ready(settle(answer, fallback.as_ref(), tool, Answered::Coalesced));
                        }
                        Err(own) => own,
                    }
                }
            };
            tool.counts.add(Answered::Bypass);
            this.state.set(State::Bypassed { inner: Oneshot::new(inner, req) });
        }
    }
}

/// An old answer, if there is no more time to wait for a new one.
fn old<E>(
    fallback: &mut Option<Fallback>,
    cx: &mut Context<'_>,
    tool: &CachedTool,
) -> Poll<Result<ToolResult, E>> {
    match fallback.as_mut().and_then(|fallback| fallback.in_time(cx, tool)) {
        Some(answer) => Poll::Ready(Ok(answer)),
        None => Poll::Pending,
    }
}

/// Counts the answer, or has an old one stand in for it.
fn settle<E: Failure>(
    answer: Result<ToolResult, E>,
    fallback: Option<&Fallback>,
    tool: &CachedTool,
    answered: Answered,
) -> Result<ToolResult, E> {
    if let Err(error) = &answer
        && let Some(old) = fallback.and_then(|fallback| fallback.answer(error.kind(), tool))
    {
        return Ok(old);
    }
    tool.counts.add(answered);
    answer
}

fn lost() -> Error {
    Error::internal(Lost)
}

impl<S: Service<Req>, Req> fmt::Debug for ResponseFuture<S, Req> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").field("tool", &self.tool.name).finish_non_exhaustive()
    }
}
