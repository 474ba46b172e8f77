use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tower::layer::util::Identity;
use tower::util::{Either, option_layer};
use towline_auth::{Algorithm, ApiKeys, AuthLayer, Jwt, ProtectedResource, ScopeLayer, ScopePolicy};

use crate::redact::{some_url, url};
use crate::{Failure, Source};

/// Who may call over HTTP, and what: the section `[auth]`. Without it, anybody may who can reach the port.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct AuthConfig {
    /// A file of API keys, which is read again when it changes. Default: none.
    pub api_keys: Option<PathBuf>,
    /// The URL at which clients reach the server, for which tokens must be. Needed with `jwt`.
    #[serde(serialize_with = "some_url")]
    pub resource: Option<String>,
    /// The access tokens of an issuer. Default: none count.
    pub jwt: Option<JwtConfig>,
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
    /// Nobody may use what is not named here. Default: false.
    pub deny_unnamed: bool,
}

impl AuthConfig {
    /// Whether callers are authenticated.
    pub fn is_on(&self) -> bool {
        self.api_keys.is_some() || self.jwt.is_some()
    }

    /// Holds the settings against what can work.
    ///
    /// # Errors
    ///
    /// Names the key to change.
    pub fn check(&self, source: &Source) -> Result<(), Failure> {
        if let Some(path) = &self.api_keys {
            let text = std::fs::read_to_string(path).map_err(|error| {
                source.tell("auth.api_keys", &format!("cannot be read: {}", error.kind()))
            })?;
            ApiKeys::parse(&text).map_err(|error| source.tell("auth.api_keys", &error.to_string()))?;
        }
        self.tokens().map_err(|(key, problem)| source.tell(key, &problem))?;
        if !self.is_on() && (self.resource.is_some() || self.has_scopes()) {
            // It would look as if something were protected.
            return Err(source.tell("auth", "protects nothing without `api_keys` or `jwt`"));
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
        if let Some((jwt, resource)) = tokens {
            layer = layer.verifier(jwt).resource(resource);
        }
        Ok(Some(layer))
    }

    /// The issuer's tokens, and what tells clients where to get one.
    fn tokens(&self) -> Result<Option<(Jwt, ProtectedResource)>, (&'static str, String)> {
        let Some(config) = &self.jwt else { return Ok(None) };
        let missing =
            || ("auth.resource", "is missing: the URL at which clients reach the server".to_owned());
        let resource = self.resource.as_ref().ok_or_else(missing)?;
        let audience = config.audience.as_ref().unwrap_or(resource);
        let jwt = Jwt::new(&*config.issuer, &**audience, &config.jwks_url)
            .map_err(|error| ("auth.jwt.jwks_url", error.to_string()))?;
        let jwt = match &config.algorithms {
            Some(algorithms) => jwt.algorithms(algorithms.iter().copied()),
            None => jwt,
        };
        let resource = ProtectedResource::new(resource, [&*config.issuer])
            .map_err(|error| ("auth.resource", error.to_string()))?;
        Ok(Some((jwt, resource.scopes(self.scopes.everything.iter()))))
    }

    fn has_scopes(&self) -> bool {
        let ScopesConfig { everything, tools, prompts, resources, implies, deny_unnamed } = &self.scopes;
        let is_empty = [tools, prompts, resources, implies].iter().all(|rules| rules.is_empty());
        !everything.is_empty() || !is_empty || *deny_unnamed
    }

    fn policy(&self) -> ScopePolicy {
        let ScopesConfig { everything, tools, prompts, resources, implies, deny_unnamed } = &self.scopes;
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
        if *deny_unnamed { policy.deny_unnamed() } else { policy }
    }
}
