//! One request and its answer: credentials, limit, redirects, body.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, LOCATION};
use http::{HeaderMap, Method, Request, StatusCode, Uri};
use tokio::time::{Instant, timeout_at};
use tower::Service;
use towline_core::{Error, ErrorKind, Failure};

use super::http::{HttpClient, read_body};
use super::limit::Limiter;
use super::pause::pause;
use super::policy::Policy;
use super::redact::Redactor;
use crate::auth::{Credentials, Token, with_parameter};
use crate::egress::BaseUrl;
use crate::error::ApiError;
use crate::request::{ApiResponse, CacheStatus};

/// A request with all that it needs but credentials.
///
/// Retries clone it and the cache looks at it, so a clone is refcounts.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: Arc<HeaderMap>,
    pub(crate) body: Bytes,
    /// Where it must stay; the API's own base URL if `None`.
    pub(crate) elsewhere: Option<Arc<BaseUrl>>,
    /// When the answer must be there.
    pub(crate) deadline: Instant,
    /// How long that was, from the beginning.
    pub(crate) within: Duration,
}

impl Exchange {
    /// Whether doing it twice does no more than doing it once (RFC 9110, section 9.2.2, and the `Idempotency-Key`
    /// header).
    pub(crate) fn may_repeat(&self) -> bool {
        self.method.is_idempotent() || self.headers.contains_key("idempotency-key")
    }
}

/// An answer, and whether the URL asked for gave it itself.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) response: ApiResponse,
    pub(crate) was_redirected: bool,
}

/// An exchange that failed: without an answer, or with one that says so. Layers judge both alike.
#[derive(Debug)]
pub(crate) enum Failed {
    Error(Error),
    Status { answer: Box<Answer>, retry_after: Option<Duration>, kind: ErrorKind },
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl Failure for Failed {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Error(error) => error.kind(),
            Self::Status { kind, .. } => *kind,
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Error(error) => error.retry_after(),
            Self::Status { retry_after, .. } => *retry_after,
        }
    }

    fn is_in_tool(&self) -> bool {
        false
    }

    fn message(&self) -> &str {
        match self {
            Self::Error(error) => error.message(),
            Self::Status { .. } => "the API answered with an error status",
        }
    }
}

/// Carries out exchanges: what retry and breaker go around.
#[derive(Clone)]
pub(crate) struct Exchanger(pub(crate) Arc<Parts>);

pub(crate) struct Parts {
    pub(crate) base: Arc<BaseUrl>,
    pub(crate) client: HttpClient,
    pub(crate) credentials: Credentials,
    pub(crate) redactor: Redactor,
    pub(crate) limiter: Limiter,
    pub(crate) policy: Policy,
    pub(crate) max_redirects: u8,
    pub(crate) max_response_bytes: usize,
}

impl Service<Exchange> for Exchanger {
    type Response = Answer;
    type Error = Failed;
    type Future = Pin<Box<dyn Future<Output = Result<Answer, Failed>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failed>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, exchange: Exchange) -> Self::Future {
        let parts = Arc::clone(&self.0);
        Box::pin(async move {
            let changes = !exchange.may_repeat();
            let within = exchange.within;
            let deadline = exchange.deadline;
            let answer = timeout_at(deadline, pin!(parts.run(exchange))).await;
            let answer = answer.unwrap_or(Err(ApiError::Timeout { within }));
            judge(answer.map_err(|error| error.into_error(changes))?)
        })
    }
}

impl Parts {
    async fn run(&self, mut exchange: Exchange) -> Result<Answer, ApiError> {
        let mut redirects = 0;
        let mut is_renewed = false;
        loop {
            let permit =
                self.limiter.acquire().map_err(|retry_after| ApiError::RateLimited { retry_after })?;
            let (request, token) = self.request(&exchange).await?;
            let response = self.client.send(request).await?;
            drop(permit);
            let (head, body) = response.into_parts();

            if let (StatusCode::UNAUTHORIZED, Some(token), Credentials::OAuth(oauth), false) =
                (head.status, &token, &self.credentials, is_renewed)
            {
                // Nothing was done, so it may be asked again, once, with another token.
                oauth.forget(token);
                is_renewed = true;
                continue;
            }
            if self.max_redirects > 0 && is_redirect(head.status) && head.headers.contains_key(LOCATION) {
                if redirects == self.max_redirects {
                    return Err(ApiError::TooManyRedirects { most: self.max_redirects });
                }
                redirects += 1;
                self.redirect(&mut exchange, head.status, &head.headers)?;
                continue;
            }
            let has_body = exchange.method != Method::HEAD
                && head.status != StatusCode::NO_CONTENT
                && head.status != StatusCode::NOT_MODIFIED;
            let (body, is_cut) = if has_body {
                read_body(body, self.max_response_bytes).await?
            } else {
                (Bytes::new(), false)
            };
            let mut response = ApiResponse {
                status: head.status,
                headers: head.headers,
                body,
                is_cut,
                cache: CacheStatus::Miss,
            };
            self.redact(&mut response);
            if response.status == StatusCode::TOO_MANY_REQUESTS
                && let Some(pause) = pause(&response)
            {
                self.limiter.hold(pause);
            }
            return Ok(Answer { response, was_redirected: redirects > 0 });
        }
    }

