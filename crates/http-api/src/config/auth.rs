//! How requests show who sends them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::secret::{some_redacted, values_redacted};
use super::{ConfigError, Secret, header_name};
use crate::egress::BaseUrl;

/// How requests show who sends them.
///
/// In files it is a table with a `type`; a secret is given as it is, as `*_env` or as `*_file`:
///
/// ```toml
/// auth = { type = "bearer", token_env = "GITHUB_TOKEN" }
/// auth = { type = "api_key", header = "X-Api-Key", key_file = "/run/secrets/search" }
/// auth = { type = "api_key", query = "key", key_env = "WEATHER_KEY" }
/// auth = { type = "basic", username = "reader", password_env = "WIKI_PASSWORD" }
/// auth = { type = "oauth2", token_url = "https://id.example.com/token", client_id = "mcp", client_secret_env = "SECRET" }
/// ```
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(try_from = "Keys", into = "Keys")]
#[non_exhaustive]
pub enum AuthConfig {
    /// Not at all.
    #[default]
    None,
    /// `Authorization: Bearer` and a token.
    Bearer {
        /// The token.
        token: Secret,
    },
    /// A key in a header.
    ApiKeyHeader {
        /// The header's name.
        header: String,
        /// The key.
        key: Secret,
    },
    /// A key in the query.
    ApiKeyQuery {
        /// The parameter's name.
        parameter: String,
        /// The key.
        key: Secret,
    },
    /// `Authorization: Basic`, with a name and a password.
    Basic {
        /// The name.
        username: String,
        /// The password.
        password: Secret,
    },
    /// OAuth 2 client credentials.
    OAuth2(OAuthConfig),
}

/// OAuth 2 client credentials (RFC 6749, section 4.4).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OAuthConfig {
    /// Where tokens come from. It may be at another origin than the API, and passes the same guard of addresses.
    pub token_url: String,
    /// The client's id.
    pub client_id: String,
    /// The client's secret.
    pub client_secret: Secret,
    /// What the token is to allow. Default: what the server grants.
    pub scopes: Vec<String>,
    /// More parameters of the request, such as `audience` or `resource`. Default: none.
    pub parameters: BTreeMap<String, String>,
    /// Where id and secret stand. Default: in the header.
    pub client_auth: ClientAuth,
}

impl OAuthConfig {
    /// A client with every default.
    pub fn new(token_url: impl Into<String>, client_id: impl Into<String>, client_secret: Secret) -> Self {
        Self {
            token_url: token_url.into(),
            client_id: client_id.into(),
            client_secret,
            scopes: Vec::new(),
            parameters: BTreeMap::new(),
            client_auth: ClientAuth::default(),
        }
    }
}

/// Where a client's id and secret stand in its request for a token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ClientAuth {
    /// In the `Authorization` header (`client_secret_basic`).
    #[default]
    Header,
    /// In the body (`client_secret_post`).
    Body,
}

impl AuthConfig {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        match self {
            Self::ApiKeyHeader { header, .. } => header_name("header", header).map(drop),
            Self::ApiKeyQuery { parameter, .. } if parameter.is_empty() => {
                Err(ConfigError::new("query", "must not be empty"))
            }
            Self::Basic { username, .. } if username.contains(':') => {
                Err(ConfigError::new("username", "must not hold `:`"))
            }
            Self::OAuth2(oauth) => oauth.token_base().map(drop),
            _ => Ok(()),
        }
    }
}

impl OAuthConfig {
    /// Where tokens come from: the whole path is the base's.
    pub(crate) fn token_base(&self) -> Result<BaseUrl, ConfigError> {
        BaseUrl::parse(&self.token_url).map_err(|problem| ConfigError::new("token_url", problem))
    }
}

