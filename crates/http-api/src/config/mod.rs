//! Which APIs there are, and what a call of one may do and cost.

mod auth;
mod error;
mod form;
mod limits;
mod secret;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use ipnet::IpNet;
use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use towline_middleware::{CircuitBreakerConfig, RetryConfig};

pub use auth::{AuthConfig, ClientAuth, OAuthConfig};
pub use error::ConfigError;
use form::{as_millis, as_texts, methods, millis, networks};
pub use limits::{CacheConfig, NamedToolConfig, PaginationConfig, ProxyConfig, RateLimitConfig};
pub use secret::Secret;
use secret::{some_redacted, values_redacted};

use crate::egress::{AddressRules, BaseUrl, is_managed};
use crate::openapi::OpenApiConfig;

/// APIs by the names that calls give them.
///
/// ```
/// use towline_http_api::ApisConfig;
///
/// let apis: ApisConfig = toml::from_str(r#"
///     [github]
///     base_url = "https://api.github.com"
///     auth = { type = "bearer", token_env = "GITHUB_TOKEN" }
///     rate_limit = { requests = 60, window_ms = 3600000 }
/// "#)?;
/// apis.validate()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct ApisConfig(pub BTreeMap<String, ApiConfig>);

impl ApisConfig {
    /// Checks every value, without connecting and without reading what `*_env` and `*_file` keys name.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names the API, the key and what to change. It holds no secret.
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.0.iter().try_for_each(|(name, api)| api.validate().map_err(|error| error.of(name)))
    }
}

/// One API that the pack serves.
///
/// Only [`base_url`](Self::base_url) is required. A configuration file spells durations in milliseconds and sizes in
/// bytes, and an unknown key is an error. What is serialized of it shows no secret.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct ApiConfig {
    /// What a model reads about this API, so that it can choose among several. Default: none.
    pub description: Option<String>,
    /// Every request goes to this origin and lies below this path: `https://api.example.com/v3`. Kept as a secret,
    /// since the path of a webhook is one.
    #[serde(serialize_with = "some_redacted")]
    #[schemars(with = "Option<String>", extend("writeOnly" = true))]
    pub base_url: Option<SecretString>,
    /// The environment variable that holds the base URL, instead of `base_url`. Default: none.
    pub base_url_env: Option<String>,
    /// The file that holds the base URL, instead of `base_url`. Default: none.
    pub base_url_file: Option<PathBuf>,
    /// Headers of every request. Calls may replace `Accept`, `Accept-Language` and `Content-Type` only. Kept as
    /// secrets. Default: none.
    #[serde(serialize_with = "values_redacted")]
    #[schemars(with = "BTreeMap<String, String>", extend("writeOnly" = true))]
    pub default_headers: BTreeMap<String, SecretString>,
    /// More headers of every request, by the environment variables that hold their values. Default: none.
    pub default_headers_env: BTreeMap<String, String>,
    /// What the `User-Agent` header says. Default: `towline/` and the version.
    pub user_agent: String,
    /// How requests show who sends them. Default: not at all.
    pub auth: AuthConfig,

    /// Methods that calls may use. Default: `GET` and `HEAD`, so that nothing can be changed.
    #[serde(deserialize_with = "methods", serialize_with = "as_texts")]
    #[schemars(with = "Vec<String>")]
    pub allowed_methods: Vec<Method>,
    /// Paths below the base URL that calls may use, such as `/repos/*/*/issues`: `*` stands for one segment or a part
    /// of it, `**` for any number of segments. A path must match in each of its meanings, encoded and decoded. Empty
    /// (the default): all.
    pub allowed_paths: Vec<String>,
    /// Lets the API be at a loopback, private, shared or link-local address. Addresses of cloud metadata services stay
    /// refused. Default: false.
    pub allow_private_networks: bool,
    /// Networks that the API may be in whatever they are, such as `10.20.0.0/16`, or single addresses. Default: none.
    #[serde(deserialize_with = "networks", serialize_with = "as_texts")]
    #[schemars(with = "Vec<String>")]
    pub allowed_networks: Vec<IpNet>,
    /// Hosts that a call may name in `webhook_url`; with none, the argument is refused. Default: none.
    pub webhook_hosts: Vec<String>,

    /// Time for a call as a whole: name lookup, connection, token, retries and body; `timeout_ms` in files.
    /// Default: 30 s.
    #[serde(rename = "timeout_ms", deserialize_with = "millis", serialize_with = "as_millis")]
    #[schemars(with = "u64")]
    pub timeout: Duration,
    /// Time for opening a connection: name lookup, TCP and TLS; `connect_timeout_ms` in files. Default: 10 s.
    #[serde(rename = "connect_timeout_ms", deserialize_with = "millis", serialize_with = "as_millis")]
    #[schemars(with = "u64")]
    pub connect_timeout: Duration,
    /// How long an idle connection is kept; `idle_timeout_ms` in files. Default: 20 s.
    #[serde(rename = "idle_timeout_ms", deserialize_with = "millis", serialize_with = "as_millis")]
    #[schemars(with = "u64")]
    pub idle_timeout: Duration,
    /// Calls under way at once; others wait within their time. Default: 64.
    pub max_concurrent: u32,
    /// How many requests may be sent in any window. Default: any number.
    pub rate_limit: Option<RateLimitConfig>,
    /// How what failed is tried again, if its method is idempotent or it has an `Idempotency-Key`.
    pub retry: RetryConfig,
    /// When calls are refused because the API keeps failing. `breaker.mode = "forced_closed"` turns it off.
    pub breaker: CircuitBreakerConfig,
    /// What is kept of answers to `GET`, as HTTP allows it.
    pub cache: CacheConfig,
    /// Redirects followed at most, within the API only; 0 follows none. Default: 5.
    pub max_redirects: u8,
    /// Bytes of a request's body at most. Default: 1048576.
    pub max_request_bytes: usize,
    /// Bytes of an answer's body that are read at most, decompressed. The rest is cut off, and the result says so.
    /// Default: 4194304.
    pub max_response_bytes: usize,
    /// Bytes of a body that a tool's result holds at most. The rest is left out, and the result says so.
    /// Default: 32768.
    pub max_result_bytes: usize,
    /// How the next page is found.
    pub pagination: PaginationConfig,

    /// The PEM file with the roots that sign the API's certificate. Default: the system's roots.
    pub ca_file: Option<PathBuf>,
    /// The proxy that connections go through. What a name resolves to is then the proxy's to guard. Default: none;
    /// proxies of the environment are never used.
    pub proxy: Option<ProxyConfig>,
    /// Hands the caller's `traceparent` and `tracestate` on. Default: true.
    pub forward_trace: bool,
    /// How the tool of this name asks the API (`weather`, `search`), where it is not as the tool expects.
    pub named_tool: NamedToolConfig,
    /// Whether the operations of an OpenAPI document become tools, and how: [`Apis::import`](crate::Apis::import).
    /// `base_url` counts, whatever servers the document names. Default: no document.
    pub openapi: Option<OpenApiConfig>,
}

