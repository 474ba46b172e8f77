//! Shows an API who sends a request.

mod oauth;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::AUTHORIZATION;
use http::{HeaderName, HeaderValue, Uri};
use percent_encoding::percent_decode_str;
use secrecy::{ExposeSecret, SecretString};

pub(crate) use oauth::{OAuth, Token};

use crate::client::Redactor;
use crate::config::{AuthConfig, ConfigError, header_name, header_value};
use crate::encode::encode;

/// Credentials with their secrets read.
pub(crate) enum Credentials {
    None,
    Header(HeaderName, HeaderValue),
    Query { name: String, value: SecretString },
    OAuth(Box<OAuth>),
}

impl Credentials {
    pub(crate) fn new(config: &AuthConfig, redactor: &mut Redactor) -> Result<Self, ConfigError> {
        Ok(match config {
            AuthConfig::None => Self::None,
            AuthConfig::Bearer { token } => {
                let token = token.read("token")?;
                redactor.add(token.expose_secret());
                let value = SecretString::from(format!("Bearer {}", token.expose_secret()));
                Self::Header(AUTHORIZATION, header_value("auth", "token", &value)?)
            }
            AuthConfig::ApiKeyHeader { header, key } => {
                let key = key.read("key")?;
                redactor.add(key.expose_secret());
                Self::Header(header_name("header", header)?, header_value("auth", "key", &key)?)
            }
            AuthConfig::ApiKeyQuery { parameter, key } => {
                let value = key.read("key")?;
                redactor.add(value.expose_secret());
                Self::Query { name: parameter.clone(), value }
            }
            AuthConfig::Basic { username, password } => {
                let password = password.read("password")?;
                redactor.add(password.expose_secret());
                let pair = STANDARD.encode(format!("{username}:{}", password.expose_secret()));
                redactor.add(&pair);
                Self::Header(
                    AUTHORIZATION,
                    header_value("auth", "password", &SecretString::from(format!("Basic {pair}")))?,
                )
            }
            AuthConfig::OAuth2(oauth) => Self::OAuth(Box::new(OAuth::new(oauth, redactor)?)),
        })
    }

    /// The header that callers must leave to the configuration, beside those that they never may set.
    pub(crate) fn header(&self) -> Option<&HeaderName> {
        match self {
            Self::Header(name, _) => Some(name),
            _ => None,
        }
    }
}

/// The same URL with a parameter, instead of any of that name.
pub(crate) fn with_parameter(uri: &Uri, name: &str, value: &SecretString) -> Option<Uri> {
    let is_other = |pair: &&str| {
        let given = pair.split('=').next().unwrap_or_default().replace('+', " ");
        !pair.is_empty() && percent_decode_str(&given).decode_utf8_lossy() != name
    };
    let mut query: String =
        uri.query().unwrap_or_default().split('&').filter(is_other).collect::<Vec<_>>().join("&");
    if !query.is_empty() {
        query.push('&');
    }
    query.push_str(&format!("{}={}", encode(name), encode(value.expose_secret())));
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(format!("{}?{query}", uri.path()).parse().ok()?);
    Uri::from_parts(parts).ok()
}
