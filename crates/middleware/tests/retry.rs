//! What is tried again, how often, and how soon.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use support::call;
use tokio::time::Instant;
use tower::{BoxError, Layer, Service, ServiceExt, service_fn};
use towline_core::{Error, ErrorKind, ToolCall};
use towline_middleware::{Events, RetryConfig, RetryLayer};

/// Fails so often with that kind, then answers with the number of the attempt.
fn flaky(
    failures: u32,
    kind: ErrorKind,
    retry_after: Option<Duration>,
) -> (impl Service<ToolCall, Response = u32, Error = Error, Future: Send> + Clone, Arc<AtomicU32>) {
    let attempts = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&attempts);
    let service = service_fn(move |_: ToolCall| {
        let attempt = counted.fetch_add(1, Ordering::SeqCst) + 1;
        async move {
            if attempt > failures {
                return Ok(attempt);
            }
            let error = Error::new(kind, "down");
            Err(match retry_after {
                Some(time) => error.with_retry_after(time),
                None => error,
            })
        }
    });
    (service, attempts)
}

#[tokio::test(start_paused = true)]
async fn what_may_pass_is_tried_again_after_growing_pauses() {
    let (service, _) = flaky(2, ErrorKind::Unavailable, None);
    let service = RetryLayer::new(RetryConfig::default()).layer(service);
    let began = Instant::now();
    assert_eq!(service.oneshot(call("any")).await.unwrap(), 3);
    let took = began.elapsed();
    // 100 ms and 200 ms, each between half and whole; timers count whole milliseconds.
    assert!((Duration::from_millis(150)..=Duration::from_millis(302)).contains(&took), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn attempts_end_and_the_last_error_is_the_answer() {
    let (service, attempts) = flaky(u32::MAX, ErrorKind::Timeout, None);
    let error =
        RetryLayer::new(RetryConfig::default()).layer(service).oneshot(call("any")).await.unwrap_err();
    assert_eq!((error.kind(), attempts.load(Ordering::SeqCst)), (ErrorKind::Timeout, 3));
}

#[tokio::test(start_paused = true)]
async fn only_failures_that_may_pass_are_a_reason() {
    use ErrorKind::{
        CircuitOpen, Forbidden, Internal, InvalidParams, Overloaded, RateLimited, ShuttingDown, Timeout,
        Unavailable,
    };
    for (kind, expected) in [
        (Unavailable, 3),
        (Timeout, 3),
        (Overloaded, 3),
        (ShuttingDown, 3),
        (RateLimited, 3),
        (CircuitOpen, 1),
        (Internal, 1),
        (InvalidParams, 1),
        (Forbidden, 1),
    ] {
        let (service, attempts) = flaky(u32::MAX, kind, None);
        let service = RetryLayer::new(RetryConfig::default()).layer(service);
        service.oneshot(call("any")).await.unwrap_err();
        assert_eq!(attempts.load(Ordering::SeqCst), expected, "{kind:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_may_do_harm_twice_is_done_once() {
    let (service, attempts) = flaky(u32::MAX, ErrorKind::Unavailable, None);
    let service = RetryLayer::new(RetryConfig::default()).layer(service);
    service.clone().oneshot(call("write").with_idempotent(false)).await.unwrap_err();
    assert_eq!(attempts.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn the_time_that_a_failure_asks_for_is_waited_unless_it_is_too_long() {
    let (service, _) = flaky(1, ErrorKind::RateLimited, Some(Duration::from_millis(1500)));
    let service = RetryLayer::new(RetryConfig::default()).layer(service);
    let began = Instant::now();
    service.oneshot(call("any")).await.unwrap();
    assert!(began.elapsed() >= Duration::from_millis(1500));

    let (service, attempts) = flaky(1, ErrorKind::RateLimited, Some(Duration::from_secs(60)));
    let service = RetryLayer::new(RetryConfig::default()).layer(service);
    let error = service.oneshot(call("any")).await.unwrap_err();
    assert_eq!((error.retry_after(), attempts.load(Ordering::SeqCst)), (Some(Duration::from_secs(60)), 1));
}

#[tokio::test(start_paused = true)]
async fn retries_are_a_small_share_of_all_calls_when_everything_fails() {
    let events = Events::default();
    let (service, attempts) = flaky(u32::MAX, ErrorKind::Unavailable, None);
    let service = RetryLayer::new(RetryConfig::default()).events(&events, "flaky").layer(service);
    for _ in 0..100 {
        service.clone().oneshot(call("any")).await.unwrap_err();
    }
    // Ten that were saved, and a fifth of a hundred, less what was put in while the reserve was full.
    let retried = attempts.load(Ordering::SeqCst) - 100;
    assert!((25..=30).contains(&retried), "{retried}");
    assert_eq!(events.counter("retry", "retried", "flaky").get(), u64::from(retried));
    assert!(events.counter("retry", "budget_exhausted", "flaky").get() > 0);
}

#[tokio::test(start_paused = true)]
async fn a_plain_service_says_itself_what_may_be_repeated() {
    let attempts = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&attempts);
    let service = service_fn(move |_: &'static str| {
        counted.fetch_add(1, Ordering::SeqCst);
        async { Err::<(), BoxError>(Error::new(ErrorKind::Unavailable, "down").into()) }
    });
    let service = RetryLayer::new(RetryConfig::default()).when(|verb: &&str| *verb == "GET").layer(service);
    service.clone().oneshot("POST").await.unwrap_err();
    assert_eq!(attempts.load(Ordering::SeqCst), 1);
    service.oneshot("GET").await.unwrap_err();
    assert_eq!(attempts.load(Ordering::SeqCst), 4);
}

#[test]
fn settings_that_cannot_work_are_refused() {
    for (text, expected) in [
        ("delay_ms = 0", "delay_ms: must be more than 0"),
        ("delay_ms = 500\nmax_delay_ms = 100", "max_delay_ms: must be at least `delay_ms`"),
        ("max_attempts = 11", "max_attempts: must be at most 10"),
        ("budget_ratio = 1.5", "budget_ratio: must be between 0 and 1, got 1.5"),
        ("budget_reserve = 0", "budget_reserve: must be more than 0: nothing could ever be retried"),
    ] {
        let config: RetryConfig = toml::from_str(text).unwrap();
        assert_eq!(config.validate().unwrap_err().to_string(), expected);
    }
    assert!(toml::from_str::<RetryConfig>("max_attempts = 0").is_err());
    assert!(toml::from_str::<RetryConfig>("attempts = 2").is_err());
}
