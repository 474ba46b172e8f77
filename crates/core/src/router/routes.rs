//! What a server offers, settled: each method's answer, and what never changes of it already written.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use pin_project_lite::pin_project;
use serde::Serialize;
use serde_json::{Map, Value};
use tower::Service;

use super::lists::{ListSettings, Pages};
use super::{MethodFuture, Methods};
use crate::codec::{self, Identity};
use crate::completion::CompletionCall;
use crate::error::{Error, ErrorKind};
use crate::input::{self, Claim, StateSeal};
use crate::prompt::PromptSet;
use crate::protocol::{CompleteParams, CompletionReference, Implementation, ProtocolVersion};
use crate::request::{Reply, Request};
use crate::resource::ResourceSet;
use crate::tool::{ToolSet, set::CallFuture};

/// A server's routes, as a tower service. A clone is a refcount.
#[derive(Clone)]
pub struct Routes(Arc<Inner>);

struct Inner {
    identity: Identity,
    tools: Arc<ToolSet>,
    resources: ResourceSet,
    prompts: PromptSet,
    methods: Methods,
    seal: StateSeal,
    capabilities: Capabilities,
    discovery: Reply,
    tool_pages: Pages,
    resource_pages: Pages,
    template_pages: Pages,
    prompt_pages: Pages,
}

/// What the server can do, as it tells modern and older clients.
#[derive(Clone, Debug, Default, Serialize)]
struct Capabilities {
    #[serde(skip_serializing_if = "Option::is_none")]
    tools: Option<Map<String, Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resources: Option<Map<String, Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompts: Option<Map<String, Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    completions: Option<Map<String, Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    logging: Option<Map<String, Value>>,
    #[serde(skip_serializing_if = "Extensions::is_empty")]
    extensions: Extensions,
}

/// What a server can do beyond the protocol's own: settings by the extension's identifier.
pub(super) type Extensions = BTreeMap<Box<str>, Map<String, Value>>;

impl Capabilities {
    /// As an older revision knows them.
    fn for_version(&self, version: ProtocolVersion) -> Self {
        let mut capabilities = self.clone();
        // Older clients set the level of log messages for a whole session; these servers have none.
        capabilities.logging = None;
        capabilities.extensions.clear();
        if version < ProtocolVersion::V2025_03_26 {
            capabilities.completions = None;
        }
        capabilities
    }
}

/// What a server offers.
#[derive(Debug, Default)]
pub(super) struct Offer {
    pub(super) tools: ToolSet,
    pub(super) resources: ResourceSet,
    pub(super) prompts: PromptSet,
    pub(super) extensions: Extensions,
}

