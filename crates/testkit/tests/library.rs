//! The tester, held against servers in this process.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::time::{Instant, advance};
use towline_core::{
    Error, ErrorKind, Json, Router, Server, TasksInMemory, ToolExt, UsedStatesInMemory, tool_fn,
};
use towline_middleware::{RateLimitConfig, RateLimitLayer, RatePolicy, TimeoutLayer};
use towline_testkit::fault::{self, Disconnect, Fault, FaultLayer, SlowReader};
use towline_testkit::{Era, Load, Outcome, Target, Tester, Thresholds, contract};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Add {
    a: i64,
    b: i64,
}

#[derive(Serialize, JsonSchema)]
struct Sum {
    sum: i64,
    parts: Vec<i64>,
}

fn router() -> Router {
    let add = tool_fn("add", "Adds two numbers.", async |Add { a, b }: Add| {
        a.checked_add(b)
            .map(|sum| Json(Sum { sum, parts: vec![a, b] }))
            .ok_or_else(|| Error::new(ErrorKind::InvalidParams, "the sum is too large"))
    });
    let ping = tool_fn("ping", "Answers.", async || "pong");
    Router::new("test", "1.2.3").tool(add).tool(ping)
}

#[tokio::test]
async fn calls_say_what_they_expect_in_both_eras() {
    for (era, revision) in [(Era::Newest, "2026-07-28"), (Era::Legacy, "2025-11-25")] {
        let target = Target::in_process(Server::new(router()));
        let tester = Tester::connect(target, era).await.unwrap();
        let server = tester.server().await.unwrap();
        assert_eq!((server.name.as_str(), server.version.as_str()), ("test", "1.2.3"));
        assert_eq!(server.revision, revision);
        assert_eq!(tester.tools().await.unwrap().len(), 2);

        tester.call("ping").expect_text_contains("pon").expect_text_matches("^p.*g$").await;
        tester.call("ping").expect_equals("pong").expect_within(Duration::from_secs(5)).await;
        tester
            .call("add")
            .args(json!({"a": 2, "b": 3}))
            .expect_json("$.sum", 5)
            .expect_json("$.parts[*]", json!([2, 3]))
            .expect_equals(json!({"sum": 5, "parts": [2, 3]}))
            .expect_structured(json!({"type": "object", "required": ["sum"]}))
            .await;
        tester.call("add").args(json!({"a": 2})).expect_error("b").await;
        tester.call("add").args(json!({"a": i64::MAX, "b": 1})).expect_error("too large").await;
        tester.call("subtract").expect_error("subtract").await;
        tester.close().await;
    }
}

#[tokio::test]
async fn a_failure_shows_request_answer_and_difference() {
    let tester = Tester::in_process(Server::new(router())).await.unwrap();
    let call = |a: i64| tester.call("add").args(json!({"a": a, "b": 3}));

    let failure = call(2).expect_json("$.sum", 6).run().await.unwrap_err();
    let shown = failure.to_string();
    for part in ["$.sum is not what was expected", "\"name\": \"add\"", "\"sum\": 5", "- 6\n+ 5\n"] {
        assert!(shown.contains(part), "no {part:?} in {shown}");
    }
    for (failure, reason) in [
        (call(2).expect_json("$.sun", 5).run().await, "$.sun selects nothing"),
        (call(2).expect_error("").run().await, "an error was expected"),
        (call(i64::MAX).expect_success().run().await, "an error was not expected"),
        (call(2).expect_text_contains("six").run().await, "\"six\" is not in the text"),
        (call(2).expect_text_matches("six").run().await, "does not match"),
        (call(2).expect_structured(json!({"required": ["total"]})).run().await, "\"total\""),
    ] {
        let shown = failure.expect_err(reason).to_string();
        assert!(shown.contains(reason), "no {reason:?} in {shown}");
    }
}

#[tokio::test]
#[should_panic(expected = "the call is at crates/testkit/tests/library.rs:")]
async fn a_call_that_is_awaited_panics_and_says_where_it_is() {
    let tester = Tester::in_process(Server::new(router())).await.unwrap();
    tester.call("ping").expect_text_contains("pang").await;
}

#[tokio::test(start_paused = true)]
async fn the_clock_of_limits_is_moved_by_hand() {
    let once_a_minute = RatePolicy::new("minute", 1, Duration::from_secs(60));
    let once_a_minute = RateLimitLayer::new(RateLimitConfig::new([once_a_minute]));
    let ping = tool_fn("ping", "Answers.", async || "pong").layer(once_a_minute);
    let tester = Tester::in_process(Server::new(Router::new("test", "1").tool(ping))).await.unwrap();

    tester.call("ping").expect_success().await;
    tester.call("ping").expect_error("Try again").await;
    advance(Duration::from_secs(60)).await;
    tester.call("ping").expect_success().await;
}

#[tokio::test(start_paused = true)]
async fn faults_come_by_plan_and_through_all_layers() {
    let second = Duration::from_secs(1);
    let faults = FaultLayer::script([
        Fault::Error(ErrorKind::Unavailable),
        Fault::Latency(second),
        Fault::Latency(60 * second),
        Fault::Panic,
        Fault::Hang,
    ]);
    let ping = tool_fn("ping", "Answers.", async || "pong");
    let ping = ping.layer(faults.clone()).layer(TimeoutLayer::new(10 * second));
    let tester = Tester::in_process(Server::new(Router::new("test", "1").tool(ping))).await.unwrap();
    let tester = tester.patience(20 * second);

    let started = Instant::now();
    tester.call("ping").expect_error("a fault that was asked for").await;
    let late = tester.call("ping").expect_text_contains("pong").await;
    assert!(late.duration >= second && late.duration < 2 * second, "{:?}", late.duration);
    tester.call("ping").expect_error("took too long").await;
    tester.call("ping").expect_error("").await;
    tester.call("ping").expect_error("took too long").await;
    tester.call("ping").expect_text_contains("pong").await;
    assert_eq!(faults.calls(), 6);
    assert!(started.elapsed() >= 21 * second);
}

