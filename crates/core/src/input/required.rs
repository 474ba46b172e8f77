//! What is asked for, and by which request.

use std::sync::Arc;

use bytestring::ByteString;
use serde::Serialize;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::context::Context;

/// What is needed before the work can go on.
#[derive(Clone, Debug, PartialEq)]
pub struct InputRequired {
    /// By key, in the order in which they were asked.
    pub(crate) requests: Vec<(String, InputRequest)>,
    /// What has been answered and used so far.
    pub(crate) answers: Map<String, Value>,
    /// What the author keeps.
    pub(crate) state: Option<Value>,
    pub(crate) is_single_use: bool,
    pub(crate) binding: Binding,
}

impl InputRequired {
    /// Whether anything must be kept until the answers are there.
    pub(crate) fn has_state(&self) -> bool {
        self.is_single_use || self.state.is_some() || !self.answers.is_empty()
    }
}

/// One request to the client.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct InputRequest {
    pub(crate) method: &'static str,
    pub(crate) params: Value,
}

impl InputRequest {
    pub(crate) fn new(method: &'static str, params: &impl Serialize) -> Self {
        let params = serde_json::to_value(params).expect("the protocol's types have a JSON form");
        Self { method, params }
    }

    /// What the client would have to declare and does not, as in `ClientCapabilities`.
    pub(crate) fn lacking(&self, context: &Context) -> Option<(&'static str, Value)> {
        let declared: Map<String, Value> =
            context.client_capabilities().and_then(|json| json.parse().ok()).unwrap_or_default();
        let capability = match self.method {
            "elicitation/create" => "elicitation",
            "sampling/createMessage" => "sampling",
            _ => "roots",
        };
        let detail = match self.method {
            "elicitation/create" if self.params.get("mode") == Some(&json!("url")) => Some("url"),
            "elicitation/create" => Some("form"),
            "sampling/createMessage" if self.params.get("tools").is_some() => Some("tools"),
            _ => None,
        };
        let has =
            |name: &str| declared.get(capability).and_then(|own| own.get(name)).is_some_and(Value::is_object);
        let is_there = declared.get(capability).is_some_and(Value::is_object);
        let fits = match detail {
            // Nothing said is forms (client/elicitation, "Capabilities").
            Some("form") => is_there && (has("form") || !has("url")),
            Some(detail) => has(detail),
            None => is_there,
        };
        if fits {
            return None;
        }
        let mut settings = Map::new();
        if let Some(detail) = detail.filter(|detail| *detail != "form" || is_there) {
            settings.insert(detail.into(), json!({}));
        }
        Some((capability, settings.into()))
    }
}

/// The request to which state belongs: of whom, for what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Binding {
    method: &'static str,
    subject: Option<ByteString>,
    principal: Option<Arc<str>>,
    /// Of the arguments, however they are laid out.
    arguments: [u8; 32],
}

impl Binding {
    pub(crate) fn of(context: &Context, method: &'static str) -> Self {
        let meta = context.meta();
        let subject = meta.written(meta.places.subject);
        let subject = subject.and_then(|json| serde_json::from_str::<String>(json).ok());
        let arguments = meta.written(meta.places.arguments).map(serde_json::from_str::<Value>);
        let mut hash = Sha256::new();
        digest(&mut hash, &arguments.and_then(Result::ok).unwrap_or_default());
        Self {
            method,
            subject: subject.map(Into::into),
            principal: context.principal().map(|principal| principal.id().into()),
            arguments: hash.finalize().into(),
        }
    }

    /// The same as bytes, of which no two bindings have equal ones.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(128);
        let mut push = |part: Option<&[u8]>| {
            out.push(u8::from(part.is_some()));
            let part = part.unwrap_or_default();
            out.extend_from_slice(&(part.len() as u64).to_be_bytes());
            out.extend_from_slice(part);
        };
        push(Some(self.method.as_bytes()));
        push(self.subject.as_ref().map(|subject| subject.as_bytes().as_ref()));
        push(self.principal.as_ref().map(|principal| principal.as_bytes()));
        push(Some(&self.arguments));
        out
    }
}

/// Feeds a value to a hash, the members of objects in order, so that two ways to write a value are one.
fn digest(hash: &mut Sha256, value: &Value) {
    let tag = |hash: &mut Sha256, tag: u8, length: usize| {
        hash.update([tag]);
        hash.update((length as u64).to_be_bytes());
    };
    match value {
        Value::Null => tag(hash, 0, 0),
        Value::Bool(flag) => tag(hash, 1, usize::from(*flag)),
        Value::Number(number) => {
            let text = number.to_string();
            tag(hash, 2, text.len());
            hash.update(text);
        }
        Value::String(text) => {
            tag(hash, 3, text.len());
            hash.update(text);
        }
        Value::Array(items) => {
            tag(hash, 4, items.len());
            items.iter().for_each(|item| digest(hash, item));
        }
        Value::Object(members) => {
            tag(hash, 5, members.len());
            let mut members: Vec<_> = members.iter().collect();
            members.sort_unstable_by_key(|(key, _)| *key);
            for (key, value) in members {
                tag(hash, 3, key.len());
                hash.update(key);
                digest(hash, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hash(value: &Value) -> [u8; 32] {
        let mut hash = Sha256::new();
        digest(&mut hash, value);
        hash.finalize().into()
    }

    #[test]
    fn only_the_layout_of_arguments_does_not_matter() {
        let value = |text: &str| hash(&serde_json::from_str(text).unwrap());
        assert_eq!(value(r#"{"a": 1, "b": [true]}"#), value(r#"{"b":[true],"a":1}"#));
        for other in
            [r#"{"a":1,"b":[false]}"#, r#"{"a":1}"#, r#"{"a":1,"b":true}"#, r#"{"a":"1","b":[true]}"#, "null"]
        {
            assert_ne!(value(r#"{"a":1,"b":[true]}"#), value(other), "{other}");
        }
    }

    proptest! {
        #[test]
        fn two_lists_of_text_differ_in_their_digest(left: Vec<String>, right: Vec<String>) {
            prop_assert_eq!(left == right, hash(&json!(left)) == hash(&json!(right)));
        }
    }
}
