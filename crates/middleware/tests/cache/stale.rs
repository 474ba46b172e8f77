//! Old answers that are better than none.

use std::sync::atomic::AtomicBool;

use serde_json::json;
use tokio::time::{Instant, advance, sleep};
use towline_core::ErrorKind;

use super::*;

/// Answers with the number of the call, unless it is down.
fn fallible(kind: ErrorKind) -> (Upstream, Arc<AtomicBool>) {
    let down = Arc::new(AtomicBool::new(false));
    let is_down = Arc::clone(&down);
    let upstream = Upstream::with(move |n, _| {
        if is_down.load(Ordering::SeqCst) {
            return Err(Error::new(kind, "down"));
        }
        Ok(ToolResult::text(n.to_string()))
    });
    (upstream, down)
}

fn stale(age_ms: u64) -> Option<Value> {
    Some(json!({"ageMs": age_ms, "stale": true}))
}

#[tokio::test(start_paused = true)]
async fn a_stale_answer_is_given_at_once_while_one_load_refreshes_it() {
    let upstream = Upstream::new().taking(SECOND);
    let mut policy = policy(10 * SECOND);
    policy.stale_while_revalidate = 5 * SECOND;
    let service = cached(&upstream, policy);
    ask(&service, call("{}")).await.unwrap();

    advance(11 * SECOND).await;
    let asked = Instant::now();
    for _ in 0..3 {
        assert_eq!(answer(&service, call("{}")).await, ("1".into(), stale(11_000)));
    }
    assert_eq!(asked.elapsed(), Duration::ZERO);
    sleep(2 * SECOND).await;
    assert_eq!(upstream.calls(), 2);
    assert_eq!(
        answer(&service, call("{}")).await,
        ("2".into(), Some(json!({"ageMs": 1000, "stale": false})))
    );

    advance(14 * SECOND).await;
    assert_eq!(answer(&service, call("{}")).await, ("3".into(), None), "too old even for that");
}

#[tokio::test(start_paused = true)]
async fn a_refresh_that_fails_leaves_the_old_answer_until_it_is_too_old() {
    let (upstream, down) = fallible(ErrorKind::Unavailable);
    let mut policy = policy(10 * SECOND);
    policy.stale_while_revalidate = 5 * SECOND;
    let service = cached(&upstream, policy);
    ask(&service, call("{}")).await.unwrap();
    down.store(true, Ordering::SeqCst);

    advance(11 * SECOND).await;
    for _ in 0..2 {
        assert_eq!(answer(&service, call("{}")).await.0, "1");
        settle().await;
    }
    assert_eq!(upstream.calls(), 3, "each tries to refresh");

    advance(4 * SECOND).await;
    assert_eq!(ask(&service, call("{}")).await.unwrap_err().kind(), ErrorKind::Unavailable);
}

#[tokio::test(start_paused = true)]
async fn a_stale_answer_comes_before_the_caller_s_deadline_passes() {
    let upstream = Upstream::new().taking(20 * SECOND);
    let mut policy = policy(10 * SECOND);
    policy.stale_if_error = 1000 * SECOND;
    let service = cached(&upstream, policy);
    ask(&service, call("{}")).await.unwrap();
    advance(11 * SECOND).await;

    // The first begins a load, the second waits for it.
    for (patience, wait) in [(3000, 2900), (500, 450)] {
        let mut hurried = call("{}");
        let asked = Instant::now();
        hurried.context_mut().tighten_deadline(asked + Duration::from_millis(patience));
        assert_eq!(answer(&service, hurried).await.0, "1");
        assert_eq!(asked.elapsed(), Duration::from_millis(wait));
    }
    // The load goes on, for those who ask later.
    sleep(20 * SECOND).await;
    assert_eq!((upstream.calls(), answer(&service, call("{}")).await.0), (2, "2".into()));
}

