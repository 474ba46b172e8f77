//! The layer around the HTTP service.

use std::fmt;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE,
    ORIGIN, RETRY_AFTER, VARY, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use tokio::time::Instant;
use tower::{Layer, Service};
use towline_core::{ClientAddr, Extensions, KnownUntil, Principal};

use super::body::AuthBody;
use super::challenge::{Fault, StepUp, challenge};
use super::failures::Failures;
use super::resource::ProtectedResource;
use crate::{Caller, Grant, Rejection, Verify};

/// Tokens of more bytes than these are not looked at.
const MAX_TOKEN: usize = 8 * 1024;

/// Finds out who calls, and lets nobody else pass.
///
/// It stands around [`HttpService`](https://docs.rs/towline-transport) and guards every method and path within, but for the
/// metadata of a [`ProtectedResource`] and for `OPTIONS`, by which browsers ask whether a page may send anything. Without a
/// [`verifier`](Self::verifier) it lets nobody pass.
#[derive(Clone)]
pub struct AuthLayer(Arc<Options>);

#[derive(Clone)]
struct Options {
    verifiers: Vec<Arc<dyn Verify>>,
    resource: Option<ProtectedResource>,
    origins: Vec<Box<str>>,
    failures: Option<Failures>,
}

impl Default for AuthLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl AuthLayer {
    /// Knows nobody yet.
    pub fn new() -> Self {
        const MAX_FAILURES: u32 = 60;
        Self(Arc::new(Options {
            verifiers: Vec::new(),
            resource: None,
            origins: Vec::new(),
            failures: Some(Failures::new(MAX_FAILURES)),
        }))
    }

    /// Knows those whom this verifier knows. Of several, each is asked until one knows the kind of token.
    #[must_use]
    pub fn verifier(self, verifier: impl Verify) -> Self {
        self.with(|options| options.verifiers.push(Arc::new(verifier)))
    }

    /// Tells clients where they get tokens for this server.
    #[must_use]
    pub fn resource(self, resource: ProtectedResource) -> Self {
        self.with(|options| options.resource = Some(resource))
    }

    /// Lets web pages of this origin, such as `https://app.example.com`, read why they are refused. Which may send requests at
    /// all, the service within decides.
    #[must_use]
    pub fn readable_by(self, origin: impl Into<Box<str>>) -> Self {
        self.with(|options| options.origins.push(origin.into()))
    }

    /// Refuses, with 429, whatever a client sends that has shown that many bad tokens within a minute; `None` refuses nobody.
    /// A client is its address: behind a proxy all are one. Default: 60.
    #[must_use]
    pub fn max_failures(self, per_minute: Option<u32>) -> Self {
        self.with(|options| options.failures = per_minute.map(Failures::new))
    }

    fn with(mut self, change: impl FnOnce(&mut Options)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }
}

impl fmt::Debug for AuthLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthLayer").field("resource", &self.0.resource).finish_non_exhaustive()
    }
}

impl<S> Layer<S> for AuthLayer {
    type Service = Auth<S>;

    fn layer(&self, inner: S) -> Auth<S> {
        Auth { inner, options: Arc::clone(&self.0) }
    }
}

/// Lets nobody pass who is not known.
#[derive(Clone)]
pub struct Auth<S> {
    inner: S,
    options: Arc<Options>,
}

impl<S: fmt::Debug> fmt::Debug for Auth<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Auth").field("inner", &self.inner).finish_non_exhaustive()
    }
}

/// The future of [`Auth`]. Verifying may take time, so it is boxed.
pub type AuthFuture<B, E> = Pin<Box<dyn Future<Output = Result<Response<AuthBody<B>>, E>> + Send>>;

impl<S, B, Out> Service<Request<B>> for Auth<S>
where
    S: Service<Request<B>, Response = Response<Out>, Future: Send> + Clone + Send + 'static,
    B: Send + 'static,
{
    type Response = Response<AuthBody<Out>>;
    type Error = S::Error;
    type Future = AuthFuture<Out, S::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The one that was found to be ready is called, and the clone takes its place.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let options = Arc::clone(&self.options);
        Box::pin(async move {
            let (mut parts, body) = request.into_parts();
            if let Some(document) = options.metadata(&parts) {
                return Ok(document);
            }
            if parts.method == Method::OPTIONS {
                return Ok(inner.call(Request::from_parts(parts, body)).await?.map(AuthBody::inner));
            }
            let caller = match options.identify(&parts).await {
                Ok(caller) => caller,
                Err(refusal) => return Ok(options.refuse(&parts, refusal)),
            };
            let step_up = StepUp::default();
            // Whatever is within has no use for the token, so it does not get it.
            parts.headers.remove(AUTHORIZATION);
            let extensions = parts.extensions.get_or_insert_default::<Extensions>();
            extensions.insert(known(caller.principal, &caller.grant));
            if let Some(left) = caller.grant.left() {
                extensions.insert(KnownUntil(Instant::now() + left));
            }
            extensions.insert(caller.grant);
            extensions.insert(step_up.clone());
            let request = Request::from_parts(parts, body);
            let mut response = inner.call(request).await?.map(AuthBody::inner);
            options.explain(&mut response, &step_up);
            Ok(response)
        })
    }
}

/// The principal with its scopes, by which packs tell what it may see, whichever verifier knows it.
fn known(principal: Principal, grant: &Grant) -> Principal {
    if principal.scopes().eq(grant.scopes().iter()) {
        return principal;
    }
    principal.with_scopes(grant.scopes().shared())
}

/// Why a request goes no further.
#[derive(Clone, Copy, Debug)]
enum Refusal {
    NoToken,
    Malformed,
    BadToken,
    Unavailable,
    TooMany(Duration),
}

