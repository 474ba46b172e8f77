//! Finds the next page of an answer.

use std::borrow::Cow;
use std::collections::BTreeMap;

use http::HeaderMap;
use http::header::LINK;
use percent_encoding::percent_decode_str;
use serde_json::value::RawValue;

use crate::client::Api;
use crate::config::PaginationConfig;
use crate::encode::encode;
use crate::request::{ApiRequest, ApiResponse};

/// Where bodies keep the cursor of the next page, and the parameter that takes it.
const CURSORS: &[(&str, &str)] = &[
    ("next_cursor", "cursor"),
    ("nextCursor", "cursor"),
    ("next_page_token", "page_token"),
    ("nextPageToken", "pageToken"),
    ("response_metadata.next_cursor", "cursor"),
    ("meta.next_cursor", "cursor"),
    ("pagination.next_cursor", "cursor"),
    ("pageInfo.endCursor", "after"),
    ("continuation_token", "continuation_token"),
];

/// Where bodies say whether there is a next page.
const MORE: &[&str] =
    &["pageInfo.hasNextPage", "has_more", "hasMore", "meta.has_more", "pagination.has_more"];

/// Where bodies keep the URL of the next page.
const URLS: &[&str] = &["next", "links.next", "paging.next", "_links.next.href", "@odata.nextLink"];

/// Members that hold the items of a page.
const ITEMS: &[&str] = &["items", "results", "data", "values", "entries", "records", "value", "hits"];

/// A page, and how it was found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Next {
    pub(crate) path: String,
    pub(crate) query: Option<String>,
    /// Nothing names it: it is the next number. Where pages are named, one that names none is the last.
    pub(crate) is_counted: bool,
}

/// The page after this one, if there is one.
pub(crate) fn next(api: &Api, request: &ApiRequest, response: &ApiResponse) -> Option<Next> {
    let from = api.base().join(&request.path, request.query.as_deref()).ok()?;
    // What leads out of the API is as if it were not there.
    let within = |reference: &str| {
        let (path, query) = api.base().relative(&from, reference).ok()?;
        api.base().join(&path, query.as_deref()).ok().map(|_| Next { path, query, is_counted: false })
    };
    if response.headers.contains_key(LINK) {
        return within(&next_link(&response.headers)?);
    }
    let body = std::str::from_utf8(&response.body).ok().filter(|_| !response.is_cut)?;
    let config = &api.config().pagination;
    if let Some((parameter, cursor)) = cursor(config, body) {
        let query = Some(with_query(request.query.as_deref(), parameter, &cursor));
        return Some(Next { path: request.path.clone(), query, is_counted: false });
    }
    let url = URLS.iter().find_map(|path| text_at(body, path).filter(|url| url.contains(['/', '?'])));
    if let Some(url) = url {
        return within(&url);
    }
    let page: u64 = query_value(request.query.as_deref()?, &config.page_parameter)?.parse().ok()?;
    let has_items = items(body).is_some_and(|items| !items.is_empty());
    has_items.then(|| {
        let page = page.saturating_add(1).to_string();
        let query = Some(with_query(request.query.as_deref(), &config.page_parameter, &page));
        Next { path: request.path.clone(), query, is_counted: true }
    })
}

/// The items of a page: the body itself if it is an array, or the member that is one.
pub(crate) fn items(body: &str) -> Option<Vec<&RawValue>> {
    if body.trim_start().starts_with('[') {
        return serde_json::from_str(body).ok();
    }
    let members: BTreeMap<Cow<'_, str>, &RawValue> = serde_json::from_str(body).ok()?;
    let is_array = |member: &&&RawValue| member.get().starts_with('[');
    let known = ITEMS.iter().find_map(|name| members.get(*name).filter(is_array));
    let mut arrays = members.values().filter(is_array);
    let only = arrays.next().filter(|_| arrays.next().is_none());
    serde_json::from_str(known.or(only)?.get()).ok()
}

fn cursor<'a>(config: &'a PaginationConfig, body: &str) -> Option<(&'a str, String)> {
    if let (Some(field), Some(parameter)) = (&config.cursor_field, &config.cursor_parameter) {
        return Some((parameter, text_at(body, field)?));
    }
    // Some say apart whether there is more.
    if MORE.iter().any(|path| text_at(body, path).is_some_and(|more| more == "false")) {
        return None;
    }
    CURSORS.iter().find_map(|(field, parameter)| {
        let cursor = text_at(body, field).filter(|cursor| !matches!(&**cursor, "true" | "false"))?;
        Some((*parameter, cursor))
    })
}

/// A string, number or boolean at a path of members, as text; nothing if it is an empty string.
fn text_at(body: &str, path: &str) -> Option<String> {
    let mut at = body.trim();
    for name in path.split('.') {
        if !at.starts_with('{') {
            return None;
        }
        let members: BTreeMap<Cow<'_, str>, &RawValue> = serde_json::from_str(at).ok()?;
        at = members.get(name)?.get();
    }
    let text = match at.as_bytes().first()? {
        b'"' => serde_json::from_str(at).ok()?,
        b'{' | b'[' | b'n' => return None,
        _ => at.to_owned(),
    };
    Some(text).filter(|text| !text.is_empty())
}

/// The target of the first link with the relation `next` (RFC 8288).
fn next_link(headers: &HeaderMap) -> Option<String> {
    headers.get_all(LINK).iter().filter_map(|value| value.to_str().ok()).find_map(next_of)
}