/// Every key that any type has. One by one, `serde` would take unknown keys of tagged types without a word.
///
/// What is serialized of it shows no secret.
#[derive(Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Keys {
    /// How. Needed.
    #[schemars(extend("enum" = ["none", "bearer", "api_key", "basic", "oauth2"]))]
    r#type: Option<String>,
    /// Of `bearer`: the token.
    #[serde(serialize_with = "some_redacted")]
    #[schemars(with = "Option<String>", extend("writeOnly" = true))]
    token: Option<SecretString>,
    /// Of `bearer`: the environment variable that holds the token.
    token_env: Option<String>,
    /// Of `bearer`: the file that holds the token.
    token_file: Option<PathBuf>,
    /// Of `api_key`: the header that has the key.
    header: Option<String>,
    /// Of `api_key`: the parameter of the query that has the key.
    query: Option<String>,
    /// Of `api_key`: the key.
    #[serde(serialize_with = "some_redacted")]
    #[schemars(with = "Option<String>", extend("writeOnly" = true))]
    key: Option<SecretString>,
    /// Of `api_key`: the environment variable that holds the key.
    key_env: Option<String>,
    /// Of `api_key`: the file that holds the key.
    key_file: Option<PathBuf>,
    /// Of `basic`: the name.
    username: Option<String>,
    /// Of `basic`: the password.
    #[serde(serialize_with = "some_redacted")]
    #[schemars(with = "Option<String>", extend("writeOnly" = true))]
    password: Option<SecretString>,
    /// Of `basic`: the environment variable that holds the password.
    password_env: Option<String>,
    /// Of `basic`: the file that holds the password.
    password_file: Option<PathBuf>,
    /// Of `oauth2`: where tokens come from.
    token_url: Option<String>,
    /// Of `oauth2`: the client's id.
    client_id: Option<String>,
    /// Of `oauth2`: the client's secret.
    #[serde(serialize_with = "some_redacted")]
    #[schemars(with = "Option<String>", extend("writeOnly" = true))]
    client_secret: Option<SecretString>,
    /// Of `oauth2`: the environment variable that holds the client's secret.
    client_secret_env: Option<String>,
    /// Of `oauth2`: the file that holds the client's secret.
    client_secret_file: Option<PathBuf>,
    /// Of `oauth2`: what the token is to allow. Default: what the server grants.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    scopes: Vec<String>,
    /// Of `oauth2`: more parameters of the request, such as `audience`. Default: none.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", serialize_with = "values_redacted")]
    #[schemars(extend("writeOnly" = true))]
    parameters: BTreeMap<String, String>,
    /// Of `oauth2`: where id and secret stand. Default: in the header.
    #[serde(skip_serializing_if = "is_default")]
    client_auth: ClientAuth,
}

fn is_default(client_auth: &ClientAuth) -> bool {
    *client_auth == ClientAuth::default()
}

impl From<AuthConfig> for Keys {
    fn from(auth: AuthConfig) -> Self {
        let of = |kind: &str| Self { r#type: Some(kind.into()), ..Self::default() };
        match auth {
            AuthConfig::None => of("none"),
            AuthConfig::Bearer { token } => {
                let (token, token_env, token_file) = token.apart();
                Self { token, token_env, token_file, ..of("bearer") }
            }
            AuthConfig::ApiKeyHeader { header, key } => {
                let (key, key_env, key_file) = key.apart();
                Self { header: Some(header), key, key_env, key_file, ..of("api_key") }
            }
            AuthConfig::ApiKeyQuery { parameter, key } => {
                let (key, key_env, key_file) = key.apart();
                Self { query: Some(parameter), key, key_env, key_file, ..of("api_key") }
            }
            AuthConfig::Basic { username, password } => {
                let (password, password_env, password_file) = password.apart();
                Self { username: Some(username), password, password_env, password_file, ..of("basic") }
            }
            AuthConfig::OAuth2(oauth) => {
                let OAuthConfig { token_url, client_id, client_secret, scopes, parameters, client_auth } =
                    oauth;
                let (client_secret, client_secret_env, client_secret_file) = client_secret.apart();
                Self {
                    token_url: Some(token_url),
                    client_id: Some(client_id),
                    client_secret,
                    client_secret_env,
                    client_secret_file,
                    scopes,
                    parameters,
                    client_auth,
                    ..of("oauth2")
                }
            }
        }
    }
}

impl TryFrom<Keys> for AuthConfig {
    type Error = String;