impl Routes {
    pub(super) fn new(
        identity: Identity,
        offer: Offer,
        lists: ListSettings,
        methods: Methods,
        seal: StateSeal,
    ) -> Self {
        let Offer { tools, resources, prompts, extensions } = offer;
        let completes = resources.has_completions() || prompts.has_completions();
        let capabilities = Capabilities {
            tools: (!tools.is_empty()).then(Map::new),
            resources: (!resources.is_empty()).then(Map::new),
            prompts: (!prompts.is_empty()).then(Map::new),
            completions: completes.then(Map::new),
            logging: Some(Map::new()),
            extensions,
        };
        let discovery = codec::discovery(&identity, &capabilities, lists.freshness);
        Self(Arc::new(Inner {
            identity,
            tools: Arc::new(tools),
            resources,
            prompts,
            methods,
            seal,
            capabilities,
            discovery,
            tool_pages: Pages::new("tools", lists),
            resource_pages: Pages::new("resources", lists),
            template_pages: Pages::new("resourceTemplates", lists),
            prompt_pages: Pages::new("prompts", lists),
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

    /// The resources that it offers.
    pub fn resources(&self) -> &ResourceSet {
        &self.0.resources
    }

    /// The prompts that it offers.
    pub fn prompts(&self) -> &PromptSet {
        &self.0.prompts
    }

    fn route(&self, mut request: Request) -> Result<State, Error> {
        let asking = ["tools/call", "resources/read", "prompts/get"];
        if let Some(method) = asking.into_iter().find(|method| *method == &*request.method)
            && let Some(claim) = input::admit(&mut request, method, &self.0.seal)?
        {
            return Ok(self.claimed(request, claim));
        }
        self.dispatch(request)
    }

    /// Serves a request whose state may be used once, if it has not been.
    fn claimed(&self, request: Request, claim: Claim) -> State {
        let routes = self.clone();
        let future = Box::pin(async move {
            routes.0.seal.claim(claim).await?;
            let state = routes.dispatch(request)?;
            RouteFuture { state }.await
        });
        State::Method { future }
    }

    fn dispatch(&self, request: Request) -> Result<State, Error> {
        let version = request.context.version();
        let inner = &self.0;
        let has = &inner.capabilities;
        match (&*request.method, version.is_modern()) {
            ("tools/call", _) if has.tools.is_some() => self.call_tool(request),
            ("tools/list", _) if has.tools.is_some() => inner.list_tools(&request).map(State::ready),
            ("resources/read", _) if has.resources.is_some() => self.read_resource(request),
            ("resources/list", _) if has.resources.is_some() => {
                inner.list_resources(&request).map(State::ready)
            }
            ("resources/templates/list", _) if has.resources.is_some() => {
                inner.list_templates(&request).map(State::ready)
            }
            ("prompts/get", _) if has.prompts.is_some() => self.get_prompt(request),
            ("prompts/list", _) if has.prompts.is_some() => inner.list_prompts(&request).map(State::ready),
            ("completion/complete", _) if has.completions.is_some() => self.complete(request),
            ("server/discover", true) => Ok(State::ready(inner.discovery.clone())),
            ("initialize", false) => {
                let capabilities = has.for_version(version);
                Ok(State::ready(codec::initialization(&inner.identity, &capabilities, version)))
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
        Ok(State::Tool { future, version, routes: self.clone() })
    }

    fn read_resource(&self, request: Request) -> Result<State, Error> {
        let Some(uri) = request.params.subject else {
            return Err(Error::invalid_params("`uri` is missing: the URI of a resource, as text"));
        };
        let version = request.context.version();
        let (resource, read) = self.0.resources.begin(uri, request.context)?;
        let routes = self.clone();
        let future = Box::pin(async move {
            let result = (*resource).read(read).await?;
            let Inner { identity, seal, .. } = &*routes.0;
            Ok(codec::encode_resource_result(&result, identity.meta(), version, seal))
        });
        Ok(State::Method { future })
    }

    fn get_prompt(&self, request: Request) -> Result<State, Error> {
        let Some(name) = &request.params.subject else {
            return Err(Error::invalid_params("`name` is missing: the name of a prompt, as text"));
        };
        let version = request.context.version();
        let arguments = request.params.arguments.as_ref();
        let (prompt, call) = self.0.prompts.begin(name, arguments, request.context)?;
        let routes = self.clone();
        let future = Box::pin(async move {
            let result = (*prompt).get(call).await?;
            let Inner { identity, seal, .. } = &*routes.0;
            Ok(codec::encode_prompt_result(&result, identity.meta(), version, seal))
        });
        Ok(State::Method { future })
    }

    fn complete(&self, request: Request) -> Result<State, Error> {
        let params: CompleteParams = request.parse()?;
        let version = request.context.version();
        let routes = self.clone();
        let future = Box::pin(async move {
            let reference = params.reference.clone();
            let call = CompletionCall::of(params, request.context);
            let inner = &routes.0;
            let completion = match reference {
                CompletionReference::Prompt { name } => inner.prompts.complete(&name, call).await?,
                CompletionReference::Resource { uri } => inner.resources.complete(&uri, call).await?,
            };
            Ok(codec::encode_completion(&completion, inner.identity.meta(), version))
        });
        Ok(State::Method { future })
    }
}

impl Inner {
    fn list_tools(&self, request: &Request) -> Result<Reply, Error> {
        self.tool_pages.answer(request, self.tools.definitions(), self.identity.meta())
    }

    fn list_resources(&self, request: &Request) -> Result<Reply, Error> {
        let fixed = self.resources.definitions().filter(|one| one.address.template().is_none());
        self.resource_pages.answer(request, fixed, self.identity.meta())
    }

    fn list_templates(&self, request: &Request) -> Result<Reply, Error> {
        let templates = self.resources.definitions().filter(|one| one.address.template().is_some());
        self.template_pages.answer(request, templates, self.identity.meta())
    }

    fn list_prompts(&self, request: &Request) -> Result<Reply, Error> {
        self.prompt_pages.answer(request, self.prompts.definitions(), self.identity.meta())
    }
}

impl fmt::Debug for Routes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Routes")
            .field("info", self.info())
            .field("tools", &self.0.tools)
            .field("resources", &self.0.resources)
            .field("prompts", &self.0.prompts)
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
        Tool { future: CallFuture, version: ProtocolVersion, routes: Routes },
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
            Projected::Tool { future, version, routes } => {
                let Inner { identity, seal, .. } = &*routes.0;
                poll_guarded(future.as_mut(), cx).map(|answer| match answer {
                    Ok(result) => Ok(codec::encode_tool_result(&result, identity.meta(), *version, seal)),
                    // The protocol has an error of its own for this one, wherever it is raised.
                    Err(error) if error.kind() == ErrorKind::MissingCapability => Err(error),
                    Err(error) => Err(error.in_tool(identity.meta().clone())),
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
