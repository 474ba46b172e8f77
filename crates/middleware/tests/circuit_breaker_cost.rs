//! What a call through a breaker costs.

use std::future::{Ready, ready};
use std::hint::black_box;
use std::time::Instant;

use tower::{Layer, Service, service_fn};
use towline_core::Error;
use towline_middleware::{CircuitBreaker, CircuitBreakerConfig, CircuitBreakerLayer, Outcome};

const CALLS: u32 = 100_000;

fn pass(breaker: &CircuitBreaker) {
    for _ in 0..CALLS {
        breaker.try_acquire().unwrap().record(black_box(Outcome::Success));
    }
}

fn answer(_: ()) -> Ready<Result<(), Error>> {
    ready(Ok(()))
}

#[test]
fn a_call_allocates_nothing() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let breaker = CircuitBreaker::new("shop", CircuitBreakerConfig::default());
    let mut service = CircuitBreakerLayer::shared(breaker.clone()).layer(service_fn(answer));

    let alone = allocation_counter::measure(|| pass(&breaker));
    let in_layer = allocation_counter::measure(|| {
        for _ in 0..1000 {
            runtime.block_on(service.call(())).unwrap();
        }
    });

    assert_eq!((alone.count_total, in_layer.count_total), (0, 0));
}

/// `cargo test --release --test circuit_breaker_cost -- --ignored --nocapture`
#[test]
#[expect(clippy::print_stdout, reason = "the figures are what it is run for")]
#[ignore = "it measures, which only a quiet machine and a release build can"]
fn a_call_costs_less_than_half_a_microsecond() {
    let mut config = CircuitBreakerConfig::default();
    let over_time = CircuitBreaker::new("shop", config.clone());
    config.window_calls = Some(100);
    let over_calls = CircuitBreaker::new("shop", config);
    for (window, breaker) in [("time", over_time), ("calls", over_calls)] {
        let best = (0..20).map(|_| {
            let began = Instant::now();
            pass(&breaker);
            began.elapsed() / CALLS
        });
        let best = best.min().unwrap();
        println!("a window of {window}: {best:?} to acquire and record");
        assert!(best.as_nanos() < 500, "{best:?}");
    }
}
