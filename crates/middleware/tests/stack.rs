//! Settings become layers, in their order.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use towline_core::{Error, ErrorKind, Operation, Router, Serve, Server, ToolSet, tool_fn};
use towline_middleware::{Stack, StackConfig, Switch};
use towline_transport::memory;

const SECOND: Duration = Duration::from_secs(1);

fn config(text: &str) -> StackConfig {
    toml::from_str(text).unwrap()
}

/// What is wrong with settings that cannot be read, or cannot work.
fn complaint(text: &str) -> String {
    match toml::from_str::<StackConfig>(text) {
        Ok(config) => config.validate().unwrap_err().to_string(),
        Err(error) => error.message().to_owned(),
    }
}

#[test]
fn settings_that_cannot_work_are_refused_with_their_key() {
    for (text, expected) in [
        ("[tools]\ntimeout = { timeout_ms = 0 }", "tools.timeout.timeout_ms: must be more than 0"),
        ("[server]\ntimeout = { timeout_ms = 0 }", "server.timeout.timeout_ms: must be more than 0"),
        ("[tool.a]\nretry = { max_attempts = 11 }", "tool.a.retry.max_attempts: must be at most 10"),
        ("[tool.a]\ndeadline_ms = 0", "tool.a.deadline_ms: must be more than 0"),
        ("[tool.a]\ncache = true", "missing field `ttl_ms`"),
        ("[tools]\ncache = { ttl_ms = 5 }", "tools.cache: set it per tool, in [tool.NAME]"),
        ("[upstream.u]\ncircuit_breaker = { failure_rate = 7 }", "upstream.u.circuit_breaker.failure_rate:"),
        ("[server]\nbulkhead = { max_concurrent = 0 }", "server.bulkhead.max_concurrent:"),
        ("[tool.a]\nvalidate = { arguments = { type = 5 } }", "tool.a.validate.arguments:"),
        (
            "[server]\nrate_limit = true\n[tools]\nrate_limit = true",
            "tools.rate_limit.policies: there is another",
        ),
        (
            "[server]\nrate_limit = { max_wait_ms = 9000000000000000000 }",
            "max_wait_ms: must be at most a year",
        ),
        ("[tool.a]\ncache = { ttl_ms = 9000000000000000000 }", "tool.a.cache.ttl_ms: must be at most a year"),
        ("[server]\ntimout = true", "unknown field `timout`"),
        ("[server]\ntimeout = 5", "expected true, false, or a table of settings"),
        ("[tool.a]\nretry = { attempts = 2 }", "unknown field `attempts`"),
    ] {
        let complaint = complaint(text);
        assert!(complaint.contains(expected), "{text}\ngave {complaint}");
    }
}

#[test]
fn a_layer_is_there_with_its_defaults_with_settings_or_not_at_all() {
    let config = config("[tools]\nretry = false\ntimeout = true\nbulkhead = { max_concurrent = 3 }");
    assert!(matches!(config.tools.retry, Some(Switch::Off)));
    assert_eq!(config.tools.timeout.unwrap().on().unwrap().timeout, 30 * SECOND);
    assert_eq!(config.tools.bulkhead.unwrap().on().unwrap().max_concurrent, 3);
}

/// A server with the tools `read`, which fails as often as `failures` says, and `write`, which always fails.
fn server(stack: &Stack, failures: usize, calls: &Arc<AtomicUsize>) -> Result<impl Serve, String> {
    let count = Arc::clone(calls);
    let read = tool_fn("read", "Reads.", move || {
        let call = count.fetch_add(1, Ordering::SeqCst);
        async move {
            sleep(SECOND).await;
            match call < failures {
                true => Err(Error::new(ErrorKind::Unavailable, "down")),
                false => Ok("read"),
            }
        }
    });
    let write =
        tool_fn("write", "Writes.", async || Err::<&str, _>(Error::new(ErrorKind::Unavailable, "down")));
    let tools = ToolSet::new().with(read.read_only()).with(write);
    let router = stack.tools(Router::new("test", "1"), tools).map_err(|error| error.to_string())?;
    Ok(Server::new(router).layer(stack.server()))
}

async fn call(client: &mut memory::Client, tool: &str) -> Value {
    client.call_tool(tool, json!({})).await.unwrap().result.unwrap_or_else(|error| error)
}

