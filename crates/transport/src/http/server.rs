//! A whole HTTP server on a socket.

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::num::NonZeroUsize;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http_body::Body;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream, ToSocketAddrs};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use towline_core::{BoxError, ClientAddr, Extensions, Serve};

use super::connection::{self, HttpRequests, Requests, Stop};
use super::layered::LayeredHttpServer;
use super::service::{Connection, HttpService};
use super::watch::Timeouts;
use crate::attend::Attendant;
use crate::shutdown_signal;

/// How many headers a request may have.
const MAX_HEADERS: usize = 100;
/// How many requests of one HTTP/2 connection may run at once.
const MAX_STREAMS: u32 = 100;

/// A whole HTTP server on a socket, for HTTP/1.1 and HTTP/2 without TLS.
///
/// ```no_run
/// use std::time::Duration;
/// use towline_core::{Router, Server, tool_fn};
/// use towline_transport::http::HttpServer;
///
/// # async fn run() -> std::io::Result<()> {
/// let ping = tool_fn("ping", "Answers.", async || "pong");
/// let server = Server::new(Router::new("example", "1.0.0").tool(ping));
/// HttpServer::new(server).shutdown_grace(Duration::from_secs(30)).serve("127.0.0.1:8080").await
/// # }
/// ```
///
/// What concerns requests rather than connections, such as the names under which the server is reached, is set on an
/// [`HttpService`]:
///
/// ```no_run
/// # use towline_core::{Router, Server};
/// # use towline_transport::http::{HttpServer, HttpService};
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = Server::new(Router::new("example", "1.0.0"));
/// let service = HttpService::new(server).allow_host("mcp.example.com".parse()?);
/// HttpServer::from(service).serve("0.0.0.0:8080").await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct HttpServer<S> {
    service: HttpService<S>,
    path: Box<str>,
    max_connections: NonZeroUsize,
    max_head: usize,
    timeouts: Timeouts,
    shutdown_grace: Duration,
}

impl<S> From<HttpService<S>> for HttpServer<S> {
    fn from(service: HttpService<S>) -> Self {
        const MAX_CONNECTIONS: NonZeroUsize = NonZeroUsize::new(1024).expect("not zero");
        Self {
            service,
            path: "/mcp".into(),
            max_connections: MAX_CONNECTIONS,
            max_head: 16 * 1024,
            timeouts: Timeouts {
                header: Duration::from_secs(10),
                idle: Duration::from_secs(75),
                write: Duration::from_secs(30),
            },
            shutdown_grace: Duration::from_secs(20),
        }
    }
}

impl<S: Serve> HttpServer<S> {
    /// Serves `server` with the defaults.
    pub fn new(server: S) -> Self {
        HttpService::new(server).into()
    }

    /// Answers at this path; any other is not found. Default: `/mcp`.
    #[must_use]
    pub fn path(mut self, path: impl Into<Box<str>>) -> Self {
        self.path = path.into();
        self
    }

    /// Keeps that many connections at once; more are answered with 503 and closed. Default: 1024.
    #[must_use]
    pub fn max_connections(mut self, connections: NonZeroUsize) -> Self {
        self.max_connections = connections;
        self
    }

    /// Takes heads of requests of that many bytes at most, and of no more than 100 headers; a larger one is answered
    /// with 431. Default, which is also about what HTTP/2 takes: 16 KiB. Less than 8 KiB is taken as 8 KiB.
    #[must_use]
    pub fn max_head(mut self, bytes: usize) -> Self {
        self.max_head = bytes.max(8 * 1024);
        self
    }

    /// Waits that long for a request's head, from its first byte, or for the first one from the beginning of the
    /// connection; then the connection is closed. Default: 10 seconds.
    #[must_use]
    pub fn header_timeout(mut self, timeout: Duration) -> Self {
        self.timeouts.header = timeout;
        self
    }

