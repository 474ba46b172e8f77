//! What a client learns of tools, and what they answer, in each revision.

use std::num::NonZeroUsize;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tower::ServiceExt;
use towline_core::health::{Health, HealthCheck};
use towline_core::protocol::{Annotations, Content, Icon, LogLevel, ProtocolVersion, Role, ToolDefinition};
use towline_core::{
    Context, ErrorKind, Json, Notifier, RawJson, Reply, Report, Request, Router, Server, ToolResult, ToolSet,
    tool_fn,
};

async fn answer(server: &Server, method: &str, params: Value, version: ProtocolVersion) -> Value {
    let mut request = Request::new(method.to_owned(), &params).unwrap();
    request.context_mut().set_version(version);
    let reply = server.clone().oneshot(request).await.unwrap();
    serde_json::from_slice(reply.as_bytes()).unwrap()
}

#[derive(Deserialize, JsonSchema)]
struct Forecast {
    /// The city's name.
    city: String,
    /// How many days.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 14))]
    days: u8,
}

fn one() -> u8 {
    1
}

#[derive(Serialize, JsonSchema)]
struct Weather {
    celsius: f64,
}

fn weather() -> Server {
    let tool = tool_fn("forecast", "Tells the weather.", async |args: Forecast| {
        Json(Weather { celsius: f64::from(args.days) + args.city.len() as f64 })
    })
    .read_only()
    .define(|definition| definition.with_title("Forecast").with_icon(Icon::new("https://example.com/i.png")));
    Server::new(Router::new("weather", "1.0.0").tool(tool))
}

#[tokio::test]
async fn a_definition_comes_from_the_types() {
    let list = answer(&weather(), "tools/list", json!({}), ProtocolVersion::LATEST).await;
    assert_eq!(
        list,
        json!({
            "resultType": "complete",
            "tools": [{
                "name": "forecast",
                "title": "Forecast",
                "description": "Tells the weather.",
                "inputSchema": {
                    "type": "object",
                    "properties": {
                        "city": {"type": "string", "description": "The city's name."},
                        "days": {
                            "type": "integer", "format": "uint8", "minimum": 1, "maximum": 14, "default": 1,
                            "description": "How many days.",
                        },
                    },
                    "required": ["city"],
                },
                "outputSchema": {
                    "type": "object",
                    "properties": {"celsius": {"type": "number", "format": "double"}},
                    "required": ["celsius"],
                },
                "annotations": {
                    "readOnlyHint": true, "destructiveHint": false, "idempotentHint": true, "openWorldHint": false,
                },
                "icons": [{"src": "https://example.com/i.png"}],
            }],
            "ttlMs": 300_000,
            "cacheScope": "public",
            "_meta": {"io.modelcontextprotocol/serverInfo": {"name": "weather", "version": "1.0.0"}},
        })
    );
}

#[tokio::test]
async fn an_older_client_is_told_only_what_its_revision_knows() {
    use ProtocolVersion::{V2024_11_05, V2025_03_26, V2025_06_18, V2025_11_25};
    for (version, members) in [
        (V2024_11_05, vec!["description", "inputSchema", "name"]),
        (V2025_03_26, vec!["annotations", "description", "inputSchema", "name"]),
        (V2025_06_18, vec!["annotations", "description", "inputSchema", "name", "outputSchema", "title"]),
        (
            V2025_11_25,
            vec!["annotations", "description", "icons", "inputSchema", "name", "outputSchema", "title"],
        ),
    ] {
        let list = answer(&weather(), "tools/list", json!({}), version).await;
        assert_eq!(list.as_object().unwrap().keys().collect::<Vec<_>>(), ["tools"]);
        let mut told: Vec<&str> = list["tools"][0].as_object().unwrap().keys().map(String::as_str).collect();
        told.sort_unstable();
        assert_eq!(told, members, "{version}");
    }
}

#[tokio::test]
async fn an_answer_has_what_its_revision_knows() {
    let call = json!({"name": "forecast", "arguments": {"city": "Oslo"}});
    let modern = answer(&weather(), "tools/call", call.clone(), ProtocolVersion::LATEST).await;
    assert_eq!(modern["structuredContent"], json!({"celsius": 5.0}));
    assert_eq!(modern["content"], json!([{"type": "text", "text": "{\"celsius\":5.0}"}]));
    assert_eq!(modern["resultType"], "complete");
    for (version, structured) in [
        (ProtocolVersion::V2025_06_18, json!({"celsius": 5.0})),
        (ProtocolVersion::V2025_03_26, Value::Null),
        (ProtocolVersion::V2024_11_05, Value::Null),
    ] {
        let legacy = answer(&weather(), "tools/call", call.clone(), version).await;
        assert_eq!(legacy["structuredContent"], structured, "{version}");
        assert_eq!((&legacy["resultType"], &legacy["_meta"]), (&Value::Null, &Value::Null));
    }
}

