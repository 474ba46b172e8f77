//! Callers who ask for the same at the same time.

use futures_util::future::join_all;
use serde_json::json;
use tokio::time::{Instant, advance, sleep};
use towline_core::ErrorKind;

use super::*;

#[tokio::test(start_paused = true)]
async fn a_hundred_callers_share_one_load() {
    let upstream = Upstream::new().taking(SECOND);
    let service = cached(&upstream, policy(10 * SECOND));

    let answers = join_all((0..100).map(|_| answer(&service, call("{}")))).await;

    assert_eq!(upstream.calls(), 1);
    assert!(answers.iter().all(|answer| *answer == ("1".into(), None)), "as fresh as one's own");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn threads_share_one_load_however_they_meet() {
    for round in 0..200 {
        let upstream = Upstream::new();
        let service = cached(&upstream, policy(1000 * SECOND));
        let calls = (0..16).map(|_| {
            let service = service.clone();
            tokio::spawn(async move { ask(&service, call("{}")).await.unwrap() })
        });
        join_all(calls).await;
        assert_eq!(upstream.calls(), 1, "round {round}");
    }
}

#[tokio::test(start_paused = true)]
async fn different_questions_are_loaded_side_by_side() {
    let upstream = Upstream::new().taking(SECOND);
    let service = cached(&upstream, policy(10 * SECOND));
    let begin = Instant::now();

    let questions: Vec<String> = (0..10).map(|n| format!(r#"{{"n":{n}}}"#)).collect();
    join_all(questions.iter().map(|question| answer(&service, call(question)))).await;

    assert_eq!((upstream.calls(), begin.elapsed()), (10, SECOND));
}

#[tokio::test(start_paused = true)]
async fn a_load_goes_on_when_its_first_caller_goes_away() {
    let upstream = Upstream::new().taking(SECOND);
    let service = cached(&upstream, policy(10 * SECOND));
    let asking = |service: &Cache<Upstream>| {
        let service = service.clone();
        tokio::spawn(async move { ask(&service, call("{}")).await })
    };

    let first = asking(&service);
    settle().await;
    let second = asking(&service);
    settle().await;
    first.abort();

    assert_eq!(text(&second.await.unwrap().unwrap()), "1");
    assert_eq!(upstream.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_load_goes_on_when_nobody_waits_any_more() {
    let upstream = Upstream::new().taking(SECOND);
    let service = cached(&upstream, policy(10 * SECOND));
    drop(service.clone().call(call("{}")));
    sleep(2 * SECOND).await;
    assert_eq!(answer(&service, call("{}")).await.0, "1");
    assert_eq!(upstream.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_load_has_a_deadline_of_its_own() {
    let deadlines = Arc::new(std::sync::Mutex::new(Vec::new()));
    let seen = Arc::clone(&deadlines);
    let upstream = Upstream::with(move |n, call| {
        seen.lock().unwrap().push(call.context().deadline());
        Ok(ToolResult::text(n.to_string()))
    });
    let mut policy = policy(10 * SECOND);
    policy.load_timeout = 3 * SECOND;
    let service = cached(&upstream, policy.clone());
    let begin = Instant::now();
    let mut hurried = call("{}");
    hurried.context_mut().tighten_deadline(begin + SECOND / 10);
    ask(&service, hurried).await.unwrap();
    assert_eq!(*deadlines.lock().unwrap(), [Some(begin + 3 * SECOND)]);

    let endless = cached(&Upstream::new().taking(100 * SECOND), policy);
    let (one, other) = tokio::join!(ask(&endless, call("{}")), ask(&endless, call("{}")));
    assert_eq!(begin.elapsed(), 3 * SECOND);
    for error in [one.unwrap_err(), other.unwrap_err()] {
        assert_eq!(error.kind(), ErrorKind::Timeout);
        assert_eq!(error.message(), "There was no answer within 3s.");
    }
}

#[tokio::test(start_paused = true)]
async fn those_who_wait_learn_of_a_failure_what_they_may() {
    let upstream = Upstream::with(|_, _| {
        let error = Error::new(ErrorKind::Unavailable, "The database is down.").with_source("10.0.0.7");
        Err(error.with_retry_after(7 * SECOND).with_data(&json!({"mine": true})))
    });
    let service = cached(&upstream.clone().taking(SECOND), policy(10 * SECOND));

    let mut errors =
        join_all((0..3).map(|_| ask(&service, call("{}")))).await.into_iter().map(Result::unwrap_err);

    assert_eq!(upstream.calls(), 1);
    let first = errors.next().unwrap();
    assert!(first.data().is_some(), "the first gets the error itself");
    for error in errors.chain([first]) {
        assert_eq!(
            (error.kind(), error.message(), error.retry_after()),
            (ErrorKind::Unavailable, "The database is down.", Some(7 * SECOND))
        );
        assert!(std::error::Error::source(&error).is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_for_one_caller_alone_is_not_told_to_another() {
    let for_the_first = |answer: fn() -> Result<ToolResult, Error>| {
        Upstream::with(move |n, _| if n == 1 { answer() } else { Ok(ToolResult::text(n.to_string())) })
            .taking(SECOND)
    };
    for upstream in [
        for_the_first(|| Ok(question())),
        for_the_first(|| Ok(ToolResult::text("12:00:01").volatile())),
        for_the_first(|| Err(Error::new(ErrorKind::Forbidden, "not you"))),
        for_the_first(|| Err(Error::new(ErrorKind::RateLimited, "slow down"))),
    ] {
        let service = cached(&upstream, policy(10 * SECOND));
        let (_, second) = tokio::join!(ask(&service, call("{}")), ask(&service, call("{}")));
        assert_eq!((text(&second.unwrap()), upstream.calls()), ("2".into(), 2));
    }
}

#[tokio::test(start_paused = true)]
async fn a_domain_error_is_an_answer_for_all_who_wait() {
    let upstream = Upstream::with(|_, _| Ok(ToolResult::error("no such city"))).taking(SECOND);
    let service = cached(&upstream, policy(10 * SECOND));
    let (one, other) = tokio::join!(ask(&service, call("{}")), ask(&service, call("{}")));
    assert!(one.unwrap().is_error() && other.unwrap().is_error());
    assert_eq!(upstream.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_an_error_for_all_and_the_end_of_that_load() {
    let upstream = Upstream::with(|n, _| {
        assert_ne!(n, 1, "the first call panics");
        Ok(ToolResult::text(n.to_string()))
    })
    .taking(SECOND);
    let service = cached(&upstream, policy(10 * SECOND));

    let answers = join_all((0..3).map(|_| ask(&service, call("{}")))).await;

    for answer in answers {
        let error = answer.unwrap_err();
        assert_eq!((error.kind(), error.message()), (ErrorKind::Internal, "internal error"));
    }
    assert_eq!(answer(&service, call("{}")).await.0, "2");
}

#[tokio::test(start_paused = true)]
async fn callers_beyond_those_that_may_wait_are_refused() {
    let upstream = Upstream::new().taking(SECOND);
    let mut policy = policy(10 * SECOND);
    policy.max_waiting = 2;
    let service = cached(&upstream, policy);
    let asking = || {
        let service = service.clone();
        tokio::spawn(async move { ask(&service, call("{}")).await })
    };
    let _first = asking();
    settle().await;
    let (second, third) = (asking(), asking());
    settle().await;

    let refused = ask(&service, call("{}")).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Overloaded);

    second.abort();
    settle().await;
    let fourth = asking();
    advance(SECOND).await;
    assert_eq!(text(&third.await.unwrap().unwrap()), "1");
    assert_eq!(text(&fourth.await.unwrap().unwrap()), "1", "whoever goes away leaves a place");
    assert_eq!(upstream.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn calls_beyond_the_loads_that_may_run_are_made_without_the_cache() {
    let upstream = Upstream::new().taking(SECOND);
    let mut policy = policy(10 * SECOND);
    policy.max_loads = 2;
    let service = cached(&upstream, policy);
    // Their callers are gone, but the loads are not.
    drop(service.clone().call(call(r#"{"n":1}"#)));
    drop(service.clone().call(call(r#"{"n":2}"#)));
    settle().await;

    let third = || service.clone().oneshot(call(r#"{"n":3}"#));
    tokio::time::timeout(SECOND / 2, third()).await.unwrap_err();
    assert_eq!(upstream.calls(), 3);
    sleep(SECOND).await;
    assert_eq!(cache_meta(&third().await.unwrap()), None, "its caller went away, and the call with it");
    assert_eq!(upstream.calls(), 4);
    assert!(cache_meta(&third().await.unwrap()).is_some());
}

#[tokio::test(start_paused = true)]
async fn a_hit_does_not_wait_for_what_the_service_lacks() {
    let upstream = Upstream::new().taking(SECOND);
    let limited = tower::limit::ConcurrencyLimitLayer::new(1).layer(upstream.clone());
    let service = CacheLayer::new(policy(10 * SECOND)).layer(limited);
    service.clone().oneshot(call(r#"{"n":1}"#)).await.unwrap();

    let busy = tokio::spawn(service.clone().oneshot(call(r#"{"n":2}"#)));
    settle().await;
    let begin = Instant::now();
    assert_eq!(text(&service.clone().oneshot(call(r#"{"n":1}"#)).await.unwrap()), "1");
    assert_eq!(begin.elapsed(), Duration::ZERO);
    // A load does, and takes no more than its turn.
    service.oneshot(call(r#"{"n":3}"#)).await.unwrap();
    assert_eq!(begin.elapsed(), 2 * SECOND);
    busy.await.unwrap().unwrap();
}
