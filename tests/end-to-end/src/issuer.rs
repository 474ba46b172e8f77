//! An authorization server on this machine.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// An authorization server that gives its one client the scopes that it asks for, and says what its tokens are worth (RFC 7662).
#[derive(Debug)]
pub struct Issuer {
    address: SocketAddr,
    grants: Grants,
    _serving: JoinSet<()>,
}

/// What the client asked for, in order. A token's number is the place of its grant.
type Grants = Arc<Mutex<Vec<Grant>>>;

/// A token that was given.
#[derive(Clone, Debug)]
pub struct Grant {
    /// The scopes that were asked for.
    pub scopes: String,
    /// For which server.
    pub resource: String,
}

impl Issuer {
    /// The name and the password of the client, as HTTP's basic authentication has them: `me` and `pass`.
    pub const CREDENTIALS: &str = "Basic bWU6cGFzcw==";

    /// Starts one.
    pub async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a loopback port is free");
        let address = listener.local_addr().expect("a listener has an address");
        let grants = Grants::default();
        let (mut serving, given) = (JoinSet::new(), Arc::clone(&grants));
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let given = Arc::clone(&given);
                let answer = service_fn(move |request| answer(request, address, Arc::clone(&given)));
                let connection =
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), answer);
                connections.spawn(async move { drop(connection.await) });
            }
        });
        Self { address, grants, _serving: serving }
    }

    /// Its name, which is also where it is.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The tokens that it has given, in order.
    pub fn grants(&self) -> Vec<Grant> {
        self.grants.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn answer(
    request: Request<Incoming>,
    address: SocketAddr,
    grants: Grants,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = match body.collect().await {
        Ok(body) => body.to_bytes(),
        Err(_) => Bytes::new(),
    };
    let form = String::from_utf8_lossy(&body).into_owned();
    let is_client = head.headers.get(AUTHORIZATION).is_some_and(|sent| sent == Issuer::CREDENTIALS);
    let url = format!("http://{address}");
    let (status, json) = match (&head.method, head.uri.path()) {
        (&Method::GET, "/.well-known/oauth-authorization-server") => (
            StatusCode::OK,
            json!({
                "issuer": url,
                "token_endpoint": format!("{url}/token"),
                "authorization_endpoint": format!("{url}/authorize"),
                "response_types_supported": ["code"],
                "grant_types_supported": ["client_credentials"],
                "token_endpoint_auth_methods_supported": ["client_secret_basic"],
                "code_challenge_methods_supported": ["S256"],
            }),
        ),
        (&Method::POST, "/token" | "/introspect") if !is_client => {
            (StatusCode::UNAUTHORIZED, json!({"error": "invalid_client"}))
        }
        (&Method::POST, "/token") => (StatusCode::OK, give(&form, &grants)),
        (&Method::POST, "/introspect") => (StatusCode::OK, tell(&form, &url, &grants)),
        _ => (StatusCode::NOT_FOUND, json!({"error": "not_found"})),
    };
    let response = Response::builder().status(status).header(CONTENT_TYPE, "application/json");
    Ok(response.body(Full::new(json.to_string().into())).expect("it is a response"))
}

fn give(form: &str, grants: &Grants) -> Value {
    let mut grants = grants.lock().unwrap_or_else(PoisonError::into_inner);
    let token = format!("token-{}", grants.len());
    let scopes = field(form, "scope");
    grants.push(Grant { scopes: scopes.clone(), resource: field(form, "resource") });
    json!({"access_token": token, "token_type": "Bearer", "expires_in": 600, "scope": scopes})
}

fn tell(form: &str, url: &str, grants: &Grants) -> Value {
    let token = field(form, "token");
    let grants = grants.lock().unwrap_or_else(PoisonError::into_inner);
    let number = token.strip_prefix("token-").and_then(|number| number.parse::<usize>().ok());
    let Some(grant) = number.and_then(|number| grants.get(number)) else { return json!({"active": false}) };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    json!({
        "active": true,
        "iss": url,
        "sub": "ann",
        "aud": grant.resource,
        "exp": now + 600,
        "scope": grant.scopes,
        "tenant": "north",
    })
}

/// A field of a form.
fn field(form: &str, name: &str) -> String {
    let mut pairs = form.split('&').filter_map(|pair| pair.split_once('='));
    let value = pairs.find(|(own, _)| *own == name).map(|(_, value)| value.replace('+', " "));
    let mut parts = value.unwrap_or_default();
    while let Some(at) = parts.find('%') {
        let byte = parts.get(at + 1..at + 3).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        let Some(byte) = byte.filter(|byte| *byte != b'%' && byte.is_ascii()) else { break };
        parts.replace_range(at..at + 3, char::from(byte).encode_utf8(&mut [0; 4]));
    }
    parts
}