impl Default for ApiConfig {
    fn default() -> Self {
        Self {
            description: None,
            base_url: None,
            base_url_env: None,
            base_url_file: None,
            default_headers: BTreeMap::new(),
            default_headers_env: BTreeMap::new(),
            user_agent: concat!("towline/", env!("CARGO_PKG_VERSION")).into(),
            auth: AuthConfig::None,
            allowed_methods: vec![Method::GET, Method::HEAD],
            allowed_paths: Vec::new(),
            allow_private_networks: false,
            allowed_networks: Vec::new(),
            webhook_hosts: Vec::new(),
            timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(20),
            max_concurrent: 64,
            rate_limit: None,
            retry: RetryConfig::default(),
            breaker: CircuitBreakerConfig::default(),
            cache: CacheConfig::default(),
            max_redirects: 5,
            max_request_bytes: 1024 * 1024,
            max_response_bytes: 4 * 1024 * 1024,
            max_result_bytes: 32 * 1024,
            pagination: PaginationConfig::default(),
            ca_file: None,
            proxy: None,
            forward_trace: true,
            named_tool: NamedToolConfig::default(),
            openapi: None,
        }
    }
}

impl ApiConfig {
    /// An API at `base_url` with every default.
    pub fn new(base_url: impl Into<String>) -> Self {
        Self { base_url: Some(SecretString::from(base_url.into())), ..Self::default() }
    }

    /// Checks every value, without connecting and without reading what `*_env` and `*_file` keys name.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names the key and what to change. It holds no secret.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let base_url = self.base_url_secret()?;
        if let Secret::Value(url) = &base_url {
            BaseUrl::parse(url.expose_secret()).map_err(|problem| ConfigError::new("base_url", problem))?;
        }
        self.auth.validate().map_err(|error| error.within("auth"))?;
        for (name, value) in &self.default_headers {
            header_name("default_headers", name)?;
            header_value("default_headers", name, value)?;
        }
        for name in self.default_headers_env.keys() {
            header_name("default_headers_env", name)?;
        }
        HeaderValue::from_str(&self.user_agent)
            .map_err(|_| ConfigError::new("user_agent", "must be printable ASCII"))?;

