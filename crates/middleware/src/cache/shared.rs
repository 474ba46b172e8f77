//! What the clones of a service share, and how an answer comes into the store.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock};

use tokio::runtime::Handle;
use tokio::time::{Instant, timeout_at};
use tower::Service;
use tower::util::Oneshot;
use towline_core::{AnswerKind, Error, ErrorKind, Failure, Operation, ToolResult};

use super::flight::{Flights, Id, Load, Told};
use super::policy::CachePolicy;
use super::store::{CacheStore, CachedTool, Entry};
use super::{key, size};

/// What the clones of a service share.
pub(super) struct Shared {
    pub(super) policy: Arc<CachePolicy>,
    pub(super) store: CacheStore,
    /// Tells the service's answers in the store from those of others.
    pub(super) id: u64,
    /// The tool, as the first call names it: a service is one tool's, as a rule.
    pub(super) tool: OnceLock<Arc<CachedTool>>,
    pub(super) tags: Vec<Arc<AtomicU64>>,
    pub(super) flights: Arc<Flights>,
}

impl Shared {
    /// The tool of that name, or what stands for it.
    pub(super) fn tool(&self, name: &str) -> Arc<CachedTool> {
        let tool = self.tool.get_or_init(|| self.store.tool(name));
        if &*tool.name == name { Arc::clone(tool) } else { self.store.tool(name) }
    }

    /// The key of the answer to a call, if it may be cached.
    pub(super) fn key(&self, req: &impl Operation) -> Option<Vec<u8>> {
        let brings_input = req.context().brings_input();
        // Without a runtime there is nothing to run a load on.
        if !req.is_read_only() || brings_input || Handle::try_current().is_err() {
            return None;
        }
        key::of(self.id, self.policy.scope, req).filter(|key| key.len() <= self.policy.max_entry_bytes)
    }

    /// Calls the service, keeps what it answers, and tells those who wait.
    pub(super) async fn load<S, Req>(
        &self,
        inner: S,
        mut req: Req,
        load: Load,
        tool: &CachedTool,
    ) -> Result<ToolResult, S::Error>
    where
        S: Service<Req, Response = ToolResult>,
        S::Error: From<Error> + Failure,
        Req: Operation,
    {
        let timeout = self.policy.load_timeout;
        let deadline = Instant::now() + timeout;
        req.context_mut().replace_deadline(deadline);
        let answer = timeout_at(deadline, Oneshot::new(inner, req)).await.unwrap_or_else(|_| {
            let message = format!("There was no answer within {timeout:?}.");
            Err(Error::new(ErrorKind::Timeout, message).into())
        });
        let told = match &answer {
            Ok(result) => {
                self.keep(result, load.id(), tool);
                Told::of(result)
            }
            Err(error) => Told::of_error(error),
        };
        load.done(told);
        answer
    }

    /// Keeps an answer that may be given again, unless it was forgotten while it was under way.
    fn keep(&self, result: &ToolResult, (key, generation): &Id, tool: &CachedTool) {
        let bytes = key.len() + size::of(result);
        let is_current = self.store.generation(tool, &self.tags) == *generation;
        let is_lasting = result.kind() == AnswerKind::Complete && !result.is_volatile();
        if !is_lasting || !is_current || bytes > self.policy.max_entry_bytes {
            return;
        }
        let fresh_for = self.policy.fresh_for();
        let entry = Entry {
            result: result.clone(),
            stored_at: Instant::now(),
            fresh_for,
            keep: self.policy.keep(fresh_for),
            generation: *generation,
            bytes: bytes + size::OVERHEAD,
        };
        self.store.insert(Arc::clone(key), Arc::new(entry));
    }
}
