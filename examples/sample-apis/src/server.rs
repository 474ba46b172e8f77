//! Listeners and connections.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::uri::{Authority, PathAndQuery};
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout, timeout_at};
use tokio_rustls::TlsAcceptor;

use crate::answer::{Answer, error};
use crate::inject::{self, Asked, Outcome};
use crate::received::{Origin, Received};
use crate::routes::{dispatch, is_admin};
use crate::state::{Gate, State};

/// Connections at most for each listener; further ones are closed at once.
const CONNECTIONS: usize = 512;

/// The largest body that is read, in bytes.
const BODY: usize = 4 << 20;

/// The time for a handshake, for a request's headers and for its body, each.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long those who close a listener wait for idle connections to end.
const GOODBYE: Duration = Duration::from_millis(250);

pub(crate) struct Listener {
    origin: Origin,
    socket: TcpListener,
    tls: Option<TlsAcceptor>,
    phase: watch::Sender<Phase>,
}

/// What a listener does at present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Open,
    /// It refuses connections, and idle ones are about to end.
    Closing,
    Closed,
}

impl Listener {
    pub(crate) fn new(origin: Origin, socket: TcpListener, tls: Option<TlsAcceptor>) -> Self {
        Self { origin, socket, tls, phase: watch::Sender::new(Phase::Open) }
    }

    pub(crate) fn phase(&self) -> watch::Receiver<Phase> {
        self.phase.subscribe()
    }

    /// Serves until the future is dropped, and all connections with it.
    pub(crate) async fn run(self, state: Arc<State>) {
        let Self { origin, mut socket, tls, phase } = self;
        let Ok(address) = socket.local_addr() else { return };
        let mut gate = state.gate.subscribe();
        let mut connections = JoinSet::new();
        let mut number = 0;
        loop {
            let closed = async {
                if origin == Origin::Other {
                    std::future::pending::<()>().await;
                }
                // While the gate is held, nobody can open it and find the listener still open.
                let _gate = gate.wait_for(|gate| *gate != Gate::Open).await;
                phase.send_replace(Phase::Closing);
            };
            tokio::select! {
                () = closed => {
                    drop(socket);
                    socket = reopened(address, &state.gate, &mut gate, &mut connections, &phase).await;
                    phase.send_replace(Phase::Open);
                }
                accepted = socket.accept() => match accepted {
                    Ok((stream, _)) => {
                        while connections.try_join_next().is_some() {}
                        if connections.len() < CONNECTIONS {
                            number += 1;
                            let connection = Connection { state: Arc::clone(&state), origin, number };
                            connections.spawn(connection.serve(stream, tls.clone()));
                        }
                    }
                    // Such as too many open files: it passes when some are closed.
                    Err(_) => sleep(Duration::from_millis(10)).await,
                },
            }
        }
    }
}

/// Keeps the port without listening, so that connections are refused, until the gate opens.
async fn reopened(
    address: SocketAddr,
    shared: &watch::Sender<Gate>,
    gate: &mut watch::Receiver<Gate>,
    connections: &mut JoinSet<()>,
    phase: &watch::Sender<Phase>,
) -> TcpListener {
    let mut socket = kept(address);
    let _ = timeout(GOODBYE, async { while connections.join_next().await.is_some() {} }).await;
    phase.send_replace(Phase::Closed);
    loop {
        let now = *gate.borrow_and_update();
        match now {
            Gate::Open => match socket.and_then(|socket| socket.listen(1024)) {
                Ok(listener) => return listener,
                Err(_) => {
                    // Somebody took the port in the instant between closing and keeping it.
                    sleep(Duration::from_millis(10)).await;
                    socket = kept(address);
                }
            },
            Gate::Closed(Some(until)) => {
                if timeout_at(until, gate.changed()).await.is_err() {
                    shared.send_if_modified(|gate| {
                        let is_due = *gate == now;
                        if is_due {
                            *gate = Gate::Open;
                        }
                        is_due
                    });
                }
            }
            Gate::Closed(None) => drop(gate.changed().await),
        }
    }
}

