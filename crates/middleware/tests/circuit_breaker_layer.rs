//! The breaker around services of every kind.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use serde_json::json;
use tokio::sync::Barrier;
use tokio::time::advance;
use tower::{BoxError, Layer, Service, ServiceBuilder, ServiceExt, service_fn};
use towline_core::{
    Error, ErrorKind, Failure, Operation, Reply, Router, Server, Tool, ToolCall, ToolExt, ToolResult,
    ToolSet, tool_fn,
};
use towline_middleware::circuit_breaker::{Mode, State};
use towline_middleware::{
    CircuitBreaker, CircuitBreakerConfig, CircuitBreakerLayer, CircuitBreakerRegistry, Outcome,
};
use towline_transport::memory;

const SECOND: Duration = Duration::from_secs(1);

/// Opens after three failures in a row, for 5 s.
fn config() -> CircuitBreakerConfig {
    CircuitBreakerConfig::consecutive(3, 5 * SECOND)
}

/// A tool that is down, and counts who asks.
fn down(name: &'static str, asked: &Arc<AtomicUsize>) -> impl Tool + use<> {
    let asked = Arc::clone(asked);
    tool_fn(name, "Is down.", move || {
        asked.fetch_add(1, Ordering::SeqCst);
        async { Err::<&str, _>(Error::new(ErrorKind::Unavailable, "the shop is closed")) }
    })
}

fn answer(kind: Option<ErrorKind>) -> Result<&'static str, Error> {
    kind.map_or(Ok("hello"), |kind| Err(Error::new(kind, "no")))
}

async fn answers_of(client: &mut memory::Client, tool: &str, calls: usize) -> Vec<String> {
    let mut texts = Vec::new();
    for _ in 0..calls {
        let result = client.call_tool(tool, json!({})).await.unwrap().result.unwrap();
        texts.push(result["content"][0]["text"].as_str().unwrap().to_owned());
    }
    texts
}

#[tokio::test(start_paused = true)]
async fn a_tool_that_keeps_failing_is_spared_and_the_model_reads_when_to_come_back() {
    let asked = Arc::default();
    let shop = CircuitBreaker::new("shop", config());
    let tool = down("stock", &asked).layer(CircuitBreakerLayer::shared(shop));
    let mut client = memory::connect(Server::new(Router::new("test", "1").tool(tool)));

    let texts = answers_of(&mut client, "stock", 5).await;

    assert_eq!(asked.load(Ordering::SeqCst), 3);
    assert_eq!(texts[2], "the shop is closed");
    let refusal = "`shop` is temporarily unavailable; do not retry sooner. Try again in 5 s.";
    assert_eq!(texts[3..], [refusal, refusal]);

    advance(5 * SECOND).await;
    answers_of(&mut client, "stock", 2).await;
    assert_eq!(asked.load(Ordering::SeqCst), 4, "one probe");
}

#[tokio::test(start_paused = true)]
async fn each_tool_of_a_set_has_a_breaker_of_its_own() {
    let (asked, well) = (Arc::default(), tool_fn("well", "Works.", async || "hello"));
    let set = ToolSet::new().with(down("ill", &asked)).with(well).layer(CircuitBreakerLayer::new(config()));
    let mut client = memory::connect(Server::new(Router::new("test", "1").tools(set)));

    let refusal = answers_of(&mut client, "ill", 5).await.pop().unwrap();
    assert_eq!(asked.load(Ordering::SeqCst), 3);
    assert_eq!(refusal, "The service is temporarily unavailable; do not retry sooner. Try again in 5 s.");
    assert_eq!(answers_of(&mut client, "well", 1).await, ["hello"]);
}

#[tokio::test(start_paused = true)]
async fn tools_of_one_upstream_can_share_one() {
    let asked = Arc::default();
    let layer = CircuitBreakerLayer::shared(CircuitBreaker::new("shop", config()));
    let set = ToolSet::new().with(down("stock", &asked)).with(down("order", &asked)).layer(layer);
    let mut client = memory::connect(Server::new(Router::new("test", "1").tools(set)));

    answers_of(&mut client, "stock", 2).await;
    answers_of(&mut client, "order", 2).await;

    assert_eq!(asked.load(Ordering::SeqCst), 3);
}

