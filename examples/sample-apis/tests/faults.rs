//! What each fault does, seen over real sockets.

mod client;

use std::io::Read as _;
use std::time::{Duration, SystemTime};

use client::{Connection, LONG, Reply, begin, call, get, try_get};
use http_body_util::BodyExt as _;
use sample_apis::{
    CutAt, Fault, Options, Origin, Part, RedirectTo, RetryAfter, Rule, SLACK_WEBHOOK, Upstream,
};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

const CITY: &str = "/weather/forecast?city=Berlin";

async fn start() -> (Upstream, String) {
    let upstream = Upstream::start(Options::default()).await.unwrap();
    let url = upstream.url();
    (upstream, url)
}

async fn with(fault: Fault) -> (Upstream, String) {
    let (upstream, url) = start().await;
    upstream.fault(Rule::new("/weather", fault));
    (upstream, url)
}

/// The right answer, from the origin that meets no faults.
async fn right(upstream: &Upstream) -> Reply {
    get(&upstream.other_url(), CITY).await
}

const STEP: Duration = Duration::from_millis(50);

#[tokio::test]
async fn a_slow_answer_comes_late_and_right() {
    let (upstream, url) = with(Fault::slow(4 * STEP)).await;
    let start = Instant::now();
    let response = begin(&url, CITY).await.unwrap();
    assert!(start.elapsed() >= 4 * STEP, "{:?}", start.elapsed());
    assert_eq!(Reply::read(response).await.unwrap().body, right(&upstream).await.body);
}

#[tokio::test]
async fn a_slow_body_begins_at_once_and_trickles_in() {
    let (upstream, url) = with(Fault::SlowBody { delay: 6 * STEP, pieces: 3 }).await;
    let start = Instant::now();
    let response = begin(&url, CITY).await.unwrap();
    assert!(start.elapsed() < 6 * STEP, "{:?}", start.elapsed());
    let right = right(&upstream).await;
    assert_eq!(response.headers()["content-length"], right.body.len().to_string());
    let mut body = response.into_body();
    let mut pieces = Vec::new();
    while let Some(frame) = body.frame().await {
        pieces.push(frame.unwrap().into_data().unwrap());
    }
    assert!(start.elapsed() >= 18 * STEP, "{:?}", start.elapsed());
    assert_eq!((pieces.len(), pieces.concat()), (3, right.body.to_vec()));
}

#[tokio::test]
async fn a_flaky_path_fails_every_nth_time_and_others_never() {
    let (upstream, url) = start().await;
    upstream.fault(Rule::new("/weather", Fault::status(500)).every(3).times(2));
    let mut statuses = Vec::new();
    for _ in 0..10 {
        statuses.push(get(&url, CITY).await.status.as_u16());
        assert_eq!(get(&url, "/echo").await.status, 200);
    }
    assert_eq!(statuses, [200, 200, 500, 200, 200, 500, 200, 200, 200, 200]);
}

#[tokio::test]
async fn a_status_comes_with_when_to_come_back_in_both_forms() {
    let (upstream, url) = start().await;
    for (status, retry_after) in
        [(429, RetryAfter::Seconds(7)), (503, RetryAfter::DateIn(7)), (503, RetryAfter::Seconds(0))]
    {
        upstream.fault(Rule::new("/weather", Fault::busy(status, retry_after)).times(1));
        let reply = get(&url, CITY).await;
        assert_eq!(reply.status, status);
        let told = reply.header("retry-after").unwrap();
        match retry_after {
            RetryAfter::Seconds(seconds) => assert_eq!(told, seconds.to_string()),
            RetryAfter::DateIn(seconds) => {
                let date = httpdate::parse_http_date(told).unwrap();
                let left = date.duration_since(SystemTime::now()).unwrap().as_secs_f64();
                assert!(left > f64::from(seconds) - 2.0 && left <= f64::from(seconds), "{left}");
            }
        }
    }
    assert_eq!(get(&url, CITY).await.status, 200);
}

#[tokio::test]
async fn a_status_has_the_headers_and_the_body_that_it_is_given() {
    let (upstream, url) = start().await;
    let rule = json!({
        "prefix": "/github", "fault": "status", "status": 403, "body": "slow down",
        "headers": { "X-RateLimit-Remaining": "0", "Content-Type": "text/plain" },
    });
    let added = call(&url, "POST", "/faults", &[], &rule.to_string()).await;
    assert_eq!(added.status, 201);
    let reply = get(&url, "/github/repos/octocat/hello-world").await;
    assert_eq!((reply.status.as_u16(), reply.text()), (403, "slow down"));
    assert_eq!(reply.header("x-ratelimit-remaining"), Some("0"));
    assert_eq!(reply.header("content-type"), Some("text/plain"));
    assert_eq!(upstream.count("/faults"), 0);
}

