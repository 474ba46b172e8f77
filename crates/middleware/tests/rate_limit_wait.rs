//! Rate limits that let calls wait for their turn.

use std::pin::pin;
use std::time::Duration;

use tokio::time::{Instant, advance};
use tower::limit::ConcurrencyLimitLayer;
use tower::{BoxError, Layer, Service, ServiceExt, service_fn};
use towline_core::{Context, Error, ErrorKind, RawJson, ToolCall};
use towline_middleware::{RateKey, RateLimitConfig, RateLimitLayer, RateLimiter, RatePolicy};

const SECOND: Duration = Duration::from_secs(1);

/// One call a second, for all.
fn limiter(burst: u32, max_wait: Duration) -> RateLimiter {
    let policy = RatePolicy::new("all", 60, SECOND * 60).burst(burst).key([RateKey::Server]);
    RateLimiter::new(&RateLimitConfig::new([policy]).max_wait(max_wait))
}

/// Answers when the call began.
fn service(
    limiter: &RateLimiter,
) -> impl Service<ToolCall, Response = Instant, Error = Error, Future: Send> + Clone + Send + use<> {
    let inner = service_fn(|_: ToolCall| std::future::ready(Ok::<_, Error>(Instant::now())));
    RateLimitLayer::shared(limiter.clone()).layer(inner)
}

fn call(tool: &str) -> ToolCall {
    ToolCall::new(tool, RawJson::EMPTY_OBJECT, Context::default())
}

#[tokio::test(start_paused = true)]
async fn calls_wait_for_their_turns_in_order_and_no_longer_than_the_bound() {
    let limiter = limiter(2, SECOND * 3);
    let (service, start) = (service(&limiter), Instant::now());
    let calls = (0..7).map(|_| service.clone().oneshot(call("add")));
    let answers = futures_util::future::join_all(calls).await;
    let begun: Vec<_> =
        answers.iter().map(|answer| answer.as_ref().ok().map(|at| (*at - start).as_secs())).collect();
    assert_eq!(begun, [Some(0), Some(0), Some(1), Some(2), Some(3), None, None]);
    let error = answers[5].as_ref().unwrap_err();
    assert_eq!((error.kind(), error.retry_after()), (ErrorKind::RateLimited, Some(SECOND * 4)));
    let report = &limiter.report()[0];
    assert_eq!((report.allowed, report.waited, report.refused), (2, 3, 2));
}

#[tokio::test(start_paused = true)]
async fn a_call_runs_when_the_last_of_the_policies_agrees_and_each_has_counted_it() {
    let slow = RatePolicy::new("slow", 1, SECOND * 10).key([RateKey::Tool]);
    let fast = RatePolicy::new("fast", 3, SECOND * 3).burst(3).key([RateKey::Server]);
    let limiter = RateLimiter::new(&RateLimitConfig::new([slow, fast]).max_wait(SECOND * 10));
    let (service, start) = (service(&limiter), Instant::now());
    service.clone().oneshot(call("add")).await.unwrap();
    let waiting = service.clone().oneshot(call("add"));
    let other = service.clone().oneshot(call("sub"));
    // The one that waits for its tool holds nobody else up, and has its part of the server's allowance.
    let last = service.clone().oneshot(call("mul"));
    let (waiting, other, last) = futures_util::join!(waiting, other, last);
    let begun = [waiting, other, last].map(|answer| (answer.unwrap() - start).as_secs());
    assert_eq!(begun, [10, 0, 1]);
}

#[tokio::test(start_paused = true)]
async fn the_last_turn_is_given_back_when_its_call_is_dropped() {
    let limiter = limiter(1, SECOND * 10);
    let (service, start) = (service(&limiter), Instant::now());
    service.clone().oneshot(call("add")).await.unwrap();
    let mut ready = service.clone();
    let dropped = [ready.call(call("add")), ready.call(call("add")), ready.call(call("add"))];
    for call in dropped.into_iter().rev() {
        drop(call);
    }
    let began = service.clone().oneshot(call("add")).await.unwrap();
    assert_eq!(began - start, SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_turn_with_others_behind_it_is_not_given_to_two() {
    let limiter = limiter(1, SECOND * 10);
    let (service, start) = (service(&limiter), Instant::now());
    service.clone().oneshot(call("add")).await.unwrap();
    let mut ready = service.clone();
    let first = ready.call(call("add"));
    let second = ready.call(call("add"));
    drop(first);
    let third = service.clone().oneshot(call("add"));
    let (second, third) = futures_util::join!(second, third);
    assert_eq!([second.unwrap() - start, third.unwrap() - start], [SECOND * 2, SECOND * 3]);
}

#[tokio::test(start_paused = true)]
async fn what_has_begun_is_not_given_back() {
    let limiter = limiter(1, SECOND * 10);
    let inner = service_fn(|_: ToolCall| std::future::pending::<Result<(), Error>>());
    let service = RateLimitLayer::shared(limiter.clone()).layer(inner);
    let start = Instant::now();
    {
        let mut ready = service.clone();
        let _first = ready.call(call("add"));
        let mut second = pin!(ready.call(call("add")));
        advance(SECOND).await;
        assert!(futures_util::poll!(second.as_mut()).is_pending());
    }
    let began = self::service(&limiter).oneshot(call("add")).await.unwrap();
    assert_eq!(began - start, SECOND * 2);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_must_be_done_before_its_turn_is_refused_at_once() {
    let limiter = limiter(1, SECOND * 10);
    let (service, start) = (service(&limiter), Instant::now());
    service.clone().oneshot(call("add")).await.unwrap();
    let mut hurried = call("add");
    hurried.context_mut().tighten_deadline(start + SECOND / 2);
    let error = service.clone().oneshot(hurried).await.unwrap_err();
    assert_eq!((error.retry_after(), Instant::now() - start), (Some(SECOND), Duration::ZERO));
    assert_eq!(service.oneshot(call("add")).await.unwrap() - start, SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waits_holds_nothing_of_what_is_beneath() {
    let limiter = limiter(1, SECOND * 10);
    let inner = service_fn(|_: ToolCall| std::future::ready(Ok::<_, BoxError>(Instant::now())));
    let inner = ConcurrencyLimitLayer::new(1).layer(inner);
    let mut service = RateLimitLayer::shared(limiter).layer(inner.clone());
    service.ready().await.unwrap().call(call("add")).await.unwrap();
    let waiting = service.ready().await.unwrap().call(call("add"));
    drop(service);
    // The only permit is free while the call waits, and the call gets it when its turn comes.
    let start = Instant::now();
    let other = inner.oneshot(call("add")).await.unwrap();
    assert_eq!([other - start, waiting.await.unwrap() - start], [Duration::ZERO, SECOND]);
}
