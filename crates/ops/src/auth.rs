use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use tower::layer::util::Identity;
use tower::util::{Either, option_layer};
use towline_auth::{
    Algorithm, ApiKeys, AuthLayer, Introspection, Jwt, ProtectedResource, ScopeLayer, ScopePolicy,
};

use crate::redact::{some_url, url};
use crate::source::reason;
use crate::{Failure, Source};

/// Who may call over HTTP, and what: the section `[auth]`. Without it, anybody may who can reach the port.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct AuthConfig {
    /// A file of API keys, which is read again when it changes. Default: none.
    pub api_keys: Option<PathBuf>,
    /// The URL at which clients reach the server, for which tokens must be. Needed with `jwt` and `introspection`.
    #[serde(serialize_with = "some_url")]
    pub resource: Option<String>,
    /// The access tokens of an issuer. Default: none count.
    pub jwt: Option<JwtConfig>,
    /// An authorization server that is asked about tokens which cannot be read here. Default: none.
    pub introspection: Option<IntrospectionConfig>,
    /// Which scopes what needs. Default: none are needed.
    pub scopes: ScopesConfig,
}

/// The access tokens of an issuer: `[auth.jwt]`.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct JwtConfig {
    /// Who gives them, as the claim `iss` says it.
    pub issuer: String,
    /// For whom they must be, as the claim `aud` says it. Default: `resource`.
    #[serde(default)]
    pub audience: Option<String>,
    /// Where the issuer's keys are.
    #[serde(serialize_with = "url")]
    pub jwks_url: String,
    /// How they may be signed. Default: RS256, PS256, ES256 and EdDSA.
    #[serde(default)]
    pub algorithms: Option<Vec<Algorithm>>,
    /// Claims that go on with who calls, such as `tenant`, to what tells callers apart by them. Each is text, a number or a flag.
    /// Default: none.
    #[serde(default)]
    pub claims: Vec<String>,
}

/// An authorization server that is asked about tokens (RFC 7662): `[auth.introspection]`. An answer counts for five seconds.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct IntrospectionConfig {
    /// Where it is asked; an `https://` URL, or one of this machine.
    #[serde(serialize_with = "url")]
    pub url: String,
    /// Who gives the tokens: clients are sent there, and answers that name an issuer must name this one.
    pub issuer: String,
    /// As whom this server asks.
    pub client_id: String,
    /// A file whose text is the secret of `client_id`. Default: none; it or `client_secret_env` is needed.
    #[serde(default)]
    pub client_secret_file: Option<PathBuf>,
    /// The environment variable that has the secret of `client_id`. Default: none.
    #[serde(default)]
    pub client_secret_env: Option<String>,
    /// For whom tokens must be, as `aud` of the answer says it. Default: `resource`.
    #[serde(default)]
    pub audience: Option<String>,
    /// Members of the answer that go on with who calls, as the `claims` of `jwt`. Default: none.
    #[serde(default)]
    pub claims: Vec<String>,
}

/// Which scopes what needs: `[auth.scopes]`.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct ScopesConfig {
    /// What every request needs. Default: none.
    pub everything: Vec<String>,
    /// What calls of a tool need, by its name.
    pub tools: BTreeMap<String, Vec<String>>,
    /// What a prompt needs, by its name.
    pub prompts: BTreeMap<String, Vec<String>>,
    /// What resources need, by the beginning of their URIs.
    pub resources: BTreeMap<String, Vec<String>>,
    /// Which narrower scopes a broader one stands for.
    pub implies: BTreeMap<String, Vec<String>>,
    /// Tools of which nobody learns who may not call them, although they could get the scopes for it. Default: none.
    pub hide_tools: Vec<String>,
    /// Nobody may use what is not named here. Default: false.
    pub deny_unnamed: bool,
}

impl AuthConfig {
    /// Whether callers are authenticated.
    pub fn is_on(&self) -> bool {
        self.api_keys.is_some() || self.jwt.is_some() || self.introspection.is_some()
    }

    /// Holds the settings against what can work.
    ///
    /// # Errors
    ///
    /// Names the key to change.
    pub fn check(&self, source: &Source) -> Result<(), Failure> {
        if let Some(path) = &self.api_keys {
            let text = std::fs::read_to_string(path).map_err(|error| {
                source.tell("auth.api_keys", &format!("cannot be read: {}", reason(&error)))
            })?;
            ApiKeys::parse(&text).map_err(|error| source.tell("auth.api_keys", &error.to_string()))?;
        }
        self.tokens().map_err(|(key, problem)| source.tell(key, &problem))?;
        if !self.is_on() && (self.resource.is_some() || self.has_scopes()) {
            // It would look as if something were protected.
            return Err(
                source.tell("auth", "protects nothing without `api_keys` or `jwt` or `introspection`")
            );
        }
        let ScopesConfig { everything, tools, hide_tools, deny_unnamed, .. } = &self.scopes;
        let is_open = |tool: &&String| !tools.contains_key(*tool) && everything.is_empty() && !deny_unnamed;
        if let Some(tool) = hide_tools.iter().find(is_open) {
            let problem =
                format!("`{tool}` is for everyone, so nothing hides it: say in `tools` what it needs");
            return Err(source.tell("auth.scopes.hide_tools", &problem));
        }
        Ok(())
    }

    /// The layer that goes around the server, within what counts refusals. It does nothing if callers are not authenticated.
    pub fn scopes(&self) -> Either<ScopeLayer, Identity> {
        option_layer(self.is_on().then(|| ScopeLayer::new(self.policy())))
    }

