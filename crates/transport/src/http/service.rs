//! The protocol over HTTP, as a tower service.

use std::convert::Infallible;
use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Buf;
use http::header::EXPECT;
use http::{Method, Request, Response, StatusCode, Version};
use http_body::Body;
use tokio::sync::watch;
use tower::Service;
use towline_core::codec::Limits;
use towline_core::{BoxError, Error, ErrorKind, Extensions, KnownUntil, Serve};

use super::allow::{Allowed, Host, Origin};
use super::body::{self, Collect, Deadline};
use super::future::ResponseFuture;
use super::head::{self, Head};
#[cfg(feature = "http-sse")]
use super::http_sse::{Endpoint, HttpSse};
use super::in_flight::{Bound, InFlight};
use super::refusal::Refusal;
use super::respond::ResponseBody;
use super::session::{SessionLimits, Sessions};
use super::watch::{Activity, Requested};

/// The protocol over HTTP, as a [`tower::Service`] that mounts into axum, hyper or any other server that speaks
/// tower's language.
///
/// It takes POST alone, and refuses what does not say `application/json`. A request must be addressed to a name that
/// is allowed, which local names (`localhost`, `127.0.0.1`, `[::1]`) always are, and if it is from a web page, the
/// page's origin must be allowed, which those of local pages are where the request is to a local name.
///
/// ```no_run
/// use towline_core::{Router, Server, tool_fn};
/// use towline_transport::http::HttpService;
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let ping = tool_fn("ping", "Answers.", async || "pong");
/// let server = Server::new(Router::new("example", "1.0.0").tool(ping));
/// let service = HttpService::new(server).allow_host("mcp.example.com".parse()?);
///
/// let app = axum::Router::new().route_service("/mcp", service);
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
/// axum::serve(listener, app).await?;
/// # Ok(())
/// # }
/// ```
///
/// A layer around it, such as one for authentication, hands on what it knows by putting a
/// [`towline_core::Extensions`] into the HTTP request's extensions: layers and tools find its values in their
/// request's context.
#[derive(Clone)]
pub struct HttpService<S> {
    server: S,
    options: Arc<Options>,
    extensions: Extensions,
    connection: Option<Connection>,
}

/// The connection of an [`HttpServer`](super::HttpServer) from which requests come.
#[derive(Clone, Debug)]
pub(super) struct Connection {
    pub(super) activity: Arc<Activity>,
    /// How often everything that runs on it is polled, whatever happens.
    pub(super) tick: Duration,
}

#[derive(Clone, Debug)]
pub(super) struct Options {
    pub(super) path: Option<Box<str>>,
    pub(super) allowed: Allowed,
    pub(super) max_body: usize,
    pub(super) limits: Limits,
    pub(super) body_timeout: Duration,
    pub(super) keep_alive: Duration,
    pub(super) in_flight: Bound,
    pub(super) streams_answers: bool,
    pub(super) sessions: Sessions,
    pub(super) closing: watch::Sender<bool>,
    #[cfg(feature = "http-sse")]
    pub(super) http_sse: Option<HttpSse>,
}

impl Options {
    /// Waits until what has no end of its own must end: the server closes, or the caller is no longer known.
    pub(super) fn end(&self, extensions: &Extensions) -> impl Future<Output = ()> + Send + 'static {
        let (mut closing, extensions) = (self.closing.subscribe(), extensions.clone());
        async move {
            tokio::select! {
                // An error is a service that is gone.
                _ = closing.wait_for(|closing| *closing) => {}
                () = KnownUntil::wait(&extensions) => {}
            }
        }
    }
}

/// What counts a request for as long as it runs.
pub(super) struct Guard {
    /// Taken once the body is there: one that is slow to come keeps no other request out.
    in_flight: Option<InFlight>,
    _requested: Option<Requested>,
}

impl Guard {
    /// No longer counts the request among those that run: it goes on for as long as its client likes.
    pub(super) fn leave(&mut self) {
        self.in_flight = None;
    }

    /// Counts the request among those that run.
    ///
    /// # Errors
    ///
    /// When there are as many as may be.
    pub(super) fn enter(&mut self, bound: &Bound) -> Result<(), Refusal> {
        self.in_flight = bound.enter();
        if self.in_flight.is_some() {
            return Ok(());
        }
        let error = Error::new(ErrorKind::Overloaded, "the server is at its limit; try again shortly")
            .with_retry_after(Duration::from_secs(1));
        Err(Refusal::of(StatusCode::SERVICE_UNAVAILABLE, error))
    }
}