#[tokio::test(start_paused = true)]
async fn without_settings_reads_are_retried_writes_are_not_and_all_is_counted() {
    let (stack, calls) = (Stack::new(StackConfig::default()).unwrap(), Arc::default());
    let mut client = memory::connect(server(&stack, 1, &calls).unwrap());

    assert_eq!(call(&mut client, "read").await["content"][0]["text"], "read");
    assert_eq!(calls.load(Ordering::SeqCst), 2);
    assert_eq!(call(&mut client, "write").await["isError"], true);

    let metrics = call(&mut client, "get_metrics").await;
    let tools = &metrics["structuredContent"]["tools"];
    assert_eq!((&tools["read"]["count"], &tools["read"]["errors"]), (&json!(1), &json!(0)));
    assert_eq!((&tools["write"]["count"], &tools["write"]["errors"]), (&json!(1), &json!(1)));
    let text = stack.metrics().encode();
    for line in [
        r#"towline_layer_events_total{layer="retry",event="retried",service="read"} 1"#,
        r#"mcp_bulkhead_available{name="server"}"#,
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_tool_s_own_settings_win_over_those_of_all_tools() {
    let stack = Stack::new(config(
        "[tools]\ntimeout = { timeout_ms = 100 }\nretry = false\n[tool.read]\ntimeout = { timeout_ms = 5000 }",
    ))
    .unwrap();
    let mut client = memory::connect(server(&stack, 0, &Arc::default()).unwrap());
    assert_eq!(call(&mut client, "read").await["content"][0]["text"], "read");

    let stack = Stack::new(config("[tools]\ntimeout = { timeout_ms = 100 }\nretry = false")).unwrap();
    let mut client = memory::connect(server(&stack, 0, &Arc::default()).unwrap());
    assert_eq!(call(&mut client, "read").await["_meta"]["dev.towline/error"]["kind"], "timeout");
}

#[tokio::test(start_paused = true)]
async fn a_tool_s_deadline_counts_instead_of_the_server_s() {
    for (own, expected) in [(None, 500), (Some(700), 700)] {
        let mut settings = config("[server]\ntimeout = { timeout_ms = 500 }");
        settings.tool.entry("read".into()).or_default().deadline_ms = own;
        let stack = Stack::new(settings).unwrap();
        let mut client = memory::connect(server(&stack, 0, &Arc::default()).unwrap());
        let began = Instant::now();
        let answer = call(&mut client, "read").await;
        assert_eq!(answer["data"]["kind"], "timeout", "{answer}");
        assert_eq!(began.elapsed(), Duration::from_millis(expected));
    }
}

#[tokio::test(start_paused = true)]
async fn a_deadline_of_all_tools_counts_for_each_that_has_none() {
    let settings = "[server]\ntimeout = false\n[tools]\ndeadline_ms = 700\n[tool.write]\ndeadline_ms = 5000";
    let stack = Stack::new(config(settings)).unwrap();
    let mut client = memory::connect(server(&stack, 0, &Arc::default()).unwrap());
    let began = Instant::now();
    assert_eq!(call(&mut client, "read").await["data"]["kind"], "timeout");
    assert_eq!(began.elapsed(), Duration::from_millis(700));
}

/// Settings under which a caller's second call waits a minute for its turn.
const WAITS: &str = r#"
[server]
timeout = { timeout_ms = 5000 }
bulkhead = { max_concurrent = 1, max_queue = 0 }
rate_limit = { max_wait_ms = 120000, policies = [{ name = "p", limit = 1, key = ["tool"] }] }
"#;

#[tokio::test(start_paused = true)]
async fn waiting_for_a_turn_is_within_the_deadline() {
    let stack = Stack::new(config(WAITS)).unwrap();
    let mut client = memory::connect(server(&stack, 0, &Arc::default()).unwrap());
    assert_eq!(call(&mut client, "read").await["content"][0]["text"], "read");
    let began = Instant::now();
    // It could not be answered in time, so it is not begun.
    assert_eq!(call(&mut client, "read").await["data"]["kind"], "rate_limited");
    assert!(began.elapsed() <= 5 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_turn_holds_no_place() {
    let settings = WAITS.replace("timeout_ms = 5000", "timeout_ms = 500000");
    let stack = Stack::new(config(&settings)).unwrap();
    let server = server(&stack, 0, &Arc::default()).unwrap();
    let (mut greedy, mut other) = (memory::connect(server.clone()), memory::connect(server));
    call(&mut greedy, "read").await;
    let (_, answer) = tokio::join!(call(&mut greedy, "read"), async {
        sleep(SECOND).await;
        call(&mut other, "write").await
    });
    assert_eq!(answer["content"][0]["text"], "down", "{answer}");
}

#[tokio::test(start_paused = true)]
async fn each_upstream_has_a_breaker_of_its_own_and_get_metrics_shows_it() {
    let settings =
        config("[tools]\nretry = false\n[upstream.b]\ncircuit_breaker = { consecutive_failures = 1 }");
    let of_tool = |operation: &dyn Operation| match operation.target() {
        Some("write") => Some("b".into()),
        Some("read") => Some("a".into()),
        _ => None,
    };
    let stack = Stack::new(settings).unwrap().upstreams(["a", "b"], of_tool).unwrap();
    let mut client = memory::connect(server(&stack, 0, &Arc::default()).unwrap());

    call(&mut client, "write").await;
    assert_eq!(call(&mut client, "write").await["_meta"]["dev.towline/error"]["kind"], "circuit_open");
    assert_eq!(call(&mut client, "read").await["content"][0]["text"], "read");
    let metrics = call(&mut client, "get_metrics").await;
    let upstreams = &metrics["structuredContent"]["upstreams"];
    assert_eq!((&upstreams["a"]["state"], &upstreams["b"]["state"]), (&json!("closed"), &json!("open")));
}

#[tokio::test(start_paused = true)]
async fn an_upstream_s_bulkhead_bounds_all_tools_that_use_it() {
    let settings = config("[upstream.a]\nbulkhead = { max_concurrent = 1, max_queue = 0 }");
    let stack = Stack::new(settings).unwrap().upstreams(["a"], |_| Some("a".into())).unwrap();
    let server = server(&stack, 0, &Arc::default()).unwrap();
    let mut first = memory::connect(server.clone());
    let mut second = memory::connect(server);
    let (one, other) = tokio::join!(call(&mut first, "read"), async {
        sleep(SECOND / 2).await;
        call(&mut second, "write").await
    });
    assert_eq!(one["content"][0]["text"], "read");
    assert_eq!(other["_meta"]["dev.towline/error"]["kind"], "overloaded");
}

#[test]
fn names_that_nothing_has_and_caches_of_what_writes_are_refused() {
    let refused = |text: &str| {
        let stack = Stack::new(config(text)).unwrap();
        server(&stack, 0, &Arc::default()).err().unwrap_or_default()
    };
    assert_eq!(
        refused("[tool.raed]\nretry = false"),
        "tool.raed: there is none of that name; there are: read, write"
    );
    assert_eq!(
        refused("[tool.write]\ncache = { ttl_ms = 5 }"),
        "tool.write.cache: this tool does not say that it is read-only"
    );
    assert_eq!(
        refused("[upstream.x]\nbulkhead = true"),
        "upstream.x: there is none of that name; there are: none"
    );
    for (member, key) in [("tools = [\"raed\"]", "tools"), ("costs = { raed = 1 }", "costs")] {
        let policy =
            format!("[server]\nrate_limit = {{ policies = [{{ name = \"p\", limit = 1, {member} }}] }}");
        let expected = format!("server.rate_limit.policies[0].{key}.raed: there is none of that name");
        assert!(refused(&policy).starts_with(&expected), "{}", refused(&policy));
    }
    let stack = Stack::new(config("[upstream.x]\nbulkhead = true")).unwrap();
    let error = stack.upstreams(["shop"], |_| None).unwrap_err();
    assert_eq!(error.to_string(), "upstream.x: there is none of that name; there are: shop");
}

#[test]
fn names_that_two_things_have_are_refused() {
    let stack = Stack::new(StackConfig::default()).unwrap();
    let tools = || ToolSet::new().with(tool_fn("get_metrics", "Something else.", async || ""));
    let error = stack.tools(Router::new("test", "1"), tools()).unwrap_err().to_string();
    assert!(error.starts_with("server.metrics: there is a tool `get_metrics` already"), "{error}");
    let without = Stack::new(config("[server]\nmetrics = false")).unwrap();
    assert!(without.tools(Router::new("test", "1"), tools()).is_ok());

    let error = stack.upstreams(["a", "a"], |_| None).unwrap_err().to_string();
    assert!(error.starts_with("upstream.a: there are two"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn two_servers_with_one_stack_share_what_it_allows() {
    let settings = "[server]\nrate_limit = { policies = [{ name = \"p\", limit = 1, key = [\"server\"] }] }";
    let stack = Stack::new(config(settings)).unwrap();
    let first = server(&stack, 0, &Arc::default()).unwrap();
    let second = Server::new(Router::new("test", "1").tool(tool_fn("read", "Reads.", async || "read")));
    let second = second.layer(stack.server());
    let (mut first, mut second) = (memory::connect(first), memory::connect(second));
    assert_eq!(call(&mut first, "read").await["content"][0]["text"], "read");
    assert_eq!(call(&mut second, "read").await["data"]["kind"], "rate_limited");
    // Each part is told of once.
    let told = stack.metrics().encode();
    assert_eq!(told.matches("mcp_bulkhead_available{name=\"server\"}").count(), 1, "{told}");
}