    fn try_from(mut keys: Keys) -> Result<Self, String> {
        let kind = keys.r#type.take().ok_or("`type` is missing: none, bearer, api_key, basic or oauth2")?;
        let auth = match kind.as_str() {
            "none" => Self::None,
            "bearer" => {
                let token = named("token", keys.token.take(), keys.token_env.take(), keys.token_file.take())?;
                Self::Bearer { token }
            }
            "api_key" => {
                let key = named("key", keys.key.take(), keys.key_env.take(), keys.key_file.take())?;
                match (keys.header.take(), keys.query.take()) {
                    (Some(header), None) => Self::ApiKeyHeader { header, key },
                    (None, Some(parameter)) => Self::ApiKeyQuery { parameter, key },
                    _ => return Err("an API key needs one of `header` and `query`".into()),
                }
            }
            "basic" => {
                let (value, env, file) =
                    (keys.password.take(), keys.password_env.take(), keys.password_file.take());
                let password = named("password", value, env, file)?;
                Self::Basic { username: keys.username.take().ok_or("`username` is missing")?, password }
            }
            "oauth2" => {
                let (value, env, file) = (
                    keys.client_secret.take(),
                    keys.client_secret_env.take(),
                    keys.client_secret_file.take(),
                );
                let mut oauth = OAuthConfig::new(
                    keys.token_url.take().ok_or("`token_url` is missing")?,
                    keys.client_id.take().ok_or("`client_id` is missing")?,
                    named("client_secret", value, env, file)?,
                );
                oauth.scopes = std::mem::take(&mut keys.scopes);
                oauth.parameters = std::mem::take(&mut keys.parameters);
                oauth.client_auth = std::mem::take(&mut keys.client_auth);
                Self::OAuth2(oauth)
            }
            _ => return Err("`type` must be none, bearer, api_key, basic or oauth2".into()),
        };
        match keys.left() {
            Some(key) => Err(format!("`{key}` does not belong to the type `{kind}`")),
            None => Ok(auth),
        }
    }
}

fn named(
    key: &str,
    value: Option<SecretString>,
    env: Option<String>,
    file: Option<PathBuf>,
) -> Result<Secret, String> {
    if value.as_ref().is_some_and(|value| value.expose_secret().is_empty()) {
        return Err(format!("`{key}` must not be empty"));
    }
    Secret::one_of(key, value, env, file).map_err(|problem| format!("`{key}` {problem}"))
}

impl Keys {
    /// A key that nothing has taken.
    fn left(&self) -> Option<&'static str> {
        let keys = [
            ("token", self.token.is_some() || self.token_env.is_some() || self.token_file.is_some()),
            ("header", self.header.is_some()),
            ("query", self.query.is_some()),
            ("key", self.key.is_some() || self.key_env.is_some() || self.key_file.is_some()),
            ("username", self.username.is_some()),
            (
                "password",
                self.password.is_some() || self.password_env.is_some() || self.password_file.is_some(),
            ),
            ("token_url", self.token_url.is_some()),
            ("client_id", self.client_id.is_some()),
            (
                "client_secret",
                self.client_secret.is_some()
                    || self.client_secret_env.is_some()
                    || self.client_secret_file.is_some(),
            ),
            ("scopes", !self.scopes.is_empty()),
            ("parameters", !self.parameters.is_empty()),
            ("client_auth", self.client_auth != ClientAuth::default()),
        ];
        keys.into_iter().find_map(|(key, is_left)| is_left.then_some(key))
    }
}
