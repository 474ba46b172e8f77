//! Sessions of older clients over HTTP.

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::wire::{ACCEPT, Connection, JSON, Response, Running, post};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use towline_core::protocol::LogLevel;
use towline_core::{
    Context, Extensions, FixedResource, Input, Principal, Registry, Router, Server, ToolResult, tool_fn,
};
use towline_transport::http::{HttpService, SessionLimits};

#[derive(Deserialize, JsonSchema)]
struct Nothing {}

#[derive(Deserialize, JsonSchema)]
struct Name {
    name: String,
}

fn router() -> Router {
    Router::new("test", "1")
        .tool(tool_fn("ping", "Answers.", async || "pong"))
        .tool(tool_fn("greet", "Asks for a name.", async |_: Nothing, mut input: Input| {
            match input.elicit::<Name>("name", "Your name?") {
                Some(answer) => {
                    Ok(ToolResult::text(format!("{:?}", answer.accepted().map(|form| form.name))))
                }
                None => input.ask(),
            }
        }))
        .tool(tool_fn("talk", "Logs.", async |_: Nothing, context: Context| {
            context.log(LogLevel::Info, None, &"hello").await;
            "talked"
        }))
        .tool(tool_fn("long", "Lets its client go.", async |_: Nothing, context: Context| {
            context.progress(1.0, None, None).await;
            context.release_stream(Duration::from_millis(50)).await;
            tokio::time::sleep(Duration::from_millis(100)).await;
            context.progress(2.0, None, None).await;
            "done"
        }))
        .tool(tool_fn("slow", "Takes long.", async || {
            tokio::time::sleep(Duration::from_secs(60)).await;
            "slept"
        }))
        .resource(FixedResource::text("note://1", "one", "text/plain", "1"))
}

fn dynamic() -> (HttpService<Server>, Registry) {
    let mut router = router();
    let registry = router.registry();
    (HttpService::new(Server::new(router)), registry)
}

const INFO: &str = r#""clientInfo":{"name":"c","version":"1"}"#;

fn initialize(version: &str, capabilities: &str) -> String {
    let body = format!(
        r#"{{"jsonrpc":"2.0","id":0,"method":"initialize","params":{{"protocolVersion":"{version}","capabilities":{capabilities},{INFO}}}}}"#
    );
    post(&[JSON, ACCEPT], &body)
}

/// A client with a session.
struct Client {
    session: String,
    version: &'static str,
}

impl Client {
    async fn begin(server: &Running, version: &'static str) -> Self {
        let response = server.send(initialize(version, r#"{"elicitation":{}}"#)).await;
        let session = response.header("mcp-session-id").expect("there is a session").to_owned();
        let client = Self { session, version };
        let told =
            server.send(client.post(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#)).await;
        assert_eq!(told.status, 202);
        client
    }

    fn headers(&self) -> [String; 2] {
        [format!("Mcp-Session-Id: {}", self.session), format!("MCP-Protocol-Version: {}", self.version)]
    }

    fn post(&self, body: &str) -> String {
        let [session, version] = self.headers();
        post(&[JSON, ACCEPT, &session, &version], body)
    }

    fn call(&self, id: u32, tool: &str, meta: &str) -> String {
        self.post(&format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"{tool}","_meta":{{{meta}}}}}}}"#
        ))
    }

    fn without_body(&self, method: &str, more: &str) -> String {
        let [session, version] = self.headers();
        format!(
            "{method} /mcp HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n{session}\r\n{version}\r\n{more}\r\n"
        )
    }
}

/// The next event that has data: its id, and the message.
async fn event(connection: &mut Connection) -> (String, Value) {
    loop {
        let text = connection.until("\n\n").await;
        let id = text.lines().find_map(|line| line.strip_prefix("id: ")).unwrap_or_default().to_owned();
        let data = text.lines().find_map(|line| line.strip_prefix("data: ")).unwrap_or_default();
        if let Ok(message) = serde_json::from_str(data) {
            return (id, message);
        }
    }
}

fn body(response: &Response) -> Value {
    serde_json::from_str(&response.body).unwrap()
}

