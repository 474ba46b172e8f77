//! A client of either era over each wire, down to the bytes.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::task::{AbortHandle, JoinSet};
use towline::http::HttpServer;
use towline::protocol::ProtocolVersion;
use towline::stdio::Stdio;
use towline::{Serve, memory};

/// What carries the messages.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wire {
    Stdio,
    Http,
    Memory,
}

impl Wire {
    pub(crate) const ALL: [Self; 3] = [Self::Stdio, Self::Http, Self::Memory];
}

/// One generation of clients for each model of the protocol.
pub(crate) const ERAS: [ProtocolVersion; 2] = [ProtocolVersion::LATEST, ProtocolVersion::V2025_11_25];

/// A server, and a client that is connected to it. Dropping it ends both.
pub(crate) struct Connected {
    link: Link,
    version: ProtocolVersion,
    tool: &'static str,
    _server: AbortOnDrop,
}

struct AbortOnDrop(Option<AbortHandle>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        if let Some(handle) = &self.0 {
            handle.abort();
        }
    }
}

enum Link {
    Stream(Lines<BufReader<OwnedReadHalf>>, OwnedWriteHalf),
    Http(SocketAddr),
    Memory(Box<memory::Client>),
}

impl Connected {
    /// Serves `server` over that wire to a client of that revision, which will call `tool`.
    pub(crate) async fn new<S: Serve>(
        server: S,
        wire: Wire,
        version: ProtocolVersion,
        tool: &'static str,
    ) -> Self {
        let (link, task) = match wire {
            Wire::Memory if version.is_modern() => (Link::Memory(memory::connect(server).into()), None),
            Wire::Memory => {
                let client = memory::connect_legacy(server, version).await.expect("the revision is spoken");
                (Link::Memory(client.into()), None)
            }
            Wire::Http => {
                let listener = TcpListener::bind("127.0.0.1:0").await.expect("a loopback port is free");
                let address = listener.local_addr().expect("a listener has an address");
                let serving = HttpServer::new(server).serve_until(listener, std::future::pending());
                (Link::Http(address), Some(tokio::spawn(serving).abort_handle()))
            }
            Wire::Stdio => {
                let (ours, theirs) = UnixStream::pair().expect("a pair of sockets can be made");
                let (reader, writer) = theirs.into_split();
                let task = tokio::spawn(Stdio::new().serve_on(server, reader, writer)).abort_handle();
                let (reader, writer) = ours.into_split();
                (Link::Stream(BufReader::new(reader).lines(), writer), Some(task))
            }
        };
        let mut connected = Self { link, version, tool, _server: AbortOnDrop(task) };
        if matches!(wire, Wire::Stdio) && !version.is_modern() {
            connected.shake_hands().await;
        }
        connected
    }

    async fn shake_hands(&mut self) {
        let params = json!({
            "protocolVersion": self.version.as_str(),
            "capabilities": {},
            "clientInfo": {"name": "test", "version": "1"},
        });
        let hello = json!({"jsonrpc": "2.0", "id": "hello", "method": "initialize", "params": params});
        self.send(&hello).await;
        self.receive().await;
        self.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"})).await;
    }

    /// Calls the tool so often at once, and returns the whole answers.
    pub(crate) async fn call(&mut self, times: usize) -> Vec<Value> {
        let requests: Vec<Value> = (0..times).map(|id| self.request(id)).collect();
        if let Link::Http(address) = self.link {
            let (tool, version) = (self.tool, self.version);
            return join_all(requests.iter().map(|body| post(address, version, tool, body))).await;
        }
        for request in &requests {
            self.send(request).await;
        }
        let mut answers = Vec::new();
        for _ in 0..times {
            answers.push(self.receive().await);
        }
        answers
    }

    /// Calls the tool, and goes away while it runs.
    pub(crate) async fn abandon_a_call(mut self) {
        let request = self.request(0);
        if let Link::Http(address) = self.link {
            let mut calls = JoinSet::new();
            let (tool, version) = (self.tool, self.version);
            calls.spawn(async move { post(address, version, tool, &request).await });
            tokio::time::sleep(Duration::from_millis(50)).await;
            calls.shutdown().await;
            // The server itself goes on: what was taken must come back because the client is gone.
            tokio::time::sleep(Duration::from_millis(50)).await;
            return;
        }
        self.send(&request).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    fn request(&self, id: usize) -> Value {
        let mut params = json!({"name": self.tool, "arguments": {}});
        if self.version.is_modern() {
            params["_meta"] = json!({
                "io.modelcontextprotocol/protocolVersion": self.version.as_str(),
                "io.modelcontextprotocol/clientCapabilities": {},
            });
        }
        json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params})
    }

    async fn send(&mut self, message: &Value) {
        let line = message.to_string();
        match &mut self.link {
            Link::Stream(_, writer) => {
                writer.write_all(format!("{line}\n").as_bytes()).await.expect("the server reads");
            }
            Link::Memory(client) => client.send(&line).await.expect("the server reads"),
            Link::Http(_) => unreachable!("HTTP has no stream"),
        }
    }

    async fn receive(&mut self) -> Value {
        let line = match &mut self.link {
            Link::Stream(lines, _) => lines.next_line().await,
            Link::Memory(client) => client.receive().await,
            Link::Http(_) => unreachable!("HTTP has no stream"),
        };
        serde_json::from_str(&line.expect("UTF-8").expect("an answer")).expect("JSON")
    }
}

/// Sends one message over a connection of its own.
async fn post(address: SocketAddr, version: ProtocolVersion, tool: &str, body: &Value) -> Value {
    let stream = TcpStream::connect(address).await.expect("the server takes connections");
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.expect("it speaks HTTP");
    let mut connections = JoinSet::new();
    connections.spawn(connection);
    let request = Request::post("/mcp")
        .header("host", address.to_string())
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", version.as_str())
        .header("mcp-method", "tools/call")
        .header("mcp-name", tool)
        .body(Full::new(Bytes::from(body.to_string())))
        .expect("a good request");
    let response = sender.send_request(request).await.expect("an answer");
    let body = response.into_body().collect().await.expect("a whole body").to_bytes();
    serde_json::from_slice(&body).expect("JSON")
}
