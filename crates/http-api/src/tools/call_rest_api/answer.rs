//! What a call gives.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::client::Api;
use crate::request::{ApiResponse, CacheStatus};
use crate::tools::fit::{Fitted, Truncated};

/// Headers that tell a model something.
const OF_INTEREST: &[&str] = &[
    "content-type",
    "content-language",
    "deprecation",
    "etag",
    "last-modified",
    "location",
    "ratelimit",
    "request-id",
    "retry-after",
    "sunset",
    "warning",
    "x-ratelimit-limit",
    "x-ratelimit-remaining",
    "x-ratelimit-reset",
    "x-request-id",
    "x-total-count",
];

/// Bytes of a header's value that are shown at most.
const MOST_VALUE: usize = 512;

/// What a call of an API gives.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::tools) struct RestAnswer {
    /// The API that was called.
    api: String,
    /// The HTTP status.
    status: u16,
    /// Headers of interest, in lower case.
    headers: BTreeMap<&'static str, String>,
    /// The body: JSON as it is, or what `select` made of it; text as a string; null if there is none.
    #[schemars(with = "Value")]
    pub(super) body: Box<RawValue>,
    /// What is left out of the body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) truncated: Option<Truncated>,
    /// What else is to be said of the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) note: Option<String>,
    /// The `endpoint` of the next page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next: Option<String>,
    /// How many pages the body holds, if several were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) pages: Option<u32>,
    /// Whether the cache gave it.
    cache: CacheWord,
    /// How old a cached answer is, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    age_seconds: Option<u64>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum CacheWord {
    Hit,
    Miss,
    Revalidated,
}

impl RestAnswer {
    pub(in crate::tools) fn new(api: &Api, response: &ApiResponse, fitted: Fitted) -> Self {
        let shown = |name: &&'static str| {
            let value = response.headers.get(*name)?.to_str().ok()?;
            Some((*name, value[..value.floor_char_boundary(MOST_VALUE)].to_owned()))
        };
        let (cache, age_seconds) = match response.cache {
            CacheStatus::Miss => (CacheWord::Miss, None),
            CacheStatus::Hit { age } => (CacheWord::Hit, Some(age.as_secs())),
            CacheStatus::Revalidated => (CacheWord::Revalidated, None),
        };
        Self {
            api: api.name().to_owned(),
            status: response.status.as_u16(),
            headers: OF_INTEREST.iter().filter_map(shown).collect(),
            body: fitted.body,
            truncated: fitted.truncated,
            note: fitted.note,
            next: None,
            pages: None,
            cache,
            age_seconds,
        }
    }
}
