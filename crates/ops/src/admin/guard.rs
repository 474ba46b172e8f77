//! Who may see what.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{AUTHORIZATION, HOST, ORIGIN, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use subtle::ConstantTimeEq;

use super::Admin;

/// Lets through who knows the password; without one, who is on this machine and says so: a page of another name that an
/// attacker makes point here says another.
pub(super) async fn operators(
    State(admin): State<Admin>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    let headers = request.headers();
    if let Some(token) = &admin.0.token {
        if !knows(headers, token) {
            let challenge = [(WWW_AUTHENTICATE, "Basic realm=\"administration\", charset=\"UTF-8\"")];
            return (StatusCode::UNAUTHORIZED, challenge, "a password is needed").into_response();
        }
    } else if !peer.ip().is_loopback() || !host(headers).is_some_and(is_local) {
        let why = "this is for the server's own machine; set admin.token_file to see it from elsewhere";
        return (StatusCode::FORBIDDEN, why).into_response();
    }
    // Browsers say from where a page sends something.
    let origin = headers.get(ORIGIN).map(|origin| origin.to_str().unwrap_or("null"));
    let own = |origin: &str| origin.split_once("://").map(|(_, rest)| rest) == host(headers);
    if origin.is_some_and(|origin| !own(origin)) {
        return (StatusCode::FORBIDDEN, "other pages may not").into_response();
    }
    next.run(request).await
}

fn host(headers: &HeaderMap) -> Option<&str> {
    headers.get(HOST)?.to_str().ok()
}

fn is_local(host: &str) -> bool {
    let name = host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
    let name = name.map_or(host, |(name, _)| name);
    let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    name.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

/// Whether the password is there, as a bearer token or as browsers send what they ask for.
fn knows(headers: &HeaderMap, token: &str) -> bool {
    let Some(sent) = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()) else { return false };
    let same = |given: &[u8]| bool::from(given.ct_eq(token.as_bytes()));
    if let Some(given) = sent.strip_prefix("Bearer ") {
        return same(given.as_bytes());
    }
    let pair = sent.strip_prefix("Basic ").and_then(|pair| BASE64.decode(pair).ok());
    let pair = pair.unwrap_or_default();
    pair.iter().position(|byte| *byte == b':').is_some_and(|at| same(&pair[at + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_names() {
        for name in ["localhost", "LOCALHOST:9090", "127.0.0.1:9090", "[::1]:9090", "[::1]"] {
            assert!(is_local(name), "{name}");
        }
        for name in ["evil.test", "evil.test:9090", "localhost.evil.test", "10.0.0.1:9090", "", "::2"] {
            assert!(!is_local(name), "{name}");
        }
    }

    #[test]
    fn a_password_is_sent_in_two_ways() {
        let sent = |value: &str| HeaderMap::from_iter([(AUTHORIZATION, value.parse().unwrap())]);
        let token = "correct horse battery";
        assert!(knows(&sent("Bearer correct horse battery"), token));
        assert!(knows(&sent(&format!("Basic {}", BASE64.encode("any:correct horse battery"))), token));
        for wrong in ["Bearer correct", "Basic !!", "Basic YQ==", "correct horse battery", "Bearer "] {
            assert!(!knows(&sent(wrong), token), "{wrong}");
        }
    }
}