impl<S> HttpService<S> {
    /// Serves `server` with the defaults.
    pub fn new(server: S) -> Self {
        let options = Options {
            path: None,
            allowed: Allowed::default(),
            max_body: 1024 * 1024,
            limits: Limits::default(),
            body_timeout: Duration::from_secs(15),
            keep_alive: Duration::from_secs(15),
            in_flight: Bound::new(1024),
            streams_answers: false,
            sessions: Sessions::new(SessionLimits::default()),
            closing: watch::Sender::new(false),
            #[cfg(feature = "http-sse")]
            http_sse: None,
        };
        Self { server, options: Arc::new(options), extensions: Extensions::default(), connection: None }
    }

    /// Lets requests through that are addressed to this name.
    #[must_use]
    pub fn allow_host(self, host: Host) -> Self {
        self.with(|options| options.allowed.hosts.push(host))
    }

    /// Lets requests through whatever name they are addressed to. Only behind a proxy that checks it.
    #[must_use]
    pub fn allow_any_host(self) -> Self {
        self.with(|options| options.allowed.any_host = true)
    }

    /// Lets the web pages of this origin send requests and read the answers.
    #[must_use]
    pub fn allow_origin(self, origin: Origin) -> Self {
        self.with(|options| options.allowed.origins.push(origin))
    }

    /// Lets all web pages send requests and read the answers. Only where each request is authenticated by something
    /// that a browser does not add by itself.
    #[must_use]
    pub fn allow_any_origin(self) -> Self {
        self.with(|options| options.allowed.any_origin = true)
    }

    /// Takes bodies of that many bytes at most. Default: 1 MiB.
    #[must_use]
    pub fn max_body(self, bytes: usize) -> Self {
        self.with(|options| options.max_body = bytes)
    }

    /// Bounds what one message may consist of.
    #[must_use]
    pub fn limits(self, limits: Limits) -> Self {
        self.with(|options| options.limits = limits)
    }

    /// Waits that long for a body to be complete. Default: 15 seconds.
    #[must_use]
    pub fn body_timeout(self, timeout: Duration) -> Self {
        self.with(|options| options.body_timeout = timeout)
    }

    /// Sends a comment on a stream of events that has been quiet for that long, so that nothing on the way takes it
    /// for dead. Default: 15 seconds.
    #[must_use]
    pub fn keep_alive(self, interval: Duration) -> Self {
        self.with(|options| options.keep_alive = interval)
    }

    /// Runs that many requests at once, over all connections; more are refused with 503. Default: 1024.
    #[must_use]
    pub fn max_in_flight(self, requests: NonZeroUsize) -> Self {
        self.with(|options| options.in_flight = Bound::new(requests.get()))
    }

    /// Gives every answer as a stream of events to clients that take one, also where there is nothing before it. Default: one
    /// JSON object, which costs less. That is for what stands between, such as a proxy that streams nothing else.
    #[must_use]
    pub fn stream_answers(self) -> Self {
        self.with(|options| options.streams_answers = true)
    }

    /// Keeps sessions of clients of revisions before 2026-07-28 within these bounds, where they need any.
    #[must_use]
    pub fn sessions(self, limits: SessionLimits) -> Self {
        self.with(|options| options.sessions = Sessions::new(limits))
    }

    /// Serves clients of revision 2024-11-05, which know no other HTTP, at two paths of their own: such as `/sse`, where they
    /// open a stream, and `/messages`, which the stream then tells them. Default: not at all. That transport is deprecated.
    ///
    /// Under another server's paths, the service must be reached at both.
    #[cfg(feature = "http-sse")]
    #[must_use]
    pub fn http_sse(self, stream_path: impl Into<Box<str>>, message_path: impl Into<Box<str>>) -> Self {
        const MAX: usize = 10_000;
        let http_sse = HttpSse::new(stream_path.into(), message_path.into(), MAX);
        self.with(|options| options.http_sse = Some(http_sse))
    }

    /// Ends the streams that go on for as long as both sides want, each with its completion; for a shutdown. An
    /// [`HttpServer`](super::HttpServer) does it by itself.
    pub fn close_streams(&self) {
        self.options.closing.send_replace(true);
    }

    /// Answers at this path alone. A service that is mounted has its path from where it is mounted.
    pub(super) fn path(self, path: Box<str>) -> Self {
        self.with(|options| options.path = Some(path))
    }

    /// The same service, for the requests of one connection.
    pub(super) fn for_connection(&self, extensions: Extensions, connection: Connection) -> Self
    where
        S: Clone,
    {
        Self { extensions, connection: Some(connection), ..self.clone() }
    }

