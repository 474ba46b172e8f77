//! Tokens for client credentials (RFC 6749, section 4.4), and a report that wants one.

use std::collections::VecDeque;
use std::time::Duration;

use http::StatusCode;
use http::header::CACHE_CONTROL;
use serde_json::json;
use tokio::time::Instant;

use crate::answer::{Answer, challenge, json, set};
use crate::call::Call;

/// The client that `/oauth/token` knows.
pub const CLIENT_ID: &str = "sample-client";

/// The secret of [`CLIENT_ID`].
pub const CLIENT_SECRET: &str = "sample-client-secret";

const SCOPE: &str = "reports";

/// Tokens that are good, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    good: VecDeque<(String, Instant)>,
    given: u64,
}

impl Tokens {
    /// Good tokens at most; the oldest is forgotten first.
    const KEPT: usize = 1000;

    fn give(&mut self, lifetime: Duration) -> String {
        self.given += 1;
        let token = format!("sample-token-{}", self.given);
        if self.good.len() >= Self::KEPT {
            self.good.pop_front();
        }
        self.good.push_back((token.clone(), Instant::now() + lifetime));
        token
    }

    fn is_good(&self, token: &str) -> bool {
        self.good.iter().any(|(good, until)| good == token && Instant::now() < *until)
    }

    pub(crate) fn revoke(&mut self) {
        self.good.clear();
    }
}

pub(crate) fn token(call: &Call<'_>) -> Answer {
    let failed = |status, code| json(status, &json!({ "error": code }));
    if !call.is_form() {
        return failed(StatusCode::BAD_REQUEST, "invalid_request");
    }
    let in_body = || Some((call.form("client_id")?, call.form("client_secret")?));
    let Some((id, secret)) = call.basic().or_else(in_body) else {
        return challenge(failed(StatusCode::UNAUTHORIZED, "invalid_client"), "Basic");
    };
    if (id.as_str(), secret.as_str()) != (CLIENT_ID, CLIENT_SECRET) {
        return challenge(failed(StatusCode::UNAUTHORIZED, "invalid_client"), "Basic");
    }
    match call.form("grant_type").as_deref() {
        Some("client_credentials") => {}
        Some(_) => return failed(StatusCode::BAD_REQUEST, "unsupported_grant_type"),
        None => return failed(StatusCode::BAD_REQUEST, "invalid_request"),
    }
    if call.form("scope").is_some_and(|scope| scope != SCOPE) {
        return failed(StatusCode::BAD_REQUEST, "invalid_scope");
    }
    let lifetime = call.state.options.token_lifetime;
    let token = call.state.tokens().give(lifetime);
    let mut answer = json(
        StatusCode::OK,
        &json!({
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": lifetime.as_secs(),
            "scope": SCOPE,
        }),
    );
    set(&mut answer, CACHE_CONTROL, "no-store");
    answer
}

pub(crate) fn report(call: &Call<'_>) -> Answer {
    let refused = |detail| json(StatusCode::UNAUTHORIZED, &json!({ "message": detail }));
    let Some(token) = call.bearer() else {
        return challenge(refused("a token is missing"), "Bearer");
    };
    if !call.state.tokens().is_good(token) {
        return challenge(refused("the token is unknown or has expired"), "Bearer error=\"invalid_token\"");
    }
    json(
        StatusCode::OK,
        &json!({
            "client": CLIENT_ID,
            "months": [
                { "month": "2025-10", "orders": 412, "revenue": 30_871.5 },
                { "month": "2025-11", "orders": 508, "revenue": 39_404.0 },
                { "month": "2025-12", "orders": 731, "revenue": 61_290.25 },
            ],
        }),
    )
}
