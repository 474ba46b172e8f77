//! What is kept of answers, as HTTP allows it (RFC 9111), for each principal by itself.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use foldhash::fast::RandomState;
use http::header::{
    CACHE_CONTROL, EXPIRES, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, RANGE,
};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, Method, StatusCode, Uri};
use http_cache_semantics::{AfterResponse, BeforeRequest, CacheOptions, CachePolicy};
use moka::sync::Cache;
use tokio::time::Instant;

use crate::config::CacheConfig;
use crate::request::{ApiResponse, CacheStatus};

/// Nothing is kept for longer, whatever answers say.
const MOST_KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// What an entry takes beside its bytes, about.
const OVERHEAD: usize = 512;

/// A private cache: no heuristics, since a model is not told that an answer may be old.
const OPTIONS: CacheOptions = CacheOptions {
    shared: false,
    cache_heuristic: 0.0,
    immutable_min_time_to_live: Duration::from_secs(24 * 60 * 60),
    ignore_cargo_cult: false,
};

/// Whose answer to what. Answers of one API never meet those of another: each has its own cache.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    principal: Option<Arc<str>>,
    /// Path and query: a cache is of one origin.
    target: Arc<str>,
}

impl Key {
    pub(crate) fn new(principal: Option<&str>, uri: &Uri) -> Self {
        let target = uri.path_and_query().map_or("/", PathAndQuery::as_str);
        Self { principal: principal.map(Into::into), target: target.into() }
    }
}

/// Answers to `GET`.
#[derive(Clone)]
pub(crate) struct HttpCache {
    entries: Cache<Key, Arc<Entry>, RandomState>,
    /// Dates are told by the clock that tests can pause.
    began: (SystemTime, Instant),
}

/// An answer that is kept.
pub(crate) struct Entry {
    policy: CachePolicy,
    /// What the request said, for those who take an answer whatever HTTP says: it may depend on any of this.
    asked: HeaderMap,
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
    validated: Instant,
}

/// A `GET` as the rules of caching see it. Credentials are the API's own, the same for all.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) uri: Uri,
    pub(crate) headers: Arc<HeaderMap>,
}

impl Asked {
    fn parts(&self) -> Parts {
        let mut request = http::Request::new(());
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = HeaderMap::clone(&self.headers);
        request.into_parts().0
    }
}

/// What the cache has.
pub(crate) enum Found {
    Nothing,
    /// An answer that is good as it is.
    Fresh(ApiResponse),
    /// An answer that may still hold: asked with these headers, the API says so.
    Stale(Arc<Entry>, HeaderMap),
}

impl HttpCache {
    /// `None` if nothing is to be kept.
    pub(crate) fn new(config: &CacheConfig) -> Option<Self> {
        let entries = Cache::builder()
            .max_capacity(config.max_bytes)
            .weigher(|key: &Key, entry: &Arc<Entry>| weight(key, entry))
            .time_to_live(MOST_KEPT)
            .build_with_hasher(RandomState::default());
        let began = (SystemTime::now(), Instant::now());
        (config.enabled && config.max_bytes > 0).then_some(Self { entries, began })
    }

    /// Whether an answer to this may come from the cache at all: not where the caller has conditions of its own, or
    /// asks with a body.
    pub(crate) fn is_for(method: &Method, headers: &HeaderMap, body: &Bytes) -> bool {
        let conditions = [IF_MATCH, IF_NONE_MATCH, IF_MODIFIED_SINCE, IF_UNMODIFIED_SINCE, IF_RANGE, RANGE];
        method == Method::GET && body.is_empty() && !conditions.iter().any(|name| headers.contains_key(name))
    }

    /// What there is for a request; `no_older` takes an answer of that age, whatever HTTP says of its freshness.
    pub(crate) fn find(&self, key: &Key, asked: &Asked, no_older: Option<Duration>) -> Found {
        let Some(entry) = self.entries.get(key) else { return Found::Nothing };
        let now = self.now();
        let age = Instant::now().duration_since(entry.validated);
        match entry.policy.before_request(&asked.parts(), now) {
            BeforeRequest::Fresh(head) => Found::Fresh(entry.response(head.headers, age)),
            BeforeRequest::Stale { matches: true, .. }
                if no_older.is_some_and(|most| age <= most)
                    && entry.asked == without_trace(&asked.headers) =>
            {
                Found::Fresh(entry.response(entry.headers.clone(), age))
            }
            BeforeRequest::Stale { request, matches: true } => Found::Stale(entry, request.headers),
            // Made for other headers (`Vary`).
            BeforeRequest::Stale { matches: false, .. } => Found::Nothing,
        }
    }

