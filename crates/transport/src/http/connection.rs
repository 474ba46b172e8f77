//! One connection, over HTTP/1.1 or HTTP/2.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use futures_util::task::AtomicWaker;
use http_body::Body;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};
use tower::ServiceExt;
use tower::util::Oneshot;
use towline_core::{BoxError, Extensions, Serve};

use super::future::ResponseFuture;
use super::respond::ResponseBody;
use super::service::{Connection, HttpService};
use super::watch::{Socket, Timeouts, Verdict, Watch, Watched};

/// Tells a connection to finish what it is doing and close.
#[derive(Debug, Default)]
pub(super) struct Stop {
    asked: AtomicBool,
    waker: AtomicWaker,
}

impl Stop {
    pub(super) fn ask(&self) {
        self.asked.store(true, Ordering::Release);
        self.waker.wake();
    }
}

/// Serves a connection to its end: the client's, one that [`Watch`] sees, or a stop.
pub(super) async fn serve<R, B>(
    stream: TcpStream,
    builder: Arc<auto::Builder<TokioExecutor>>,
    requests: R,
    Connection { activity, tick: period }: Connection,
    timeouts: Timeouts,
    stop: Arc<Stop>,
) where
    R: HttpRequests<B>,
    B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    let socket = Socket::new(stream);
    let stream = Watched::new(socket.clone(), Arc::clone(&activity));
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), requests));
    let mut watch = Watch::new(timeouts, period);
    let mut tick = pin!(sleep(period));
    let mut closing = false;
    let ended = poll_fn(|cx| {
        stop.waker.register(cx.waker());
        if !closing && stop.asked.load(Ordering::Acquire) {
            closing = true;
            connection.as_mut().graceful_shutdown();
        }
        if let Poll::Ready(result) = connection.as_mut().poll(cx) {
            return Poll::Ready(result);
        }
        while tick.as_mut().poll(cx).is_ready() {
            tick.as_mut().reset(Instant::now() + period);
            if activity.is_busy() && socket.is_closed_by_peer() {
                return Poll::Ready(Ok(()));
            }
            match watch.look(&activity) {
                Verdict::Fine => {}
                Verdict::Idle if !closing => {
                    closing = true;
                    connection.as_mut().graceful_shutdown();
                    if let Poll::Ready(result) = connection.as_mut().poll(cx) {
                        return Poll::Ready(result);
                    }
                }
                Verdict::Idle | Verdict::Stalled => return Poll::Ready(Ok(())),
            }
        }
        Poll::Pending
    });
    if let Err(error) = ended.await {
        // Clients go away all the time.
        tracing::debug!(error, "a connection ended early");
    }
}

/// What answers the requests of one connection, as hyper calls it.
pub(super) trait HttpRequests<B>:
    hyper::service::Service<
        http::Request<Incoming>,
        Response = http::Response<B>,
        Error = Infallible,
        Future: Send + 'static,
    > + Send
    + 'static
{
}

impl<R, B> HttpRequests<B> for R where
    R: hyper::service::Service<
            http::Request<Incoming>,
            Response = http::Response<B>,
            Error = Infallible,
            Future: Send + 'static,
        > + Send
        + 'static
{
}

/// [`HttpService`] alone, without a clone or a box per request.
pub(super) struct Requests<S>(pub(super) HttpService<S>);

impl<S: Serve> hyper::service::Service<http::Request<Incoming>> for Requests<S> {
    type Response = http::Response<ResponseBody<S>>;
    type Error = Infallible;
    type Future = ResponseFuture<S, Incoming>;

    fn call(&self, request: http::Request<Incoming>) -> Self::Future {
        self.0.handle(request)
    }
}

/// [`HttpService`] with layers around it. They are shared by all connections, so what is known of this one travels with each
/// request.
pub(super) struct LayeredRequests<T> {
    pub(super) service: T,
    pub(super) extensions: Extensions,
    pub(super) connection: Connection,
}

impl<T> hyper::service::Service<http::Request<Incoming>> for LayeredRequests<T>
where
    T: tower::Service<http::Request<Incoming>, Error = Infallible> + Clone,
{
    type Response = T::Response;
    type Error = Infallible;
    type Future = Oneshot<T, http::Request<Incoming>>;

    fn call(&self, mut request: http::Request<Incoming>) -> Self::Future {
        request.extensions_mut().insert(self.extensions.clone());
        request.extensions_mut().insert(self.connection.clone());
        self.service.clone().oneshot(request)
    }
}
