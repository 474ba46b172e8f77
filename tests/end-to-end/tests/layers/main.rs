//! Layers around a server, a set of tools, one tool, and a tool from a pack, over every wire, for clients of both eras.

mod level;
mod wire;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, sleep};
use tower::limit::{ConcurrencyLimitLayer, GlobalConcurrencyLimitLayer};
use tower::load_shed::LoadShedLayer;
use tower::timeout::TimeoutLayer;
use tower::{Layer, Service, ServiceBuilder};
use towline::Operation;
use towline::middleware::{
    Bulkhead, BulkheadConfig, BulkheadLayer, CircuitBreaker, CircuitBreakerConfig, CircuitBreakerLayer,
    Metrics, MetricsLayer, RateKey, RateLimitConfig, RateLimitLayer, RatePolicy,
};
use towline::protocol::ProtocolVersion;

use level::{Level, Work, buffered, server};
use wire::{Connected, ERAS, Wire};

/// Runs a check in each cell of the matrix.
async fn everywhere(check: impl AsyncFn(Wire, ProtocolVersion, Level)) {
    for wire in Wire::ALL {
        for version in ERAS {
            for level in Level::ALL {
                eprintln!("{wire:?}, {version}, {level:?}");
                check(wire, version, level).await;
            }
        }
    }
}

/// Writes its name down on each call, and counts how often it was applied.
#[derive(Clone)]
struct Mark {
    name: &'static str,
    applied: Arc<AtomicUsize>,
    log: Arc<Mutex<Vec<String>>>,
}

#[derive(Clone)]
struct Marked<S> {
    inner: S,
    mark: Mark,
}

impl<S> Layer<S> for Mark {
    type Service = Marked<S>;

    fn layer(&self, inner: S) -> Marked<S> {
        self.applied.fetch_add(1, Ordering::SeqCst);
        Marked { inner, mark: self.clone() }
    }
}

impl<S: Service<Req>, Req: Operation> Service<Req> for Marked<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, req: Req) -> S::Future {
        if req.method() == "tools/call" {
            self.mark.log.lock().unwrap().push(format!("{} {}", self.mark.name, req.target().unwrap_or("-")));
        }
        self.inner.call(req)
    }
}

#[tokio::test]
async fn a_layer_is_applied_once_and_the_later_one_is_outside() {
    everywhere(async |wire, version, level| {
        let applied = Arc::<AtomicUsize>::default();
        let log = Arc::<Mutex<Vec<String>>>::default();
        let mark = |name| Mark { name, applied: Arc::clone(&applied), log: Arc::clone(&log) };
        // A `ServiceBuilder` names the outermost first, so this is `.layer(a).layer(b)`.
        let layers = ServiceBuilder::new().layer(mark("b")).layer(mark("a")).into_inner();
        let server = server(level, &Work::default(), layers);
        // A pack brings several tools, and each gets its own.
        let tools = if level == Level::Packed { 5 } else { 1 };
        let mut client = Connected::new(server, wire, version, level.tool()).await;
        for _ in 0..3 {
            client.call(1).await;
        }
        assert_eq!(applied.load(Ordering::SeqCst), 2 * tools);
        let one = [format!("b {}", level.tool()), format!("a {}", level.tool())];
        assert_eq!(*log.lock().unwrap(), one.iter().cycle().take(6).cloned().collect::<Vec<_>>());
    })
    .await;
}

#[tokio::test]
async fn a_concurrency_limit_of_two_lets_two_of_twenty_in_at_a_time() {
    everywhere(async |wire, version, level| {
        for shared in [false, true] {
            let work = Work::default().takes(Duration::from_millis(5));
            // Tower's own layers: one whose state is made when it is applied, and one whose state is handed to it.
            let server = match shared {
                false => server(level, &work, ConcurrencyLimitLayer::new(2)),
                true => server(level, &work, GlobalConcurrencyLimitLayer::new(2)),
            };
            let mut client = Connected::new(server, wire, version, level.tool()).await;
            let answers = client.call(20).await;
            assert!(
                answers.iter().all(|answer| answer["result"]["content"][0]["text"] == "done"),
                "{answers:?}"
            );
            assert_eq!((work.most(), work.calls()), (2, 20));
        }
    })
    .await;
}

/// The kind of failure that an answer tells, in whichever place, and when to try again.
fn failure(answer: &Value) -> Option<(&str, Option<u64>)> {
    let facts = match answer.get("error") {
        Some(error) => &error["data"],
        None => &answer["result"]["_meta"]["dev.towline/error"],
    };
    Some((facts["kind"].as_str()?, facts["retryAfterMs"].as_u64()))
}

