//! State in the hands of clients: sealed, so that they can neither read nor change it, and bound to its request.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::answers::Claim;
use super::used::{UsedStates, UsedStatesInMemory};
use super::{Binding, InputRequired};
use crate::codec::CursorKey;
use crate::error::{Error, ErrorKind};

/// The form of what is sealed, as its first byte.
const FORM: u8 = 1;
const KEY_ID: usize = 4;
const NONCE: usize = 24;
const DEFAULT_TTL: Duration = Duration::from_secs(10 * 60);

/// How the state of requests that wait for input is sealed: by which keys, and for how long it is good.
///
/// It is encrypted and authenticated (XChaCha20-Poly1305), and bound to the caller, the method, its subject and its
/// arguments. Replicas of one server need the same key.
///
/// ```
/// use towline_core::{Router, StateKey, StateSeal};
///
/// # let (new, old) = ("0123456789abcdef0123456789abcdef", "a key of an earlier month, also long");
/// // While keys are rotated, what the old one has sealed is still good.
/// let seal = StateSeal::new(StateKey::from_secret(new)?).accept(StateKey::from_secret(old)?);
/// let router = Router::new("example", "1.0.0").state_seal(seal);
/// # Ok::<_, towline_core::BoxError>(())
/// ```
#[derive(Clone)]
pub struct StateSeal {
    /// The first seals, all open.
    keys: Vec<StateKey>,
    ttl: Duration,
    used: Arc<dyn UsedStates>,
}

/// A key that seals state.
#[derive(Clone)]
pub struct StateKey {
    id: [u8; KEY_ID],
    cipher: XChaCha20Poly1305,
    cursors: CursorKey,
}

impl StateKey {
    /// A key that only this process has.
    ///
    /// # Panics
    ///
    /// Panics if the system has no random numbers.
    pub fn random() -> Self {
        let mut key = [0; 32];
        fill(&mut key);
        Self::of(&key)
    }

    /// The key that comes of a secret text, the same on every replica.
    ///
    /// # Errors
    ///
    /// When the text is shorter than 32 bytes, and so may be guessed.
    pub fn from_secret(secret: &str) -> Result<Self, crate::BoxError> {
        if secret.len() < 32 {
            return Err("a secret for state keys needs 32 bytes or more".into());
        }
        let mut hash = Sha256::new();
        hash.update(b"towline state key 1\0");
        hash.update(secret);
        Ok(Self::of(&hash.finalize().into()))
    }

    fn of(key: &[u8; 32]) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"towline state key id\0");
        hash.update(key);
        let digest: [u8; 32] = hash.finalize().into();
        let mut id = [0; KEY_ID];
        id.copy_from_slice(&digest[..KEY_ID]);
        Self { id, cipher: XChaCha20Poly1305::new(key.into()), cursors: CursorKey::of([b"secret", key]) }
    }
}

impl fmt::Debug for StateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StateKey")
    }
}

impl fmt::Debug for StateSeal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StateSeal")
            .field("keys", &self.keys.len())
            .field("ttl", &self.ttl)
            .finish_non_exhaustive()
    }
}

/// What is sealed.
#[derive(Serialize, Deserialize)]
struct Contents {
    /// In milliseconds since 1970.
    #[serde(rename = "x")]
    expires: u64,
    #[serde(rename = "a", default, skip_serializing_if = "Map::is_empty")]
    answers: Map<String, Value>,
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    state: Option<Value>,
    /// Of a state that may be used once.
    #[serde(rename = "u", default, skip_serializing_if = "Option::is_none")]
    id: Option<[u8; 16]>,
}

/// What came out.
pub(super) struct Opened {
    pub(super) answers: Map<String, Value>,
    pub(super) state: Option<Value>,
    pub(super) claim: Option<Claim>,
}

impl StateSeal {
    /// Seals with that key, for 10 minutes; which states have been used is remembered in this process.
    pub fn new(key: StateKey) -> Self {
        Self { keys: vec![key], ttl: DEFAULT_TTL, used: Arc::new(UsedStatesInMemory::default()) }
    }

    /// Opens what that key has sealed as well.
    #[must_use]
    pub fn accept(mut self, key: StateKey) -> Self {
        self.keys.push(key);
        self
    }

