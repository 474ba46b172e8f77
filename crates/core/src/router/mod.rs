//! Which method goes where.

mod capabilities;
mod future;
mod listen;
mod lists;
mod offered;
mod routes;

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

pub use future::RouteFuture;
pub(crate) use offered::Offered;
pub use routes::Routes;

use self::lists::ListSettings;
use self::routes::Offer;
use crate::codec::{CursorKey, Identity};
use crate::error::Error;
use crate::freshness::Freshness;
use crate::health::HealthCheck;
use crate::input::StateSeal;
use crate::prompt::{Prompt, PromptSet};
use crate::protocol::{CacheScope, Implementation};
use crate::registry::Registry;
use crate::request::{Reply, Request};
use crate::resource::{Resource, ResourceSet};
use crate::task::Tasks;
use crate::tool::{HealthTool, InfoTool, ServerFacts, Tool, ToolSet};

/// How long clients may keep lists, unless set otherwise.
const DEFAULT_LIST_TTL: Duration = Duration::from_secs(300);

/// Says what a server offers; [`Server::new`](crate::Server::new) makes a server of it.
///
/// ```
/// use towline_core::{Router, Server, tool_fn};
///
/// let ping = tool_fn("ping", "Answers.", async || "pong");
/// let server = Server::new(Router::new("example", "1.0.0").tool(ping));
/// ```
pub struct Router {
    info: Implementation,
    instructions: Option<String>,
    offer: Offer,
    page_size: Option<NonZeroUsize>,
    list_freshness: Freshness,
    health: Option<Vec<Arc<dyn HealthCheck>>>,
}

pub(crate) type MethodFuture = Pin<Box<dyn Future<Output = Result<Reply, Error>> + Send>>;
pub(crate) type Methods = HashMap<Box<str>, Arc<dyn Fn(Request) -> MethodFuture + Send + Sync>>;

impl Router {
    /// A server of that name and version that offers nothing yet.
    pub fn new(name: impl Into<String>, version: impl Into<String>) -> Self {
        Self {
            info: Implementation::new(name, version),
            instructions: None,
            offer: Offer::default(),
            page_size: None,
            list_freshness: Freshness { ttl: DEFAULT_LIST_TTL, scope: CacheScope::Public },
            health: None,
        }
    }

    /// Tells clients more of the server than its name and version.
    #[must_use]
    pub fn describe(mut self, change: impl FnOnce(&mut Implementation)) -> Self {
        change(&mut self.info);
        self
    }

    /// Tells models how to use the server.
    #[must_use]
    pub fn instructions(mut self, text: impl Into<String>) -> Self {
        self.instructions = Some(text.into());
        self
    }

    /// Adds one tool.
    ///
    /// # Panics
    ///
    /// Panics where [`ToolSet::try_with`] fails.
    #[must_use]
    pub fn tool(mut self, tool: impl Tool) -> Self {
        self.offer.tools = self.offer.tools.with(tool);
        self
    }

    /// Adds a set of tools.
    ///
    /// # Panics
    ///
    /// Panics if a name is there already.
    #[must_use]
    pub fn tools(mut self, tools: ToolSet) -> Self {
        self.offer.tools = self.offer.tools.merge(tools);
        self
    }

    /// Adds one resource, or a template of resources.
    ///
    /// # Panics
    ///
    /// Panics where [`ResourceSet::try_with`] fails.
    #[must_use]
    pub fn resource(mut self, resource: impl Resource) -> Self {
        self.offer.resources = self.offer.resources.with(resource);
        self
    }

    /// Adds a set of resources.
    ///
    /// # Panics
    ///
    /// Panics if a URI or a template is there already.
    #[must_use]
    pub fn resources(mut self, resources: ResourceSet) -> Self {
        self.offer.resources = self.offer.resources.merge(resources);
        self
    }

    /// Adds one prompt.
    ///
    /// # Panics
    ///
    /// Panics where [`PromptSet::try_with`] fails.
    #[must_use]
    pub fn prompt(mut self, prompt: impl Prompt) -> Self {
        self.offer.prompts = self.offer.prompts.with(prompt);
        self
    }

