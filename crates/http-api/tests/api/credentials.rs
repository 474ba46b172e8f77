//! Who a request says that it is from, and that nobody else learns how.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::common::{Seen, Upstream, answer, json};
use http::Method;
use towline_core::{Context, ErrorKind};
use towline_http_api::{Api, ApiConfig, ApiRequest, ApisConfig, AuthConfig, ClientAuth, OAuthConfig, Secret};

const SECRET: &str = "hunter2/very+secret";

async fn get(api: &Api, path: &str) -> Result<towline_http_api::ApiResponse, towline_core::Error> {
    api.execute(ApiRequest::get(path), &Context::default()).await
}

#[tokio::test]
async fn every_kind_of_credential_is_sent_and_comes_back_redacted() {
    // Says back all that it was told, in its body and in a header.
    let upstream = Upstream::start(|seen| {
        let told = format!("{:?} {}", seen.headers, seen.uri);
        answer(200, &[("x-told", seen.header("authorization").unwrap_or("none"))], told)
    })
    .await;
    let basic = "Basic dXNlcjpodW50ZXIyL3ZlcnkrY2VjcmV0".len();
    type WasSent = Box<dyn Fn(&Seen) -> bool>;
    let cases: Vec<(AuthConfig, WasSent)> = vec![
        (
            AuthConfig::Bearer { token: Secret::new(SECRET) },
            Box::new(|seen| seen.header("authorization") == Some("Bearer hunter2/very+secret")),
        ),
        (
            AuthConfig::ApiKeyHeader { header: "X-Api-Key".into(), key: Secret::new(SECRET) },
            Box::new(|seen| seen.header("x-api-key") == Some(SECRET)),
        ),
        (
            AuthConfig::ApiKeyQuery { parameter: "key".into(), key: Secret::new(SECRET) },
            Box::new(|seen| seen.uri.query() == Some("q=1&key=hunter2%2Fvery%2Bsecret")),
        ),
        (
            AuthConfig::Basic { username: "user".into(), password: Secret::new(SECRET) },
            Box::new(move |seen| {
                seen.header("authorization")
                    .is_some_and(|value| value.starts_with("Basic ") && value.len() == basic)
            }),
        ),
    ];
    for (auth, was_sent) in cases {
        let mut config = upstream.config();
        config.auth = auth;
        let shown = format!("{config:?}");
        let api = Api::new("told", config).unwrap();
        let request = ApiRequest::get("/x").with_query("key=forged&q=1");
        let response = api.execute(request, &Context::default()).await.unwrap();
        assert!(was_sent(&upstream.last()), "{:?}", upstream.last());
        let body = String::from_utf8_lossy(&response.body).into_owned();
        for text in [shown, format!("{api:?} {response:?} {body}")] {
            for secret in [SECRET, "hunter2", "dXNlcjpodW50ZXIy"] {
                assert!(!text.contains(secret), "{text}");
            }
        }
        assert!(body.contains("[redacted]"), "{body}");
    }
}

/// Everything that any crate logs, at every level.
#[derive(Clone, Default)]
struct Log(Arc<std::sync::Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn no_log_has_a_secret() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);

    let upstream = Upstream::start(|seen| match seen.uri.path() {
        "/v1/away" => answer(302, &[("location", "http://example.com/?key=hunter2-key-hunter2")], ""),
        _ => answer(401, &[], format!("{:?}", seen.headers)),
    })
    .await;
    let mut config = upstream.config();
    config.auth =
        AuthConfig::ApiKeyQuery { parameter: "key".into(), key: Secret::new("hunter2-key-hunter2") };
    config.default_headers.insert("X-Token".into(), "hunter2-header".to_owned().into());
    let api = Api::new("logged", config).unwrap();
    for path in ["/x", "/away", "/../x"] {
        tracing::info!(answer = ?get(&api, path).await, path);
    }
    let issuer = issuer("3600").await;
    for path in ["/token", "/refusing"] {
        let api = Api::new("oauth", issuer.config(path)).unwrap();
        tracing::info!(answer = ?get(&api, "/x").await);
    }
    let logged = String::from_utf8_lossy(&log.0.lock().unwrap()).into_owned();
    assert!(logged.contains("a redirect is not followed") && logged.contains("[redacted]"), "{logged}");
    assert!(!logged.contains("hunter2"), "{logged}");
}