    /// The layer that goes around the HTTP service, if callers are authenticated.
    pub(crate) fn layer(&self) -> Result<Option<AuthLayer>, Failure> {
        if !self.is_on() {
            return Ok(None);
        }
        let mut layer = AuthLayer::new();
        if let Some(path) = &self.api_keys {
            layer = layer.verifier(ApiKeys::watch(path).map_err(Failure::settings)?);
        }
        let tokens =
            self.tokens().map_err(|(key, problem)| Failure::settings(format!("{key}: {problem}")))?;
        let Some(Tokens { jwt, introspection, resource }) = tokens else { return Ok(Some(layer)) };
        if let Some(jwt) = jwt {
            layer = layer.verifier(jwt);
        }
        // Last: it is asked about whatever nobody else knows.
        if let Some(introspection) = introspection {
            layer = layer.verifier(introspection);
        }
        layer = layer.resource(resource);
        Ok(Some(layer))
    }

    /// What knows tokens, if anything does, and what tells clients where to get one.
    fn tokens(&self) -> Result<Option<Tokens>, (&'static str, String)> {
        if self.jwt.is_none() && self.introspection.is_none() {
            return Ok(None);
        }
        let missing =
            || ("auth.resource", "is missing: the URL at which clients reach the server".to_owned());
        let url = self.resource.as_ref().ok_or_else(missing)?;
        let jwt = self.jwt.as_ref().map(|jwt| jwt.build(url)).transpose()?;
        let introspection = self.introspection.as_ref().map(|config| config.build(url)).transpose()?;
        let mut issuers: Vec<&str> = self.jwt.iter().map(|jwt| &*jwt.issuer).collect();
        issuers.extend(self.introspection.iter().map(|config| &*config.issuer));
        issuers.dedup();
        let resource =
            ProtectedResource::new(url, issuers).map_err(|error| ("auth.resource", error.to_string()))?;
        let resource = resource.scopes(self.scopes.everything.iter());
        Ok(Some(Tokens { jwt, introspection, resource }))
    }

    fn has_scopes(&self) -> bool {
        let ScopesConfig { everything, tools, prompts, resources, implies, hide_tools, deny_unnamed } =
            &self.scopes;
        let is_empty = [tools, prompts, resources, implies].iter().all(|rules| rules.is_empty());
        !everything.is_empty() || !is_empty || !hide_tools.is_empty() || *deny_unnamed
    }

    fn policy(&self) -> ScopePolicy {
        let ScopesConfig { everything, tools, prompts, resources, implies, hide_tools, deny_unnamed } =
            &self.scopes;
        let texts =
            |scopes: &[String]| scopes.iter().map(|scope| Box::from(&**scope)).collect::<Vec<Box<str>>>();
        let mut policy = ScopePolicy::new().everything(texts(everything));
        for (name, scopes) in tools {
            policy = policy.tool(&**name, texts(scopes));
        }
        for (name, scopes) in prompts {
            policy = policy.prompt(&**name, texts(scopes));
        }
        for (beginning, scopes) in resources {
            policy = policy.resources(&**beginning, texts(scopes));
        }
        for (scope, narrower) in implies {
            policy = policy.implies(&**scope, texts(narrower));
        }
        for name in hide_tools {
            policy = policy.hide_tool(&**name);
        }
        if *deny_unnamed { policy.deny_unnamed() } else { policy }
    }
}

/// What knows tokens, and what tells clients where to get one.
struct Tokens {
    jwt: Option<Jwt>,
    introspection: Option<Introspection>,
    resource: ProtectedResource,
}

impl JwtConfig {
    fn build(&self, resource: &str) -> Result<Jwt, (&'static str, String)> {
        let audience = self.audience.as_deref().unwrap_or(resource);
        let jwt = Jwt::new(&*self.issuer, audience, &self.jwks_url)
            .map_err(|error| ("auth.jwt.jwks_url", error.to_string()))?
            .claims(self.claims.iter().map(String::as_str));
        Ok(match &self.algorithms {
            Some(algorithms) => jwt.algorithms(algorithms.iter().copied()),
            None => jwt,
        })
    }
}

impl IntrospectionConfig {
    fn build(&self, resource: &str) -> Result<Introspection, (&'static str, String)> {
        let audience = self.audience.as_deref().unwrap_or(resource);
        let secret = self.secret()?;
        let introspection = Introspection::new(&*self.issuer, audience, &self.url, &self.client_id, &secret)
            .map_err(|error| ("auth.introspection.url", error.to_string()))?;
        Ok(introspection.claims(self.claims.iter().map(String::as_str)))
    }

    fn secret(&self) -> Result<SecretString, (&'static str, String)> {
        const FILE: &str = "auth.introspection.client_secret_file";
        const VARIABLE: &str = "auth.introspection.client_secret_env";
        let (key, text) = match (&self.client_secret_file, &self.client_secret_env) {
            (Some(path), None) => {
                let text = std::fs::read_to_string(path);
                (FILE, text.map_err(|error| (FILE, format!("cannot be read: {}", reason(&error))))?)
            }
            (None, Some(name)) => {
                let text = std::env::var(name);
                (VARIABLE, text.map_err(|_| (VARIABLE, "names a variable that is not set".to_owned()))?)
            }
            (Some(_), Some(_)) => {
                return Err((VARIABLE, "stands beside a file: give one of them".to_owned()));
            }
            (None, None) => {
                let problem = "lacks the client's secret: give client_secret_file or client_secret_env";
                return Err(("auth.introspection", problem.to_owned()));
            }
        };
        let text = text.trim();
        if text.is_empty() { Err((key, "holds no secret".to_owned())) } else { Ok(text.into()) }
    }
}
