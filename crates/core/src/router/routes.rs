//! What a server offers, settled: each method's answer, and what never changes of it already written.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use bytestring::ByteString;
use serde_json::Map;
use tower::Service;

use super::Methods;
use super::capabilities::{Capabilities, Extensions};
use super::future::{RouteFuture, State, panicked};
use super::listen::listen;
use super::lists::ListSettings;
use super::offered::Offered;
use crate::codec::{self, Identity};
use crate::completion::CompletionCall;
use crate::error::{Error, ErrorKind};
use crate::input::{self, Claim, StateSeal};
use crate::prompt::PromptSet;
use crate::protocol::{
    CompleteParams, CompletionReference, Implementation, ListenParams, SubscriptionFilter,
};
use crate::registry::Registry;
use crate::request::{Reply, Request};
use crate::resource::ResourceSet;
use crate::session::{InitializeParams, SessionOffer, SessionSupport, SetLevelParams};
use crate::task::{self, Answered, Tasks};
use crate::tool::ToolSet;

/// A server's routes, as a tower service. A clone is a refcount.
#[derive(Clone)]
pub struct Routes(Arc<Inner>);

struct Inner {
    identity: Identity,
    registry: Registry,
    methods: Methods,
    seal: StateSeal,
    tasks: Option<Tasks>,
    capabilities: Capabilities,
    discovery: Reply,
}

/// What a server offers, and what belongs to it.
#[derive(Default)]
pub(super) struct Offer {
    pub(super) tools: ToolSet,
    pub(super) resources: ResourceSet,
    pub(super) prompts: PromptSet,
    pub(super) extensions: Extensions,
    pub(super) methods: Methods,
    /// If what is offered may change.
    pub(super) registry: Option<Registry>,
    pub(super) seal: Option<StateSeal>,
    pub(super) tasks: Option<Tasks>,
}

impl Routes {
    pub(super) fn new(identity: Identity, offer: Offer, lists: ListSettings) -> Self {
        let Offer { tools, resources, prompts, mut extensions, methods, registry, seal, tasks } = offer;
        if tasks.is_some() {
            extensions.insert(task::EXTENSION.into(), Map::new());
        }
        let offered = Offered::new(lists, tools, resources, prompts);
        let capabilities = Capabilities::of(&offered, registry.is_some(), extensions);
        let discovery = codec::discovery(&identity, &capabilities, lists.freshness);
        let registry = registry.unwrap_or_default();
        registry.settle(offered);
        if let Some(tasks) = &tasks {
            tasks.tell_changes(registry.changes().clone());
        }
        let seal = seal.unwrap_or_default();
        Self(Arc::new(Inner { identity, registry, methods, seal, tasks, capabilities, discovery }))
    }

    /// What the server says of itself.
    pub fn info(&self) -> &Implementation {
        self.0.identity.info()
    }

    /// The tools that it offers at this moment.
    pub fn tools(&self) -> Arc<ToolSet> {
        Arc::clone(self.0.offered().tools())
    }

    /// The resources that it offers at this moment.
    pub fn resources(&self) -> Arc<ResourceSet> {
        Arc::clone(self.0.offered().resources())
    }

    /// The prompts that it offers at this moment.
    pub fn prompts(&self) -> Arc<PromptSet> {
        Arc::clone(self.0.offered().prompts())
    }

    pub(super) fn meta(&self) -> &ByteString {
        self.0.identity.meta()
    }