#[test]
fn no_configuration_shows_a_secret() {
    let text = r#"
        [a]
        base_url = "https://hooks.example.com/services/hunter2"
        auth = { type = "oauth2", token_url = "https://id.example.com/t", client_id = "me", client_secret = "hunter2" }
        default_headers = { X-Key = "hunter2" }
        proxy = { url = "http://proxy:3128", username = "me", password = "hunter2" }
        [b]
        base_url = "https://user:hunter2@example.com"
    "#;
    let apis: ApisConfig = toml::from_str(text).unwrap();
    let error = apis.validate().unwrap_err();
    assert_eq!((error.api(), error.key()), (Some("b"), "base_url"));
    for text in [format!("{apis:?}"), format!("{error:?} {error}")] {
        assert!(!text.contains("hunter2"), "{text}");
    }
    for bad in [
        r#"a = { base_url = "https://x", auth = { type = "bearer", token = "hunter2", token_env = "T" } }"#,
        r#"a = { base_url = "https://x", auth = { type = "bearer", key = "hunter2" } }"#,
        r#"a = { base_url = "https://x", auth = { type = "magic", token = "hunter2" } }"#,
        r#"a = { base_url = "https://x", auth = { type = "none", token = "hunter2" } }"#,
        r#"a = { base_url = "https://x", auth = { type = "api_key", key = "hunter2" } }"#,
    ] {
        let error = toml::from_str::<ApisConfig>(bad).unwrap_err();
        assert!(!error.message().contains("hunter2"), "{}", error.message());
    }
}

#[test]
fn secrets_come_from_files() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "hunter2-token\n").unwrap();
    let config = |path: &str| {
        let text =
            format!("[a]\nbase_url = \"https://x\"\nauth = {{ type = \"bearer\", token_file = {path:?} }}\n");
        toml::from_str::<ApisConfig>(&text).unwrap()
    };
    Api::new("a", config(file.path().to_str().unwrap()).0["a"].clone()).unwrap();
    let error = Api::new("a", config("/nowhere").0["a"].clone()).unwrap_err();
    assert_eq!(error.to_string(), "API `a`: `auth.token_file` names a file that is not readable as text");
    let mut config = ApiConfig::default();
    config.base_url_env = Some("TOWLINE_TEST_IS_NOT_SET".into());
    let error = Api::new("a", config).unwrap_err();
    assert_eq!(error.to_string(), "API `a`: `base_url_env` names an environment variable that is not set");
}

/// A token endpoint and an API that takes the latest token only.
struct Issuer {
    upstream: Upstream,
    issued: Arc<AtomicUsize>,
}

async fn issuer(expires_in: &'static str) -> Issuer {
    let issued = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&issued);
    let upstream = Upstream::start(move |seen| match seen.uri.path() {
        "/token" => {
            let number = count.fetch_add(1, Ordering::SeqCst) + 1;
            std::thread::sleep(Duration::from_millis(30)); // long enough for others to want one too
            let told = format!(
                r#"{{"access_token":"hunter2-token-{number}","token_type":"Bearer","expires_in":{expires_in}}}"#
            );
            json(&told)
        }
        "/refusing" => answer(401, &[], r#"{"error":"invalid_client"}"#),
        "/broken" => answer(500, &[], "no"),
        "/moved" => answer(307, &[("location", "/token")], ""),
        _ => {
            let latest = format!("Bearer hunter2-token-{}", count.load(Ordering::SeqCst));
            match seen.header("authorization") {
                Some(token) if token == latest => answer(200, &[], token.to_owned()),
                _ => answer(401, &[], "unauthorized"),
            }
        }
    })
    .await;
    Issuer { upstream, issued }
}

