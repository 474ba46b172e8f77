//! Framing, time and bounds, over real sockets.

mod common;

use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use common::wire::{ACCEPT, JSON, MODERN, Running, frame, post, post_call};
use common::{Probe, call, server};
use towline_transport::http::{HttpServer, HttpService};

const SHORT: Duration = Duration::from_millis(300);

async fn running() -> Running {
    Running::start(HttpServer::new(server(&Probe::default()))).await
}

#[tokio::test]
async fn ambiguous_framing_is_refused() {
    let server = running().await;
    let head = "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
    for rest in [
        "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}x",
        "Content-Length: 2, 3\r\n\r\n{}",
        "Content-Length: +2\r\n\r\n{}",
        "Content-Length: -2\r\n\r\n{}",
        "Content-Length: 2x\r\n\r\n{}",
        "Transfer-Encoding: gzip\r\n\r\n",
        "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        "X-Folded: a\r\n b\r\nContent-Length: 2\r\n\r\n{}",
        "X Space: a\r\n\r\n",
        "Name : a\r\n\r\n",
        "X-Null: a\0b\r\n\r\n",
    ] {
        let mut connection = server.connect().await;
        connection.write(format!("{head}{rest}")).await;
        let answer = connection.rest().await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{rest:?} gave {answer:?}");
    }
}

