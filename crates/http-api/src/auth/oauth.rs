//! OAuth 2 client credentials: one token for all requests, renewed before it expires.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Uri};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tokio::time::Instant;

use crate::client::{HttpClient, Redactor, read_body};
use crate::config::{ClientAuth, ConfigError, OAuthConfig};
use crate::encode::encode;
use crate::error::ApiError;

/// Bytes of a token endpoint's answer at most.
const MOST_BYTES: usize = 64 * 1024;

/// A token whose life the endpoint does not tell is renewed after this time.
const USUAL_LIFE: Duration = Duration::from_secs(300);

/// A token is renewed when this share of its life is over, so that none expires on its way.
const RENEWED_AT: f64 = 0.9;

/// Tokens that answers are searched for: the present one and those before it, which may still be under way.
const REMEMBERED: usize = 3;

/// Gets tokens for an API.
pub(crate) struct OAuth {
    endpoint: Uri,
    body: SecretString,
    basic: Option<HeaderValue>,
    state: Mutex<State>,
    /// Held while a token is fetched, so that one request fetches it for all.
    fetching: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    token: Option<Token>,
    /// When a fetch last failed: those who waited for it need not repeat it.
    failed: Option<(Instant, bool)>,
    redactors: Vec<Redactor>,
}

/// A token, as the header says it.
#[derive(Clone)]
pub(crate) struct Token {
    pub(crate) header: HeaderValue,
    renew_at: Instant,
    number: Arc<()>,
}

impl OAuth {
    pub(super) fn new(config: &OAuthConfig, redactor: &mut Redactor) -> Result<Self, ConfigError> {
        let endpoint = config.token_base()?.join("", None);
        let endpoint = endpoint.map_err(|_| ConfigError::new("token_url", "is not a plain URL"))?;
        let secret = config.client_secret.read("client_secret")?;
        redactor.add(secret.expose_secret());

        let mut pairs = vec![("grant_type", "client_credentials".to_owned())];
        if !config.scopes.is_empty() {
            pairs.push(("scope", config.scopes.join(" ")));
        }
        let given = config.parameters.iter().map(|(name, value)| (name.as_str(), value.clone()));
        pairs.extend(given);
        let basic = match config.client_auth {
            ClientAuth::Body => {
                pairs.push(("client_id", config.client_id.clone()));
                pairs.push(("client_secret", secret.expose_secret().to_owned()));
                None
            }
            ClientAuth::Header => {
                // RFC 6749, section 2.3.1: both are form-encoded first.
                let pair = format!("{}:{}", encode(&config.client_id), encode(secret.expose_secret()));
                let pair = STANDARD.encode(pair);
                redactor.add(&pair);
                let mut value = HeaderValue::from_maybe_shared(Bytes::from(format!("Basic {pair}")))
                    .map_err(|_| ConfigError::new("client_secret", "cannot be sent"))?;
                value.set_sensitive(true);
                Some(value)
            }
        };
        let body: Vec<String> =
            pairs.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
        Ok(Self {
            endpoint,
            body: SecretString::from(body.join("&")),
            basic,
            state: Mutex::default(),
            fetching: tokio::sync::Mutex::default(),
        })
    }

    /// The token to send, fetched if need be.
    pub(crate) async fn token(&self, client: &HttpClient) -> Result<Token, ApiError> {
        if let Some(token) = self.present() {
            return Ok(token);
        }
        let asked = Instant::now();
        let _fetching = self.fetching.lock().await;
        // Somebody may have fetched it meanwhile, or failed to.
        if let Some(token) = self.present() {
            return Ok(token);
        }
        let failed = self.with(|state| state.failed);
        if let Some((_, is_refused)) = failed.filter(|(at, _)| *at > asked) {
            return Err(if is_refused { ApiError::CredentialsRefused } else { ApiError::NoToken });
        }
        let fetched = self.fetch(client).await;
        self.with(|state| match &fetched {
            Ok((token, redactor)) => {
                state.token = Some(token.clone());
                state.failed = None;
                state.redactors.insert(0, redactor.clone());
                state.redactors.truncate(REMEMBERED);
            }
            Err(error) => {
                state.failed = Some((Instant::now(), matches!(error, ApiError::CredentialsRefused)));
            }
        });
        fetched.map(|(token, _)| token)
    }

    /// Forgets a token that the API does not take, unless there is a newer one.
    pub(crate) fn forget(&self, refused: &Token) {
        self.with(|state| {
            if state.token.as_ref().is_some_and(|token| Arc::ptr_eq(&token.number, &refused.number)) {
                state.token = None;
            }
        });
    }

    /// What takes tokens out of answers.
    pub(crate) fn redactors(&self) -> Vec<Redactor> {
        self.with(|state| state.redactors.clone())
    }

    fn present(&self) -> Option<Token> {
        let now = Instant::now();
        self.with(|state| state.token.clone()).filter(|token| token.renew_at > now)
    }

    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn fetch(&self, client: &HttpClient) -> Result<(Token, Redactor), ApiError> {
        #[derive(Deserialize)]
        struct Granted {
            access_token: SecretString,
            token_type: Option<String>,
            expires_in: Option<serde_json::Number>,
        }
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(self.endpoint.clone())
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(ACCEPT, "application/json");
        if let Some(basic) = &self.basic {
            request = request.header(AUTHORIZATION, basic.clone());
        }
        let body = Bytes::copy_from_slice(self.body.expose_secret().as_bytes());
        let request = request.body(body.into()).map_err(|_| ApiError::NoToken)?;
        let asked = Instant::now();
        let response = client.send(request).await?;
        let status = response.status();
        let (body, is_cut) = read_body(response.into_body(), MOST_BYTES).await?;
        if !status.is_success() {
            tracing::warn!(status = status.as_u16(), "an API's token endpoint refuses");
            // A redirect is not followed either: the configuration names the endpoint, and nobody else does.
            let is_refused = status.is_client_error() && status.as_u16() != 429 && status.as_u16() != 408;
            return Err(if is_refused { ApiError::CredentialsRefused } else { ApiError::NoToken });
        }
        let granted: Granted =
            serde_json::from_slice(&body).ok().filter(|_| !is_cut).ok_or(ApiError::NoToken)?;
        if granted.token_type.is_some_and(|kind| !kind.eq_ignore_ascii_case("bearer")) {
            return Err(ApiError::NoToken);
        }
        let token = granted.access_token.expose_secret();
        let mut redactor = Redactor::default();
        redactor.add(token);
        let mut header = HeaderValue::from_maybe_shared(Bytes::from(format!("Bearer {token}")))
            .map_err(|_| ApiError::NoToken)?;
        header.set_sensitive(true);
        // Some say it as a fraction.
        let told = granted.expires_in.and_then(|seconds| Duration::try_from_secs_f64(seconds.as_f64()?).ok());
        let life = told.unwrap_or(USUAL_LIFE).min(Duration::from_secs(24 * 60 * 60));
        let token = Token { header, renew_at: asked + life.mul_f64(RENEWED_AT), number: Arc::new(()) };
        Ok((token, redactor))
    }
}
