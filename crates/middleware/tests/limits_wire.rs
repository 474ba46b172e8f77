//! What clients see of limits, over HTTP and over a stream, around a server and around a tool.

use std::time::Duration;

use http::header::{ACCEPT, CONTENT_TYPE, HOST, RETRY_AFTER};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use tower::ServiceExt;
use towline_core::protocol::ProtocolVersion;
use towline_core::{Router, Serve, Server, ToolExt, tool_fn};
use towline_middleware::{
    Bulkhead, BulkheadConfig, BulkheadLayer, RateKey, RateLimitConfig, RateLimitLayer, RatePolicy,
};
use towline_transport::http::HttpService;
use towline_transport::memory::{self, Client};

/// One call at once, and five in ten seconds.
fn limit() -> RateLimitLayer {
    let policy = RatePolicy::new("per caller", 5, Duration::from_secs(10)).burst(1).key([RateKey::Principal]);
    RateLimitLayer::new(RateLimitConfig::new([policy]))
}

fn limited_server() -> impl Serve {
    let ping = tool_fn("ping", "Answers.", async || "pong");
    Server::new(Router::new("test", "1").tool(ping)).layer(limit())
}

fn limited_tool() -> impl Serve {
    let ping = tool_fn("ping", "Answers.", async || "pong");
    Server::new(Router::new("test", "1").tool(ping.layer(limit())))
}

/// Its limit leaves the handshake of older clients alone, which is a request, too.
fn server_that_counts_calls_of_tools() -> impl Serve {
    let policy = RatePolicy::new("per tool", 5, Duration::from_secs(10)).burst(1).key([RateKey::Tool]);
    let ping = tool_fn("ping", "Answers.", async || "pong");
    let limit = RateLimitLayer::new(RateLimitConfig::new([policy]));
    Server::new(Router::new("test", "1").tool(ping)).layer(limit)
}

struct Response {
    status: u16,
    headers: http::HeaderMap,
    body: Value,
}

impl Response {
    fn header(&self, name: impl http::header::AsHeaderName) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

async fn post(server: &impl Serve, version: &str) -> Response {
    let mut params = json!({"name": "ping", "arguments": {}});
    if version == "2026-07-28" {
        params["_meta"] = json!({
            "io.modelcontextprotocol/protocolVersion": version,
            "io.modelcontextprotocol/clientCapabilities": {},
        });
    }
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
    let request = http::Request::post("/mcp")
        .header(HOST, "localhost")
        .header(CONTENT_TYPE, "application/json")
        .header(ACCEPT, "application/json, text/event-stream")
        .header("mcp-protocol-version", version)
        .header("mcp-method", "tools/call")
        .header("mcp-name", "ping")
        .body(Full::<bytes::Bytes>::from(body.to_string()))
        .unwrap();
    let response = HttpService::new(server.clone()).oneshot(request).await.unwrap();
    let (head, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let body = serde_json::from_slice(&body).unwrap();
    Response { status: head.status.as_u16(), headers: head.headers, body }
}

#[tokio::test(start_paused = true)]
async fn over_http_a_refusal_by_the_server_is_a_429_with_all_its_fields() {
    for version in ["2026-07-28", "2025-11-25"] {
        let server = limited_server();
        assert_eq!(post(&server, version).await.status, 200);
        let refused = post(&server, version).await;
        assert_eq!(refused.status, 429, "{version}: {}", refused.body);
        assert_eq!(refused.header(RETRY_AFTER), Some("2"));
        assert_eq!(refused.header("ratelimit-policy"), Some("\"per caller\";q=5;w=10"));
        assert_eq!(refused.header("ratelimit"), Some("\"per caller\";r=0;t=2"));
        let error = &refused.body["error"];
        assert_eq!(error["code"], 429);
        assert_eq!(error["data"], json!({"kind": "rate_limited", "retryAfterMs": 2000}));
        let message = "Too many calls: the limit \"per caller\" is 5 calls per 10 s, at most 1 at once.";
        assert_eq!(error["message"], message);

        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(post(&server, version).await.status, 200);
    }
}

#[tokio::test(start_paused = true)]
async fn over_http_a_refusal_by_a_tool_is_a_result_that_the_model_reads() {
    let server = limited_tool();
    post(&server, "2026-07-28").await;
    let refused = post(&server, "2026-07-28").await;
    assert_eq!((refused.status, refused.header("ratelimit")), (200, None));
    assert_eq!(refused.body["result"]["isError"], true);
}

async fn refused(mut client: Client) -> Result<Value, Value> {
    client.call_tool("ping", json!({})).await.unwrap().result.unwrap();
    client.call_tool("ping", json!({})).await.unwrap().result
}

#[tokio::test(start_paused = true)]
async fn over_a_stream_the_same_stands_in_the_error() {
    let legacy = memory::connect_legacy(server_that_counts_calls_of_tools(), ProtocolVersion::V2025_11_25);
    for client in [memory::connect(limited_server()), legacy.await.unwrap()] {
        let error = refused(client).await.unwrap_err();
        assert_eq!(error["code"], 429);
        assert_eq!(error["data"], json!({"kind": "rate_limited", "retryAfterMs": 2000}));
    }
}

#[tokio::test(start_paused = true)]
async fn over_a_stream_a_refusal_by_a_tool_is_a_result_that_the_model_reads() {
    let legacy = memory::connect_legacy(limited_tool(), ProtocolVersion::V2025_11_25).await.unwrap();
    for client in [memory::connect(limited_tool()), legacy] {
        let result = refused(client).await.unwrap();
        assert_eq!(result["isError"], true);
        assert_eq!(
            result["content"][0]["text"],
            "Too many calls: the limit \"per caller\" is 5 calls per 10 s, at most 1 at once. Try again in 2 s."
        );
        let facts = &result["_meta"]["dev.towline/error"];
        assert_eq!(*facts, json!({"kind": "rate_limited", "retryAfterMs": 2000}));
    }
}

#[tokio::test(start_paused = true)]
async fn a_full_bulkhead_is_a_503_that_says_when_to_come_back() {
    let bulkhead = Bulkhead::new("server", &BulkheadConfig::new(1).max_queue(0));
    let slow = tool_fn("ping", "Answers after a minute.", async || {
        tokio::time::sleep(Duration::from_secs(60)).await;
        "pong"
    });
    let server =
        Server::new(Router::new("test", "1").tool(slow)).layer(BulkheadLayer::shared(bulkhead.clone()));
    let running = tokio::spawn({
        let server = server.clone();
        async move { post(&server, "2026-07-28").await.status }
    });
    while bulkhead.available() > 0 {
        tokio::task::yield_now().await;
    }
    let refused = post(&server, "2026-07-28").await;
    assert_eq!((refused.status, refused.header(RETRY_AFTER)), (503, Some("1")));
    assert_eq!(refused.body["error"]["data"], json!({"kind": "overloaded", "retryAfterMs": 1000}));
    // The client goes away, and nothing of its call stays.
    running.abort();
    let _ = running.await;
    assert_eq!(bulkhead.available(), 1);
}
