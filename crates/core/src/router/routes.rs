//! What a server offers, settled: each method's answer, and what never changes of it already written.

use std::fmt;
use std::future::Future;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context as TaskContext, Poll};

use bytestring::ByteString;
use pin_project_lite::pin_project;
use serde::Serialize;
use serde_json::{Map, Value};
use tower::Service;

use super::{MethodFuture, Methods};
use crate::codec::{self, Cursor, Identity, ListHints};
use crate::error::{Error, ErrorKind};
use crate::protocol::{Implementation, ProtocolVersion};
use crate::request::{Reply, Request};
use crate::tool::{ToolSet, set::CallFuture};

/// A server's routes, as a tower service. A clone is a refcount.
#[derive(Clone)]
pub struct Routes(Arc<Inner>);

struct Inner {
    identity: Identity,
    tools: Arc<ToolSet>,
    page_size: Option<NonZeroUsize>,
    hints: ListHints,
    methods: Methods,
    capabilities: Capabilities,
    discovery: Reply,
    digest: u64,
    /// The pages of `tools/list` in each revision, written when first asked for.
    pages: [OnceLock<Vec<Reply>>; ProtocolVersion::ALL.len()],
}

/// What the server can do, as it tells modern and older clients.
#[derive(Clone, Default, Serialize)]
struct Capabilities {
    #[serde(skip_serializing_if = "Option::is_none")]
    tools: Option<Map<String, Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    logging: Option<Map<String, Value>>,
}

impl Routes {
    pub(super) fn new(
        identity: Identity,
        tools: ToolSet,
        page_size: Option<NonZeroUsize>,
        hints: ListHints,
        methods: Methods,
    ) -> Self {
        let tools_capability = (!tools.is_empty()).then(Map::new);
        // Older clients set the level of log messages for a whole session; these servers have none.
        let capabilities = Capabilities { tools: tools_capability, logging: None };
        let modern = Capabilities { logging: Some(Map::new()), ..capabilities.clone() };
        let discovery = codec::discovery(&identity, &modern, hints);
        // Equal on every replica of one build, so a cursor of one is good for another.
        let mut hasher = DefaultHasher::new();
        tools.definitions().for_each(|definition| definition.name.hash(&mut hasher));
        let digest = hasher.finish();
        let pages = Default::default();
        let tools = Arc::new(tools);
        Self(Arc::new(Inner {
            identity,
            tools,
            page_size,
            hints,
            methods,
            capabilities,
            discovery,
            digest,
            pages,
        }))
    }

    /// What the server says of itself.
    pub fn info(&self) -> &Implementation {
        self.0.identity.info()
    }

    /// The tools that it offers.
    pub fn tools(&self) -> &ToolSet {
        &self.0.tools
    }

    fn route(&self, request: Request) -> Result<State, Error> {
        let version = request.context.version();
        let inner = &self.0;
        match (&*request.method, version.is_modern()) {
            ("tools/call", _) if !inner.tools.is_empty() => self.call_tool(request),
            ("tools/list", _) if !inner.tools.is_empty() => inner.list_tools(&request).map(State::ready),
            ("server/discover", true) => Ok(State::ready(inner.discovery.clone())),
            ("initialize", false) => {
                Ok(State::ready(codec::initialization(&inner.identity, &inner.capabilities, version)))
            }
            ("ping", false) => Reply::new(&Map::new(), version).map(State::ready),
            (method, _) => match inner.methods.get(method) {
                Some(run) => Ok(State::Method { future: run(request) }),
                None => Err(not_found(method)),
            },
        }
    }

    fn call_tool(&self, request: Request) -> Result<State, Error> {
        let Some(name) = &request.params.subject else {
            return Err(Error::invalid_params("`name` is missing: the name of a tool, as text"));
        };
        let version = request.context.version();
        let future = self.0.tools.call(name, request.params.arguments, request.context)?;
        Ok(State::Tool { future, version, server_meta: self.0.identity.meta().clone() })
    }
}

