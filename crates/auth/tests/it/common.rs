//! A server behind the layers, and what is sent to it.

use std::net::SocketAddr;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use towline_auth::{AuthLayer, ScopeLayer, ScopePolicy};
use towline_core::{Context, FixedResource, Registry, Router, Server, prompt_fn, tool_fn};
use towline_transport::http::{HttpServer, HttpService};

#[derive(Deserialize, JsonSchema)]
pub struct Empty {}

/// What a caller may do: `read` needs a scope, `drop` another, `secret` is hidden.
pub fn policy() -> ScopePolicy {
    ScopePolicy::new()
        .everything(["mcp"])
        .tool("read", ["db:read"])
        .tool("drop", ["db:write", "db:admin"])
        .tool("secret", ["secret"])
        .hide_tool("secret")
        .prompt("review", ["db:write"])
        .resources("db://pay/", ["pay"])
        .implies("root", ["db:admin", "db:write", "db:read", "pay", "secret"])
}

pub fn router() -> (Router, Registry) {
    let tool = |name: &'static str| {
        tool_fn(name, "Says who calls.", async |_: Empty, context: Context| {
            context.principal().map_or("nobody", towline_core::Principal::id).to_owned()
        })
    };
    let mut router = Router::new("test", "1")
        .tool(tool("open"))
        .tool(tool("read"))
        .tool(tool("drop"))
        .tool(tool("secret"))
        .prompt(prompt_fn("review", "Reviews.", async || "review"))
        .resource(FixedResource::text("db://shop/a", "shop", "text/plain", "goods"))
        .resource(FixedResource::text("db://pay/a", "pay", "text/plain", "money"));
    let registry = router.registry();
    (router, registry)
}

/// Serves, and gives the address.
pub async fn serve(auth: AuthLayer) -> SocketAddr {
    let server = Server::new(router().0).layer(ScopeLayer::new(policy()));
    serve_service(HttpService::new(server), auth).await
}

pub async fn serve_service<S: towline_core::Serve>(service: HttpService<S>, auth: AuthLayer) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = HttpServer::from(service).layer(auth);
    tokio::spawn(async move { server.serve_until(listener, std::future::pending()).await });
    address
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (own, value) = line.split_once(':')?;
            own.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("{self:?}"))
    }
}

/// Sends a request and reads the whole answer.
pub async fn send(address: SocketAddr, method: &str, path: &str, headers: &[&str], body: &str) -> Answer {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let length = body.len();
    let mut text = format!(
        "{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\nconnection: close\r\n\
         accept: application/json, text/event-stream\r\ncontent-length: {length}\r\n"
    );
    for header in headers {
        text.push_str(header);
        text.push_str("\r\n");
    }
    text.push_str("\r\n");
    text.push_str(body);
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head: head.into(), body: body.into() }
}

pub fn bearer(token: &str) -> String {
    format!("authorization: Bearer {token}")
}

/// A request of an older revision, which needs no headers of its own.
pub fn message(method: &str, params: &Value) -> String {
    json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string()
}

pub async fn ask(address: SocketAddr, token: &str, method: &str, params: Value) -> Answer {
    let version = "mcp-protocol-version: 2025-06-18";
    send(address, "POST", "/mcp", &[&bearer(token), version], &message(method, &params)).await
}

pub async fn call(address: SocketAddr, token: &str, tool: &str) -> Answer {
    ask(address, token, "tools/call", json!({"name": tool, "arguments": {}})).await
}

/// The names in a list.
pub fn names(answer: &Answer, list: &str, name: &str) -> Vec<String> {
    let json = answer.json();
    let entries = json["result"][list].as_array().unwrap_or_else(|| panic!("{answer:?}"));
    entries.iter().map(|entry| entry[name].as_str().unwrap().to_owned()).collect()
}