    /// Keeps a connection on which nothing is asked open for that long. Default: 75 seconds.
    #[must_use]
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.timeouts.idle = timeout;
        self
    }

    /// Closes a connection whose client has taken nothing of what is sent to it for that long. Default: 30 seconds.
    #[must_use]
    pub fn write_timeout(mut self, timeout: Duration) -> Self {
        self.timeouts.write = timeout;
        self
    }

    /// Lets requests that run at a shutdown go on for that long. Default: 20 seconds.
    #[must_use]
    pub fn shutdown_grace(mut self, grace: Duration) -> Self {
        self.shutdown_grace = grace;
        self
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
    pub async fn serve(self, address: impl ToSocketAddrs) -> io::Result<()> {
        let listener = TcpListener::bind(address).await?;
        self.serve_until(listener, shutdown_signal()).await
    }

    /// Serves at that listener until `shutdown` completes.
    ///
    /// Then no connection is accepted any more, requests that run are answered, streams go on to their ends, and what
    /// is not done within the grace period is cut off. Dropping the future cuts off everything at once.
    ///
    /// # Errors
    ///
    /// When the listener has no address.
    ///
    /// # Panics
    ///
    /// Panics outside of a tokio runtime.
    pub async fn serve_until(
        self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send,
    ) -> io::Result<()> {
        let prepare = |service: HttpService<S>| {
            move |extensions, connection| Requests(service.for_connection(extensions, connection))
        };
        self.run(listener, shutdown, prepare).await
    }

    /// Puts a tower layer around the service that answers requests, such as one that authenticates them.
    ///
    /// It is applied once, when serving begins, and stands around all paths: also those at which there is nothing. In the
    /// request's extensions it finds a [`towline_core::Extensions`] with the client's address.
    pub fn layer<L>(self, layer: L) -> LayeredHttpServer<S, L> {
        LayeredHttpServer { server: self, layer }
    }

    /// Serves with what `prepare` makes of the service, and that of each connection.
    pub(super) async fn run<M, R, B>(
        self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send,
        prepare: impl FnOnce(HttpService<S>) -> M + Send,
    ) -> io::Result<()>
    where
        M: Fn(Extensions, Connection) -> R + Send,
        R: HttpRequests<B>,
        B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
    {
        let address = listener.local_addr()?;
        let mut service = self.service.path(self.path);
        // An address is no name that an attacker could make point here.
        if !address.ip().is_unspecified() {
            service = service.allow_host(address.ip().into());
        }
        let in_flight = service.in_flight();
        let _attendant = Attendant::start(move || in_flight.is_busy());
        let tick = self.timeouts.tick(service.longest_body());
        let mut connections = Connections {
            requests: prepare(service.clone()),
            builder: Arc::new(builder(self.max_head)),
            timeouts: self.timeouts,
            tick,
            slots: Arc::new(Semaphore::new(self.max_connections.get().min(Semaphore::MAX_PERMITS))),
            stops: Arc::default(),
            tasks: JoinSet::new(),
        };
        tracing::info!(%address, "listening");
        tokio::select! {
            () = pin!(shutdown) => {}
            () = connections.accept(&listener) => {}
        }
        drop(listener);
        service.close_streams();
        connections.finish(self.shutdown_grace).await;
        Ok(())
    }
}

fn builder(max_head: usize) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().max_headers(MAX_HEADERS).max_buf_size(max_head);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(u32::try_from(max_head).unwrap_or(u32::MAX))
        .keep_alive_interval(Duration::from_secs(30));
    builder
}

/// The connections of one listener.
struct Connections<M> {
    /// Makes what answers the requests of a connection.
    requests: M,
    builder: Arc<auto::Builder<TokioExecutor>>,
    timeouts: Timeouts,
    tick: Duration,
    slots: Arc<Semaphore>,
    stops: Arc<Mutex<HashMap<u64, Arc<Stop>>>>,
    tasks: JoinSet<()>,
}

impl<M> Connections<M> {
    async fn accept<R, B>(&mut self, listener: &TcpListener)
    where
        M: Fn(Extensions, Connection) -> R,
        R: HttpRequests<B>,
        B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
    {
        let mut number = 0;
        loop {
            while self.tasks.try_join_next().is_some() {}
            match listener.accept().await {
                Ok((stream, address)) => {
                    number += 1;
                    self.admit(number, stream, ClientAddr(address));
                }
                Err(error) if is_of_the_connection(&error) => {}
                Err(error) => {
                    // Such as too many open files: it passes when some are closed.
                    tracing::warn!(%error, "cannot accept a connection");
                    sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    fn admit<R, B>(&mut self, number: u64, stream: TcpStream, address: ClientAddr)
    where
        M: Fn(Extensions, Connection) -> R,
        R: HttpRequests<B>,
        B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
    {
        let Ok(slot) = Arc::clone(&self.slots).try_acquire_owned() else {
            const FULL: &[u8] =
                b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
            // A courtesy: a client that speaks HTTP/1.1 learns why. Nothing waits for it.
            let _ = stream.try_write(FULL);
            return;
        };
        // Answers are written in one go, so waiting for more only delays them.
        let _ = stream.set_nodelay(true);
        let connection = Connection { activity: Arc::default(), tick: self.tick };
        let stop = Arc::<Stop>::default();
        let mut extensions = Extensions::default();
        extensions.insert(address);
        let requests = (self.requests)(extensions, connection.clone());
        lock(&self.stops).insert(number, Arc::clone(&stop));
        let (builder, timeouts, stops) = (Arc::clone(&self.builder), self.timeouts, Arc::clone(&self.stops));
        self.tasks.spawn(async move {
            connection::serve(stream, builder, requests, connection, timeouts, stop).await;
            lock(&stops).remove(&number);
            drop(slot);
        });
    }

    async fn finish(mut self, grace: Duration) {
        for stop in lock(&self.stops).values() {
            stop.ask();
        }
        let all = async { while self.tasks.join_next().await.is_some() {} };
        if timeout(grace, all).await.is_err() {
            tracing::warn!(connections = self.tasks.len(), "cut off at the end of the grace period");
            self.tasks.shutdown().await;
        }
    }
}

/// Whether accepting failed because of the one that connected.
fn is_of_the_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