#[tokio::test]
async fn every_kind_of_content_is_written() {
    let tool = tool_fn("all", "Answers with everything.", async || {
        ToolResult::new([
            Content::text("a").annotated(Annotations::for_audience([Role::User]).with_priority(2.0)),
            Content::image(b"i", "image/png"),
            Content::audio(b"s", "audio/wav"),
            Content::link("file:///a", "a"),
            Content::embedded_text("file:///b", "text/plain", "b"),
            Content::embedded_blob("file:///c", "application/octet-stream", b"c"),
        ])
        .with_structured(RawJson::from_value(&[1, 2]).unwrap())
    });
    let server = Server::new(Router::new("test", "1").tool(tool));
    let modern = answer(&server, "tools/call", json!({"name": "all"}), ProtocolVersion::LATEST).await;
    assert_eq!(
        modern["content"],
        json!([
            {"type": "text", "text": "a", "annotations": {"audience": ["user"], "priority": 1.0}},
            {"type": "image", "data": "aQ==", "mimeType": "image/png"},
            {"type": "audio", "data": "cw==", "mimeType": "audio/wav"},
            {"type": "resource_link", "uri": "file:///a", "name": "a"},
            {"type": "resource", "resource": {"uri": "file:///b", "mimeType": "text/plain", "text": "b"}},
            {"type": "resource", "resource": {"uri": "file:///c", "mimeType": "application/octet-stream", "blob": "Yw=="}},
        ])
    );
    assert_eq!(modern["structuredContent"], json!([1, 2]));

    let oldest = answer(&server, "tools/call", json!({"name": "all"}), ProtocolVersion::V2024_11_05).await;
    let types: Vec<&str> =
        oldest["content"].as_array().unwrap().iter().filter_map(|c| c["type"].as_str()).collect();
    assert_eq!(types, ["text", "image", "text", "text", "resource", "resource"]);
}

#[tokio::test]
async fn pages_together_are_the_list() {
    let tools =
        (0..7).fold(ToolSet::new(), |set, n| set.with(tool_fn(format!("t{n}"), "A tool.", async || "x")));
    let server = Server::new(Router::new("test", "1").tools(tools).page_size(NonZeroUsize::new(3).unwrap()));
    let mut names = Vec::new();
    let mut params = json!({});
    let mut pages = 0;
    loop {
        let page = answer(&server, "tools/list", params, ProtocolVersion::LATEST).await;
        names.extend(
            page["tools"].as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap().to_owned()),
        );
        pages += 1;
        match &page["nextCursor"] {
            Value::Null => break,
            cursor => params = json!({"cursor": cursor}),
        }
    }
    assert_eq!((pages, names), (3, (0..7).map(|n| format!("t{n}")).collect()));

    for cursor in [json!(""), json!("AAAAAAAAAAAAAAAA"), json!("x"), json!(7)] {
        let request = Request::new("tools/list", &json!({"cursor": cursor})).unwrap();
        let error = server.clone().oneshot(request).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidParams, "{cursor}");
    }
}

#[tokio::test]
async fn a_list_is_written_once() {
    let server = weather();
    let list = || async {
        let request = Request::new("tools/list", &json!({})).unwrap();
        server.clone().oneshot(request).await.unwrap()
    };
    let (first, second): (Reply, Reply) = (list().await, list().await);
    assert_eq!(first.as_bytes().as_ptr(), second.as_bytes().as_ptr());
}

#[tokio::test]
async fn progress_and_log_messages_reach_who_asked() {
    let tool = tool_fn("work", "Works.", async |_: Map, context: Context| {
        context.progress(1.0, Some(2.0), Some("half")).await;
        context.progress(1.0, None, None).await;
        context.log(LogLevel::Info, Some("work"), &json!({"step": 1})).await;
        context.log(LogLevel::Debug, None, &"unheard").await;
        context.progress(2.0, Some(2.0), None).await;
        "done"
    });
    let server = Server::new(Router::new("test", "1").tool(tool));
    let meta = json!({"progressToken": 7, "io.modelcontextprotocol/logLevel": "info"});
    let params = json!({"name": "work", "arguments": {}, "_meta": meta});
    let mut request = Request::new("tools/call", &params).unwrap();
    let (notifier, mut receiver) = Notifier::channel(8);
    request.context_mut().set_notifier(notifier);
    server.oneshot(request).await.unwrap();

    let mut received = Vec::new();
    while let Some(notification) = receiver.recv().await {
        let Report::Message(message) = notification else { panic!("nothing else is reported") };
        received.push(serde_json::from_slice::<Value>(&message).unwrap());
    }
    let expected = [
        json!({"jsonrpc": "2.0", "method": "notifications/progress",
               "params": {"progressToken": 7, "progress": 1.0, "total": 2.0, "message": "half"}}),
        json!({"jsonrpc": "2.0", "method": "notifications/message",
               "params": {"level": "info", "logger": "work", "data": {"step": 1}}}),
        json!({"jsonrpc": "2.0", "method": "notifications/progress",
               "params": {"progressToken": 7, "progress": 2.0, "total": 2.0}}),
    ];
    assert_eq!(received, expected);
}

