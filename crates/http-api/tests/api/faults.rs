//! What an API may do wrong, over real sockets.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::common::{Upstream, answer, json};
use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep};
use towline_core::{Context, ErrorKind};
use towline_http_api::{Api, ApiConfig, ApiRequest, ApiResponse, RateLimitConfig};

async fn get(api: &Api, path: &str) -> Result<ApiResponse, towline_core::Error> {
    api.execute(ApiRequest::get(path), &Context::default()).await
}

#[tokio::test]
async fn a_slow_api_ends_at_the_timeout_and_the_breaker_hears_of_it() {
    let upstream = Upstream::raw(|stream| async move {
        sleep(Duration::from_secs(60)).await;
        drop(stream);
    })
    .await;
    let mut config = upstream.config();
    config.timeout = Duration::from_millis(200);
    config.breaker.consecutive_failures = Some(2);
    let api = Api::new("slow", config).unwrap();
    for _ in 0..2 {
        let began = Instant::now();
        let error = get(&api, "/x").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error:?}");
        assert!(began.elapsed() < Duration::from_secs(2));
    }
    assert_eq!(get(&api, "/x").await.unwrap_err().kind(), ErrorKind::CircuitOpen);
}

#[tokio::test]
async fn a_drip_of_bytes_meets_the_timeout_too() {
    let upstream = Upstream::raw(|mut stream| async move {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n").await;
        while stream.write_all(b"x").await.is_ok() {
            sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    let mut config = upstream.config();
    config.timeout = Duration::from_millis(300);
    let error = get(&Api::new("drip", config).unwrap(), "/x").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
}

#[tokio::test]
async fn a_caller_s_own_deadline_ends_a_call_and_says_nothing_of_the_api() {
    let upstream = Upstream::raw(|stream| async move {
        sleep(Duration::from_secs(60)).await;
        drop(stream);
    })
    .await;
    let mut config = upstream.config();
    config.breaker.consecutive_failures = Some(1);
    let api = Api::new("slow", config).unwrap();
    let mut context = Context::default();
    context.tighten_deadline(Instant::now() + Duration::from_millis(100));
    let error = api.execute(ApiRequest::get("/x"), &context).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert_eq!(api.breaker().state().name(), "closed");
}

#[tokio::test]
async fn a_body_that_breaks_off_is_an_error_and_no_answer() {
    for head in ["content-length: 100", "transfer-encoding: chunked"] {
        let upstream = Upstream::raw(move |mut stream| async move {
            let head = format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n5\r\nhello\r\n");
            let _ = stream.write_all(head.as_bytes()).await;
        })
        .await;
        let error = get(&upstream.api(), "/x").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert_eq!(error.message(), "The API's answer broke off.");
    }
}

#[tokio::test]
async fn a_lost_answer_to_a_change_says_that_it_may_have_happened() {
    let upstream = Upstream::raw(|stream| async move { drop(stream) }).await;
    let request = ApiRequest::new(http::Method::POST, "/x");
    let error = upstream.api().execute(request, &Context::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.message().contains("unknown whether the request was carried out"), "{error}");
    let error = get(&upstream.api(), "/x").await.unwrap_err();
    assert!(!error.message().contains("unknown"), "{error}");
}

#[tokio::test]
async fn an_endless_body_is_cut() {
    let upstream = Upstream::raw(|mut stream| async move {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\n").await;
        let block = vec![b'x'; 64 * 1024];
        while stream.write_all(&block).await.is_ok() {}
    })
    .await;
    let mut config = upstream.config();
    config.max_response_bytes = 100_000;
    let response = get(&Api::new("endless", config).unwrap(), "/x").await.unwrap();
    assert!(response.is_cut);
    assert_eq!(response.body.len(), 100_000);
}

#[tokio::test]
async fn endless_headers_are_refused() {
    let upstream = Upstream::raw(|mut stream| async move {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n").await;
        while stream.write_all(b"x-filler: 0123456789012345678901234567890123456789\r\n").await.is_ok() {}
    })
    .await;
    assert_eq!(get(&upstream.api(), "/x").await.unwrap_err().kind(), ErrorKind::Unavailable);
}

/// Zeros without end, compressed by hand: the size after decompression is what counts.
#[tokio::test]
async fn a_bomb_of_gzip_is_cut_where_its_contents_are_too_long() {
    let bomb: Bytes = gzip_of_zeros(256 * 1024 * 1024).into();
    assert!(bomb.len() < 2 * 1024 * 1024, "{}", bomb.len());
    let upstream = Upstream::start(move |_| {
        answer(200, &[("content-type", "text/plain"), ("content-encoding", "gzip")], bomb.clone())
    })
    .await;
    let mut config = upstream.config();
    config.max_response_bytes = 1024 * 1024;
    let response = get(&Api::new("bomb", config).unwrap(), "/x").await.unwrap();
    assert!(response.is_cut);
    assert_eq!(response.body.len(), 1024 * 1024);
    assert!(response.body.iter().all(|byte| *byte == 0));
    assert!(upstream.last().header("accept-encoding").unwrap().contains("gzip"));
}

/// Deflate by the fixed code (RFC 1951, section 3.2.6): a zero, and then copies of 258 bytes.
fn gzip_of_zeros(length: usize) -> Vec<u8> {
    struct Bits(Vec<u8>, usize);
    impl Bits {
        fn put(&mut self, bits: &str) {
            for bit in bits.bytes() {
                if self.1.is_multiple_of(8) {
                    self.0.push(0);
                }
                let at = self.1 / 8;
                self.0[at] |= (bit - b'0') << (self.1 % 8);
                self.1 += 1;
            }
        }
    }
    let mut out = Bits(vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255], 80);
    out.put("1");
    out.put("10"); // fixed code, the least bit first
    out.put("00110000"); // literal 0
    for _ in 0..length / 258 {
        out.put("11000101"); // length 258: code 285
        out.put("00000"); // distance 1
    }
    out.0
}

#[tokio::test]
async fn what_is_compressed_in_any_of_three_ways_is_read() {
    let text = format!(r#"{{"words":"{}"}}"#, "ab".repeat(50));
    // A frame of one block that is stored as it is (RFC 8878, section 3.1.1).
    let mut zstd = vec![0x28, 0xb5, 0x2f, 0xfd, 0x20, 112, (112 << 3 | 1) as u8, (112 << 3 >> 8) as u8, 0];
    zstd.extend(text.bytes());
    let gzip: &[u8] = &[
        31, 139, 8, 0, 0, 0, 0, 0, 0, 3, 171, 86, 42, 207, 47, 74, 41, 86, 178, 82, 74, 76, 162, 61, 84, 170,
        5, 0, 178, 18, 43, 244, 112, 0, 0, 0,
    ];
    let brotli: &[u8] = &[
        27, 111, 0, 248, 141, 212, 98, 205, 25, 238, 212, 34, 97, 98, 123, 75, 167, 47, 37, 153, 4, 181, 50,
        160, 135, 238, 28, 13, 1,
    ];
    for (coding, bytes) in [("gzip", gzip), ("br", brotli), ("zstd", zstd.as_slice())] {
        let bytes = Bytes::copy_from_slice(bytes);
        let upstream =
            Upstream::start(move |_| answer(200, &[("content-encoding", coding)], bytes.clone())).await;
        let response = get(&upstream.api(), "/x").await.unwrap();
        assert_eq!(response.body, text, "{coding}");
        assert!(upstream.last().header("accept-encoding").unwrap().contains(coding));
    }
}

#[tokio::test]
async fn what_is_not_compressed_as_it_says_is_malformed() {
    let upstream = Upstream::start(|_| answer(200, &[("content-encoding", "gzip")], "this is no gzip")).await;
    let error = get(&upstream.api(), "/x").await.unwrap_err();
    assert_eq!(error.message(), "The API's answer is malformed.");
}

#[tokio::test]
async fn what_is_no_http_is_malformed() {
    let upstream =
        Upstream::raw(
            |mut stream| async move { stream.write_all(b"SSH-2.0-OpenSSH\r\n\r\n").await.unwrap() },
        )
        .await;
    let error = get(&upstream.api(), "/x").await.unwrap_err();
    assert_eq!(error.message(), "The API's answer is malformed.");
}

#[tokio::test]
async fn a_refused_connection_is_unavailable_and_names_no_host() {
    let upstream = Upstream::start(|_| json("{}")).await;
    let config = upstream.config();
    let address = upstream.address;
    drop(upstream);
    // Until the listener is gone.
    sleep(Duration::from_millis(50)).await;
    let error = get(&Api::new("gone", config).unwrap(), "/x").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(error.message(), "The API could not be connected to.");
    assert!(!format!("{error:?}").contains(&address.port().to_string()));
}

#[tokio::test]
async fn a_connection_that_does_not_open_ends_at_its_own_timeout() {
    // A name that never resolves is the same to the client as a host that never answers.
    struct Never;
    impl towline_http_api::Resolve for Never {
        fn resolve(&self, _: &str) -> towline_http_api::Resolving {
            Box::pin(std::future::pending())
        }
    }
    let mut config = ApiConfig::new("http://api.example.com");
    config.connect_timeout = Duration::from_millis(100);
    config.retry.max_attempts = std::num::NonZeroU32::MIN;
    let api = Api::builder().resolver(Never).build("never", config).unwrap();
    let error = get(&api, "/x").await.unwrap_err();
    assert_eq!(error.message(), "The API took no connection within 100ms.");
}

#[tokio::test]
async fn pauses_that_answers_ask_for_come_back_in_both_forms() {
    let upstream = Upstream::start(|seen| match seen.uri.path() {
        "/v1/seconds" => answer(429, &[("retry-after", "7")], "slow down"),
        "/v1/date" => answer(
            503,
            &[("date", "Thu, 15 Jan 2026 12:00:00 GMT"), ("retry-after", "Thu, 15 Jan 2026 12:01:00 GMT")],
            "down",
        ),
        "/v1/github" => answer(
            403,
            &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "90")],
            "API rate limit exceeded",
        ),
        _ => answer(403, &[], "forbidden"),
    })
    .await;
    let config = upstream.config();
    let api = |name| Api::new(name, config.clone()).unwrap();

    let error = get(&api("a"), "/seconds").await.unwrap_err();
    assert_eq!((error.kind(), error.retry_after()), (ErrorKind::RateLimited, Some(Duration::from_secs(7))));
    let error = get(&api("b"), "/date").await.unwrap_err();
    assert_eq!((error.kind(), error.retry_after()), (ErrorKind::Unavailable, Some(Duration::from_secs(60))));
    let error = get(&api("c"), "/github").await.unwrap_err();
    assert_eq!((error.kind(), error.retry_after()), (ErrorKind::RateLimited, Some(Duration::from_secs(90))));
    assert_eq!(get(&api("d"), "/forbidden").await.unwrap().status, 403);
}

#[tokio::test]
async fn an_api_that_takes_no_more_is_left_alone_as_long_as_it_asks() {
    let upstream = Upstream::start(|_| answer(429, &[("retry-after", "30")], "")).await;
    let api = upstream.api();
    get(&api, "/a").await.unwrap_err();
    let error = get(&api, "/b").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RateLimited);
    assert!(error.retry_after().is_some_and(|pause| pause <= Duration::from_secs(30)));
    assert_eq!(upstream.count(), 1);
}

