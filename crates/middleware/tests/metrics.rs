//! What is counted, and what is told of it.

use std::future::{Ready, pending};
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;
use serde_json::{Value, json};
use tokio::time::{advance, sleep};
use tower::{Layer, Service, ServiceExt, service_fn};
use towline_core::protocol::ToolDefinition;
use towline_core::{
    BoxError, Context, Error, ErrorKind, RawJson, Request, Router, Routes, Server, Tool, ToolCall, ToolExt,
    ToolResult, ToolSet, async_trait, tool_fn,
};
use towline_middleware::{Measured, Metrics, MetricsConfig, MetricsLayer, ToolSnapshot, UpstreamSnapshot};
use towline_transport::memory;

const MILLI: Duration = Duration::from_millis(1);

/// A tool that does what its argument says.
#[derive(Debug)]
struct Obeys(ToolDefinition);

impl Obeys {
    fn new(name: &str) -> Self {
        let mut definition = ToolDefinition::new(name, "Obeys.");
        definition.input_schema = json!({"type": "object"});
        Self(definition)
    }
}

#[async_trait]
impl Tool for Obeys {
    fn definition(&self) -> &ToolDefinition {
        &self.0
    }

    async fn call(&self, call: ToolCall) -> Result<ToolResult, Error> {
        let arguments: Value = call.parse()?;
        sleep(MILLI * arguments["takes"].as_u64().unwrap_or(0) as u32).await;
        match arguments["then"].as_str() {
            Some("hang") => pending().await,
            Some("panic") => panic!("as it was told"),
            Some("tool_error") => Ok(ToolResult::error("no such city: Atlantis")),
            Some("unavailable") => Err(Error::new(ErrorKind::Unavailable, "the database is away")
                .with_source("connection to 10.0.0.7 refused")),
            Some("invalid") => Err(Error::invalid_params("`then` is odd")),
            Some("cancelled") => Err(Error::new(ErrorKind::Cancelled, "nobody waits")),
            _ => Ok(ToolResult::text("done")),
        }
    }
}

fn obey(name: &str, takes: u64, then: &str) -> Request {
    let arguments = json!({"takes": takes, "then": then, "secret": "hunter2"});
    Request::new("tools/call", &json!({"name": name, "arguments": arguments})).unwrap()
}

fn server(metrics: &Metrics) -> Server<Measured<Routes>> {
    let router = Router::new("test", "1").tool(Obeys::new("obey")).tool(Obeys::new("other"));
    Server::new(router).layer(MetricsLayer::new(metrics))
}

fn tool(metrics: &Metrics, name: &str) -> ToolSnapshot {
    metrics.snapshot().tools.remove(name).unwrap_or_default()
}

fn in_flight(metrics: &Metrics) -> u64 {
    metrics.snapshot().totals.in_flight
}

/// The value of a series, by its whole name with labels.
fn series(metrics: &Metrics, name: &str) -> Option<f64> {
    let text = metrics.encode();
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
}

