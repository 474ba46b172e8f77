//! What stands in a token.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::IgnoredAny;

/// A token taken apart. Nothing in it is true before its signature has been verified.
pub(super) struct Token<'a> {
    pub(super) header: Header,
    pub(super) claims: Claims,
    /// The claims as they stand in the token.
    pub(super) json: Vec<u8>,
    /// What is signed.
    pub(super) message: &'a [u8],
    pub(super) signature: Vec<u8>,
}

/// What a token says of its signature. Keys that it brings along or points to (`jwk`, `jku`, `x5u`) are not read.
#[derive(Deserialize)]
pub(super) struct Header {
    pub(super) alg: String,
    pub(super) kid: Option<String>,
    typ: Option<String>,
    /// Whatever it names must be understood, and nothing is.
    crit: Option<IgnoredAny>,
}

/// What a token says of who has it. A claim of another type than it must have makes the whole token malformed, and so does
/// one that stands there twice.
#[derive(Deserialize)]
pub(super) struct Claims {
    pub(super) iss: String,
    pub(super) sub: String,
    pub(super) aud: OneOrMore,
    pub(super) exp: Seconds,
    pub(super) nbf: Option<Seconds>,
    pub(super) iat: Option<Seconds>,
    pub(super) scope: Option<OneOrMore>,
    /// What some issuers call it.
    pub(super) scp: Option<OneOrMore>,
}

#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum OneOrMore {
    One(String),
    More(Vec<String>),
}

impl OneOrMore {
    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        match self {
            Self::One(text) => std::slice::from_ref(text),
            Self::More(texts) => texts,
        }
        .iter()
        .map(String::as_str)
    }
}

/// Seconds since 1970; some issuers write fractions.
#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "f64")]
pub(super) struct Seconds(pub(super) u64);

impl TryFrom<f64> for Seconds {
    type Error = &'static str;

    fn try_from(seconds: f64) -> Result<Self, Self::Error> {
        const YEAR_10000: f64 = 253_402_300_800.0;
        if (0.0..YEAR_10000).contains(&seconds) { Ok(Self(seconds as u64)) } else { Err("no time") }
    }
}

impl<'a> Token<'a> {
    /// Takes a text apart. `None` if it is no token.
    pub(super) fn read(text: &'a str) -> Option<Self> {
        let (message, signature) = text.rsplit_once('.')?;
        let (header, claims) = message.split_once('.')?;
        let header: Header = serde_json::from_slice(&decode(header)?).ok()?;
        let json = decode(claims)?;
        let claims = serde_json::from_slice(&json).ok()?;
        Some(Self { header, claims, json, message: message.as_bytes(), signature: decode(signature)? })
    }
}

impl Header {
    /// Whether it is of a kind that is meant to be shown to servers.
    pub(super) fn is_access_token(&self) -> bool {
        let typ = self.typ.as_deref().map(|typ| {
            let typ = typ.to_ascii_lowercase();
            typ.strip_prefix("application/").map_or(typ.clone(), str::to_owned)
        });
        self.crit.is_none() && typ.is_none_or(|typ| typ == "jwt" || typ == "at+jwt")
    }
}

fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}
