//! Layers of tower-http around the protocol over HTTP.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use tower::{ServiceBuilder, ServiceExt};
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::timeout::TimeoutLayer;
use tower_http::trace::TraceLayer;
use towline_core::{Router, Server, tool_fn};
use towline_transport::http::HttpService;

fn call(tool: &str, text: &str) -> Request<Full<Bytes>> {
    let meta = r#"{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}"#;
    let body = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"{tool}","arguments":{{"text":"{text}"}},"_meta":{meta}}}}}"#
    );
    Request::post("/mcp")
        .header("host", "localhost")
        .header("content-type", "application/json")
        .header("mcp-protocol-version", "2026-07-28")
        .header("mcp-method", "tools/call")
        .header("mcp-name", tool)
        .header("content-length", body.len())
        .body(Full::new(body.into()))
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn tower_http_s_layers_fit_around_it() {
    #[derive(serde::Deserialize, schemars::JsonSchema)]
    struct Echo {
        text: String,
    }
    let echo = tool_fn("echo", "Says it again.", async |Echo { text }: Echo| text);
    let slow = tool_fn("slow", "Takes an hour.", async |Echo { text }: Echo| {
        tokio::time::sleep(Duration::from_secs(3600)).await;
        text
    });
    let header = HeaderName::from_static("x-served-by");
    let service = ServiceBuilder::new()
        .layer(TraceLayer::new_for_http())
        .layer(SetResponseHeaderLayer::overriding(header, HeaderValue::from_static("towline")))
        .layer(RequestBodyLimitLayer::new(2048))
        .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, Duration::from_secs(5)))
        .service(HttpService::new(Server::new(Router::new("test", "1").tool(echo).tool(slow))));
    let send = async |request: Request<Full<Bytes>>| service.clone().oneshot(request).await.unwrap();

    let response = send(call("echo", "hello")).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["x-served-by"], "towline");
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert!(String::from_utf8_lossy(&body).contains(r#""text":"hello""#));

    assert_eq!(send(call("slow", "hello")).await.status(), StatusCode::GATEWAY_TIMEOUT);
    assert_eq!(send(call("echo", &"x".repeat(4096))).await.status(), StatusCode::PAYLOAD_TOO_LARGE);
}
