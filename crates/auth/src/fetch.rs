//! What is asked of an issuer, within bounds.
//!
//! The addresses come from settings and never from a token, so there is no one to keep from choosing them. What an issuer
//! answers is still bounded in time and size, and a redirect is not followed: it could lead anywhere.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::CACHE_CONTROL;
use http::{HeaderMap, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::{ClientConfig, RootCertStore};

/// For everything: finding the address, connecting, TLS, and the answer to its last byte.
const TIMEOUT: Duration = Duration::from_secs(3);
/// Of an answer.
const MAX_BYTES: usize = 256 * 1024;

/// An address that no keys may come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be an https:// URL without user and password; http:// is for this machine itself alone (127.0.0.1, [::1], localhost)"
)]
pub struct InvalidUrl;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    #[error("no answer within {TIMEOUT:?}")]
    Timeout,
    #[error("no connection, or one that broke")]
    Connection,
    #[error("the answer's status is {0}")]
    Status(StatusCode),
    #[error("the answer is cut off, or larger than {MAX_BYTES} bytes")]
    Body,
}

/// Asks over HTTP.
#[derive(Clone, Debug)]
pub(crate) struct Fetcher(Client<HttpsConnector<HttpConnector>, Full<Bytes>>);

impl Fetcher {
    /// One that trusts the certificates that the system trusts.
    pub(crate) fn new() -> Self {
        let mut roots = RootCertStore::empty();
        // Without any, every connection with TLS fails, and says so.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the provider has the default versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_connect_timeout(Some(TIMEOUT));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .enable_http2()
            .wrap_connector(tcp);
        Self(Client::builder(TokioExecutor::new()).pool_max_idle_per_host(2).build(connector))
    }

    /// The body of a good answer, and how long it may be kept, if the answer says so.
    ///
    /// # Errors
    ///
    /// Any answer but 200 is one.
    pub(crate) async fn send(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<(Bytes, Option<Duration>), FetchError> {
        tokio::time::timeout(TIMEOUT, self.exchange(request)).await.map_err(|_| FetchError::Timeout)?
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<(Bytes, Option<Duration>), FetchError> {
        let response = self.0.request(request).await.map_err(|_| FetchError::Connection)?;
        if response.status() != StatusCode::OK {
            return Err(FetchError::Status(response.status()));
        }
        let max_age = max_age(response.headers());
        let body = Limited::new(response.into_body(), MAX_BYTES).collect().await;
        Ok((body.map_err(|_| FetchError::Body)?.to_bytes(), max_age))
    }
}

/// An address of an issuer.
///
/// # Errors
///
/// When what comes from there could come from anybody.
pub(crate) fn checked(url: &str) -> Result<Uri, InvalidUrl> {
    let uri: Uri = url.parse().map_err(|_| InvalidUrl)?;
    let authority = uri.authority().ok_or(InvalidUrl)?;
    let is_local = || matches!(authority.host(), "127.0.0.1" | "[::1]" | "localhost");
    let is_safe = match uri.scheme_str() {
        Some("https") => true,
        Some("http") => is_local(),
        _ => false,
    };
    if is_safe && !authority.as_str().contains('@') { Ok(uri) } else { Err(InvalidUrl) }
}

fn max_age(headers: &HeaderMap) -> Option<Duration> {
    let mut values = headers.get_all(CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    values.find_map(|value| {
        let age = value.split(',').find_map(|part| part.trim().strip_prefix("max-age="))?;
        age.trim_matches('"').parse().ok().map(Duration::from_secs)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_over_tls_or_from_this_machine() {
        for url in
            ["https://id.example/keys", "http://127.0.0.1:1/keys", "http://[::1]/", "http://localhost/"]
        {
            assert!(checked(url).is_ok(), "{url}");
        }
        for url in [
            "http://id.example/keys",
            "http://127.0.0.1.example/",
            "http://localhost@id.example/",
            "https://user:secret@id.example/",
            "ftp://id.example/",
            "/keys",
            "",
        ] {
            assert_eq!(checked(url), Err(InvalidUrl), "{url}");
        }
    }
}
