//! Makes what calls need, once.

use std::collections::BTreeMap;
use std::sync::Arc;

use secrecy::ExposeSecret;
use tokio::sync::Semaphore;
use tower::ServiceBuilder;
use tower::util::BoxCloneSyncService;
use towline_middleware::{CircuitBreaker, CircuitBreakerLayer, CircuitBreakerRegistry, RetryLayer};

use super::connect::SystemResolver;
use super::exchange::{Exchange, Exchanger, Parts};
use super::limit::Limiter;
use super::policy::Policy;
use super::{Api, HttpClient, Inner, Redactor, Resolve};
use crate::auth::Credentials;
use crate::cache::HttpCache;
use crate::config::{ApiConfig, ApisConfig, ConfigError};

/// Makes APIs of their configuration.
///
/// ```
/// use towline_http_api::{Api, ApiConfig};
///
/// let github = Api::builder().build("github", ApiConfig::new("https://api.github.com"))?;
/// assert_eq!(github.name(), "github");
/// # Ok::<(), towline_http_api::ConfigError>(())
/// ```
#[derive(Clone, Default)]
pub struct ApiBuilder {
    resolver: Option<Arc<dyn Resolve>>,
    breakers: Option<CircuitBreakerRegistry>,
}

impl ApiBuilder {
    /// Finds addresses so, instead of as the system does. The guard judges them all the same.
    #[must_use]
    pub fn resolver(mut self, resolver: impl Resolve) -> Self {
        self.resolver = Some(Arc::new(resolver));
        self
    }

    /// Registers each API's breaker there, by the API's name, for health reports and dashboards.
    #[must_use]
    pub fn breakers(mut self, breakers: &CircuitBreakerRegistry) -> Self {
        self.breakers = Some(breakers.clone());
        self
    }

    /// Makes one API. Nothing is connected to.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names the key and what to change; also when a secret or file that it names is not there.
    ///
    /// # Panics
    ///
    /// Panics if the registry of breakers has one of that name.
    pub fn build(&self, name: &str, config: ApiConfig) -> Result<Api, ConfigError> {
        self.try_build(name, config).map_err(|error| error.of(name))
    }

    /// Makes all APIs of a configuration.
    ///
    /// # Errors
    ///
    /// As [`build`](Self::build), for the first that cannot be made.
    ///
    /// # Panics
    ///
    /// Panics if the registry of breakers has one of any of the names.
    pub fn build_all(&self, config: &ApisConfig) -> Result<Apis, ConfigError> {
        let build = |(name, config): (&String, &ApiConfig)| {
            self.build(name, config.clone()).map(|api| (name.clone(), api))
        };
        Ok(Apis(config.0.iter().map(build).collect::<Result<_, _>>()?))
    }

    fn try_build(&self, name: &str, config: ApiConfig) -> Result<Api, ConfigError> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        if name.is_empty() || name.len() > 63 || !name.chars().all(is_plain) {
            return Err(ConfigError::new("name", "must be 1 to 63 letters, digits, `_`, `-` or `.`"));
        }
        config.validate()?;
        let base = config.base()?;
        let mut redactor = Redactor::default();
        let headers = config.headers()?;
        for (key, value) in &config.default_headers {
            // Others are public: hiding `application/json` in every answer would help nobody.
            if ["key", "token", "secret", "auth", "cookie"]
                .iter()
                .any(|word| key.to_ascii_lowercase().contains(word))
            {
                redactor.add(value.expose_secret());
            }
        }
        for key in config.default_headers_env.keys() {
            if let Some(value) = headers.get(key).and_then(|value| value.to_str().ok()) {
                redactor.add(value);
            }
        }
        if config.is_base_url_secret() {
            base.prefix().split('/').filter(|segment| segment.len() >= 8).for_each(|part| redactor.add(part));
        }
        let credentials =
            Credentials::new(&config.auth, &mut redactor).map_err(|error| error.within("auth"))?;
        let resolver = self.resolver.clone().unwrap_or_else(|| Arc::new(SystemResolver));
        let client = HttpClient::new(&config, resolver, &mut redactor)?;
        let parts = Arc::new(Parts {
            base: Arc::new(base),
            client,
            credentials,
            redactor,
            limiter: Limiter::new(config.rate_limit),
            policy: Policy::new(&config.allowed_methods, &config.allowed_paths),
            max_redirects: config.max_redirects,
            max_response_bytes: config.max_response_bytes,
        });
        let breaker = match &self.breakers {
            Some(breakers) => breakers.register(name, config.breaker.clone()),
            None => CircuitBreaker::new(name, config.breaker.clone()),
        };
        let layers = ServiceBuilder::new()
            .layer(RetryLayer::new(config.retry).when(Exchange::may_repeat))
            .layer(CircuitBreakerLayer::shared(breaker.clone()));
        let service = BoxCloneSyncService::new(layers.service(Exchanger(Arc::clone(&parts))));
        let inner = Inner {
            name: name.into(),
            headers,
            parts,
            service,
            breaker,
            cache: HttpCache::new(&config.cache),
            slots: Semaphore::new(config.max_concurrent as usize),
            config,
        };
        Ok(Api(Arc::new(inner)))
    }
}

impl Api {
    /// Makes APIs with more than their configuration says.
    pub fn builder() -> ApiBuilder {
        ApiBuilder::default()
    }

    /// Makes an API of its configuration.
    ///
    /// # Errors
    ///
    /// As [`ApiBuilder::build`].
    pub fn new(name: &str, config: ApiConfig) -> Result<Self, ConfigError> {
        ApiBuilder::default().build(name, config)
    }
}

/// APIs by name.
#[derive(Clone, Debug, Default)]
pub struct Apis(BTreeMap<String, Api>);

impl Apis {
    /// Makes all APIs of a configuration.
    ///
    /// # Errors
    ///
    /// As [`ApiBuilder::build_all`].
    pub fn new(config: &ApisConfig) -> Result<Self, ConfigError> {
        ApiBuilder::default().build_all(config)
    }

    /// The API of that name.
    pub fn get(&self, name: &str) -> Option<&Api> {
        self.0.get(name)
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Api> {
        self.0.values()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<Api> for Apis {
    /// Of several with one name, the last counts.
    fn from_iter<I: IntoIterator<Item = Api>>(apis: I) -> Self {
        Self(apis.into_iter().map(|api| (api.name().to_owned(), api)).collect())
    }
}

impl std::fmt::Debug for ApiBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ApiBuilder").finish_non_exhaustive()
    }
}
