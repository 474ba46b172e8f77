//! Where requests go: addresses, redirects, names that change, headers, methods and paths.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::common::{Upstream, answer, json};
use http::Method;
use towline_core::{Context, Error, ErrorKind};
use towline_http_api::{
    Api, ApiConfig, ApiRequest, ApiResponse, AuthConfig, ProxyConfig, Resolve, Resolving, Secret,
};

async fn get(api: &Api, path: &str) -> Result<ApiResponse, Error> {
    api.execute(ApiRequest::get(path), &Context::default()).await
}

/// Answers from a script, the last answer for ever.
#[derive(Clone)]
struct Script {
    answers: Vec<Vec<IpAddr>>,
    asked: Arc<AtomicUsize>,
}

impl Script {
    fn new(answers: &[&[&str]]) -> Self {
        let parse = |list: &&[&str]| list.iter().map(|address| address.parse().unwrap()).collect();
        Self { answers: answers.iter().map(parse).collect(), asked: Arc::default() }
    }
}

impl Resolve for Script {
    fn resolve(&self, _: &str) -> Resolving {
        let at = self.asked.fetch_add(1, Ordering::Relaxed).min(self.answers.len() - 1);
        let answer = self.answers[at].clone();
        Box::pin(async move { Ok(answer) })
    }
}

fn by_name(upstream: &Upstream) -> ApiConfig {
    let mut config = ApiConfig::new(format!("http://api.example.com:{}/v1", upstream.address.port()));
    config.retry.max_attempts = std::num::NonZeroU32::MIN;
    config.cache.enabled = false;
    config
}

#[tokio::test]
async fn an_address_that_is_not_allowed_is_not_connected_to() {
    let upstream = Upstream::start(|_| json("{}")).await;
    // By a literal, which no resolver sees.
    let mut config = upstream.config();
    config.allowed_networks.clear();
    let error = get(&Api::new("literal", config).unwrap(), "/x").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Forbidden);
    assert!(error.message().contains("loopback address"), "{error}");
    // By every other spelling that a system reads as one, and by names.
    let port = upstream.address.port();
    for host in ["localhost", "[::ffff:127.0.0.1]", "[::1]", "[::7f00:1]"] {
        let config = ApiConfig::new(format!("http://{host}:{port}/v1"));
        let error = get(&Api::new("spelled", config).unwrap(), "/x").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Forbidden, "{host}: {error}");
    }
    assert_eq!(upstream.count(), 0);
}

#[tokio::test]
async fn one_bad_address_refuses_the_whole_name() {
    let upstream = Upstream::start(|_| json("{}")).await;
    let script = Script::new(&[&["93.184.216.34", "127.0.0.1"]]);
    let api = Api::builder().resolver(script).build("mixed", by_name(&upstream)).unwrap();
    assert_eq!(get(&api, "/x").await.unwrap_err().kind(), ErrorKind::Forbidden);
    assert_eq!(upstream.count(), 0);
}

/// A name that is good when it is checked and bad when it is connected to: there is one look-up for both.
#[tokio::test]
async fn a_name_that_changes_between_check_and_connection_gains_nothing() {
    let upstream = Upstream::start(|_| answer(200, &[("connection", "close")], "x")).await;
    let mut config = by_name(&upstream);
    config.allowed_networks = vec!["127.0.0.1/32".parse().unwrap()];
    let script = Script::new(&[&["127.0.0.1"], &["127.0.0.2"], &["169.254.169.254"]]);
    let api = Api::builder().resolver(script.clone()).build("rebinding", config).unwrap();
    // One look-up for a connection, and what was found is what is connected to.
    get(&api, "/x").await.unwrap();
    assert_eq!((script.asked.load(Ordering::Relaxed), upstream.count()), (1, 1));
    // The next connection is judged anew.
    for asked in [2, 3] {
        assert_eq!(get(&api, "/x").await.unwrap_err().kind(), ErrorKind::Forbidden);
        assert_eq!((script.asked.load(Ordering::Relaxed), upstream.count()), (asked, 1));
    }
}

