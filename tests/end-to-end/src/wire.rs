//! How clients reach a server under test, with a witness in between.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use bytes::{Bytes, BytesMut};
use http::header::CONTENT_TYPE;
use http::{Request, Response};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::{Conversation, Process, Target};

/// A transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// Standard input and output.
    Stdio,
    /// Streamable HTTP.
    Http,
}

/// A server under test, how to reach it, and what was said.
#[derive(Debug)]
pub struct Setup {
    target: Target,
    record: Record,
}

#[derive(Debug)]
enum Record {
    Stdio(TempDir),
    Http { exchanges: Exchanges, server: Process, _relay: JoinSet<()> },
}

impl Setup {
    /// Makes a server ready that takes `--stdio` and `--listen ADDRESS`, with `tap` in front of it.
    pub async fn new(wire: Wire, tap: &Path, server: &Path, arguments: &[&str]) -> Self {
        match wire {
            Wire::Stdio => Self::stdio(tap, server, arguments),
            Wire::Http => Self::http(server, arguments).await,
        }
    }

    fn stdio(tap: &Path, server: &Path, arguments: &[&str]) -> Self {
        let directory = TempDir::new().expect("a temporary directory can be made");
        let paths = [tap, directory.path(), server].map(|path: &Path| path.display().to_string());
        let arguments = arguments.iter().copied().chain(["--stdio"]).map(str::to_owned);
        Self {
            target: Target::Command(paths.into_iter().chain(arguments).collect()),
            record: Record::Stdio(directory),
        }
    }

    async fn http(server: &Path, arguments: &[&str]) -> Self {
        let (server, address) = {
            let (server, arguments) = (PathBuf::from(server), to_owned(arguments));
            let start = move || Process::listen(Command::new(server).args(arguments));
            tokio::task::spawn_blocking(start).await.expect("the server starts")
        };
        let exchanges = Exchanges::default();
        let (relay, relay_address) = relay(address, exchanges.clone()).await;
        let target = Target::Url(format!("http://{relay_address}/mcp"));
        Self { target, record: Record::Http { exchanges, server, _relay: relay } }
    }

    /// Where clients find the server.
    pub fn target(&self) -> Target {
        self.target.clone()
    }

    /// The process, if the server is one of ours and not started by the client.
    pub fn process(&self) -> Option<&Process> {
        match &self.record {
            Record::Stdio(_) => None,
            Record::Http { server, .. } => Some(server),
        }
    }

    /// What was said so far.
    pub fn conversations(&self) -> Vec<Conversation> {
        match &self.record {
            Record::Stdio(directory) => Conversation::read_all(directory.path()),
            Record::Http { exchanges, .. } => {
                let exchanges = exchanges.0.lock().expect("no relay panics");
                exchanges.iter().map(Exchange::conversation).collect()
            }
        }
    }
}

fn to_owned(arguments: &[&str]) -> Vec<String> {
    arguments.iter().map(|argument| (*argument).to_owned()).collect()
}

#[derive(Clone, Debug, Default)]
struct Exchanges(Arc<Mutex<Vec<Exchange>>>);

#[derive(Clone, Debug)]
struct Exchange {
    request: Bytes,
    media_type: String,
    answer: Arc<Mutex<BytesMut>>,
}

impl Exchange {
    fn conversation(&self) -> Conversation {
        let answer = self.answer.lock().expect("no relay panics");
        Conversation::of_exchange(&self.request, &self.media_type, &answer)
    }
}

/// Passes requests on to the server and keeps what is said.
async fn relay(server: SocketAddr, exchanges: Exchanges) -> (JoinSet<()>, SocketAddr) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a loopback port is free");
    let address = listener.local_addr().expect("a listener has an address");
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            let exchanges = exchanges.clone();
            let pass = service_fn(move |request| pass(request, server, exchanges.clone()));
            let connection =
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), pass);
            // A client may leave in the midst of an answer.
            connections.spawn(async move { drop(connection.await) });
        }
    });
    (tasks, address)
}

type Body = BoxBody<Bytes, hyper::Error>;

async fn pass(
    request: Request<Incoming>,
    server: SocketAddr,
    exchanges: Exchanges,
) -> Result<Response<Body>, hyper::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let stream = TcpStream::connect(server).await.expect("the server takes connections");
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let answer = sender.send_request(Request::from_parts(head, Full::new(body.clone()))).await?;

    let media_type =
        answer.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kept = Arc::new(Mutex::new(BytesMut::new()));
    let exchange = Exchange { request: body, media_type: media_type.to_owned(), answer: Arc::clone(&kept) };
    exchanges.0.lock().expect("no relay panics").push(exchange);
    Ok(answer.map(|body| {
        let keep = move |frame: Frame<Bytes>| {
            if let Some(data) = frame.data_ref() {
                kept.lock().expect("no relay panics").extend_from_slice(data);
            }
            frame
        };
        body.map_frame(keep).boxed()
    }))
}
