//! Whom a connection trusts, and which version of HTTP is spoken over it.

use std::sync::{Arc, Mutex};

use rcgen::{CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use towline_core::{Context, ErrorKind};
use towline_http_api::{Api, ApiConfig, ApiRequest};

use crate::common::{self, Seen, json};

/// An authority of one's own, as a file, and what it signed for 127.0.0.1.
struct Authority {
    file: tempfile::NamedTempFile,
    server: ServerConfig,
}

fn authority(alpn: &[&str]) -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "an authority of one's own");
    let key = KeyPair::generate().unwrap();
    let root = params.self_signed(&key).unwrap();
    let issuer = Issuer::new(params, key);

    let leaf_key = KeyPair::generate().unwrap();
    let leaf =
        CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().signed_by(&leaf_key, &issuer).unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), root.pem()).unwrap();

    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(leaf_key.serialize_der()));
    let mut server = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], private)
        .unwrap();
    server.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    Authority { file, server }
}

/// Serves over TLS; tells where, and what arrives.
async fn serve(server: ServerConfig) -> (u16, Arc<Mutex<Vec<Seen>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (log, acceptor) = (Arc::clone(&seen), TlsAcceptor::from(Arc::new(server)));
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (acceptor, log) = (acceptor.clone(), Arc::clone(&log));
            tokio::spawn(async move {
                if let Ok(stream) = acceptor.accept(stream).await {
                    common::serve(stream, log, Arc::new(|_: &Seen| json("{}"))).await;
                }
            });
        }
    });
    (port, seen)
}

fn config(port: u16) -> ApiConfig {
    let mut config = ApiConfig::new(format!("https://127.0.0.1:{port}/v1"));
    config.allow_private_networks = true;
    config.retry.max_attempts = std::num::NonZeroU32::MIN;
    config
}

#[tokio::test]
async fn an_unknown_authority_is_not_trusted_and_a_configured_one_is() {
    let authority = authority(&[]);
    let (port, seen) = serve(authority.server).await;
    let error = Api::new("unknown", config(port)).unwrap();
    let error = error.execute(ApiRequest::get("/x"), &Context::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.message().contains("certificate is not trusted"), "{error}");
    assert!(seen.lock().unwrap().is_empty());

    let mut known = config(port);
    known.ca_file = Some(authority.file.path().to_owned());
    let api = Api::new("known", known).unwrap();
    assert_eq!(api.execute(ApiRequest::get("/x"), &Context::default()).await.unwrap().status, 200);
}

#[tokio::test]
async fn a_certificate_for_another_name_is_not_trusted() {
    let authority = authority(&[]);
    let (port, seen) = serve(authority.server).await;
    let mut config = config(port);
    config.base_url = Some(format!("https://localhost:{port}/v1").into());
    config.ca_file = Some(authority.file.path().to_owned());
    let api = Api::new("other", config).unwrap();
    let error = api.execute(ApiRequest::get("/x"), &Context::default()).await.unwrap_err();
    assert!(error.message().contains("certificate is not trusted"), "{error}");
    assert!(seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn http_2_is_spoken_where_the_api_speaks_it_and_connections_are_kept() {
    for (alpn, version) in
        [(&["h2", "http/1.1"][..], http::Version::HTTP_2), (&["http/1.1"], http::Version::HTTP_11)]
    {
        let authority = authority(alpn);
        let (port, seen) = serve(authority.server).await;
        let mut config = config(port);
        config.ca_file = Some(authority.file.path().to_owned());
        let api = Api::new("versions", config).unwrap();
        for _ in 0..3 {
            api.execute(ApiRequest::get("/x"), &Context::default()).await.unwrap();
        }
        let seen = seen.lock().unwrap();
        assert_eq!(seen.len(), 3);
        assert!(seen.iter().all(|seen| seen.version == version));
    }
}

#[test]
fn a_file_without_roots_is_no_file_of_roots() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut config = config(1);
    config.ca_file = Some(file.path().to_owned());
    let error = Api::new("a", config).unwrap_err();
    assert_eq!(error.to_string(), "API `a`: `ca_file` names a file that holds no certificate");
}
