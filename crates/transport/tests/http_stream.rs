//! Streams of events, cancellation, shutdown and HTTP/2.

mod common;

use std::time::{Duration, Instant};

use bytes::Bytes;
use common::wire::{ACCEPT, JSON, MODERN, Running, post, post_call};
use common::{Probe, call, server};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use towline_transport::http::{HttpServer, HttpService};

const TOKEN: &str = r#""progressToken":"t""#;

async fn running(probe: &Probe) -> Running {
    Running::start(HttpServer::new(server(probe))).await
}

#[tokio::test]
async fn reports_make_a_stream_that_ends_with_the_answer() {
    let server = running(&Probe::default()).await;
    // Three reports are there at once with the answer; forty are more than wait for a client.
    for (tool, count) in [("count", 3), ("count", 40), ("slow_count", 5)] {
        let response = server.send(post_call(tool, &format!(r#"{{"count":{count}}}"#), TOKEN)).await;
        assert_eq!((response.status, response.header("content-type")), (200, Some("text/event-stream")));
        assert_eq!(response.header("x-accel-buffering"), Some("no"));
        assert_eq!(response.header("cache-control"), Some("no-store"));
        assert_eq!(response.header("x-content-type-options"), Some("nosniff"));
        let events: Vec<&str> = response.body.split_terminator("\n\n").collect();
        assert_eq!(events.len(), count + 1, "{tool} {count}");
        for (n, event) in events.iter().enumerate() {
            let data = event.strip_prefix("event: message\ndata: ").expect(event);
            let message: serde_json::Value = serde_json::from_str(data).unwrap();
            if n < count {
                assert_eq!(message["params"]["progress"], (n + 1) as f64, "{tool}");
            } else {
                assert_eq!(message["result"]["content"][0]["text"], "counted", "{tool}");
            }
        }
    }
}

#[tokio::test]
async fn nothing_to_report_makes_no_stream() {
    let server = running(&Probe::default()).await;
    for request in [
        post_call("count", r#"{"count":40}"#, ""),
        post_call("count", r#"{"count":0}"#, TOKEN),
        post_call("echo", r#"{"text":"hi"}"#, TOKEN),
        post_call("count", r#"{"count":0}"#, r#""io.modelcontextprotocol/logLevel":"error""#),
    ] {
        let response = server.send(&request).await;
        assert_eq!(
            (response.header("content-type"), response.code()),
            (Some("application/json"), 0),
            "{request}"
        );
    }
    let request = post_call("count", r#"{"count":3}"#, r#""io.modelcontextprotocol/logLevel":"info""#);
    let response = server.send(&request).await;
    assert_eq!(response.body.matches("notifications/message").count(), 1);
    assert_eq!(response.body.matches("notifications/progress").count(), 0);
}

#[tokio::test]
async fn a_report_is_there_while_the_call_still_runs() {
    let probe = Probe::default();
    let service = HttpService::new(server(&probe)).keep_alive(Duration::from_millis(100));
    let server = Running::service(service).await;
    let mut connection = server.connect().await;
    let start = Instant::now();
    connection.write(post_call("report_and_wait", "{}", TOKEN)).await;
    connection.until("half").await;
    assert!(start.elapsed() < Duration::from_millis(500));
    // A quiet stream shows that it is alive.
    connection.until("\r\n:\n\n\r\n").await;
    connection.until("\r\n:\n\n\r\n").await;
    assert!(start.elapsed() >= Duration::from_millis(190));
    probe.release();
    connection.until("released").await;
    connection.until("\r\n0\r\n\r\n").await;
    // The connection is good for more.
    connection.write(post_call("echo", r#"{"text":"more"}"#, "")).await;
    assert!(connection.response().await.body.contains("more"));
}

#[tokio::test]
async fn a_client_that_goes_away_cancels_its_request() {
    let probe = Probe::default();
    let server = running(&probe).await;
    for (n, (tool, meta)) in
        [("wait", ""), ("wait", TOKEN), ("report_and_wait", TOKEN)].into_iter().enumerate()
    {
        let mut connection = server.connect().await;
        connection.write(post_call(tool, "{}", meta)).await;
        probe.until_started(n + 1).await;
        if tool == "report_and_wait" {
            connection.until("half").await;
        }
        assert_eq!(probe.dropped(), n);
        let start = Instant::now();
        drop(connection);
        probe.until_dropped(n + 1).await;
        assert!(start.elapsed() < Duration::from_secs(1), "{tool} {:?}", start.elapsed());
    }
}

#[tokio::test]
async fn a_shutdown_answers_what_runs_and_accepts_no_more() {
    let probe = Probe::default();
    let mut server = running(&probe).await;
    let (mut idle, mut busy, mut stream) =
        (server.connect().await, server.connect().await, server.connect().await);
    idle.write(post_call("echo", r#"{"text":"hi"}"#, "")).await;
    idle.response().await;
    busy.write(post_call("wait", "{}", "")).await;
    stream.write(post_call("report_and_wait", "{}", TOKEN)).await;
    stream.until("half").await;
    probe.until_started(2).await;
    let start = Instant::now();
    server.stop();
    assert_eq!(idle.rest().await, "", "an idle connection is closed at once");
    assert!(start.elapsed() < Duration::from_millis(500), "{:?}", start.elapsed());
    assert!(tokio::net::TcpStream::connect(server.address).await.is_err());
    probe.release();
    probe.release();
    tokio::time::sleep(Duration::from_millis(20)).await;
    probe.release();
    assert!(busy.rest().await.contains("released"));
    let rest = stream.rest().await;
    assert!(rest.contains("released") && rest.ends_with("0\r\n\r\n"), "{rest}");
    tokio::time::timeout(Duration::from_secs(1), server.stopped()).await.unwrap();
}

#[tokio::test]
async fn a_shutdown_does_not_wait_for_ever() {
    let probe = Probe::default();
    let grace = Duration::from_millis(300);
    let server = Running::start(HttpServer::new(server(&probe)).shutdown_grace(grace)).await;
    let mut connection = server.connect().await;
    connection.write(post_call("wait", "{}", "")).await;
    probe.until_started(1).await;
    let start = Instant::now();
    server.stopped().await;
    assert!(start.elapsed() >= grace && start.elapsed() < grace * 3, "{:?}", start.elapsed());
    probe.until_dropped(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http2_without_negotiation() {
    let probe = Probe::default();
    let server = running(&probe).await;
    let stream = tokio::net::TcpStream::connect(server.address).await.unwrap();
    let (client, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    let connection = tokio::spawn(connection);
    let request = |host: &str, tool: &str, arguments: &str, meta: &str| {
        hyper::Request::post(format!("http://{host}/mcp"))
            .header("content-type", "application/json")
            .header("mcp-protocol-version", "2026-07-28")
            .header("mcp-method", "tools/call")
            .header("mcp-name", tool)
            .body(Full::new(Bytes::from(call(1, tool, arguments, meta))))
            .unwrap()
    };
    let send = |request| {
        let mut client = client.clone();
        async move { client.send_request(request).await.unwrap() }
    };

    let response = send(request("localhost", "echo", r#"{"text":"hi"}"#, "")).await;
    assert_eq!((response.version(), response.status().as_u16()), (hyper::Version::HTTP_2, 200));
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert!(String::from_utf8_lossy(&body).contains("hi"));
    assert_eq!(send(request("evil.test", "echo", r#"{"text":"hi"}"#, "")).await.status(), 403);

    // One connection, many requests at once; the slow one does not hold up the others.
    let slow = tokio::spawn(send(request("localhost", "wait", "{}", "")));
    let mut stream = send(request("localhost", "report_and_wait", "{}", TOKEN)).await;
    let frame = stream.frame().await.unwrap().unwrap().into_data().unwrap();
    assert!(String::from_utf8_lossy(&frame).contains("half"));
    let many = (0..50).map(|_| send(request("localhost", "sleep", r#"{"ms":20}"#, "")));
    let start = Instant::now();
    for response in futures_util::future::join_all(many).await {
        assert_eq!(response.status(), 200);
    }
    assert!(start.elapsed() < Duration::from_millis(500), "{:?}", start.elapsed());

    // Resetting a stream cancels its request.
    probe.until_started(2).await;
    slow.abort();
    drop(stream);
    probe.until_dropped(2).await;
    server.stopped().await;
    connection.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tool_that_blocks_its_thread_stops_no_other() {
    let server = running(&Probe::default()).await;
    for _ in 0..3 {
        let mut blocked = server.connect().await;
        let start = Instant::now();
        blocked.write(post_call("block", r#"{"ms":1000}"#, "")).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
        for _ in 0..3 {
            assert_eq!(server.send(post_call("echo", r#"{"text":"hi"}"#, "")).await.status, 200);
        }
        assert!(start.elapsed() < Duration::from_millis(900), "{:?}", start.elapsed());
        assert!(blocked.response().await.body.contains("blocked"));
    }
}

#[tokio::test]
async fn events_carry_their_data_on_one_line() {
    use towline_core::{RawJson, Router, Server, ToolResult, tool_fn};
    let pretty = tool_fn("pretty", "Passes on JSON with line breaks.", async || {
        ToolResult::text("x").with_structured(RawJson::from_text("{\n  \"a\": 1\r\n}").unwrap())
    });
    let server = Running::service(HttpService::new(Server::new(Router::new("test", "1").tool(pretty)))).await;
    let headers = [JSON, "Accept: text/event-stream", MODERN, "Mcp-Method: tools/call", "Mcp-Name: pretty"];
    let response = server.send(post(&headers, &call(1, "pretty", "{}", ""))).await;
    assert_eq!(response.body.lines().count(), 3, "{}", response.body);
    assert!(!ACCEPT.is_empty() && !response.body.contains('\r'));
}
