//! A whole HTTP server with layers around the service that answers requests.

use std::convert::Infallible;
use std::future::Future;
use std::io;

use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use tokio::net::{TcpListener, ToSocketAddrs};
use tower::layer::util::Stack;
use tower::{Layer, Service};
use towline_core::{BoxError, Serve};

use super::connection::LayeredRequests;
use super::server::HttpServer;
use super::service::HttpService;
use crate::shutdown_signal;

/// An [`HttpServer`] with tower layers around the service that answers requests; [`HttpServer::layer`] makes it.
#[derive(Clone, Debug)]
pub struct LayeredHttpServer<S, L> {
    pub(super) server: HttpServer<S>,
    pub(super) layer: L,
}

impl<S, L> LayeredHttpServer<S, L> {
    /// Puts a layer around those that are there.
    pub fn layer<O>(self, outer: O) -> LayeredHttpServer<S, Stack<L, O>> {
        LayeredHttpServer { server: self.server, layer: Stack::new(self.layer, outer) }
    }

    /// Serves at that address until SIGTERM or SIGINT.
    ///
    /// # Errors
    ///
    /// When the address cannot be listened at.
    ///
    /// # Panics
    ///
    /// Panics outside of a tokio runtime.
    pub async fn serve<B>(self, address: impl ToSocketAddrs) -> io::Result<()>
    where
        S: Serve,
        L: Layer<HttpService<S>, Service: Answers<B>> + Send,
        B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
    {
        let listener = TcpListener::bind(address).await?;
        self.serve_until(listener, shutdown_signal()).await
    }

    /// Serves at that listener until `shutdown` completes; as [`HttpServer::serve_until`].
    ///
    /// # Errors
    ///
    /// When the listener has no address.
    ///
    /// # Panics
    ///
    /// Panics outside of a tokio runtime.
    pub async fn serve_until<B>(
        self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send,
    ) -> io::Result<()>
    where
        S: Serve,
        L: Layer<HttpService<S>, Service: Answers<B>> + Send,
        B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
    {
        let Self { server, layer } = self;
        let prepare = move |service| {
            let service = layer.layer(service);
            move |extensions, connection| LayeredRequests { service: service.clone(), extensions, connection }
        };
        server.run(listener, shutdown, prepare).await
    }
}

/// A service that can stand in the place of an [`HttpService`]. It is implemented for all that can; nobody implements it by
/// hand.
pub trait Answers<B>:
    Service<Request<Incoming>, Response = Response<B>, Error = Infallible, Future: Send + 'static>
    + Clone
    + Send
    + 'static
{
}

impl<T, B> Answers<B> for T where
    T: Service<Request<Incoming>, Response = Response<B>, Error = Infallible, Future: Send + 'static>
        + Clone
        + Send
        + 'static
{
}