#[tokio::test]
async fn a_breaker_opens_on_failing_tools_refuses_with_a_hint_and_closes_again() {
    everywhere(async |wire, version, level| {
        let open = Duration::from_millis(150);
        let config = CircuitBreakerConfig::consecutive(3, open);
        let breaker = CircuitBreaker::new("upstream", config);
        let work = Work::default();
        work.set_failing(true);
        let server = server(level, &work, CircuitBreakerLayer::shared(breaker.clone()));
        let mut client = Connected::new(server, wire, version, level.tool()).await;

        for _ in 0..3 {
            let answer = &client.call(1).await[0];
            assert_eq!(failure(answer).map(|(kind, _)| kind), Some("unavailable"), "{answer}");
        }
        let opened = Instant::now();
        let answer = &client.call(1).await[0];
        let (kind, retry_after) = failure(answer).expect("a failure");
        assert_eq!(kind, "circuit_open", "{answer}");
        assert!((1..=150).contains(&retry_after.unwrap()), "{answer}");
        assert_eq!(work.calls(), 3);

        // Half open, the first call is let through; it succeeds, and so do all that follow.
        work.set_failing(false);
        tokio::time::sleep_until(opened + open + Duration::from_millis(20)).await;
        for answer in client.call(1).await.iter().chain(&client.call(5).await) {
            assert_eq!(failure(answer), None, "{answer}");
        }
        assert_eq!(work.calls(), 9);
    })
    .await;
}

#[tokio::test]
async fn a_rate_limit_counts_exactly() {
    everywhere(async |wire, version, level| {
        let work = Work::default();
        let policy = RatePolicy::new("all", 5, Duration::from_secs(3600)).key([RateKey::Server]);
        let layer = RateLimitLayer::new(RateLimitConfig::new([policy]));
        let server = server(level, &work, layer);
        let mut client = Connected::new(server, wire, version, level.tool()).await;
        let shaken_hands =
            u64::from(level == Level::Server && !version.is_modern() && !matches!(wire, Wire::Http));
        let answers = client.call(12).await;
        let refused =
            answers.iter().filter(|answer| failure(answer).is_some_and(|(kind, _)| kind == "rate_limited"));
        let refused =
            refused.inspect(|answer| assert!(failure(answer).unwrap().1.is_some(), "{answer}")).count();
        // Around a server the handshake of the older era is a call, too.
        assert_eq!((refused as u64, work.calls() as u64), (7 + shaken_hands, 5 - shaken_hands));
    })
    .await;
}

#[tokio::test]
async fn a_client_that_goes_away_in_mid_call_leaves_nothing_taken() {
    everywhere(async |wire, version, level| {
        let bulkhead = Bulkhead::new("all", &BulkheadConfig::default());
        let free = bulkhead.available();
        let metrics = Metrics::default();
        let config = CircuitBreakerConfig::consecutive(1, Duration::from_millis(1));
        let breaker = CircuitBreaker::new("upstream", config);
        let work = Work::default();
        let layers = ServiceBuilder::new()
            .layer(MetricsLayer::new(&metrics))
            .layer(BulkheadLayer::shared(bulkhead.clone()))
            .layer(CircuitBreakerLayer::shared(breaker.clone()))
            .into_inner();
        let server = server(level, &work, layers);

        // One failure opens the breaker, so the call that is abandoned is its only probe.
        work.set_failing(true);
        Connected::new(server.clone(), wire, version, level.tool()).await.call(1).await;
        work.set_failing(false);
        sleep(Duration::from_millis(5)).await;
        work.set_time(Duration::from_secs(3600));
        let client = Connected::new(server.clone(), wire, version, level.tool()).await;
        client.abandon_a_call().await;
        for _ in 0..100 {
            if work.running() == 0 {
                break;
            }
            sleep(Duration::from_millis(10)).await;
        }
        assert_eq!((work.running(), work.calls()), (0, 2));
        assert_eq!(bulkhead.available(), free);
        assert_eq!(metrics.snapshot().totals.in_flight, 0);

        // The probe's place was given back: the next call gets it.
        work.set_time(Duration::ZERO);
        let answer = &Connected::new(server, wire, version, level.tool()).await.call(1).await[0];
        assert_eq!(failure(answer), None, "{answer}");
    })
    .await;
}

/// What the text of an answer says.
fn text(answer: &Value) -> &str {
    let text = answer["result"]["content"][0]["text"].as_str();
    text.or_else(|| answer["error"]["message"].as_str()).unwrap_or_default()
}

#[tokio::test]
async fn tower_s_own_timeout_buffer_and_load_shed_hold_everywhere() {
    everywhere(async |wire, version, level| {
        let work = Work::default().takes(Duration::from_secs(3600));
        let timeout = TimeoutLayer::new(Duration::from_millis(20));
        let mut client = Connected::new(server(level, &work, timeout), wire, version, level.tool()).await;
        let answer = &client.call(1).await[0];
        assert_eq!(failure(answer).map(|(kind, _)| kind), Some("timeout"), "{answer}");

        let work = Work::default();
        let mut client = Connected::new(buffered(level, &work), wire, version, level.tool()).await;
        assert!(client.call(10).await.iter().all(|answer| text(answer) == "done"));

        let work = Work::default().takes(Duration::from_millis(100));
        let shed = ServiceBuilder::new().layer(LoadShedLayer::new()).layer(ConcurrencyLimitLayer::new(2));
        let mut client =
            Connected::new(server(level, &work, shed.into_inner()), wire, version, level.tool()).await;
        let answers = client.call(8).await;
        let shed =
            answers.iter().filter(|answer| failure(answer).is_some_and(|(kind, _)| kind == "overloaded"));
        assert_eq!((shed.count(), work.calls(), work.most()), (6, 2, 2), "{answers:?}");
    })
    .await;
}