#[tokio::test]
async fn redirects_are_followed_within_the_api_only() {
    let other = Upstream::start(|_| json("\"stolen\"")).await;
    let elsewhere = other.address;
    let upstream = Upstream::start(move |seen| {
        let to = |location: &str| answer(302, &[("location", location)], "");
        match seen.uri.path() {
            "/v1/absolute" => to(&format!("http://{}/v1/end?a=1", seen.header("host").unwrap())),
            "/v1/relative" => to("end"),
            "/v1/rooted" => to("/v1/end"),
            "/v1/twice" => to("absolute"),
            "/v1/loop" => to("/v1/loop"),
            "/v1/other" => to(&format!("http://{elsewhere}/v1/end")),
            "/v1/network" => to(&format!("//{elsewhere}/v1/end")),
            "/v1/scheme" => to(&format!("https://{}/v1/end", seen.header("host").unwrap())),
            "/v1/user" => to(&format!("http://u:p@{}/v1/end", seen.header("host").unwrap())),
            "/v1/prefix" => to("/v2/end"),
            "/v1/dots" => to("/v1/../admin"),
            "/v1/backslash" => to(&format!("\\\\{elsewhere}\\v1\\end")),
            "/v1/encoded" => to("/v1/%2e%2e/admin"),
            "/v1/metadata" => to("http://169.254.169.254/latest/meta-data/"),
            "/v1/file" => to("file:///etc/passwd"),
            _ => json("\"end\""),
        }
    })
    .await;
    let mut config = upstream.config();
    config.auth = AuthConfig::Bearer { token: Secret::new("hunter2-token") };
    let api = Api::new("redirecting", config).unwrap();
    for path in ["/absolute", "/relative", "/rooted", "/twice"] {
        let response = get(&api, path).await.unwrap();
        assert_eq!((response.status.as_u16(), &response.body[..]), (200, &b"\"end\""[..]), "{path}");
        assert_eq!(upstream.last().header("authorization"), Some("Bearer hunter2-token"));
    }
    let away = [
        "/other",
        "/network",
        "/scheme",
        "/user",
        "/prefix",
        "/dots",
        "/backslash",
        "/encoded",
        "/metadata",
        "/file",
    ];
    for path in away {
        let error = get(&api, path).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Forbidden, "{path}: {error}");
        assert!(error.message().contains("leads out of what may be called"), "{path}: {error}");
    }
    assert_eq!(other.count(), 0);
    let before = upstream.count();
    let error = get(&api, "/loop").await.unwrap_err();
    assert_eq!(error.message(), "The API redirected more than 5 times.");
    assert_eq!(upstream.count() - before, 6);
}

#[tokio::test]
async fn a_redirected_change_becomes_a_read_unless_the_status_keeps_it() {
    let upstream = Upstream::start(|seen| match seen.uri.path() {
        "/v1/303" => answer(303, &[("location", "/v1/end")], ""),
        "/v1/307" => answer(307, &[("location", "/v1/end")], ""),
        _ => json("{}"),
    })
    .await;
    let api = upstream.api();
    for (path, method, body) in [("/303", Method::GET, ""), ("/307", Method::POST, "{\"a\":1}")] {
        let mut request = ApiRequest::new(Method::POST, path);
        request.headers.insert("content-type", "application/json".parse().unwrap());
        request.body = Some("{\"a\":1}".into());
        api.execute(request, &Context::default()).await.unwrap();
        let last = upstream.last();
        assert_eq!((last.method.clone(), &last.body[..]), (method, body.as_bytes()));
        assert_eq!(last.header("content-type").is_some(), !body.is_empty());
    }
}

#[tokio::test]
async fn methods_and_paths_that_are_not_allowed_are_not_sent() {
    let upstream = Upstream::start(|seen| match seen.uri.path() {
        "/v1/repos/moved" => answer(301, &[("location", "/v1/admin")], ""),
        _ => json("{}"),
    })
    .await;
    let mut config = upstream.config();
    config.allowed_methods = vec![Method::GET];
    config.allowed_paths = vec!["/repos/*".into()];
    let api = Api::new("narrow", config).unwrap();
    get(&api, "/repos/a").await.unwrap();
    let post = ApiRequest::new(Method::POST, "/repos/a");
    let error = api.execute(post, &Context::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidParams);
    assert_eq!(error.message(), "Not sent: this API may not be called with POST; allowed: GET.");
    for path in ["/admin", "/repos/a/b", "/repos/a%2Fb", "/repos", ""] {
        let error = get(&api, path).await.unwrap_err();
        assert!(error.message().contains("allowed: /repos/*"), "{path}: {error}");
    }
    assert_eq!(upstream.count(), 1);
    // Nor does a redirect lead there.
    assert_eq!(get(&api, "/repos/moved").await.unwrap_err().kind(), ErrorKind::Forbidden);
    assert_eq!(upstream.count(), 2);
}

