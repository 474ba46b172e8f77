//! Takes secrets out of what an API says, as some say back what they are told.

use aho_corasick::{AhoCorasick, MatchKind};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::encode::encode;

/// What stands in place of a secret.
const REDACTED: &[u8] = b"[redacted]";

/// Shorter secrets are left: they would match what is none.
const LEAST: usize = 6;

/// The beginning of a secret that a cut leaves is taken out from this length on.
const LEAST_OF_CUT: usize = 4;

/// Secrets, in the spellings in which they may come back.
#[derive(Clone, Default)]
pub(crate) struct Redactor {
    needles: Vec<String>,
    /// Looks for all of them at once; the longest counts where one holds another. `None` as long as there are none.
    finder: Option<AhoCorasick>,
}

impl Redactor {
    /// Adds a secret as it is, percent-encoded, escaped as JSON is written in several languages and as in HTML, and in
    /// base64.
    pub(crate) fn add(&mut self, secret: &str) {
        if secret.len() < LEAST {
            return;
        }
        let json = serde_json::to_string(secret).unwrap_or_default();
        let (encoded, more_encoded) =
            (encode(secret), utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string());
        let spellings = [
            secret.to_owned(),
            lower_digits(&encoded),
            lower_digits(&more_encoded),
            encoded,
            more_encoded,
            inner(&json).replace('/', "\\/"),
            escaped(secret, "&<>", "\\u00", false),
            escaped(secret, "&<>", "\\u00", true),
            escaped(secret, "&<>+'\"`", "\\u00", true),
            secret.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;"),
            inner(&json).to_owned(),
            STANDARD_NO_PAD.encode(secret),
            URL_SAFE_NO_PAD.encode(secret),
        ];
        for spelling in spellings {
            if !self.needles.contains(&spelling) {
                self.needles.push(spelling);
            }
        }
        let mut finder = AhoCorasick::builder();
        let finder = finder.match_kind(MatchKind::LeftmostLongest).build(&self.needles);
        self.finder = Some(finder.expect("a configuration has not as many secrets as that"));
    }

    pub(crate) fn redact(&self, mut body: Bytes, is_cut: bool) -> Bytes {
        let Some(finder) = &self.finder else { return body };
        if finder.is_match(&body) {
            let mut clean = Vec::with_capacity(body.len());
            finder.replace_all_with_bytes(&body, &mut clean, |_, _, clean| {
                clean.extend_from_slice(REDACTED);
                true
            });
            body = clean.into();
        }
        if is_cut {
            let begun = |needle: &String| {
                let needle = needle.as_bytes();
                (LEAST_OF_CUT..needle.len()).rev().find(|length| body.ends_with(&needle[..*length]))
            };
            if let Some(begun) = self.needles.iter().filter_map(begun).max() {
                body.truncate(body.len() - begun);
            }
        }
        body
    }

    pub(crate) fn redact_headers(&self, headers: &mut HeaderMap) {
        let Some(finder) = &self.finder else { return };
        for value in headers.values_mut() {
            if finder.is_match(value.as_bytes()) {
                let clean = self.redact(Bytes::copy_from_slice(value.as_bytes()), false);
                *value = HeaderValue::from_maybe_shared(clean)
                    .unwrap_or_else(|_| HeaderValue::from_static("[redacted]"));
            }
        }
    }
}

/// What stands between the quotation marks of a JSON string.
fn inner(json: &str) -> &str {
    json.strip_prefix('"').and_then(|json| json.strip_suffix('"')).unwrap_or(json)
}

/// As a JSON string by libraries that write some ASCII characters as numbers, lest they mean something in HTML.
fn escaped(secret: &str, characters: &str, prefix: &str, is_upper: bool) -> String {
    let mut out = String::with_capacity(secret.len());
    for character in secret.chars() {
        match character {
            c if characters.contains(c) && is_upper => out.push_str(&format!("{prefix}{:02X}", u32::from(c))),
            c if characters.contains(c) => out.push_str(&format!("{prefix}{:02x}", u32::from(c))),
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c => out.push(c),
        }
    }
    out
}

/// The hexadecimal digits of encoded bytes in lower case.
fn lower_digits(encoded: &str) -> String {
    let mut parts = encoded.split('%');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| format!("{text}%{}{}", part[..2].to_ascii_lowercase(), &part[2..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redact(secret: &str, body: &str, is_cut: bool) -> String {
        let mut redactor = Redactor::default();
        redactor.add(secret);
        String::from_utf8(redactor.redact(Bytes::copy_from_slice(body.as_bytes()), is_cut).to_vec()).unwrap()
    }

    #[test]
    fn a_secret_is_found_in_every_spelling() {
        let secret = "p\"w/d+\\longer";
        for spelling in [
            secret.to_owned(),
            "p%22w%2Fd%2B%5Clonger".to_owned(),
            "p%22w%2fd%2b%5clonger".to_owned(),
            r#"p\"w/d+\\longer"#.to_owned(),
            STANDARD_NO_PAD.encode(secret),
            // As PHP, Go and .NET write JSON, and as HTML has it.
            r#"p\"w\/d+\\longer"#.to_owned(),
            r"p\u0022w/d\u002B\\longer".to_owned(),
            "p&quot;w/d+\\longer".to_owned(),
        ] {
            let told = redact(secret, &format!("<{spelling}> and <{spelling}>"), false);
            assert_eq!(told, "<[redacted]> and <[redacted]>", "{spelling}");
        }
    }

    #[test]
    fn characters_that_mean_something_in_html_are_found_as_numbers() {
        for spelling in [r"a\u0026b\u003cc\u003ed", r"a\u0026b\u003Cc\u003Ed", "a&amp;b&lt;c&gt;d"] {
            assert_eq!(redact("a&b<c>d", spelling, false), "[redacted]", "{spelling}");
        }
    }

    #[test]
    fn the_beginning_of_a_secret_does_not_outlive_a_cut() {
        assert_eq!(redact("hunter2-hunter2", "key: hunter2-hun", true), "key: ");
        assert_eq!(redact("hunter2-hunter2", "key: hunter2-hun", false), "key: hunter2-hun");
    }
}
