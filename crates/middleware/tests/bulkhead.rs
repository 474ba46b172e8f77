//! Bulkheads: what runs, what waits, what is refused, and what is given back.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use prometheus_client::encoding::text;
use prometheus_client::registry::Registry;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep};
use tower::limit::ConcurrencyLimitLayer;
use tower::{BoxError, Layer, Service, ServiceExt, service_fn};
use towline_core::{Error, ErrorKind};
use towline_middleware::{Bulkhead, BulkheadConfig, BulkheadLayer, Bulkheads};

const SECOND: Duration = Duration::from_secs(1);

fn config(max_concurrent: usize, max_queue: usize) -> BulkheadConfig {
    BulkheadConfig::new(max_concurrent).max_queue(max_queue).queue_timeout(SECOND * 100)
}

/// Takes a second, and answers when it began.
fn slow(
    bulkhead: &Bulkhead,
) -> impl Service<u32, Response = (u32, Instant), Error = Error, Future: Send + 'static> + Clone + Send + use<>
{
    let inner = service_fn(|n: u32| async move {
        let start = Instant::now();
        sleep(SECOND).await;
        Ok::<_, Error>((n, start))
    });
    BulkheadLayer::shared(bulkhead.clone()).layer(inner)
}

#[tokio::test(start_paused = true)]
async fn so_many_run_so_many_wait_and_the_rest_is_refused() {
    let bulkhead = Bulkhead::new("slow", &config(2, 3));
    let (service, start) = (slow(&bulkhead), Instant::now());
    let answers = join_all((0..8).map(|n| service.clone().oneshot(n))).await;
    let begun: Vec<_> =
        answers.iter().map(|answer| answer.as_ref().ok().map(|(_, at)| (*at - start).as_secs())).collect();
    assert_eq!(begun, [Some(0), Some(0), Some(1), Some(1), Some(2), None, None, None]);
    let error = answers[5].as_ref().unwrap_err();
    assert_eq!((error.kind(), error.retry_after()), (ErrorKind::Overloaded, Some(SECOND * 100)));
    assert_eq!(error.message(), "Too much is running at the moment: the queue is full.");
    assert_eq!((bulkhead.available(), bulkhead.queued(), bulkhead.refused()), (2, 0, 3));
}

#[tokio::test(start_paused = true)]
async fn never_do_more_run_than_may() {
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let inner = {
        let (running, most) = (Arc::clone(&running), Arc::clone(&most));
        service_fn(move |_: ()| {
            let (running, most) = (Arc::clone(&running), Arc::clone(&most));
            async move {
                most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                sleep(SECOND).await;
                running.fetch_sub(1, Ordering::SeqCst);
                Ok::<_, BoxError>(())
            }
        })
    };
    let service = BulkheadLayer::new(config(2, 20)).layer(inner);
    let answers = join_all((0..20).map(|_| service.clone().oneshot(()))).await;
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(most.load(Ordering::SeqCst), 2);
}

#[tokio::test(start_paused = true)]
async fn a_call_waits_no_longer_than_the_bound() {
    let bulkhead = Bulkhead::new("slow", &config(1, 5).queue_timeout(SECOND / 2));
    let (service, start) = (slow(&bulkhead), Instant::now());
    let waiting = async {
        let answer = service.clone().oneshot(1).await;
        (answer, Instant::now() - start)
    };
    let (first, (second, waited)) = futures_util::join!(service.clone().oneshot(0), waiting);
    first.unwrap();
    let error = second.unwrap_err();
    assert_eq!((error.kind(), error.retry_after()), (ErrorKind::Overloaded, Some(SECOND)));
    assert!(waited >= SECOND / 2 && waited < SECOND, "{waited:?}");
    assert_eq!((bulkhead.available(), bulkhead.queued(), bulkhead.refused()), (1, 0, 1));
}

#[tokio::test(start_paused = true)]
async fn nobody_overtakes_those_who_wait() {
    let bulkhead = Bulkhead::new("slow", &config(1, 10));
    let service = slow(&bulkhead);
    let order = Arc::new(std::sync::Mutex::new(Vec::new()));
    let mut tasks = Vec::new();
    for n in 0..5 {
        let (service, order) = (service.clone(), Arc::clone(&order));
        tasks.push(tokio::spawn(async move {
            let (n, _) = service.oneshot(n).await.unwrap();
            order.lock().unwrap().push(n);
        }));
        yield_now().await;
    }
    assert_eq!(bulkhead.queued(), 4);
    // The first is done at this moment, and another comes just then.
    sleep(SECOND).await;
    let (last, _) = service.oneshot(9).await.unwrap();
    order.lock().unwrap().push(last);
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(*order.lock().unwrap(), [0, 1, 2, 3, 4, 9]);
}

