//! API keys: long random texts that a client shows, of which the server has the hashes.

mod file;

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

pub use self::file::KeysError;
use self::file::Table;
use crate::{Caller, Rejection, Scopes, Verify, time};

/// What every key begins with, so that it is told from a token, and found by scanners for secrets.
const PREFIX: &str = "tlk_";
/// How often the file is looked at.
const LOOK_AFTER: Duration = Duration::from_secs(1);

/// A new API key: `tlk_`, its id, `_` and 32 random bytes.
///
/// ```
/// let key = towline_auth::ApiKey::generate("ci").unwrap();
/// assert!(key.entry().starts_with("[keys.ci]\nsha256 = \""));
/// ```
pub struct ApiKey {
    id: Box<str>,
    text: SecretString,
    scopes: Scopes,
    expires: Option<u64>,
    claims: BTreeMap<String, String>,
}

impl ApiKey {
    /// A new key of that id: 1 to 64 of a-z, A-Z, 0-9 and `-`. `None` if it is another text.
    pub fn generate(id: &str) -> Option<Self> {
        if !is_id(id) {
            return None;
        }
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).ok()?;
        let text = format!("{PREFIX}{id}_{}", URL_SAFE_NO_PAD.encode(secret));
        Some(Self {
            id: id.into(),
            text: text.into(),
            scopes: Scopes::default(),
            expires: None,
            claims: BTreeMap::new(),
        })
    }

    /// Whether a text can be the id of a key: 1 to 64 of a-z, A-Z, 0-9 and `-`.
    pub fn is_id(text: &str) -> bool {
        is_id(text)
    }

    /// The second since 1970 that a text means as `expires` in the file: a date such as `2027-01-01`, or a date and a time. `None`
    /// if it means none.
    pub fn time_of(text: &str) -> Option<u64> {
        time::seconds(&text.parse().ok()?)
    }

    /// What its holder may do. Default: what needs no scope.
    #[must_use]
    pub fn with_scopes(mut self, scopes: Scopes) -> Self {
        self.scopes = scopes;
        self
    }

    /// Ends it at that second since 1970. Default: never.
    #[must_use]
    pub fn until(mut self, seconds: u64) -> Self {
        self.expires = Some(seconds);
        self
    }

    /// Says something of its holder to packs that tell callers apart, such as the tenant.
    #[must_use]
    pub fn with_claim(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.claims.insert(name.into(), value.into());
        self
    }

    /// The key, for who is to have it. It is kept nowhere else.
    pub fn expose(&self) -> &str {
        self.text.expose_secret()
    }

    /// What the server needs of it: an entry of the file that [`ApiKeys`] reads.
    pub fn entry(&self) -> String {
        let hash = Sha256::digest(self.expose());
        let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        let scopes: Vec<&str> = self.scopes.iter().collect();
        let mut entry = format!("[keys.{}]\nsha256 = \"{hex}\"\nscopes = {}\n", self.id, json!(scopes));
        // Writing to a String cannot fail.
        if let Some(expires) = self.expires.and_then(time::datetime) {
            let _ = writeln!(entry, "expires = {expires}");
        }
        if !self.claims.is_empty() {
            // Strings of JSON are strings of TOML.
            let claims =
                self.claims.iter().map(|(name, value)| format!("{} = {}", json!(name), json!(value)));
            let _ = writeln!(entry, "claims = {{ {} }}", claims.collect::<Vec<_>>().join(", "));
        }
        entry
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiKey({})", self.id)
    }
}

