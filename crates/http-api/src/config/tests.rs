use super::*;

fn problem(change: impl FnOnce(&mut ApiConfig)) -> String {
    let mut config = ApiConfig::new("https://api.example.com/v1");
    change(&mut config);
    config.validate().unwrap_err().to_string()
}

fn parse(text: &str) -> Result<ApiConfig, toml::de::Error> {
    toml::from_str(text)
}

#[test]
fn a_base_url_is_enough() {
    let config = parse("base_url = \"https://api.example.com\"").unwrap();
    config.validate().unwrap();
    assert_eq!(config.timeout, Duration::from_secs(30));
    assert_eq!(config.allowed_methods, [Method::GET, Method::HEAD]);
    assert!(!config.allow_private_networks);
    assert_eq!(parse("").unwrap().validate().unwrap_err().key(), "base_url");
}

#[test]
fn every_key_is_read() {
    let config = parse(
        r#"
        description = "Things"
        base_url_env = "THINGS_URL"
        default_headers = { Accept = "application/json" }
        default_headers_env = { X-Key = "THINGS_KEY" }
        user_agent = "things/1"
        auth = { type = "oauth2", token_url = "https://id.example.com/token", client_id = "me",
            client_secret_env = "SECRET", scopes = ["a"], parameters = { audience = "x" }, client_auth = "body" }
        allowed_methods = ["GET", "POST"]
        allowed_paths = ["/a/*"]
        allow_private_networks = true
        allowed_networks = ["10.0.0.0/8", "fd00::/8", "127.0.0.1"]
        webhook_hosts = ["hooks.example.com", "127.0.0.1:8080"]
        timeout_ms = 1000
        connect_timeout_ms = 500
        idle_timeout_ms = 250
        max_concurrent = 2
        rate_limit = { requests = 60, window_ms = 60000 }
        retry = { max_attempts = 2 }
        breaker = { mode = "forced_closed" }
        cache = { enabled = false, max_bytes = 1 }
        max_redirects = 0
        max_request_bytes = 2048
        max_response_bytes = 2048
        max_result_bytes = 2048
        pagination = { max_pages = 3, cursor_field = "meta.next", cursor_parameter = "after", page_parameter = "p" }
        ca_file = "/etc/ca.pem"
        proxy = { url = "http://proxy.internal:3128", username = "me", password_file = "/run/p" }
        forward_trace = false
        named_tool = { path = "/daily", parameters = { city = "location" } }
        "#,
    )
    .unwrap();
    config.validate().unwrap();
    assert_eq!(config.connect_timeout, Duration::from_millis(500));
    assert_eq!(config.rate_limit.unwrap().window, Duration::from_secs(60));
    assert!(matches!(&config.auth, AuthConfig::OAuth2(oauth) if oauth.client_auth == ClientAuth::Body));
}

#[test]
fn an_unknown_key_is_named() {
    for text in [
        "base = 1",
        "cache = { size = 1 }",
        "auth = { type = \"none\", user = 1 }",
        "allowed_methods = [\"TRACE\"]",
    ] {
        let error = parse(text).unwrap_err();
        assert!(
            ["base", "size", "user", "method"].iter().any(|name| error.message().contains(name)),
            "{error}"
        );
    }
}

#[test]
fn a_bad_value_names_its_key() {
    for (said, key) in [
        (problem(|c| c.base_url = Some("ftp://x".to_owned().into())), "`base_url` must begin"),
        (problem(|c| c.base_url_env = Some("X".into())), "`base_url` is set twice"),
        (problem(|c| c.timeout = Duration::ZERO), "`timeout_ms`"),
        (problem(|c| c.max_concurrent = 0), "`max_concurrent`"),
        (problem(|c| c.allowed_methods.clear()), "`allowed_methods`"),
        (problem(|c| c.allowed_paths = vec!["repos".into()]), "`allowed_paths`"),
        (problem(|c| c.webhook_hosts = vec!["https://x".into()]), "`webhook_hosts`"),
        (problem(|c| c.max_result_bytes = 1), "`max_result_bytes`"),
        (problem(|c| c.retry.delay = Duration::ZERO), "`retry.delay_ms`"),
        (problem(|c| c.breaker.failure_rate = 2.0), "`breaker.failure_rate`"),
        (problem(|c| c.pagination.cursor_field = Some("x".into())), "`pagination.cursor_field`"),
        (
            problem(|c| c.default_headers = [("Host".into(), "x".to_owned().into())].into()),
            "`default_headers` must not set `Host`",
        ),
        (
            problem(|c| c.default_headers = [("X".into(), "a\nb".to_owned().into())].into()),
            "`default_headers.X` must be printable",
        ),
        (
            problem(|c| {
                c.auth = AuthConfig::ApiKeyHeader { header: "Connection".into(), key: Secret::new("x") };
            }),
            "`auth.header` must not set `Connection`",
        ),
        (
            problem(|c| c.proxy = Some(ProxyConfig { url: "https://x".into(), ..ProxyConfig::default() })),
            "`proxy.url` must be `http://`",
        ),
        (
            problem(|c| {
                let window = Duration::ZERO;
                c.rate_limit = Some(RateLimitConfig::new(std::num::NonZeroU32::MIN, window));
            }),
            "`rate_limit.window_ms`",
        ),
    ] {
        assert!(said.starts_with(key), "{said}");
    }
}

#[test]
fn what_is_serialized_shows_where_secrets_are_and_none_of_them() {
    let text = r#"
        [inline]
        base_url = "https://x/hunter2"
        default_headers = { X-Key = "hunter2" }
        proxy = { url = "http://p:1", username = "u", password = "hunter2" }
        auth = { type = "basic", username = "u", password = "hunter2" }

        [bearer]
        base_url_env = "URL"
        auth = { type = "bearer", token = "hunter2" }
        allowed_networks = ["10.0.0.0/8", "::1"]

        [key]
        base_url_file = "/url"
        auth = { type = "api_key", query = "q", key = "hunter2" }

        [oauth]
        base_url = "https://x"
        auth = { type = "oauth2", token_url = "https://t", client_id = "c", client_secret = "hunter2", parameters = { p = "hunter2" } }

        [file]
        base_url = "https://x"
        auth = { type = "api_key", header = "X-Key", key_file = "/run/key" }
    "#;
    let apis: ApisConfig = toml::from_str(text).unwrap();
    apis.validate().unwrap();
    let shown = serde_json::to_value(&apis).unwrap();
    assert!(!shown.to_string().contains("hunter2"), "{shown}");
    for (at, expected) in [
        ("/inline/base_url", "[redacted]"),
        ("/inline/default_headers/X-Key", "[redacted]"),
        ("/inline/proxy/password", "[redacted]"),
        ("/inline/auth/password", "[redacted]"),
        ("/bearer/base_url_env", "URL"),
        ("/bearer/auth/token", "[redacted]"),
        ("/bearer/allowed_networks/0", "10.0.0.0/8"),
        ("/key/auth/key", "[redacted]"),
        ("/oauth/auth/client_secret", "[redacted]"),
        ("/oauth/auth/parameters/p", "[redacted]"),
        ("/file/auth/key_file", "/run/key"),
        ("/file/allowed_methods/0", "GET"),
    ] {
        assert_eq!(shown.pointer(at).and_then(|value| value.as_str()), Some(expected), "{at}");
    }
}
