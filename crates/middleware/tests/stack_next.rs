//! Other settings while calls go on: what is as before keeps its state, what is not begins anew.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use towline_core::{Error, ErrorKind, Router, Server, ToolSet, tool_fn};
use towline_middleware::circuit_breaker::State;
use towline_middleware::{Stack, StackConfig};
use towline_transport::memory::{self, Client};

fn config(text: &str) -> StackConfig {
    toml::from_str(text).unwrap()
}

/// A server whose tool `count` tells how often it was called, and whose tool `fail` fails.
fn connect(stack: &Stack, calls: &Arc<AtomicUsize>) -> Client {
    let calls = Arc::clone(calls);
    let count = tool_fn("count", "Counts.", move || {
        let count = calls.fetch_add(1, Ordering::SeqCst) + 1;
        async move { count.to_string() }
    });
    let fail =
        tool_fn("fail", "Fails.", async || Err::<String, _>(Error::new(ErrorKind::Unavailable, "down")));
    let tools = ToolSet::new().with(count.read_only()).with(fail);
    let router = stack.tools(Router::new("test", "1"), tools).unwrap();
    memory::connect(Server::new(router).layer(stack.server()))
}

/// The text of a call's answer, or the kind of its failure.
async fn call(client: &mut Client, tool: &str) -> String {
    let answer = client.call_tool(tool, json!({})).await.unwrap();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    match answer.result {
        Err(error) => text(&error["data"]["kind"]).unwrap(),
        Ok(result) if result["isError"] == true => {
            text(&result["_meta"]["dev.towline/error"]["kind"]).unwrap()
        }
        Ok(result) => text(&result["content"][0]["text"]).unwrap(),
    }
}

const LIMIT: &str =
    "[server]\nrate_limit = { policies = [{ name = \"p\", limit = 2, window_ms = 3600000 }] }\n";

#[tokio::test(start_paused = true)]
async fn an_allowance_is_used_up_as_long_as_its_settings_are_the_same() {
    let calls = Arc::default();
    let stack = Stack::new(config(LIMIT)).unwrap();
    let mut first = connect(&stack, &calls);
    for answer in ["1", "2", "rate_limited"] {
        assert_eq!(call(&mut first, "count").await, answer);
    }
    let same = stack.next(config(&format!("{LIMIT}timeout = {{ timeout_ms = 5 }}\n"))).unwrap();
    let mut second = connect(&same, &calls);
    same.take_over();
    assert_eq!(call(&mut second, "count").await, "rate_limited");
    assert_eq!(stack.rate_limits()[0].refused, 2, "the first stack tells of both");

    let other = stack.next(config(&LIMIT.replace("limit = 2", "limit = 3"))).unwrap();
    let mut third = connect(&other, &calls);
    assert_eq!(stack.rate_limits()[0].refused, 2, "it has not taken over yet");
    other.take_over();
    assert_eq!(stack.rate_limits()[0].refused, 0);
    assert_eq!(call(&mut third, "count").await, "3");
    assert_eq!(call(&mut first, "count").await, "rate_limited", "a call goes where it began");
    assert_eq!(stack.metrics().snapshot().totals.requests, 6, "all count into the same");
    let text = stack.metrics().encode();
    assert_eq!(text.matches("mcp_ratelimit_keys{policy=\"p\"}").count(), 1, "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_breaker_stays_open_as_long_as_its_settings_are_the_same() {
    let breaker = "[tools]\nretry = false\n[tool.fail]\ncircuit_breaker = { consecutive_failures = 1, open_ms = 60000 }\n";
    let calls = Arc::default();
    let stack = Stack::new(config(breaker)).unwrap();
    let mut first = connect(&stack, &calls);
    assert_eq!(call(&mut first, "fail").await, "unavailable");

    let same = stack.next(config(breaker)).unwrap();
    let mut second = connect(&same, &calls);
    same.take_over();
    assert_eq!(call(&mut second, "fail").await, "circuit_open");

    let other = stack.next(config(&breaker.replace("60000", "1000"))).unwrap();
    let mut third = connect(&other, &calls);
    assert_eq!(stack.breakers().get("tool:fail").unwrap().state(), State::Open);
    other.take_over();
    assert_eq!(stack.breakers().get("tool:fail").unwrap().state(), State::Closed, "it is another");
    assert_eq!(call(&mut third, "fail").await, "unavailable");
    assert_eq!(stack.breakers().get("tool:fail").unwrap().state(), State::Open);

    let none = stack.next(config("")).unwrap();
    connect(&none, &calls);
    none.take_over();
    assert!(stack.breakers().get("tool:fail").is_none());
}

#[tokio::test(start_paused = true)]
async fn answers_are_kept_as_long_as_their_settings_are_the_same() {
    let cache = "[tool.count]\ncache = { ttl_ms = 60000 }\n";
    let calls = Arc::default();
    let stack = Stack::new(config(cache)).unwrap();
    let mut first = connect(&stack, &calls);
    assert_eq!(call(&mut first, "count").await, "1");
    let same = stack.next(config(cache)).unwrap();
    assert_eq!(call(&mut connect(&same, &calls), "count").await, "1");
    same.take_over();
    let other = stack.next(config(&cache.replace("60000", "50000"))).unwrap();
    assert_eq!(call(&mut connect(&other, &calls), "count").await, "2");
    assert_eq!(call(&mut first, "count").await, "1");
}

#[test]
fn what_guards_an_upstream_has_its_name_again() {
    let stack = Stack::new(config("")).unwrap();
    let of_a_pack = stack.breakers().register("api", Default::default());
    for round in 0..3 {
        let next = stack.next(config("")).unwrap();
        let next = next.upstreams(["shop"], |_| None).unwrap();
        next.take_over();
        assert_eq!(stack.breakers().breakers().len(), 2, "{round}");
        let taken = stack.next(config("")).unwrap().upstreams(["api"], |_| None);
        assert!(taken.unwrap_err().to_string().contains("there are two upstreams"));
    }
    assert_eq!(stack.breakers().get("api").unwrap().name(), of_a_pack.name());
    assert!(stack.next(config("[tools]\nretry = { max_attempts = 11 }")).is_err());
}
