//! What belongs to a caller: sessions, tasks, allowances, what is cached, and what is noted; and that the token goes nowhere.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use towline_auth::{ApiKey, ApiKeys, AuthLayer, ScopeLayer, ScopePolicy};
use towline_core::{Context, Extensions, Router, Server, TaskOptions, Tasks, ToolExt, tool_fn};
use towline_middleware::{CacheLayer, CachePolicy, RateKey, RateLimitConfig, RateLimitLayer, RatePolicy};
use towline_transport::http::HttpService;

use crate::common::{Empty, ask, bearer, call, message, router, send, serve_service};
use crate::issuer::now;

fn two() -> (ApiKey, ApiKey, AuthLayer) {
    let (ann, bob) = (ApiKey::generate("ann").unwrap(), ApiKey::generate("bob").unwrap());
    let keys = ApiKeys::parse(&format!("{}{}", ann.entry(), bob.entry())).unwrap();
    (ann, bob, AuthLayer::new().verifier(keys))
}

fn initialize(version: &str) -> String {
    message(
        "initialize",
        &json!({"protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}),
    )
}

#[tokio::test]
async fn a_session_is_not_there_for_anybody_else_whatever_the_method() {
    let (ann, bob, auth) = two();
    let (router, _registry) = router();
    let server = Server::new(router).layer(ScopeLayer::new(ScopePolicy::new()));
    let address = serve_service(HttpService::new(server), auth).await;
    let (ann, bob) = (bearer(ann.expose()), bearer(bob.expose()));
    let begun = send(address, "POST", "/mcp", &[&ann], &initialize("2025-06-18")).await;
    let session = format!("mcp-session-id: {}", begun.header("mcp-session-id").expect("there is a session"));
    let list = message("tools/list", &json!({}));
    for method in ["GET", "DELETE", "POST"] {
        let body = if method == "POST" { &*list } else { "" };
        assert_eq!(send(address, method, "/mcp", &[&bob, &session], body).await.status, 404, "{method}");
        assert_eq!(send(address, method, "/mcp", &[&session], body).await.status, 401, "{method}");
    }
    assert_eq!(send(address, "POST", "/mcp", &[&ann, &session], &list).await.status, 200);
    assert_eq!(send(address, "DELETE", "/mcp", &[&ann, &session], "").await.status, 204);
}

fn modern(method: &str, name: Option<&str>, mut params: Value, token: &str) -> (Vec<String>, String) {
    params["_meta"] = json!({"io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "t", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {"extensions": {"io.modelcontextprotocol/tasks": {}}}});
    let mut headers =
        vec![bearer(token), "mcp-protocol-version: 2026-07-28".into(), format!("mcp-method: {method}")];
    headers.extend(name.map(|name| format!("mcp-name: {name}")));
    (headers, message(method, &params))
}

#[tokio::test]
async fn a_task_is_not_there_for_anybody_else() {
    let (ann, bob, auth) = two();
    let tasks = Tasks::in_memory();
    let slow = tool_fn("slow", "Takes its time.", async || {
        tokio::time::sleep(Duration::from_secs(60)).await;
        "done"
    });
    let slow = slow.into_task(&tasks, TaskOptions::default());
    let server = Server::new(Router::new("test", "1").tasks(&tasks).tool(slow));
    let server = server.layer(ScopeLayer::new(ScopePolicy::new()));
    let address = serve_service(HttpService::new(server), auth).await;
    let post = async |(headers, body): (Vec<String>, String)| {
        let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
        send(address, "POST", "/mcp", &headers, &body).await
    };
    let params = json!({"name": "slow", "arguments": {}});
    let begun = post(modern("tools/call", Some("slow"), params, ann.expose())).await;
    let id = begun.json()["result"]["taskId"].as_str().unwrap_or_else(|| panic!("{begun:?}")).to_owned();
    for method in ["tasks/get", "tasks/cancel"] {
        let of = |id: &str, key: &ApiKey| modern(method, Some(id), json!({"taskId": id}), key.expose());
        let foreign = post(of(&id, &bob)).await;
        let unknown = post(of("unknown", &bob)).await;
        assert_eq!(
            (foreign.status, foreign.body.replace(&id, "unknown")),
            (unknown.status, unknown.body),
            "{method}"
        );
        assert!(post(of(&id, &ann)).await.json()["result"].is_object(), "{method}");
    }
}

#[tokio::test]
async fn allowances_and_cached_answers_are_of_one_caller() {
    let (ann, bob, auth) = two();
    let whoami = tool_fn("whoami", "Says who calls.", async |_: Empty, context: Context| {
        context.principal().unwrap().id().to_owned()
    });
    let policy = RatePolicy::new("each", 2, Duration::from_secs(60)).key([RateKey::Principal]);
    let limit = RateLimitLayer::new(RateLimitConfig::new([policy]));
    let server = Server::new(
        Router::new("test", "1")
            .tool(whoami.layer(CacheLayer::new(CachePolicy::new(Duration::from_secs(60))))),
    );
    let address = serve_service(HttpService::new(server.layer(limit)), auth).await;
    for _ in 0..2 {
        assert!(call(address, ann.expose(), "whoami").await.body.contains("key:ann"));
    }
    assert_eq!(call(address, ann.expose(), "whoami").await.status, 429);
    assert!(call(address, bob.expose(), "whoami").await.body.contains("key:bob"));
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn the_token_reaches_no_tool_no_log_and_no_answer() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber =
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(move || writer.clone());
    let _guard = tracing::subscriber::set_default(subscriber.finish());
    let (ann, _, auth) = two();
    let tell = tool_fn("tell", "Tells all.", async |_: Empty, context: Context| format!("{context:?}"));
    let seen: Arc<Mutex<String>> = Arc::default();
    let noted = Arc::clone(&seen);
    let service = HttpService::new(Server::new(Router::new("test", "1").tool(tell)));
    let within = tower::util::MapRequest::new(service, move |request: http::Request<_>| {
        let known = request
            .extensions()
            .get::<Extensions>()
            .map(|known| format!("{known:?} {:?}", known.get::<towline_auth::Grant>()));
        noted.lock().unwrap().push_str(&format!("{:?} {known:?}", request.headers()));
        request
    });
    let mut layered = tower::Layer::layer(&auth, within);
    let request = http::Request::post("/mcp")
        .header("host", "localhost")
        .header("content-type", "application/json")
        .header("mcp-protocol-version", "2025-06-18")
        .header("authorization", format!("Bearer {}", ann.expose()))
        .body(http_body_util::Full::<bytes::Bytes>::from(message(
            "tools/call",
            &json!({"name": "tell", "arguments": {}}),
        )))
        .unwrap();
    let response = tower::Service::call(&mut layered, request).await.unwrap();
    assert_eq!(response.status(), 200);
    let body = http_body_util::BodyExt::collect(response.into_body()).await.unwrap().to_bytes();
    let secret = ann.expose().rsplit('_').next().unwrap();
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    for sink in [&*String::from_utf8_lossy(&body), &seen.lock().unwrap(), &log] {
        assert!(!sink.contains(secret), "{sink}");
    }
}

#[tokio::test]
async fn axum_mounts_it_and_a_server_without_the_layer_serves_nobody() {
    let (ann, _, auth) = two();
    let server = Server::new(router().0).layer(ScopeLayer::new(ScopePolicy::new()));
    let service = HttpService::new(server);
    let guarded = tower::Layer::layer(&auth, service.clone());
    let app = axum::Router::new().route_service("/mcp", guarded).route_service("/bare", service);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    assert_eq!(call(address, ann.expose(), "open").await.status, 200);
    assert_eq!(call(address, "bad", "open").await.status, 401);
    let list = message("tools/list", &json!({}));
    let answer = send(address, "POST", "/bare", &[&bearer(ann.expose())], &list).await;
    assert_eq!(answer.status, 401, "nobody has verified the token");
    assert_eq!(ask(address, ann.expose(), "ping", json!({})).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_open_when_its_token_expires_ends() {
    let key = ApiKey::generate("ann").unwrap().until(now() + 100);
    let auth = AuthLayer::new().verifier(ApiKeys::parse(&key.entry()).unwrap());
    let (router, _registry) = router();
    let service = tower::Layer::layer(&auth, HttpService::new(Server::new(router)));
    let wanted = json!({"notifications": {"toolsListChanged": true}});
    let (headers, body) = modern("subscriptions/listen", None, wanted, key.expose());
    let first = http::Request::post("/mcp")
        .header("host", "localhost")
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream");
    let request = headers.iter().filter_map(|header| header.split_once(": "));
    let request = request.fold(first, |request, (name, value)| request.header(name, value));
    let begun = tokio::time::Instant::now();
    let request = request.body(Full::new(bytes::Bytes::from(body))).unwrap();
    let answer = tower::ServiceExt::oneshot(service.clone(), request).await.unwrap();
    let text = answer.into_body().collect().await.unwrap().to_bytes();
    let text = String::from_utf8(text.to_vec()).unwrap();
    assert!((98..=101).contains(&begun.elapsed().as_secs()), "{:?}: {text}", begun.elapsed());
    assert!(text.contains(r#""id":1,"result""#), "the subscription is answered: {text}");
}

#[tokio::test]
async fn streams_of_the_first_revision_are_of_who_opened_them() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let (ann, bob, auth) = two();
    let server = Server::new(router().0).layer(ScopeLayer::new(ScopePolicy::new()));
    let address = serve_service(HttpService::new(server).http_sse("/sse", "/messages"), auth).await;
    assert_eq!(send(address, "GET", "/sse", &[], "").await.status, 401);
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let open = format!("GET /sse HTTP/1.1\r\nhost: localhost\r\n{}\r\n\r\n", bearer(ann.expose()));
    stream.write_all(open.as_bytes()).await.unwrap();
    let mut text = String::new();
    while !text.contains("data: ") || !text.ends_with("\n\n") && !text.contains("\n\n\r\n") {
        let mut part = [0; 1024];
        let n = stream.read(&mut part).await.unwrap();
        text.push_str(std::str::from_utf8(&part[..n]).unwrap());
    }
    let place = text.split("data: ").nth(1).unwrap().lines().next().unwrap().to_owned();
    let list = message("ping", &json!({}));
    for (headers, status) in
        [(vec![], 401), (vec![bearer(bob.expose())], 404), (vec![bearer(ann.expose())], 202)]
    {
        let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
        assert_eq!(send(address, "POST", &place, &headers, &list).await.status, status);
    }
}