    /// Adds a set of prompts.
    ///
    /// # Panics
    ///
    /// Panics if a name is there already.
    #[must_use]
    pub fn prompts(mut self, prompts: PromptSet) -> Self {
        self.offer.prompts = self.offer.prompts.merge(prompts);
        self
    }

    /// Adds the tools `health_check` and `server_info`. The first tells how `checks` are.
    #[must_use]
    pub fn health(mut self, checks: impl IntoIterator<Item = Arc<dyn HealthCheck>>) -> Self {
        self.health.get_or_insert_default().extend(checks);
        self
    }

    /// Gives lists in pages of that many entries. Default: all in one.
    #[must_use]
    pub fn page_size(mut self, entries: NonZeroUsize) -> Self {
        self.page_size = Some(entries);
        self
    }

    /// Says how long a client may keep a list (`ttlMs`). Default: 5 minutes.
    #[must_use]
    pub fn list_ttl(mut self, ttl: Duration) -> Self {
        self.list_freshness.ttl = ttl;
        self
    }

    /// Says who may share a kept list (`cacheScope`). Default: anyone.
    #[must_use]
    pub fn list_scope(mut self, scope: CacheScope) -> Self {
        self.list_freshness.scope = scope;
        self
    }

    /// Answers a method that the protocol does not define. It is there in every revision.
    ///
    /// A method that the protocol defines keeps its own meaning, whatever is set here.
    #[must_use]
    pub fn method<F, Fut>(mut self, name: impl Into<Box<str>>, run: F) -> Self
    where
        F: Fn(Request) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Reply, Error>> + Send + 'static,
    {
        self.offer.methods.insert(name.into(), Arc::new(move |request| Box::pin(run(request))));
        self
    }

    /// Lets what is offered change while the server runs: what this gives adds and removes tools, resources and prompts, and
    /// tells clients what has changed. Clients then learn that they can be told.
    pub fn registry(&mut self) -> Registry {
        self.offer.registry.get_or_insert_default().clone()
    }

    /// Takes over what a server before this one could change: its registry, so that clients who were told of changes go on
    /// being told. What this router offers is then offered by both.
    #[must_use]
    pub fn with_registry(mut self, registry: &Registry) -> Self {
        self.offer.registry = Some(registry.clone());
        self
    }

    /// Says how the state of requests that wait for input is sealed. Default: by a key that only this process has.
    #[must_use]
    pub fn state_seal(mut self, seal: StateSeal) -> Self {
        self.offer.seal = Some(seal);
        self
    }

    /// Answers requests about tasks (`tasks/get` and others), and tells clients that it does.
    #[must_use]
    pub fn tasks(mut self, tasks: &Tasks) -> Self {
        self.offer.tasks = Some(tasks.clone());
        self
    }

    /// Declares an extension of the protocol, by its identifier, such as `io.modelcontextprotocol/skills`. Its methods are
    /// added with [`method`](Self::method).
    ///
    /// `settings` is what the extension defines, often nothing. Clients of revisions before 2026-07-28 are not told.
    #[must_use]
    pub fn extension(mut self, identifier: impl Into<Box<str>>, settings: Map<String, Value>) -> Self {
        self.offer.extensions.insert(identifier.into(), settings);
        self
    }

    /// Settles what is offered.
    pub(crate) fn build(mut self) -> Routes {
        if let Some(checks) = self.health.take() {
            let Offer { tools, resources, prompts, .. } = &mut self.offer;
            let facts =
                ServerFacts { tools: tools.len() + 2, resources: resources.len(), prompts: prompts.len() };
            *tools = std::mem::take(tools)
                .with(HealthTool::new(&self.info, checks))
                .with(InfoTool::new(self.info.clone(), facts));
        }
        let named = [self.info.name.as_bytes(), self.info.version.as_bytes()];
        let cursor_key = self.offer.seal.as_ref().map_or_else(|| CursorKey::of(named), StateSeal::cursor_key);
        let lists = ListSettings { page_size: self.page_size, freshness: self.list_freshness, cursor_key };
        Routes::new(Identity::new(self.info, self.instructions), self.offer, lists)
    }
}

impl fmt::Debug for Router {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Router").field("info", &self.info).finish_non_exhaustive()
    }
}
