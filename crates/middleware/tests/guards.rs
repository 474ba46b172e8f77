//! Panics, further checks of arguments and results, and what is written down of calls.

mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use support::{call, call_with, request};
use tokio::time::{sleep, timeout};
use tower::{BoxError, Layer, ServiceExt, service_fn};
use towline_core::{
    ClientAddr, Error, ErrorKind, Principal, RawJson, Router, Schema, Server, ToolCall, ToolExt, ToolResult,
    tool_fn,
};
use towline_middleware::{AuditLayer, AuditRecord, AuditSink, Events, PanicLayer, ValidateLayer};

#[tokio::test]
async fn a_panic_is_an_error_and_what_the_work_held_is_given_back() {
    let held = Arc::new(());
    let events = Events::default();
    let own = Arc::clone(&held);
    let service = service_fn(move |how: &'static str| {
        let held = Arc::clone(&own);
        assert_ne!(how, "at once", "hunter2");
        async move {
            let _held = held;
            tokio::task::yield_now().await;
            assert_ne!(how, "later", "hunter2");
            Ok::<_, BoxError>("fine")
        }
    });
    let service = PanicLayer::new().events(&events, "fragile").layer(service);
    for how in ["at once", "later"] {
        let error = Error::from(service.clone().oneshot(how).await.unwrap_err());
        assert_eq!((error.kind(), error.message()), (ErrorKind::Internal, "internal error"));
    }
    assert_eq!(service.oneshot("not at all").await.unwrap(), "fine");
    assert_eq!(events.counter("panic", "caught", "fragile").get(), 2);
    assert_eq!(Arc::strong_count(&held), 1);
}

#[tokio::test]
async fn arguments_are_held_against_a_tighter_schema_and_rules() {
    let schema = Schema::compile(json!({"properties": {"days": {"maximum": 31}}})).unwrap();
    let layer = ValidateLayer::new().arguments(schema).rule(|arguments, context| {
        if arguments.get("secret").is_some() && context.principal().is_none() {
            return Err(Error::new(ErrorKind::Forbidden, "only for those who say who they are"));
        }
        Ok(())
    });
    let service = layer.layer(service_fn(async |_: ToolCall| Ok::<_, Error>("ran")));
    let run = async |arguments: Value| service.clone().oneshot(call_with("report", &arguments)).await;

    assert_eq!(run(json!({"days": 31})).await.unwrap(), "ran");
    let error = run(json!({"days": 32})).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidParams);
    assert_eq!(error.message(), "Invalid arguments: `days` must be at most 31, got 32.");
    assert_eq!(run(json!({"secret": 1})).await.unwrap_err().kind(), ErrorKind::Forbidden);
}

#[tokio::test]
async fn a_result_that_breaks_its_promise_does_not_leave() {
    let schema = || Schema::compile(json!({"required": ["total"]})).unwrap();
    let answer = |structured: &str| {
        let result =
            ToolResult::text("x").with_structured(RawJson::from_text(structured.to_owned()).unwrap());
        let layer = ValidateLayer::new().result(schema());
        layer.layer(service_fn(move |_: ToolCall| std::future::ready(Ok::<_, Error>(result.clone()))))
    };
    assert!(answer(r#"{"total":1}"#).oneshot(call("sum")).await.is_ok());
    let error = answer(r#"{"secret":1}"#).oneshot(call("sum")).await.unwrap_err();
    assert_eq!((error.kind(), error.message()), (ErrorKind::Internal, "internal error"));
}

/// Keeps records as lines.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl AuditSink for Lines {
    fn record(&self, record: &AuditRecord<'_>) {
        let AuditRecord { principal, client, method, target, decision, outcome, duration, arguments, .. } =
            record;
        self.0.lock().unwrap().push(format!(
            "{} {} {method} {} {} {} {} ms {}",
            principal.unwrap_or("-"),
            client.map_or_else(|| "-".into(), |client| client.to_string()),
            target.unwrap_or("-"),
            decision.name(),
            outcome.name(),
            duration.as_millis(),
            arguments.unwrap_or("-"),
        ));
    }
}

#[tokio::test(start_paused = true)]
async fn each_call_leaves_one_record_whatever_becomes_of_it() {
    let lines = Lines::default();
    let slow = tool_fn("slow", "Takes a second.", async || {
        sleep(Duration::from_secs(1)).await;
        ToolResult::error("no such city")
    });
    let refusing =
        service_fn(async |_: ToolCall| Err::<ToolResult, _>(Error::new(ErrorKind::RateLimited, "slow down")));
    let server = Server::new(Router::new("test", "1").tool(slow)).layer(AuditLayer::to(lines.clone()));

    let mut known = request("slow");
    known.context_mut().extensions_mut().insert(Principal::new("key-1"));
    known.context_mut().extensions_mut().insert(ClientAddr("127.0.0.9:4000".parse().unwrap()));
    server.clone().oneshot(known).await.unwrap();
    timeout(Duration::from_millis(300), server.clone().oneshot(request("slow"))).await.unwrap_err();
    server.oneshot(request("none")).await.unwrap_err();
    let limited = AuditLayer::to(lines.clone()).with_arguments().layer(refusing);
    limited.oneshot(call_with("other", &json!({"city": "Rome"}))).await.unwrap_err();

    assert_eq!(
        *lines.0.lock().unwrap(),
        [
            "key-1 127.0.0.9 tools/call slow allowed tool_error 1000 ms -",
            "- - tools/call slow allowed cancelled 300 ms -",
            "- - tools/call none allowed invalid_params 0 ms -",
            r#"- - tools/call other refused rate_limited 0 ms {"city":"Rome"}"#,
        ]
    );
}

#[tokio::test]
async fn audit_fits_a_tool_too() {
    let lines = Lines::default();
    let tool = tool_fn("ping", "Answers.", async || "pong").layer(AuditLayer::to(lines.clone()));
    Server::new(Router::new("test", "1").tool(tool)).oneshot(request("ping")).await.unwrap();
    assert_eq!(*lines.0.lock().unwrap(), ["- - tools/call ping allowed answered 0 ms -"]);
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_a_failure_and_no_cancellation() {
    let lines = Lines::default();
    let tool = tool_fn("bad", "Panics.", async || -> String { panic!("in the tool") });
    let tool = tool.layer(AuditLayer::to(lines.clone()));
    let answer = Server::new(Router::new("test", "1").tool(tool)).oneshot(request("bad")).await;
    assert!(answer.is_err());
    assert_eq!(*lines.0.lock().unwrap(), ["- - tools/call bad allowed internal 0 ms -"]);
}
