//! The server: tools that do little, and timeouts so short that what clients leave behind expires while one looks on.

use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tikv_jemalloc_ctl::{epoch, stats};
use tokio::time::sleep;
use towline::http::{HttpServer, HttpService, SessionLimits};
use towline::{Context, Error, FixedResource, Json, Router, Server, tool_fn};

/// What subscriptions watch.
pub(crate) const WATCHED: &str = "soak://clock";
/// How many reports a call of `progress` makes.
pub(crate) const STEPS: u32 = 5;

const SHORT: Duration = Duration::from_secs(3);
/// A client of a busy machine may be silent for some seconds, and its session is to be there when it goes on.
const LONGER: Duration = Duration::from_secs(6);
const MANY: NonZeroUsize = NonZeroUsize::new(100_000).expect("not zero");

#[derive(Deserialize, JsonSchema)]
struct Terms {
    a: u64,
    b: u64,
}

#[derive(Serialize, JsonSchema)]
struct Sum {
    sum: u64,
}

#[derive(Deserialize, JsonSchema)]
struct Nothing {}

/// What goes on in the server.
#[derive(Clone, Copy, Deserialize, JsonSchema, Serialize)]
pub(crate) struct Gauges {
    /// Calls that run long.
    pub(crate) running: usize,
    /// What the allocator has given out, with what threads keep for their next allocations.
    pub(crate) heap_kib: usize,
}

/// Keeps connections on which nothing is asked for `idle`, or for a short time.
pub(crate) async fn serve(address: SocketAddr, idle: Option<Duration>) -> io::Result<()> {
    let running = Arc::<AtomicUsize>::default();
    let (of_slow, of_feed, counted) = (Arc::clone(&running), Arc::clone(&running), running);
    let mut router = Router::new("soak", "1.0.0")
        .tool(tool_fn("add", "Adds.", async |Terms { a, b }: Terms| Json(Sum { sum: a + b })))
        .tool(tool_fn("progress", "Reports, and answers.", async |_: Nothing, context: Context| {
            for step in 1..=STEPS {
                context.progress(step.into(), Some(STEPS.into()), None).await;
                sleep(Duration::from_millis(5)).await;
            }
            "done"
        }))
        .tool(tool_fn("slow", "Takes ten minutes.", move |_: Nothing| {
            let running = Running::count(&of_slow);
            async move {
                sleep(Duration::from_secs(600)).await;
                drop(running);
                "slept"
            }
        }))
        .tool(tool_fn("feed", "Reports until nobody listens.", move |_: Nothing, context: Context| {
            let running = Running::count(&of_feed);
            async move {
                let text = "x".repeat(8 * 1024);
                for step in 0..u32::MAX {
                    context.progress(step.into(), None, Some(&text)).await;
                    tokio::task::yield_now().await;
                }
                drop(running);
                "fed"
            }
        }))
        .tool(tool_fn("gauges", "Tells what is going on.", move |_: Nothing| {
            let running = counted.load(Ordering::SeqCst);
            async move { Ok::<_, Error>(Json(Gauges { running, heap_kib: heap_kib()? })) }
        }))
        .resource(FixedResource::text(WATCHED, "clock", "text/plain", "it ticks"));
    let registry = router.registry();
    tokio::spawn(async move {
        loop {
            sleep(Duration::from_millis(500)).await;
            registry.resource_updated(WATCHED);
        }
    });
    let service = HttpService::new(Server::new(router))
        .max_in_flight(MANY)
        .keep_alive(Duration::from_secs(1))
        .sessions(SessionLimits::new().idle(LONGER));
    HttpServer::from(service)
        .max_connections(MANY)
        .header_timeout(SHORT)
        .idle_timeout(idle.unwrap_or(SHORT))
        .write_timeout(SHORT)
        .serve(address)
        .await
}

fn heap_kib() -> Result<usize, Error> {
    let bytes = epoch::advance().and_then(|_| stats::allocated::read());
    Ok(bytes.map_err(|error| Error::internal(error.to_string()))? / 1024)
}

/// A long call.
struct Running(Arc<AtomicUsize>);

impl Running {
    fn count(running: &Arc<AtomicUsize>) -> Self {
        running.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(running))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