impl Options {
    async fn identify(&self, request: &Parts) -> Result<Caller, Refusal> {
        let client = client(request);
        let failures = self.failures.as_ref().zip(client);
        if let Some((failures, client)) = failures {
            failures.check(client).map_err(Refusal::TooMany)?;
        }
        let token = token(&request.headers)?;
        match self.verify(token).await {
            Ok(caller) => Ok(caller),
            Err(Rejection::Unavailable) => Err(Refusal::Unavailable),
            Err(_) => {
                if let Some((failures, client)) = failures {
                    failures.count(client);
                }
                Err(Refusal::BadToken)
            }
        }
    }

    async fn verify(&self, token: &str) -> Result<Caller, Rejection> {
        for verifier in &self.verifiers {
            match verifier.verify(token).await {
                Err(Rejection::OtherKind) => {}
                result => return result,
            }
        }
        Err(Rejection::Invalid)
    }

    /// The metadata, if they are asked for.
    fn metadata<Out>(&self, request: &Parts) -> Option<Response<AuthBody<Out>>> {
        let resource = self.resource.as_ref()?;
        let is_asked =
            request.method == Method::GET && resource.metadata_paths().contains(&request.uri.path());
        is_asked.then(|| {
            let mut response = json(StatusCode::OK, resource.json());
            // They are public, and clients in browsers need them before they have anything to show.
            let headers = response.headers_mut();
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
            response
        })
    }

    fn refuse<Out>(&self, request: &Parts, refusal: Refusal) -> Response<AuthBody<Out>> {
        let (status, kind, message) = match refusal {
            Refusal::NoToken => (401, "unauthenticated", "a token must be sent: Authorization: Bearer .."),
            Refusal::BadToken => (401, "unauthenticated", "the token is not valid, or no longer"),
            Refusal::Malformed => (400, "invalid_request", "the header `Authorization` is malformed"),
            Refusal::Unavailable => (503, "unavailable", "tokens cannot be verified now; try again shortly"),
            Refusal::TooMany(_) => (429, "rate_limited", "too many bad tokens; try again later"),
        };
        let code = if status == 400 { -32600 } else { i32::from(status) };
        let text = format!(
            r#"{{"jsonrpc":"2.0","id":null,"error":{{"code":{code},"message":"{message}","data":{{"kind":"{kind}"}}}}}}"#
        );
        let mut response = json(StatusCode::from_u16(status).expect("it is a status"), text);
        let headers = response.headers_mut();
        let fault = match refusal {
            Refusal::NoToken => Some(Fault::Missing),
            Refusal::BadToken => Some(Fault::InvalidToken),
            _ => None,
        };
        if let Some(fault) = fault {
            headers.insert(WWW_AUTHENTICATE, self.challenge(fault));
        }
        match refusal {
            Refusal::TooMany(wait) => drop(headers.insert(RETRY_AFTER, (wait.as_secs() + 1).into())),
            Refusal::Unavailable => drop(headers.insert(RETRY_AFTER, HeaderValue::from_static("2"))),
            _ => {}
        }
        if let Some(origin) = request.headers.get(ORIGIN)
            && self.origins.iter().any(|own| own.as_bytes() == origin.as_bytes())
        {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            headers.insert(VARY, HeaderValue::from_static("Origin"));
        }
        expose(headers);
        response
    }

    fn challenge(&self, fault: Fault) -> HeaderValue {
        let scopes = self.resource.as_ref().map(ProtectedResource::scopes_supported);
        challenge(fault, self.resource.as_ref(), scopes.as_ref())
    }

    /// Adds to an answer of the service within what the client may do about it.
    fn explain<Out>(&self, response: &mut Response<Out>, step_up: &StepUp) {
        let status = response.status();
        let headers = response.headers_mut();
        let challenge = match (status, step_up.asked()) {
            (StatusCode::UNAUTHORIZED, _) => Some(self.challenge(Fault::InvalidToken)),
            (StatusCode::FORBIDDEN, Some(scopes)) => {
                Some(challenge(Fault::InsufficientScope, self.resource.as_ref(), Some(scopes)))
            }
            _ => None,
        };
        if let Some(challenge) = challenge {
            headers.insert(WWW_AUTHENTICATE, challenge);
            expose(headers);
        }
        // What one caller may read must not be kept for another.
        headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    }
}

/// Lets a page that may read the answer read its challenge too.
fn expose(headers: &mut HeaderMap) {
    if headers.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN) && headers.contains_key(WWW_AUTHENTICATE) {
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("WWW-Authenticate"));
    }
}

fn json<Out>(status: StatusCode, text: impl Into<Bytes>) -> Response<AuthBody<Out>> {
    let mut response = Response::new(AuthBody::own(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The address that the request comes from, if the transport tells it.
fn client(request: &Parts) -> Option<IpAddr> {
    let known = request.extensions.get::<Extensions>()?;
    known.get::<ClientAddr>().map(|address| address.0.ip())
}

/// What follows `Bearer`, whose letters' case does not matter. A token elsewhere, such as in the query, is none.
fn token(headers: &HeaderMap) -> Result<&str, Refusal> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().ok_or(Refusal::NoToken)?;
    if values.next().is_some() {
        return Err(Refusal::Malformed);
    }
    let (scheme, token) =
        value.to_str().ok().and_then(|value| value.split_once(' ')).ok_or(Refusal::Malformed)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Refusal::NoToken);
    }
    let token = token.trim_matches(' ');
    if token.is_empty() || token.contains(' ') {
        return Err(Refusal::Malformed);
    }
    if token.len() > MAX_TOKEN { Err(Refusal::BadToken) } else { Ok(token) }
}
