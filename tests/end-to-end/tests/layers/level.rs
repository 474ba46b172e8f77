//! Where a layer is put.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use tower::buffer::BufferLayer;
use tower::util::BoxCloneSyncService;
use tower::{Layer, Service};
use towline::postgres::{DatabaseConfig, Pool};
use towline::{
    Error, ErrorKind, RawJson, Reply, Request, Router, Routes, Server, ToolCall, ToolExt, ToolResult,
    ToolService, ToolSet, postgres, tool_fn,
};

/// Around what a layer is put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    Server,
    Set,
    Tool,
    /// A tool from a pack.
    Packed,
}

impl Level {
    pub(crate) const ALL: [Self; 4] = [Self::Server, Self::Set, Self::Tool, Self::Packed];

    /// The tool that is called.
    pub(crate) fn tool(self) -> &'static str {
        match self {
            Self::Packed => "list_tables",
            _ => "work",
        }
    }
}

pub(crate) type BoxedServer = BoxCloneSyncService<Request, Reply, Error>;

/// A server with the layer around its place.
pub(crate) fn server<L, T, R>(level: Level, work: &Work, layer: L) -> BoxedServer
where
    L: Layer<ToolService, Service = T> + Layer<Routes, Service = R>,
    T: Service<ToolCall, Response = ToolResult, Error: Into<Error>, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static,
    R: Service<Request, Response = Reply, Error: Into<Error>, Future: Send> + Clone + Send + Sync + 'static,
    R::Future: 'static,
{
    let down = async || Err::<String, _>(Error::new(ErrorKind::Unavailable, "The upstream is down."));
    let tool = || tool_fn("work", "Works.", down).read_only().layer(work.clone());
    let router = Router::new("test", "1");
    match level {
        Level::Server => BoxCloneSyncService::new(Server::new(router.tool(tool())).layer(layer)),
        Level::Set => boxed(router.tools(ToolSet::new().with(tool()).layer(layer))),
        Level::Tool => boxed(router.tool(tool().layer(layer))),
        Level::Packed => boxed(router.tools(packed(work).layer(layer))),
    }
}

/// A server with tower's `Buffer` at its place. The layer's type names the request, so it has a builder of its own.
pub(crate) fn buffered(level: Level, work: &Work) -> BoxedServer {
    let tool = tool_fn("work", "Works.", async || "done").read_only().layer(work.clone());
    let router = Router::new("test", "1");
    match level {
        Level::Server => BoxCloneSyncService::new(Server::new(router.tool(tool)).layer(BufferLayer::new(16))),
        Level::Set => boxed(router.tools(ToolSet::new().with(tool).layer(BufferLayer::new(16)))),
        Level::Tool => boxed(router.tool(tool.layer(BufferLayer::new(16)))),
        Level::Packed => boxed(router.tools(packed(work).layer(BufferLayer::new(16)))),
    }
}

fn boxed(router: Router) -> BoxedServer {
    BoxCloneSyncService::new(Server::new(router))
}

/// Tools of the PostgreSQL pack, on a database that is down.
fn packed(work: &Work) -> ToolSet {
    let pool = Pool::new(DatabaseConfig::new("postgres://nobody@127.0.0.1:1/none")).expect("a good URL");
    postgres::tools([pool]).layer(work.clone())
}

/// What stands in front of a tool that always fails: it takes its time, and lets calls through to the tool only when
/// they are to fail. It knows what has become of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Work(Arc<State>);

#[derive(Debug, Default)]
struct State {
    takes: Mutex<Duration>,
    fails: AtomicBool,
    running: AtomicUsize,
    most: AtomicUsize,
    calls: AtomicUsize,
}

impl Work {
    pub(crate) fn takes(self, time: Duration) -> Self {
        self.set_time(time);
        self
    }

    pub(crate) fn set_time(&self, time: Duration) {
        *self.0.takes.lock().expect("nobody panics") = time;
    }

    pub(crate) fn set_failing(&self, fails: bool) {
        self.0.fails.store(fails, Ordering::SeqCst);
    }

    /// How many run now.
    pub(crate) fn running(&self) -> usize {
        self.0.running.load(Ordering::SeqCst)
    }

    /// How many ran at once, at most.
    pub(crate) fn most(&self) -> usize {
        self.0.most.load(Ordering::SeqCst)
    }

    /// How many were begun.
    pub(crate) fn calls(&self) -> usize {
        self.0.calls.load(Ordering::SeqCst)
    }

    async fn run(self, mut tool: ToolService, call: ToolCall) -> Result<ToolResult, Error> {
        struct Running(Work);
        impl Drop for Running {
            fn drop(&mut self) {
                self.0.0.running.fetch_sub(1, Ordering::SeqCst);
            }
        }
        let now = self.0.running.fetch_add(1, Ordering::SeqCst) + 1;
        let _running = Running(self.clone());
        self.0.most.fetch_max(now, Ordering::SeqCst);
        self.0.calls.fetch_add(1, Ordering::SeqCst);
        let time = *self.0.takes.lock().expect("nobody panics");
        if !time.is_zero() {
            tokio::time::sleep(time).await;
        }
        if self.0.fails.load(Ordering::SeqCst) {
            return tool.call(call).await;
        }
        // What the schema of the pack's tool promises.
        let empty = RawJson::from_value(&serde_json::json!({"tables": [], "total": 0}))?;
        Ok(ToolResult::text("done").with_structured(empty))
    }
}

impl Layer<ToolService> for Work {
    type Service = Working;

    fn layer(&self, tool: ToolService) -> Working {
        Working { tool, work: self.clone() }
    }
}

/// Does [`Work`].
#[derive(Clone)]
pub(crate) struct Working {
    tool: ToolService,
    work: Work,
}

impl Service<ToolCall> for Working {
    type Response = ToolResult;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<ToolResult, Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, call: ToolCall) -> Self::Future {
        Box::pin(self.work.clone().run(self.tool.clone(), call))
    }
}
