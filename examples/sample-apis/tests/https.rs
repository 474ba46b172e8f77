//! HTTPS, with an authority that is trusted or not, over HTTP/1.1 and HTTP/2.

mod client;

use std::sync::Arc;

use bytes::Bytes;
use client::{Failed, LONG, Reply, request};
use http::{Response, Version};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use sample_apis::{CutAt, Fault, Options, Origin, Part, RedirectTo, Rule, Upstream};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

const CITY: &str = "/weather/forecast?city=Berlin";

async fn start() -> Upstream {
    Upstream::start(Options::with_https()).await.unwrap()
}

/// A handshake as `name`, with the authority of `trusted`.
async fn connect(
    upstream: &Upstream,
    trusted: &Upstream,
    name: &'static str,
    protocol: &str,
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    let pem = trusted.authority_pem().unwrap();
    roots.add(CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.into()];
    let url = upstream.https_url().unwrap();
    let port: u16 = url.strip_prefix("https://localhost:").unwrap().parse().unwrap();
    let stream = TcpStream::connect(("127.0.0.1", port)).await?;
    TlsConnector::from(Arc::new(config)).connect(ServerName::try_from(name).unwrap(), stream).await
}

async fn over_http1(upstream: &Upstream, path: &str) -> Result<Response<Incoming>, Failed> {
    let stream = connect(upstream, upstream, "localhost", "http/1.1").await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender.send_request(request("GET", path, &[], "")).await?)
}

async fn http2(upstream: &Upstream) -> http2::SendRequest<Full<Bytes>> {
    let stream = connect(upstream, upstream, "localhost", "h2").await.unwrap();
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

#[tokio::test]
async fn who_trusts_the_authority_is_answered_under_each_of_its_names() {
    let upstream = start().await;
    for name in ["localhost", "127.0.0.1", "::1"] {
        connect(&upstream, &upstream, name, "http/1.1").await.unwrap();
    }
    connect(&upstream, &upstream, "elsewhere.test", "http/1.1").await.unwrap_err();
    let reply = Reply::read(over_http1(&upstream, CITY).await.unwrap()).await.unwrap();
    assert_eq!((reply.status.as_u16(), reply.json()["city"].as_str()), (200, Some("Berlin")));
    let issues = "/github/repos/octocat/hello-world/issues";
    let reply = Reply::read(over_http1(&upstream, issues).await.unwrap()).await.unwrap();
    assert!(reply.header("link").unwrap().starts_with("<https://sample.test/github"));
}

#[tokio::test]
async fn who_trusts_another_authority_sends_nothing() {
    let (upstream, other) = (start().await, start().await);
    let error = connect(&upstream, &other, "localhost", "http/1.1").await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidData, "{error}");
    assert_eq!(upstream.requests().len(), 0);
}

#[tokio::test]
async fn http2_is_spoken_to_those_who_ask_for_it() {
    let upstream = start().await;
    let mut sender = http2(&upstream).await;
    let ask = |path: &str| request("GET", &format!("https://localhost{path}"), &[("host", "localhost")], "");
    // Two at once on one connection: the first is the slower.
    upstream.fault(Rule::new("/weather", Fault::slow(std::time::Duration::from_millis(200))));
    let slow = sender.send_request(ask(CITY));
    let mut quick = sender.clone();
    let echo = quick.send_request(ask("/echo")).await.unwrap();
    assert_eq!((echo.status().as_u16(), echo.version()), (200, Version::HTTP_2));
    assert_eq!(slow.await.unwrap().status(), 200);
    let requests = upstream.requests();
    assert!(
        requests.iter().all(|request| request.version == Version::HTTP_2 && request.origin == Origin::Https)
    );
    assert_eq!(requests[0].connection, requests[1].connection);
}

#[tokio::test]
async fn faults_of_bytes_reset_a_stream_of_http2_and_the_connection_goes_on() {
    let upstream = start().await;
    let mut sender = http2(&upstream).await;
    let ask = || request("GET", &format!("https://localhost{CITY}"), &[("host", "localhost")], "");
    for fault in [Fault::cut(CutAt::Start), Fault::cut(CutAt::Headers), Fault::malformed(Part::Header)] {
        upstream.fault(Rule::new("/weather", fault.clone()).times(1));
        assert!(sender.send_request(ask()).await.is_err(), "{fault:?}");
    }
    upstream.fault(Rule::new("/weather", Fault::cut(CutAt::Body)).times(1));
    let response = sender.send_request(ask()).await.unwrap();
    assert!(Reply::read(response).await.is_err());
    assert_eq!(sender.send_request(ask()).await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_redirect_to_another_origin_leads_away_from_https() {
    let upstream = start().await;
    upstream.fault(Rule::new("/weather", Fault::redirect(RedirectTo::OtherOrigin)));
    let response = over_http1(&upstream, CITY).await.unwrap();
    assert_eq!(response.headers()["location"], format!("{}{CITY}", upstream.other_url()));
}

#[tokio::test]
async fn streams_of_http2_end_with_the_handle() {
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let before = tasks();
    let upstream = start().await;
    let mut sender = http2(&upstream).await;
    upstream.fault(Rule::new("/weather", Fault::Hang));
    let hanging = sender.send_request(request(
        "GET",
        &format!("https://localhost{CITY}"),
        &[("host", "localhost")],
        "",
    ));
    let hanging = tokio::spawn(hanging);
    while upstream.count("/weather") == 0 {
        tokio::task::yield_now().await;
    }
    drop(upstream);
    timeout(LONG, hanging).await.unwrap().unwrap().unwrap_err();
    drop(sender);
    let end = async {
        while tasks() > before {
            tokio::task::yield_now().await;
        }
    };
    timeout(LONG, end).await.unwrap();
}

#[tokio::test]
async fn https_is_refused_and_accepted_together_with_http() {
    let upstream = start().await;
    upstream.refuse().await;
    let error = connect(&upstream, &upstream, "localhost", "h2").await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
    upstream.accept().await;
    connect(&upstream, &upstream, "localhost", "h2").await.unwrap();
}