    /// Keeps an answer if that is allowed; `for_time` keeps also what HTTP says nothing of.
    pub(crate) fn keep(&self, key: Key, asked: &Asked, response: &ApiResponse, for_time: Option<Duration>) {
        let is_asked_for = for_time.is_some_and(|time| !time.is_zero())
            && response.status == StatusCode::OK
            && !forbids(&response.headers)
            && !forbids(&asked.headers);
        // Most answers say nothing of caching: then there is no need to find out what they say.
        let says_so = [CACHE_CONTROL, EXPIRES].iter().any(|name| response.headers.contains_key(name))
            || has_validator(&response.headers);
        if response.is_cut || !(is_asked_for || says_so) {
            return;
        }
        let mut head = http::Response::new(());
        *head.status_mut() = response.status;
        *head.headers_mut() = response.headers.clone();
        let policy = CachePolicy::new_options(&asked.parts(), &head, self.now(), OPTIONS);
        let is_useful = policy.is_storable()
            && (!policy.is_stale(self.now()) || has_validator(&response.headers))
            && response.headers.get("vary").is_none_or(|vary| vary != "*");
        if !(is_asked_for || is_useful) {
            return;
        }
        let entry = Entry {
            policy,
            asked: without_trace(&asked.headers),
            status: response.status,
            headers: response.headers.clone(),
            // It may be a part of a buffer that is larger.
            body: Bytes::copy_from_slice(&response.body),
            validated: Instant::now(),
        };
        self.insert(key, entry);
    }

    /// The answer that is kept, once the API has said that it still holds; `None` if what it said is of another
    /// version, so that it must be asked anew.
    pub(crate) fn revalidate(
        &self,
        key: Key,
        entry: &Entry,
        asked: &Asked,
        response: &ApiResponse,
    ) -> Option<ApiResponse> {
        let mut head = http::Response::new(());
        *head.status_mut() = response.status;
        *head.headers_mut() = response.headers.clone();
        let after = entry.policy.after_response(&asked.parts(), &head, self.now());
        let AfterResponse::NotModified(policy, parts) = after else {
            self.entries.invalidate(&key);
            return None;
        };
        let fresh = Entry {
            policy,
            asked: entry.asked.clone(),
            status: entry.status,
            headers: parts.headers.clone(),
            body: entry.body.clone(),
            validated: Instant::now(),
        };
        let mut response = fresh.response(parts.headers, Duration::ZERO);
        response.cache = CacheStatus::Revalidated;
        self.insert(key, fresh);
        Some(response)
    }

    /// Drops an answer, since a request may have changed what it tells of (RFC 9111, section 4.4).
    pub(crate) fn forget(&self, key: &Key) {
        self.entries.invalidate(key);
    }

    fn insert(&self, key: Key, entry: Entry) {
        self.entries.insert(key, Arc::new(entry));
        // Left alone, it would drop what is too much only once in a while, and one answer may be megabytes.
        self.entries.run_pending_tasks();
    }

    fn now(&self) -> SystemTime {
        self.began.0 + self.began.1.elapsed()
    }
}

impl Entry {
    fn response(&self, headers: HeaderMap, age: Duration) -> ApiResponse {
        ApiResponse {
            status: self.status,
            headers,
            body: self.body.clone(),
            is_cut: false,
            cache: CacheStatus::Hit { age },
        }
    }
}

/// A trace is another one each time, and no answer depends on it.
fn without_trace(headers: &HeaderMap) -> HeaderMap {
    let mut headers = headers.clone();
    headers.remove("traceparent");
    headers.remove("tracestate");
    headers
}

fn weight(key: &Key, entry: &Entry) -> u32 {
    let headers = [&entry.headers, &entry.asked];
    let headers: usize =
        headers.into_iter().flatten().map(|(name, value)| name.as_str().len() + value.len()).sum();
    // The policy has them too.
    let bytes = key.target.len() + 2 * headers + entry.body.len() + OVERHEAD;
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

fn forbids(headers: &HeaderMap) -> bool {
    let texts = headers.get_all(CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    texts.flat_map(|text| text.split(',')).any(|part| part.trim().eq_ignore_ascii_case("no-store"))
}

fn has_validator(headers: &HeaderMap) -> bool {
    headers.contains_key(http::header::ETAG) || headers.contains_key(http::header::LAST_MODIFIED)
}

impl fmt::Debug for HttpCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpCache").field("entries", &self.entries.entry_count()).finish_non_exhaustive()
    }
}
