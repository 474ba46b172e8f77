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

use std::fmt;
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
    Client::new(server, Stdio::new(), version).shake_hands().await
}

/// How a client answers what the server asks of it: by the method and its parameters, the `result` member or the `error`
/// member of the answer.
type Responder = Box<dyn FnMut(&str, &Value) -> Result<Value, Value> + Send>;

/// A client in the same process as its server. Dropping it ends what it has asked for.
pub struct Client {
    lines: Lines<BufReader<ReadHalf<DuplexStream>>>,
    writer: WriteHalf<DuplexStream>,
    server: JoinHandle<io::Result<()>>,
    version: ProtocolVersion,
    capabilities: Value,
    meta: Map<String, Value>,
    responder: Option<Responder>,
    last_id: i64,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("version", &self.version).finish_non_exhaustive()
    }
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
        let (capabilities, meta) = (json!({}), Map::new());
        Self { lines, writer, server, version, capabilities, meta, responder: None, last_id: 0 }
    }

    /// Does the handshake of the client's older revision.
    ///
    /// # Errors
    ///
    /// When the server does not agree to that revision.
    pub async fn shake_hands(mut self) -> io::Result<Self> {
        let info = json!({"name": "memory", "version": env!("CARGO_PKG_VERSION")});
        let version = self.version;
        let params = json!({"protocolVersion": version.as_str(), "capabilities": self.capabilities, "clientInfo": info});
        let answer = self.call("initialize", params).await?;
        let agreed = answer
            .result
            .ok()
            .and_then(|result| Some(result.get("protocolVersion")?.as_str()? == version.as_str()));
        if agreed != Some(true) {
            return Err(io::Error::other(format!("the server does not agree to revision {version}")));
        }
        self.send(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#).await?;
        Ok(self)
    }

    /// Gives the input that the server asks for: whatever `answer` makes of a method, such as `elicitation/create`, and
    /// its parameters. A request that needs input is then sent again with the answers, until it is done.
    #[must_use]
    pub fn answering(
        mut self,
        answer: impl FnMut(&str, &Value) -> Result<Value, Value> + Send + 'static,
    ) -> Self {
        self.responder = Some(Box::new(answer));
        self
    }

    /// Declares capabilities, such as `{"sampling": {}}`: with each request that follows, or in the handshake of an older
    /// revision.
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
        let mut notifications = Vec::new();
        loop {
            let result = self.exchange(method, params.clone(), &mut notifications).await?;
            match self.gather(result.as_ref().ok()) {
                Some(input) => {
                    let params = params.as_object_mut().expect("parameters are an object");
                    params.remove("requestState");
                    params.extend(input);
                }
                None => return Ok(Answer { notifications, result }),
            }
        }
    }

    async fn exchange(
        &mut self,
        method: &str,
        mut params: Value,
        notifications: &mut Vec<Value>,
    ) -> io::Result<Result<Value, Value>> {
        self.last_id += 1;
        let id = self.last_id;
        self.fill_meta(&mut params);
        let request = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        self.send(&request.to_string()).await?;
        loop {
            let line = self.receive().await?.ok_or(io::ErrorKind::UnexpectedEof)?;
            let mut message: Value = serde_json::from_str(&line)?;
            if message.get("method").is_some() && message.get("id").is_some() {
                let answer = self.respond(&message);
                self.send(&answer.to_string()).await?;
            } else if message.get("method").is_some() {
                notifications.push(message);
            } else if message["id"] == id {
                return Ok(match message.get_mut("error") {
                    Some(error) => Err(error.take()),
                    None => Ok(message["result"].take()),
                });
            }
        }
    }

    /// The answer to a request of the server's.
    fn respond(&mut self, request: &Value) -> Value {
        let method = request["method"].as_str().unwrap_or_default();
        let outcome = match &mut self.responder {
            Some(responder) => responder(method, &request["params"]),
            None => Err(json!({"code": -32601, "message": "method not found"})),
        };
        match outcome {
            Ok(result) => json!({"jsonrpc": "2.0", "id": request["id"], "result": result}),
            Err(error) => json!({"jsonrpc": "2.0", "id": request["id"], "error": error}),
        }
    }

    /// The input that an answer asks for, if it asks for any and there is who can give it.
    fn gather(&mut self, result: Option<&Value>) -> Option<Map<String, Value>> {
        let result = result.filter(|result| result["resultType"] == "input_required")?;
        let responder = self.responder.as_mut()?;
        let mut responses = Map::new();
        for (key, request) in result["inputRequests"].as_object().into_iter().flatten() {
            let method = request["method"].as_str().unwrap_or_default();
            responses.insert(key.clone(), responder(method, &request["params"]).ok()?);
        }
        let mut input = Map::from_iter([("inputResponses".to_owned(), responses.into())]);
        if let Some(state) = result.get("requestState") {
            input.insert("requestState".to_owned(), state.clone());
        }
        Some(input)
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