    /// The request as it is sent, and the token that it shows.
    async fn request(
        &self,
        exchange: &Exchange,
    ) -> Result<(Request<http_body_util::Full<Bytes>>, Option<Token>), ApiError> {
        let mut request = Request::new(exchange.body.clone().into());
        *request.method_mut() = exchange.method.clone();
        *request.uri_mut() = exchange.uri.clone();
        *request.headers_mut() = HeaderMap::clone(&exchange.headers);
        let mut sent = None;
        if exchange.elsewhere.is_none() {
            match &self.credentials {
                Credentials::None => {}
                Credentials::Header(name, value) => {
                    request.headers_mut().insert(name, value.clone());
                }
                Credentials::Query { name, value } => {
                    let uri = with_parameter(&exchange.uri, name, value).ok_or(ApiError::Malformed)?;
                    *request.uri_mut() = uri;
                }
                Credentials::OAuth(oauth) => {
                    // Boxed, since its future is many times as large as all of the others.
                    let token = Box::pin(oauth.token(&self.client)).await?;
                    request.headers_mut().insert(AUTHORIZATION, token.header.clone());
                    sent = Some(token);
                }
            }
        }
        Ok((request, sent))
    }

    /// Turns an exchange to where a redirect leads, if that is within the API.
    fn redirect(
        &self,
        exchange: &mut Exchange,
        status: StatusCode,
        headers: &HeaderMap,
    ) -> Result<(), ApiError> {
        let base = exchange.elsewhere.as_deref().unwrap_or(&self.base);
        let location = headers.get(LOCATION).and_then(|location| location.to_str().ok());
        let location = location.ok_or(ApiError::RedirectedAway)?;
        let away = |refusal| {
            tracing::debug!(%refusal, "a redirect is not followed");
            ApiError::RedirectedAway
        };
        let (path, query) = base.relative(&exchange.uri, location).map_err(away)?;
        // RFC 9110, section 15.4: only 307 and 308 keep the method of what is no `GET` or `HEAD`.
        let keeps_method = matches!(status.as_u16(), 307 | 308) || exchange.method.is_safe();
        let method = if keeps_method { exchange.method.clone() } else { Method::GET };
        if exchange.elsewhere.is_none() {
            self.policy.check(&method, &path).map_err(away)?;
        }
        exchange.uri = base.join(&path, query.as_deref()).map_err(away)?;
        if !keeps_method {
            exchange.method = method;
            exchange.body = Bytes::new();
            let headers = Arc::make_mut(&mut exchange.headers);
            for name in [CONTENT_TYPE, CONTENT_LENGTH] {
                headers.remove(name);
            }
        }
        Ok(())
    }

    fn redact(&self, response: &mut ApiResponse) {
        let mut redact = |redactor: &Redactor| {
            response.body = redactor.redact(std::mem::take(&mut response.body), response.is_cut);
            redactor.redact_headers(&mut response.headers);
        };
        redact(&self.redactor);
        if let Credentials::OAuth(oauth) = &self.credentials {
            oauth.redactors().iter().for_each(redact);
        }
    }
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// Tells answers that layers should see as failures from those that are none.
fn judge(answer: Answer) -> Result<Answer, Failed> {
    let status = answer.response.status;
    let pause = pause(&answer.response);
    let kind = match status.as_u16() {
        429 => ErrorKind::RateLimited,
        // Some say that an allowance is used up as if it were a permission that is missing.
        403 if pause.is_some() => ErrorKind::RateLimited,
        502 | 503 => ErrorKind::Unavailable,
        408 | 504 => ErrorKind::Timeout,
        500..=599 => ErrorKind::Internal,
        _ => return Ok(answer),
    };
    Err(Failed::Status { answer: Box::new(answer), retry_after: pause, kind })
}
