//! Rate limits: what they count, for whom, and what they give back.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use prometheus_client::encoding::text;
use prometheus_client::registry::Registry;
use proptest::prelude::*;
use tokio::time::advance;
use tower::{Layer, Service, ServiceExt, service_fn};
use towline_core::{
    BoxError, ClientAddr, Context, Error, ErrorKind, Operation, Principal, RawJson, Request, ToolCall,
};
use towline_middleware::{
    CallCost, RateKey, RateLimit, RateLimitConfig, RateLimitLayer, RateLimiter, RateLimiters, RatePolicy,
};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// A service that answers at once, with limits around it.
type Limited = RateLimit<Answers>;

#[derive(Clone)]
struct Answers;

impl<Req> Service<Req> for Answers {
    type Response = &'static str;
    type Error = Error;
    type Future = std::future::Ready<Result<&'static str, Error>>;

    fn poll_ready(&mut self, _: &mut TaskContext<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Req) -> Self::Future {
        std::future::ready(Ok("done"))
    }
}

fn limited(policies: impl IntoIterator<Item = RatePolicy>) -> Limited {
    RateLimitLayer::new(RateLimitConfig::new(policies)).layer(Answers)
}

fn policy(name: &str, limit: u32, key: &[RateKey]) -> RatePolicy {
    RatePolicy::new(name, limit, MINUTE).key(key.iter().copied())
}

fn call(tool: &str, principal: &str) -> ToolCall {
    let mut context = Context::default();
    context.extensions_mut().insert(Principal::new(principal));
    ToolCall::new(tool, RawJson::EMPTY_OBJECT, context)
}

async fn ask<Req: Operation>(service: &Limited, request: Req) -> Result<(), Error> {
    service.clone().oneshot(request).await.map(|_| ())
}

/// How many of so many calls are allowed.
async fn allowed(service: &Limited, request: &ToolCall, of: usize) -> usize {
    let mut count = 0;
    for _ in 0..of {
        count += usize::from(ask(service, request.clone()).await.is_ok());
    }
    count
}

#[tokio::test(start_paused = true)]
async fn a_window_has_room_for_the_limit_and_fills_again_call_by_call() {
    let service = limited([policy("all", 6, &[RateKey::Server])]);
    let ann = call("add", "ann");
    assert_eq!(allowed(&service, &ann, 20).await, 6);
    let error = ask(&service, ann.clone()).await.unwrap_err();
    assert_eq!((error.kind(), error.retry_after()), (ErrorKind::RateLimited, Some(SECOND * 10)));

    advance(SECOND * 10 - Duration::from_nanos(1)).await;
    let error = ask(&service, ann.clone()).await.unwrap_err();
    assert_eq!(error.retry_after(), Some(Duration::from_nanos(1)));
    advance(Duration::from_nanos(1)).await;
    assert_eq!(allowed(&service, &ann, 20).await, 1);

    advance(MINUTE).await;
    assert_eq!(allowed(&service, &ann, 20).await, 6);
}

#[tokio::test(start_paused = true)]
async fn a_burst_smaller_than_the_limit_spreads_the_calls() {
    let service = limited([policy("all", 60, &[RateKey::Server]).burst(5)]);
    let ann = call("add", "ann");
    assert_eq!(allowed(&service, &ann, 100).await, 5);
    let mut count = 0;
    for _ in 0..600 {
        advance(Duration::from_millis(100)).await;
        count += allowed(&service, &ann, 2).await;
    }
    assert_eq!(count, 60);
}

#[tokio::test(start_paused = true)]
async fn each_principal_has_an_allowance_of_its_own() {
    let service = limited([policy("each", 3, &[RateKey::Principal])]);
    assert_eq!(allowed(&service, &call("add", "ann"), 10).await, 3);
    assert_eq!(allowed(&service, &call("sub", "ann"), 10).await, 0);
    assert_eq!(allowed(&service, &call("add", "bob"), 10).await, 3);
}

#[tokio::test(start_paused = true)]
async fn a_key_of_two_parts_counts_each_combination() {
    let service = limited([policy("each", 3, &[RateKey::Tool, RateKey::Principal])]);
    for (tool, principal) in [("add", "ann"), ("sub", "ann"), ("add", "bob"), ("sub", "bob")] {
        assert_eq!(allowed(&service, &call(tool, principal), 10).await, 3, "{tool} by {principal}");
    }
}