#[tokio::test]
async fn a_length_beside_chunks_smuggles_nothing() {
    let server = running().await;
    let smuggled = post_call("echo", r#"{"text":"smuggled"}"#, "");
    let mut connection = server.connect().await;
    let head = "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
    connection
        .write(format!("{head}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{smuggled}"))
        .await;
    let answers = connection.rest().await;
    assert!(!answers.contains("smuggled"), "{answers}");
    assert!(answers.starts_with("HTTP/1.1 400 "), "{answers}");
}

#[tokio::test]
async fn a_connection_carries_many_requests() {
    let server = running().await;
    let mut connection = server.connect().await;
    for n in 0..50 {
        let text = format!("message {n}");
        connection.write(post_call("echo", &format!(r#"{{"text":"{text}"}}"#), "")).await;
        assert!(connection.response().await.body.contains(&text));
    }
    // Refusals leave it usable, too.
    connection.write(post(&["Content-Type: text/plain"], "x")).await;
    assert_eq!(connection.response().await.status, 415);
    connection.write(post_call("echo", r#"{"text":"after"}"#, "")).await;
    assert!(connection.response().await.body.contains("after"));
}

fn chunked(pieces: &[&str]) -> String {
    let (head, body) = post_call("echo", r#"{"text":"PIECES"}"#, "")
        .split_once("\r\n\r\n")
        .map(|(head, body)| (head.to_owned(), body.to_owned()))
        .unwrap();
    let head =
        head.lines().filter(|line| !line.starts_with("Content-Length")).collect::<Vec<_>>().join("\r\n");
    let (before, after) = body.split_once("PIECES").unwrap();
    let mut request = format!("{head}\r\nTransfer-Encoding: chunked\r\n\r\n");
    for piece in std::iter::once(&before).chain(pieces).chain([&after]) {
        request.push_str(&format!("{:x}\r\n{piece}\r\n", piece.len()));
    }
    request + "0\r\n\r\n"
}

#[tokio::test]
async fn a_body_may_come_in_pieces() {
    let server = running().await;
    let response = server.send(chunked(&["one ", "two ", "three"])).await;
    assert!(response.body.contains("one two three"), "{response:?}");
    // Byte by byte over the wire.
    let mut connection = server.connect().await;
    for byte in post_call("echo", r#"{"text":"slowly"}"#, "").as_bytes() {
        connection.write([*byte]).await;
        tokio::task::yield_now().await;
    }
    assert!(connection.response().await.body.contains("slowly"));
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused() {
    let service = HttpService::new(server(&Probe::default())).max_body(1000);
    let server = Running::service(service).await;
    let headers = [JSON, ACCEPT, MODERN];
    assert_eq!(server.send(post(&headers, &"x".repeat(1000))).await.status, 400);
    assert_eq!(server.send(post(&headers, &"x".repeat(1001))).await.status, 413);
    // The declared length is enough: not one byte of it needs to come. A client that asks first is told at once.
    let length = "Content-Length: 1000000000000";
    let declared = post(&headers, "").replace("Content-Length: 0", length);
    for declared in [declared.replace(length, &format!("Expect: 100-continue\r\n{length}")), declared] {
        let response = server.send(declared).await;
        assert_eq!((response.status, response.code()), (413, 413));
    }
    let big = "x".repeat(400);
    let response = server.send(chunked(&[&big, &big, &big])).await;
    assert_eq!((response.status, response.code()), (413, 413));
}

#[tokio::test]
async fn a_call_that_is_too_large_is_refused_by_its_name() {
    let service = HttpService::new(server(&Probe::default())).max_body(1000);
    let server = Running::service(service).await;
    let whole = post_call("echo", &format!(r#"{{"text":"{}"}}"#, "x".repeat(1000)), "");
    let body = whole.split_once("\r\n\r\n").unwrap().1;
    let pieces: Vec<&str> = [&body[..100], &body[100..700], &body[700..]].into();
    for request in [whole.clone(), chunked(&pieces)] {
        let response = server.send(request).await;
        assert_eq!((response.status, response.code()), (413, 413));
        assert!(response.body.contains(r#""id":1,"#), "{response:?}");
        // What is left of the body is not read, so nothing more may be sent on the connection.
        assert_eq!(response.header("connection"), Some("close"));
    }
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let server = running().await;
    let many: String = (0..101).map(|n| format!("X-{n}: 1\r\n")).collect();
    let large = format!("X-Large: {}\r\n", "x".repeat(17 * 1024));
    for headers in [many, large] {
        let mut connection = server.connect().await;
        connection.write(format!("POST /mcp HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n")).await;
        let answer = connection.rest().await;
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer:?}");
    }
}

#[tokio::test]
async fn a_slow_head_is_cut_off() {
    let server = Running::start(HttpServer::new(server(&Probe::default())).header_timeout(SHORT)).await;
    for begin in ["", "POST /mcp HT", "PRI * HTTP/2.0\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"] {
        let start = Instant::now();
        let mut connection = server.connect().await;
        connection.write(begin).await;
        let trickle = async {
            loop {
                tokio::time::sleep(Duration::from_millis(20)).await;
                if !begin.is_empty() && !begin.starts_with("PRI") {
                    use tokio::io::AsyncWriteExt;
                    let _ = connection.stream.write_all(b"x").await;
                }
                let mut bytes = [0; 1024];
                match connection.stream.try_read(&mut bytes) {
                    Ok(0) => return,
                    Err(error) if error.kind() != std::io::ErrorKind::WouldBlock => return,
                    _ => {}
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(3), trickle).await.expect(begin);
        assert!(start.elapsed() >= SHORT / 2, "{begin:?} {:?}", start.elapsed());
        assert!(start.elapsed() <= SHORT * 2, "{begin:?} {:?}", start.elapsed());
    }
    // A second request's head is watched like the first's.
    let mut connection = server.connect().await;
    connection.write(post_call("echo", r#"{"text":"hi"}"#, "")).await;
    connection.response().await;
    tokio::time::sleep(SHORT * 2).await;
    connection.write(post_call("echo", r#"{"text":"hi"}"#, "")).await;
    assert_eq!(connection.response().await.status, 200, "waiting between requests is not slowness");
    connection.write("POST /mcp").await;
    let start = Instant::now();
    connection.rest().await;
    assert!(start.elapsed() <= SHORT * 2, "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_slow_body_is_cut_off() {
    let service = HttpService::new(server(&Probe::default())).body_timeout(SHORT);
    let server = Running::service(service).await;
    let start = Instant::now();
    let mut connection = server.connect().await;
    let request = post_call("echo", r#"{"text":"hi"}"#, "");
    connection.write(&request[..request.len() - 5]).await;
    let response = connection.response().await;
    assert_eq!((response.status, response.code()), (408, -32600));
    assert!(start.elapsed() >= SHORT / 2 && start.elapsed() <= SHORT * 2, "{:?}", start.elapsed());
}

#[tokio::test]
async fn an_idle_connection_is_closed_and_a_busy_one_is_not() {
    let probe = Probe::default();
    let options = HttpServer::new(server(&probe)).idle_timeout(SHORT).header_timeout(SHORT);
    let server = Running::start(options).await;
    let (mut idle, mut busy) = (server.connect().await, server.connect().await);
    idle.write(post_call("echo", r#"{"text":"hi"}"#, "")).await;
    idle.response().await;
    busy.write(post_call("sleep", r#"{"ms":1500}"#, "")).await;
    let start = Instant::now();
    assert_eq!(idle.rest().await, "");
    assert!(start.elapsed() >= SHORT / 2 && start.elapsed() <= SHORT * 2, "{:?}", start.elapsed());
    assert!(busy.response().await.body.contains("slept 1500"));
}

#[tokio::test]
async fn connections_over_the_cap_are_refused_and_the_others_served() {
    let options = HttpServer::new(server(&Probe::default())).max_connections(NonZeroUsize::new(2).unwrap());
    let server = Running::start(options).await;
    let (mut first, second) = (server.connect().await, server.connect().await);
    let hi = post_call("echo", r#"{"text":"hi"}"#, "");
    first.write(&hi).await;
    assert_eq!(first.response().await.status, 200);
    let refused = server.connect().await.rest().await;
    assert!(refused.starts_with("HTTP/1.1 503 "), "{refused:?}");
    first.write(&hi).await;
    assert_eq!(first.response().await.status, 200);
    drop(second);
    let begin = Instant::now();
    loop {
        let mut third = server.connect().await;
        third.write(&hi).await;
        if third.rest_or_response().await == 200 {
            break;
        }
        assert!(begin.elapsed() < Duration::from_secs(2), "a place is free again");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn requests_over_the_bound_are_shed() {
    let probe = Probe::default();
    let service = HttpService::new(server(&probe)).max_in_flight(NonZeroUsize::new(2).unwrap());
    let server = Running::service(service).await;
    let (mut first, mut second) = (server.connect().await, server.connect().await);
    first.write(post_call("wait", "{}", "")).await;
    second.write(post_call("report_and_wait", "{}", r#""progressToken":1"#)).await;
    second.until("half").await;
    probe.until_started(2).await;
    let response = server.send(post_call("echo", r#"{"text":"hi"}"#, "")).await;
    assert_eq!((response.status, response.code(), response.header("retry-after")), (503, 503, Some("1")));
    // The end of a stream frees its place, and so does a client that goes away.
    drop(second);
    probe.until_dropped(1).await;
    assert_eq!(server.send(post_call("echo", r#"{"text":"hi"}"#, "")).await.status, 200);
    drop(first);
    probe.until_dropped(2).await;
    assert_eq!(server.send(call_count()).await.status, 200);
}

#[tokio::test]
async fn a_body_that_is_slow_to_come_keeps_no_other_request_out() {
    let service = HttpService::new(server(&Probe::default())).max_in_flight(NonZeroUsize::MIN);
    let server = Running::service(service).await;
    let request = post_call("echo", r#"{"text":"hi"}"#, "");
    let mut slow = server.connect().await;
    slow.write(&request[..request.len() - 5]).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(server.send(&request).await.status, 200);
    slow.write(&request[request.len() - 5..]).await;
    assert_eq!(slow.response().await.status, 200);
}

fn call_count() -> String {
    let body = call(1, "count", r#"{"count":2}"#, "");
    post(&[JSON, ACCEPT, MODERN, "Mcp-Method: tools/call", "Mcp-Name: count"], &body)
}

#[tokio::test]
async fn a_client_that_never_reads_is_dropped() {
    let probe = Probe::default();
    let server = Running::start(HttpServer::new(server(&probe)).write_timeout(SHORT)).await;
    let mut connection = server.connect().await;
    connection.write(post_call("flood", "{}", r#""progressToken":1"#)).await;
    probe.until_started(1).await;
    probe.until_dropped(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn malformed_bodies_leave_the_server_well() {
    let server = running().await;
    let deep = "[".repeat(100_000);
    let wide = format!("[{}0]", "{\"\":0},".repeat(100_000));
    let batch = format!("[{}]", vec![call(1, "echo", r#"{"text":"x"}"#, ""); 1000].join(","));
    for (body, code) in [
        (&*deep, -32600),
        (&wide, -32600),
        (&batch, -32600),
        ("\u{feff}{}", -32700),
        ("{\"a\":\"\\ud800\"}", -32700),
        ("nul", -32700),
        (r#"{"jsonrpc":"2.0","id":1,"Method":"ping"}"#, -32600),
        (r#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#, -32600),
        (r#"{"jsonrpc":"2.0","id":1,"method":"x","params":{"a":1,"a":2}}"#, -32600),
    ] {
        let response = server.send(post(&[JSON, MODERN], body)).await;
        assert_eq!((response.status, response.code()), (400, code), "{:.40} {}", body, response.body);
    }
    let response = server.send(post_call("echo", r#"{"text":"well"}"#, "")).await;
    assert!(response.body.contains("well"));
}

#[tokio::test]
async fn a_client_that_goes_away_is_noticed_behind_bytes_that_wait() {
    let probe = Probe::default();
    let server = Running::start(HttpServer::new(server(&probe))).await;
    let wait = post_call("wait", "{}", "");
    for (n, behind) in ["\r\n", "POST /mcp HT", &wait, &"x".repeat(20_000)].into_iter().enumerate() {
        let mut connection = server.connect().await;
        connection.write(&wait).await;
        probe.until_started(n + 1).await;
        connection.write(behind).await;
        assert_eq!(probe.dropped(), n, "{behind:.20}");
        drop(connection);
        probe.until_dropped(n + 1).await;
    }
    assert_eq!(probe.started(), 4, "a request behind one that was given up is not begun");
}

#[tokio::test]
async fn pings_keep_no_connection_open() {
    let options = HttpServer::new(server(&Probe::default())).header_timeout(SHORT).idle_timeout(SHORT * 3);
    let server = Running::start(options).await;
    let preface = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &*frame(4, 0, 0, &[])].concat();
    // Indexed: `:method: POST`, `:scheme: http`; literal: `:path: /mcp`, `:authority: localhost` (RFC 7541, appendix A).
    let request = frame(1, 5, 1, b"\x83\x86\x04\x04/mcp\x01\x09localhost");
    for (request, limit) in [(None, SHORT), (Some(request), SHORT * 3)] {
        let start = Instant::now();
        let mut connection = server.connect().await;
        connection.write(&preface).await;
        if let Some(request) = &request {
            connection.write(request).await;
        }
        let mut answer = Vec::new();
        let pings = async {
            use tokio::io::AsyncWriteExt;
            while connection.stream.write_all(&frame(6, 0, 0, b"12345678")).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(20)).await;
                match connection.stream.try_read_buf(&mut answer) {
                    Ok(0) => return,
                    Err(error) if error.kind() != std::io::ErrorKind::WouldBlock => return,
                    _ => {}
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(4), pings).await.expect("it is closed");
        assert!(start.elapsed() >= limit / 2 && start.elapsed() <= limit * 2, "{:?}", start.elapsed());
        let mut answered = false;
        while let [_, high, low, kind, _, _, _, _, stream, rest @ ..] = &*answer {
            answered |= (*kind, *stream) == (1, 1);
            let len = usize::from(u16::from_be_bytes([*high, *low])).min(rest.len());
            answer.drain(..9 + len);
        }
        assert_eq!(answered, request.is_some());
    }
}
