//! Streams that have no end of their own end when it is no longer known who opened them.

mod common;

use std::time::Duration;

use bytes::Bytes;
use common::Empty;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use tokio::time::{Instant, sleep};
use tower::ServiceExt;
use towline_core::{Extensions, KnownUntil, Principal, Router, Server, tool_fn};
use towline_transport::http::{HttpService, ResponseBody};

const HOUR: Duration = Duration::from_secs(3600);

type Service = HttpService<Server>;

fn service() -> Service {
    let slow = tool_fn("slow", "Takes two hours.", async |_: Empty, context: towline_core::Context| {
        context.progress(1.0, None, None).await;
        sleep(2 * HOUR).await;
        "done"
    });
    let mut router = Router::new("test", "1").tool(slow);
    let _ = router.registry();
    let service = HttpService::new(Server::new(router));
    #[cfg(feature = "http-sse")]
    let service = service.http_sse("/sse", "/messages");
    service
}

/// The answer to a request of somebody who is known for another hour, if at all.
async fn send(
    service: &Service,
    mut request: Request<Full<Bytes>>,
    known: Option<Duration>,
) -> Response<ResponseBody<Server>> {
    let mut extensions = Extensions::default();
    extensions.insert(Principal::new("ann"));
    if let Some(known) = known {
        extensions.insert(KnownUntil(Instant::now() + known));
    }
    request.extensions_mut().insert(extensions);
    service.clone().oneshot(request).await.unwrap()
}

fn post(headers: &[(&str, &str)], body: &str) -> Request<Full<Bytes>> {
    let request = Request::post("/mcp")
        .header("host", "localhost")
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream");
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    request.body(Full::new(body.to_owned().into())).unwrap()
}

fn get(path: &str, headers: &[(&str, &str)]) -> Request<Full<Bytes>> {
    let request = Request::get(path).header("host", "localhost").header("accept", "text/event-stream");
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    request.body(Full::default()).unwrap()
}

/// Reads a stream until it ends, and tells how long that took and what came. It is given up on after a day.
async fn read(response: Response<ResponseBody<Server>>) -> (Option<Duration>, String) {
    assert_eq!(response.status(), StatusCode::OK);
    let (begun, mut text, mut body) = (Instant::now(), String::new(), response.into_body());
    while begun.elapsed() < 24 * HOUR {
        let Some(frame) = body.frame().await else { return (Some(begun.elapsed()), text) };
        text.push_str(std::str::from_utf8(&frame.unwrap().into_data().unwrap()).unwrap());
    }
    (None, text)
}

const LISTEN: &str = r#"{"jsonrpc":"2.0","id":7,"method":"subscriptions/listen","params":{"notifications":{"toolsListChanged":true},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}"#;
const MODERN: &[(&str, &str)] =
    &[("mcp-protocol-version", "2026-07-28"), ("mcp-method", "subscriptions/listen")];

#[tokio::test(start_paused = true)]
async fn a_subscription_ends_as_subscriptions_do() {
    let service = service();
    let (lasted, text) = read(send(&service, post(MODERN, LISTEN), Some(HOUR)).await).await;
    assert_eq!(lasted.map(|lasted| lasted.as_secs()), Some(3600), "{text}");
    assert!(text.trim_end_matches([':', '\n']).contains(r#""id":7,"result""#), "its answer comes: {text}");
    let (lasted, _) = read(send(&service, post(MODERN, LISTEN), None).await).await;
    assert_eq!(lasted, None, "without a time there is no end");
}

#[tokio::test(start_paused = true)]
async fn a_session_s_stream_ends_and_the_session_goes_on() {
    let service = service();
    let hello = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}"#;
    let begun = send(&service, post(&[], hello), Some(HOUR)).await;
    let session = begun.headers()["mcp-session-id"].to_str().unwrap().to_owned();
    let session = [("mcp-session-id", &*session), ("mcp-protocol-version", "2025-06-18")];
    // Who comes with a new token opens it again.
    for _ in 0..2 {
        let (lasted, _) = read(send(&service, get("/mcp", &session), Some(HOUR)).await).await;
        assert_eq!(lasted.map(|lasted| lasted.as_secs()), Some(3600));
    }
}

#[cfg(feature = "http-sse")]
#[tokio::test(start_paused = true)]
async fn a_stream_of_the_first_revision_ends() {
    let (lasted, text) = read(send(&service(), get("/sse", &[]), Some(HOUR)).await).await;
    assert_eq!(lasted.map(|lasted| lasted.as_secs()), Some(3600), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_runs_is_answered() {
    let call = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"slow","arguments":{},"_meta":{"progressToken":1}}}"#;
    let call = post(&[("mcp-protocol-version", "2025-06-18")], call);
    let (lasted, text) = read(send(&service(), call, Some(HOUR)).await).await;
    assert_eq!(lasted.map(|lasted| lasted.as_secs()), Some(7200));
    assert!(text.contains("done"), "{text}");
}