fn is_id(id: &str) -> bool {
    (1..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// The API keys of a TOML file, which is read again when it changes.
///
/// ```toml
/// [keys.ci]
/// sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08" # of the whole key
/// scopes = ["orders:read"]
/// expires = 2027-01-01                                                        # optional
/// claims = { tenant = "north" }                                               # optional: for packs that tell callers apart
/// ```
///
/// The principal of a key is `key:` and its id. A key is random and long, so that a fast hash is as good as a slow one: there
/// is nothing to guess.
#[derive(Clone)]
pub struct ApiKeys(Arc<ArcSwap<Table>>);

impl ApiKeys {
    /// The keys of a text in the form of the file.
    ///
    /// # Errors
    ///
    /// Where it is no such text.
    pub fn parse(text: &str) -> Result<Self, KeysError> {
        Ok(Self(Arc::new(ArcSwap::from_pointee(Table::parse(text)?))))
    }

    /// The keys of a file, which is looked at every second for as long as these are used. If a later version cannot be read,
    /// the keys stay as they are, and a log line says so.
    ///
    /// # Errors
    ///
    /// When the file cannot be read now.
    ///
    /// # Panics
    ///
    /// Panics outside of a tokio runtime.
    pub fn watch(path: impl AsRef<Path>) -> Result<Self, KeysError> {
        let path = path.as_ref().to_owned();
        let text = std::fs::read_to_string(&path).map_err(KeysError::Read)?;
        let keys = Self::parse(&text)?;
        tokio::spawn(watch(path, text, Arc::downgrade(&keys.0)));
        Ok(keys)
    }
}

async fn watch(path: PathBuf, mut known: String, keys: Weak<ArcSwap<Table>>) {
    // So that a mistake is told once, not every second.
    let mut was_readable = true;
    loop {
        tokio::time::sleep(LOOK_AFTER).await;
        let file = path.clone();
        let read = tokio::task::spawn_blocking(move || std::fs::read_to_string(file)).await;
        let Some(keys) = keys.upgrade() else { return };
        let text = match read {
            Ok(Ok(text)) => text,
            Ok(Err(error)) => {
                if std::mem::take(&mut was_readable) {
                    tracing::error!(%error, "the file of API keys cannot be read; the keys stay as they are");
                }
                continue;
            }
            Err(_) => return,
        };
        was_readable = true;
        if text == known {
            continue;
        }
        match Table::parse(&text) {
            Ok(table) => {
                tracing::info!(keys = table.len(), "read the API keys again");
                keys.store(Arc::new(table));
            }
            Err(error) => tracing::error!(%error, "the new API keys are malformed; the old ones stay"),
        }
        known = text;
    }
}

#[async_trait]
impl Verify for ApiKeys {
    async fn verify(&self, token: &str) -> Result<Caller, Rejection> {
        let Some(rest) = token.strip_prefix(PREFIX) else { return Err(Rejection::OtherKind) };
        let table = self.0.load();
        let (id, _) = rest.split_once('_').ok_or(Rejection::Invalid)?;
        let key = table.get(id);
        // An unknown id costs as much as a wrong secret, so that ids cannot be found by their time.
        let hash = Sha256::digest(token);
        let expected = key.map_or([0; 32], |key| key.sha256);
        let is_equal = bool::from(hash.as_slice().ct_eq(&expected));
        let key = key.filter(|key| is_equal && !key.grant.has_ended()).ok_or(Rejection::Invalid)?;
        Ok(Caller { principal: key.principal.clone(), grant: key.grant.clone() })
    }
}

impl fmt::Debug for ApiKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiKeys({})", self.0.load().len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn verify(keys: &ApiKeys, token: &str) -> Result<String, Rejection> {
        keys.verify(token).await.map(|caller| caller.principal.id().to_owned())
    }

    #[tokio::test]
    async fn a_key_is_known_by_its_hash_until_it_expires() {
        let (good, old) = (ApiKey::generate("good").unwrap(), ApiKey::generate("old").unwrap());
        let file = format!("{}\n{}expires = 2020-01-01\n", good.entry(), old.entry());
        let keys = ApiKeys::parse(&file).unwrap();
        assert_eq!(verify(&keys, good.expose()).await, Ok("key:good".into()));
        assert_eq!(verify(&keys, old.expose()).await, Err(Rejection::Invalid));
        let other = ApiKey::generate("good").unwrap();
        assert_eq!(verify(&keys, other.expose()).await, Err(Rejection::Invalid));
        let unknown = ApiKey::generate("unknown").unwrap();
        assert_eq!(verify(&keys, unknown.expose()).await, Err(Rejection::Invalid));
        assert_eq!(verify(&keys, "tlk_").await, Err(Rejection::Invalid));
        assert_eq!(verify(&keys, "eyJ0").await, Err(Rejection::OtherKind));
        // The entry alone is no key: the hash of what is sent is compared, not what is sent.
        let hash = file.split('"').nth(1).unwrap();
        assert_eq!(verify(&keys, &format!("tlk_good_{hash}")).await, Err(Rejection::Invalid));
        for shown in [format!("{good:?} {keys:?}"), file.clone()] {
            assert!(!shown.contains(good.expose()), "{shown}");
        }
    }

    #[tokio::test]
    async fn a_key_is_written_with_what_it_may_do() {
        let key = ApiKey::generate("a").unwrap();
        let key = key.with_scopes(Scopes::parse("x y")).until(4_102_444_799).with_claim("tenant", "a \"b\"");
        assert!(key.entry().contains("expires = 2099-12-31T23:59:59Z\n"), "{}", key.entry());
        let caller = ApiKeys::parse(&key.entry()).unwrap().verify(key.expose()).await.unwrap();
        assert_eq!(caller.principal.scopes().collect::<Vec<_>>(), ["x", "y"]);
        assert_eq!((caller.principal.subject(), caller.principal.claim("tenant")), ("a", Some("a \"b\"")));
        let old = ApiKey::generate("a").unwrap().until(1);
        assert!(ApiKeys::parse(&old.entry()).unwrap().verify(old.expose()).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_file_is_read_again_when_it_changes_and_kept_when_it_is_malformed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.toml");
        let (first, second) = (ApiKey::generate("one").unwrap(), ApiKey::generate("two").unwrap());
        std::fs::write(&path, first.entry()).unwrap();
        let keys = ApiKeys::watch(&path).unwrap();
        let settle = async || {
            for _ in 0..3 {
                tokio::time::sleep(LOOK_AFTER).await;
                // The file is read on another thread, which paused time does not wait for.
                std::thread::sleep(Duration::from_millis(30));
            }
        };
        assert!(verify(&keys, first.expose()).await.is_ok());

        std::fs::write(&path, second.entry()).unwrap();
        settle().await;
        assert!(verify(&keys, first.expose()).await.is_err(), "it is withdrawn");
        assert!(verify(&keys, second.expose()).await.is_ok());

        for bad in ["[keys.two]\nsha256 = 1\n", "[keys"] {
            std::fs::write(&path, bad).unwrap();
            settle().await;
            assert!(verify(&keys, second.expose()).await.is_ok(), "{bad}");
        }
        std::fs::remove_file(&path).unwrap();
        settle().await;
        assert!(verify(&keys, second.expose()).await.is_ok());
    }
}
