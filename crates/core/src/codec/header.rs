//! HTTP header values that mirror parts of the body.
//!
//! Source: basic/transports/streamable-http, "Request Metadata".

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::error::{Error, ErrorKind};

/// The `Mcp-Param-*` headers of one HTTP request: lower-case names without that prefix, and raw values.
///
/// A transport that has headers attaches these to each modern request, also when there are none: a parameter that
/// must be mirrored and is not is an error.
#[derive(Clone, Debug, Default)]
pub struct HeaderParams(Vec<(Box<str>, Box<[u8]>)>);

impl HeaderParams {
    /// Adds a header. `name` is what follows `Mcp-Param-`; its case does not matter.
    pub fn push(&mut self, name: &str, value: &[u8]) {
        self.0.push((name.to_ascii_lowercase().into(), value.into()));
    }

    /// The value of the header of that lower-case name.
    ///
    /// # Errors
    ///
    /// `HeaderMismatch` when the header stands there twice: nobody can say which one counts.
    pub(crate) fn get(&self, name: &str) -> Result<Option<&[u8]>, Error> {
        let mut values = self.0.iter().filter(|(other, _)| **other == *name).map(|(_, value)| &**value);
        let first = values.next();
        match values.next() {
            None => Ok(first),
            Some(_) => Err(mismatch(format!("the header `Mcp-Param-{name}` stands there twice"))),
        }
    }
}

/// Decodes a header value that may be Base64 between `=?base64?` and `?=`.
///
/// # Errors
///
/// `HeaderMismatch` when the value has bytes that no header value may have, or bad Base64, or Base64 of what is no
/// UTF-8.
pub fn decode_header_value(value: &[u8]) -> Result<Cow<'_, str>, Error> {
    let visible = |byte: &u8| matches!(byte, 0x20..=0x7E | b'\t');
    let Some(text) = std::str::from_utf8(value).ok().filter(|text| text.as_bytes().iter().all(visible))
    else {
        return Err(mismatch("a header value has characters outside of visible ASCII".into()));
    };
    let Some(encoded) = text.strip_prefix("=?base64?").and_then(|rest| rest.strip_suffix("?=")) else {
        return Ok(Cow::Borrowed(text));
    };
    BASE64.decode(encoded).ok().and_then(|bytes| String::from_utf8(bytes).ok()).map(Cow::Owned).ok_or_else(
        || mismatch("a header value between `=?base64?` and `?=` is not Base64 of UTF-8 text".into()),
    )
}

fn mismatch(message: String) -> Error {
    Error::new(ErrorKind::HeaderMismatch, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: &str, expected: Option<&str>) {
        assert_eq!(decode_header_value(value.as_bytes()).ok().as_deref(), expected, "{value}");
    }

    #[test]
    fn the_specification_s_examples() {
        check("us-west1", Some("us-west1"));
        check("=?base64?SGVsbG8sIOS4lueVjA==?=", Some("Hello, 世界"));
        check("=?base64?IHBhZGRlZCA=?=", Some(" padded "));
        check("=?base64?bGluZTEKbGluZTI=?=", Some("line1\nline2"));
        check("=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?=", Some("=?base64?literal?="));
    }

    #[test]
    fn only_whole_markers_count() {
        check("SGVsbG8=", Some("SGVsbG8="));
        check("=?base64?SGVsbG8=", Some("=?base64?SGVsbG8="));
        check("=?BASE64?SGVsbG8=?=", Some("=?BASE64?SGVsbG8=?="));
        check("=?base64?", Some("=?base64?"));
    }

    #[test]
    fn bad_values_are_refused() {
        for value in
            ["=?base64?SGVsbG8?=", "=?base64?SGVs!!!bG8=?=", "=?base64?/w==?=", "caf\u{e9}", "a\u{1}b"]
        {
            check(value, None);
        }
    }
}
