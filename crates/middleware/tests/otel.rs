//! What a collector receives.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as AnyValue;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use serde_json::{Value, json};
use tower::ServiceExt;
use towline_core::{
    Carrier, ClientAddr, Error, ErrorKind, Request, Router, Server, ToolExt, ToolResult, tool_fn,
};
use towline_middleware::TraceLayer;
use towline_middleware::otel::{Exporter, OtelConfig};
use towline_transport::memory;
use tracing::Instrument;
use tracing::instrument::WithSubscriber as _;
use tracing_subscriber::layer::SubscriberExt;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "b7ad6b7169203331";

/// A collector that takes what it gets, and hands on the bodies.
fn collector(status: &'static str) -> (SocketAddr, Receiver<(String, Vec<u8>)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut text = Vec::new();
            let (head, start) = loop {
                let mut chunk = [0; 1024];
                let read = stream.read(&mut chunk).unwrap();
                text.extend_from_slice(&chunk[..read]);
                if let Some(end) = text.windows(4).position(|four| four == b"\r\n\r\n") {
                    break (String::from_utf8(text[..end].to_vec()).unwrap(), end + 4);
                }
            };
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
            let mut body = text.split_off(start);
            let missing = length.parse::<usize>().unwrap() - body.len();
            let mut rest = vec![0; missing];
            stream.read_exact(&mut rest).unwrap();
            body.extend(rest);
            // First, so that it is there when the exporter has its answer.
            if sender.send((head, body)).is_err() {
                return;
            }
            write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").unwrap();
        }
    });
    (address, receiver)
}

fn exporter(address: SocketAddr, change: impl FnOnce(&mut OtelConfig)) -> Exporter {
    let mut config = OtelConfig::default();
    config.endpoint = Some(format!("http://{address}"));
    config.service_name = Some("weather".into());
    config.timeout = Duration::from_secs(5);
    change(&mut config);
    Exporter::new(&config).unwrap()
}

/// The spans that a collector gets of `work`, and the text of all its bytes.
async fn exported(
    change: impl FnOnce(&mut OtelConfig),
    work: impl Future<Output = ()>,
) -> (Vec<Span>, Vec<u8>) {
    let (address, received) = collector("200 OK");
    let exporter = exporter(address, change);
    // The runtime has one thread, so what is spawned sees it as well.
    let _subscriber = tracing::subscriber::set_default(tracing_subscriber::registry().with(exporter.layer()));
    work.await;
    // The subscriber lives on, as a program's does.
    drop(exporter);
    let (mut spans, mut bytes) = (Vec::new(), Vec::new());
    for (head, body) in received.try_iter() {
        assert!(head.starts_with("POST /v1/traces HTTP/1.1\r\n"), "{head}");
        assert!(head.contains("content-type: application/x-protobuf"), "{head}");
        assert!(head.contains("connection: close"), "{head}");
        let request = ExportTraceServiceRequest::decode(&body[..]).unwrap();
        for resource in request.resource_spans {
            let attributes = &resource.resource.as_ref().unwrap().attributes;
            assert!(attributes.iter().any(|pair| pair.key == "service.name"), "{attributes:?}");
            spans.extend(resource.scope_spans.into_iter().flat_map(|scope| scope.spans));
        }
        bytes.extend(body);
    }
    (spans, bytes)
}

fn server() -> impl towline_core::Serve {
    let weather =
        tool_fn("get-weather", "Tells the weather.", async |args: serde_json::Map<String, Value>| match args
            .get("city")
            .and_then(Value::as_str)
        {
            Some("Atlantis") => Ok(ToolResult::error("no such city")),
            Some("Rome") => Err(Error::new(ErrorKind::Unavailable, "away").with_source("result of 10.0.0.7")),
            Some("hang") => std::future::pending().await,
            _ => Ok(ToolResult::text("sunny-result")),
        });
    let tool = weather.layer(TraceLayer::new());
    Server::new(Router::new("test", "1").tool(tool)).layer(TraceLayer::new())
}

fn request(city: &str, meta: &Value) -> Request {
    let arguments = json!({"city": city, "secret": "hunter2"});
    Request::new("tools/call", &json!({"name": "get-weather", "arguments": arguments, "_meta": meta}))
        .unwrap()
}

fn attribute(span: &Span, key: &str) -> Option<Value> {
    let pair = span.attributes.iter().find(|pair| pair.key == key)?;
    Some(match pair.value.as_ref()?.value.as_ref()? {
        AnyValue::StringValue(text) => text.as_str().into(),
        AnyValue::IntValue(number) => (*number).into(),
        AnyValue::BoolValue(value) => (*value).into(),
        other => panic!("{other:?}"),
    })
}

