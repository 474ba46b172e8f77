//! The layer around the server.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use tower::{Layer, Service};
use towline_core::protocol::{CompleteParams, CompletionReference, ListenParams};
use towline_core::{Carrier, Error, ErrorKind, Reply, Request};

use super::list::Listing;
use super::policy::{ScopePolicy, Target, Verdict};
use crate::Grant;
use crate::http::StepUp;

/// Lets callers do what their scopes allow. Lists show what a caller may use.
///
/// What a caller may not use is unknown to them, as if it were not there; unless they can get more scopes by themselves, with
/// a token of an authorization server: then a refusal says which (403 and a challenge over HTTP).
///
/// A request over HTTP that no [`AuthLayer`](crate::AuthLayer) has let pass is refused. Requests over stdio, or of this
/// process itself, are those of whoever started it, and pass.
#[derive(Clone, Debug)]
pub struct ScopeLayer {
    policy: Arc<ScopePolicy>,
}

impl ScopeLayer {
    /// Decides by this policy.
    pub fn new(policy: ScopePolicy) -> Self {
        Self { policy: Arc::new(policy) }
    }
}

impl<S> Layer<S> for ScopeLayer {
    type Service = Scoped<S>;

    fn layer(&self, inner: S) -> Scoped<S> {
        Scoped { inner, policy: Arc::clone(&self.policy) }
    }
}

/// Lets callers do what their scopes allow.
#[derive(Clone, Debug)]
pub struct Scoped<S> {
    inner: S,
    policy: Arc<ScopePolicy>,
}

impl<S> Service<Request> for Scoped<S>
where
    S: Service<Request, Response = Reply>,
    S::Error: From<Error>,
{
    type Response = Reply;
    type Error = S::Error;
    type Future = ScopeFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let state = match self.policy.admit(&request) {
            Ok(grant) => {
                let listing = grant.zip(Listing::of(request.method()));
                let filter = listing.map(|(grant, listing)| Filter {
                    policy: Arc::clone(&self.policy),
                    grant,
                    listing,
                });
                State::Called { inner: self.inner.call(request), filter }
            }
            Err(error) => State::Refused { error: Some(error) },
        };
        ScopeFuture { state }
    }
}

impl ScopePolicy {
    /// What the caller was granted, if they may do what they ask for; nothing, if they may do everything.
    fn admit(&self, request: &Request) -> Result<Option<Grant>, Error> {
        let context = request.context();
        let Some(grant) = context.extensions().get::<Grant>() else {
            if context.carrier() == Carrier::Http {
                return Err(Error::new(ErrorKind::Unauthenticated, "a token must be sent"));
            }
            return Ok(None);
        };
        if grant.has_ended() {
            return Err(Error::new(ErrorKind::Unauthenticated, "the token is no longer valid"));
        }
        // Whoever shakes hands, or asks what there is, has asked for nothing yet.
        if matches!(request.method(), "initialize" | "ping" | "server/discover") {
            return Ok(Some(grant.clone()));
        }
        let subject = request.subject().unwrap_or_default();
        match request.method() {
            "tools/call" => self.decide(request, grant, Some(Target::Tool(subject)))?,
            "prompts/get" => self.decide(request, grant, Some(Target::Prompt(subject)))?,
            "resources/read" | "resources/subscribe" | "resources/unsubscribe" => {
                self.decide(request, grant, Some(Target::Resource(subject)))?;
            }
            "completion/complete" => match request.parse::<CompleteParams>()?.reference {
                CompletionReference::Prompt { name } => {
                    self.decide(request, grant, Some(Target::Prompt(&name)))?;
                }
                CompletionReference::Resource { uri } => {
                    self.decide(request, grant, Some(Target::Resource(&uri)))?;
                }
            },
            "subscriptions/listen" => {
                self.decide(request, grant, None)?;
                for uri in request.parse::<ListenParams>()?.notifications.resource_subscriptions {
                    self.decide(request, grant, Some(Target::Resource(&uri)))?;
                }
            }
            _ => self.decide(request, grant, None)?,
        }
        Ok(Some(grant.clone()))
    }

    fn decide(&self, request: &Request, grant: &Grant, target: Option<Target<'_>>) -> Result<(), Error> {
        let needed = match (self.judge(grant, request.method(), target), target) {
            (Verdict::Allowed, _) => return Ok(()),
            // The same as what the server says of something that it does not have.
            (Verdict::Hidden, Some(Target::Tool(name))) => return Err(Error::tool_not_found(name)),
            (Verdict::Hidden, Some(Target::Prompt(name))) => return Err(Error::prompt_not_found(name)),
            (Verdict::Hidden, Some(Target::Resource(uri))) => return Err(Error::resource_not_found(uri)),
            (Verdict::Hidden, None) => None,
            (Verdict::Needs(scopes), _) => Some(scopes),
        };
        let message = match needed.filter(|_| grant.can_step_up()) {
            None => "this needs more than the caller was granted".to_owned(),
            Some(scopes) => {
                let names: Vec<&str> = scopes.iter().collect();
                let message = format!("this needs the scopes: {}", names.join(" "));
                if let Some(step_up) = request.context().extensions().get::<StepUp>() {
                    step_up.ask(scopes);
                }
                message
            }
        };
        Err(Error::new(ErrorKind::Forbidden, message))
    }

    fn shows(&self, grant: &Grant, listing: Listing, name: &str) -> bool {
        let (method, target) = match listing.entries {
            "tools" => ("tools/call", Target::Tool(name)),
            "prompts" => ("prompts/get", Target::Prompt(name)),
            _ => ("resources/read", Target::Resource(name)),
        };
        self.judge(grant, method, Some(target)) == Verdict::Allowed
    }
}

/// Takes out of a list what its reader may not use.
#[derive(Debug)]
struct Filter {
    policy: Arc<ScopePolicy>,
    grant: Grant,
    listing: Listing,
}

impl Filter {
    fn apply(&self, reply: &Reply) -> Result<Reply, Error> {
        let shows = |name: &str| self.policy.shows(&self.grant, self.listing, name);
        let kept = self.listing.keep(reply, shows);
        kept.ok_or_else(|| Error::internal("a list is not as lists are, so nothing of it is shown"))
    }
}

pin_project! {
    /// The future of [`Scoped`].
    #[derive(Debug)]
    pub struct ScopeFuture<F> {
        #[pin]
        state: State<F>,
    }
}

pin_project! {
    #[project = Projected]
    #[derive(Debug)]
    enum State<F> {
        Called { #[pin] inner: F, filter: Option<Filter> },
        Refused { error: Option<Error> },
    }
}

impl<F, E> Future for ScopeFuture<F>
where
    F: Future<Output = Result<Reply, E>>,
    E: From<Error>,
{
    type Output = Result<Reply, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            Projected::Refused { error } => {
                Poll::Ready(Err(error.take().expect("a future is not polled after its end").into()))
            }
            Projected::Called { inner, filter } => inner.poll(cx).map(|answer| match filter {
                Some(filter) => filter.apply(&answer?).map_err(E::from),
                None => answer,
            }),
        }
    }
}