#[derive(Deserialize, JsonSchema)]
struct Map {}

struct Database(Health);

#[async_trait]
impl HealthCheck for Database {
    fn name(&self) -> &str {
        "database"
    }

    async fn check(&self) -> Health {
        self.0.clone()
    }
}

#[tokio::test]
async fn health_is_that_of_the_worst_dependency() {
    for (health, status, text) in [
        (Health::Up, "healthy", "Server test is healthy\n- database: healthy"),
        (
            Health::Down("not reachable".into()),
            "unhealthy",
            "Server test is unhealthy\n- database: unhealthy (not reachable)",
        ),
    ] {
        let check: std::sync::Arc<dyn HealthCheck> = std::sync::Arc::new(Database(health));
        let server = Server::new(Router::new("test", "1").health([check]));
        let result =
            answer(&server, "tools/call", json!({"name": "health_check"}), ProtocolVersion::LATEST).await;
        assert_eq!(result["structuredContent"]["status"], status);
        assert_eq!(result["content"][0]["text"], text);
    }
}

#[tokio::test]
async fn server_info_counts_what_is_there() {
    let server = Server::new(Router::new("test", "1.2.3").tool(tool_fn("a", "A.", async || "a")).health([]));
    let result = answer(&server, "tools/call", json!({"name": "server_info"}), ProtocolVersion::LATEST).await;
    let info = &result["structuredContent"];
    assert_eq!(
        (&info["name"], &info["version"], &info["tools_count"]),
        (&json!("test"), &json!("1.2.3"), &json!(3))
    );
}

#[tokio::test]
async fn a_result_that_breaks_its_schema_is_a_defect() {
    let tool = tool_fn("wrong", "Promises what it does not keep.", async || {
        ToolResult::text("x").with_structured(RawJson::from_value("x").unwrap())
    })
    .define(ToolDefinition::with_output::<Weather>);
    let server = Server::new(Router::new("test", "1").tool(tool));
    let request = Request::new("tools/call", &json!({"name": "wrong"})).unwrap();
    assert_eq!(server.oneshot(request).await.unwrap_err().kind(), ErrorKind::Internal);
}

#[tokio::test]
async fn a_method_of_one_s_own_is_answered() {
    let router = Router::new("test", "1").method("com.example/sum", async |request: Request| {
        let numbers: std::collections::BTreeMap<String, Value> = request.parse()?;
        let sum: i64 = numbers.values().filter_map(Value::as_i64).sum();
        Reply::new(&json!({"sum": sum}), request.context().version())
    });
    let server = Server::new(router);
    let modern = answer(&server, "com.example/sum", json!({"a": 1, "b": 2}), ProtocolVersion::LATEST).await;
    assert_eq!(modern, json!({"resultType": "complete", "sum": 3}));
    let legacy = answer(&server, "com.example/sum", json!({"a": 1}), ProtocolVersion::V2025_06_18).await;
    assert_eq!(legacy, json!({"sum": 1}));
}

#[tokio::test]
async fn an_argument_that_its_type_cannot_hold_is_named() {
    #[derive(Deserialize, JsonSchema)]
    struct Count {
        n: Option<i64>,
    }
    let tool = tool_fn("count", "Counts.", async |args: Count| args.n.unwrap_or_default().to_string());
    let server = Server::new(Router::new("test", "1").tool(tool));
    let params = json!({"name": "count", "arguments": {"n": 1e21}});
    let error = server.oneshot(Request::new("tools/call", &params).unwrap()).await.unwrap_err();
    assert!(
        error.message().starts_with("Invalid arguments: `n`: ") && !error.message().contains("line"),
        "{error}"
    );
}

#[test]
fn what_cannot_be_registered_says_why() {
    let set = || ToolSet::new().with(tool_fn("a", "A.", async || "a"));
    let refused = |name: &str| set().try_with(tool_fn(name, "A.", async || "a")).unwrap_err().to_string();
    assert_eq!(refused("a"), r#"tool "a": there is another of that name"#);
    assert!(refused("a b").contains("a name has 1 to 128"));
    let broken = |schema: Value| {
        set().try_with(tool_fn("b", "B.", async || "b").define(|mut definition| {
            definition.input_schema = schema;
            definition
        }))
    };
    assert!(broken(json!({"type": "string"})).unwrap_err().to_string().contains("must be \"object\""));
    assert!(broken(json!({"type": "object", "properties": {"a": {"type": "strin"}}})).is_err());
    assert!(broken(json!({"type": "object", "$ref": "https://example.com/a.json"})).is_err());
    let mark = json!({"type": "object", "properties": {"a": {"type": "number", "x-mcp-header": "A"}}});
    assert!(broken(mark).unwrap_err().to_string().contains("x-mcp-header"));
}
