//! Access tokens that can be read: JSON Web Tokens, signed by an issuer whose keys are public.
//!
//! Sources: RFC 7519, RFC 8725 (what to take care of), RFC 9068 (the profile for access tokens).

mod algorithm;
mod jwks;
mod key;
mod token;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use towline_core::Principal;

pub use self::algorithm::Algorithm;
use self::jwks::Jwks;
use self::token::{Claims, OneOrMore, Token};
use crate::claims::{Names, tell};
use crate::fetch::{self, InvalidUrl};
use crate::{Caller, Grant, Rejection, Scopes, Verify, time};

/// How far clocks may be apart.
const LEEWAY: u64 = 30;

/// Tokens of one issuer, for one server.
///
/// Issuer, audience, subject and expiry are mandatory. A token for another audience is refused, whoever has signed it:
/// otherwise any other server of the issuer's could use the tokens that it gets here.
///
/// The keys are fetched when the first token comes, kept for as long as the issuer says (at least a minute, at most a day), and
/// fetched anew for a key's id that is not known, at most every 30 seconds. While the issuer cannot be reached, known keys go
/// on working for up to a day.
///
/// ```
/// use towline_auth::{Algorithm, Jwt};
///
/// let tokens = Jwt::new("https://id.example", "https://mcp.example.com/mcp", "https://id.example/keys")?
///     .algorithms([Algorithm::ES256]);
/// # Ok::<(), towline_auth::InvalidUrl>(())
/// ```
#[derive(Clone)]
pub struct Jwt(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    issuer: Box<str>,
    audiences: Vec<Box<str>>,
    algorithms: Vec<Algorithm>,
    max_lifetime: Duration,
    told: Names,
    jwks: Jwks,
}

impl Jwt {
    /// Tokens of `issuer` for `audience`, which is this server's resource identifier, signed with a key at `jwks_url`.
    ///
    /// # Errors
    ///
    /// When keys from that address could be anybody's.
    pub fn new(
        issuer: impl Into<Box<str>>,
        audience: impl Into<Box<str>>,
        jwks_url: &str,
    ) -> Result<Self, InvalidUrl> {
        let jwks = Jwks::new(fetch::checked(jwks_url)?);
        Ok(Self(Arc::new(Inner {
            issuer: issuer.into(),
            audiences: vec![audience.into()],
            algorithms: Algorithm::USUAL.into(),
            max_lifetime: Duration::from_secs(24 * 60 * 60),
            told: Names::new(),
            jwks,
        })))
    }

    /// Takes tokens for this audience too, such as a former name of the server.
    #[must_use]
    pub fn audience(self, audience: impl Into<Box<str>>) -> Self {
        self.with(|inner| inner.audiences.push(audience.into()))
    }

    /// Takes only tokens that are signed so. Default: RS256, PS256, ES256 and EdDSA.
    #[must_use]
    pub fn algorithms(self, algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        self.with(|inner| inner.algorithms = algorithms.into_iter().collect())
    }

    /// Refuses tokens that live longer than that. Default: 24 hours.
    #[must_use]
    pub fn max_lifetime(self, lifetime: Duration) -> Self {
        self.with(|inner| inner.max_lifetime = lifetime)
    }

    /// Hands these claims on with the [principal](Principal::claim), such as a tenant, to packs that tell callers apart by them.
    /// A token in which one of them is neither text, number nor flag is refused. Default: none.
    #[must_use]
    pub fn claims(self, names: impl IntoIterator<Item = impl Into<Box<str>>>) -> Self {
        self.with(|inner| inner.told = names.into_iter().map(Into::into).collect())
    }

    fn with(mut self, change: impl FnOnce(&mut Inner)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }
}

impl Inner {
    /// Holds what a token says against what it must say.
    fn check(&self, claims: &Claims, now: u64) -> Result<(), &'static str> {
        if !claims.aud.iter().any(|aud| self.audiences.iter().any(|own| **own == *aud)) {
            return Err("it is for another audience");
        }
        if claims.exp.0.saturating_add(LEEWAY) <= now {
            return Err("it has expired");
        }
        if claims.nbf.is_some_and(|nbf| nbf.0 > now + LEEWAY)
            || claims.iat.is_some_and(|iat| iat.0 > now + LEEWAY)
        {
            return Err("it is not valid yet");
        }
        let from = claims.iat.map_or(now, |iat| iat.0);
        if claims.exp.0.saturating_sub(from) > self.max_lifetime.as_secs() + LEEWAY {
            return Err("it lives too long");
        }
        let length = claims.sub.len();
        if length == 0 || length > 255 || claims.sub.chars().any(char::is_control) {
            return Err("its subject is no name");
        }
        Ok(())
    }
}

#[async_trait]
impl Verify for Jwt {
    async fn verify(&self, text: &str) -> Result<Caller, Rejection> {
        let inner = &*self.0;
        let token = Token::read(text).ok_or(Rejection::OtherKind)?;
        let Token { header, claims, json, message, signature } = &token;
        // Keys are looked for among those of this issuer alone, so that no other's can pass for them.
        if *claims.iss != *inner.issuer {
            return Err(Rejection::OtherKind);
        }
        let refused = |why: &'static str| {
            tracing::debug!(why, "refused a token");
            Rejection::Invalid
        };
        let algorithm = Algorithm::named(&header.alg).filter(|one| inner.algorithms.contains(one));
        let algorithm = algorithm.ok_or_else(|| refused("its algorithm is not allowed"))?;
        if !header.is_access_token() {
            return Err(refused("it is of another kind"));
        }
        // Before the signature: what is refused for what it says need not make anyone fetch keys.
        inner.check(claims, time::now()).map_err(refused)?;
        let id = header.kid.as_deref();
        let keys = inner.jwks.keys(id).await.ok_or(Rejection::Unavailable)?;
        if !keys.verify(id, algorithm, message, signature) {
            return Err(refused("no known key has signed it"));
        }
        let texts = [&claims.scope, &claims.scp].into_iter().flatten().flat_map(OneOrMore::iter);
        let scopes: Scopes = texts.flat_map(str::split_ascii_whitespace).collect();
        let grant = Grant::new(scopes).until(claims.exp.0.saturating_add(LEEWAY)).with_step_up();
        let principal = Principal::new(format!("{}#{}", claims.iss, claims.sub))
            .with_subject(&*claims.sub, Some(&claims.iss))
            .with_scopes(grant.scopes().shared());
        let principal = tell(principal, &inner.told, json);
        let principal = principal.ok_or_else(|| refused("a claim that goes on is not one text"))?;
        Ok(Caller { principal, grant })
    }
}

impl fmt::Debug for Jwt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Jwt").field("issuer", &self.0.issuer).finish_non_exhaustive()
    }
}