#[tokio::test(start_paused = true)]
async fn callers_without_a_principal_are_counted_by_address_or_all_together() {
    let service = limited([policy("each", 3, &[RateKey::Principal])]);
    let from = |address: &str| {
        let mut context = Context::default();
        context.extensions_mut().insert(ClientAddr(SocketAddr::new(address.parse().unwrap(), 1234)));
        ToolCall::new("add", RawJson::EMPTY_OBJECT, context)
    };
    assert_eq!(allowed(&service, &from("192.0.2.1"), 10).await, 3);
    assert_eq!(allowed(&service, &from("192.0.2.2"), 10).await, 3);
    assert_eq!(allowed(&service, &from("2001:db8::1"), 10).await, 3);
    assert_eq!(allowed(&service, &from("2001:db8::ffff"), 10).await, 0);
    let nobody = ToolCall::new("add", RawJson::EMPTY_OBJECT, Context::default());
    assert_eq!(allowed(&service, &nobody, 10).await, 3);
}

#[tokio::test(start_paused = true)]
async fn a_costly_tool_uses_up_more() {
    let service =
        limited([policy("each", 20, &[RateKey::Principal]).tool_cost("query", 5).tool_cost("ping", 0)]);
    assert_eq!(allowed(&service, &call("query", "ann"), 3).await, 3);
    assert_eq!(allowed(&service, &call("add", "ann"), 2).await, 2);
    let error = ask(&service, call("query", "ann")).await.unwrap_err();
    // Three are left, two are missing, and one comes back every three seconds.
    assert_eq!(error.retry_after(), Some(SECOND * 6));
    let quota = error.quota().unwrap();
    assert_eq!((&*quota.policy, quota.limit, quota.remaining), ("each", 20, 3));
    assert_eq!((quota.window, quota.reset), (MINUTE, SECOND * 6));
    assert!(error.message().ends_with(" This call counts as 5."), "{error}");
    assert_eq!(allowed(&service, &call("add", "ann"), 10).await, 3);
    assert_eq!(allowed(&service, &call("ping", "ann"), 10).await, 10);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_can_never_be_allowed_is_told_so() {
    let service = limited([policy("each", 20, &[RateKey::Principal])]);
    let cost = |cost| {
        let mut call = call("batch", "ann");
        call.context_mut().extensions_mut().insert(CallCost(NonZeroU32::new(cost).unwrap()));
        call
    };
    let error = ask(&service, cost(21)).await.unwrap_err();
    assert_eq!((error.kind(), error.retry_after()), (ErrorKind::InvalidParams, None));
    assert!(error.message().contains("never allows more than 20 at once"), "{error}");
    ask(&service, cost(20)).await.unwrap();
    assert_eq!(allowed(&service, &call("add", "ann"), 10).await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_names_a_tool_replaces_the_general_one_of_the_same_key() {
    let service = limited([
        policy("general", 5, &[RateKey::Principal]),
        policy("query", 2, &[RateKey::Principal]).tools(["query", "explain"]),
        policy("all", 100, &[RateKey::Server]),
    ]);
    assert_eq!(allowed(&service, &call("query", "ann"), 10).await, 2);
    assert_eq!(allowed(&service, &call("explain", "ann"), 10).await, 0);
    // What the special policy counted, the general one did not.
    assert_eq!(allowed(&service, &call("add", "ann"), 10).await, 5);
    // The policy with another key counted all of them.
    assert_eq!(allowed(&service, &call("query", "bob"), 10).await, 2);
    let reports = service_report(&service);
    assert_eq!(reports["all"], (9, 0, 0));
    assert_eq!(reports["query"], (4, 0, 26));
    assert_eq!(reports["general"], (5, 0, 5));
}

/// Allowed, waited and refused, by policy.
fn service_report(service: &Limited) -> HashMap<String, (u64, u64, u64)> {
    let reports = service.limiter().report().into_iter();
    reports
        .map(|report| (report.policy.to_string(), (report.allowed, report.waited, report.refused)))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn policies_of_the_same_key_and_different_windows_all_count() {
    let service = limited([
        RatePolicy::new("second", 2, SECOND).key([RateKey::Server]),
        RatePolicy::new("hour", 5, SECOND * 3600).key([RateKey::Server]),
    ]);
    let ann = call("add", "ann");
    let mut counts = Vec::new();
    for _ in 0..4 {
        counts.push(allowed(&service, &ann, 10).await);
        advance(SECOND).await;
    }
    assert_eq!(counts, [2, 2, 1, 0]);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_one_policy_refuses_takes_nothing_from_the_others() {
    for reversed in [false, true] {
        let mut policies =
            vec![policy("each", 4, &[RateKey::Principal]), policy("tool", 1, &[RateKey::Tool])];
        if reversed {
            policies.reverse();
        }
        let service = limited(policies);
        assert_eq!(allowed(&service, &call("add", "ann"), 50).await, 1);
        let names = ["a", "b", "c", "d", "e"];
        let mut count = 0;
        for name in names {
            count += allowed(&service, &call(name, "ann"), 1).await;
        }
        assert_eq!(count, 3, "reversed: {reversed}");
        // The last one was refused for the principal: the tool's allowance is whole.
        assert_eq!(allowed(&service, &call("e", "bob"), 2).await, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn the_hint_is_the_time_until_all_policies_would_allow_the_call() {
    for reversed in [false, true] {
        let mut policies =
            vec![policy("slow", 1, &[RateKey::Server]), policy("fast", 60, &[RateKey::Tool]).burst(1)];
        if reversed {
            policies.reverse();
        }
        let service = limited(policies);
        ask(&service, call("add", "ann")).await.unwrap();
        let error = ask(&service, call("add", "ann")).await.unwrap_err();
        assert_eq!(error.retry_after(), Some(MINUTE));
        assert_eq!(&*error.quota().unwrap().policy, "slow");
        assert_eq!(error.message(), "Too many calls: the limit \"slow\" is 1 call per 60 s.");
        advance(MINUTE).await;
        ask(&service, call("add", "ann")).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn around_a_server_only_calls_of_tools_have_a_tool() {
    let service = limited([
        policy("tools", 2, &[RateKey::Tool]),
        policy("named", 1, &[RateKey::Principal]).tools(["query"]),
        policy("all", 10, &[RateKey::Principal]),
    ]);
    let request = |method: &str, target: &str| {
        Request::new(method.to_owned(), &serde_json::json!({"name": target, "uri": target, "arguments": {}}))
            .unwrap()
    };
    for _ in 0..3 {
        ask(&service, request("tools/list", "")).await.unwrap();
        ask(&service, request("prompts/get", "query")).await.unwrap();
    }
    ask(&service, request("tools/call", "query")).await.unwrap();
    let error = ask(&service, request("tools/call", "query")).await.unwrap_err();
    assert_eq!(&*error.quota().unwrap().policy, "named");
    for allowed in [true, true, false] {
        assert_eq!(ask(&service, request("tools/call", "add")).await.is_ok(), allowed);
    }
}

#[tokio::test(start_paused = true)]
async fn clones_share_an_allowance_and_services_only_if_they_are_told_to() {
    let config = || RateLimitConfig::new([policy("all", 3, &[RateKey::Server])]);
    let layer = RateLimitLayer::new(config());
    let (first, second) = (layer.layer(Answers), layer.layer(Answers));
    let ann = call("add", "ann");
    assert_eq!(allowed(&first.clone(), &ann, 10).await, 3);
    assert_eq!(allowed(&first, &ann, 10).await, 0);
    assert_eq!(allowed(&second, &ann, 10).await, 3);

    let layer = RateLimitLayer::shared(RateLimiter::new(&config()));
    let (first, second) = (layer.layer(Answers), layer.layer(Answers));
    assert_eq!(allowed(&first, &ann, 2).await + allowed(&second, &ann, 10).await, 3);
}

#[tokio::test(start_paused = true)]
async fn a_service_with_boxed_errors_is_limited_alike() {
    let config = RateLimitConfig::new([policy("all", 1, &[RateKey::Server])]);
    let inner = service_fn(|_: ToolCall| std::future::ready(Ok::<_, BoxError>("done")));
    let service = RateLimitLayer::new(config).layer(inner);
    service.clone().oneshot(call("add", "ann")).await.unwrap();
    let error = service.oneshot(call("add", "ann")).await.unwrap_err();
    assert_eq!(Error::from(error).kind(), ErrorKind::RateLimited);
}

#[tokio::test(start_paused = true)]
async fn a_million_names_take_bounded_room_and_give_nobody_an_allowance_back() {
    let config = RateLimitConfig::new([policy("each", 2, &[RateKey::Principal])]).max_keys(10_000);
    let service = RateLimitLayer::new(config).layer(Answers);
    let exhausted = call("add", "ann");
    assert_eq!(allowed(&service, &exhausted, 10).await, 2);

    for n in 0..1_000_000_u32 {
        if n % 10_000 == 0 {
            assert_eq!(allowed(&service, &exhausted, 1).await, 0, "after {n} names");
        }
        let _ = ask(&service, call("add", &n.to_string())).await;
    }
    let report = &service.limiter().report()[0];
    assert!(report.keys <= 10_000, "{} keys", report.keys);
    // Each key that is held had its turn once, and those beyond shared one allowance.
    assert!(report.allowed <= 2 + 10_000 + 2 * 16, "{report:?}");
    assert_eq!(allowed(&service, &exhausted, 1).await, 0);

    // Once their allowances are whole again, others get their places.
    advance(MINUTE).await;
    assert_eq!(allowed(&service, &call("add", "bob"), 10).await, 2);
    assert_eq!(allowed(&service, &exhausted, 10).await, 2);
}

#[tokio::test(start_paused = true)]
async fn metrics_tell_decisions_by_policy_and_nothing_that_callers_chose() {
    let service = limited([policy("each", 2, &[RateKey::Principal])]);
    allowed(&service, &call("add", "ann"), 5).await;
    let other = RateLimiter::new(&RateLimitConfig::new([policy("other", 2, &[RateKey::Server])]));
    let mut registry = Registry::default();
    registry.register_collector(Box::new([service.limiter(), &other].into_iter().collect::<RateLimiters>()));
    let mut page = String::new();
    text::encode(&mut page, &registry).unwrap();
    for line in [
        "mcp_ratelimit_decisions_total{policy=\"each\",decision=\"allowed\"} 2",
        "mcp_ratelimit_decisions_total{policy=\"each\",decision=\"refused\"} 3",
        "mcp_ratelimit_decisions_total{policy=\"each\",decision=\"waited\"} 0",
        "mcp_ratelimit_decisions_total{policy=\"other\",decision=\"allowed\"} 0",
        "mcp_ratelimit_keys{policy=\"each\"} 1",
    ] {
        assert!(page.lines().any(|it| it == line), "{line} is not in\n{page}");
    }
    assert_eq!(page.matches("# TYPE mcp_ratelimit_decisions counter").count(), 1);
    assert!(!page.contains("ann"), "{page}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_at_once_get_no_more_than_is_allowed() {
    // In an hour nothing comes back while this runs.
    let hour = SECOND * 3600;
    let service = limited([
        RatePolicy::new("each", 50, hour * 50),
        RatePolicy::new("tool", 120, hour * 120).key([RateKey::Tool]),
        RatePolicy::new("all", 150, hour * 150).key([RateKey::Server]),
    ]);
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..64 {
        let service = service.clone();
        let (tool, principal) = (["add", "sub"][n % 2], ["a", "b", "c", "d"][n / 2 % 4]);
        tasks.spawn(async move { allowed(&service, &call(tool, principal), 100).await });
    }
    assert_eq!(tasks.join_all().await.into_iter().sum::<usize>(), 150);
}

/// Counts tokens: so many, one more after each `refill`, never more than `burst`.
#[derive(Clone)]
struct Naive {
    burst: u64,
    refill: u64,
    filled: u64,
}

impl Naive {
    fn new(burst: u32, refill: u64) -> Self {
        let burst = u64::from(burst);
        Self { burst, refill, filled: burst * refill }
    }

    fn advance(&mut self, by: u64) {
        self.filled = (self.filled + by).min(self.burst * self.refill);
    }

    fn missing(&self, cost: u32) -> u64 {
        (u64::from(cost) * self.refill).saturating_sub(self.filled)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_script_is_decided_as_by_a_plain_count(
        limits in prop::array::uniform3(1_u32..8),
        bursts in prop::array::uniform3(3_u32..8),
        script in prop::collection::vec((0_u64..40_000, 0_usize..3, 0_usize..3), 1..150),
    ) {
        const PRINCIPALS: [&str; 3] = ["ann", "bob", "eve"];
        const TOOLS: [&str; 3] = ["add", "query", "sub"];
        let window = Duration::from_micros(60);
        let policies = [
            RatePolicy::new("each", limits[0], window).burst(bursts[0]).tool_cost("add", 2),
            RatePolicy::new("query", limits[1], window).burst(bursts[1]).cost(3).tools(["query"]),
            RatePolicy::new("tool", limits[2], window).burst(bursts[2]).key([RateKey::Tool]),
        ];
        // Which policies are about a tool, and what it costs there.
        let charges = |tool: usize| match TOOLS[tool] {
            "add" => [(0, 2), (2, 1)],
            "query" => [(1, 3), (2, 1)],
            _ => [(0, 1), (2, 1)],
        };
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let service = limited(policies);
            let mut naive: HashMap<(usize, usize), Naive> = HashMap::new();
            for policy in 0..3 {
                for key in 0..3 {
                    let refill = (window / limits[policy]).as_nanos() as u64;
                    naive.insert((policy, key), Naive::new(bursts[policy], refill));
                }
            }
            for (pause, principal, tool) in script {
                advance(Duration::from_nanos(pause)).await;
                naive.values_mut().for_each(|naive| naive.advance(pause));
                let charges = charges(tool).map(|(policy, cost)| {
                    ((policy, if policy == 2 { tool } else { principal }), cost)
                });
                let wait = charges.iter().map(|(at, cost)| naive[at].missing(*cost)).max().unwrap();
                let answer = ask(&service, call(TOOLS[tool], PRINCIPALS[principal])).await;
                let hint = answer.err().map(|error| error.retry_after().unwrap());
                prop_assert_eq!(hint, (wait > 0).then(|| Duration::from_nanos(wait)));
                if wait == 0 {
                    for (at, cost) in charges {
                        let naive = naive.get_mut(&at).unwrap();
                        naive.filled -= u64::from(cost) * naive.refill;
                    }
                }
            }
            Ok(())
        })?;
    }
}