/// An upstream that is down for the first request and up for those after it.
async fn down_at_first() -> Upstream {
    let calls = AtomicUsize::new(0);
    Upstream::start(move |_| match calls.fetch_add(1, Ordering::Relaxed) {
        0 => answer(503, &[], "down"),
        _ => json("{}"),
    })
    .await
}

#[tokio::test]
async fn what_may_be_repeated_is_and_what_may_not_is_not() {
    let mut keyed = ApiRequest::new(http::Method::POST, "/x");
    keyed.headers.insert("idempotency-key", "a-1".parse().unwrap());
    for (request, requests) in [
        (ApiRequest::get("/x"), 2),
        (ApiRequest::new(http::Method::PUT, "/x"), 2),
        (keyed, 2),
        (ApiRequest::new(http::Method::POST, "/x"), 1),
    ] {
        let upstream = down_at_first().await;
        let mut config = upstream.config();
        config.retry.max_attempts = std::num::NonZeroU32::new(2).unwrap();
        config.retry.delay = Duration::from_millis(5);
        let answer = Api::new("flaky", config).unwrap().execute(request, &Context::default()).await;
        assert_eq!((upstream.count(), answer.is_ok()), (requests, requests == 2));
    }
}

#[tokio::test]
async fn one_sick_api_leaves_the_others_alone() {
    let upstream = Upstream::start(|seen| match seen.uri.path() {
        "/v1/sick" => answer(500, &[], "no"),
        _ => json("{}"),
    })
    .await;
    let mut config = upstream.config();
    config.breaker.consecutive_failures = Some(2);
    let (sick, well) = (Api::new("sick", config.clone()).unwrap(), Api::new("well", config).unwrap());
    for _ in 0..2 {
        assert_eq!(get(&sick, "/sick").await.unwrap().status, 500);
    }
    let error = get(&sick, "/fine").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CircuitOpen);
    assert!(error.retry_after().is_some());
    assert_eq!(get(&well, "/fine").await.unwrap().status, 200);
}