#[tokio::test]
async fn there_is_a_session_only_where_one_is_needed() {
    let fixed = Running::service(HttpService::new(Server::new(router()))).await;
    for (capabilities, is_needed) in [("{}", false), (r#"{"sampling":{}}"#, true), (r#"{"roots":{}}"#, true)]
    {
        let response = fixed.send(initialize("2025-11-25", capabilities)).await;
        assert_eq!(response.header("mcp-session-id").is_some(), is_needed, "{capabilities}");
        assert_eq!(body(&response)["result"]["capabilities"].get("logging").is_some(), is_needed);
    }
    let (service, _registry) = dynamic();
    let changing = Running::service(service).await;
    let response = changing.send(initialize("2025-11-25", "{}")).await;
    let id = response.header("mcp-session-id").unwrap();
    assert!(id.len() >= 22 && id.bytes().all(|byte| byte.is_ascii_graphic()), "{id}");
    assert_eq!(body(&response)["result"]["capabilities"]["tools"], json!({"listChanged": true}));

    let never = router().tool(tool_fn("other", "", async || ""));
    let never = HttpService::new(Server::new(never)).sessions(SessionLimits::none());
    let never = Running::service(never).await;
    let response = never.send(initialize("2025-11-25", r#"{"elicitation":{}}"#)).await;
    assert_eq!(response.header("mcp-session-id"), None);
    // Who needs one cannot be served then, and everyone else can.
    let call = |tool: &str| {
        let body =
            format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"{tool}"}}}}"#);
        post(&[JSON, ACCEPT, "MCP-Protocol-Version: 2025-11-25"], &body)
    };
    assert_eq!(body(&never.send(call("ping")).await)["result"]["content"][0]["text"], "pong");
    let refused = body(&never.send(call("greet")).await);
    assert_eq!(refused["error"]["code"], -32021, "{refused}");
}

#[tokio::test]
async fn a_call_asks_its_client_on_its_own_stream() {
    let server = Running::service(HttpService::new(Server::new(router()))).await;
    for version in ["2025-11-25", "2025-06-18", "2025-03-26"] {
        let client = Client::begin(&server, version).await;
        let mut connection = server.connect().await;
        connection.write(client.call(1, "greet", "")).await;
        let (_, asked) = event(&mut connection).await;
        assert_eq!(asked["method"], "elicitation/create");
        let answer = json!({"action": "accept", "content": {"name": "Ada"}});
        let answer = json!({"jsonrpc": "2.0", "id": asked["id"], "result": answer}).to_string();
        assert_eq!(server.send(client.post(&answer)).await.status, 202);
        let (id, answer) = event(&mut connection).await;
        assert_eq!(answer["result"]["content"][0]["text"], "Some(\"Ada\")", "{version}");
        assert!(!id.is_empty());
    }
}

