//! The keys of an issuer.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{self, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::algorithm::Algorithm;

/// More keys than these are not read: a token without a key's id is held against each.
const MAX_KEYS: usize = 32;

/// A public key. Its kind decides which algorithms it can be used with, whatever a token says.
#[derive(Clone, Debug)]
enum Public {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    P256(Vec<u8>),
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
}

#[derive(Clone, Debug)]
struct Key {
    id: Option<Box<str>>,
    /// The only algorithm that its owner uses it with.
    algorithm: Option<Algorithm>,
    public: Public,
}

/// The keys of an issuer that can be used.
#[derive(Clone, Debug, Default)]
pub(super) struct KeySet(Vec<Key>);

/// A key as JSON (RFC 7517).
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<Box<str>>,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl KeySet {
    /// The keys of a document. One that cannot be used, or is malformed, is left out and harms no other.
    ///
    /// # Errors
    ///
    /// When the document is no set of keys, or none of them can be used.
    pub(super) fn parse(json: &[u8]) -> Result<Self, &'static str> {
        #[derive(Deserialize)]
        struct Document<'a> {
            #[serde(borrow)]
            keys: Vec<&'a RawValue>,
        }
        let document: Document<'_> = serde_json::from_slice(json).map_err(|_| "it is no set of keys")?;
        let keys = document.keys.iter().filter_map(|key| Key::read(serde_json::from_str(key.get()).ok()?));
        let keys: Vec<Key> = keys.take(MAX_KEYS).collect();
        if keys.is_empty() {
            return Err("it holds no key that can be used");
        }
        Ok(Self(keys))
    }

    /// Whether there is a key of that id.
    pub(super) fn has(&self, id: &str) -> bool {
        self.0.iter().any(|key| key.id.as_deref() == Some(id))
    }

    /// Whether one of the keys has signed the message; with an id, only keys of that id count.
    pub(super) fn verify(
        &self,
        id: Option<&str>,
        algorithm: Algorithm,
        message: &[u8],
        signature: &[u8],
    ) -> bool {
        let may = |key: &&Key| {
            id.is_none_or(|id| key.id.as_deref() == Some(id))
                && key.algorithm.is_none_or(|own| own == algorithm)
        };
        self.0.iter().filter(may).any(|key| key.public.verify(algorithm, message, signature))
    }
}

impl Key {
    fn read(jwk: Jwk) -> Option<Self> {
        if jwk.usage.as_deref().is_some_and(|usage| usage != "sig")
            || jwk.key_ops.as_ref().is_some_and(|ops| !ops.iter().any(|op| op == "verify"))
        {
            return None;
        }
        let bytes = |text: &Option<String>| URL_SAFE_NO_PAD.decode(text.as_deref()?).ok();
        let point = |size: usize| {
            let (x, y) = (bytes(&jwk.x)?, bytes(&jwk.y)?);
            (x.len() == size && y.len() == size).then(|| [&[4], &*x, &*y].concat())
        };
        let public = match (&*jwk.kty, jwk.crv.as_deref()) {
            ("RSA", _) => {
                Public::Rsa { n: without_zeros(&bytes(&jwk.n)?), e: without_zeros(&bytes(&jwk.e)?) }
            }
            ("EC", Some("P-256")) => Public::P256(point(32)?),
            ("EC", Some("P-384")) => Public::P384(point(48)?),
            ("OKP", Some("Ed25519")) => Public::Ed25519(bytes(&jwk.x).filter(|x| x.len() == 32)?),
            // A shared secret among public keys (`oct`) is a mistake, and must never be used as one.
            _ => return None,
        };
        let algorithm = match jwk.alg {
            None => None,
            Some(name) => Some(Algorithm::named(&name)?),
        };
        Some(Self { id: jwk.kid, algorithm, public })
    }
}

/// Some write a sign byte, which the library takes for a malformed number.
fn without_zeros(number: &[u8]) -> Vec<u8> {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number[zeros..].to_vec()
}

