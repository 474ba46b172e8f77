//! The head of a request: who sends it to whom, and what it says of its body.
//!
//! One pass over the headers finds all that count and those that stand there twice; nothing is copied but refcounts.

use http::header::{
    ACCEPT, AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderName, ORIGIN,
};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use towline_core::codec::HeaderParams;
use towline_core::{Error, ErrorKind};

use super::allow::Allowed;
use super::refusal::Refusal;

const PROTOCOL_VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
const MCP_METHOD: HeaderName = HeaderName::from_static("mcp-method");
const MCP_NAME: HeaderName = HeaderName::from_static("mcp-name");
pub(super) const MCP_SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
const LAST_EVENT: HeaderName = HeaderName::from_static("last-event-id");
const PARAM_PREFIX: &str = "mcp-param-";

/// What is needed of the head once the body is there.
#[derive(Debug, Default)]
pub(super) struct Head {
    pub(super) version: Option<HeaderValue>,
    pub(super) method: Option<HeaderValue>,
    pub(super) name: Option<HeaderValue>,
    pub(super) session: Option<HeaderValue>,
    pub(super) last_event: Option<HeaderValue>,
    pub(super) params: HeaderParams,
    pub(super) accepts: Accepts,
    pub(super) origin: Option<HeaderValue>,
}

/// Which forms of answer the client takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Accepts {
    pub(super) json: bool,
    pub(super) stream: bool,
}

impl Default for Accepts {
    fn default() -> Self {
        Self { json: true, stream: true }
    }
}

/// What is held against the rules before the body is read.
#[derive(Default)]
struct Found<'a> {
    host: Option<&'a HeaderValue>,
    origin: Option<&'a HeaderValue>,
    content_type: Option<&'a HeaderValue>,
    content_encoding: Option<&'a HeaderValue>,
    authorization: Option<&'a HeaderValue>,
    content_length: Option<&'a HeaderValue>,
    accepts: Option<Accepts>,
}

/// Reads the head of a request and refuses what need not be read any further. With a `path`, there is nothing at any
/// other, whatever the request is. One that opens a stream needs no body.
///
/// # Errors
///
/// What to answer instead.
pub(super) fn read(
    parts: &Parts,
    allowed: &Allowed,
    path: Option<&str>,
    opens_stream: bool,
) -> Result<Head, Refusal> {
    let mut head = Head::default();
    let found = scan(&parts.headers, &mut head)?;
    check_sender(parts, &found, allowed)?;
    head.origin = found.origin.cloned();
    if path.is_some_and(|path| path != parts.uri.path()) {
        return Err(Refusal::not_found().with_origin(head.origin));
    }
    if parts.method == Method::OPTIONS && head.origin.is_some() {
        return Err(Refusal::preflight(parts, &head));
    }
    let of_session = head.session.is_some() && matches!(parts.method, Method::GET | Method::DELETE);
    let content = if of_session || opens_stream { Ok(()) } else { check_content(parts, &found) };
    let result = content.and_then(|()| accepts(found.accepts));
    match result {
        Ok(accepts) => head.accepts = accepts,
        Err(refusal) => return Err(refusal.with_origin(head.origin)),
    }
    Ok(head)
}

fn scan<'a>(headers: &'a HeaderMap, head: &mut Head) -> Result<Found<'a>, Refusal> {
    fn once<T>(slot: &mut Option<T>, name: &HeaderName, value: T) -> Result<(), Refusal> {
        match slot.replace(value) {
            None => Ok(()),
            Some(_) => {
                let message = format!("the header `{name}` stands there twice");
                // Of two that mirror the body, one at least does not stand for it.
                let mirrors = *name == PROTOCOL_VERSION || *name == MCP_METHOD || *name == MCP_NAME;
                let kind = if mirrors { ErrorKind::HeaderMismatch } else { ErrorKind::InvalidRequest };
                Err(Refusal::of(StatusCode::BAD_REQUEST, Error::new(kind, message)))
            }
        }
    }
    let mut found = Found::default();
    for (name, value) in headers {
        if *name == HOST {
            once(&mut found.host, name, value)?;
        } else if *name == CONTENT_TYPE {
            once(&mut found.content_type, name, value)?;
        } else if *name == CONTENT_LENGTH {
            once(&mut found.content_length, name, value)?;
        } else if *name == ACCEPT {
            found.accepts.get_or_insert(Accepts { json: false, stream: false }).add(value);
        } else if *name == ORIGIN {
            once(&mut found.origin, name, value)?;
        } else if *name == CONTENT_ENCODING {
            once(&mut found.content_encoding, name, value)?;
        } else if *name == AUTHORIZATION {
            once(&mut found.authorization, name, value)?;
        } else if *name == LAST_EVENT {
            once(&mut head.last_event, name, value.clone())?;
        } else if name.as_str().starts_with("mcp-") {
            if *name == PROTOCOL_VERSION {
                once(&mut head.version, name, value.clone())?;
            } else if *name == MCP_METHOD {
                once(&mut head.method, name, value.clone())?;
            } else if *name == MCP_NAME {
                once(&mut head.name, name, value.clone())?;
            } else if *name == MCP_SESSION {
                once(&mut head.session, name, value.clone())?;
            } else if let Some(param) = name.as_str().strip_prefix(PARAM_PREFIX) {
                head.params.push(param, value.as_bytes());
            }
        }
    }
    Ok(found)
}

