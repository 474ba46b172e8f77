//! A message allocates no more often than it did: whoever needs more changes these numbers and says why.

use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt as _;
use tower::Layer as _;
use towline_bench::cost::Turn;
use towline_bench::server::{bare_answer, towline_answer, towline_server};
use towline_bench::service::{Bare, alone, client_request, tool_call};
use towline_bench::workload::{ECHO, Echo, NAME, SERVER_VERSION, Workload};
use towline_core::{Router, Server, ToolSet, tool_fn};
use towline_middleware::{
    RateKey, RateLimitConfig, RateLimitLayer, RatePolicy, Stack, StackConfig, TimeoutLayer,
};

#[test]
fn a_message_allocates_only_so_often() {
    let mut server = towline_server();
    for (workload, most) in [(Workload::Echo, 13), (Workload::List, 4)] {
        let body = Bytes::from(workload.message().body().to_owned());
        // What is made once is made now.
        assert!(bare_answer(&body).is_some());
        assert!(towline_answer(&mut server, body.clone()).now_or_never().flatten().is_some());

        let bare = allocation_counter::measure(|| drop(bare_answer(&body)));
        let towline = allocation_counter::measure(|| {
            drop(towline_answer(&mut server, body).now_or_never());
        });
        let count = towline.count_total;
        eprintln!("{workload:?}: {count} allocations, {} in bare serde_json", bare.count_total);
        assert!(count <= most, "{workload:?} allocates {count} times, not {most}");
    }
}

/// The allocations of a hundred calls.
fn of_a_hundred_calls(mut turn: Turn) -> u64 {
    // What is made once is made now.
    turn(100);
    allocation_counter::measure(|| _ = turn(100)).count_total
}

/// The circuit breaker and the metrics have tests of their own, beside them.
#[test]
fn a_limit_and_a_timeout_allocate_nothing() {
    let second = Duration::from_secs(1);
    for key in [RateKey::Server, RateKey::Principal, RateKey::Tool] {
        let policy = RatePolicy::new("all", 1_000_000, second).key([key]);
        let layer = RateLimitLayer::new(RateLimitConfig::new([policy]));
        assert_eq!(of_a_hundred_calls(alone(layer.layer(Bare), tool_call())), 0, "{key:?}");
    }
    let timeout = TimeoutLayer::new(second).layer(Bare);
    assert_eq!(of_a_hundred_calls(alone(timeout, tool_call())), 0);
}

/// The two are those of the tool's layers, whatever they are: a box around them, whose type the server does not know, and
/// one around the tool, whose type they do not know.
#[test]
fn the_layers_that_are_on_by_default_allocate_only_so_often() {
    let tools = || ToolSet::new().with(tool_fn("echo", ECHO, async |args: Echo| args.text).read_only());
    let router = || Router::new(NAME, SERVER_VERSION);
    let stack = Stack::new(StackConfig::default()).unwrap();
    let bare = Server::new(router().tools(tools()));
    let layered = Server::new(stack.tools(router(), tools()).unwrap()).layer(stack.server());

    let bare = of_a_hundred_calls(alone(bare, client_request(Workload::Echo)));
    let layered = of_a_hundred_calls(alone(layered, client_request(Workload::Echo)));
    assert_eq!((layered - bare) / 100, 2);
}