#[tokio::test]
async fn a_session_is_of_its_client_until_it_ends() {
    let server = Running::service(HttpService::new(Server::new(router()))).await;
    let client = Client::begin(&server, "2025-11-25").await;
    let ping = client.post(r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#);
    assert_eq!(body(&server.send(&ping).await), json!({"jsonrpc": "2.0", "id": 1, "result": {}}));
    let level =
        client.post(r#"{"jsonrpc":"2.0","id":2,"method":"logging/setLevel","params":{"level":"info"}}"#);
    assert_eq!(body(&server.send(&level).await)["result"], json!({}));
    let talked = server.send(client.call(3, "talk", "")).await;
    assert_eq!(talked.header("content-type"), Some("text/event-stream"));
    assert!(talked.body.contains("notifications/message"), "{talked:?}");

    let other = Client { session: "AAAAAAAAAAAAAAAAAAAAAA".into(), ..client };
    let client = Client::begin(&server, "2025-11-25").await;
    for request in [
        other.post(r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#),
        other.post(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#),
        other.post(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#),
        other.without_body("GET", ""),
        other.without_body("DELETE", ""),
    ] {
        assert_eq!(server.send(&request).await.status, 404, "{request}");
    }

    // A call that runs when the session ends has no answer.
    let mut running = server.connect().await;
    running.write(client.call(4, "slow", "")).await;
    let mut stream = server.connect().await;
    stream.write(client.without_body("GET", "")).await;
    stream.until("\r\n\r\n").await;
    assert_eq!(server.send(client.without_body("DELETE", "")).await.status, 204);
    assert_eq!(server.send(client.post(r#"{"jsonrpc":"2.0","id":5,"method":"ping"}"#)).await.status, 404);
    assert!(!running.response().await.body.contains("slept"));
    stream.until("0\r\n\r\n").await;
}

#[tokio::test]
async fn without_a_session_there_is_nothing_to_get_or_delete() {
    let server = Running::service(HttpService::new(Server::new(router()))).await;
    for method in ["GET", "DELETE"] {
        let request =
            format!("{method} /mcp HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n");
        assert_eq!(server.send(request).await.status, 405);
    }
    // To a client of the current revision a session means nothing.
    let call = common::wire::post_call("ping", "{}", "");
    let call = call.replace("\r\n\r\n", "\r\nMcp-Session-Id: nothing\r\n\r\n");
    assert_eq!(server.send(call).await.code(), 0);
}

#[tokio::test]
async fn another_caller_s_session_is_not_there() {
    let service = HttpService::new(Server::new(router()));
    let app = axum::Router::new().route_service("/mcp", service).layer(axum::middleware::from_fn(
        |mut request: axum::extract::Request, next: axum::middleware::Next| async {
            let caller = request.headers().get("x-caller").map(|name| name.to_str().unwrap().to_owned());
            if let Some(caller) = caller {
                let mut extensions = Extensions::default();
                extensions.insert(Principal::new(caller));
                request.extensions_mut().insert(extensions);
            }
            next.run(request).await
        },
    ));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    let send = async |request: &str, caller: &str| {
        let mut connection = Connection::to(address).await;
        let caller = if caller.is_empty() { String::new() } else { format!("X-Caller: {caller}\r\n") };
        connection.write(request.replacen("Host:", &format!("{caller}Host:"), 1)).await;
        connection.response().await
    };
    let begun = send(&initialize("2025-11-25", r#"{"elicitation":{}}"#), "alice").await;
    let session = begun.header("mcp-session-id").unwrap().to_owned();
    let client = Client { session, version: "2025-11-25" };
    let ping = client.post(r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#);
    assert_eq!(send(&ping, "alice").await.status, 200);
    assert_eq!(send(&ping, "bob").await.status, 404);
    assert_eq!(send(&ping, "").await.status, 404);
    assert_eq!(send(&client.without_body("DELETE", ""), "bob").await.status, 404);
    assert_eq!(send(&ping, "alice").await.status, 200);
}

#[tokio::test]
async fn a_client_comes_back_for_the_rest() {
    let server = Running::service(HttpService::new(Server::new(router()))).await;
    let client = Client::begin(&server, "2025-11-25").await;
    let mut connection = server.connect().await;
    connection.write(client.call(9, "long", r#""progressToken":"t""#)).await;
    let priming = connection.until("\n\n").await;
    assert!(priming.contains("id: 1_0\nretry: 1000\ndata: \n"), "{priming}");
    let (first, message) = event(&mut connection).await;
    assert_eq!(message["params"]["progress"], 1.0);
    // The server lets go of the stream, and says when to come back.
    let rest = connection.until("0\r\n\r\n").await;
    assert!(rest.contains("retry: 50\n\n"), "{rest}");

    let mut again = server.connect().await;
    again.write(client.without_body("GET", &format!("Last-Event-ID: {first}\r\n"))).await;
    assert_eq!(event(&mut again).await.1["params"]["progress"], 2.0);
    let (last, answer) = event(&mut again).await;
    assert_eq!((&answer["id"], &answer["result"]["content"][0]["text"]), (&json!(9), &json!("done")));
    again.until("0\r\n\r\n").await;
    // What has been sent is sent again to who missed it.
    again.write(client.without_body("GET", "Last-Event-ID: 1_0\r\n")).await;
    assert_eq!(event(&mut again).await.0, first);
    assert_eq!(event(&mut again).await.1["params"]["progress"], 2.0);
    assert_eq!(event(&mut again).await.0, last);
    again.until("0\r\n\r\n").await;
    for unknown in ["7_1", "1", "", "x_y", "99999999999999999999_0"] {
        let request = client.without_body("GET", &format!("Last-Event-ID: {unknown}\r\n"));
        assert_eq!(server.send(request).await.status, 400, "{unknown}");
    }
}

#[tokio::test]
async fn what_changes_is_told_on_the_stream_of_the_session() {
    let (service, registry) = dynamic();
    let mut server = Running::service(service).await;
    let client = Client::begin(&server, "2025-11-25").await;
    // Told before anyone listens.
    registry.tools_changed();
    let subscribe = r#"{"jsonrpc":"2.0","id":1,"method":"resources/subscribe","params":{"uri":"note://1"}}"#;
    assert_eq!(body(&server.send(client.post(subscribe)).await)["result"], json!({}));
    let mut stream = server.connect().await;
    stream.write(client.without_body("GET", "")).await;
    assert_eq!(event(&mut stream).await.1["method"], "notifications/tools/list_changed");
    registry.resource_updated("note://1");
    let (id, updated) = event(&mut stream).await;
    assert_eq!(updated["params"], json!({"uri": "note://1"}));
    // A client that comes back takes over from itself.
    let mut again = server.connect().await;
    again.write(client.without_body("GET", &format!("Last-Event-ID: {id}\r\n"))).await;
    again.until("\r\n\r\n").await;
    stream.until("0\r\n\r\n").await;
    registry.prompts_changed();
    assert_eq!(event(&mut again).await.1["method"], "notifications/prompts/list_changed");
    // It ends when the server does.
    server.stop();
    again.until("0\r\n\r\n").await;
    server.stopped().await;
}

#[tokio::test]
async fn a_call_is_cancelled_by_its_client_alone() {
    let server = Running::service(HttpService::new(Server::new(router()))).await;
    let client = Client::begin(&server, "2025-06-18").await;
    let mut connection = server.connect().await;
    connection.write(client.call(1, "slow", "")).await;
    let again = server.send(client.call(1, "ping", "")).await;
    assert_eq!(again.code(), -32600, "its id is taken");
    let cancel = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#;
    assert_eq!(server.send(client.post(cancel)).await.status, 202);
    assert!(connection.response().await.body.is_empty());
    assert_eq!(server.send(client.call(1, "ping", "")).await.code(), 0);
}

#[tokio::test]
async fn one_revision_has_batches() {
    let server = Running::service(HttpService::new(Server::new(router()))).await;
    let call = |id: u32| {
        format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"ping"}}}}"#)
    };
    let told = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
    let unknown = r#"{"jsonrpc":"2.0","id":3,"method":"nothing"}"#;
    let batch = format!("[{},{told},{},{unknown}]", call(1), call(2));
    let headers = [JSON, ACCEPT];
    let answers = |response: &Response| -> Vec<(Value, bool)> {
        let answers: Vec<Value> = serde_json::from_str(&response.body).unwrap();
        answers.iter().map(|answer| (answer["id"].clone(), answer.get("result").is_some())).collect()
    };
    let expected = [(json!(1), true), (json!(2), true), (json!(3), false)];
    for version in [None, Some("MCP-Protocol-Version: 2025-03-26")] {
        let headers: Vec<&str> = headers.into_iter().chain(version).collect();
        assert_eq!(answers(&server.send(post(&headers, &batch)).await), expected);
        let silent = server.send(post(&headers, &format!("[{told}]"))).await;
        assert_eq!((silent.status, silent.body.as_str()), (202, ""));
        let empty = server.send(post(&headers, "[]")).await;
        assert_eq!((empty.status, empty.code()), (400, -32600));
    }
    for version in ["2024-11-05", "2025-06-18", "2025-11-25", "2026-07-28"] {
        let version = format!("MCP-Protocol-Version: {version}");
        let refused = server.send(post(&[JSON, ACCEPT, &version], &batch)).await;
        assert_eq!((refused.status, refused.code()), (400, -32600), "{version}");
    }
    let client = Client::begin(&server, "2025-03-26").await;
    assert_eq!(answers(&server.send(client.post(&batch)).await), expected);
    let client = Client::begin(&server, "2025-06-18").await;
    assert_eq!(server.send(client.post(&batch)).await.code(), -32600);
    let handshake = r#"{"jsonrpc":"2.0","id":4,"method":"initialize","params":{"protocolVersion":"2025-03-26","capabilities":{},"clientInfo":{"name":"c","version":"1"}}}"#;
    let refused = server.send(post(&headers, &format!("[{handshake}]"))).await;
    assert_eq!(answers(&refused), [(json!(4), false)]);
}

#[tokio::test]
async fn a_call_whose_client_is_gone_for_good_ends_with_the_session() {
    let running = Arc::new(());
    let counted = Arc::clone(&running);
    let flood = tool_fn("flood", "Reports for good.", move |_: Nothing, context: Context| {
        let counted = Arc::clone(&counted);
        async move {
            for step in 0..u32::MAX {
                context.progress(step.into(), None, None).await;
            }
            drop(counted);
            "done"
        }
    });
    let idle = SessionLimits::new().idle(Duration::from_millis(200));
    let service = HttpService::new(Server::new(router().tool(flood))).sessions(idle);
    let server = Running::service(service).await;
    let idle_tools = Arc::strong_count(&running);
    // One waits for its client to read, the other for an answer.
    for tool in ["flood", "greet"] {
        let client = Client::begin(&server, "2025-11-25").await;
        let mut connection = server.connect().await;
        connection.write(client.call(1, tool, r#""progressToken":1"#)).await;
        event(&mut connection).await;
        // As long as the client is there the session is too.
        tokio::time::sleep(Duration::from_millis(600)).await;
        assert_eq!(server.send(client.call(2, "ping", "")).await.status, 200, "{tool}");
        drop(connection);
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(server.send(client.call(3, "ping", "")).await.status, 404, "{tool}");
        assert_eq!(Arc::strong_count(&running), idle_tools, "{tool}");
    }
}

#[cfg(feature = "http-sse")]
mod http_sse {
    use super::*;

    /// Opens a stream, and gives the path for its messages.
    async fn open(server: &Running) -> (Connection, String) {
        let mut stream = server.connect().await;
        stream.write("GET /sse HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n").await;
        let text = stream.until("\n\n").await;
        let place = text.lines().find_map(|line| line.strip_prefix("data: ")).unwrap().to_owned();
        assert!(text.contains("event: endpoint\n") && place.starts_with("/messages?sessionId="), "{text}");
        (stream, place)
    }

    async fn send(server: &Running, place: &str, body: &str) -> u16 {
        server.send(post(&[JSON], body).replacen("/mcp", place, 1)).await.status
    }

    #[tokio::test]
    async fn clients_of_the_first_revision_have_a_stream_and_a_place_for_messages() {
        let (service, registry) = dynamic();
        let mut server = Running::service(service.http_sse("/sse", "/messages")).await;
        let (mut stream, place) = open(&server).await;
        let handshake = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2024-11-05","capabilities":{"sampling":{}},"clientInfo":{"name":"c","version":"1"}}}"#;
        assert_eq!(send(&server, &place, handshake).await, 202);
        let (_, answer) = event(&mut stream).await;
        assert_eq!(answer["result"]["protocolVersion"], "2024-11-05");
        let told = "{\"jsonrpc\":\"2.0\",\n \"method\":\"notifications/initialized\"}";
        assert_eq!(send(&server, &place, told).await, 202);
        let call = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"ping"}}"#;
        assert_eq!(send(&server, &place, call).await, 202);
        assert_eq!(event(&mut stream).await.1["result"]["content"][0]["text"], "pong");
        registry.tools_changed();
        assert_eq!(event(&mut stream).await.1["method"], "notifications/tools/list_changed");

        for unknown in ["/messages?sessionId=x", "/messages", "/messages?sessionId="] {
            assert_eq!(send(&server, unknown, call).await, 404, "{unknown}");
        }
        // Another stream is another client, and the usual path is there as well.
        let (_other, elsewhere) = open(&server).await;
        assert_ne!(place, elsewhere);
        assert_eq!(server.send(common::wire::post_call("ping", "{}", "")).await.code(), 0);
        server.stop();
        stream.until("0\r\n\r\n").await;
        server.stopped().await;
    }

    #[tokio::test]
    async fn a_stream_that_is_closed_is_forgotten() {
        let service = HttpService::new(Server::new(router())).http_sse("/sse", "/messages");
        let server = Running::service(service).await;
        let (stream, place) = open(&server).await;
        drop(stream);
        let ping = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
        let gone = async {
            while send(&server, &place, ping).await != 404 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(5), gone).await.unwrap();
        let evil = "GET /sse HTTP/1.1\r\nHost: evil.test\r\nAccept: text/event-stream\r\n\r\n";
        assert_eq!(server.send(evil).await.status, 403);
    }
}
