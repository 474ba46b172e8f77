//! Answers again what a read-only tool has answered.
//!
//! An answer is kept under what it depends on: the tool, its arguments whatever their order and spacing, and the
//! caller. It is fresh for a while, may be of use for a while longer (to answer at once while it is refreshed, or in
//! place of a failure), and says of itself how old it is.
//!
//! Callers who ask for the same at the same time wait for one load. It runs in a task of its own, so it goes on when
//! the caller that began it goes away.
//!
//! Only complete answers of calls that [change nothing](Operation::is_read_only) are kept: never an error, a result
//! with `isError`, a request for input, the answer to a call that brings such input, or what a tool calls
//! [volatile](ToolResult::volatile). Calls that cannot be cached pass as if the layer was not there.

mod counts;
mod flight;
mod future;
mod key;
mod policy;
mod shared;
mod size;
mod store;

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use tokio::sync::oneshot;
use tokio::time::Instant;
use tower::util::Oneshot;
use tower::{Layer, Service};
use towline_core::{Error, ErrorKind, Failure, Operation, ToolResult};
use tracing::Instrument;

pub use counts::{CacheStats, CachedToolStats};
pub use policy::{CacheConfig, CachePolicy, CacheScope};
pub use store::CacheStore;

use counts::Answered;
use flight::{Id, Joined, Load};
use future::{Fallback, ResponseFuture, State};
use shared::Shared;
use store::{CachedTool, Entry};

/// Keeps the answers of a tool, and gives them again.
///
/// It belongs around everything that does the work (retries, circuit breaker, timeout of one attempt), and inside of
/// everything that says whether a caller may have an answer at all. For a load it calls what it wraps in a task, and
/// replaces the call's deadline by that of its policy.
#[derive(Clone, Debug)]
pub struct CacheLayer {
    policy: Arc<CachePolicy>,
    store: Option<CacheStore>,
    /// The number of the service, if it is known.
    service: Option<u64>,
}

impl CacheLayer {
    /// Each service that the layer is put around gets a store of its own, with the default bounds.
    ///
    /// # Panics
    ///
    /// Panics if `policy` is not [valid](CachePolicy::validate).
    pub fn new(policy: CachePolicy) -> Self {
        Self::with(policy, None)
    }

    /// The answers of all services that the layer is put around are kept in `store`, within its bounds.
    ///
    /// # Panics
    ///
    /// Panics if `policy` is not [valid](CachePolicy::validate).
    pub fn shared(store: CacheStore, policy: CachePolicy) -> Self {
        Self::with(policy, Some(store))
    }

    fn with(policy: CachePolicy, store: Option<CacheStore>) -> Self {
        if let Err(error) = policy.validate() {
            panic!("{error}");
        }
        Self { policy: Arc::new(policy), store, service: None }
    }

    /// Keeps answers as the service of that number, also those that it has kept before.
    pub(crate) fn of_service(self, service: u64) -> Self {
        Self { service: Some(service), ..self }
    }
}

impl<S> Layer<S> for CacheLayer {
    type Service = Cache<S>;

    fn layer(&self, inner: S) -> Self::Service {
        let store = self.store.clone().unwrap_or_default();
        let tags = self.policy.tags.iter().map(|tag| store.tag(tag)).collect();
        let shared = Shared {
            policy: Arc::clone(&self.policy),
            id: self.service.unwrap_or_else(|| store.next_service()),
            tool: OnceLock::new(),
            tags,
            flights: Arc::default(),
            store,
        };
        Cache { inner, shared: Arc::new(shared) }
    }
}

/// Answers from a cache what it can. [`CacheLayer`] makes it.
#[derive(Clone)]
pub struct Cache<S> {
    inner: S,
    shared: Arc<Shared>,
}

impl<S, Req> Service<Req> for Cache<S>
where
    S: Service<Req, Response = ToolResult> + Clone + Send + 'static,
    S::Error: From<Error> + Failure + Send + 'static,
    S::Future: Send,
    Req: Operation + Send + 'static,
{
    type Response = ToolResult;
    type Error = S::Error;
    type Future = ResponseFuture<S, Req>;

    /// Always ready: an answer from the cache needs nothing of the service. A call that does waits for it then.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, req: Req) -> Self::Future {
        let tool = self.shared.tool(req.name());
        let state = self.answer(req, &tool);
        ResponseFuture::new(tool, state)
    }
}

