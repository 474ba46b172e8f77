//! What logs are told of a request.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tower::{Layer, ServiceExt, service_fn};
use towline_core::{
    BoxError, Error, ErrorKind, RawJson, Request, Router, Server, ToolCall, ToolSet, tool_fn,
};
use towline_middleware::TraceLayer;
use tracing::subscriber::{DefaultGuard, set_default};
use tracing_subscriber::fmt::format::FmtSpan;

/// What a subscriber has written.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Writes what is new and what ends, on this thread.
    fn start(level: tracing::Level) -> (Self, DefaultGuard) {
        let log = Self::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(level)
            .with_ansi(false)
            .with_span_events(FmtSpan::CLOSE)
            .with_writer(move || writer.clone())
            .finish();
        (log, set_default(subscriber))
    }

    fn lines(&self) -> Vec<String> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        text.lines().map(str::to_owned).collect()
    }
}

impl io::Write for Log {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn check(line: &str, parts: &[&str]) {
    for part in parts {
        assert!(line.contains(part), "{part} is missing: {line}");
    }
}

fn request(then: &str) -> Request {
    let meta = json!({"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"});
    let arguments = json!({"then": then, "secret": "hunter2"});
    Request::new("tools/call", &json!({"name": "obey", "arguments": arguments, "_meta": meta})).unwrap()
}

fn server() -> impl towline_core::Serve {
    let obey = tool_fn("obey", "Obeys.", async |args: serde_json::Map<String, Value>| {
        tracing::info!("at work");
        match args["then"].as_str() {
            Some("fail") => Err(Error::new(ErrorKind::Timeout, "late")),
            Some("hang") => std::future::pending().await,
            _ => Ok("the result"),
        }
    });
    let tools = ToolSet::new().with(obey).layer(TraceLayer::new());
    Server::new(Router::new("test", "1").tools(tools)).layer(TraceLayer::new())
}

#[tokio::test]
async fn what_is_logged_within_stands_in_the_spans_of_request_and_tool() {
    let (log, _guard) = Log::start(tracing::Level::INFO);
    server().oneshot(request("")).await.unwrap();
    let lines = log.lines();
    assert_eq!(lines.len(), 3, "{lines:?}");
    let (request, tool) = lines[0].split_once(":mcp.tool{").unwrap();
    check(
        request,
        &[
            "mcp.request{",
            "otel.name=tools/call obey",
            r#"otel.kind="server""#,
            r#"mcp.method.name="tools/call""#,
            r#"gen_ai.tool.name="obey""#,
            "trace_id=0af7651916cd43dd8448eb211c80319c",
        ],
    );
    check(tool, &["otel.name=execute_tool obey", r#"otel.kind="internal""#, "at work"]);
    for secret in ["hunter2", "the result"] {
        assert!(!lines.iter().any(|line| line.contains(secret)), "{lines:?}");
    }
}

#[tokio::test]
async fn a_span_tells_how_it_ended() {
    let (log, _guard) = Log::start(tracing::Level::INFO);
    server().oneshot(request("fail")).await.unwrap_err();
    let lines = log.lines();
    check(&lines[2], &[r#"error.type="504""#, "rpc.response.status_code=504", "close"]);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_request_is_marked_as_cancelled() {
    let (log, _guard) = Log::start(tracing::Level::INFO);
    let call = server().oneshot(request("hang"));
    tokio::time::timeout(Duration::from_secs(1), call).await.unwrap_err();
    let lines = log.lines();
    check(&lines[1], &["towline.cancelled=true", "close"]);
    assert!(!lines[1].contains("error.type"), "{lines:?}");
}

#[tokio::test]
async fn nobody_interested_means_no_span() {
    let (log, _guard) = Log::start(tracing::Level::WARN);
    server().oneshot(request("fail")).await.unwrap_err();
    assert_eq!(log.lines(), [""; 0]);
}

#[tokio::test]
async fn it_fits_a_service_with_boxed_errors() {
    let (log, _guard) = Log::start(tracing::Level::INFO);
    let service = TraceLayer::new().layer(service_fn(|_: ToolCall| {
        tracing::info!("at once");
        std::future::ready(Err::<(), BoxError>(Error::new(ErrorKind::Unavailable, "away").into()))
    }));
    let call = ToolCall::new("plain", RawJson::EMPTY_OBJECT, towline_core::Context::default());
    service.oneshot(call).await.unwrap_err();
    let lines = log.lines();
    check(&lines[0], &["mcp.tool{", "execute_tool plain", "at once"]);
    check(&lines[1], &["execute_tool plain", r#"error.type="503""#]);
}

#[tokio::test]
async fn what_a_client_chooses_is_cut_and_makes_no_names() {
    let (log, _guard) = Log::start(tracing::Level::INFO);
    for (method, tool) in [("é".repeat(500), "x"), ("tools/call".into(), "no \"tool\"\n")] {
        let _ =
            server().oneshot(Request::new(method, &json!({"name": tool, "arguments": {}})).unwrap()).await;
    }
    let lines = log.lines();
    check(&lines[0], &["otel.name=_other ", &format!(r#"mcp.method.name="{}""#, "é".repeat(64))]);
    check(&lines[1], &["otel.name=tools/call otel.kind"]);
    assert!(!lines[1].contains("no \\\"tool"), "{lines:?}");
}
