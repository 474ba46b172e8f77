//! One call of a server, whose layers may panic.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use tower::util::Oneshot;
use towline_core::{Error, Reply, Request, Serve};

pin_project! {
    /// Waits until the server is ready and calls it. A panic in one of its layers becomes an error: the connection,
    /// and all else that runs on it, goes on.
    pub(crate) struct Call<S: Serve> { #[pin] inner: Oneshot<S, Request> }
}

impl<S: Serve> Call<S> {
    pub(crate) fn new(server: S, request: Request) -> Self {
        Self { inner: Oneshot::new(server, request) }
    }
}

impl<S: Serve> Future for Call<S> {
    type Output = Result<Reply, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let inner = self.project().inner;
        // Nothing of the future is used after a panic: it is dropped with the request.
        catch_unwind(AssertUnwindSafe(|| inner.poll(cx)))
            .unwrap_or_else(|panic| Poll::Ready(Err(panicked(&*panic))))
    }
}

fn panicked(panic: &(dyn Any + Send)) -> Error {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    Error::internal(format!("panic in a layer: {}", text.unwrap_or("of an unknown type")))
}
