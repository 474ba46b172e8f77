//! A store that several tools share: bounds, forgetting, and what it tells of itself.

use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use serde_json::json;
use tokio::time::{advance, sleep};
use towline_core::ErrorKind;
use towline_middleware::CacheConfig;

use super::*;

fn tagged(tags: &[&str]) -> CachePolicy {
    let mut policy = policy(100 * SECOND);
    policy.tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
    policy
}

fn bounds(max_bytes: u64, max_entries: u64) -> CacheStore {
    let mut config = CacheConfig::default();
    (config.max_bytes, config.max_entries) = (max_bytes, max_entries);
    CacheStore::new(&config)
}

#[tokio::test(start_paused = true)]
async fn a_store_keeps_within_its_bytes() {
    let store = bounds(100_000, 10_000);
    let upstream = Upstream::with(|_, _| Ok(ToolResult::text("x".repeat(5000))));
    let service = cached_in(&store, &upstream, policy(100 * SECOND));
    for n in 0..200 {
        ask(&service, call(&format!(r#"{{"n":{n}}}"#))).await.unwrap();
    }
    let stats = store.stats();
    assert!((50_000..=100_000).contains(&stats.bytes), "{stats:?}");
    assert!((10..20).contains(&stats.entries), "{stats:?}");
}

#[tokio::test(start_paused = true)]
async fn a_store_keeps_within_its_entries() {
    let store = bounds(64 << 20, 50);
    let upstream = Upstream::new();
    let service = cached_in(&store, &upstream, policy(100 * SECOND));
    for n in 0..500 {
        ask(&service, call(&format!(r#"{{"n":{n}}}"#))).await.unwrap();
    }
    let stats = store.stats();
    assert!((25..=50).contains(&stats.entries), "{stats:?}");
    assert!(stats.bytes < 50 * 1000, "real bytes, not shares: {stats:?}");
}

#[tokio::test(start_paused = true)]
async fn one_caller_with_many_questions_leaves_the_others_their_answers() {
    let store = bounds(64 << 20, 100);
    let upstream = Upstream::new();
    let service = cached_in(&store, &upstream, policy(100 * SECOND));
    let asks = async |principal: &str, questions: std::ops::Range<usize>| {
        for n in questions {
            let call = call_of("search", &format!(r#"{{"n":{n}}}"#), Some(principal));
            ask(&service, call).await.unwrap();
        }
    };
    // In a store that is not half full there is no need to know what is asked for often.
    asks("eve", 0..90).await;
    store.stats();
    for _ in 0..5 {
        asks("ann", 0..10).await;
    }
    let before = upstream.calls();
    for round in 0..10 {
        asks("bob", 200 * round..200 * (round + 1)).await;
        asks("ann", 0..10).await;
    }
    let loads = upstream.calls() - before;
    assert!(loads < 2000 + 20, "{} of 100 answers were lost", loads - 2000);
}

#[tokio::test(start_paused = true)]
async fn answers_are_forgotten_by_tool_by_tag_and_all_at_once() {
    let store = CacheStore::default();
    let upstream = Upstream::new();
    let orders = cached_in(&store, &upstream, tagged(&["orders", "all"]));
    let people = cached_in(&store, &upstream, tagged(&["people", "all"]));
    let is_kept = async |service: &Cache<Upstream>, tool: &str| {
        answer(service, call_of(tool, "{}", None)).await.1.is_some()
    };
    let both = async || (is_kept(&orders, "list_orders").await, is_kept(&people, "list_people").await);
    assert_eq!(both().await, (false, false));
    assert_eq!(both().await, (true, true));

    store.invalidate_tool("list_orders");
    assert_eq!(both().await, (false, true));
    store.invalidate_tag("people");
    assert_eq!(both().await, (true, false));
    store.invalidate_tag("all");
    assert_eq!(both().await, (false, false));
    store.invalidate_all();
    assert_eq!(both().await, (false, false));

    assert_eq!(both().await, (true, true));
    store.invalidate_tool("unknown");
    store.invalidate_tag("unknown");
    assert_eq!(both().await, (true, true));
}

#[tokio::test(start_paused = true)]
async fn what_is_being_loaded_is_forgotten_as_well() {
    for invalidate in [
        (|store: &CacheStore| store.invalidate_tool("search")) as fn(&CacheStore),
        |store| store.invalidate_tag("orders"),
        CacheStore::invalidate_all,
    ] {
        let store = CacheStore::default();
        let upstream = Upstream::new().taking(SECOND);
        let service = cached_in(&store, &upstream, tagged(&["orders"]));
        let before = tokio::spawn({
            let service = service.clone();
            async move { ask(&service, call("{}")).await }
        });
        settle().await;
        invalidate(&store);

        // Whoever asks afterwards gets what was read afterwards.
        assert_eq!(answer(&service, call("{}")).await.0, "2");
        assert_eq!(text(&before.await.unwrap().unwrap()), "1");
        assert_eq!(answer(&service, call("{}")).await.0, "2");
    }
}

#[tokio::test(start_paused = true)]
async fn what_comes_too_late_does_not_displace_what_was_asked_for_afterwards() {
    let store = CacheStore::default();
    let upstream = Upstream::new();
    // The first call takes longer than the second.
    let gate = Arc::new(tokio::sync::Notify::new());
    let waiting = Arc::clone(&gate);
    let service = tower::service_fn(move |call: ToolCall| {
        let (gate, mut upstream, is_first) = (Arc::clone(&waiting), upstream.clone(), upstream.calls() == 0);
        let answer = upstream.call(call);
        async move {
            if is_first {
                gate.notified().await;
            }
            answer.await
        }
    });
    let service = CacheLayer::shared(store.clone(), policy(100 * SECOND)).layer(service);

    let first = tokio::spawn(service.clone().oneshot(call("{}")));
    settle().await;
    store.invalidate_all();
    assert_eq!(text(&service.clone().oneshot(call("{}")).await.unwrap()), "2");
    gate.notify_one();
    assert_eq!(text(&first.await.unwrap().unwrap()), "1");
    let again = service.oneshot(call("{}")).await.unwrap();
    assert_eq!((text(&again).as_str(), cache_meta(&again).is_some()), ("2", true));
}

#[tokio::test(start_paused = true)]
async fn a_store_tells_what_it_holds_and_has_done() {
    let store = CacheStore::default();
    let upstream = Upstream::with(|n, call| {
        if call.raw_arguments().as_str().contains("fail") && n > 2 {
            return Err(Error::new(ErrorKind::Unavailable, "down"));
        }
        Ok(ToolResult::text("x".repeat(1000)))
    })
    .taking(SECOND);
    let mut policy = policy(10 * SECOND);
    policy.stale_if_error = 100 * SECOND;
    let service = cached_in(&store, &upstream, policy);
    ask(&service, call(r#"{"fail":1}"#)).await.unwrap();
    let _ = tokio::join!(ask(&service, call("{}")), ask(&service, call("{}")));
    for _ in 0..3 {
        ask(&service, call("{}")).await.unwrap();
    }
    ask(&service, call("{}").with_read_only(false)).await.unwrap();
    advance(20 * SECOND).await;
    ask(&service, call(r#"{"fail":1}"#)).await.unwrap();
    ask(&service, call(r#"{"fail":2}"#)).await.unwrap_err();
    // A call whose caller goes away counts for nothing.
    drop(service.clone().call(call(r#"{"gone":1}"#)));
    sleep(2 * SECOND).await;

    let stats = store.stats();
    assert_eq!(stats.entries, 3);
    assert!((3000..5000).contains(&stats.bytes), "{stats:?}");
    let tool = json!({"tool": "search", "hits": 3, "misses": 3, "stale": 1, "coalesced": 1, "bypassed": 1});
    assert_eq!(json!(stats.tools), json!([tool]));

    let mut registry = Registry::default();
    registry.register_collector(Box::new(store.clone()));
    let mut scraped = String::new();
    encode(&mut scraped, &registry).unwrap();
    for line in [
        r#"mcp_cache_requests_total{tool="search",result="hit"} 3"#,
        r#"mcp_cache_requests_total{tool="search",result="miss"} 3"#,
        r#"mcp_cache_requests_total{tool="search",result="stale"} 1"#,
        r#"mcp_cache_requests_total{tool="search",result="coalesced"} 1"#,
        r#"mcp_cache_requests_total{tool="search",result="bypass"} 1"#,
        "mcp_cache_entries 3",
        &format!("mcp_cache_bytes {}", stats.bytes),
    ] {
        assert!(scraped.lines().any(|other| other == line), "{line}\n{scraped}");
    }
}

#[tokio::test(start_paused = true)]
async fn names_that_nobody_registered_make_no_more_labels_than_a_bound_says() {
    let store = CacheStore::default();
    let service = cached_in(&store, &Upstream::new(), policy(SECOND));
    for n in 0..3000 {
        ask(&service, call_of(&format!("tool_{n}"), "{}", None)).await.unwrap();
    }
    let tools = store.stats().tools;
    assert_eq!(tools.len(), 1001);
    assert_eq!(tools.iter().find(|tool| tool.tool == "_other").map(|tool| tool.misses), Some(2000));
    store.invalidate_tool("tool_2999");
    assert_eq!(answer(&service, call_of("tool_2999", "{}", None)).await.1, None);
    assert!(answer(&service, call_of("tool_3", "{}", None)).await.1.is_some());
}