    /// Says how long a state is good: how long the user may take. Default: 10 minutes.
    #[must_use]
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = ttl;
        self
    }

    /// Says who remembers which states have been used, of those that may be used once. Default: this process.
    #[must_use]
    pub fn used_states(mut self, used: impl UsedStates) -> Self {
        self.used = Arc::new(used);
        self
    }

    /// What signs the cursors of lists, the same on all replicas that seal by the same key.
    pub(crate) fn cursor_key(&self) -> CursorKey {
        self.keys[0].cursors
    }

    pub(crate) fn seal(&self, input: &InputRequired) -> String {
        self.seal_at(input, now())
    }

    fn seal_at(&self, input: &InputRequired, now: u64) -> String {
        let id = input.is_single_use.then(|| {
            let mut id = [0; 16];
            fill(&mut id);
            id
        });
        let contents = Contents {
            expires: now.saturating_add(u64::try_from(self.ttl.as_millis()).unwrap_or(u64::MAX)),
            answers: input.answers.clone(),
            state: input.state.clone(),
            id,
        };
        let text = serde_json::to_vec(&contents).expect("JSON has a JSON form");
        let key = &self.keys[0];
        let mut nonce = [0; NONCE];
        fill(&mut nonce);
        let aad = associated(key, &input.binding);
        let payload = Payload { msg: &text, aad: &aad };
        let sealed = key.cipher.encrypt(&XNonce::from(nonce), payload).expect("a state is not that long");
        let mut out = Vec::with_capacity(1 + KEY_ID + NONCE + sealed.len());
        out.push(FORM);
        out.extend_from_slice(&key.id);
        out.extend_from_slice(&nonce);
        out.extend_from_slice(&sealed);
        BASE64.encode(out)
    }

    pub(super) fn open(&self, text: &str, binding: &Binding) -> Result<Opened, Error> {
        self.open_at(text, binding, now())
    }

    fn open_at(&self, text: &str, binding: &Binding, now: u64) -> Result<Opened, Error> {
        let contents = self.decrypt(text, binding).ok_or_else(|| {
            Error::invalid_params("`requestState` is not of this request: send the request anew, without it")
        })?;
        if contents.expires <= now {
            return Err(Error::invalid_params(
                "`requestState` has expired: send the request anew, without it",
            ));
        }
        let expires_in = Duration::from_millis(contents.expires - now);
        let claim = contents.id.map(|id| Claim { id, expires_in });
        Ok(Opened { answers: contents.answers, state: contents.state, claim })
    }

    fn decrypt(&self, text: &str, binding: &Binding) -> Option<Contents> {
        let bytes = BASE64.decode(text).ok()?;
        let (form, rest) = bytes.split_first()?;
        let (id, rest) = rest.split_at_checked(KEY_ID)?;
        let (nonce, sealed) = rest.split_at_checked(NONCE)?;
        if *form != FORM {
            return None;
        }
        let nonce: [u8; NONCE] = nonce.try_into().ok()?;
        let open = |key: &StateKey| {
            let aad = associated(key, binding);
            key.cipher.decrypt(&XNonce::from(nonce), Payload { msg: sealed, aad: &aad }).ok()
        };
        let text = self.keys.iter().filter(|key| key.id == id).find_map(open)?;
        serde_json::from_slice(&text).ok()
    }

    /// Notes that a state is used.
    ///
    /// # Errors
    ///
    /// When it has been used before, or that cannot be told.
    pub(crate) async fn claim(&self, claim: Claim) -> Result<(), Error> {
        if self.used.claim(claim.id, claim.expires_in).await? {
            return Ok(());
        }
        let why = "`requestState` has been used already: send the request anew, without it";
        Err(Error::new(ErrorKind::InvalidParams, why))
    }
}

impl Default for StateSeal {
    /// A key that only this process has.
    fn default() -> Self {
        Self::new(StateKey::random())
    }
}

/// What is authenticated beside the contents.
fn associated(key: &StateKey, binding: &Binding) -> Vec<u8> {
    let mut aad = vec![FORM];
    aad.extend_from_slice(&key.id);
    aad.extend_from_slice(&binding.to_bytes());
    aad
}