fn kept(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // Connections of before may still be winding down.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

#[derive(Clone)]
struct Connection {
    state: Arc<State>,
    origin: Origin,
    number: u64,
}

/// The end of a connection, or of a stream of HTTP/2, on demand.
#[derive(Debug, thiserror::Error)]
#[error("cut on demand")]
struct Cut;

impl Connection {
    async fn serve(self, stream: TcpStream, tls: Option<TlsAcceptor>) {
        // Pieces of a body go out one by one.
        let _ = stream.set_nodelay(true);
        let Some(tls) = tls else { return self.http1(stream).await };
        // A client that does not trust the authority ends here.
        let Ok(Ok(stream)) = timeout(PATIENCE, tls.accept(stream)).await else { return };
        match stream.get_ref().1.alpn_protocol() {
            Some(b"h2") => self.http2(stream).await,
            _ => self.http1(stream).await,
        }
    }

    async fn http1<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(self, stream: S) {
        let mut gate = self.gate();
        let (raw, mut instead) = mpsc::channel(1);
        let service = service_fn(move |request| {
            let (connection, raw) = (self.clone(), raw.clone());
            async move {
                match connection.outcome(request).await {
                    Outcome::Answer(answer) => Ok(answer),
                    Outcome::Cut => Err(Cut),
                    Outcome::Raw(bytes) => {
                        // The receiver is gone only with the connection.
                        let _ = raw.send(bytes).await;
                        std::future::pending().await
                    }
                }
            }
        });
        let mut serving = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(PATIENCE)
            .serve_connection(TokioIo::new(stream), service);
        let bytes = loop {
            tokio::select! {
                _ = &mut serving => return,
                Some(bytes) = instead.recv() => break bytes,
                () = closed(&mut gate) => std::pin::Pin::new(&mut serving).graceful_shutdown(),
            }
        };
        let mut stream = serving.into_parts().io.into_inner();
        if stream.write_all(&bytes).await.is_ok() {
            let _ = stream.shutdown().await;
        }
    }

    async fn http2<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(self, stream: S) {
        let mut gate = self.gate();
        let service = service_fn(move |request| {
            let connection = self.clone();
            async move {
                match connection.outcome(request).await {
                    Outcome::Answer(answer) => Ok(answer),
                    Outcome::Cut | Outcome::Raw(_) => Err(Cut),
                }
            }
        });
        let mut serving = pin!(
            http2::Builder::new(TokioExecutor::new())
                .timer(TokioTimer::new())
                .serve_connection(TokioIo::new(stream), service)
        );
        loop {
            tokio::select! {
                _ = &mut serving => return,
                () = closed(&mut gate) => serving.as_mut().graceful_shutdown(),
            }
        }
    }

    /// Tells when the connection is to end; none is told that to which connections are always accepted.
    fn gate(&self) -> Option<watch::Receiver<Gate>> {
        (self.origin != Origin::Other).then(|| self.state.gate.subscribe())
    }

    async fn outcome(&self, request: Request<Incoming>) -> Outcome {
        let (head, body) = request.into_parts();
        let body = match timeout(PATIENCE, Limited::new(body, BODY).collect()).await {
            Ok(Ok(body)) => body.to_bytes(),
            Ok(Err(problem)) if problem.is::<LengthLimitError>() => {
                return error(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large").into();
            }
            Ok(Err(_)) => return Outcome::Cut,
            Err(_) => return error(StatusCode::REQUEST_TIMEOUT, "the body did not arrive").into(),
        };
        let scheme = if self.origin == Origin::Https { "https" } else { "http" };
        let authority = head.uri.authority().map(Authority::as_str);
        let received = Received {
            origin: self.origin,
            connection: self.number,
            version: head.version,
            method: head.method,
            path: head.uri.path().to_owned(),
            query: head.uri.query().map(str::to_owned),
            headers: head.headers,
            body,
        };
        if is_admin(&received.path) {
            return dispatch(&self.state, &received, scheme, authority).into();
        }
        self.state.log().push(&received);
        let fault = match self.origin {
            Origin::Http | Origin::Https => self.state.rules().meet(&received.path),
            Origin::Other => None,
        };
        let Some(fault) = fault else {
            return dispatch(&self.state, &received, scheme, authority).into();
        };
        let answer = match fault.comes_first() {
            true => Answer::default(),
            false => dispatch(&self.state, &received, scheme, authority),
        };
        let asked = Asked {
            other: &format!("http://{}", self.state.other),
            path_and_query: head.uri.path_and_query().map_or("/", PathAndQuery::as_str),
        };
        inject::apply(fault, answer, &asked).await
    }
}

/// Resolves once, when the gate closes.
async fn closed(gate: &mut Option<watch::Receiver<Gate>>) {
    match gate {
        Some(open) => drop(open.wait_for(|gate| *gate != Gate::Open).await),
        None => std::future::pending().await,
    }
    *gate = None;
}
