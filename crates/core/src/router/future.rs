//! An answer under way.

use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use pin_project_lite::pin_project;

use super::MethodFuture;
use super::routes::Routes;
use crate::codec;
use crate::error::{Error, ErrorKind};
use crate::protocol::ProtocolVersion;
use crate::request::Reply;
use crate::tool::set::CallFuture;

pin_project! {
    /// The future of [`Routes`]. A panic in it becomes an error: the server goes on.
    pub struct RouteFuture { #[pin] pub(super) state: State }
}

impl fmt::Debug for RouteFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RouteFuture")
    }
}

pin_project! {
    #[project = Projected]
    pub(super) enum State {
        Ready { answer: Option<Result<Reply, Error>> },
        Tool { future: CallFuture, version: ProtocolVersion, routes: Routes },
        Method { future: MethodFuture },
    }
}

impl State {
    pub(super) fn ready(reply: Reply) -> Self {
        Self::Ready { answer: Some(Ok(reply)) }
    }
}

impl Future for RouteFuture {
    type Output = Result<Reply, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            Projected::Ready { answer } => {
                Poll::Ready(answer.take().expect("a future is not polled after its end"))
            }
            Projected::Method { future } => poll_guarded(future.as_mut(), cx),
            Projected::Tool { future, version, routes } => {
                poll_guarded(future.as_mut(), cx).map(|answer| match answer {
                    Ok(result) => {
                        Ok(codec::encode_tool_result(&result, routes.meta(), *version, routes.seal()))
                    }
                    // The protocol has an error of its own for this one, wherever it is raised.
                    Err(error) if error.kind() == ErrorKind::MissingCapability => Err(error),
                    Err(error) => Err(error.in_tool(routes.meta().clone())),
                })
            }
        }
    }
}

fn poll_guarded<T>(
    future: Pin<&mut (dyn Future<Output = Result<T, Error>> + Send)>,
    cx: &mut TaskContext<'_>,
) -> Poll<Result<T, Error>> {
    // Nothing of the future is used after a panic: it is dropped with the request.
    catch_unwind(AssertUnwindSafe(|| future.poll(cx)))
        .unwrap_or_else(|panic| Poll::Ready(Err(panicked(&*panic))))
}

pub(super) fn panicked(panic: &(dyn std::any::Any + Send)) -> Error {
    let text =
        panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    Error::internal(format!("panic: {}", text.unwrap_or("of an unknown type")))
}
