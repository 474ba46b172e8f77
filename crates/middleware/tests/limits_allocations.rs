//! What limits cost a call that they let through: no allocation.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tower::{Layer, Service, service_fn};
use towline_core::{ClientAddr, Context, Error, Principal, RawJson, ToolCall};
use towline_middleware::{
    BulkheadConfig, BulkheadLayer, RateKey, RateLimitConfig, RateLimitLayer, RatePolicy,
};

const CALLS: u64 = 1000;

fn call() -> ToolCall {
    let mut context = Context::default();
    context.extensions_mut().insert(Principal::new("ann"));
    context.extensions_mut().insert(ClientAddr(SocketAddr::from(([192, 0, 2, 1], 80))));
    ToolCall::new(Arc::from("add"), RawJson::EMPTY_OBJECT, context)
}

/// Allocations of so many calls, once all that is to be kept has been made.
fn allocations<S: Service<ToolCall, Error = Error>>(mut service: S) -> u64 {
    let call = call();
    let mut run = |times: u64| {
        for _ in 0..times {
            assert!(service.call(call.clone()).now_or_never().unwrap().is_ok());
        }
    };
    run(1);
    allocation_counter::measure(|| run(CALLS)).count_total
}

#[test]
fn a_call_that_is_allowed_allocates_nothing() {
    let inner = || service_fn(|_: ToolCall| std::future::ready(Ok::<_, Error>(())));
    let hour = Duration::from_secs(3600);
    let policies = [
        RatePolicy::new("each", 10_000, hour),
        RatePolicy::new("tool", 10_000, hour).key([RateKey::Tool, RateKey::Client]).tool_cost("add", 2),
        RatePolicy::new("all", 10_000, hour).key([RateKey::Server]),
    ];
    assert_eq!(allocations(RateLimitLayer::new(RateLimitConfig::new(policies)).layer(inner())), 0);
    assert_eq!(allocations(BulkheadLayer::new(BulkheadConfig::default()).layer(inner())), 0);
}