#[tokio::test]
async fn the_right_answer_comes_with_other_headers() {
    let (upstream, url) = with(Fault::header("cache-control", "no-store")).await;
    let reply = get(&url, CITY).await;
    let all: Vec<_> = reply.headers.get_all("cache-control").iter().collect();
    assert_eq!(all, ["no-store"]);
    assert_eq!(reply.body, right(&upstream).await.body);
}

#[tokio::test]
async fn a_wrong_type_comes_with_the_right_body_or_with_another() {
    let (upstream, url) = start().await;
    let rule = |body| Fault::ContentType { content_type: "text/html".into(), body };
    upstream.fault(Rule::new("/weather", rule(None)).times(1));
    upstream.fault(Rule::new("/weather", rule(Some("<h1>Sign in</h1>".into()))).times(1));
    let reply = get(&url, CITY).await;
    assert_eq!(
        (reply.header("content-type"), &reply.body),
        (Some("text/html"), &right(&upstream).await.body)
    );
    let reply = get(&url, CITY).await;
    assert_eq!((reply.header("content-type"), reply.text()), (Some("text/html"), "<h1>Sign in</h1>"));
}

#[tokio::test]
async fn a_cut_before_the_answer_gives_none_though_the_work_is_done() {
    let (upstream, url) = start().await;
    upstream.fault(Rule::new("/slack", Fault::cut(CutAt::Start)).times(1));
    let mut raw = raw(&url, "POST", SLACK_WEBHOOK, r#"{"text":"hi"}"#).await;
    assert_eq!(read(&mut raw).await, b"");
    assert_eq!(upstream.sent().len(), 1);
}

#[tokio::test]
async fn the_work_is_not_done_when_the_fault_comes_first() {
    let (upstream, url) = start().await;
    for fault in [
        Fault::status(500),
        Fault::redirect(RedirectTo::SameOrigin),
        Fault::gzip_bomb(2),
        Fault::endless(),
        Fault::Hang,
    ] {
        upstream.fault(Rule::new("/slack", fault).times(1));
        let mut raw = raw(&url, "POST", SLACK_WEBHOOK, r#"{"text":"hi"}"#).await;
        // One that hangs sends nothing.
        let _ = timeout(STEP, raw.read(&mut [0; 16])).await;
    }
    assert_eq!((upstream.count("/slack"), upstream.sent().len()), (5, 0));
}

#[tokio::test]
async fn a_cut_in_the_headers_leaves_them_unfinished() {
    let (_upstream, url) = with(Fault::cut(CutAt::Headers)).await;
    let mut raw = raw(&url, "GET", CITY, "").await;
    let bytes = read(&mut raw).await;
    assert!(bytes.starts_with(b"HTTP/1.1 200 OK\r\n") && !bytes.ends_with(b"\r\n"));
    try_get(&url, CITY).await.unwrap_err();
}

#[tokio::test]
async fn a_cut_in_the_body_gives_half_of_it_and_then_an_error() {
    let (upstream, url) = start().await;
    let right = right(&upstream).await.body;
    for at in [CutAt::Body, CutAt::Chunks] {
        upstream.fault(Rule::new("/weather", Fault::cut(at)).times(1));
        let response = begin(&url, CITY).await.unwrap();
        assert_eq!(response.headers().contains_key("content-length"), at == CutAt::Body);
        let mut body = response.into_body();
        let mut got = Vec::new();
        let error = loop {
            match body.frame().await {
                Some(Ok(frame)) => got.extend(frame.into_data().unwrap()),
                end => break end,
            }
        };
        assert!(error.unwrap().is_err(), "{at:?}");
        assert_eq!(got, right[..right.len() / 2], "{at:?}");
    }
}

#[tokio::test]
async fn an_endless_body_goes_on_until_the_caller_goes() {
    let (_upstream, url) = with(Fault::endless()).await;
    let mut body = begin(&url, CITY).await.unwrap().into_body();
    let mut size = 0;
    while size < 64 << 20 {
        size += timeout(LONG, body.frame()).await.unwrap().unwrap().unwrap().data_ref().unwrap().len();
    }
    drop(body);

    let (_upstream, url) = with(Fault::Endless { delay: STEP, piece: 1 }).await;
    let mut body = begin(&url, CITY).await.unwrap().into_body();
    let start = Instant::now();
    let mut got = Vec::new();
    while got.len() < 4 {
        got.extend_from_slice(body.frame().await.unwrap().unwrap().data_ref().unwrap());
    }
    assert_eq!(got, b"[   ");
    assert!(start.elapsed() >= 2 * STEP, "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_redirect_leads_where_it_is_told_and_what_is_there_answers() {
    let (upstream, url) = start().await;
    let to = async |to: RedirectTo, status| {
        upstream.fault(Rule::new("/weather", Fault::Redirect { to, status }).times(1));
        let reply = get(&url, CITY).await;
        assert_eq!(reply.status, status);
        reply.header("location").unwrap().to_owned()
    };
    let same = to(RedirectTo::SameOrigin, 302).await;
    assert_eq!(same, format!("/moved{CITY}"));
    assert_eq!(get(&url, &same).await.body, right(&upstream).await.body);
    // The next hop.
    upstream.fault(Rule::new("/moved", Fault::redirect(RedirectTo::SameOrigin)).times(1));
    assert_eq!(get(&url, &same).await.header("location"), Some(format!("/moved/moved{CITY}").as_str()));
    assert_eq!(get(&url, &format!("/moved/moved{CITY}")).await.status, 200);

    let other = to(RedirectTo::OtherOrigin, 307).await;
    let path = other.strip_prefix(&upstream.other_url()).unwrap();
    upstream.clear_requests();
    assert_eq!(get(&upstream.other_url(), path).await.status, 200);
    assert_eq!(upstream.requests()[0].origin, Origin::Other);

    assert_eq!(to(RedirectTo::Loop, 301).await, CITY);
    let metadata = "http://169.254.169.254/latest";
    assert_eq!(to(RedirectTo::Location(metadata.into()), 308).await, metadata);
}

#[tokio::test]
async fn a_gzip_bomb_is_small_and_becomes_exactly_what_is_asked_of_valid_json() {
    for bytes in [2_u64, 1000, 1_048_578, 200_000_000] {
        let (_upstream, url) = with(Fault::gzip_bomb(bytes)).await;
        let reply = get(&url, CITY).await;
        assert_eq!((reply.status.as_u16(), reply.header("content-encoding")), (200, Some("gzip")));
        assert!(reply.body.len() < 1000 + usize::try_from(bytes).unwrap() / 500, "{}", reply.body.len());
        // The checksum and the size at its end are checked as well.
        let mut decoder = flate2::read::GzDecoder::new(&reply.body[..]);
        let mut buffer = vec![0; 1 << 20];
        let mut start = Vec::new();
        let mut size = 0;
        loop {
            let count = decoder.read(&mut buffer).unwrap();
            if count == 0 {
                break;
            }
            if size == 0 {
                start.extend_from_slice(&buffer[..2]);
            }
            assert!(buffer[if size == 0 { 2 } else { 0 }..count].iter().all(|byte| *byte == b' '));
            size += count as u64;
        }
        assert_eq!((start.as_slice(), size), (b"{}".as_slice(), bytes));
    }
}

#[tokio::test]
async fn what_is_malformed_is_refused_by_a_client() {
    let (upstream, url) = start().await;
    for part in [Part::StatusLine, Part::Header, Part::Chunk, Part::Length, Part::Protocol] {
        upstream.fault(Rule::new("/weather", Fault::malformed(part)).times(1));
        assert!(try_get(&url, CITY).await.is_err(), "{part:?}");
        assert_eq!(get(&url, CITY).await.status, 200);
    }
}

#[tokio::test]
async fn raw_bytes_come_as_they_are() {
    let (_upstream, url) = with(Fault::Raw { text: "HTTP/1.1 204 No\r\nx-a:\tb\r\n\r\n".into() }).await;
    let mut raw = raw(&url, "GET", CITY, "").await;
    assert_eq!(read(&mut raw).await, b"HTTP/1.1 204 No\r\nx-a:\tb\r\n\r\n");
}

#[tokio::test]
async fn huge_headers_are_as_large_as_is_asked() {
    let (_upstream, url) = with(Fault::HugeHeaders { bytes: 1 << 20 }).await;
    let mut raw = raw(&url, "GET", CITY, "").await;
    let bytes = read(&mut raw).await;
    let head = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    assert!((1 << 20..(1 << 20) + 1024).contains(&head), "{head}");
    try_get(&url, CITY).await.unwrap_err();
}

#[tokio::test]
async fn who_hangs_answers_nothing_and_keeps_the_connection() {
    let (upstream, url) = with(Fault::Hang).await;
    let mut raw = raw(&url, "GET", CITY, "").await;
    let mut byte = [0];
    assert!(timeout(4 * STEP, raw.read(&mut byte)).await.is_err());
    assert_eq!(upstream.count("/weather"), 1);
    drop(upstream);
    assert_eq!(timeout(LONG, raw.read(&mut byte)).await.unwrap().unwrap_or(0), 0);
}

#[tokio::test]
async fn connections_are_refused_until_they_are_accepted_again_at_the_same_address() {
    let (upstream, url) = start().await;
    let mut idle = Connection::open(&url).await.unwrap();
    idle.get(CITY).await.unwrap();
    for _ in 0..3 {
        upstream.refuse().await;
        assert!(is_refused(&upstream).await);
        assert!(idle.get(CITY).await.is_err(), "an idle connection outlived its listener");
        assert_eq!(right(&upstream).await.status, 200, "the other origin does not fail");
        upstream.accept().await;
        assert_eq!(get(&url, CITY).await.status, 200);
    }
}

#[tokio::test]
async fn connections_are_refused_for_a_while_on_request() {
    let (upstream, url) = start().await;
    let refuse = r#"{"fault":"refuse","for_ms":400}"#;
    assert_eq!(call(&url, "POST", "/faults", &[], refuse).await.status, 201);
    let start = Instant::now();
    timeout(LONG, async {
        while !is_refused(&upstream).await {
            sleep(STEP / 10).await;
        }
        while is_refused(&upstream).await {
            sleep(STEP / 10).await;
        }
    })
    .await
    .unwrap();
    assert!(start.elapsed() > 6 * STEP, "{:?}", start.elapsed());
    assert_eq!(get(&url, CITY).await.status, 200);
    for wrong in [r#"{"fault":"refuse"}"#, r#"{"fault":"refuse","for_ms":1,"prefix":"/"}"#] {
        assert_eq!(call(&url, "POST", "/faults", &[], wrong).await.status, 400);
    }
}

#[tokio::test]
async fn an_answer_under_way_ends_before_its_connection_is_refused() {
    let (upstream, url) = with(Fault::slow(4 * STEP)).await;
    let slow = tokio::spawn(async move { get(&url, CITY).await });
    while upstream.count("/weather") == 0 {
        sleep(STEP / 10).await;
    }
    upstream.refuse().await;
    assert_eq!(slow.await.unwrap().status, 200);
}

#[tokio::test]
async fn nothing_is_left_when_the_handle_is_dropped() {
    let (upstream, url) = with(Fault::endless()).await;
    let (address, other) = (upstream.address(), upstream.other_url());
    let mut idle = Connection::open(&url).await.unwrap();
    idle.get("/echo").await.unwrap();
    let mut body = begin(&url, CITY).await.unwrap().into_body();
    drop(upstream);
    timeout(LONG, async {
        while let Some(Ok(_)) = body.frame().await {}
        while TcpStream::connect(address).await.is_ok() {
            sleep(STEP / 10).await;
        }
        while try_get(&other, CITY).await.is_ok() {
            sleep(STEP / 10).await;
        }
    })
    .await
    .unwrap();
    idle.get("/echo").await.unwrap_err();
}

#[tokio::test]
async fn faults_are_added_listed_and_cleared_over_http() {
    let (upstream, url) = start().await;
    let slow = r#"{"prefix":"/weather","fault":"slow","delay_ms":1,"times":3}"#;
    let listed = json!({ "prefix": "/weather", "fault": "slow", "delay_ms": 1, "times": 3, "every": 1 });
    assert_eq!(call(&url, "POST", "/faults", &[], slow).await.json()["faults"], json!([listed]));
    get(&url, CITY).await;
    assert_eq!(get(&url, "/faults").await.json()["faults"][0]["times"], 2);
    let wrong = call(&url, "POST", "/faults", &[], r#"{"prefix":"/","fault":"slow"}"#).await;
    assert_eq!(
        (wrong.status.as_u16(), wrong.json()["message"].clone()),
        (400, json!("missing field `delay_ms`"))
    );

    upstream.fault(Rule::new("/", Fault::status(500)));
    assert_eq!(get(&url, "/echo").await.status, 500);
    assert_eq!(call(&url, "DELETE", "/faults", &[], "").await.json(), json!({ "faults": [] }));
    assert_eq!(get(&url, "/echo").await.status, 200);

    for _ in 0..100 {
        upstream.fault(Rule::new("/nowhere", Fault::Hang));
    }
    assert_eq!(call(&url, "POST", "/faults", &[], slow).await.status, 400);
}

#[tokio::test]
async fn of_two_rules_the_first_takes_the_request() {
    let (upstream, url) = start().await;
    upstream.fault(Rule::new("/weather", Fault::status(500)).times(1));
    upstream.fault(Rule::new("/", Fault::status(503)).times(1));
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(get(&url, CITY).await.status.as_u16());
    }
    assert_eq!(statuses, [500, 503, 200]);
}

async fn is_refused(upstream: &Upstream) -> bool {
    TcpStream::connect(upstream.address())
        .await
        .is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionRefused)
}

/// A request whose answer is looked at byte by byte.
async fn raw(url: &str, method: &str, path: &str, body: &str) -> TcpStream {
    let mut stream = TcpStream::connect(url.strip_prefix("http://").unwrap()).await.unwrap();
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

async fn read(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    timeout(LONG, stream.read_to_end(&mut bytes)).await.unwrap().unwrap();
    bytes
}
