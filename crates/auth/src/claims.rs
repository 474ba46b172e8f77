//! What an issuer says of somebody beyond what is needed to know them.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde::de::{MapAccess, Visitor};
use serde_json::Value;
use towline_core::Principal;

/// The claims that go on with the principal, by their names.
pub(crate) type Names = BTreeSet<Box<str>>;

/// Tells the principal what the claims of those names say in that JSON. A claim that is missing or null is not told.
///
/// `None` if the JSON is no object, or one of the claims is there twice, or is no text, number or flag: whoever relies on it could
/// take it for something else.
pub(crate) fn tell(mut principal: Principal, names: &Names, json: &[u8]) -> Option<Principal> {
    if names.is_empty() {
        return Some(principal);
    }
    let Members(members) = serde_json::from_slice(json).ok()?;
    let mut seen = BTreeSet::new();
    for (name, value) in members {
        let Some(name) = names.get(&*name) else { continue };
        if !seen.insert(name) {
            return None;
        }
        let text = match value {
            Value::Null => continue,
            Value::String(text) => text,
            Value::Number(number) => number.to_string(),
            Value::Bool(flag) => flag.to_string(),
            Value::Array(_) | Value::Object(_) => return None,
        };
        principal = principal.with_claim(name.clone(), text);
    }
    Some(principal)
}

/// All members of an object, also those that are there twice.
struct Members(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Members;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_is_told_if_it_is_one_thing() {
        let tell = |json: &str| {
            let names = ["tenant".into(), "level".into()].into();
            let principal = tell(Principal::new("ann"), &names, json.as_bytes())?;
            Some(principal.claims().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>())
        };
        assert_eq!(tell(r#"{"tenant":"a","level":3,"other":"x"}"#).unwrap(), ["level=3", "tenant=a"]);
        assert_eq!(tell(r#"{"tenant":null}"#).unwrap(), [""; 0]);
        for bad in [r#"{"tenant":"a","tenant":"b"}"#, r#"{"tenant":["a"]}"#, r#"{"tenant":{}}"#, "[]", "{"] {
            assert_eq!(tell(bad), None, "{bad}");
        }
    }
}
