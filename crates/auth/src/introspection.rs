//! Access tokens that cannot be read: the authorization server is asked what they stand for.
//!
//! Source: RFC 7662.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Request, Uri};
use http_body_util::Full;
use moka::sync::Cache;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use towline_core::Principal;

use crate::claims::{Names, tell};
use crate::fetch::{self, Fetcher, InvalidUrl};
use crate::{Caller, Grant, Rejection, Scopes, Verify, time};

/// How long an answer is kept: that long a token works after it has been withdrawn.
const KEPT: Duration = Duration::from_secs(5);
/// Answers that are kept at most.
const MAX_KEPT: u64 = 10_000;
/// Questions at once.
const MAX_ASKED: usize = 32;

/// Tokens about which the authorization server is asked.
///
/// An answer is kept for five seconds, under the token's hash.
#[derive(Clone)]
pub struct Introspection(Arc<Inner>);

struct Inner {
    issuer: Box<str>,
    audience: Box<str>,
    url: Uri,
    credentials: SecretString,
    fetcher: Fetcher,
    kept: Cache<[u8; 32], (Instant, Result<Caller, Rejection>)>,
    asked: Semaphore,
    told: Names,
}

#[derive(Deserialize)]
struct Answer {
    active: bool,
    sub: Option<String>,
    scope: Option<String>,
    exp: Option<u64>,
    iss: Option<String>,
    aud: Option<Audience>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    More(Vec<String>),
}

impl Introspection {
    /// Asks at `url`, with the credentials that this server has there. `issuer` names the server in principals; a token must be
    /// for `audience`.
    ///
    /// # Errors
    ///
    /// When an answer from that address could be anybody's.
    pub fn new(
        issuer: impl Into<Box<str>>,
        audience: impl Into<Box<str>>,
        url: &str,
        client_id: &str,
        client_secret: &SecretString,
    ) -> Result<Self, InvalidUrl> {
        // RFC 6749, section 2.3.1: both are form-encoded first.
        let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let pair = format!("{}:{}", encode(client_id), encode(client_secret.expose_secret()));
        Ok(Self(Arc::new(Inner {
            issuer: issuer.into(),
            audience: audience.into(),
            url: fetch::checked(url)?,
            credentials: format!("Basic {}", STANDARD.encode(pair)).into(),
            fetcher: Fetcher::new(),
            kept: Cache::new(MAX_KEPT),
            asked: Semaphore::new(MAX_ASKED),
            told: Names::new(),
        })))
    }

    /// Hands these members of an answer on with the [principal](Principal::claim), such as a tenant, to packs that tell callers
    /// apart by them. Default: none.
    ///
    /// # Panics
    ///
    /// Panics when it is in use already.
    #[must_use]
    pub fn claims(mut self, names: impl IntoIterator<Item = impl Into<Box<str>>>) -> Self {
        let inner = Arc::get_mut(&mut self.0).expect("it is set up before it is used");
        inner.told = names.into_iter().map(Into::into).collect();
        self
    }
}

impl Inner {
    async fn ask(&self, token: &str) -> Result<Caller, Rejection> {
        // Whoever sends many tokens must not make this server send as many questions at once.
        let _asked = self.asked.try_acquire().map_err(|_| Rejection::Unavailable)?;
        let token: String = form_urlencoded::byte_serialize(token.as_bytes()).collect();
        let body = format!("token={token}&token_type_hint=access_token");
        let mut credentials =
            HeaderValue::from_str(self.credentials.expose_secret()).map_err(|_| Rejection::Unavailable)?;
        credentials.set_sensitive(true);
        let request = Request::post(self.url.clone())
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(ACCEPT, "application/json")
            .header(AUTHORIZATION, credentials)
            .body(Full::new(Bytes::from(body)))
            .map_err(|_| Rejection::Unavailable)?;
        let (body, _) = self.fetcher.send(request).await.map_err(|error| {
            tracing::warn!(%error, "the authorization server cannot be asked about a token");
            Rejection::Unavailable
        })?;
        let answer: Answer = serde_json::from_slice(&body).map_err(|_| Rejection::Unavailable)?;
        self.judge(answer, &body).ok_or(Rejection::Invalid)
    }

    fn judge(&self, answer: Answer, json: &[u8]) -> Option<Caller> {
        let Answer { active, sub, scope, exp, iss, aud } = answer;
        let is_meant = match aud? {
            Audience::One(audience) => *audience == *self.audience,
            Audience::More(audiences) => audiences.iter().any(|audience| **audience == *self.audience),
        };
        let is_ours = iss.is_none_or(|iss| *iss == *self.issuer);
        let expires = exp.filter(|expires| *expires > time::now())?;
        let subject = sub.filter(|sub| !sub.is_empty() && !sub.chars().any(char::is_control))?;
        if !(active && is_meant && is_ours) {
            return None;
        }
        let grant = Grant::new(Scopes::parse(&scope.unwrap_or_default())).until(expires).with_step_up();
        let principal = Principal::new(format!("{}#{subject}", self.issuer))
            .with_subject(subject, Some(&self.issuer))
            .with_scopes(grant.scopes().shared());
        Some(Caller { principal: tell(principal, &self.told, json)?, grant })
    }
}

#[async_trait]
impl Verify for Introspection {
    async fn verify(&self, token: &str) -> Result<Caller, Rejection> {
        let inner = &*self.0;
        let key: [u8; 32] = Sha256::digest(token).into();
        let kept = inner.kept.get(&key).filter(|(until, _)| *until > Instant::now());
        let answer = match kept {
            Some((_, answer)) => answer,
            None => {
                let answer = inner.ask(token).await;
                // That nobody could be asked is no answer.
                if answer.as_ref().err() != Some(&Rejection::Unavailable) {
                    inner.kept.insert(key, (Instant::now() + KEPT, answer.clone()));
                }
                answer
            }
        };
        match answer {
            Ok(caller) if caller.grant.has_ended() => Err(Rejection::Invalid),
            answer => answer,
        }
    }
}

impl fmt::Debug for Introspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Introspection").field("issuer", &self.0.issuer).finish_non_exhaustive()
    }
}