/// Holds `Host` and `Origin` against what is allowed, for requests of every method.
fn check_sender(parts: &Parts, found: &Found<'_>, allowed: &Allowed) -> Result<(), Refusal> {
    let bad = |message: &'static str| Refusal::new(StatusCode::BAD_REQUEST, message);
    let authority = parts.uri.authority().map(http::uri::Authority::as_str);
    let header = found.host.map(|host| host.to_str().map_err(|_| bad("the header `Host` is malformed")));
    let host = match (authority, header.transpose()?) {
        (Some(authority), Some(host)) if !authority.eq_ignore_ascii_case(host) => {
            return Err(bad("the header `Host` differs from the request's target"));
        }
        (Some(host), _) | (None, Some(host)) => host,
        (None, None) => return Err(bad("the header `Host` is missing")),
    };
    if !allowed.host(host) {
        return Err(Refusal::forbidden("this server is not reached under the name in the header `Host`"));
    }
    match found.origin {
        Some(origin) if !origin.to_str().is_ok_and(|origin| allowed.origin(origin, host)) => {
            Err(Refusal::forbidden("web pages of this `Origin` may not use this server"))
        }
        _ => Ok(()),
    }
}

fn check_content(parts: &Parts, found: &Found<'_>) -> Result<(), Refusal> {
    if parts.method != Method::POST {
        return Err(Refusal::method_not_allowed());
    }
    if !found.content_type.is_some_and(is_json) {
        let message = "the header `Content-Type` must be `application/json`";
        return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
    }
    match found.content_encoding {
        Some(encoding) if !encoding.as_bytes().eq_ignore_ascii_case(b"identity") => {
            let message = "the body must come as it is, without `Content-Encoding`";
            Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message))
        }
        _ => Ok(()),
    }
}

fn is_json(value: &HeaderValue) -> bool {
    let value = value.as_bytes();
    let end = memchr::memchr(b';', value).unwrap_or(value.len());
    value[..end].trim_ascii().eq_ignore_ascii_case(b"application/json")
}

/// What the client takes. The specification wants clients to list both forms; one is enough to be answered, and
/// no header at all means anything (RFC 9110, section 12.5.1).
fn accepts(listed: Option<Accepts>) -> Result<Accepts, Refusal> {
    let accepts = listed.unwrap_or_default();
    if accepts.json || accepts.stream {
        return Ok(accepts);
    }
    let message = "the header `Accept` must list `application/json` and `text/event-stream`";
    Err(Refusal::new(StatusCode::NOT_ACCEPTABLE, message))
}

impl Accepts {
    /// Adds what a header lists.
    fn add(&mut self, header: &HeaderValue) {
        for range in header.as_bytes().split(|byte| *byte == b',') {
            let mut parts = range.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
            let media_type = parts.next().unwrap_or_default();
            if parts.any(is_zero_weight) {
                continue;
            }
            let is = |name: &str| media_type.eq_ignore_ascii_case(name.as_bytes());
            self.json |= is("application/json") || is("application/*") || is("*/*");
            self.stream |= is("text/event-stream") || is("text/*") || is("*/*");
        }
    }
}

/// Whether a parameter of a media range says that the client does not take it (`q=0`, `q=0.000`).
fn is_zero_weight(parameter: &[u8]) -> bool {
    let weight = match parameter {
        [b'q' | b'Q', b'=', weight @ ..] => weight,
        _ => return false,
    };
    weight.first() == Some(&b'0') && weight.iter().all(|byte| matches!(byte, b'0' | b'.'))
}