#[tokio::test(start_paused = true)]
async fn a_refresh_ends_at_its_own_deadline() {
    let upstream = Upstream::new().taking(SECOND);
    let mut policy = policy(10 * SECOND);
    policy.stale_while_revalidate = 1000 * SECOND;
    policy.load_timeout = 2 * SECOND;
    let service = cached(&upstream, policy);
    ask(&service, call("{}")).await.unwrap();
    let mut slow = service.clone();
    // The same answers, from an upstream that now hangs.
    advance(20 * SECOND).await;
    let mut hurried = call("{}");
    hurried.context_mut().tighten_deadline(Instant::now() + SECOND / 10);
    slow.call(hurried).await.unwrap();
    sleep(3 * SECOND).await;
    assert_eq!(answer(&service, call("{}")).await.0, "2", "the hurry of the caller was not the refresh's");
}

#[tokio::test(start_paused = true)]
async fn a_stale_answer_stands_in_for_a_failure_that_is_not_the_caller_s() {
    use ErrorKind::{CircuitOpen, Internal, Overloaded, Timeout, Unavailable};
    for kind in [Unavailable, CircuitOpen, Timeout, Overloaded, Internal] {
        let (upstream, down) = fallible(kind);
        let mut policy = policy(10 * SECOND);
        policy.stale_if_error = 60 * SECOND;
        let service = cached(&upstream, policy);
        ask(&service, call("{}")).await.unwrap();
        down.store(true, Ordering::SeqCst);

        advance(30 * SECOND).await;
        assert_eq!(answer(&service, call("{}")).await, ("1".into(), stale(30_000)), "{kind:?}");
        assert_eq!(ask(&service, call(r#"{"n":1}"#)).await.unwrap_err().kind(), kind);

        advance(40 * SECOND).await;
        assert_eq!(ask(&service, call("{}")).await.unwrap_err().kind(), kind, "too old");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stale_answer_does_not_hide_the_caller_s_own_mistake() {
    use ErrorKind::{Cancelled, Forbidden, InvalidParams, RateLimited, Unauthenticated};
    for kind in [InvalidParams, Forbidden, Unauthenticated, RateLimited, Cancelled] {
        let (upstream, down) = fallible(kind);
        let mut policy = policy(10 * SECOND);
        policy.stale_if_error = 60 * SECOND;
        let service = cached(&upstream, policy);
        ask(&service, call("{}")).await.unwrap();
        down.store(true, Ordering::SeqCst);
        advance(30 * SECOND).await;
        assert_eq!(ask(&service, call("{}")).await.unwrap_err().kind(), kind);
    }
}

#[tokio::test(start_paused = true)]
async fn those_who_wait_for_a_load_that_fails_get_the_stale_answer_too() {
    let (upstream, down) = fallible(ErrorKind::Unavailable);
    let upstream = upstream.taking(SECOND);
    let mut policy = policy(10 * SECOND);
    policy.stale_if_error = 60 * SECOND;
    policy.max_waiting = 1;
    let service = cached(&upstream, policy);
    ask(&service, call("{}")).await.unwrap();
    down.store(true, Ordering::SeqCst);
    advance(30 * SECOND).await;

    let ((first, second), third) = tokio::join!(
        async { tokio::join!(answer(&service, call("{}")), answer(&service, call("{}"))) },
        async {
            settle().await;
            answer(&service, call("{}")).await
        }
    );
    assert_eq!((first, second), (("1".into(), stale(31_000)), ("1".into(), stale(31_000))));
    assert_eq!(third, ("1".into(), stale(30_000)), "there was no place to wait");
    assert_eq!(upstream.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_was_forgotten_does_not_come_back_stale() {
    let store = CacheStore::default();
    let (upstream, down) = fallible(ErrorKind::Unavailable);
    let mut policy = policy(10 * SECOND);
    policy.stale_if_error = 60 * SECOND;
    policy.stale_while_revalidate = 60 * SECOND;
    let service = cached_in(&store, &upstream, policy);
    ask(&service, call("{}")).await.unwrap();
    down.store(true, Ordering::SeqCst);
    store.invalidate_tool("search");
    ask(&service, call("{}")).await.unwrap_err();
}