fn find<'a>(spans: &'a [Span], name: &str) -> &'a Span {
    spans.iter().find(|span| span.name == name).unwrap_or_else(|| panic!("no {name} in {spans:?}"))
}

/// A `tracestate` of that many members.
fn members(count: usize) -> String {
    let members: Vec<_> = (0..count).map(|number| format!("k{number}=v")).collect();
    members.join(",")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn a_collector_receives_a_span_per_request_and_one_per_tool_below_the_callers() {
    let (spans, bytes) = exported(|_| {}, async {
        let meta = json!({"traceparent": format!("00-{TRACE}-{PARENT}-01"), "tracestate": "vendor=value"});
        let mut request = request("Paris", &meta);
        let context = request.context_mut();
        context.set_carrier(Carrier::Http);
        context.extensions_mut().insert(ClientAddr("192.0.2.1:4711".parse().unwrap()));
        server().oneshot(request).await.unwrap();
    })
    .await;
    assert_eq!(spans.len(), 2, "{spans:?}");

    let outer = find(&spans, "tools/call get-weather");
    assert_eq!((hex(&outer.trace_id), hex(&outer.parent_span_id)), (TRACE.into(), PARENT.into()));
    assert_eq!(outer.trace_state, "vendor=value");
    assert_eq!(outer.kind, 2, "server");
    for (key, expected) in [
        ("mcp.method.name", json!("tools/call")),
        ("gen_ai.tool.name", json!("get-weather")),
        ("gen_ai.operation.name", json!("execute_tool")),
        ("mcp.protocol.version", json!("2026-07-28")),
        ("network.transport", json!("tcp")),
        ("network.protocol.name", json!("http")),
        ("client.address", json!("192.0.2.1")),
        ("client.port", json!(4711)),
    ] {
        assert_eq!(attribute(outer, key), Some(expected), "{key}");
    }
    for key in ["error.type", "rpc.response.status_code", "towline.cancelled", "gen_ai.prompt.name"] {
        assert_eq!(attribute(outer, key), None, "{key}");
    }
    assert_eq!(outer.status.as_ref().map_or(0, |status| status.code), 0);

    let inner = find(&spans, "execute_tool get-weather");
    assert_eq!((&inner.trace_id, &inner.parent_span_id), (&outer.trace_id, &outer.span_id));
    assert_eq!(inner.kind, 1, "internal");

    let text = String::from_utf8_lossy(&bytes);
    assert!(text.contains("get-weather") && text.contains("weather"));
    for secret in ["Paris", "hunter2", "sunny-result"] {
        assert!(!text.contains(secret), "{secret}");
    }
}

#[tokio::test]
async fn a_collector_learns_how_requests_end() {
    let (spans, _) = exported(|_| {}, async {
        let server = server();
        for city in ["Atlantis", "Rome"] {
            let _ = server.clone().oneshot(request(city, &json!({}))).await;
        }
        let unknown = Request::new("tools/call", &json!({"name": "unknown", "arguments": {}})).unwrap();
        let _ = server.clone().oneshot(unknown).await;
        let odd = Request::new("x".repeat(1000), &json!({})).unwrap();
        let _ = server.clone().oneshot(odd).await;
        let hang = server.clone().oneshot(request("hang", &json!({})));
        let _ = tokio::time::timeout(Duration::from_millis(10), hang).await;
    })
    .await;
    let ends: Vec<_> = spans
        .iter()
        .filter(|span| span.kind == 2)
        .map(|span| {
            let of = |key| attribute(span, key).unwrap_or_default();
            let status = span.status.as_ref().map_or(0, |status| status.code);
            (&*span.name, of("error.type"), of("rpc.response.status_code"), of("towline.cancelled"), status)
        })
        .collect();
    const CALL: &str = "tools/call get-weather";
    assert_eq!(
        ends,
        [
            (CALL, json!("tool_error"), json!(null), json!(null), 2),
            (CALL, json!("503"), json!("503"), json!(null), 2),
            ("tools/call unknown", json!(null), json!("-32602"), json!(null), 0),
            ("_other", json!(null), json!("-32601"), json!(null), 0),
            (CALL, json!(null), json!(null), json!(true), 0),
        ]
    );
    let odd = find(&spans, "_other");
    assert_eq!(attribute(odd, "mcp.method.name"), Some(json!("x".repeat(128))));
}

#[tokio::test]
async fn what_is_around_a_request_is_linked_or_else_the_parent() {
    let (spans, _) = exported(|_| {}, async {
        for meta in [
            json!({"traceparent": format!("00-{TRACE}-{PARENT}-01"), "tracestate": members(33)}),
            json!({"traceparent": format!("00-{TRACE}-0000000000000000-01")}),
        ] {
            let around = tracing::info_span!("around");
            server().oneshot(request("Paris", &meta)).instrument(around).await.unwrap();
        }
    })
    .await;
    let around: Vec<_> = spans.iter().filter(|span| span.name == "around").collect();
    let requests: Vec<_> = spans.iter().filter(|span| span.kind == 2).collect();

    assert_eq!((hex(&requests[0].trace_id), hex(&requests[0].parent_span_id)), (TRACE.into(), PARENT.into()));
    assert_eq!(requests[0].trace_state, "", "it has too many members");
    assert_eq!(requests[0].links.len(), 1);
    assert_eq!(requests[0].links[0].span_id, around[0].span_id);

    assert_eq!(requests[1].parent_span_id, around[1].span_id, "the client's parent is no valid one");
    assert_ne!(hex(&requests[1].trace_id), TRACE);
    assert!(requests[1].links.is_empty());
}

#[tokio::test]
async fn stdio_is_a_pipe_and_a_tool_alone_finds_its_parent() {
    let (spans, _) = exported(|_| {}, async {
        let ping = tool_fn("ping", "Answers.", async || "pong").layer(TraceLayer::new());
        let server = Server::new(Router::new("test", "1").tool(ping));
        let (ours, theirs) = tokio::io::duplex(4096);
        let (reader, writer) = tokio::io::split(theirs);
        let serve = towline_transport::stdio::Stdio::new().serve_on(server, reader, writer);
        let meta = json!({
            "traceparent": format!("00-{TRACE}-{PARENT}-00"),
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
        });
        let params = json!({"name": "ping", "arguments": {}, "_meta": meta});
        let line = json!({"jsonrpc": "2.0", "id": "seven", "method": "tools/call", "params": params});
        let ask = async {
            use tokio::io::{AsyncBufReadExt, AsyncWriteExt};
            let (reader, mut writer) = tokio::io::split(ours);
            writer.write_all(format!("{line}\n").as_bytes()).await.unwrap();
            let mut answer = String::new();
            tokio::io::BufReader::new(reader).read_line(&mut answer).await.unwrap();
            assert!(answer.contains("pong"), "{answer}");
            writer.shutdown().await.unwrap();
        };
        let (served, ()) = tokio::join!(serve, ask);
        served.unwrap();
    })
    .await;
    let [span] = &spans[..] else { panic!("{spans:?}") };
    assert_eq!(hex(&span.parent_span_id), PARENT);
    assert_eq!(attribute(span, "network.transport"), Some(json!("pipe")));
    assert_eq!(attribute(span, "jsonrpc.request.id"), Some(json!("seven")));
}

#[tokio::test]
async fn a_caller_decides_what_is_exported_only_if_it_is_trusted() {
    let call = |flags: u8| async move {
        let meta = json!({"traceparent": format!("00-{TRACE}-{PARENT}-{flags:02x}")});
        server().oneshot(request("Paris", &meta)).await.unwrap();
    };
    for (trust_callers, sample_ratio, flags, expected) in
        [(false, 1.0, 0, 2), (false, 0.0, 1, 0), (true, 1.0, 0, 0), (true, 0.0, 1, 2)]
    {
        let change = |config: &mut OtelConfig| {
            config.trust_callers = trust_callers;
            config.sample_ratio = sample_ratio;
        };
        let (spans, _) = exported(change, call(flags)).await;
        assert_eq!(spans.len(), expected, "trusted: {trust_callers}, ratio {sample_ratio}, flags {flags}");
    }
}

#[tokio::test]
async fn a_collector_that_is_away_or_says_no_fails_no_request() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (refuses, _received) = collector("400 Bad Request");
    for address in [closed, refuses] {
        let exporter = exporter(address, |config| config.timeout = Duration::from_millis(200));
        let subscriber = tracing_subscriber::registry().with(exporter.layer());
        server().oneshot(request("Paris", &json!({}))).with_subscriber(subscriber).await.unwrap();
        assert!(exporter.flush().is_err());
    }
}

#[tokio::test]
async fn a_server_over_real_messages_works_with_the_layer() {
    let answer = memory::connect(server()).call_tool("get-weather", json!({"city": "Rome"})).await.unwrap();
    assert_eq!(answer.result.unwrap()["isError"], true);
}

#[test]
fn settings_that_cannot_work_are_named() {
    let bad =
        |toml: &str| toml::from_str::<OtelConfig>(toml).unwrap().validate().unwrap_err().key().to_owned();
    assert_eq!(bad("endpoint = \"https://collector.example\""), "endpoint");
    assert_eq!(bad("sample_ratio = 1.5"), "sample_ratio");
    assert_eq!(bad("timeout_ms = 0"), "timeout_ms");
    assert!(toml::from_str::<OtelConfig>("endpiont = \"\"").is_err());
    assert!(Exporter::new(&OtelConfig::default()).is_ok());
}
