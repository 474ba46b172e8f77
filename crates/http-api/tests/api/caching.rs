//! Answers that are kept, for how long, and for whom.

use std::time::Duration;

use crate::common::{Upstream, answer};
use http::Method;
use towline_core::{Context, Principal};
use towline_http_api::{Api, ApiRequest, ApiResponse, CacheStatus, CallOptions};

fn as_principal(id: &str) -> Context {
    let mut context = Context::default();
    context.extensions_mut().insert(Principal::new(id));
    context
}

async fn get(api: &Api, path: &str) -> ApiResponse {
    api.execute(ApiRequest::get(path), &Context::default()).await.unwrap()
}

/// Answers with the headers that the query names: `?cache-control=..`.
async fn upstream() -> Upstream {
    Upstream::start(|seen| {
        let query = seen.uri.query().unwrap_or_default();
        let pairs = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect::<Vec<_>>();
        let mut headers: Vec<(&str, &str)> =
            pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let etag = headers.iter().find(|(name, _)| *name == "etag").map(|(_, value)| *value);
        if etag.is_some() && seen.header("if-none-match") == etag {
            return answer(304, &headers, "");
        }
        headers.push(("content-type", "text/plain"));
        answer(200, &headers, "body")
    })
    .await
}

#[tokio::test]
async fn a_fresh_answer_is_given_again() {
    let upstream = upstream().await;
    let api = upstream.api();
    let first = get(&api, "/x").await; // says nothing of caching
    assert_eq!(first.cache, CacheStatus::Miss);
    get(&api, "/x").await;
    assert_eq!(upstream.count(), 2);

    let path = || ApiRequest::get("/y").with_query("cache-control=max-age=60");
    api.execute(path(), &Context::default()).await.unwrap();
    let again = api.execute(path(), &Context::default()).await.unwrap();
    assert!(matches!(again.cache, CacheStatus::Hit { .. }));
    assert_eq!((upstream.count(), &again.body[..]), (3, &b"body"[..]));
    assert_eq!(again.headers["content-type"], "text/plain");
}

#[tokio::test]
async fn no_principal_sees_what_another_was_given() {
    let upstream = upstream().await;
    let api = upstream.api();
    let path = || ApiRequest::get("/y").with_query("cache-control=private,max-age=60");
    for (who, count) in [(Some("a"), 1), (Some("b"), 2), (None, 3), (Some("a"), 3), (Some("b"), 3), (None, 3)]
    {
        let context = who.map_or_else(Context::default, as_principal);
        api.execute(path(), &context).await.unwrap();
        assert_eq!(upstream.count(), count, "{who:?}");
    }
}

#[tokio::test]
async fn a_stale_answer_is_revalidated() {
    let upstream = upstream().await;
    let api = upstream.api();
    let path = || ApiRequest::get("/y").with_query("cache-control=max-age=0&etag=%22v1%22");
    api.execute(path(), &Context::default()).await.unwrap();
    let again = api.execute(path(), &Context::default()).await.unwrap();
    assert_eq!(again.cache, CacheStatus::Revalidated);
    assert_eq!((again.status.as_u16(), &again.body[..]), (200, &b"body"[..]));
    assert_eq!(upstream.last().header("if-none-match"), Some("\"v1\""));
    assert_eq!(upstream.count(), 2);
}

#[tokio::test]
async fn what_must_not_be_kept_is_not() {
    let upstream = upstream().await;
    let api = upstream.api();
    for query in [
        "cache-control=no-store",
        "cache-control=max-age=60&vary=*",
        "last-modified=Thu,%2015%20Jan%202015%2012:00:00%20GMT",
    ] {
        let before = upstream.count();
        for _ in 0..2 {
            let request = ApiRequest::get("/y").with_query(query);
            let response = api.execute(request, &Context::default()).await.unwrap();
            assert!(!matches!(response.cache, CacheStatus::Hit { .. }), "{query}");
        }
        assert_eq!(upstream.count(), before + 2, "{query}");
    }
}

#[tokio::test]
async fn an_answer_is_only_for_requests_like_its_own() {
    let upstream = upstream().await;
    let api = upstream.api();
    let ask = |language: &str| {
        let mut request = ApiRequest::get("/y").with_query("cache-control=max-age=60&vary=accept-language");
        request.headers.insert("accept-language", language.parse().unwrap());
        request
    };
    for (language, count) in [("de", 1), ("de", 1), ("en", 2), ("en", 2)] {
        api.execute(ask(language), &Context::default()).await.unwrap();
        assert_eq!(upstream.count(), count, "{language}");
    }
}

#[tokio::test]
async fn a_caller_may_ask_for_what_http_says_nothing_of() {
    let upstream = upstream().await;
    let api = upstream.api();
    let options = CallOptions::new().with_cache_for(Duration::from_secs(60));
    let ask = async |query: &str| {
        let mut request = ApiRequest::get("/y");
        request.query = (!query.is_empty()).then(|| query.to_owned());
        api.execute_with(request, &options, &Context::default()).await.unwrap().cache
    };
    assert_eq!(ask("").await, CacheStatus::Miss);
    assert!(matches!(ask("").await, CacheStatus::Hit { .. }));
    // One who does not ask so gets a new one.
    assert_eq!(get(&api, "/y").await.cache, CacheStatus::Miss);
    // And `no-store` is obeyed.
    assert_eq!(ask("cache-control=no-store").await, CacheStatus::Miss);
    assert_eq!(ask("cache-control=no-store").await, CacheStatus::Miss);
    // What was kept is no older than was asked for.
    tokio::time::sleep(Duration::from_millis(30)).await;
    let request = ApiRequest::get("/y");
    let options = CallOptions::new().with_cache_for(Duration::from_millis(10));
    let response = api.execute_with(request, &options, &Context::default()).await.unwrap();
    assert_eq!(response.cache, CacheStatus::Miss);
}

#[tokio::test]
async fn what_is_asked_for_in_another_way_is_another_answer() {
    let upstream = upstream().await;
    let api = upstream.api();
    let options = CallOptions::new().with_cache_for(Duration::from_secs(60));
    // Nothing says that the answer depends on the header or on the body, but it may.
    let mut other = ApiRequest::get("/y");
    other.headers.insert("x-mode", "other".parse().unwrap());
    let mut with_body = ApiRequest::get("/y");
    with_body.body = Some("which".into());
    for request in [ApiRequest::get("/y"), with_body, other] {
        let response = api.execute_with(request, &options, &Context::default()).await.unwrap();
        assert_eq!(response.cache, CacheStatus::Miss);
    }
}

#[tokio::test]
async fn a_change_drops_what_was_kept_of_its_url() {
    let upstream = upstream().await;
    let api = upstream.api();
    let ask = |method| ApiRequest::new(method, "/y").with_query("cache-control=max-age=60");
    api.execute(ask(Method::GET), &Context::default()).await.unwrap();
    api.execute(ask(Method::PUT), &Context::default()).await.unwrap();
    let again = api.execute(ask(Method::GET), &Context::default()).await.unwrap();
    assert_eq!((again.cache, upstream.count()), (CacheStatus::Miss, 3));
}

#[tokio::test]
async fn no_more_is_kept_than_fits() {
    let upstream =
        Upstream::start(|_| answer(200, &[("cache-control", "max-age=60")], vec![b'x'; 4096])).await;
    let mut config = upstream.config();
    config.cache.max_bytes = 3000;
    let api = Api::new("small", config).unwrap();
    get(&api, "/x").await;
    get(&api, "/x").await;
    assert_eq!(upstream.count(), 2);
}