#[tokio::test(start_paused = true)]
async fn what_is_dropped_gives_back_its_permit_or_its_place_in_the_queue() {
    let bulkhead = Bulkhead::new("slow", &config(1, 2));
    let service = slow(&bulkhead);
    let runs = tokio::spawn(service.clone().oneshot(0));
    let waits = tokio::spawn(service.clone().oneshot(1));
    yield_now().await;
    // Made and never polled, it holds a place, too.
    let made = service.clone().call(2);
    assert_eq!((bulkhead.available(), bulkhead.queued()), (0, 2));
    assert!(service.clone().oneshot(3).await.is_err());

    drop(made);
    assert_eq!(bulkhead.queued(), 1);
    waits.abort();
    let _ = waits.await;
    assert_eq!((bulkhead.available(), bulkhead.queued()), (0, 0));
    runs.abort();
    let _ = runs.await;
    assert_eq!((bulkhead.available(), bulkhead.queued()), (1, 0));
    service.oneshot(4).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_answer_frees_the_place_though_its_future_is_kept() {
    let bulkhead = Bulkhead::new("slow", &config(1, 0));
    let mut future = Box::pin(slow(&bulkhead).call(0));
    assert_eq!(bulkhead.available(), 0);
    future.as_mut().await.unwrap();
    assert_eq!(bulkhead.available(), 1);
    drop(future);
    assert_eq!(bulkhead.available(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waits_holds_nothing_of_what_is_beneath() {
    let bulkhead = Bulkhead::new("slow", &config(1, 1));
    let inner = service_fn(|n: u32| async move {
        sleep(SECOND).await;
        Ok::<_, BoxError>(n)
    });
    let inner = ConcurrencyLimitLayer::new(2).layer(inner);
    let mut service = BulkheadLayer::shared(bulkhead).layer(inner.clone());
    let runs = service.ready().await.unwrap().call(0);
    let waits = service.ready().await.unwrap().call(1);
    drop(service);
    let start = Instant::now();
    let other = async {
        inner.oneshot(2).await.unwrap();
        Instant::now() - start
    };
    let (runs, waits, other) = futures_util::join!(runs, waits, other);
    assert_eq!((runs.unwrap(), waits.unwrap(), other.as_secs()), (0, 1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_call_whose_turn_has_come_leaves_the_queue_and_waits_for_what_is_beneath() {
    let bulkhead = Bulkhead::new("slow", &config(1, 1));
    let inner = service_fn(|n: u32| async move {
        sleep(SECOND).await;
        Ok::<_, BoxError>(n)
    });
    let inner = ConcurrencyLimitLayer::new(1).layer(inner);
    let service = BulkheadLayer::shared(bulkhead.clone()).layer(inner.clone());
    let start = Instant::now();
    let runs = service.clone().oneshot(0);
    let passes_by = async {
        yield_now().await;
        inner.oneshot(2).await
    };
    let waits = async {
        let mut waiting = service.clone();
        // Another's readiness is not this call's: it is asked for again when its turn has come.
        let call = waiting.call(1);
        drop(waiting);
        call.await.map(|_| Instant::now() - start)
    };
    let look = async {
        sleep(SECOND * 3 / 2).await;
        (bulkhead.available(), bulkhead.queued())
    };
    let (runs, passes_by, waits, look) = futures_util::join!(runs, passes_by, waits, look);
    assert_eq!((runs.unwrap(), passes_by.unwrap(), waits.unwrap().as_secs()), (0, 2, 3));
    assert_eq!(look, (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_layer_gives_each_service_its_own_and_a_shared_one_bounds_all() {
    let inner = || {
        service_fn(|()| async {
            sleep(SECOND).await;
            Ok::<_, Error>(())
        })
    };
    let own = BulkheadLayer::new(config(1, 0));
    let (first, second) = (own.layer(inner()), own.layer(inner()));
    let (first, second) = futures_util::join!(first.oneshot(()), second.oneshot(()));
    assert!(first.is_ok() && second.is_ok());

    let shared = BulkheadLayer::shared(Bulkhead::new("both", &config(1, 0)));
    let (first, second) = (shared.layer(inner()), shared.layer(inner()));
    let (first, second) = futures_util::join!(first.oneshot(()), second.oneshot(()));
    assert!(first.is_ok() && second.is_err());
}

#[tokio::test(start_paused = true)]
async fn metrics_tell_what_is_free_what_waits_and_what_was_refused() {
    let (first, second) = (Bulkhead::new("first", &config(2, 1)), Bulkhead::new("second", &config(7, 0)));
    let mut registry = Registry::default();
    registry.register_collector(Box::new([&first, &second].into_iter().collect::<Bulkheads>()));
    let service = slow(&first);
    let calls: Vec<_> = (0..5).map(|n| service.clone().call(n)).collect();
    drop(calls.into_iter().nth(4));
    let _held: Vec<_> = (0..4).map(|n| service.clone().call(n)).collect();

    let mut page = String::new();
    text::encode(&mut page, &registry).unwrap();
    for line in [
        "mcp_bulkhead_available{name=\"first\"} 0",
        "mcp_bulkhead_available{name=\"second\"} 7",
        "mcp_bulkhead_queued{name=\"first\"} 1",
        "mcp_bulkhead_refused_total{name=\"first\"} 3",
        "mcp_bulkhead_refused_total{name=\"second\"} 0",
    ] {
        assert!(page.lines().any(|it| it == line), "{line} is not in\n{page}");
    }
    assert_eq!(page.matches("# TYPE mcp_bulkhead_available gauge").count(), 1);
}
