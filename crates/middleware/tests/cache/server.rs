//! The cache around a tool and a set of tools, and what clients of both eras see.

use serde_json::json;
use tokio::time::advance;
use towline_core::protocol::ProtocolVersion;
use towline_core::{BoxError, Router, Server, Tool, ToolExt, ToolSet, tool_fn};
use towline_transport::memory::{self, Client};

use super::*;

fn counter(name: &'static str) -> impl Tool {
    let calls = Arc::new(AtomicUsize::new(0));
    tool_fn(name, "Counts its calls.", move |_: serde_json::Map<String, Value>| {
        let n = calls.fetch_add(1, Ordering::SeqCst) + 1;
        async move { n.to_string() }
    })
    .read_only()
}

fn writer(name: &'static str) -> impl Tool {
    let calls = Arc::new(AtomicUsize::new(0));
    tool_fn(name, "Counts its calls.", move || {
        let n = calls.fetch_add(1, Ordering::SeqCst) + 1;
        async move { n.to_string() }
    })
}

async fn asked(client: &mut Client, tool: &str) -> (Value, Value) {
    let result = client.call_tool(tool, json!({})).await.unwrap().result.unwrap();
    (result["content"][0]["text"].clone(), result["_meta"]["dev.towline/cache"].clone())
}

async fn check(mut client: Client) {
    assert_eq!(asked(&mut client, "count").await, (json!("1"), json!(null)));
    advance(SECOND).await;
    assert_eq!(asked(&mut client, "count").await, (json!("1"), json!({"ageMs": 1000, "stale": false})));
    advance(10 * SECOND).await;
    assert_eq!(asked(&mut client, "count").await, (json!("2"), json!(null)));
}

#[tokio::test(start_paused = true)]
async fn clients_of_both_eras_learn_how_old_an_answer_is() {
    let server = || {
        let tool = counter("count").layer(CacheLayer::new(policy(5 * SECOND)));
        Server::new(Router::new("test", "1").tool(tool))
    };
    check(memory::connect(server())).await;
    for version in [ProtocolVersion::V2025_03_26, ProtocolVersion::V2025_11_25] {
        check(memory::connect_legacy(server(), version).await.unwrap()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn clients_of_different_revisions_share_an_answer() {
    let tool = counter("count").layer(CacheLayer::new(policy(5 * SECOND)));
    let server = Server::new(Router::new("test", "1").tool(tool));
    let mut modern = memory::connect(server.clone());
    let mut legacy = memory::connect_legacy(server, ProtocolVersion::V2025_06_18).await.unwrap();
    assert_eq!(asked(&mut legacy, "count").await.0, json!("1"));
    assert_eq!(asked(&mut modern, "count").await.0, json!("1"));
}

#[tokio::test(start_paused = true)]
async fn around_a_set_each_tool_that_only_reads_has_its_own_answers() {
    let store = CacheStore::default();
    let tools = ToolSet::new().with(counter("one")).with(counter("two")).with(writer("write"));
    let tools = tools.layer(CacheLayer::shared(store.clone(), policy(5 * SECOND)));
    let mut client = memory::connect(Server::new(Router::new("test", "1").tools(tools)));

    for (tool, text) in [("one", "1"), ("two", "1"), ("one", "1"), ("write", "1"), ("write", "2")] {
        assert_eq!(asked(&mut client, tool).await.0, text, "{tool}");
    }
    store.invalidate_tool("one");
    assert_eq!(asked(&mut client, "one").await.0, "2");
    assert_eq!(asked(&mut client, "two").await.0, "1");
}

#[tokio::test(start_paused = true)]
async fn the_layer_fits_around_services_with_boxed_errors() {
    let upstream = Upstream::new().taking(2 * SECOND);
    let timed = tower::timeout::TimeoutLayer::new(SECOND).layer(upstream);
    let service = CacheLayer::new(policy(SECOND)).layer(timed);
    let (one, other) = tokio::join!(service.clone().oneshot(call("{}")), service.clone().oneshot(call("{}")));
    let (one, other): (BoxError, BoxError) = (one.unwrap_err(), other.unwrap_err());
    assert!(one.is::<tower::timeout::error::Elapsed>(), "the first gets the error itself");
    assert_eq!(Error::from(other).kind(), towline_core::ErrorKind::Timeout);
}