impl<S> Cache<S> {
    fn answer<Req>(&self, req: Req, tool: &Arc<CachedTool>) -> State<S, Req>
    where
        S: Service<Req, Response = ToolResult> + Clone + Send + 'static,
        S::Error: From<Error> + Failure + Send + 'static,
        S::Future: Send,
        Req: Operation + Send + 'static,
    {
        let Shared { policy, store, .. } = &*self.shared;
        let Some(key) = self.shared.key(&req) else { return self.bypass(req, tool) };
        let generation = store.generation(tool, &self.shared.tags);
        let now = Instant::now();
        let kept = store.get(&key, generation);
        if let Some(entry) = &kept {
            let age = entry.age(now);
            if age < entry.fresh_for {
                return answered(entry, now, Answered::Hit, tool);
            }
            if age < entry.fresh_for + policy.stale_while_revalidate {
                if let Some(load) = self.shared.flights.begin((key.into(), generation), policy) {
                    self.refresh(req, load, tool);
                }
                return answered(entry, now, Answered::Stale, tool);
            }
        }
        let fallback = kept.map(|entry| {
            let until = entry.stored_at + entry.fresh_for + policy.stale_if_error;
            Fallback::new(entry, until, req.context().deadline())
        });

        let id: Id = (key.into(), generation);
        let arrived = || store.get(&id.0, generation).filter(|entry| entry.age(now) < entry.fresh_for);
        match self.shared.flights.join(id.clone(), policy, arrived) {
            Joined::First(load) => self.load(req, load, tool, fallback),
            Joined::Waiting(receiver) => {
                State::Waiting { receiver, own: Some((self.inner.clone(), req)), fallback }
            }
            Joined::Arrived(entry) => answered(&entry, now, Answered::Hit, tool),
            Joined::Busy => self.bypass(req, tool),
            Joined::Crowded => {
                let old = fallback.and_then(|fallback| fallback.answer(ErrorKind::Overloaded, tool));
                State::Answered { answer: Some(old.ok_or_else(|| crowded(tool))) }
            }
        }
    }
}

impl<S> Cache<S> {
    fn bypass<Req>(&self, req: Req, tool: &CachedTool) -> State<S, Req>
    where
        S: Service<Req> + Clone,
    {
        tool.counts.add(Answered::Bypass);
        State::Bypassed { inner: Oneshot::new(self.inner.clone(), req) }
    }

    /// Calls the service in a task, for this caller and those who join it.
    fn load<Req>(
        &self,
        req: Req,
        load: Load,
        tool: &Arc<CachedTool>,
        fallback: Option<Fallback>,
    ) -> State<S, Req>
    where
        S: Service<Req, Response = ToolResult> + Clone + Send + 'static,
        S::Error: From<Error> + Failure + Send + 'static,
        S::Future: Send,
        Req: Operation + Send + 'static,
    {
        let (sender, receiver) = oneshot::channel();
        let (inner, shared, tool) = (self.inner.clone(), Arc::clone(&self.shared), Arc::clone(tool));
        let work = async move {
            // A caller that is gone has asked for others as well.
            let _ = sender.send(shared.load(inner, req, load, &tool).await);
        };
        tokio::spawn(work.in_current_span());
        State::Loading { receiver, fallback }
    }

    /// Calls the service in a task, for callers to come.
    fn refresh<Req>(&self, req: Req, load: Load, tool: &Arc<CachedTool>)
    where
        S: Service<Req, Response = ToolResult> + Clone + Send + 'static,
        S::Error: From<Error> + Failure + Send + 'static,
        S::Future: Send,
        Req: Operation + Send + 'static,
    {
        let (inner, shared, tool) = (self.inner.clone(), Arc::clone(&self.shared), Arc::clone(tool));
        let work = async move {
            if let Err(error) = shared.load(inner, req, load, &tool).await {
                let kind = error.kind().name();
                tracing::warn!(tool = &*tool.name, kind, "a stale answer could not be refreshed");
            }
        };
        tokio::spawn(work.in_current_span());
    }
}

fn answered<S: Service<Req>, Req>(
    entry: &Entry,
    now: Instant,
    how: Answered,
    tool: &CachedTool,
) -> State<S, Req> {
    tool.counts.add(how);
    State::Answered { answer: Some(Ok(entry.answer(now, matches!(how, Answered::Stale)))) }
}

fn crowded(tool: &CachedTool) -> Error {
    tracing::warn!(tool = &*tool.name, "too many callers wait for one answer");
    tool.counts.add(Answered::Miss);
    let message = "Too many callers already wait for the answer to the same call. Try again shortly.";
    Error::new(ErrorKind::Overloaded, message)
}

impl<S> fmt::Debug for Cache<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache")
            .field("policy", &self.shared.policy)
            .field("store", &self.shared.store)
            .finish_non_exhaustive()
    }
}
