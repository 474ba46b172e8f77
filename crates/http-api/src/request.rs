//! A request to an API and its answer, without the parts that only the configuration decides.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};

/// A request to an API, relative to its base URL. Origin, credentials and framing are the configuration's to add.
#[derive(Clone, Debug)]
pub struct ApiRequest {
    /// The method.
    pub method: Method,
    /// The path below the base URL, beginning with `/`; empty for the base URL itself. What is percent-encoded stays
    /// as it is.
    pub path: String,
    /// The query, encoded, without `?`.
    pub query: Option<String>,
    /// Headers. Those that the configuration or HTTP itself decides are refused.
    pub headers: HeaderMap,
    /// The body; its `Content-Type` stands in the headers.
    pub body: Option<Bytes>,
}

impl ApiRequest {
    /// A request without query, headers and body.
    pub fn new(method: Method, path: impl Into<String>) -> Self {
        Self { method, path: path.into(), query: None, headers: HeaderMap::new(), body: None }
    }

    /// A `GET`.
    pub fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path)
    }

    /// Sets the query: encoded, without `?`.
    #[must_use]
    pub fn with_query(mut self, query: impl Into<String>) -> Self {
        self.query = Some(query.into());
        self
    }
}

/// What an API answered, within the bounds of its configuration.
#[derive(Clone, Debug)]
pub struct ApiResponse {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, decompressed; cut at the bound if `is_cut`.
    pub body: Bytes,
    /// Whether there was more of the body.
    pub is_cut: bool,
    /// What of it comes from the cache.
    pub cache: CacheStatus,
}

/// What of an answer comes from the cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CacheStatus {
    /// Nothing: the API gave it just now.
    #[default]
    Miss,
    /// All of it; the API was not asked.
    Hit {
        /// How long ago the API gave it or said that it still holds.
        age: Duration,
    },
    /// The body: the API said that it still holds.
    Revalidated,
}
