//! A router with layers around it.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use pin_project_lite::pin_project;
use tower::{Layer, Service};

use crate::error::Error;
use crate::request::{Reply, Request};
use crate::router::{Router, Routes};

/// A server: a router with layers around it, ready for a transport. A clone is a handle to the same server.
#[derive(Clone, Debug)]
pub struct Server<S = Routes> {
    service: S,
}

impl Server {
    /// Settles what the router offers.
    pub fn new(router: Router) -> Self {
        Self { service: router.build() }
    }

    /// What it offers, while no layer is around it.
    pub fn routes(&self) -> &Routes {
        &self.service
    }
}

impl<S> Server<S> {
    /// Puts a tower layer around the server. A second layer goes around the first.
    ///
    /// The layer is applied here and now, once; no request applies it again.
    pub fn layer<L: Layer<S>>(self, layer: L) -> Server<L::Service> {
        Server { service: layer.layer(self.service) }
    }
}

impl<S> Service<Request> for Server<S>
where
    S: Service<Request, Response = Reply>,
    S::Error: Into<Error>,
{
    type Response = Reply;
    type Error = Error;
    type Future = ServerFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<(), Error>> {
        self.service.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        ServerFuture { inner: self.service.call(request) }
    }
}

pin_project! {
    /// The future of [`Server`].
    #[derive(Debug)]
    pub struct ServerFuture<F> { #[pin] inner: F }
}

impl<F, E> Future for ServerFuture<F>
where
    F: Future<Output = Result<Reply, E>>,
    E: Into<Error>,
{
    type Output = Result<Reply, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        self.project().inner.poll(cx).map_err(Into::into)
    }
}

/// What a transport can serve: any [`Server`] whose layers can be shared between requests.
///
/// It is implemented for everything that it can be implemented for; nobody implements it by hand.
pub trait Serve:
    Service<Request, Response = Reply, Error = Error, Future: Send + 'static> + Clone + Send + Sync + 'static
{
}

impl<S> Serve for S where
    S: Service<Request, Response = Reply, Error = Error, Future: Send + 'static>
        + Clone
        + Send
        + Sync
        + 'static
{
}