    fn with(mut self, change: impl FnOnce(&mut Options)) -> Self {
        change(Arc::make_mut(&mut self.options));
        self
    }
}

impl<S: Serve> HttpService<S> {
    /// Answers one request.
    pub(super) fn handle<B>(&self, request: Request<B>) -> ResponseFuture<S, B>
    where
        B: Body,
        B::Error: Into<BoxError>,
    {
        // With layers around the service, the connection is known to the request alone.
        let own = || self.connection.is_none().then(|| request.extensions().get::<Connection>().cloned());
        let connection = own().flatten();
        let connection = connection.as_ref().or(self.connection.as_ref());
        let note = |connection: &Connection| connection.activity.request(request.version());
        let requested = connection.map(note);
        let method = request.method().clone();
        #[cfg(feature = "http-sse")]
        let endpoint = self.options.http_sse.as_ref().and_then(|sse| sse.endpoint(&method, request.uri()));
        #[cfg(feature = "http-sse")]
        if let (Some(endpoint), Some(sse)) = (endpoint, &self.options.http_sse) {
            return match self.admit(request, connection, None, matches!(endpoint, Endpoint::Open)) {
                Ok((head, extensions, body)) => {
                    let guard = Guard { in_flight: None, _requested: requested };
                    let options = Arc::clone(&self.options);
                    let (server, origin) = (self.server.clone(), head.origin);
                    ResponseFuture::http_sse(
                        server,
                        (sse.clone(), endpoint),
                        &options,
                        extensions,
                        body,
                        origin,
                        guard,
                    )
                }
                Err(refusal) => ResponseFuture::refused(refusal),
            };
        }
        match self.admit(request, connection, self.options.path.as_deref(), false) {
            Ok((head, extensions, _)) if method != Method::POST => {
                let guard = Guard { in_flight: None, _requested: requested };
                ResponseFuture::of_session(&method, &head, &extensions, &self.options, guard)
            }
            Ok((head, extensions, body)) => {
                let server = self.server.clone();
                let guard = Guard { in_flight: None, _requested: requested };
                ResponseFuture::reading(server, Arc::clone(&self.options), head, extensions, body, guard)
            }
            Err(refusal) => ResponseFuture::refused(refusal),
        }
    }

    /// Judges a request by its head.
    fn admit<B: Body>(
        &self,
        request: Request<B>,
        connection: Option<&Connection>,
        path: Option<&str>,
        opens_stream: bool,
    ) -> Result<(Head, Extensions, Collect<B>), Refusal> {
        let (mut parts, body) = request.into_parts();
        let options = &self.options;
        let head = head::read(&parts, &options.allowed, path, opens_stream)?;
        let refused = |refusal: Refusal| refusal.with_origin(head.origin.clone());
        if body::is_too_large(&body, options.max_body) && parts.headers.contains_key(EXPECT) {
            // It asks first, and need not send what will not be read.
            return Err(refused(body::too_large(options.max_body, &[]).with_body_left(parts.version)));
        }
        let deadline = self.deadline(connection, parts.version);
        let body = Collect::new(body, options.max_body, parts.version, deadline);
        let mut extensions = self.extensions.clone();
        if !parts.extensions.is_empty()
            && let Some(own) = parts.extensions.remove::<Extensions>()
        {
            extensions.extend(own);
        }
        Ok((head, extensions, body))
    }
}

impl<S> HttpService<S> {
    /// How long a body may take. On a connection of HTTP/1.1 the request's future is polled with every tick.
    fn deadline(&self, connection: Option<&Connection>, version: Version) -> Deadline {
        let timeout = self.options.body_timeout;
        match connection {
            Some(connection) if version < Version::HTTP_2 => {
                Deadline::Polled(timeout.saturating_sub(connection.tick), None)
            }
            _ => Deadline::Timer(timeout, None),
        }
    }

    /// What counts the requests that run.
    pub(super) fn in_flight(&self) -> Bound {
        self.options.in_flight.clone()
    }

    /// How long a body may take at most.
    pub(super) fn longest_body(&self) -> Duration {
        self.options.body_timeout
    }
}

impl<S, B> Service<Request<B>> for HttpService<S>
where
    S: Serve,
    B: Body,
    B::Data: Buf,
    B::Error: Into<BoxError>,
{
    type Response = Response<ResponseBody<S>>;
    type Error = Infallible;
    type Future = ResponseFuture<S, B>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // Whether the server is ready is asked per request, once it is known to be one.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        self.handle(request)
    }
}

impl<S> fmt::Debug for HttpService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpService").field("options", &self.options).finish_non_exhaustive()
    }
}