#[tokio::test(start_paused = true)]
async fn each_outcome_is_counted_as_what_it_is() {
    let metrics = Metrics::default();
    let server = server(&metrics);
    for (then, times) in [("", 3), ("tool_error", 2), ("unavailable", 1), ("invalid", 4), ("cancelled", 1)] {
        for _ in 0..times {
            let _ = server.clone().oneshot(obey("obey", 10, then)).await;
        }
    }

    let obey = tool(&metrics, "obey");
    assert_eq!((obey.times.count, obey.times.errors, obey.cancelled, obey.in_flight), (10, 3, 1, 0));
    assert_eq!(obey.times.error_rate, 0.3);
    assert_eq!(json!(obey.errors_by_type), json!({"503": 1, "tool_error": 2}));
    assert_eq!((obey.times.avg_ms, obey.times.p99, obey.times.max_ms), (10.0, 10.0, 10.0));

    let count =
        r#"mcp_server_operation_duration_seconds_count{mcp_method_name="tools/call",gen_ai_tool_name="obey""#;
    assert_eq!(series(&metrics, &format!("{count}}}")), Some(7.0), "successes and mistakes of the client");
    assert_eq!(series(&metrics, &format!(r#"{count},error_type="503"}}"#)), Some(1.0));
    assert_eq!(series(&metrics, &format!(r#"{count},error_type="tool_error"}}"#)), Some(2.0));
    let bucket = r#"mcp_server_operation_duration_seconds_bucket{le="0.01",mcp_method_name="tools/call",gen_ai_tool_name="obey",error_type="503"}"#;
    assert_eq!(series(&metrics, bucket), Some(1.0));
}

#[tokio::test(start_paused = true)]
async fn percentiles_are_those_of_the_calls() {
    let metrics = Metrics::default();
    let server = server(&metrics);
    for takes in 1..=100 {
        server.clone().oneshot(obey("obey", takes, "")).await.unwrap();
    }
    let times = tool(&metrics, "obey").times;
    assert_eq!((times.count, times.avg_ms, times.max_ms), (100, 50.5, 100.0));
    for (measured, expected) in [(times.p50, 50.0), (times.p90, 90.0), (times.p95, 95.0), (times.p99, 99.0)] {
        assert!((expected..=expected * 1.01).contains(&measured), "{measured} ms instead of {expected} ms");
    }
}

#[tokio::test(start_paused = true)]
async fn the_last_minute_forgets_and_the_total_does_not() {
    let metrics = Metrics::default();
    let server = server(&metrics);
    let _ = server.clone().oneshot(obey("obey", 5, "unavailable")).await;
    assert_eq!(tool(&metrics, "obey").last_minute.errors, 1);

    advance(Duration::from_secs(70)).await;
    server.clone().oneshot(obey("obey", 1, "")).await.unwrap();
    let obey = tool(&metrics, "obey");
    assert_eq!((obey.last_minute.count, obey.last_minute.errors, obey.last_minute.max_ms), (1, 0, 1.0));
    assert_eq!((obey.times.count, obey.times.errors, obey.times.max_ms), (2, 1, 5.0));
}

#[tokio::test(start_paused = true)]
async fn a_dropped_call_is_a_cancellation_and_leaves_nothing_in_flight() {
    let metrics = Metrics::default();
    metrics.register_tool("obey");
    let server = server(&metrics);
    let mut calls = Vec::new();
    for _ in 0..20 {
        let mut call = Box::pin(server.clone().oneshot(obey("obey", 0, "hang")));
        assert!(poll_once(&mut call).await.is_pending());
        calls.push(call);
    }
    assert_eq!((in_flight(&metrics), tool(&metrics, "obey").in_flight), (20, 20));
    assert_eq!(series(&metrics, "mcp_inflight_requests"), Some(20.0));

    drop(calls);
    let obey = tool(&metrics, "obey");
    assert_eq!((in_flight(&metrics), obey.in_flight, obey.cancelled), (0, 0, 20));
    assert_eq!((obey.times.count, obey.times.errors), (0, 0));
    let cancelled =
        r#"mcp_server_operation_cancelled_total{mcp_method_name="tools/call",gen_ai_tool_name="obey"}"#;
    assert_eq!(series(&metrics, cancelled), Some(20.0));
    assert!(metrics.snapshot().recent_errors.is_empty());
}

async fn poll_once<F: Future + Unpin>(future: &mut F) -> std::task::Poll<F::Output> {
    std::future::poll_fn(|cx| std::task::Poll::Ready(std::pin::Pin::new(&mut *future).poll(cx))).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn counts_are_exact_while_calls_and_cancellations_race() {
    const TASKS: u64 = 16;
    const EACH: u64 = 250;
    let metrics = Metrics::default();
    let server = server(&metrics);
    let tasks: Vec<_> = (0..TASKS)
        .map(|_| {
            let server = server.clone();
            tokio::spawn(async move {
                let (mut failed, mut dropped) = (0, 0);
                for number in 0..EACH {
                    let then = ["", "unavailable", "hang", "tool_error", "invalid"][number as usize % 5];
                    let call = server.clone().oneshot(obey("obey", 0, then));
                    match (tokio::time::timeout(MILLI, call).await, then) {
                        (Err(_), _) => dropped += 1,
                        (Ok(_), "unavailable" | "tool_error") => failed += 1,
                        (Ok(_), _) => {}
                    }
                }
                (failed, dropped)
            })
        })
        .collect();
    let (mut failed, mut dropped) = (0, 0);
    for task in tasks {
        let (more_failed, more_dropped) = task.await.unwrap();
        failed += more_failed;
        dropped += more_dropped;
    }
    assert!(dropped >= TASKS * EACH / 5 && failed > 0, "{dropped} dropped, {failed} failed");

    let snapshot = metrics.snapshot();
    let totals = &snapshot.totals;
    assert_eq!((totals.requests, totals.cancelled), (TASKS * EACH - dropped, dropped));
    assert_eq!((totals.errors, totals.in_flight), (failed, 0));
    // What was dropped before the tool had ever answered is `_other`'s.
    let tools = || snapshot.tools.values();
    assert_eq!(tools().map(|tool| tool.times.count).sum::<u64>(), totals.requests);
    assert_eq!(tools().map(|tool| tool.times.errors).sum::<u64>(), totals.errors);
    assert_eq!(tools().map(|tool| tool.cancelled).sum::<u64>(), totals.cancelled);
}

#[tokio::test]
async fn a_panic_that_passes_is_an_error() {
    let metrics = Metrics::default();
    let layer = MetricsLayer::tool(&metrics, "obey");
    let call =
        || ToolCall::new("obey", RawJson::from_text(r#"{"then":"panic"}"#).unwrap(), Context::default());

    let mut late = layer.layer(service_fn(async |call| Obeys::new("obey").call(call).await));
    let mut late = AssertUnwindSafe(Box::pin(late.call(call()))).catch_unwind();
    // Whoever catches it drops the future later.
    assert!((&mut late).await.is_err());
    drop(late);

    let mut early = layer.layer(service_fn(|_: ToolCall| -> Ready<Result<(), Error>> { panic!("at once") }));
    std::panic::catch_unwind(AssertUnwindSafe(|| drop(early.call(call())))).unwrap_err();

    let obey = tool(&metrics, "obey");
    assert_eq!((obey.times.count, obey.times.errors, obey.cancelled, obey.in_flight), (2, 2, 0, 0));
    assert_eq!(json!(obey.errors_by_type), json!({"-32603": 2}));
}

#[tokio::test]
async fn what_callers_send_makes_no_series() {
    let metrics = Metrics::default();
    let server = server(&metrics);
    server.clone().oneshot(obey("obey", 0, "")).await.unwrap();
    let _ = server.clone().oneshot(obey("nobody", 0, "")).await;
    let _ = server.clone().oneshot(Request::new("no/method", &json!({})).unwrap()).await;
    let lines = || metrics.encode().lines().count();
    let before = lines();

    for number in 0..10_000 {
        let name = format!("tool{number}");
        let request = match number % 3 {
            0 => obey(&name, 0, ""),
            1 => Request::new(format!("method/{number}\"}}\n"), &json!({"name": name})).unwrap(),
            _ => {
                let meta = json!({"io.modelcontextprotocol/protocolVersion": format!("version{number}")});
                Request::new("tools/call", &json!({"name": "x\"y\n", "arguments": {}, "_meta": meta}))
                    .unwrap()
            }
        };
        assert!(server.clone().oneshot(request).await.is_err());
    }
    assert_eq!(lines(), before);
    let snapshot = metrics.snapshot();
    assert_eq!(snapshot.tools.keys().collect::<Vec<_>>(), ["_other", "obey"]);
    assert_eq!(snapshot.tools["_other"].times.count, 1 + 6667);
    assert_eq!(snapshot.totals.requests, 10_003);
    assert_eq!(snapshot.totals.errors, 0, "they are mistakes of the client");
}

#[tokio::test]
async fn tools_beyond_the_bound_are_counted_together() {
    let config: MetricsConfig = toml::from_str("max_tools = 2").unwrap();
    let metrics = Metrics::new(config);
    let router = (0..4).fold(Router::new("test", "1"), |router, n| router.tool(Obeys::new(&format!("t{n}"))));
    let server = Server::new(router).layer(MetricsLayer::new(&metrics));
    for round in 0..2 {
        for number in 0..4 {
            let then = if round == 0 { "unavailable" } else { "" };
            let _ = server.clone().oneshot(obey(&format!("t{number}"), 0, then)).await;
        }
    }
    let tools = metrics.snapshot().tools;
    assert_eq!(tools.keys().collect::<Vec<_>>(), ["_other", "t0", "t1"]);
    assert_eq!((tools["t0"].times.count, tools["_other"].times.count), (2, 4));
}

#[tokio::test]
async fn a_method_of_ones_own_counts_once_it_is_named() {
    let metrics = Metrics::default();
    let call = |method| {
        MetricsLayer::new(&metrics)
            .layer(service_fn(async |_| Ok::<_, Error>("fine")))
            .oneshot(Request::new(method, &json!({})).unwrap())
    };
    call("ours/work").await.unwrap();
    metrics.register_method("ours/work");
    call("ours/work").await.unwrap();
    call("tools/list").await.unwrap();
    for method in ["_other", "ours/work", "tools/list"] {
        let name = format!(r#"mcp_server_operation_duration_seconds_count{{mcp_method_name="{method}"}}"#);
        assert_eq!(series(&metrics, &name), Some(1.0), "{method}");
    }
}

#[tokio::test]
async fn it_fits_a_tool_a_set_and_a_service_with_boxed_errors() {
    let metrics = Metrics::default();
    let failing = json!({"then": "unavailable"});

    let single = Obeys::new("single").layer(MetricsLayer::tool(&metrics, "single"));
    let set = ToolSet::new().with(Obeys::new("in_set")).layer(MetricsLayer::new(&metrics));
    let server = Server::new(Router::new("test", "1").tool(single).tools(set));
    let mut client = memory::connect(server);
    for name in ["single", "in_set"] {
        client.call_tool(name, failing.clone()).await.unwrap();
    }

    let boxed =
        service_fn(async |_: ToolCall| Err::<(), _>(BoxError::from(Error::new(ErrorKind::Timeout, "late"))));
    let boxed = MetricsLayer::tool(&metrics, "boxed").layer(boxed);
    boxed.oneshot(ToolCall::new("x", RawJson::EMPTY_OBJECT, Context::default())).await.unwrap_err();

    let tools = metrics.snapshot().tools;
    let errors = |name: &str| json!(tools[name].errors_by_type);
    assert_eq!(errors("single"), json!({"503": 1}));
    assert_eq!(errors("in_set"), json!({"503": 1}));
    assert_eq!(errors("boxed"), json!({"504": 1}));
}

#[tokio::test]
async fn the_last_errors_tell_what_the_client_read_and_no_more() {
    let metrics = Metrics::default();
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let server = server(&metrics);
    for (then, traceparent) in [("unavailable", trace), ("tool_error", "00-not-a-parent")] {
        let params = json!({
            "name": "obey",
            "arguments": {"then": then, "secret": "hunter2"},
            "_meta": {"traceparent": traceparent},
        });
        let _ = server.clone().oneshot(Request::new("tools/call", &params).unwrap()).await;
    }
    let errors = metrics.snapshot().recent_errors;
    let [tool_error, unavailable] = &errors[..] else { panic!("{errors:?}") };
    assert_eq!((unavailable.kind, unavailable.code), ("unavailable", Some(503)));
    assert_eq!(unavailable.message, "the database is away");
    assert_eq!(unavailable.tool.as_deref(), Some("obey"));
    assert_eq!(unavailable.trace_id.as_deref(), Some("0af7651916cd43dd8448eb211c80319c"));
    assert_eq!((tool_error.kind, tool_error.code, &tool_error.trace_id), ("tool_error", None, &None));

    let everything = serde_json::to_string(&metrics.snapshot()).unwrap() + &metrics.encode();
    for secret in ["hunter2", "10.0.0.7", "Atlantis"] {
        assert!(!everything.contains(secret), "{secret}");
    }
}

#[tokio::test]
async fn only_the_last_hundred_errors_are_kept_and_their_messages_cut() {
    let metrics = Metrics::default();
    let service = MetricsLayer::tool(&metrics, "t").layer(service_fn(async |call: ToolCall| {
        let text = format!("{} {}\n", call.raw_arguments().as_str(), "é".repeat(300));
        Err::<(), _>(Error::new(ErrorKind::Unavailable, text))
    }));
    for number in 0..150 {
        let arguments = RawJson::from_text(number.to_string()).unwrap();
        let call = ToolCall::new("t", arguments, Context::default());
        let _ = service.clone().oneshot(call).await;
    }
    let errors = metrics.snapshot().recent_errors;
    assert_eq!(errors.len(), 100);
    assert!(errors[0].message.starts_with("149 ") && errors[99].message.starts_with("50 "));
    assert!(errors.iter().all(|error| error.message.chars().count() == 200));
}

#[tokio::test]
async fn get_metrics_tells_it_as_data_that_its_schema_promises() {
    let config: MetricsConfig = toml::from_str("replica = \"pod-1\"").unwrap();
    let metrics = Metrics::new(config);
    metrics.add_cache_hits(|| 7);
    metrics.add_upstreams(|| {
        let (name, state) = ("db".into(), "open".into());
        vec![UpstreamSnapshot { name, state, failure_rate: 0.5, retry_after_ms: Some(1200) }]
    });
    let router = Router::new("test", "1").tool(Obeys::new("obey")).tool(metrics.tool());
    let mut client = memory::connect(Server::new(router).layer(MetricsLayer::new(&metrics)));
    client.call_tool("obey", json!({"then": "unavailable"})).await.unwrap();

    let listed = client.call("tools/list", json!({})).await.unwrap().result.unwrap();
    let definition = &listed["tools"][1];
    assert_eq!(
        (&definition["name"], &definition["annotations"]["readOnlyHint"]),
        (&json!("get_metrics"), &json!(true))
    );
    assert!(definition["description"].as_str().unwrap().contains("one replica"));

    // In debug builds the server holds the data against the schema.
    let result = client.call_tool("get_metrics", json!({})).await.unwrap().result.unwrap();
    assert_ne!(result["isError"], true, "{result}");
    let data = &result["structuredContent"];
    assert_eq!(data["replica"], "pod-1");
    assert!(data["window"].as_str().unwrap().contains("this replica only"));
    assert_eq!(
        data["totals"],
        json!({"requests": 2, "errors": 1, "cancelled": 0, "inFlight": 1, "cacheHits": 7, "rateLimited": 0})
    );
    let obey = &data["tools"]["obey"];
    for key in ["count", "errors", "errorRate", "avgMs", "p50", "p90", "p95", "p99", "maxMs", "inFlight"] {
        assert!(obey[key].is_number(), "{key}: {obey}");
    }
    assert!(obey["lastErrorAt"].as_str().unwrap().ends_with('Z'));
    assert_eq!(data["upstreams"], json!({"db": {"state": "open", "failureRate": 0.5, "retryAfterMs": 1200}}));
    let text = result["content"][0]["text"].as_str().unwrap();
    for part in ["pod-1", "obey: 1 calls, 1 errors", "db: open", "the database is away"] {
        assert!(text.contains(part), "{text}");
    }
}

/// Holds the text against the rules of OpenMetrics that a scraper insists on.
#[tokio::test]
async fn the_text_is_open_metrics() {
    let metrics = Metrics::default();
    metrics.register(|registry| {
        registry.register(
            "ours",
            "Of our own",
            prometheus_client::metrics::counter::Counter::<u64>::default(),
        );
    });
    metrics.events().counter("retry", "retried", "obey").inc();
    let server = server(&metrics);
    let _ = server.clone().oneshot(obey("obey", 0, "unavailable")).await;
    let text = metrics.encode();

    assert!(text.ends_with("# EOF\n"));
    let mut types = std::collections::BTreeMap::new();
    let mut seen = std::collections::BTreeSet::new();
    for line in text.lines().filter(|line| *line != "# EOF") {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert!(types.insert(name.to_owned(), kind.to_owned()).is_none(), "{name} twice");
        } else if let Some(rest) = line.strip_prefix("# UNIT ") {
            let (name, unit) = rest.split_once(' ').unwrap();
            assert!(name.ends_with(unit), "{line}");
        } else if !line.starts_with("# HELP ") {
            let (series, value) = line.rsplit_once(' ').unwrap();
            value.parse::<f64>().unwrap();
            assert!(seen.insert(series.to_owned()), "{series} twice");
            let name = series.split('{').next().unwrap();
            let suffixes = ["", "_total", "_bucket", "_sum", "_count", "_info"];
            let family = suffixes.iter().find_map(|suffix| types.get(name.strip_suffix(suffix)?));
            assert!(family.is_some(), "{name} has no type");
        }
    }
    assert_eq!(types["mcp_server_operation_duration_seconds"], "histogram");
    assert_eq!(types["mcp_inflight_requests"], "gauge");
    assert_eq!(types["towline_layer_events"], "counter");
    assert_eq!(
        series(&metrics, r#"towline_layer_events_total{layer="retry",event="retried",service="obey"}"#),
        Some(1.0)
    );
    assert_eq!(series(&metrics, "ours_total"), Some(0.0));
    let last = r#"{le="300.0",mcp_method_name="tools/call",gen_ai_tool_name="obey",error_type="503"}"#;
    assert_eq!(series(&metrics, &format!("mcp_server_operation_duration_seconds_bucket{last}")), Some(1.0));
}

#[test]
fn settings_that_cannot_work_are_named() {
    let config: MetricsConfig = toml::from_str("max_tools = 10001").unwrap();
    assert_eq!(config.validate().unwrap_err().key(), "max_tools");
    assert!(toml::from_str::<MetricsConfig>("max_tool = 1").is_err());
    assert!(MetricsConfig::default().validate().is_ok());
}

#[test]
fn a_tool_function_can_be_measured_by_name() {
    let metrics = Metrics::default();
    let ping = tool_fn("ping", "Answers.", async || "pong").layer(MetricsLayer::tool(&metrics, "ping"));
    assert_eq!(&*ping.definition().name, "ping");
    assert!(metrics.snapshot().tools.contains_key("ping"));
}
