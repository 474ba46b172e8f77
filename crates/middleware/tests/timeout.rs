//! How long an answer may take.

mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use support::{call, request};
use tokio::time::{Instant, sleep};
use tower::{Layer, ServiceExt, service_fn};
use towline_core::{
    BoxError, Context, Error, ErrorKind, Request, Router, Server, ToolCall, ToolExt, tool_fn,
};
use towline_middleware::{Events, TimeoutConfig, TimeoutLayer};

const SECOND: Duration = Duration::from_secs(1);

/// A tool that takes a minute and tells how much time it was given.
fn slow(seen: &Arc<Mutex<Option<Duration>>>) -> impl towline_core::Tool + use<> {
    #[derive(serde::Deserialize, schemars::JsonSchema)]
    struct Nothing {}
    let seen = Arc::clone(seen);
    tool_fn("slow", "Takes a minute.", move |_: Nothing, context: Context| {
        let seen = Arc::clone(&seen);
        async move {
            *seen.lock().unwrap() = context.remaining();
            sleep(60 * SECOND).await;
            "done"
        }
    })
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_takes_too_long_is_given_up_and_the_work_knew_its_time() {
    let seen = Arc::default();
    let tool = slow(&seen).layer(TimeoutLayer::new(5 * SECOND));
    let server = Server::new(Router::new("test", "1").tool(tool));
    let began = Instant::now();
    let error = server.oneshot(request("slow")).await.unwrap_err();
    assert_eq!((error.kind(), error.is_in_tool()), (ErrorKind::Timeout, true));
    assert_eq!(began.elapsed(), 5 * SECOND);
    assert_eq!(*seen.lock().unwrap(), Some(5 * SECOND));
}

#[tokio::test(start_paused = true)]
async fn the_earliest_deadline_is_the_one_that_counts() {
    for (outer, inner) in [(3, 5), (5, 3)] {
        let seen = Arc::default();
        let tool = slow(&seen).layer(TimeoutLayer::new(inner * SECOND));
        let server =
            Server::new(Router::new("test", "1").tool(tool)).layer(TimeoutLayer::new(outer * SECOND));
        let began = Instant::now();
        server.oneshot(request("slow")).await.unwrap_err();
        assert_eq!(began.elapsed(), 3 * SECOND);
        assert_eq!(*seen.lock().unwrap(), Some(3 * SECOND));
    }
}

#[tokio::test(start_paused = true)]
async fn a_target_s_own_time_wins_over_the_general_one() {
    let layer = TimeoutLayer::new(SECOND).target("slow", 90 * SECOND);
    let server = Server::new(Router::new("test", "1").tool(slow(&Arc::default()))).layer(layer);
    server.oneshot(request("slow")).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_error_type_of_tower_s_own_layers_is_kept() {
    let events = Events::default();
    let service = service_fn(async |_: ToolCall| {
        sleep(60 * SECOND).await;
        Ok::<_, BoxError>("late")
    });
    let service = TimeoutLayer::new(SECOND).events(&events, "plain").layer(service);
    let error = service.oneshot(call("slow")).await.unwrap_err();
    assert_eq!(Error::from(error).kind(), ErrorKind::Timeout);
    assert_eq!(events.counter("timeout", "elapsed", "plain").get(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_time_beyond_the_clock_is_no_limit() {
    let service = service_fn(async |call: ToolCall| Ok::<_, Error>(call.context().deadline()));
    let service = TimeoutLayer::new(Duration::MAX).layer(service);
    assert_eq!(service.oneshot(call("any")).await.unwrap(), None);
}

#[test]
fn settings_that_cannot_work_are_refused() {
    let config: TimeoutConfig = toml::from_str("timeout_ms = 0").unwrap();
    assert_eq!(config.validate().unwrap_err().to_string(), "timeout_ms: must be more than 0");
    let config: TimeoutConfig = toml::from_str("timeout_ms = 1500").unwrap();
    assert_eq!(config.timeout, Duration::from_millis(1500));
    assert!(toml::from_str::<TimeoutConfig>("timeout = 3").is_err());
}

#[tokio::test(start_paused = true)]
async fn a_stream_goes_on_for_as_long_as_its_client_likes() {
    let stream = service_fn(|request: Request| async move {
        assert_eq!(request.context().deadline(), None);
        sleep(3600 * SECOND).await;
        Ok::<_, Error>("closed")
    });
    let service = TimeoutLayer::new(SECOND).layer(stream);
    let listen = Request::new("subscriptions/listen", &serde_json::json!({})).unwrap();
    assert_eq!(service.oneshot(listen).await.unwrap(), "closed");
}