#[tokio::test]
async fn no_window_sees_more_requests_than_it_may() {
    let upstream = Upstream::start(|_| json("{}")).await;
    let mut config = upstream.config();
    config.cache.enabled = false;
    config.rate_limit =
        Some(RateLimitConfig::new(std::num::NonZeroU32::new(3).unwrap(), Duration::from_millis(300)));
    let api = Api::new("limited", config).unwrap();
    for _ in 0..3 {
        get(&api, "/x").await.unwrap();
    }
    let error = get(&api, "/x").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RateLimited);
    assert_eq!(upstream.count(), 3);
    sleep(error.retry_after().unwrap()).await;
    get(&api, "/x").await.unwrap();
}

#[tokio::test]
async fn dropping_a_call_closes_its_connection() {
    let (sender, mut closed) = tokio::sync::mpsc::channel(1);
    let upstream = Upstream::raw(move |mut stream| {
        let sender = sender.clone();
        async move {
            let read = stream.read(&mut [0]).await;
            let _ = sender.send(matches!(read, Ok(0) | Err(_))).await;
        }
    })
    .await;
    let api = upstream.api();
    let call = tokio::spawn(async move { get(&api, "/x").await });
    sleep(Duration::from_millis(100)).await;
    call.abort();
    let closed = tokio::time::timeout(Duration::from_secs(5), closed.recv()).await.unwrap();
    assert_eq!(closed, Some(true));
}