    pub(super) fn seal(&self) -> &StateSeal {
        &self.0.seal
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
        let has_session = request.context.session() == SessionSupport::Kept;
        match (&*request.method, version.is_modern()) {
            ("tools/call", _) if has.tools.is_some() => self.call_tool(request),
            ("tools/list", _) if has.tools.is_some() => inner.list(&request, Offered::list_tools),
            ("resources/read", _) if has.resources.is_some() => self.read_resource(request),
            ("resources/list", _) if has.resources.is_some() => inner.list(&request, Offered::list_resources),
            ("resources/templates/list", _) if has.resources.is_some() => {
                inner.list(&request, Offered::list_templates)
            }
            ("prompts/get", _) if has.prompts.is_some() => self.get_prompt(request),
            ("prompts/list", _) if has.prompts.is_some() => inner.list(&request, Offered::list_prompts),
            ("completion/complete", _) if has.completions.is_some() => self.complete(request),
            ("server/discover", true) => Ok(State::ready(inner.discovery.clone())),
            ("subscriptions/listen", true) if has.is_dynamic || inner.tasks.is_some() => self.listen(request),
            ("tasks/get" | "tasks/update" | "tasks/cancel", true) if inner.tasks.is_some() => {
                Ok(self.task(request))
            }
            ("initialize", false) => Ok(State::ready(inner.initialize(&request))),
            ("ping", false) => Reply::new(&Map::new(), version).map(State::ready),
            ("logging/setLevel", false) if has_session => {
                request.parse::<SetLevelParams>()?;
                Reply::new(&Map::new(), version).map(State::ready)
            }
            ("resources/subscribe" | "resources/unsubscribe", false) if has_session && has.is_dynamic => {
                inner.check_watched(&request)?;
                Reply::new(&Map::new(), version).map(State::ready)
            }
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
        let future = self.0.offered().tools().call(name, request.params.arguments, request.context)?;
        Ok(State::Tool { future, version, routes: self.clone() })
    }

    fn read_resource(&self, request: Request) -> Result<State, Error> {
        let Some(uri) = request.params.subject else {
            return Err(Error::invalid_params("`uri` is missing: the URI of a resource, as text"));
        };
        let version = request.context.version();
        let (resource, read) = self.0.offered().resources().begin(uri, request.context)?;
        let routes = self.clone();
        let future = Box::pin(async move {
            let result = (*resource).read(read).await?;
            Ok(codec::encode_resource_result(&result, routes.meta(), version, routes.seal()))
        });
        Ok(State::Method { future })
    }

    fn get_prompt(&self, request: Request) -> Result<State, Error> {
        let Some(name) = &request.params.subject else {
            return Err(Error::invalid_params("`name` is missing: the name of a prompt, as text"));
        };
        let version = request.context.version();
        let arguments = request.params.arguments.as_ref();
        let (prompt, call) = self.0.offered().prompts().begin(name, arguments, request.context)?;
        let routes = self.clone();
        let future = Box::pin(async move {
            let result = (*prompt).get(call).await?;
            Ok(codec::encode_prompt_result(&result, routes.meta(), version, routes.seal()))
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
            let offered = routes.0.offered();
            let completion = match reference {
                CompletionReference::Prompt { name } => offered.prompts().complete(&name, call).await?,
                CompletionReference::Resource { uri } => offered.resources().complete(&uri, call).await?,
            };
            Ok(codec::encode_completion(&completion, routes.meta(), version))
        });
        Ok(State::Method { future })
    }

    fn listen(&self, request: Request) -> Result<State, Error> {
        let ListenParams { mut notifications } = request.parse()?;
        let routes = self.clone();
        let future = Box::pin(async move {
            let Inner { registry, tasks, .. } = &*routes.0;
            routes.0.honour(&mut notifications);
            match tasks {
                Some(tasks) => tasks.watch(&mut notifications, &request).await?,
                None => notifications.task_ids.clear(),
            }
            let tasks = tasks.as_ref();
            listen(request.context, notifications, registry.changes(), tasks, routes.meta()).await
        });
        Ok(State::Method { future })
    }

    fn task(&self, request: Request) -> State {
        let routes = self.clone();
        let future = Box::pin(async move {
            let tasks = routes.0.tasks.as_ref().expect("it is looked for before");
            Ok(match tasks.answer(request).await? {
                Answered::Details(record) => codec::encode_task(&record, routes.meta()),
                Answered::Noted => codec::encode_task_note(routes.meta()),
            })
        });
        State::Method { future }
    }
}

impl Inner {
    fn offered(&self) -> Arc<Offered> {
        let offered = self.registry.live().offered();
        Arc::clone(offered.as_ref().expect("it is settled when the routes are made"))
    }

    fn list(
        &self,
        request: &Request,
        list: fn(&Offered, &Request, &str) -> Result<Reply, Error>,
    ) -> Result<State, Error> {
        list(&self.offered(), request, self.identity.meta()).map(State::ready)
    }

    /// Leaves of what a client wants to be told what it can be told.
    fn honour(&self, filter: &mut SubscriptionFilter) {
        if !self.capabilities.is_dynamic {
            *filter =
                SubscriptionFilter { task_ids: std::mem::take(&mut filter.task_ids), ..Default::default() };
        }
        let offered = self.offered();
        filter.resource_subscriptions.retain(|uri| offered.resources().knows(uri));
    }

    /// Answers a handshake, and tells the transport what it must keep of that client.
    fn initialize(&self, request: &Request) -> Reply {
        let context = &request.context;
        let version = context.version();
        let is_needed = || {
            let can_answer = request.parse().is_ok_and(|params: InitializeParams| params.can_give_input());
            self.capabilities.is_dynamic || (can_answer && self.offered().asks_input())
        };
        let keeps = match context.session() {
            SessionSupport::Kept => true,
            SessionSupport::Offered => is_needed(),
            SessionSupport::None => false,
        };
        let capabilities = self.capabilities.for_version(version, keeps);
        let reply = codec::initialization(&self.identity, &capabilities, version);
        if !keeps {
            return reply;
        }
        let changes = self.capabilities.is_dynamic.then(|| self.registry.changes().clone());
        reply.with_session(SessionOffer { changes })
    }

    fn check_watched(&self, request: &Request) -> Result<(), Error> {
        let Some(uri) = request.subject() else {
            return Err(Error::invalid_params("`uri` is missing: the URI of a resource, as text"));
        };
        // What has been removed can still be let go of.
        if &*request.method == "resources/subscribe" && !self.offered().resources().knows(uri) {
            return Err(Error::resource_not_found(uri));
        }
        Ok(())
    }
}

impl fmt::Debug for Routes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Routes")
            .field("info", self.info())
            .field("offered", &*self.0.offered())
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

fn not_found(method: &str) -> Error {
    let method: String = method.chars().take(64).collect();
    Error::new(ErrorKind::MethodNotFound, format!("method not found: {method}"))
}
