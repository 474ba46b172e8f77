//! Carries out requests to an API within its configuration.

mod build;
mod connect;
mod exchange;
mod http;
mod limit;
mod pause;
mod policy;
mod redact;
mod tls;

use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use ::http::header::{ACCEPT, ACCEPT_LANGUAGE, CONTENT_TYPE};
use ::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use bytes::Bytes;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};
use tower::ServiceExt;
use tower::util::BoxCloneSyncService;
use towline_core::{Context, Error, ErrorKind, Failure, Principal};
use towline_middleware::CircuitBreaker;

pub use build::{ApiBuilder, Apis};
pub use connect::{Resolve, Resolving};
pub(crate) use http::{HttpClient, read_body};
pub(crate) use redact::Redactor;

use crate::cache::{Asked, Found, HttpCache, Key};
use crate::config::ApiConfig;
use crate::egress::{BaseUrl, Refusal, check_headers};
use crate::error::ApiError;
use crate::request::{ApiRequest, ApiResponse};
use exchange::{Answer, Exchange, Failed, Parts};

/// An API that can be called. A clone is a handle to the same connections, cache, limit and breaker.
#[derive(Clone)]
pub struct Api(Arc<Inner>);

struct Inner {
    name: Arc<str>,
    config: ApiConfig,
    /// Headers of every request.
    headers: HeaderMap,
    parts: Arc<Parts>,
    /// Exchanges with retry and breaker around them.
    service: BoxCloneSyncService<Exchange, Answer, Failed>,
    breaker: CircuitBreaker,
    cache: Option<HttpCache>,
    slots: Semaphore,
}

/// What one call wishes beyond its request.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct CallOptions {
    /// Takes an answer that is no older than this, whatever HTTP says of its freshness, and keeps the answer for
    /// others who ask so. `no-store` is obeyed all the same. Default: not set.
    pub cache_for: Option<Duration>,
    /// Sends the request there instead, without the API's credentials and default headers. Default: not set.
    pub(crate) elsewhere: Option<Arc<BaseUrl>>,
}

impl CallOptions {
    /// Every wish unset.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets [`cache_for`](Self::cache_for).
    #[must_use]
    pub fn with_cache_for(mut self, time: Duration) -> Self {
        self.cache_for = Some(time);
        self
    }

    pub(crate) fn sent_to(mut self, url: BaseUrl) -> Self {
        self.elsewhere = Some(Arc::new(url));
        self
    }
}

impl Api {
    /// Carries out a request.
    ///
    /// An answer of the API is `Ok` whatever its status, but for an allowance that is used up (429, and 403 where it
    /// says so) and for 503: these are errors that say how long to wait.
    ///
    /// Dropping the future ends the request.
    ///
    /// # Errors
    ///
    /// - `InvalidParams`: a [`Refusal`], nothing was sent.
    /// - `RateLimited`, `CircuitOpen`: not now; `retry_after` says when.
    /// - `Unavailable`, `Timeout`: there is no answer, or 503.
    /// - `Forbidden`: the configuration forbids where the API is, or where it redirects to.
    pub async fn execute(&self, request: ApiRequest, context: &Context) -> Result<ApiResponse, Error> {
        self.execute_with(request, &CallOptions::default(), context).await
    }

    /// Carries out a request with wishes.
    ///
    /// # Errors
    ///
    /// As [`execute`](Self::execute).
    pub async fn execute_with(
        &self,
        request: ApiRequest,
        options: &CallOptions,
        context: &Context,
    ) -> Result<ApiResponse, Error> {
        let exchange = self.prepare(request, options, context)?;
        let (changes, began) = (!exchange.may_repeat(), Instant::now());
        // A caller who waits less than the API may take says nothing of the API: the exchange is dropped, not failed.
        let whole = exchange.deadline + GRACE;
        let deadline = context.deadline().map_or(whole, |deadline| deadline.min(whole));
        let working = async {
            let slot = self.0.slots.acquire().await.map_err(Error::internal)?;
            let answer = self.cached(exchange, options, context).await;
            drop(slot);
            answer
        };
        let late = |_| {
            let within = Duration::from_millis(began.elapsed().as_millis() as u64);
            Err(ApiError::Timeout { within }.into_error(changes))
        };
        timeout_at(deadline, pin!(working)).await.unwrap_or_else(late)
    }

    /// What calls name it by.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Its configuration.
    pub fn config(&self) -> &ApiConfig {
        &self.0.config
    }

    /// What guards it from calls while it keeps failing.
    pub fn breaker(&self) -> &CircuitBreaker {
        &self.0.breaker
    }

    /// Whether calls may use this method.
    pub fn allows(&self, method: &Method) -> bool {
        self.0.parts.policy.allows(method)
    }

    /// Whether the configuration sets a header of that name.
    pub(crate) fn sends(&self, name: &HeaderName) -> bool {
        self.0.headers.contains_key(name)
    }

    pub(crate) fn base(&self) -> &BaseUrl {
        &self.0.parts.base
    }

