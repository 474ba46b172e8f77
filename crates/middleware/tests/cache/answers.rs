//! What is answered again, to whom, and for how long.

use serde_json::json;
use tokio::time::advance;
use towline_core::protocol::Content;
use towline_core::{ErrorKind, Request, Router, Server, ToolExt, tool_fn};
use towline_middleware::CacheScope;

use super::*;

#[tokio::test(start_paused = true)]
async fn an_answer_is_given_again_while_it_is_fresh_and_says_how_old_it_is() {
    let upstream = Upstream::new();
    let service = cached(&upstream, policy(10 * SECOND));

    assert_eq!(answer(&service, call("{}")).await, ("1".into(), None));
    assert_eq!(answer(&service, call("{}")).await, ("1".into(), Some(json!({"ageMs": 0, "stale": false}))));
    advance(10 * SECOND - Duration::from_millis(1)).await;
    assert_eq!(
        answer(&service, call("{}")).await,
        ("1".into(), Some(json!({"ageMs": 9999, "stale": false})))
    );

    advance(Duration::from_millis(1)).await;
    assert_eq!(answer(&service, call("{}")).await, ("2".into(), None));
    assert_eq!(upstream.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn with_jitter_answers_expire_at_different_times_but_never_late() {
    let upstream = Upstream::new();
    let mut policy = policy(100 * SECOND);
    policy.jitter = 0.5;
    let service = cached(&upstream, policy);
    let keys: Vec<String> = (0..200).map(|n| format!(r#"{{"n":{n}}}"#)).collect();
    for key in &keys {
        ask(&service, call(key)).await.unwrap();
    }

    // An answer that has expired is loaded again, and then stays for the rest of the test.
    let expired_after = async |more: Duration| {
        advance(more).await;
        let before = upstream.calls();
        for key in &keys {
            ask(&service, call(key)).await.unwrap();
        }
        upstream.calls() - before
    };
    assert_eq!(expired_after(49 * SECOND).await, 0);
    let middle = expired_after(26 * SECOND).await;
    assert!((50..150).contains(&middle), "{middle}: about half of them");
    assert_eq!(expired_after(25 * SECOND).await, 200 - middle);
}

#[tokio::test(start_paused = true)]
async fn arguments_that_say_the_same_share_an_answer_and_others_do_not() {
    let upstream = Upstream::new();
    let service = cached(&upstream, policy(SECOND));
    let first = answer(&service, call(r#"{"a":9007199254740992,"b":"x"}"#)).await.0;

    assert_eq!(answer(&service, call("{ \"b\" : \"\\u0078\", \"a\":9007199254740992 }")).await.0, first);
    for other in [
        r#"{"a":9007199254740993,"b":"x"}"#,
        r#"{"a":"9007199254740992","b":"x"}"#,
        r#"{"a":9007199254740992,"b":"y"}"#,
        r#"{"a":9007199254740992}"#,
    ] {
        assert_ne!(answer(&service, call(other)).await.0, first, "{other}");
    }
    assert_ne!(answer(&service, call_of("other", r#"{"a":9007199254740992,"b":"x"}"#, None)).await.0, first);
}

#[tokio::test(start_paused = true)]
async fn no_caller_gets_what_was_answered_to_another() {
    let upstream = Upstream::new();
    let service = cached(&upstream, policy(SECOND));
    let asked_by = async |principal| answer(&service, call_of("search", "{}", principal)).await.0;

    assert_eq!(asked_by(Some("ann")).await, "1");
    assert_eq!(asked_by(Some("bob")).await, "2");
    assert_eq!(asked_by(None).await, "3");
    assert_eq!((asked_by(Some("ann")).await, asked_by(Some("bob")).await), ("1".into(), "2".into()));
}

#[tokio::test(start_paused = true)]
async fn callers_share_answers_where_the_policy_says_so() {
    let upstream = Upstream::new();
    let mut shared = policy(SECOND);
    shared.scope = CacheScope::Shared;
    let service = cached(&upstream, shared);

    for principal in [Some("ann"), Some("bob"), None] {
        assert_eq!(answer(&service, call_of("search", "{}", principal)).await.0, "1");
    }
}

#[tokio::test(start_paused = true)]
async fn services_with_a_store_in_common_do_not_answer_for_each_other() {
    let store = CacheStore::default();
    let (one, other) = (Upstream::new(), Upstream::with(|_, _| Ok(ToolResult::text("other"))));
    let (one, other) = (cached_in(&store, &one, policy(SECOND)), cached_in(&store, &other, policy(SECOND)));

    assert_eq!(answer(&one, call("{}")).await.0, "1");
    assert_eq!(answer(&other, call("{}")).await.0, "other");
    assert_eq!(answer(&one, call("{}")).await.0, "1");
}

#[tokio::test(start_paused = true)]
async fn only_calls_that_change_nothing_are_cached() {
    let upstream = Upstream::new();
    let service = cached(&upstream, policy(SECOND));
    for _ in 0..2 {
        ask(&service, call("{}").with_read_only(false)).await.unwrap();
        ask(&service, call("{}").with_read_only(false).with_idempotent(true)).await.unwrap();
    }
    assert_eq!(upstream.calls(), 4);
}

#[tokio::test(start_paused = true)]
async fn failures_questions_and_what_is_true_for_a_moment_are_never_kept() {
    for upstream in [
        Upstream::with(|_, _| Err(Error::new(ErrorKind::Unavailable, "down"))),
        Upstream::with(|_, _| Err(Error::invalid_params("no"))),
        Upstream::with(|_, _| Ok(ToolResult::error("no such city"))),
        Upstream::with(|_, _| Ok(ToolResult::text("12:00:01").volatile())),
        Upstream::with(|_, _| Ok(question())),
    ] {
        let service = cached(&upstream, policy(SECOND));
        for _ in 0..3 {
            let _ = ask(&service, call("{}")).await;
        }
        assert_eq!(upstream.calls(), 3);
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_brings_input_is_neither_kept_nor_answered_from_the_cache() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let tool = tool_fn("ask", "Answers.", move || {
        let n = counted.fetch_add(1, Ordering::SeqCst) + 1;
        async move { n.to_string() }
    });
    let tool = tool.read_only().layer(CacheLayer::new(policy(SECOND)));
    let server = Server::new(Router::new("test", "1").tool(tool));
    let ask = async |extra: Value| {
        let meta = json!({"io.modelcontextprotocol/protocolVersion": "2026-07-28"});
        let mut params = json!({"name": "ask", "arguments": {}, "_meta": meta});
        params.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        let request = Request::new("tools/call", &params).unwrap();
        server.clone().oneshot(request).await.unwrap();
        calls.load(Ordering::SeqCst)
    };

    assert_eq!(ask(json!({})).await, 1);
    assert_eq!(ask(json!({})).await, 1);
    assert_eq!(ask(json!({"inputResponses": {"name": {"action": "accept"}}})).await, 2);
    assert_eq!(ask(json!({"inputResponses": {"name": {"action": "accept"}}})).await, 3);
    assert_eq!(ask(json!({})).await, 3);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_too_large_is_given_but_not_kept() {
    for result in [
        ToolResult::text("x".repeat(2000)),
        ToolResult::new([Content::image(&[7; 2000], "image/png")]),
        ToolResult::text("").with_structured(RawJson::from_value(&"x".repeat(2000)).unwrap()),
    ] {
        let upstream = Upstream::with(move |_, _| Ok(result.clone()));
        let mut small = policy(SECOND);
        small.max_entry_bytes = 1500;
        let service = cached(&upstream, small);
        for _ in 0..2 {
            assert_eq!(cache_meta(&ask(&service, call("{}")).await.unwrap()), None);
        }
        assert_eq!(upstream.calls(), 2);
    }

    let (store, upstream) = (CacheStore::default(), Upstream::new());
    let mut small = policy(SECOND);
    small.max_entry_bytes = 1500;
    let service = cached_in(&store, &upstream, small);
    let large = format!(r#"{{"text":"{}"}}"#, "x".repeat(2000));
    for _ in 0..2 {
        ask(&service, call(&large)).await.unwrap();
    }
    assert_eq!((upstream.calls(), store.stats().tools[0].bypassed), (2, 2), "large arguments");
}

#[tokio::test(start_paused = true)]
async fn an_answer_keeps_the_metadata_that_the_tool_gave_it() {
    let upstream = Upstream::with(|_, _| {
        let meta = serde_json::Map::from_iter([("com.example/rows".to_owned(), json!(7))]);
        Ok(ToolResult::json(&json!({"a": 1}))?.with_meta(meta))
    });
    let service = cached(&upstream, policy(SECOND));
    let first = ask(&service, call("{}")).await.unwrap();
    let second = ask(&service, call("{}")).await.unwrap();
    assert_eq!((second.content(), second.structured()), (first.content(), first.structured()));
    let meta = json!({"com.example/rows": 7, "dev.towline/cache": {"ageMs": 0, "stale": false}});
    assert_eq!(json!(second.meta()), meta);
}
