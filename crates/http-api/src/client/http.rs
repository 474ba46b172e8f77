//! One HTTP client per API: connections, pooling, versions, decompression.

use std::error::Error as StdError;
use std::pin::{Pin, pin};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body as _, Incoming};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use secrecy::ExposeSecret;
use tower::Service;
use tower_http::decompression::{Decompression, DecompressionBody};

use super::connect::{Connector, Dialer, Resolve, Route, SystemResolver};
use super::{Redactor, tls};
use crate::config::{ApiConfig, ConfigError};
use crate::egress::AddressRules;
use crate::error::ApiError;

/// Bytes of an answer's headers at most.
const MOST_HEADER_BYTES: usize = 64 * 1024;

/// Idle connections that are kept to one host at most.
const MOST_IDLE: usize = 32;

/// A body as it arrives, decompressed.
pub(crate) type Body = DecompressionBody<Incoming>;

/// Sends requests. A clone is a handle to the same connections.
#[derive(Clone)]
pub(crate) struct HttpClient {
    client: Client<Connector, Full<Bytes>>,
}

impl HttpClient {
    pub(crate) fn new(
        config: &ApiConfig,
        resolver: Arc<dyn Resolve>,
        redactor: &mut Redactor,
    ) -> Result<Self, ConfigError> {
        let rules = config.address_rules();
        let route = match &config.proxy {
            None => Route::Direct(Dialer::new(resolver, rules)),
            Some(proxy) => {
                let address = proxy.url.parse().map_err(|_| ConfigError::new("proxy.url", "is not a URL"))?;
                // The operator chose the proxy, so its own address is not judged.
                let everything = AddressRules {
                    allow_private_networks: true,
                    allowed_networks: vec![
                        ipnet::Ipv4Net::default().into(),
                        ipnet::Ipv6Net::default().into(),
                    ],
                };
                let mut tunnel = Tunnel::new(address, Dialer::new(Arc::new(SystemResolver), everything));
                if let (Some(username), Some(password)) = (&proxy.username, proxy.password()?) {
                    let password = password.read("proxy.password")?;
                    redactor.add(password.expose_secret());
                    let pair = STANDARD.encode(format!("{username}:{}", password.expose_secret()));
                    let header = HeaderValue::from_maybe_shared(Bytes::from(format!("Basic {pair}")))
                        .map_err(|_| ConfigError::new("proxy.password", "cannot be sent"))?;
                    tunnel = tunnel.with_auth(header);
                }
                Route::Proxied { tunnel, rules: Arc::new(rules) }
            }
        };
        let https = HttpsConnectorBuilder::new()
            .with_tls_config(tls::client_config(config.ca_file.as_deref())?)
            .https_or_http()
            .enable_all_versions()
            .wrap_connector(route);
        let connector = Connector { https: Arc::new(https), within: config.connect_timeout };
        let client = Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(config.idle_timeout)
            .pool_max_idle_per_host(MOST_IDLE)
            .http1_max_buf_size(MOST_HEADER_BYTES)
            .http2_max_header_list_size(MOST_HEADER_BYTES as u32)
            .build(connector);
        Ok(Self { client })
    }

    /// Sends a request and waits for the head of the answer.
    pub(crate) async fn send(&self, request: Request<Full<Bytes>>) -> Result<Response<Body>, ApiError> {
        // A client is always ready: it opens a connection when it is called.
        Decompression::new(&self.client).call(request).await.map_err(|error| {
            tracing::debug!(error = &error as &dyn StdError, "no answer of an API");
            reason(&error)
        })
    }
}

/// Reads a body up to a bound; says whether there was more.
pub(crate) async fn read_body(body: Body, most: usize) -> Result<(Bytes, bool), ApiError> {
    let mut body = pin!(body);
    let Some(first) = next_data(body.as_mut()).await? else { return Ok((Bytes::new(), false)) };
    if body.is_end_stream() && first.len() <= most {
        // Most answers arrive in one piece, which nobody needs to copy.
        return Ok((first, false));
    }
    let mut read = Vec::from(&first[..first.len().min(most)]);
    let mut is_cut = first.len() > most;
    while !is_cut && let Some(data) = next_data(body.as_mut()).await? {
        let room = most - read.len();
        is_cut = data.len() > room;
        read.extend_from_slice(&data[..data.len().min(room)]);
    }
    Ok((read.into(), is_cut))
}

async fn next_data(mut body: Pin<&mut Body>) -> Result<Option<Bytes>, ApiError> {
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            tracing::debug!(%error, "an API's answer broke off");
            if error.is::<hyper::Error>() { ApiError::Cut } else { broken_body(&*error) }
        })?;
        // Trailers are nobody's business here.
        if let Ok(data) = frame.into_data() {
            return Ok(Some(data));
        }
    }
    Ok(None)
}

/// What broke a body that is decompressed: the connection, or the compression itself.
fn broken_body(error: &(dyn StdError + 'static)) -> ApiError {
    let is_connection = chain(error).any(<dyn StdError>::is::<hyper::Error>);
    let is_short = chain(error)
        .filter_map(|error| error.downcast_ref::<std::io::Error>())
        .any(|error| error.kind() == std::io::ErrorKind::UnexpectedEof);
    if is_connection || is_short { ApiError::Cut } else { ApiError::Malformed }
}

/// Why there is no answer, from what the layers of the client say.
fn reason(error: &hyper_util::client::legacy::Error) -> ApiError {
    if error.is_connect() {
        return connect_reason(error);
    }
    for error in chain(error) {
        if let Some(error) = error.downcast_ref::<hyper::Error>()
            && (error.is_parse() || error.is_parse_status())
        {
            return ApiError::Malformed;
        }
    }
    ApiError::Lost
}

fn connect_reason(error: &hyper_util::client::legacy::Error) -> ApiError {
    for error in chain(error) {
        if let Some(ours) = error.downcast_ref::<ApiError>() {
            return match ours {
                ApiError::Address { kind } => ApiError::Address { kind: *kind },
                ApiError::NameNotFound => ApiError::NameNotFound,
                ApiError::ConnectTimeout { within } => ApiError::ConnectTimeout { within: *within },
                ApiError::Proxy => ApiError::Proxy,
                _ => ApiError::Unreachable,
            };
        }
        match error.downcast_ref::<rustls::Error>() {
            Some(rustls::Error::InvalidCertificate(_)) => return ApiError::Certificate,
            Some(_) => return ApiError::Tls,
            None => {}
        }
    }
    ApiError::Tls
}

/// An error and what caused it; an I/O error shows what it wraps as itself, not as its source.
fn chain<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |&error| {
        let wrapped = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        wrapped.map(|error| error as &(dyn StdError + 'static)).or_else(|| error.source())
    })
}
