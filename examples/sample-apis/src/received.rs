//! What arrived, for tests to look at.

use std::collections::VecDeque;

use bytes::Bytes;
use http::{HeaderMap, Method, Version};
use serde_json::{Value, json};

/// Which of the listeners a request came to. They differ in scheme or port, so each is an origin of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The plain one, at [`Upstream::url`](crate::Upstream::url).
    Http,
    /// The one with TLS, at [`Upstream::https_url`](crate::Upstream::https_url).
    Https,
    /// The one where redirects to another origin lead, at [`Upstream::other_url`](crate::Upstream::other_url).
    Other,
}

/// A request that arrived whole.
#[derive(Clone, Debug)]
pub struct Received {
    /// The listener.
    pub origin: Origin,
    /// The number of the connection; requests on the same one have the same.
    pub connection: u64,
    /// HTTP/1.1 or HTTP/2.
    pub version: Version,
    /// The method.
    pub method: Method,
    /// The path as it was sent, percent-encoded.
    pub path: String,
    /// The query as it was sent, without `?`.
    pub query: Option<String>,
    /// The headers, secrets and all.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Received {
    /// A header's value as text, the first if there are several.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The same for `/echo` and `/requests`. Bytes that are no text are replaced.
    pub(crate) fn to_json(&self) -> Value {
        json!({
            "origin": match self.origin { Origin::Http => "http", Origin::Https => "https", Origin::Other => "other" },
            "connection": self.connection,
            "version": format!("{:?}", self.version),
            "method": self.method.as_str(),
            "path": self.path,
            "query": self.query,
            "headers": headers_to_json(&self.headers),
            "body": String::from_utf8_lossy(&self.body),
        })
    }
}

/// By name; each has all its values, for a name may come several times.
pub(crate) fn headers_to_json(headers: &HeaderMap) -> Value {
    let all =
        |name| headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
    headers.keys().map(|name| (name.to_string(), all(name))).collect::<serde_json::Map<_, Value>>().into()
}

/// The last requests.
#[derive(Debug)]
pub(crate) struct Log {
    entries: VecDeque<Received>,
    capacity: usize,
}

impl Log {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { entries: VecDeque::new(), capacity }
    }

    pub(crate) fn push(&mut self, received: &Received) {
        if self.capacity == 0 {
            return;
        }
        if self.entries.len() >= self.capacity {
            self.entries.pop_front();
        }
        self.entries.push_back(received.clone());
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = &Received> {
        self.entries.iter()
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
    }
}

/// Whether a path lies at or below another, by whole segments.
pub(crate) fn is_below(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix.trim_end_matches('/'))
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