/// Text that nobody can guess.
pub(crate) fn random_id() -> String {
    let mut id = [0; 16];
    fill(&mut id);
    BASE64.encode(id)
}

fn fill(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("the system has random numbers");
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::Context;
    use crate::principal::Principal;
    use crate::request::Request;
    use proptest::prelude::*;
    use serde_json::json;

    fn context(params: &Value, caller: Option<&str>) -> Context {
        let mut context = Request::new("tools/call", params).unwrap().context;
        if let Some(caller) = caller {
            context.extensions_mut().insert(Principal::new(caller));
        }
        context
    }

    fn input(context: &Context) -> InputRequired {
        InputRequired {
            requests: Vec::new(),
            answers: Map::new(),
            state: Some(json!({"secret": "tulip"})),
            is_single_use: false,
            binding: Binding::of(context, "tools/call"),
        }
    }

    #[test]
    fn a_state_is_good_for_its_own_request_only() {
        let seal = StateSeal::default();
        let params = json!({"name": "pay", "arguments": {"to": "a", "euros": 5}});
        let own = context(&params, Some("alice"));
        let text = seal.seal(&input(&own));
        assert!(!text.contains("tulip"));
        let opens = |context: &Context, method| seal.open(&text, &Binding::of(context, method)).is_ok();
        assert!(opens(&own, "tools/call"));
        let rearranged = json!({"arguments": {"euros": 5, "to": "a"}, "name": "pay", "requestState": "x"});
        assert!(opens(&context(&rearranged, Some("alice")), "tools/call"));
        assert!(!opens(&own, "prompts/get"));
        assert!(!opens(&context(&params, Some("bob")), "tools/call"));
        assert!(!opens(&context(&params, None), "tools/call"));
        let others = [
            json!({"name": "pay", "arguments": {"to": "a", "euros": 6}}),
            json!({"name": "pay", "arguments": {"to": "a"}}),
            json!({"name": "pay"}),
            json!({"name": "pray", "arguments": {"to": "a", "euros": 5}}),
        ];
        for other in others {
            assert!(!opens(&context(&other, Some("alice")), "tools/call"), "{other}");
        }
    }

    #[test]
    fn a_state_expires() {
        let seal = StateSeal::default().ttl(Duration::from_secs(60));
        let context = context(&json!({"name": "pay"}), None);
        let text = seal.seal_at(&input(&context), 1_000_000);
        let binding = Binding::of(&context, "tools/call");
        assert!(seal.open_at(&text, &binding, 1_059_999).is_ok());
        let error = seal.open_at(&text, &binding, 1_060_000).err().unwrap();
        assert!(error.message().contains("expired"), "{error}");
    }

    #[test]
    fn keys_are_rotated() {
        let key = |text: &str| StateKey::from_secret(&text.repeat(32)).unwrap();
        let (old, both) = (StateSeal::new(key("a")), StateSeal::new(key("b")).accept(key("a")));
        let (new, context) = (StateSeal::new(key("b")), context(&json!({"name": "pay"}), None));
        let binding = Binding::of(&context, "tools/call");
        let (from_old, from_both) = (old.seal(&input(&context)), both.seal(&input(&context)));
        assert!(both.open(&from_old, &binding).is_ok());
        assert!(new.open(&from_old, &binding).is_err());
        assert!(new.open(&from_both, &binding).is_ok());
        assert!(old.open(&from_both, &binding).is_err());
        assert!(StateKey::from_secret("too short").is_err());
    }

    proptest! {
        #[test]
        fn whatever_is_changed_is_noticed(at: proptest::sample::Index, bit in 0..8_u32) {
            let seal = StateSeal::default();
            let context = context(&json!({"name": "pay"}), None);
            let mut bytes = BASE64.decode(seal.seal(&input(&context))).unwrap();
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            prop_assert!(seal.open(&BASE64.encode(&bytes), &Binding::of(&context, "tools/call")).is_err());
        }

        #[test]
        fn anything_else_is_refused(text: String) {
            let binding = Binding::of(&context(&json!({"name": "pay"}), None), "tools/call");
            prop_assert!(StateSeal::default().open(&text, &binding).is_err());
        }
    }
}