impl Issuer {
    fn config(&self, path: &str) -> ApiConfig {
        let url = format!("http://{}{path}", self.upstream.address);
        let mut oauth = OAuthConfig::new(url, "cl:ient", Secret::new("hunter2 secret"));
        oauth.scopes = vec!["read".into(), "list".into()];
        let mut config = self.upstream.config();
        config.auth = AuthConfig::OAuth2(oauth);
        config
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_token_is_fetched_for_all() {
    let issuer = issuer("3600").await;
    let api = Api::new("oauth", issuer.config("/token")).unwrap();
    let calls = (0..8).map(|_| {
        let api = api.clone();
        tokio::spawn(async move { get(&api, "/x").await })
    });
    for call in calls.collect::<Vec<_>>() {
        let response = call.await.unwrap().unwrap();
        assert_eq!(response.status, 200);
        // The API said it back.
        assert_eq!(&response.body[..], b"Bearer [redacted]");
    }
    assert_eq!(issuer.issued.load(Ordering::SeqCst), 1);
    let seen = issuer.upstream.seen().into_iter().find(|seen| seen.uri.path() == "/token").unwrap();
    assert_eq!(seen.method, Method::POST);
    assert_eq!(&seen.body[..], b"grant_type=client_credentials&scope=read%20list");
    // Both are form-encoded within the pair.
    assert_eq!(seen.header("authorization"), Some("Basic Y2wlM0FpZW50Omh1bnRlcjIlMjBzZWNyZXQ="));
}

#[tokio::test]
async fn a_token_is_renewed_before_it_expires_and_when_it_is_refused() {
    let short = issuer("0.1").await;
    let api = Api::new("short", short.config("/token")).unwrap();
    get(&api, "/x").await.unwrap();
    tokio::time::sleep(Duration::from_millis(120)).await;
    get(&api, "/x").await.unwrap();
    assert_eq!(short.issued.load(Ordering::SeqCst), 2);

    let long = issuer("3600").await;
    let api = Api::new("long", long.config("/token")).unwrap();
    get(&api, "/x").await.unwrap();
    // The issuer has moved on: the token is refused once, and never a second time in one call.
    long.issued.fetch_add(1, Ordering::SeqCst);
    let mut post = ApiRequest::new(Method::POST, "/x");
    post.body = Some("{}".into());
    assert_eq!(api.execute(post, &Context::default()).await.unwrap().status, 200);
    assert_eq!(long.issued.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn a_token_endpoint_that_gives_none_is_told_without_its_words() {
    let issuer = issuer("3600").await;
    let api = Api::new("refused", issuer.config("/refusing")).unwrap();
    let error = get(&api, "/x").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Forbidden);
    assert!(error.message().contains("credentials are refused"), "{error}");
    for path in ["/broken", "/moved"] {
        let error = get(&Api::new("broken", issuer.config(path)).unwrap(), "/x").await.unwrap_err();
        assert_eq!(
            (error.kind(), error.message()),
            (ErrorKind::Unavailable, "The API's credentials could not be renewed.")
        );
    }
    assert_eq!(issuer.issued.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_token_endpoint_passes_the_guard_too() {
    let issuer = issuer("3600").await;
    let mut config = issuer.config("/token");
    config.base_url = Some("http://127.0.0.2:1/v1".to_owned().into());
    config.allowed_networks = vec!["127.0.0.2/32".parse().unwrap()];
    let error = get(&Api::new("guarded", config).unwrap(), "/x").await.unwrap_err();
    assert_eq!((error.kind(), issuer.upstream.count()), (ErrorKind::Forbidden, 0));
}

#[tokio::test]
async fn client_and_secret_may_stand_in_the_body() {
    let issuer = issuer("3600").await;
    let mut config = issuer.config("/token");
    if let AuthConfig::OAuth2(oauth) = &mut config.auth {
        oauth.client_auth = ClientAuth::Body;
        oauth.scopes.clear();
        oauth.parameters.insert("audience".into(), "a&b".into());
    }
    get(&Api::new("body", config).unwrap(), "/x").await.unwrap();
    let seen = issuer.upstream.seen().into_iter().find(|seen| seen.uri.path() == "/token").unwrap();
    let body =
        "grant_type=client_credentials&audience=a%26b&client_id=cl%3Aient&client_secret=hunter2%20secret";
    assert_eq!((&seen.body[..], seen.header("authorization")), (body.as_bytes(), None));
}
