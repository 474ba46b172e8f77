//! A client and a server in one process, for tests: real messages, no sockets.
//!
//! ```
//! use serde_json::json;
//! use towline_core::{Router, Server, tool_fn};
//! use towline_transport::memory;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> std::io::Result<()> {
//! let ping = tool_fn("ping", "Answers.", async || "pong");
//! let server = Server::new(Router::new("example", "1.0.0").tool(ping));
//!
//! let mut client = memory::connect(server);
//! let answer = client.call_tool("ping", json!({})).await?;
//! assert_eq!(answer.result.unwrap()["content"][0]["text"], "pong");
//! # Ok(())
//! # }
//! ```

use std::io;

use serde_json::{Map, Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, Lines, ReadHalf, WriteHalf};
use tokio::task::JoinHandle;
use towline_core::Serve;
use towline_core::protocol::ProtocolVersion;

use crate::stdio::Stdio;

/// How many bytes are under way in each direction before the writer waits.
const PIPE: usize = 64 * 1024;

/// Serves one client of the current revision in this process.
///
/// # Panics
///
/// Panics outside of a tokio runtime.
pub fn connect<S: Serve>(server: S) -> Client {
    Client::new(server, Stdio::new(), ProtocolVersion::LATEST)
}

/// Serves one client of an older revision in this process, and does the handshake of that revision.
///
/// # Errors
///
/// When the server does not agree to that revision.
///
/// # Panics
///
/// Panics outside of a tokio runtime.
pub async fn connect_legacy<S: Serve>(server: S, version: ProtocolVersion) -> io::Result<Client> {
    let mut client = Client::new(server, Stdio::new(), version);
    let info = json!({"name": "memory", "version": env!("CARGO_PKG_VERSION")});
    let params =
        json!({"protocolVersion": version.as_str(), "capabilities": client.capabilities, "clientInfo": info});
    let answer = client.call("initialize", params).await?;
    let agreed = answer
        .result
        .ok()
        .and_then(|result| Some(result.get("protocolVersion")?.as_str()? == version.as_str()));
    if agreed != Some(true) {
        return Err(io::Error::other(format!("the server does not agree to revision {version}")));
    }
    client.send(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#).await?;
    Ok(client)
}

/// A client in the same process as its server. Dropping it ends what it has asked for.
#[derive(Debug)]
pub struct Client {
    lines: Lines<BufReader<ReadHalf<DuplexStream>>>,
    writer: WriteHalf<DuplexStream>,
    server: JoinHandle<io::Result<()>>,
    version: ProtocolVersion,
    capabilities: Value,
    meta: Map<String, Value>,
    last_id: i64,
}

/// What came back for one request.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// What the server reported before it answered, as whole messages.
    pub notifications: Vec<Value>,
    /// The `result` member, or the `error` member.
    pub result: Result<Value, Value>,
}

impl Client {
    /// A client of that revision, served with these options. It does no handshake.
    ///
    /// # Panics
    ///
    /// Panics outside of a tokio runtime.
    pub fn new<S: Serve>(server: S, options: Stdio, version: ProtocolVersion) -> Self {
        let (ours, theirs) = tokio::io::duplex(PIPE);
        let (reader, writer) = tokio::io::split(theirs);
        let server = tokio::spawn(options.serve_on(server, reader, writer));
        let (reader, writer) = tokio::io::split(ours);
        let lines = BufReader::new(reader).lines();
        Self { lines, writer, server, version, capabilities: json!({}), meta: Map::new(), last_id: 0 }
    }

    /// Declares capabilities, such as `{"sampling": {}}`, with each request that follows. A client of an older
    /// revision has declared its own when it connected.
    #[must_use]
    pub fn capabilities(mut self, capabilities: Value) -> Self {
        self.capabilities = capabilities;
        self
    }

    /// Adds a member to the `_meta` of each request that follows, such as `progressToken`.
    #[must_use]
    pub fn meta(mut self, key: impl Into<String>, value: Value) -> Self {
        self.meta.insert(key.into(), value);
        self
    }

    /// Calls a tool and waits for the answer.
    ///
    /// # Errors
    ///
    /// When the server is gone.
    pub async fn call_tool(&mut self, name: &str, arguments: Value) -> io::Result<Answer> {
        self.call("tools/call", json!({"name": name, "arguments": arguments})).await
    }

    /// Sends a request and waits for the answer.
    ///
    /// # Errors
    ///
    /// When the server is gone.
    pub async fn call(&mut self, method: &str, mut params: Value) -> io::Result<Answer> {
        self.last_id += 1;
        let id = self.last_id;
        self.fill_meta(&mut params);
        let request = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        self.send(&request.to_string()).await?;
        let mut notifications = Vec::new();
        loop {
            let line = self.receive().await?.ok_or(io::ErrorKind::UnexpectedEof)?;
            let mut message: Value = serde_json::from_str(&line)?;
            if message.get("method").is_some() {
                notifications.push(message);
            } else if message["id"] == id {
                let result = match message.get_mut("error") {
                    Some(error) => Err(error.take()),
                    None => Ok(message["result"].take()),
                };
                return Ok(Answer { notifications, result });
            }
        }
    }

    fn fill_meta(&self, params: &mut Value) {
        let mut meta = self.meta.clone();
        if self.version.is_modern() {
            meta.insert("io.modelcontextprotocol/protocolVersion".into(), self.version.as_str().into());
            meta.insert("io.modelcontextprotocol/clientCapabilities".into(), self.capabilities.clone());
        }
        if let (false, Some(params)) = (meta.is_empty(), params.as_object_mut()) {
            let own = params.remove("_meta");
            meta.extend(own.and_then(|own| own.as_object().cloned()).unwrap_or_default());
            params.insert("_meta".into(), meta.into());
        }
    }

    /// Sends one line as it is.
    ///
    /// # Errors
    ///
    /// When the server is gone.
    pub async fn send(&mut self, line: &str) -> io::Result<()> {
        self.writer.write_all(line.as_bytes()).await?;
        self.writer.write_all(b"\n").await
    }

    /// The next line that the server sends, or `None` when it has sent its last.
    ///
    /// # Errors
    ///
    /// When what it sends is not UTF-8.
    pub async fn receive(&mut self) -> io::Result<Option<String>> {
        self.lines.next_line().await
    }

    /// Ends the input, as a client does that wants its server to end, and returns what the server still sends.
    ///
    /// # Errors
    ///
    /// When the server failed.
    pub async fn close(mut self) -> io::Result<Vec<String>> {
        self.writer.shutdown().await?;
        let mut rest = Vec::new();
        while let Some(line) = self.lines.next_line().await? {
            rest.push(line);
        }
        (&mut self.server).await.map_err(io::Error::other)??;
        Ok(rest)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.server.abort();
    }
}
