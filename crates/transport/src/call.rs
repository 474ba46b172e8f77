//! One call of a server, whose layers may panic.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use pin_project_lite::pin_project;
use tokio::sync::mpsc::Sender;
use tower::util::Oneshot;
use towline_core::{Error, Reply, Request, Serve};

use crate::legacy::{Peer, call_asking};

pin_project! {
    /// Waits until the server is ready and calls it. A panic in one of its layers becomes an error: the connection,
    /// and all else that runs on it, goes on.
    pub(crate) struct Call<S: Serve> { #[pin] inner: Inner<S> }
}

pin_project! {
    #[project = Projected]
    enum Inner<S: Serve> {
        Plain { #[pin] call: Oneshot<S, Request> },
        Asking { call: Asking },
    }
}

type Asking = Pin<Box<dyn Future<Output = Result<Reply, Error>> + Send>>;

impl<S: Serve> Call<S> {
    pub(crate) fn new(server: S, request: Request) -> Self {
        Self { inner: Inner::Plain { call: Oneshot::new(server, request) } }
    }

    /// A call that asks its client for input where it needs any, by requests that are written to `output`.
    pub(crate) fn asking(server: S, request: Request, peer: Arc<Peer>, output: Sender<Bytes>) -> Self {
        Self { inner: Inner::Asking { call: Box::pin(call_asking(server, request, peer, output)) } }
    }
}

impl<S: Serve> Future for Call<S> {
    type Output = Result<Reply, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let inner = self.project().inner.project();
        let poll = || match inner {
            Projected::Plain { call } => call.poll(cx),
            Projected::Asking { call } => call.as_mut().poll(cx),
        };
        // Nothing of the future is used after a panic: it is dropped with the request.
        catch_unwind(AssertUnwindSafe(poll)).unwrap_or_else(|panic| Poll::Ready(Err(panicked(&*panic))))
    }
}

fn panicked(panic: &(dyn Any + Send)) -> Error {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    Error::internal(format!("panic in a layer: {}", text.unwrap_or("of an unknown type")))
}