impl Public {
    fn verify(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        use Algorithm::{ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};
        let rsa = |parameters| match self {
            Self::Rsa { n, e } => {
                RsaPublicKeyComponents { n, e }.verify(parameters, message, signature).is_ok()
            }
            _ => false,
        };
        let of = |verifying: &'static dyn VerificationAlgorithm, key: &[u8]| {
            UnparsedPublicKey::new(verifying, key).verify(message, signature).is_ok()
        };
        match (algorithm, self) {
            // The library refuses keys of less than 2048 bits.
            (RS256, _) => rsa(&signature::RSA_PKCS1_2048_8192_SHA256),
            (RS384, _) => rsa(&signature::RSA_PKCS1_2048_8192_SHA384),
            (RS512, _) => rsa(&signature::RSA_PKCS1_2048_8192_SHA512),
            (PS256, _) => rsa(&signature::RSA_PSS_2048_8192_SHA256),
            (PS384, _) => rsa(&signature::RSA_PSS_2048_8192_SHA384),
            (PS512, _) => rsa(&signature::RSA_PSS_2048_8192_SHA512),
            (ES256, Self::P256(key)) => of(&signature::ECDSA_P256_SHA256_FIXED, key),
            (ES384, Self::P384(key)) => of(&signature::ECDSA_P384_SHA384_FIXED, key),
            (EdDSA, Self::Ed25519(key)) => of(&signature::ED25519, key),
            (ES256 | ES384 | EdDSA, _) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Made with openssl, and the private key thrown away: this library cannot make keys of RSA.
    const N: &str = "\
        tZx7nOS0Iqp4SQ1-r7opOe9VkRycRK_pnAadPCRpP4GzuVRZri2iJLYrrghAgzcoGn_UtLjBHrjIDCGZt_fF3_qxpD0om3fINAx3\
        fb9NuQ3KSixH6HuMpY5qBdo3Upamxc2grQH4ZpLPEz6FjkHaS_T2R540Ai3HzVdA7zQF5w89vxbpP-G_26GXDIr5rLspo_8FFoJh\
        f_lw96OmWUcAOTZurwYPTu5R07N4EYfJ3VLEdEzGi-nrd7hJgtNODYi-tLW3hwqvi8633AlZjqTtw2sxex9gghdWQIUxoZVAbqsb\
        QEdCWmzFrFy_4OZJ_MVyIAhGTgO6nDHVN-LN8Ql75w";
    const RS: &str = "\
        GnuHJEWSoHtktFvBKtqHw7LFRLRCReQUqjnl7ShzMcjY0NPojYUNKc_n-eGtrr3dye0Es0cTxd2TFOsmUf8M0YLtEOJQuI1qpKnV\
        Yj-iuEtvnoi0hYKQrMh_eCEusISmjg1ioit_txa1HCj-MX6oc36VP4Yc4uEBYSZd9t7mtCzRCrdd0-ogtydh382K1-H5bjtPuj-l\
        rL2XPPQmRYwL-fAl-hZd8AAnMBediiG6hPnmpq0WJ2xy_EC8wc1QcbvwTVKLo9uw7kBABcwxXhksQ9NiAYVYpAAfuksZqc3ZP5ul\
        VzKZa1qFca_2JyC1ic2GV9AdftyX_4ueBTTW5rz51w";
    const PS: &str = "\
        NFyWV38yHRDHY1d17LherJ0KvMOcLfCDilncvFJdi13M35xfiHbn1TECvASSFppOCmNnZUsrYrpDJ-9nQuD1_qn6RNP8tEEysOyw\
        RBisxU6vZnDOV1W9qS73N_ABrw_pa0zjmHuafbghlHdngwOSQ4fT-zosoRhDj8olW_GyeK8bISkebl-KFLtxmgjv8BW_TpEcGpv_\
        1DtdmBNLuC9FQIdtgBzKD_HQmkzcUzSGFKnwYvg_9Pdju94GUzY0duMCacx-945_kLV_u0oD2qPDvgdA-g4BQX4Od8zPne27n3sT\
        jq7Y1XNO9DX-YJcv0g9jaGl6_ru6XGVFADx6O-nxzQ";

    #[test]
    fn signatures_of_rsa_count_with_their_own_algorithm_alone() {
        let set = |alg: &str| {
            let alg = if alg.is_empty() { String::new() } else { format!(r#","alg":"{alg}""#) };
            // With a sign byte, as some write it.
            let n = URL_SAFE_NO_PAD.encode([&[0], &*URL_SAFE_NO_PAD.decode(N).unwrap()].concat());
            let n = if alg.is_empty() { n } else { N.to_owned() };
            KeySet::parse(
                format!(r#"{{"keys":[{{"kty":"RSA","kid":"a","e":"AQAB","n":"{n}"{alg}}}]}}"#).as_bytes(),
            )
            .unwrap()
        };
        let verify = |set: &KeySet, algorithm, signature: &str| {
            set.verify(Some("a"), algorithm, b"a message", &URL_SAFE_NO_PAD.decode(signature).unwrap())
        };
        let any = set("");
        assert!(verify(&any, Algorithm::RS256, RS) && verify(&any, Algorithm::PS256, PS));
        assert!(!verify(&any, Algorithm::PS256, RS) && !verify(&any, Algorithm::RS256, PS));
        assert!(!verify(&any, Algorithm::RS512, RS) && !verify(&any, Algorithm::ES256, RS));
        // A key says how it is used.
        let own = set("PS256");
        assert!(verify(&own, Algorithm::PS256, PS) && !verify(&own, Algorithm::RS256, RS));
        assert!(!any.verify(Some("b"), Algorithm::RS256, b"a message", &URL_SAFE_NO_PAD.decode(RS).unwrap()));
        assert!(!any.verify(Some("a"), Algorithm::RS256, b"another", &URL_SAFE_NO_PAD.decode(RS).unwrap()));
    }

    #[test]
    fn keys_that_are_for_something_else_are_left_out() {
        for key in [
            format!(r#"{{"kty":"RSA","e":"AQAB","n":"{N}","use":"enc"}}"#),
            format!(r#"{{"kty":"RSA","e":"AQAB","n":"{N}","key_ops":["encrypt"]}}"#),
            format!(r#"{{"kty":"RSA","e":"AQAB","n":"{N}","alg":"HS256"}}"#),
            format!(r#"{{"kty":"RSA","e":"AQAB","n":"{N}","n":"AQAB"}}"#),
            r#"{"kty":"oct","k":"AQAB"}"#.into(),
            r#"{"kty":"EC","crv":"P-256","x":"AQAB","y":"AQAB"}"#.into(),
            r#"{"kty":"OKP","crv":"X25519","x":"AQAB"}"#.into(),
            "1".into(),
        ] {
            assert!(KeySet::parse(format!(r#"{{"keys":[{key}]}}"#).as_bytes()).is_err(), "{key}");
        }
    }
}