#[tokio::test(start_paused = true)]
async fn around_a_server_a_refusal_is_the_protocol_s() {
    let breaker = CircuitBreaker::new("server", config());
    breaker.set_mode(Mode::ForcedOpen);
    let server = Server::new(Router::new("test", "1").tool(tool_fn("hello", "Greets.", async || "hello")));
    let mut client = memory::connect(server.layer(CircuitBreakerLayer::shared(breaker.clone())));

    let error = client.call_tool("hello", json!({})).await.unwrap().result.unwrap_err();
    assert_eq!((error["code"].as_i64(), &error["data"]["kind"]), (Some(503), &json!("circuit_open")));
    assert_eq!(error["message"], "`server` is switched off for now; do not retry.");

    breaker.set_mode(Mode::Auto);
    assert_eq!(answers_of(&mut client, "hello", 1).await, ["hello"]);
}

#[tokio::test(start_paused = true)]
async fn around_a_server_a_failing_tool_opens_it() {
    let asked = Arc::default();
    let server = Server::new(Router::new("test", "1").tool(down("stock", &asked)));
    let mut client = memory::connect(server.layer(CircuitBreakerLayer::new(config())));
    for _ in 0..3 {
        client.call_tool("stock", json!({})).await.unwrap().result.unwrap();
    }
    let error = client.call_tool("stock", json!({})).await.unwrap().result.unwrap_err();
    assert_eq!(error["data"]["retryAfterMs"], 5000);
}

#[tokio::test(start_paused = true)]
async fn a_service_with_boxed_errors_fits_with_tower_s_own_layers_inside() {
    let mut service = ServiceBuilder::new()
        .layer(CircuitBreakerLayer::new(config()))
        .timeout(SECOND)
        .service_fn(async |()| std::future::pending::<Result<(), BoxError>>().await);
    for _ in 0..3 {
        let error = service.ready().await.unwrap().call(()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout);
    }
    let error = service.ready().await.unwrap().call(()).await.unwrap_err();
    assert_eq!((error.kind(), error.retry_after()), (ErrorKind::CircuitOpen, Some(5 * SECOND)));
}

