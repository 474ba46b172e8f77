//! The cache around services, tools and servers, on a clock that stands still until a test moves it.

mod answers;
mod loads;
mod server;
mod stale;
mod store;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use serde_json::Value;
use tower::{Layer, Service, ServiceExt};
use towline_core::{Context, Error, Principal, RawJson, ToolCall, ToolResult};
use towline_middleware::{Cache, CacheLayer, CachePolicy, CacheStore};

const SECOND: Duration = Duration::from_secs(1);

/// What answers the calls that the cache does not: it counts them, takes its time, and does as the test says.
#[derive(Clone)]
struct Upstream {
    calls: Arc<AtomicUsize>,
    takes: Duration,
    run: Arc<Run>,
}

type Run = dyn Fn(usize, &ToolCall) -> Result<ToolResult, Error> + Send + Sync;

impl Upstream {
    /// It answers with the number of the call.
    fn new() -> Self {
        Self::with(|n, _| Ok(ToolResult::text(n.to_string())))
    }

    fn with(run: impl Fn(usize, &ToolCall) -> Result<ToolResult, Error> + Send + Sync + 'static) -> Self {
        Self { calls: Arc::default(), takes: Duration::ZERO, run: Arc::new(run) }
    }

    fn taking(self, takes: Duration) -> Self {
        Self { takes, ..self }
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

impl Service<ToolCall> for Upstream {
    type Response = ToolResult;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<ToolResult, Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut TaskContext<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, call: ToolCall) -> Self::Future {
        let n = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        let (run, takes) = (Arc::clone(&self.run), self.takes);
        Box::pin(async move {
            if !takes.is_zero() {
                tokio::time::sleep(takes).await;
            }
            run(n, &call)
        })
    }
}

/// Answers are fresh for exactly that long.
fn policy(ttl: Duration) -> CachePolicy {
    let mut policy = CachePolicy::new(ttl);
    policy.jitter = 0.0;
    policy
}

fn cached(upstream: &Upstream, policy: CachePolicy) -> Cache<Upstream> {
    CacheLayer::new(policy).layer(upstream.clone())
}

fn cached_in(store: &CacheStore, upstream: &Upstream, policy: CachePolicy) -> Cache<Upstream> {
    CacheLayer::shared(store.clone(), policy).layer(upstream.clone())
}

fn call_of(tool: &str, arguments: &str, principal: Option<&str>) -> ToolCall {
    let mut context = Context::default();
    if let Some(id) = principal {
        context.extensions_mut().insert(Principal::new(id));
    }
    ToolCall::new(tool, RawJson::from_text(arguments.to_owned()).unwrap(), context).with_read_only(true)
}

fn call(arguments: &str) -> ToolCall {
    call_of("search", arguments, None)
}

async fn ask(service: &Cache<Upstream>, call: ToolCall) -> Result<ToolResult, Error> {
    service.clone().oneshot(call).await
}

/// The answer's text, and what it says of the cache.
async fn answer(service: &Cache<Upstream>, call: ToolCall) -> (String, Option<Value>) {
    let result = ask(service, call).await.unwrap();
    (text(&result), cache_meta(&result))
}

fn text(result: &ToolResult) -> String {
    result.first_text().unwrap().to_owned()
}

fn cache_meta(result: &ToolResult) -> Option<Value> {
    result.meta().and_then(|meta| meta.get("dev.towline/cache")).cloned()
}

/// Lets the tasks that are under way do what they can without time passing.
async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

/// An answer that asks for input.
fn question() -> ToolResult {
    let mut input = call("{}").into_input();
    input.set_state(&"secret");
    input.ask().unwrap()
}
