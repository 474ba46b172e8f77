//! What is served over HTTP and what is refused: one request each.

mod common;

use common::wire::{ACCEPT, JSON, MODERN, Response, Running, post, post_call};
use common::{META, Principal, Probe, call, server};
use towline_core::{Error, ErrorKind, Extensions, Request};
use towline_transport::http::HttpService;

async fn running() -> Running {
    Running::service(HttpService::new(server(&Probe::default()))).await
}

fn echo(headers: &[&str]) -> String {
    post(headers, &call(1, "echo", r#"{"text":"hi"}"#, ""))
}

const METHOD: &str = "Mcp-Method: tools/call";
const NAME: &str = "Mcp-Name: echo";

#[tokio::test]
async fn a_call_is_one_json_object() {
    let response = running().await.send(post_call("echo", r#"{"text":"hi"}"#, "")).await;
    assert_eq!((response.status, response.code()), (200, 0), "{response:?}");
    assert_eq!(response.header("content-type"), Some("application/json"));
    assert_eq!(response.header("content-length"), Some(&*response.body.len().to_string()));
    assert_eq!(response.header("x-content-type-options"), Some("nosniff"));
    assert_eq!((response.header("server"), response.header("mcp-session-id")), (None, None));
    assert!(!response.body.contains('\n'));
}

#[tokio::test]
async fn versions_and_mirrored_headers() {
    let server = running().await;
    for (headers, expected) in [
        (&[JSON, MODERN, METHOD, NAME][..], (200, 0)),
        (&[JSON, "mcp-protocol-version:2026-07-28", "MCP-METHOD:  tools/call ", NAME], (200, 0)),
        (&[JSON, MODERN, METHOD, "Mcp-Name: =?base64?ZWNobw==?="], (200, 0)),
        (&[JSON, MODERN, METHOD, NAME, "Mcp-Session-Id: abc", "Last-Event-ID: 1"], (200, 0)),
        (&[JSON, METHOD, NAME], (400, -32020)),
        (&[JSON, MODERN, NAME], (400, -32020)),
        (&[JSON, MODERN, METHOD], (400, -32020)),
        (&[JSON, MODERN, "Mcp-Method: tools/list", NAME], (400, -32020)),
        (&[JSON, MODERN, "Mcp-Method: Tools/call", NAME], (400, -32020)),
        (&[JSON, MODERN, METHOD, "Mcp-Name: Echo"], (400, -32020)),
        (&[JSON, MODERN, METHOD, "Mcp-Name: ech"], (400, -32020)),
        (&[JSON, MODERN, METHOD, "Mcp-Name: =?base64?ZWNobw=?="], (400, -32020)),
        (&[JSON, MODERN, METHOD, "Mcp-Name: =?base64?!!!!?="], (400, -32020)),
        (&[JSON, MODERN, METHOD, "Mcp-Name: =?BASE64?ZWNobw==?="], (400, -32020)),
        (&[JSON, MODERN, METHOD, "Mcp-Name: ech\u{f6}"], (400, -32020)),
        (&[JSON, "MCP-Protocol-Version: 2025-11-25", METHOD, NAME], (400, -32020)),
        (&[JSON, "MCP-Protocol-Version: 2099-01-01", METHOD, NAME], (400, -32020)),
        (&[JSON, "MCP-Protocol-Version: caf\u{e9}", METHOD, NAME], (400, -32020)),
        (&[JSON, MODERN, MODERN, METHOD, NAME], (400, -32020)),
        (&[JSON, MODERN, METHOD, METHOD, NAME], (400, -32020)),
        (&[JSON, MODERN, METHOD, NAME, NAME], (400, -32020)),
        (&[JSON, JSON, MODERN, METHOD, NAME], (400, -32600)),
    ] {
        let response = server.send(echo(headers)).await;
        assert_eq!((response.status, response.code()), expected, "{headers:?} {}", response.body);
    }
}

#[tokio::test]
async fn the_body_settles_what_the_headers_leave_open() {
    let server = running().await;
    let modern = |method: &str, params: &str| {
        let body = format!(r#"{{"jsonrpc":"2.0","id":7,"method":"{method}","params":{params}}}"#);
        post(&[JSON, MODERN, &format!("Mcp-Method: {method}")], &body)
    };
    let with_meta = format!("{{{META}}}");
    let other_version = with_meta.replace("2026-07-28", "v999.0.0");
    for (request, expected) in [
        (modern("server/discover", &with_meta), (200, 0)),
        (modern("tools/list", &with_meta), (200, 0)),
        (modern("tools/list", "{}"), (400, -32602)),
        (modern("tools/list", r#"{"_meta":{}}"#), (400, -32602)),
        (
            modern("tools/list", r#"{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}"#),
            (400, -32602),
        ),
        (modern("tools/list", &other_version), (400, -32020)),
        (modern("tools/list", &other_version).replacen("2026-07-28", "v999.0.0", 1), (400, -32022)),
        // The methods of older revisions, and those that nobody knows, do not exist in this one.
        (modern("initialize", &with_meta), (404, -32601)),
        (modern("ping", &with_meta), (404, -32601)),
        (modern("logging/setLevel", &with_meta), (404, -32601)),
        (modern("unknown/method", &with_meta), (404, -32601)),
        // A tool that is not there, or is called badly, is an error of another kind.
        (post_call("nothing", "{}", ""), (200, -32602)),
        (post_call("panic", "{}", ""), (200, 0)),
        (modern("tools/call", &with_meta), (200, -32602)),
        (modern("tools/call", &format!("[{with_meta}]")), (400, -32600)),
        (post(&[JSON, MODERN], "{"), (400, -32700)),
        (post(&[JSON, MODERN], ""), (400, -32700)),
        (post(&[JSON, MODERN], "[]"), (400, -32600)),
    ] {
        let response = server.send(&request).await;
        assert_eq!((response.status, response.code()), expected, "{request}\n{}", response.body);
        let knows_id = request.contains(r#""id":7"#) && response.code() != -32700;
        if knows_id {
            assert!(response.body.contains(r#""id":7"#), "{request}\n{}", response.body);
        }
    }
    let response =
        server.send(modern("tools/list", &other_version).replacen("2026-07-28", "v999.0.0", 1)).await;
    assert!(
        response.body.contains(r#""requested":"v999.0.0""#)
            && response.body.contains(r#""supported":["2026-07-28","#)
    );
}

#[tokio::test]
async fn headers_that_mirror_arguments() {
    let server = running().await;
    let request = |header: Option<&str>, region: &str| {
        let headers = [JSON, MODERN, METHOD, "Mcp-Name: region"];
        let headers: Vec<&str> = headers.into_iter().chain(header).collect();
        post(&headers, &call(1, "region", &format!(r#"{{"region":"{region}"}}"#), ""))
    };
    for (header, region, expected) in [
        (Some("Mcp-Param-Region: eu"), "eu", (200, 0)),
        (Some("MCP-PARAM-REGION: eu"), "eu", (200, 0)),
        (Some("Mcp-Param-Region: =?base64?SGVsbG8sIOS4lueVjA==?="), "Hello, 世界", (200, 0)),
        (Some("Mcp-Param-Region: us"), "eu", (400, -32020)),
        (Some("Mcp-Param-Region: =?base64?SGVsbG8?="), "Hello", (400, -32020)),
        (None, "eu", (400, -32020)),
        (Some("Mcp-Param-Region: eu\r\nMcp-Param-Region: eu"), "eu", (400, -32020)),
        (Some("Mcp-Param-Other: x\r\nMcp-Param-Region: eu"), "eu", (200, 0)),
    ] {
        let response = server.send(request(header, region)).await;
        assert_eq!((response.status, response.code()), expected, "{header:?} {}", response.body);
    }
}

#[tokio::test]
async fn methods_paths_and_media_types() {
    let server = running().await;
    let good = echo(&[JSON, MODERN, METHOD, NAME]);
    for method in ["GET", "DELETE", "PUT", "PATCH", "OPTIONS"] {
        let response = server.send(good.replacen("POST", method, 1)).await;
        assert_eq!((response.status, response.header("allow")), (405, Some("POST")), "{method}");
    }
    for path in ["/", "/mcp/", "/MCP", "/mcp/x", "/health"] {
        let response = server.send(good.replacen("/mcp", path, 1)).await;
        assert_eq!((response.status, &*response.body), (404, ""), "{path}");
        for other in [
            format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"),
            post(&["Content-Type: text/plain", "Accept: text/html"], "x").replacen("/mcp", path, 1),
        ] {
            let response = server.send(&other).await;
            assert_eq!((response.status, response.header("allow")), (404, None), "{other}");
        }
    }
    assert_eq!(server.send(good.replacen("/mcp", "/mcp?x=1", 1)).await.status, 200);
    for (content_type, expected) in [
        ("Content-Type: application/json", 200),
        ("Content-Type: Application/JSON ; charset=utf-8", 200),
        ("Content-Type: text/plain", 415),
        ("Content-Type: application/x-www-form-urlencoded", 415),
        ("Content-Type: multipart/form-data; boundary=x", 415),
        ("Content-Type: application/jsonx", 415),
        ("Content-Type: text/plain; application/json", 415),
        ("Content-Type:", 415),
        ("X-None: 1", 415),
        ("Content-Type: application/json\r\nContent-Type: application/json", 400),
        ("Content-Type: application/json\r\nContent-Encoding: gzip", 415),
        ("Content-Type: application/json\r\nContent-Encoding: br", 415),
        ("Content-Type: application/json\r\nContent-Encoding: identity", 200),
    ] {
        let response = server.send(echo(&[content_type, MODERN, METHOD, NAME])).await;
        assert_eq!(response.status, expected, "{content_type} {}", response.body);
    }
}

#[tokio::test]
async fn what_the_client_accepts() {
    let server = running().await;
    for (accept, status, content_type) in [
        (ACCEPT, 200, "application/json"),
        ("Accept: */*", 200, "application/json"),
        ("Accept: application/json", 200, "application/json"),
        ("Accept: application/*;q=0.5", 200, "application/json"),
        ("Accept: text/event-stream\r\nAccept: application/json", 200, "application/json"),
        ("Accept: TEXT/Event-Stream", 200, "text/event-stream"),
        ("Accept: text/event-stream, application/json;q=0", 200, "text/event-stream"),
        ("Accept: text/html", 406, "application/json"),
        ("Accept: application/json; q=0.0", 406, "application/json"),
        ("Accept:", 406, "application/json"),
    ] {
        let response = server.send(echo(&[JSON, accept, MODERN, METHOD, NAME])).await;
        assert_eq!(
            (response.status, response.header("content-type")),
            (status, Some(content_type)),
            "{accept}"
        );
    }
    // The status of a failure is not lost to a client that takes nothing but streams.
    let stream = "Accept: text/event-stream";
    for (method, expected) in [
        ("unknown/method", (404, Some("application/json"), -32601)),
        ("tools/list", (200, Some("text/event-stream"), -1)),
    ] {
        let body = format!(r#"{{"jsonrpc":"2.0","id":7,"method":"{method}","params":{{{META}}}}}"#);
        let method = format!("Mcp-Method: {method}");
        let response = server.send(post(&[JSON, stream, MODERN, &method], &body)).await;
        assert_eq!(
            (response.status, response.header("content-type"), response.code()),
            expected,
            "{response:?}"
        );
    }
    let response = server.send(post_call("panic", "{}", "").replace(ACCEPT, stream)).await;
    assert_eq!((response.status, response.header("content-type")), (200, Some("text/event-stream")));
    // A client that takes no stream gets its answer without the reports.
    let request = post_call("count", r#"{"count":3}"#, r#""progressToken":1"#)
        .replace(ACCEPT, "Accept: application/json");
    let response = server.send(request).await;
    assert_eq!((response.header("content-type"), response.code()), (Some("application/json"), 0));
}

#[tokio::test]
async fn names_and_pages() {
    let strict = running().await;
    let service = HttpService::new(server(&Probe::default()))
        .allow_host("mcp.example.com".parse().unwrap())
        .allow_origin("https://app.example.com".parse().unwrap());
    let open = Running::service(service).await;
    let request = |host: &str, origin: Option<&str>| {
        let origin = origin.map(|origin| format!("Origin: {origin}")).unwrap_or("X-None: 1".into());
        echo(&[JSON, MODERN, METHOD, NAME, &origin]).replacen("Host: localhost", &format!("Host: {host}"), 1)
    };
    for (host, origin, by_strict, by_open) in [
        ("localhost:8080", None, 200, 200),
        ("127.0.0.1", None, 200, 200),
        ("[::1]:8080", None, 200, 200),
        ("evil.test", None, 403, 403),
        ("mcp.example.com", None, 403, 200),
        ("MCP.EXAMPLE.COM.:443", None, 403, 200),
        ("localhost", Some("http://localhost:6274"), 200, 200),
        ("mcp.example.com", Some("http://localhost:6274"), 403, 403),
        ("localhost", Some("https://app.example.com"), 403, 200),
        ("mcp.example.com", Some("https://app.example.com"), 403, 200),
        ("localhost", Some("https://evil.test"), 403, 403),
        ("localhost", Some("null"), 403, 403),
        ("localhost", Some(""), 403, 403),
        ("localhost\r\nHost: localhost", None, 400, 400),
        ("localhost", Some("http://localhost\r\nOrigin: http://localhost"), 400, 400),
    ] {
        let request = request(host, origin);
        assert_eq!(strict.send(&request).await.status, by_strict, "{host} {origin:?}");
        assert_eq!(open.send(&request).await.status, by_open, "{host} {origin:?}");
    }
    // Every method is judged, not only the one that does something.
    let get = "GET /mcp HTTP/1.1\r\nHost: evil.test\r\n\r\n";
    assert_eq!(strict.send(get).await.status, 403);
    assert_eq!(strict.send("POST /mcp HTTP/1.1\r\nContent-Length: 0\r\n\r\n").await.status, 400);
    assert_eq!(
        strict
            .send("POST http://evil.test/mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n")
            .await
            .status,
        400
    );
    assert_eq!(
        strict
            .send("POST http://evil.test/mcp HTTP/1.1\r\nHost: evil.test\r\nContent-Length: 0\r\n\r\n")
            .await
            .status,
        403
    );
}

#[tokio::test]
async fn pages_that_are_allowed_may_read_answers_and_no_others() {
    let service =
        HttpService::new(server(&Probe::default())).allow_origin("https://app.example.com".parse().unwrap());
    let server = Running::service(service).await;
    let preflight = |origin: &str| {
        format!(
            "OPTIONS /mcp HTTP/1.1\r\nHost: localhost\r\nOrigin: {origin}\r\nAccess-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: content-type, mcp-method\r\n\r\n"
        )
    };
    let response = server.send(preflight("https://app.example.com")).await;
    assert_eq!(response.status, 204);
    assert_eq!(response.header("access-control-allow-origin"), Some("https://app.example.com"));
    assert_eq!(response.header("access-control-allow-headers"), Some("content-type, mcp-method"));
    assert_eq!(response.header("access-control-allow-credentials"), None);
    let response = server.send(preflight("https://evil.test")).await;
    assert_eq!((response.status, response.header("access-control-allow-origin")), (403, None));
    let allows = |response: &Response| response.header("access-control-allow-origin").map(str::to_owned);
    let origin = "Origin: https://app.example.com";
    for request in [
        echo(&[JSON, MODERN, METHOD, NAME, origin]),
        echo(&[JSON, MODERN, METHOD, origin]),
        echo(&["Content-Type: text/plain", origin]),
        post(
            &[JSON, MODERN, METHOD, "Mcp-Name: count", ACCEPT, origin],
            &call(1, "count", r#"{"count":1}"#, r#""progressToken":1"#),
        ),
    ] {
        let response = server.send(&request).await;
        assert_eq!(allows(&response).as_deref(), Some("https://app.example.com"), "{request} {response:?}");
        assert_eq!(response.header("vary"), Some("Origin"));
    }
}

#[tokio::test]
async fn older_clients_are_served_without_a_session() {
    let server = running().await;
    for version in ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"] {
        let header = format!("MCP-Protocol-Version: {version}");
        let init = format!(
            r#"{{"jsonrpc":"2.0","id":0,"method":"initialize","params":{{"protocolVersion":"{version}","capabilities":{{}},"clientInfo":{{"name":"old","version":"1"}}}}}}"#
        );
        let response = server.send(post(&[JSON, ACCEPT], &init)).await;
        assert_eq!((response.status, response.code()), (200, 0));
        assert!(response.body.contains(&format!(r#""protocolVersion":"{version}""#)), "{}", response.body);
        assert_eq!(response.header("mcp-session-id"), None);
        // One that sends the headers of the current revision with it is served all the same.
        let response = server.send(post(&[JSON, ACCEPT, &header, "Mcp-Method: initialize"], &init)).await;
        assert_eq!((response.status, response.code()), (200, 0));

        let initialized = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
        let response = server.send(post(&[JSON, ACCEPT, &header], initialized)).await;
        assert_eq!((response.status, &*response.body), (202, ""));
        for (method, params) in [
            ("ping", "{}"),
            ("tools/list", "{}"),
            ("tools/call", r#"{"name":"echo","arguments":{"text":"hi"}}"#),
        ] {
            let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#);
            for headers in [&[JSON, ACCEPT, &header][..], &[JSON, ACCEPT]] {
                let response = server.send(post(headers, &body)).await;
                assert_eq!((response.status, response.code()), (200, 0), "{version} {method}");
                assert!(!response.body.contains("resultType"));
            }
        }
        // JSON-RPC errors have status 200 in these revisions.
        for (method, code) in [("unknown", -32601), ("server/discover", -32601), ("tools/call", -32602)] {
            let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}"}}"#);
            let response = server.send(post(&[JSON, ACCEPT, &header], &body)).await;
            assert_eq!((response.status, response.code()), (200, code), "{version} {method}");
        }
    }
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"who","arguments":{}}}"#;
    assert!(server.send(post(&[JSON], body)).await.body.contains("2025-03-26"));
    let bad = post(&[JSON, "MCP-Protocol-Version: 1999-01-01"], body);
    assert_eq!(server.send(bad).await.status, 400);
}

#[tokio::test]
async fn what_wants_no_answer_is_accepted() {
    let server = running().await;
    for (headers, body, expected) in [
        (
            &[JSON, MODERN][..],
            r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#,
            202,
        ),
        (&[JSON], r#"{"jsonrpc":"2.0","method":"notifications/anything"}"#, 202),
        (&[JSON], r#"{"jsonrpc":"2.0","id":1,"result":{}}"#, 202),
        (&[JSON, "MCP-Protocol-Version: 1999-01-01"], r#"{"jsonrpc":"2.0","method":"x"}"#, 400),
        (&[JSON], r#"{"jsonrpc":"2.0","method":1}"#, 400),
    ] {
        let response = server.send(post(headers, body)).await;
        assert_eq!(response.status, expected, "{body} {}", response.body);
    }
}

#[tokio::test]
async fn failures_of_layers_have_their_status() {
    let layered = server(&Probe::default()).layer(tower::util::MapRequestLayer::new(|request: Request| {
        assert_ne!(request.method(), "ping", "password=hunter2");
        request
    }));
    let layered = layered.layer(tower::layer::layer_fn(|inner| {
        tower::util::MapResult::new(inner, |result: Result<_, Error>| {
            result.map_err(|error| {
                if error.kind() == ErrorKind::MethodNotFound {
                    let wait = std::time::Duration::from_millis(1500);
                    return Error::new(ErrorKind::RateLimited, "slow down").with_retry_after(wait);
                }
                error
            })
        })
    }));
    let server = Running::service(HttpService::new(layered)).await;
    for version in ["2025-06-18", "2026-07-28"] {
        let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"nothing","params":{{{META}}}}}"#);
        let body = if version == "2026-07-28" { body } else { body.replace(META, "") };
        let header = format!("MCP-Protocol-Version: {version}");
        let response = server.send(post(&[JSON, &header, "Mcp-Method: nothing"], &body)).await;
        assert_eq!((response.status, response.code(), response.header("retry-after")), (429, 429, Some("2")));
        let stream = "Accept: text/event-stream";
        let response = server.send(post(&[JSON, stream, &header, "Mcp-Method: nothing"], &body)).await;
        assert_eq!((response.status, response.code(), response.header("retry-after")), (429, 429, Some("2")));
        let response =
            server.send(post(&[JSON, &header, "Mcp-Method: ping"], &body.replace("nothing", "ping"))).await;
        let expected = if version == "2026-07-28" { (500, -32603) } else { (200, -32603) };
        assert_eq!((response.status, response.code()), expected, "{version}");
        assert!(!response.body.contains("hunter2"));
    }
}

#[tokio::test]
async fn layers_around_the_service_hand_on_what_they_know() {
    let service = HttpService::new(server(&Probe::default()));
    let layered = tower::util::MapRequest::new(service, |mut request: axum::extract::Request| {
        let mut extensions = Extensions::default();
        extensions.insert(Principal("alice"));
        request.extensions_mut().insert(extensions);
        request
    });
    let app = axum::Router::new().route_service("/mcp", layered);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async { axum::serve(listener, app).await });
    let mut connection = common::wire::Connection::to(address).await;
    connection.write(post_call("who", "{}", "")).await;
    let response = connection.response().await;
    assert!(response.body.contains("Some(\\\"alice\\\")"), "{}", response.body);

    let response = running().await.send(post_call("who", "{}", "")).await;
    assert!(response.body.contains("Some(127.0.0.1) None None 2026-07-28"), "{}", response.body);
}