#[tokio::test]
async fn headers_that_are_not_a_caller_s_are_refused() {
    let upstream = Upstream::start(|_| json("{}")).await;
    let mut config = upstream.config();
    config.default_headers.insert("X-Tenant".into(), "a".to_owned().into());
    config.default_headers.insert("Accept".into(), "application/json".to_owned().into());
    config.auth = AuthConfig::ApiKeyHeader { header: "X-Api-Key".into(), key: Secret::new("hunter2-key") };
    let api = Api::new("headers", config).unwrap();
    for name in [
        "host",
        "authorization",
        "content-length",
        "transfer-encoding",
        "range",
        "if-range",
        "connection",
        "keep-alive",
        "te",
        "trailer",
        "upgrade",
        "proxy-authorization",
        "proxy-connection",
        "expect",
        "accept-encoding",
        "x-forwarded-for",
        "x-forwarded-host",
        "forwarded",
        "x-http-method-override",
        "x-api-key",
        "x-tenant",
        "content_length",
        "x_forwarded_for",
        "sec-fetch-site",
    ] {
        let mut request = ApiRequest::get("/x");
        request.headers.insert(http::HeaderName::from_static(name), "1".parse().unwrap());
        let error = api.execute(request, &Context::default()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidParams);
        assert!(error.message().contains(&format!("`{name}`")), "{error}");
    }
    assert_eq!(upstream.count(), 0);
    let mut request = ApiRequest::get("/x");
    request.headers.insert("accept", "text/plain".parse().unwrap());
    request.headers.append("x-mine", "1".parse().unwrap());
    request.headers.append("x-mine", "2".parse().unwrap());
    api.execute(request, &Context::default()).await.unwrap();
    let last = upstream.last();
    assert_eq!((last.header("accept"), last.header("x-tenant")), (Some("text/plain"), Some("a")));
    assert_eq!(last.headers.get_all("x-mine").iter().count(), 2);
    assert_eq!(last.header("x-api-key"), Some("hunter2-key"));
    assert!(last.header("user-agent").unwrap().starts_with("towline/"));
}

#[tokio::test]
async fn bodies_that_are_too_long_are_not_sent() {
    let upstream = Upstream::start(|_| json("{}")).await;
    let mut config = upstream.config();
    config.max_request_bytes = 1024;
    let mut request = ApiRequest::new(Method::POST, "/x");
    request.body = Some(vec![b'x'; 1025].into());
    let error = Api::new("long", config).unwrap().execute(request, &Context::default()).await.unwrap_err();
    assert_eq!((error.kind(), upstream.count()), (ErrorKind::InvalidParams, 0));
}

#[tokio::test]
async fn a_proxy_is_asked_for_a_tunnel_and_no_literal_gets_around_the_guard() {
    use tokio::io::AsyncWriteExt;
    let upstream = Upstream::start(|_| json("\"through\"")).await;
    let target = upstream.address;
    let (sender, mut tunnels) = tokio::sync::mpsc::channel(8);
    let proxy = Upstream::raw(move |mut stream| {
        let sender = sender.clone();
        async move {
            sender.send(()).await.unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
            let mut inner = tokio::net::TcpStream::connect(target).await.unwrap();
            let _ = tokio::io::copy_bidirectional(&mut stream, &mut inner).await;
        }
    })
    .await;
    let mut config = ApiConfig::new("http://api.example.com/v1");
    let mut through = ProxyConfig::default();
    through.url = format!("http://{}", proxy.address);
    config.proxy = Some(through);
    let response = get(&Api::new("proxied", config.clone()).unwrap(), "/x").await.unwrap();
    assert_eq!(&response.body[..], b"\"through\"");
    assert_eq!(upstream.last().header("host"), Some("api.example.com"));
    assert!(tunnels.try_recv().is_ok());

    let mut literal = ApiConfig::new("http://169.254.169.254/v1");
    literal.proxy = config.proxy;
    let error = get(&Api::new("literal", literal).unwrap(), "/x").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Forbidden);
    assert!(tunnels.try_recv().is_err());
}
