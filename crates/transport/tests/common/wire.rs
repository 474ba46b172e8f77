//! A client that knows nothing but bytes.
#![allow(dead_code, unreachable_pub)] // Each test binary uses a part of it.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use towline_core::Serve;
use towline_transport::http::{HttpServer, HttpService};

/// A server at a port of its own.
pub struct Running {
    pub address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<std::io::Result<()>>,
}

impl Running {
    pub async fn start<S: Serve>(server: HttpServer<S>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(server.serve_until(listener, async { drop(stopped.await) }));
        Self { address, stop: Some(stop), task }
    }

    pub async fn service<S: Serve>(service: HttpService<S>) -> Self {
        Self::start(service.into()).await
    }

    pub async fn connect(&self) -> Connection {
        Connection::to(self.address).await
    }

    /// Sends bytes on a connection of their own and returns the first response.
    pub async fn send(&self, bytes: impl AsRef<[u8]>) -> Response {
        let mut connection = self.connect().await;
        connection.write(bytes).await;
        connection.response().await
    }

    /// Asks the server to stop, without waiting until it has.
    pub fn stop(&mut self) {
        drop(self.stop.take());
    }

    pub async fn stopped(mut self) {
        self.stop();
        self.task.await.unwrap().unwrap();
    }
}

#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Response {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }

    /// The code of the JSON-RPC error in the body, 0 if there is a result, -1 if there is no JSON.
    pub fn code(&self) -> i64 {
        let body: serde_json::Value = serde_json::from_str(&self.body).unwrap_or_default();
        match &body["error"]["code"] {
            serde_json::Value::Number(code) => code.as_i64().unwrap(),
            _ if body["result"].is_object() => 0,
            _ => -1,
        }
    }
}

pub struct Connection {
    pub stream: TcpStream,
    read: Vec<u8>,
}

impl Connection {
    pub async fn to(address: SocketAddr) -> Self {
        Self { stream: TcpStream::connect(address).await.unwrap(), read: Vec::new() }
    }

    pub async fn write(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Reads until `end` has been read, and returns all up to it.
    pub async fn until(&mut self, end: &str) -> String {
        loop {
            if let Some(at) = memchr::memmem::find(&self.read, end.as_bytes()) {
                return String::from_utf8(self.read.drain(..at + end.len()).collect()).unwrap();
            }
            assert!(self.fill().await > 0, "closed before {end:?}: {}", String::from_utf8_lossy(&self.read));
        }
    }

    /// Reads until the connection is closed, and returns what came.
    pub async fn rest(&mut self) -> String {
        while self.fill().await > 0 {}
        String::from_utf8(std::mem::take(&mut self.read)).unwrap()
    }

    /// The status of the first response, or 0 if the connection is closed without one.
    pub async fn rest_or_response(&mut self) -> u16 {
        if self.fill().await == 0 { 0 } else { self.response().await.status }
    }

    async fn fill(&mut self) -> usize {
        let read = self.stream.read_buf(&mut self.read);
        match tokio::time::timeout(Duration::from_secs(10), read).await {
            Ok(Ok(len)) => len,
            Ok(Err(_reset)) => 0,
            Err(_) => panic!("nothing came: {}", String::from_utf8_lossy(&self.read)),
        }
    }

    pub async fn response(&mut self) -> Response {
        let head = self.until("\r\n\r\n").await;
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let mut response = Response { status, head, body: String::new() };
        if response.header("transfer-encoding") == Some("chunked") {
            loop {
                let size = usize::from_str_radix(self.until("\r\n").await.trim(), 16).unwrap();
                let chunk = self.take(size + 2).await;
                response.body.push_str(&chunk[..size]);
                if size == 0 {
                    break;
                }
            }
        } else if let Some(len) = response.header("content-length").map(|len| len.parse().unwrap()) {
            response.body = self.take(len).await;
        }
        response
    }

    async fn take(&mut self, len: usize) -> String {
        while self.read.len() < len {
            assert!(self.fill().await > 0, "closed in a body");
        }
        String::from_utf8(self.read.drain(..len).collect()).unwrap()
    }
}

/// A POST to `/mcp` with these header lines besides `Host` and `Content-Length`.
pub fn post(headers: &[&str], body: &str) -> String {
    let mut request = String::from("POST /mcp HTTP/1.1\r\nHost: localhost\r\n");
    for header in headers {
        request.push_str(header);
        request.push_str("\r\n");
    }
    request.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
    request
}

pub const JSON: &str = "Content-Type: application/json";
pub const ACCEPT: &str = "Accept: application/json, text/event-stream";
pub const MODERN: &str = "MCP-Protocol-Version: 2026-07-28";

/// A modern call of a tool over HTTP.
pub fn post_call(tool: &str, arguments: &str, meta: &str) -> String {
    let name = format!("Mcp-Name: {tool}");
    post(&[JSON, ACCEPT, MODERN, "Mcp-Method: tools/call", &name], &super::call(1, tool, arguments, meta))
}

/// A frame of HTTP/2 (RFC 9113, section 4.1).
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}
