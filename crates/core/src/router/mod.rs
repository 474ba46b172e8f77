//! Which method goes where.

mod routes;

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

pub use routes::{RouteFuture, Routes};

use crate::codec::{Identity, ListHints};
use crate::error::Error;
use crate::health::HealthCheck;
use crate::protocol::{CacheScope, Implementation};
use crate::request::{Reply, Request};
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
    tools: ToolSet,
    page_size: Option<NonZeroUsize>,
    hints: ListHints,
    health: Option<Vec<Arc<dyn HealthCheck>>>,
    methods: Methods,
}

pub(crate) type MethodFuture = Pin<Box<dyn Future<Output = Result<Reply, Error>> + Send>>;
pub(crate) type Methods = HashMap<Box<str>, Arc<dyn Fn(Request) -> MethodFuture + Send + Sync>>;

impl Router {
    /// A server of that name and version that offers nothing yet.
    pub fn new(name: impl Into<String>, version: impl Into<String>) -> Self {
        Self {
            info: Implementation::new(name, version),
            instructions: None,
            tools: ToolSet::new(),
            page_size: None,
            hints: ListHints { ttl: DEFAULT_LIST_TTL, scope: CacheScope::Public },
            health: None,
            methods: HashMap::new(),
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
        self.tools = self.tools.with(tool);
        self
    }

    /// Adds a set of tools.
    ///
    /// # Panics
    ///
    /// Panics if a name is there already.
    #[must_use]
    pub fn tools(mut self, tools: ToolSet) -> Self {
        self.tools = self.tools.merge(tools);
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
        self.hints.ttl = ttl;
        self
    }

    /// Says who may share a kept list (`cacheScope`). Default: anyone.
    #[must_use]
    pub fn list_scope(mut self, scope: CacheScope) -> Self {
        self.hints.scope = scope;
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
        self.methods.insert(name.into(), Arc::new(move |request| Box::pin(run(request))));
        self
    }

    /// Settles what is offered.
    pub(crate) fn build(mut self) -> Routes {
        if let Some(checks) = self.health.take() {
            let facts = ServerFacts { tools: self.tools.len() + 2, resources: 0, prompts: 0 };
            self.tools = self
                .tools
                .with(HealthTool::new(&self.info, checks))
                .with(InfoTool::new(self.info.clone(), facts));
        }
        let identity = Identity::new(self.info, self.instructions);
        Routes::new(identity, self.tools, self.page_size, self.hints, self.methods)
    }
}

impl fmt::Debug for Router {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Router").field("info", &self.info).field("tools", &self.tools).finish_non_exhaustive()
    }
}