fn next_of(value: &str) -> Option<String> {
    let mut rest = value;
    while let Some(start) = rest.find('<') {
        let end = start + rest[start..].find('>')?;
        let target = &rest[start + 1..end];
        let after = &rest[end + 1..];
        let parameters = &after[..after.find(outside_quotes(',')).unwrap_or(after.len())];
        let pairs = parameters.split(outside_quotes(';')).filter_map(|parameter| parameter.split_once('='));
        let is_next = pairs.into_iter().any(|(name, value)| {
            let relations = value.trim().trim_matches('"');
            name.trim().eq_ignore_ascii_case("rel")
                && relations.split_ascii_whitespace().any(|relation| relation.eq_ignore_ascii_case("next"))
        });
        if is_next {
            return Some(target.to_owned());
        }
        rest = &after[parameters.len()..];
    }
    None
}

/// Finds a character that stands in no quoted string.
fn outside_quotes(wanted: char) -> impl FnMut(char) -> bool {
    let mut is_quoted = false;
    move |c| {
        is_quoted ^= c == '"';
        c == wanted && !is_quoted
    }
}

fn query_value(query: &str, name: &str) -> Option<String> {
    query.split('&').find_map(|pair| {
        let (given, value) = pair.split_once('=')?;
        let is_it = percent_decode_str(given).decode_utf8_lossy() == name;
        is_it.then(|| percent_decode_str(value).decode_utf8_lossy().into_owned())
    })
}

/// The query with a parameter instead of any of that name.
pub(crate) fn with_query(query: Option<&str>, name: &str, value: &str) -> String {
    let is_other = |pair: &&str| {
        let given = pair.split('=').next().unwrap_or_default();
        !pair.is_empty() && percent_decode_str(given).decode_utf8_lossy() != name
    };
    let mut pairs: Vec<String> =
        query.unwrap_or_default().split('&').filter(is_other).map(str::to_owned).collect();
    pairs.push(format!("{}={}", encode(name), encode(value)));
    pairs.join("&")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ApiConfig;

    fn next_page(path: &str, query: &str, headers: &[(&str, &str)], body: &str) -> Option<String> {
        let api = Api::new("x", ApiConfig::new("https://api.example.com/v1")).unwrap();
        let mut response = ApiResponse {
            status: http::StatusCode::OK,
            headers: HeaderMap::new(),
            body: body.as_bytes().to_vec().into(),
            is_cut: false,
            cache: crate::request::CacheStatus::Miss,
        };
        for (name, value) in headers {
            response.headers.append(http::HeaderName::from_static("link"), value.parse().unwrap());
            assert_eq!(*name, "link");
        }
        let mut request = ApiRequest::get(path);
        request.query = (!query.is_empty()).then(|| query.to_owned());
        let Next { path, query, .. } = next(&api, &request, &response)?;
        Some(query.map_or(path.clone(), |query| format!("{path}?{query}")))
    }

    #[test]
    fn links_are_followed_within_the_api_only() {
        let link = |value: &str| next_page("/a", "q=1", &[("link", value)], "[1]");
        let next = |target: &str| format!("<{target}>; rel=\"next\"");
        assert_eq!(link(&next("https://api.example.com/v1/a?page=2")).as_deref(), Some("/a?page=2"));
        assert_eq!(link(&next("?page=2")).as_deref(), Some("/a?page=2"));
        assert_eq!(link(&next("/v1/b?page=2")).as_deref(), Some("/b?page=2"));
        let several =
            "</v1/a?x=1,2>; title=\"a, b; rel=next\"; rel=\"prev\", </v1/a?page=3>; rel=\"last next\"";
        assert_eq!(link(several).as_deref(), Some("/a?page=3"));
        assert_eq!(link("</v1/a?page=3>; rel=prev"), None);
        for away in [
            "https://evil.com/v1/a",
            "//evil.com/v1/a",
            "/v2/a",
            "/v1/../admin",
            "http://api.example.com/v1/a",
        ] {
            assert_eq!(link(&next(away)), None, "{away}");
        }
    }

    #[test]
    fn cursors_and_urls_in_bodies_are_found() {
        let body = |body: &str| next_page("/a", "q=1&cursor=old", &[], body);
        assert_eq!(body(r#"{"next_cursor": "a b&c"}"#).as_deref(), Some("/a?q=1&cursor=a%20b%26c"));
        assert_eq!(body(r#"{"nextPageToken": "t"}"#).as_deref(), Some("/a?q=1&cursor=old&pageToken=t"));
        assert_eq!(body(r#"{"response_metadata": {"next_cursor": ""}}"#), None);
        assert_eq!(body(r#"{"next": "https://api.example.com/v1/a?page=2"}"#).as_deref(), Some("/a?page=2"));
        assert_eq!(body(r#"{"next": "https://evil.com/v1/a?page=2"}"#), None);
        assert_eq!(body(r#"{"next_cursor": null, "next": null}"#), None);
        assert_eq!(body(r#"{"pageInfo": {"hasNextPage": false, "endCursor": "x"}}"#), None);
        assert_eq!(body(r#"{"items": [1], "has_more": false, "next_cursor": "x"}"#), None);
        assert_eq!(body(r#"{"items": [1], "next_cursor": false}"#), None);
    }

    #[test]
    fn pages_are_counted_until_one_is_empty() {
        assert_eq!(next_page("/a", "page=2&q=1", &[], "[1]").as_deref(), Some("/a?q=1&page=3"));
        assert_eq!(
            next_page("/a", "page=2", &[], r#"{"total": 9, "rows": [1]}"#).as_deref(),
            Some("/a?page=3")
        );
        assert_eq!(next_page("/a", "page=2", &[], "[]"), None);
        assert_eq!(next_page("/a", "q=1", &[], "[1]"), None);
    }
}