#[tokio::test(start_paused = true)]
async fn what_never_answers_is_silence() {
    let hangs = FaultLayer::every(2, Fault::Hang);
    let ping = tool_fn("ping", "Answers.", async || "pong").layer(hangs);
    let tester = Tester::in_process(Server::new(Router::new("test", "1").tool(ping))).await.unwrap();
    tester.call("ping").expect_success().await;
    let silent = tester.call("ping").await;
    assert_eq!(silent.outcome, Outcome::Silence { waited: Duration::from_secs(10) });
    // It is given up, and stops no other call.
    tester.call("ping").expect_success().await;
}

#[tokio::test(start_paused = true)]
async fn slow_readers_get_all_and_broken_streams_are_told() {
    let server = Server::new(router());
    let slow = server.clone();
    let target = Target::streams(move || {
        let (reader, writer) = fault::serve(slow.clone());
        let few = NonZeroUsize::new(16).unwrap();
        (SlowReader::new(reader, few, Duration::from_millis(100)), writer)
    });
    let tester = Tester::connect(target, Era::Newest).await.unwrap();
    let answer = tester.call("ping").expect_text_contains("pong").await;
    assert!(answer.duration > Duration::from_millis(300), "{:?}", answer.duration);

    let target = Target::streams(move || {
        let (reader, writer) = fault::serve(server.clone());
        (Disconnect::after(900, reader), writer)
    });
    let tester = Tester::connect(target, Era::Newest).await.unwrap();
    let mut lost = 0;
    for _ in 0..20 {
        match tester.call("ping").await.outcome {
            Outcome::Loss(_) => lost += 1,
            outcome => assert!(matches!(outcome, Outcome::Result(_)), "{outcome:?}"),
        }
    }
    assert!((1..20).contains(&lost), "it is lost now and then, and connects again: {lost}");
}

#[tokio::test(start_paused = true)]
async fn a_measurement_is_held_against_thresholds() {
    let latency = FaultLayer::always(Fault::Latency(Duration::from_millis(20)));
    let ping = tool_fn("ping", "Answers.", async || "pong").layer(latency.clone());
    let tester = Tester::in_process(Server::new(Router::new("test", "1").tool(ping))).await.unwrap();
    let mut load = Load::default();
    (load.iterations, load.concurrency) = (40, 8);
    let measured = tester.measure("ping", &json!({}), load, || {}).await;
    assert_eq!((measured.succeeded, latency.calls()), (40, 45));
    assert!((20.0..30.0).contains(&measured.latency.p50_ms), "{measured:?}");
    assert!((300.0..=400.0).contains(&measured.per_second), "eight at once: {measured:?}");

    let mut thresholds = Thresholds::default();
    assert!(measured.exceeded(&thresholds).is_empty());
    thresholds.p95_ms = Some(10.0);
    assert!(measured.exceeded(&thresholds)[0].contains("95th percentile"));
}

#[tokio::test]
async fn the_stores_in_memory_keep_their_contracts() {
    contract::task_store(&TasksInMemory::default()).await;
    contract::used_states(&UsedStatesInMemory::default()).await;
}

/// It forgets at once.
struct Forgetful;

#[towline_core::async_trait]
impl towline_core::UsedStates for Forgetful {
    async fn claim(&self, _: [u8; 16], _: Duration) -> Result<bool, Error> {
        Ok(true)
    }
}

#[tokio::test]
#[should_panic(expected = "and for no other")]
async fn a_store_that_breaks_its_contract_is_found() {
    contract::used_states(&Forgetful).await;
}

#[tokio::test]
async fn a_program_that_is_none_is_told() {
    let target = Target::process(["towline-there-is-no-such-program"]).unwrap();
    let error = Tester::connect(target, Era::Newest).await.unwrap_err().to_string();
    assert!(error.contains("cannot run towline-there-is-no-such-program"), "{error}");
    let target = Target::process(["sh", "-c", "echo the disk is full >&2; exit 3"]).unwrap();
    let error = Tester::connect(target, Era::Newest).await.unwrap_err().to_string();
    assert!(error.contains("the disk is full") && error.contains("exit status: 3"), "{error}");
    assert!(Target::process(Vec::<String>::new()).is_err());
    assert!(Target::url("ftp://example.com").is_err());
    assert!(Target::url("http://example.com").unwrap().header("no header").is_err());
}

#[cfg(feature = "insta")]
#[tokio::test]
async fn answers_have_snapshots() {
    let tester = Tester::in_process(Server::new(router())).await.unwrap();
    let answer = tester.call("add").args(json!({"a": 2, "b": 3})).await;
    towline_testkit::assert_answer_snapshot!(answer, {"._meta" => "[meta]"}, @r#"
    {
      "_meta": "[meta]",
      "content": [
        {
          "text": "{\"sum\":5,\"parts\":[2,3]}",
          "type": "text"
        }
      ],
      "resultType": "complete",
      "structuredContent": {
        "parts": [
          2,
          3
        ],
        "sum": 5
      }
    }
    "#);
}

#[test]
fn servers_are_shared() {
    fn shared<T: Send + Sync>() {}
    shared::<Arc<Tester>>();
}