    /// Checks a request and makes of it what is sent.
    fn prepare(
        &self,
        request: ApiRequest,
        options: &CallOptions,
        context: &Context,
    ) -> Result<Exchange, Refusal> {
        let inner = &*self.0;
        let base = options.elsewhere.as_deref().unwrap_or(&inner.parts.base);
        let uri = base.join(&request.path, request.query.as_deref())?;
        // Elsewhere is what the configuration names as a whole.
        if options.elsewhere.is_none() {
            inner.parts.policy.check(&request.method, &request.path)?;
        }
        check_headers(&request.headers)?;
        let body = request.body.unwrap_or_default();
        if body.len() > inner.config.max_request_bytes {
            return Err(Refusal::Body { most: inner.config.max_request_bytes });
        }

        let mut headers = HeaderMap::new();
        if options.elsewhere.is_none() {
            headers.clone_from(&inner.headers);
        }
        let credential = inner.parts.credentials.header();
        let mut replaced = None;
        for (name, value) in request.headers {
            // A name of `None` adds another value to the last one.
            if let Some(name) = name {
                let is_fixed =
                    headers.contains_key(&name) && ![ACCEPT, ACCEPT_LANGUAGE, CONTENT_TYPE].contains(&name);
                if is_fixed || credential == Some(&name) {
                    let why = "the configuration sets it";
                    return Err(Refusal::Header { name: name.as_str().to_owned(), why });
                }
                headers.insert(&name, value);
                replaced = Some(name);
            } else if let Some(name) = &replaced {
                headers.append(name, value);
            }
        }
        if inner.config.forward_trace {
            trace(&mut headers, context);
        }
        let within = inner.config.timeout;
        let deadline = Instant::now() + within;
        let (headers, elsewhere) = (Arc::new(headers), options.elsewhere.clone());
        Ok(Exchange { method: request.method, uri, headers, body, elsewhere, deadline, within })
    }

    /// Asks the cache, and the API for what it does not have.
    async fn cached(
        &self,
        mut exchange: Exchange,
        options: &CallOptions,
        context: &Context,
    ) -> Result<ApiResponse, Error> {
        let Some(cache) = self.0.cache.as_ref().filter(|_| exchange.elsewhere.is_none()) else {
            return self.ask(exchange).await.map(|answer| answer.response);
        };
        let key = Key::new(context.principal().map(Principal::id), &exchange.uri);
        if !HttpCache::is_for(&exchange.method, &exchange.headers, &exchange.body) {
            let is_safe = exchange.method.is_safe();
            let answer = self.ask(exchange).await;
            // Also without an answer it may have been carried out.
            let may_be_done = answer.as_ref().is_ok_and(|answer| !answer.response.status.is_client_error());
            if !is_safe && (may_be_done || answer.is_err()) {
                cache.forget(&key);
            }
            return answer.map(|answer| answer.response);
        }
        let asked = Asked { uri: exchange.uri.clone(), headers: Arc::clone(&exchange.headers) };
        if let Found::Stale(entry, headers) = match cache.find(&key, &asked, options.cache_for) {
            Found::Fresh(response) => return Ok(response),
            found => found,
        } {
            exchange.headers = Arc::new(headers);
            let answer = self.ask(exchange.clone()).await?;
            if answer.response.status != StatusCode::NOT_MODIFIED {
                return Ok(keep(cache, key, &asked, answer, options));
            }
            if let Some(response) = cache.revalidate(key.clone(), &entry, &asked, &answer.response) {
                return Ok(response);
            }
            exchange.headers = Arc::clone(&asked.headers);
        }
        let answer = self.ask(exchange).await?;
        Ok(keep(cache, key, &asked, answer, options))
    }

    /// Asks the API, through retry and breaker.
    async fn ask(&self, exchange: Exchange) -> Result<Answer, Error> {
        let failed = match self.0.service.clone().oneshot(exchange).await {
            Ok(answer) => return Ok(answer),
            Err(failed) => failed,
        };
        let (kind, pause) = (failed.kind(), failed.retry_after());
        match failed {
            Failed::Error(error) => Err(error),
            Failed::Status { answer, .. } => {
                let message = match answer.response.status {
                    StatusCode::SERVICE_UNAVAILABLE => "The API is unavailable (status 503).",
                    _ if kind == ErrorKind::RateLimited => {
                        "The API takes no more requests for now: its allowance is used up."
                    }
                    _ => return Ok(*answer),
                };
                let error = Error::new(kind, message);
                Err(match pause {
                    Some(pause) => error.with_retry_after(pause),
                    None => error,
                })
            }
        }
    }
}

/// By how much the whole may take longer than an exchange: the breaker must hear of one that takes too long.
const GRACE: Duration = Duration::from_millis(20);

fn keep(cache: &HttpCache, key: Key, asked: &Asked, answer: Answer, options: &CallOptions) -> ApiResponse {
    // What another URL answered is not this one's, unless the caller wants what there is.
    if !answer.was_redirected || options.cache_for.is_some() {
        cache.keep(key, asked, &answer.response, options.cache_for);
    }
    answer.response
}

/// Hands the caller's trace on (W3C Trace Context, sections 3.2 and 3.3), if it is well-formed.
fn trace(headers: &mut HeaderMap, context: &Context) {
    let Some(parent) = context.meta().traceparent() else { return };
    let lengths = [2, 32, 16, 2];
    let is_valid = parent.len() == 55
        && parent.split('-').map(str::len).eq(lengths)
        && parent.bytes().all(|byte| byte == b'-' || matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        && !parent.starts_with("ff")
        && parent[3..35].bytes().any(|byte| byte != b'0')
        && parent[36..52].bytes().any(|byte| byte != b'0');
    if !is_valid {
        return;
    }
    if let Ok(value) = HeaderValue::from_maybe_shared(Bytes::copy_from_slice(parent.as_bytes())) {
        headers.insert("traceparent", value);
    }
    let state = context.meta().tracestate();
    let state = state.filter(|state| state.len() <= 512).and_then(|state| HeaderValue::from_str(&state).ok());
    if let Some(state) = state {
        headers.insert("tracestate", state);
    }
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api").field("name", &self.0.name).finish_non_exhaustive()
    }
}
