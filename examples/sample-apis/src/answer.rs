//! Answers, before faults are put into them.

use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED, VARY,
    WWW_AUTHENTICATE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use serde_json::{Value, json};

pub(crate) type Answer = Response<Bytes>;

pub(crate) fn json(status: StatusCode, value: &Value) -> Answer {
    with_type(status, "application/json", value.to_string())
}

pub(crate) fn text(status: StatusCode, text: &'static str) -> Answer {
    with_type(status, "text/plain; charset=utf-8", text)
}

/// An error in the form that most of the APIs here use.
pub(crate) fn error(status: StatusCode, message: &str) -> Answer {
    json(status, &json!({ "message": message }))
}

pub(crate) fn with_type(status: StatusCode, content_type: &str, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(body.into());
    *answer.status_mut() = status;
    set(&mut answer, CONTENT_TYPE, content_type);
    answer
}

/// Sets a header; a value that no header can have is left out.
pub(crate) fn set(answer: &mut Answer, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        answer.headers_mut().insert(name, value);
    }
}

pub(crate) fn challenge(mut answer: Answer, challenge: &str) -> Answer {
    set(&mut answer, WWW_AUTHENTICATE, challenge);
    answer
}

/// What caches may do with an answer.
pub(crate) struct Freshness<'a> {
    pub(crate) cache_control: &'a str,
    pub(crate) vary: Option<&'a str>,
    /// As an HTTP date.
    pub(crate) last_modified: Option<&'a str>,
}

/// Adds validators, and answers 304 to a caller who has this answer already.
pub(crate) fn revalidated(mut answer: Answer, asked: &HeaderMap, freshness: &Freshness<'_>) -> Answer {
    let tag = format!("\"{:016x}\"", fingerprint(answer.body()));
    let is_known = is_known(asked, &tag, freshness.last_modified);
    set(&mut answer, ETAG, &tag);
    set(&mut answer, CACHE_CONTROL, freshness.cache_control);
    if let Some(vary) = freshness.vary {
        set(&mut answer, VARY, vary);
    }
    if let Some(date) = freshness.last_modified {
        set(&mut answer, LAST_MODIFIED, date);
    }
    if is_known {
        *answer.status_mut() = StatusCode::NOT_MODIFIED;
        answer.headers_mut().remove(CONTENT_TYPE);
        *answer.body_mut() = Bytes::new();
    }
    answer
}

/// Whether the caller's copy is this one; `If-None-Match` wins over the date (RFC 9110, section 13.2.2).
fn is_known(asked: &HeaderMap, tag: &str, last_modified: Option<&str>) -> bool {
    let mut tags = asked.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok()).peekable();
    if tags.peek().is_some() {
        return tags.flat_map(|list| list.split(',')).any(|candidate| {
            let candidate = candidate.trim();
            candidate == "*" || candidate.strip_prefix("W/").unwrap_or(candidate) == tag
        });
    }
    let since =
        asked.get(IF_MODIFIED_SINCE).and_then(|value| httpdate::parse_http_date(value.to_str().ok()?).ok());
    let modified = last_modified.and_then(|date| httpdate::parse_http_date(date).ok());
    matches!((since, modified), (Some(since), Some(modified)) if modified <= since)
}

/// FNV-1a: the same on every machine and in every run.
fn fingerprint(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}