#[tokio::test(start_paused = true)]
async fn a_request_says_which_upstream_it_needs() {
    let breakers = CircuitBreakerRegistry::new();
    breakers.register("north", config());
    breakers.register("south", config());
    let layer = CircuitBreakerLayer::select({
        let breakers = breakers.clone();
        move |call: &ToolCall| {
            let arguments = call.arguments()?.parse::<serde_json::Value>().ok()?;
            breakers.get(arguments["shop"].as_str()?)
        }
    });
    let tool = tool_fn("stock", "Asks a shop.", async |_: serde_json::Map<String, serde_json::Value>| {
        Err::<&str, _>(Error::new(ErrorKind::Unavailable, "closed"))
    });
    let tool = tool.layer(layer);
    let ask = async |shop: &str| {
        let arguments = json!({"shop": shop});
        let arguments = towline_core::RawJson::from_value(&arguments).unwrap();
        tool.call(ToolCall::new("stock", arguments, towline_core::Context::default()))
            .await
            .unwrap_err()
            .kind()
    };

    for _ in 0..3 {
        assert_eq!(ask("north").await, ErrorKind::Unavailable);
    }
    assert_eq!(ask("north").await, ErrorKind::CircuitOpen);
    for _ in 0..2 {
        assert_eq!(ask("south").await, ErrorKind::Unavailable);
    }
    for _ in 0..20 {
        assert_eq!(ask("unheard of").await, ErrorKind::Unavailable);
    }
    assert_eq!(breakers.breakers().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_a_caller_did_wrong_does_not_open_it() {
    let breaker = CircuitBreaker::new("shop", config());
    let service = CircuitBreakerLayer::shared(breaker.clone()).layer(service_fn(async |kind| answer(kind)));
    use ErrorKind::{
        Cancelled, CircuitOpen, Forbidden, InvalidParams, Overloaded, RateLimited, Unauthenticated,
    };
    for kind in [Cancelled, CircuitOpen, Forbidden, InvalidParams, Overloaded, RateLimited, Unauthenticated] {
        for _ in 0..20 {
            assert_eq!(service.clone().oneshot(Some(kind)).await.unwrap_err().kind(), kind);
        }
    }
    assert_eq!((breaker.state(), breaker.snapshot().calls), (State::Closed, 0));
}

#[tokio::test(start_paused = true)]
async fn bad_news_is_an_answer_unless_a_classifier_says_otherwise() {
    let result = || service_fn(async |()| Ok::<_, Error>(ToolResult::error("no such lamp")));
    let breaker = CircuitBreaker::new("shop", config());
    let service = CircuitBreakerLayer::shared(breaker.clone()).layer(result());
    for _ in 0..20 {
        service.clone().oneshot(()).await.unwrap();
    }
    assert_eq!(breaker.state(), State::Closed);

    let strict = |answer: Result<&ToolResult, &Error>| match answer {
        Ok(result) if !result.is_error() => Outcome::Success,
        _ => Outcome::Failure,
    };
    let service = CircuitBreakerLayer::shared(breaker.clone()).classify(strict).layer(result());
    for _ in 0..3 {
        service.clone().oneshot(()).await.unwrap();
    }
    assert_eq!(breaker.state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_a_failure() {
    let breaker = CircuitBreaker::new("shop", config());
    let service = CircuitBreakerLayer::shared(breaker.clone());
    let in_future = service.layer(service_fn(async |()| -> Result<(), Error> { panic!("in the future") }));
    let at_once =
        service.layer(service_fn(|()| -> std::future::Ready<Result<(), Error>> { panic!("at once") }));

    assert!(tokio::spawn(in_future.clone().oneshot(())).await.unwrap_err().is_panic());
    assert!(tokio::spawn(in_future.oneshot(())).await.unwrap_err().is_panic());
    assert_eq!(breaker.state(), State::Closed);
    assert!(tokio::spawn(at_once.oneshot(())).await.unwrap_err().is_panic());
    assert_eq!(breaker.state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_goes_away_gives_its_probe_back() {
    let breaker = CircuitBreaker::new("shop", config());
    let service = CircuitBreakerLayer::shared(breaker.clone()).layer(service_fn(async |forever: bool| {
        if forever {
            std::future::pending::<()>().await;
        }
        Ok::<_, Error>(())
    }));
    for _ in 0..3 {
        breaker.try_acquire().unwrap().record(Outcome::Failure);
    }
    advance(5 * SECOND).await;

    for _ in 0..10 {
        let hanging = tokio::time::timeout(SECOND, service.clone().oneshot(true));
        let (gone, refused) = tokio::join!(hanging, service.clone().oneshot(false));
        assert!(gone.is_err());
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::CircuitOpen);
        assert_eq!(breaker.state(), State::HalfOpen);
    }
    service.oneshot(false).await.unwrap();
    assert_eq!(breaker.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_future_that_is_never_polled_gives_its_probe_back() {
    let breaker = CircuitBreaker::new("shop", config());
    let mut service =
        CircuitBreakerLayer::shared(breaker.clone()).layer(service_fn(async |()| Ok::<_, Error>(())));
    for _ in 0..3 {
        breaker.try_acquire().unwrap().record(Outcome::Failure);
    }
    advance(5 * SECOND).await;

    service.ready().await.unwrap();
    service.ready().await.unwrap(); // readiness takes nothing
    let unpolled = service.call(());
    assert!(breaker.try_acquire().is_err());
    drop(unpolled);
    drop(breaker.try_acquire().unwrap());
}

/// Many rounds, as a race may be won by luck.
#[test]
fn a_race_on_half_open_is_won_by_its_probes_alone() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_time().build().unwrap();
    runtime.block_on(async {
        for _ in 0..50 {
            let mut config = CircuitBreakerConfig::default();
            (config.open, config.max_open) = (Duration::from_millis(1), Duration::from_millis(1));
            let breaker = CircuitBreaker::new("shop", config);
            for _ in 0..10 {
                breaker.try_acquire().unwrap().record(Outcome::Failure);
            }
            while breaker.state() == State::Open {
                tokio::task::yield_now().await;
            }

            let (running, most, start) =
                (Arc::new(AtomicUsize::new(0)), Arc::default(), Arc::new(Barrier::new(64)));
            let tasks: Vec<_> = (0..64)
                .map(|_| {
                    let (breaker, running) = (breaker.clone(), Arc::clone(&running));
                    let (most, start): (Arc<AtomicUsize>, _) = (Arc::clone(&most), Arc::clone(&start));
                    tokio::spawn(async move {
                        start.wait().await;
                        // Dropped permits and ignored answers keep it half-open all the time.
                        for turn in 0..50 {
                            let Ok(permit) = breaker.try_acquire() else { continue };
                            most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                            tokio::task::yield_now().await;
                            running.fetch_sub(1, Ordering::SeqCst);
                            if turn % 2 == 0 {
                                permit.record(Outcome::Ignored);
                            }
                        }
                    })
                })
                .collect();
            for task in tasks {
                task.await.unwrap();
            }

            assert!((1..=3).contains(&most.load(Ordering::SeqCst)), "{most:?}");
            // Nothing is lost in the race: there is room for just as many as before.
            let probes: Vec<_> = std::iter::from_fn(|| breaker.try_acquire().ok()).take(64).collect();
            assert_eq!((breaker.state(), probes.len()), (State::HalfOpen, 3));
        }
    });
}

#[tokio::test(start_paused = true)]
async fn a_registry_shows_all_its_breakers_when_it_is_scraped() {
    let breakers = CircuitBreakerRegistry::new();
    let mut registry = Registry::default();
    registry.register_collector(Box::new(breakers.clone()));
    let mut events = breakers.subscribe();
    let shop = breakers.register("shop", config());
    breakers.register("post", config()).set_mode(Mode::ForcedOpen);

    shop.try_acquire().unwrap().record(Outcome::Success);
    shop.try_acquire().unwrap().record(Outcome::Ignored);
    for _ in 0..3 {
        shop.try_acquire().unwrap().record(Outcome::Failure);
    }
    assert!(shop.try_acquire().is_err());
    advance(5 * SECOND).await;

    let mut text = String::new();
    encode(&mut text, &registry).unwrap();
    for line in [
        r#"mcp_breaker_state{upstream="shop",state="closed"} 0"#,
        r#"mcp_breaker_state{upstream="shop",state="open"} 0"#,
        r#"mcp_breaker_state{upstream="shop",state="half_open"} 1"#,
        r#"mcp_breaker_state{upstream="post",state="open"} 1"#,
        r#"mcp_breaker_mode{upstream="post",mode="forced_open"} 1"#,
        r#"mcp_breaker_mode{upstream="post",mode="auto"} 0"#,
        r#"mcp_breaker_transitions_total{upstream="shop",to="closed"} 0"#,
        r#"mcp_breaker_transitions_total{upstream="shop",to="open"} 1"#,
        r#"mcp_breaker_transitions_total{upstream="shop",to="half_open"} 1"#,
        r#"mcp_breaker_refused_total{upstream="shop"} 1"#,
        r#"mcp_breaker_calls_total{upstream="shop",outcome="success"} 1"#,
        r#"mcp_breaker_calls_total{upstream="shop",outcome="failure"} 3"#,
        r#"mcp_breaker_calls_total{upstream="shop",outcome="ignored"} 1"#,
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    let names: Vec<_> = breakers.snapshots().into_iter().map(|seen| seen.name).collect();
    assert_eq!(names, ["post".into(), "shop".into()]);
    assert_eq!(&*events.try_recv().unwrap().breaker, "post");
    assert_eq!(&*events.try_recv().unwrap().breaker, "shop");
}

#[test]
#[should_panic(expected = "circuit breaker \"shop\": there is another of that name")]
fn a_name_is_registered_once() {
    let breakers = CircuitBreakerRegistry::new();
    breakers.register("shop", config());
    breakers.register("shop", config());
}

#[tokio::test(start_paused = true)]
async fn an_answer_of_the_whole_server_is_judged_by_its_kind() {
    let breaker = CircuitBreaker::new("server", config());
    let service = CircuitBreakerLayer::shared(breaker.clone())
        .layer(service_fn(async |()| Err::<Reply, _>(Error::new(ErrorKind::Timeout, "too slow"))));
    for _ in 0..3 {
        service.clone().oneshot(()).await.unwrap_err();
    }
    assert_eq!(breaker.state(), State::Open);
}