impl Inner {
    fn list_tools(&self, request: &Request) -> Result<Reply, Error> {
        let version = request.context.version();
        let pages = self.pages[version.index()].get_or_init(|| {
            let meta = self.identity.meta();
            codec::tool_pages(
                self.tools.definitions(),
                self.page_size,
                self.digest,
                self.hints,
                meta,
                version,
            )
        });
        let asked = request.context.meta();
        let page = match asked.written(asked.places.cursor) {
            None | Some("null") => Some(0),
            Some(cursor) => serde_json::from_str::<String>(cursor)
                .ok()
                .and_then(|text| Cursor::decode(&text))
                .filter(|cursor| cursor.digest == self.digest)
                .and_then(|cursor| usize::try_from(cursor.page).ok()),
        };
        let reply = page.and_then(|page| pages.get(page));
        reply
            .cloned()
            .ok_or_else(|| Error::invalid_params("unknown cursor: begin the list anew, without one"))
    }
}

impl fmt::Debug for Routes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Routes")
            .field("info", self.info())
            .field("tools", &self.0.tools)
            .finish_non_exhaustive()
    }
}

impl Service<Request> for Routes {
    type Response = Reply;
    type Error = Error;
    type Future = RouteFuture;

    fn poll_ready(&mut self, _: &mut TaskContext<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> RouteFuture {
        // A tool's code may run, and panic, before its future is first polled.
        let state = catch_unwind(AssertUnwindSafe(|| self.route(request)))
            .unwrap_or_else(|panic| Err(panicked(&*panic)))
            .unwrap_or_else(|error| State::Ready { answer: Some(Err(error)) });
        RouteFuture { state }
    }
}

pin_project! {
    /// The future of [`Routes`]. A panic in it becomes an error: the server goes on.
    pub struct RouteFuture { #[pin] state: State }
}

impl fmt::Debug for RouteFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RouteFuture")
    }
}

pin_project! {
    #[project = Projected]
    enum State {
        Ready { answer: Option<Result<Reply, Error>> },
        Tool { future: CallFuture, version: ProtocolVersion, server_meta: ByteString },
        Method { future: MethodFuture },
    }
}

impl State {
    fn ready(reply: Reply) -> Self {
        Self::Ready { answer: Some(Ok(reply)) }
    }
}

impl Future for RouteFuture {
    type Output = Result<Reply, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            Projected::Ready { answer } => {
                Poll::Ready(answer.take().expect("a future is not polled after its end"))
            }
            Projected::Method { future } => poll_guarded(future.as_mut(), cx),
            Projected::Tool { future, version, server_meta } => {
                poll_guarded(future.as_mut(), cx).map(|answer| match answer {
                    Ok(result) => Ok(codec::encode_tool_result(&result, server_meta, *version)),
                    // The protocol has an error of its own for this one, wherever it is raised.
                    Err(error) if error.kind() == ErrorKind::MissingCapability => Err(error),
                    Err(error) => Err(error.in_tool(server_meta.clone())),
                })
            }
        }
    }
}

fn poll_guarded<T>(
    future: Pin<&mut (dyn Future<Output = Result<T, Error>> + Send)>,
    cx: &mut TaskContext<'_>,
) -> Poll<Result<T, Error>> {
    // Nothing of the future is used after a panic: it is dropped with the request.
    catch_unwind(AssertUnwindSafe(|| future.poll(cx)))
        .unwrap_or_else(|panic| Poll::Ready(Err(panicked(&*panic))))
}

fn panicked(panic: &(dyn std::any::Any + Send)) -> Error {
    let text =
        panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    Error::internal(format!("panic: {}", text.unwrap_or("of an unknown type")))
}

fn not_found(method: &str) -> Error {
    let method: String = method.chars().take(64).collect();
    Error::new(ErrorKind::MethodNotFound, format!("method not found: {method}"))
}