        if self.allowed_methods.is_empty() {
            return Err(ConfigError::new("allowed_methods", "must name a method"));
        }
        for pattern in &self.allowed_paths {
            if !pattern.starts_with('/') {
                return Err(ConfigError::new("allowed_paths", "must hold patterns that begin with `/`"));
            }
        }
        for host in &self.webhook_hosts {
            if BaseUrl::parse(&format!("https://{host}")).is_err() {
                return Err(ConfigError::new(
                    "webhook_hosts",
                    "must hold hosts, each with its port if need be",
                ));
            }
        }
        let times = [
            ("timeout_ms", self.timeout),
            ("connect_timeout_ms", self.connect_timeout),
            ("idle_timeout_ms", self.idle_timeout),
        ];
        for (key, time) in times {
            if time.is_zero() || time > MOST_TIME {
                return Err(ConfigError::new(key, "must be between 1 and 3600000"));
            }
        }
        if !(1..=10_000).contains(&self.max_concurrent) {
            return Err(ConfigError::new("max_concurrent", "must be between 1 and 10000"));
        }
        if let Some(limit) = &self.rate_limit {
            limit.validate().map_err(|error| error.within("rate_limit"))?;
        }
        let of_layer = |table: &str, result: Result<(), towline_middleware::ConfigError>| {
            result.map_err(|error| ConfigError::new(error.key(), error.problem()).within(table))
        };
        of_layer("retry", self.retry.validate())?;
        of_layer("breaker", self.breaker.validate())?;
        if self.max_redirects > 20 {
            return Err(ConfigError::new("max_redirects", "must be at most 20"));
        }
        let sizes = [
            ("max_request_bytes", self.max_request_bytes),
            ("max_response_bytes", self.max_response_bytes),
            ("max_result_bytes", self.max_result_bytes),
        ];
        for (key, size) in sizes {
            if !(1024..=1 << 30).contains(&size) {
                return Err(ConfigError::new(key, "must be between 1024 and 1073741824"));
            }
        }
        self.pagination.validate().map_err(|error| error.within("pagination"))?;
        if let Some(proxy) = &self.proxy {
            proxy.validate().map_err(|error| error.within("proxy"))?;
        }
        if let Some(openapi) = &self.openapi {
            if openapi.file.is_none() && openapi.endpoint.is_none() {
                let problem = "must say where the document is, with `file` or `endpoint`";
                return Err(ConfigError::new("openapi", problem));
            }
            openapi.validate().map_err(|error| error.within("openapi"))?;
        }
        self.named_tool.validate().map_err(|error| error.within("named_tool"))
    }

    /// Where the API is, once its secret is read.
    pub(crate) fn base(&self) -> Result<BaseUrl, ConfigError> {
        let url = self.base_url_secret()?.read("base_url")?;
        BaseUrl::parse(url.expose_secret()).map_err(|problem| ConfigError::new("base_url", problem))
    }

    /// Whether the base URL is handed in as secrets are.
    pub(crate) fn is_base_url_secret(&self) -> bool {
        self.base_url.is_none()
    }

    fn base_url_secret(&self) -> Result<Secret, ConfigError> {
        let (value, env, file) =
            (self.base_url.clone(), self.base_url_env.clone(), self.base_url_file.clone());
        Secret::one_of("base_url", value, env, file).map_err(|problem| ConfigError::new("base_url", problem))
    }

    /// The headers of every request, once their secrets are read.
    pub(crate) fn headers(&self) -> Result<HeaderMap, ConfigError> {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.default_headers {
            headers
                .insert(header_name("default_headers", name)?, header_value("default_headers", name, value)?);
        }
        for (name, variable) in &self.default_headers_env {
            let key = header_name("default_headers_env", name)?;
            let value = Secret::Env(variable.clone()).read(&format!("default_headers_env.{name}"))?;
            headers.insert(key, header_value("default_headers_env", name, &value)?);
        }
        let agent = HeaderValue::from_str(&self.user_agent)
            .map_err(|_| ConfigError::new("user_agent", "must be printable ASCII"))?;
        headers.entry(http::header::USER_AGENT).or_insert(agent);
        Ok(headers)
    }

    pub(crate) fn address_rules(&self) -> AddressRules {
        AddressRules {
            allow_private_networks: self.allow_private_networks,
            allowed_networks: self.allowed_networks.clone(),
        }
    }
}

/// No time that is set may be longer: an hour.
const MOST_TIME: Duration = Duration::from_secs(60 * 60);

pub(crate) fn header_name(key: &str, name: &str) -> Result<HeaderName, ConfigError> {
    if let Some(why) = is_managed(name) {
        return Err(ConfigError::new(key, format!("must not set `{name}`: {why}")));
    }
    name.parse().map_err(|_| ConfigError::new(key, "must hold names of HTTP headers"))
}

pub(crate) fn header_value(key: &str, name: &str, value: &SecretString) -> Result<HeaderValue, ConfigError> {
    // The error of the conversion would be harmless, but so is leaving it out.
    let mut value = HeaderValue::from_str(value.expose_secret()).map_err(|_| {
        ConfigError::new(format!("{key}.{name}"), "must be printable ASCII without line breaks")
    })?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests;
