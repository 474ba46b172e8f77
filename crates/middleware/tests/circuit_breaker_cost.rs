//! What a call through a breaker costs.

use std::future::{Ready, ready};
use std::hint::black_box;

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
