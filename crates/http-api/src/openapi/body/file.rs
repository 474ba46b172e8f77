//! Files as arguments.

use base64::Engine;
use base64::alphabet::STANDARD as ALPHABET;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::{Map, Value};
use towline_core::Error;

use super::{essence, missing};
use crate::openapi::document::{Dialect, Document};

/// Base64 with or without padding, as models write it.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &ALPHABET,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A file, as an argument gives it.
pub(super) struct File {
    pub(super) bytes: Vec<u8>,
    pub(super) filename: Option<String>,
    pub(super) content_type: Option<String>,
}

impl File {
    /// Whether the argument is of the form that [`file_schema`] describes.
    pub(super) fn is_one(value: &Value) -> bool {
        let known = |key: &String| matches!(key.as_str(), "base64" | "filename" | "content_type");
        value
            .as_object()
            .is_some_and(|file| file.get("base64").is_some_and(Value::is_string) && file.keys().all(known))
    }

    pub(super) fn read(value: &Value, label: &str) -> Result<Self, Error> {
        let text = |key: &str| value.get(key).and_then(Value::as_str);
        let Some(encoded) = text("base64") else { return Err(missing(&format!("{label}.base64"))) };
        let encoded: Vec<u8> = encoded.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
        let bytes = BASE64.decode(encoded).map_err(|_| {
            Error::invalid_params(format!("Invalid arguments: `{label}.base64` must be base64."))
        })?;
        let content_type = text("content_type");
        if content_type.is_some_and(|own| !is_media_type(own)) {
            let message = format!("Invalid arguments: `{label}.content_type` must be a media type.");
            return Err(Error::invalid_params(message));
        }
        Ok(Self {
            bytes,
            filename: text("filename").map(Into::into),
            content_type: content_type.map(Into::into),
        })
    }
}

/// RFC 9110, 8.3.1: `type/subtype`, and perhaps parameters.
fn is_media_type(text: &str) -> bool {
    let is_token = |token: &str| {
        !token.is_empty()
            && token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
    };
    let essence = essence(text);
    let parts = essence.split_once('/');
    parts.is_some_and(|(kind, subtype)| is_token(kind) && is_token(subtype))
        && text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

/// What an argument that is a file looks like.
pub(in crate::openapi) fn file_schema() -> Value {
    serde_json::json!({
        "type": "object",
        "properties": {
            "base64": {"type": "string", "contentEncoding": "base64", "description": "The file's bytes in base64."},
            "filename": {"type": "string"},
            "content_type": {"type": "string", "description": "Its media type.", "examples": ["image/png"]},
        },
        "required": ["base64"],
        "additionalProperties": false,
    })
}

/// Whether a schema describes bytes rather than text.
pub(in crate::openapi) fn is_binary(document: &Document, schema: &Map<String, Value>) -> bool {
    let text = |key: &str| schema.get(key).and_then(Value::as_str);
    if text("type") == Some("file") {
        return true;
    }
    let may_be_text = matches!(text("type"), None | Some("string"));
    let is_raw = document.dialect() != Dialect::V2
        && schema.contains_key("contentMediaType")
        && !schema.contains_key("contentEncoding");
    may_be_text && (text("format") == Some("binary") || is_raw)
}
