//! The tools, as a client sees them.

use http::Method;
use serde_json::{Value, json};
use towline_core::{Router, Server};
use towline_http_api::{Api, ApiConfig, Apis, ApisConfig, AuthConfig, Secret, tools};
use towline_transport::memory::{self, Client};

use crate::common::{Upstream, answer, json as told};

fn client(apis: impl IntoIterator<Item = (&'static str, ApiConfig)>) -> Client {
    let apis: Apis = apis.into_iter().map(|(name, config)| Api::new(name, config).unwrap()).collect();
    memory::connect(Server::new(Router::new("test", "1.0.0").tools(tools(&apis))))
}

/// The structured result, which must not be an error.
async fn call(client: &mut Client, tool: &str, arguments: Value) -> Value {
    let result = client.call_tool(tool, arguments).await.unwrap().result.unwrap();
    assert_ne!(result["isError"], true, "{result}");
    result["structuredContent"].clone()
}

/// The text of a result, which must be an error, and its structured result.
async fn failure(client: &mut Client, tool: &str, arguments: Value) -> (String, Value) {
    let result = client.call_tool(tool, arguments).await.unwrap().result.unwrap();
    assert_eq!(result["isError"], true, "{result}");
    (result["content"][0]["text"].as_str().unwrap().to_owned(), result["structuredContent"].clone())
}

/// Says what it got, and has some pages.
async fn upstream() -> Upstream {
    Upstream::start(|seen| {
        let query = seen.uri.query().unwrap_or_default().to_owned();
        let page: usize =
            query.split('&').find_map(|pair| pair.strip_prefix("page=")?.parse().ok()).unwrap_or(1);
        match seen.uri.path() {
            "/v1/echo" => told(
                &json!({
                    "method": seen.method.as_str(), "query": query, "accept": seen.header("accept"),
                    "type": seen.header("content-type"), "body": String::from_utf8_lossy(&seen.body),
                    "traceparent": seen.header("traceparent"),
                })
                .to_string(),
            ),
            "/v1/linked" => {
                let body =
                    json!([{"id": page * 10, "name": "a"}, {"id": page * 10 + 1, "name": "b"}]).to_string();
                let next = format!(
                    "<http://{}/v1/linked?page={}>; rel=\"next\"",
                    seen.header("host").unwrap(),
                    page + 1
                );
                let mut headers = vec![("content-type", "application/json")];
                if page < 4 {
                    headers.push(("link", &next));
                }
                answer(200, &headers, body)
            }
            "/v1/cursor" => match query.as_str() {
                "" => told(r#"{"items": [1, 2], "next_cursor": "c 2"}"#),
                "cursor=c%202" => told(r#"{"items": [3], "next_cursor": null}"#),
                _ => answer(400, &[], "no such cursor"),
            },
            "/v1/circle" => told(r#"{"items": [1], "next": "/v1/circle"}"#),
            "/v1/breaks" if page > 1 => answer(500, &[], "broken"),
            "/v1/breaks" => told(r#"{"items": [1], "next": "/v1/breaks?page=2"}"#),
            "/v1/large" => told(&json!({"total": 1000, "rows": vec!["x".repeat(100); 1000]}).to_string()),
            "/v1/text" => answer(200, &[("content-type", "text/plain")], "ä".repeat(30_000)),
            "/v1/html" => answer(200, &[("content-type", "text/html")], "{\"looks\": \"like JSON\"}"),
            "/v1/liar" => answer(200, &[("content-type", "application/json")], "<html>"),
            "/v1/binary" => answer(200, &[("content-type", "image/png")], vec![0x89, b'P', 0, 0xff]),
            "/v1/latin" => answer(200, &[("content-type", "text/plain; charset=iso-8859-1")], vec![0xe4]),
            "/v1" => told(r#"{"at": "the base URL"}"#),
            "/v1/surrogate" => told(r#"{"a": "\ud800"}"#),
            "/v1/deep" => told(&format!("{}{}", "[".repeat(15_000), "]".repeat(15_000))),
            "/v1/marked" => told("\u{feff}{\"a\": 1}"),
            "/v1/empty" => answer(204, &[], ""),
            "/v1/missing" => {
                answer(404, &[("content-type", "application/json")], r#"{"message": "Not\nFound"}"#)
            }
            "/v1/busy" => answer(429, &[("retry-after", "12")], "busy"),
            _ => answer(500, &[], "?"),
        }
    })
    .await
}

#[tokio::test]
async fn arguments_become_a_request_and_its_answer_comes_back() {
    let upstream = upstream().await;
    let mut client = client([("test", upstream.config())]);
    let told = call(
        &mut client,
        "call_rest_api",
        json!({"api_name": "test", "endpoint": "echo?a=1", "query": {"q": "x&y=z #ö", "n": 5, "on": true, "t": ["a", "b"]}}),
    )
    .await;
    assert_eq!(told["status"], 200);
    assert_eq!(told["cache"], "miss");
    assert_eq!(told["headers"]["content-type"], "application/json");
    assert_eq!(told["body"]["method"], "GET");
    assert_eq!(told["body"]["query"], "a=1&n=5&on=true&q=x%26y%3Dz%20%23%C3%B6&t=a&t=b");

    for (data, kind, body) in [
        (json!({"a": [1, null]}), None, ("application/json", r#"{"a":[1,null]}"#)),
        (json!("plain"), None, ("text/plain; charset=utf-8", "plain")),
        (json!("<a/>"), Some("application/xml"), ("application/xml", "<a/>")),
        (
            json!({"a b": "c&d", "n": 1}),
            Some("application/x-www-form-urlencoded"),
            ("application/x-www-form-urlencoded", "a%20b=c%26d&n=1"),
        ),
    ] {
        let mut arguments = json!({"api_name": "test", "endpoint": "/echo", "method": "POST", "data": data});
        if let Some(kind) = kind {
            arguments["headers"] = json!({"Content-Type": kind});
        }
        let told = call(&mut client, "call_rest_api", arguments).await;
        assert_eq!((told["body"]["type"].as_str().unwrap(), told["body"]["body"].as_str().unwrap()), body);
    }
}

#[tokio::test]
async fn what_the_operator_accepts_goes_before_what_this_does() {
    let upstream = upstream().await;
    let mut config = upstream.config();
    config.default_headers.insert("Accept".into(), "application/vnd.x+json".to_owned().into());
    let mut client = client([("test", config)]);
    for (headers, accept) in
        [(json!({}), "application/vnd.x+json"), (json!({"Accept": "text/html"}), "text/html")]
    {
        let arguments = json!({"api_name": "test", "endpoint": "/echo", "headers": headers});
        assert_eq!(call(&mut client, "call_rest_api", arguments).await["body"]["accept"], accept);
    }
}

#[tokio::test]
async fn what_is_refused_says_so_and_is_not_sent() {
    let upstream = upstream().await;
    let mut client = client([("test", upstream.config())]);
    for (endpoint, said) in [
        ("https://evil.com/x", "not a whole URL"),
        ("//evil.com/x", "two slashes"),
        ("/../x", "path segment"),
        ("repos/%2e%2e/x", "path segment"),
        ("@evil.com", "begin with `/`"),
        ("%2e%2e/x", "begin with `/`"),
        ("/x\r\ny", "line break"),
        ("/x#y", "`#`"),
        ("/x?y#z", "`#`"),
    ] {
        let (text, _) =
            failure(&mut client, "call_rest_api", json!({"api_name": "test", "endpoint": endpoint})).await;
        assert!(text.contains(said), "{endpoint}: {text}");
    }
    for arguments in [
        json!({"api_name": "other", "endpoint": "/x"}),
        json!({"api_name": "test", "endpoint": "/x", "method": "TRACE"}),
        json!({"api_name": "test", "endpoint": "/x", "headers": {"Host": "evil.com"}}),
        json!({"api_name": "test", "endpoint": "/x", "headers": {"A": "b\r\nHost: evil.com"}}),
        json!({"api_name": "test", "endpoint": "/x", "headers": {"A\r\nB": "c"}}),
        json!({"api_name": "test", "endpoint": "/x", "unknown": 1}),
        json!({"api_name": "test", "endpoint": "/x", "select": "items["}),
        json!({"api_name": "test", "endpoint": "/x", "pages": 1000}),
    ] {
        failure(&mut client, "call_rest_api", arguments).await;
    }
    assert_eq!(upstream.count(), 0);
}

#[tokio::test]
async fn an_error_status_is_a_failure_with_status_and_excerpt() {
    let upstream = upstream().await;
    let mut client = client([("test", upstream.config())]);
    let (text, told) =
        failure(&mut client, "call_rest_api", json!({"api_name": "test", "endpoint": "/missing"})).await;
    assert!(
        text.starts_with(r#"The API answered with status 404 (Not Found): {"message": "Not\nFound"}"#),
        "{text}"
    );
    assert_eq!((&told["status"], &told["body"]["message"]), (&json!(404), &json!("Not\nFound")));
    let (text, _) =
        failure(&mut client, "call_rest_api", json!({"api_name": "test", "endpoint": "/busy"})).await;
    assert!(text.contains("takes no more requests") && text.contains("12 s"), "{text}");
}

#[tokio::test]
async fn bodies_of_every_kind_are_json_in_the_end() {
    let upstream = upstream().await;
    let mut client = client([("test", upstream.config())]);
    let mut body = async |endpoint: &str| {
        call(&mut client, "call_rest_api", json!({"api_name": "test", "endpoint": endpoint})).await
    };
    assert_eq!(body("/html").await["body"], "{\"looks\": \"like JSON\"}");
    assert_eq!(body("/liar").await["body"], "<html>");
    assert_eq!(body("/latin").await["body"], "ä");
    let told = body("/binary").await;
    assert_eq!(
        (&told["body"], &told["note"]),
        (&Value::Null, &json!("4 bytes of image/png, which is no text, are not shown."))
    );
    assert_eq!(body("/empty").await["body"], Value::Null);
    // What is JSON by its grammar alone is text, and no defect of this server.
    assert_eq!(body("/surrogate").await["body"], r#"{"a": "\ud800"}"#);
    assert_eq!(body("/deep").await["body"].as_str().unwrap().len(), 30_000);
    assert_eq!(body("/marked").await["body"], json!({"a": 1}));
    assert_eq!(body("").await["body"]["at"], "the base URL");
    let told = body("/text").await;
    assert_eq!(told["truncated"]["shown"], 32768);
    assert_eq!((&told["truncated"]["total"], &told["truncated"]["unit"]), (&json!(60_000), &json!("bytes")));
    assert_eq!(told["body"].as_str().unwrap().chars().count(), 16384);
    let told = body("/large").await;
    let shown = told["body"]["rows"].as_array().unwrap().len();
    assert_eq!((&told["truncated"]["total"], &told["body"]["total"]), (&json!(1000), &json!(1000)));
    assert_eq!(told["truncated"]["shown"], shown);
    assert!((300..320).contains(&shown), "{shown}");
}

#[tokio::test]
async fn what_is_selected_is_all_that_comes_back() {
    let upstream = upstream().await;
    let mut client = client([("test", upstream.config())]);
    let mut select = async |select: &str| {
        let arguments = json!({"api_name": "test", "endpoint": "/large", "select": select});
        call(&mut client, "call_rest_api", arguments).await
    };
    let told = select("{total: total, rows: length(rows)}").await;
    assert_eq!(told["body"], json!({"total": 1000, "rows": 1000}));
    assert!(told.get("truncated").is_none());
    assert_eq!(select("rows[:2]").await["body"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn pages_are_followed_when_asked_and_told_of_when_not() {
    let upstream = upstream().await;
    let mut client = client([("test", upstream.config())]).meta("progressToken", json!("p"));
    let ask = |endpoint: &str, pages: u32| json!({"api_name": "test", "endpoint": endpoint, "pages": pages});

    let told = call(&mut client, "call_rest_api", ask("/linked", 1)).await;
    assert_eq!((&told["next"], told["body"].as_array().unwrap().len()), (&json!("/linked?page=2"), 2));

    let answer = client.call_tool("call_rest_api", ask("/linked", 3)).await.unwrap();
    let progress: Vec<&Value> = answer.notifications.iter().map(|told| &told["params"]["progress"]).collect();
    assert_eq!(progress, [&json!(1.0), &json!(2.0), &json!(3.0)]);
    let told = &answer.result.unwrap()["structuredContent"];
    assert_eq!((&told["pages"], &told["next"]), (&json!(3), &json!("/linked?page=4")));
    assert_eq!(told["body"].as_array().unwrap().len(), 6);

    let told = call(&mut client, "call_rest_api", ask("/linked", 9)).await;
    assert_eq!((&told["pages"], told.get("next")), (&json!(4), None));

    let mut selecting = ask("/linked", 2);
    selecting["select"] = json!("[].id");
    assert_eq!(call(&mut client, "call_rest_api", selecting).await["body"], json!([10, 11, 20, 21]));

    let told = call(&mut client, "call_rest_api", ask("/cursor", 5)).await;
    assert_eq!((&told["body"], &told["pages"]), (&json!([1, 2, 3]), &json!(2)));

    let told = call(&mut client, "call_rest_api", ask("/circle", 5)).await;
    assert_eq!(told["pages"], 1);
    assert!(told["note"].as_str().unwrap().contains("there already"), "{told}");

    let told = call(&mut client, "call_rest_api", ask("/breaks", 5)).await;
    assert_eq!((&told["body"], &told["next"]), (&json!([1]), &json!("/breaks?page=2")));
    assert_eq!(told["note"], "The next page gave status 500.");
}

#[tokio::test]
async fn pages_stop_where_they_would_not_fit() {
    let upstream = Upstream::start(|seen| {
        let page: u32 = seen.uri.query().unwrap().trim_start_matches("page=").parse().unwrap();
        told(&json!([format!("{page}{}", "x".repeat(600))]).to_string())
    })
    .await;
    let mut config = upstream.config();
    config.max_result_bytes = 2048;
    let mut client = client([("test", config)]);
    let told =
        call(&mut client, "call_rest_api", json!({"api_name": "test", "endpoint": "/x?page=1", "pages": 9}))
            .await;
    assert_eq!((&told["pages"], &told["next"]), (&json!(3), &json!("/x?page=4")));
    assert_eq!(told["body"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn a_caller_s_trace_goes_upstream_if_it_is_one() {
    let upstream = upstream().await;
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    for (given, sent) in [
        (parent, json!(parent)),
        ("00-00000000000000000000000000000000-00f067aa0ba902b7-01", Value::Null),
        ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\nX: y", Value::Null),
        ("nonsense", Value::Null),
    ] {
        let mut client = client([("test", upstream.config())]).meta("traceparent", json!(given));
        let told = call(&mut client, "call_rest_api", json!({"api_name": "test", "endpoint": "/echo"})).await;
        assert_eq!(told["body"]["traceparent"], sent);
    }
}

async fn listed(client: &mut Client) -> Vec<Value> {
    client.call("tools/list", json!({})).await.unwrap().result.unwrap()["tools"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_named_tool_is_there_if_its_api_is() {
    let mut alone = client([("other", ApiConfig::new("https://example.com"))]);
    let tools = listed(&mut alone).await;
    assert_eq!(tools.len(), 1);
    assert_eq!(tools[0]["annotations"]["readOnlyHint"], true);
    assert_eq!(tools[0]["inputSchema"]["properties"]["api_name"]["enum"], json!(["other"]));

    let mut writing = ApiConfig::new("https://hooks.slack.com/services/x");
    writing.allowed_methods = vec![Method::POST];
    let mut all = client([
        ("github", ApiConfig::new("https://api.github.com")),
        ("search", ApiConfig::new("https://example.com")),
        ("slack", writing),
        ("weather", ApiConfig::new("https://example.com")),
    ]);
    let tools = listed(&mut all).await;
    let names: Vec<&str> = tools.iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    let expected = [
        "call_rest_api",
        "github_repository_info",
        "github_list_issues",
        "weather_forecast",
        "send_slack_notification",
        "search_web",
    ];
    assert_eq!(names, expected);
    assert!(tools.iter().all(|tool| tool["outputSchema"].is_object()));
    assert_eq!(tools[0]["annotations"]["readOnlyHint"], false);
    assert_eq!(tools[1]["annotations"]["readOnlyHint"], true);
    assert_eq!(tools[4]["annotations"]["readOnlyHint"], false);

    // Without `POST` there is nothing to send with.
    let mut reading = client([("slack", ApiConfig::new("https://hooks.slack.com/services/x"))]);
    assert_eq!(listed(&mut reading).await.len(), 1);
    assert!(towline_http_api::tools(&Apis::new(&ApisConfig::default()).unwrap()).is_empty());
}

#[tokio::test]
async fn github_is_asked_with_encoded_names() {
    let upstream = Upstream::start(|seen| match seen.uri.path() {
        "/v1/repos/octocat/hello" => told(
            r#"{"full_name": "octocat/hello", "description": null, "stargazers_count": 80, "license": {"spdx_id": "MIT"}, "topics": ["a"], "secret": 1}"#,
        ),
        "/v1/repos/octocat/hello/issues" => answer(
            200,
            &[("content-type", "application/json"), ("link", "</v1/repos/octocat/hello/issues?page=3>; rel=\"next\"")],
            r#"[{"number": 1, "title": "t", "state": "open", "user": null, "labels": ["a", {"name": "b"}], "pull_request": {}}]"#,
        ),
        _ => answer(404, &[], "no"),
    })
    .await;
    let mut client = client([("github", upstream.config())]);
    let told =
        call(&mut client, "github_repository_info", json!({"owner": "octocat", "repo": "hello"})).await;
    assert_eq!(
        (&told["full_name"], &told["stars"], &told["license"]),
        (&json!("octocat/hello"), &json!(80), &json!("MIT"))
    );
    assert!(told.get("secret").is_none());

    let arguments = json!({"owner": "octocat", "repo": "hello", "state": "all", "page": 2});
    let told = call(&mut client, "github_list_issues", arguments).await;
    assert_eq!(upstream.last().uri.query(), Some("state=all&per_page=30&page=2"));
    assert_eq!((&told["next_page"], &told["issues"][0]["labels"]), (&json!(3), &json!(["a", "b"])));
    assert_eq!(told["issues"][0]["is_pull_request"], true);

    // Encoded, never spliced.
    failure(&mut client, "github_repository_info", json!({"owner": "a/b?c#d", "repo": "x y"})).await;
    assert_eq!(upstream.last().uri.path(), "/v1/repos/a%2Fb%3Fc%23d/x%20y");
    let before = upstream.count();
    for owner in ["..", ".", "%2e%2e", "../..", "a\r\nb"] {
        failure(&mut client, "github_repository_info", json!({"owner": owner, "repo": "x"})).await;
    }
    assert_eq!(upstream.count(), before);
    // The answer was kept for a while.
    call(&mut client, "github_repository_info", json!({"owner": "octocat", "repo": "hello"})).await;
    assert_eq!(upstream.count(), before);
}

#[tokio::test]
async fn weather_and_search_are_read_in_the_shapes_that_are_common() {
    let upstream = Upstream::start(|seen| match (seen.uri.path(), seen.uri.query().unwrap()) {
        ("/v1/forecast", "q=New%20York&days=2") => told(
            r#"{"location": {"name": "New York", "country": "USA"}, "forecast": {"forecastday": [{"date": "2026-01-01",
                "day": {"maxtemp_c": 3.5, "mintemp_c": -1, "totalprecip_mm": 0, "condition": {"text": "Sunny"}}}]}}"#,
        ),
        ("/v1/daily", "city=Berlin&days=5") => told(
            r#"{"city": "Berlin", "country": "DE", "days": [{"date": "2026-01-01", "condition": "rain", "high": 5, "low": 1}]}"#,
        ),
        ("/v1/search", "q=a%26b&num=1") => {
            told(r#"{"total": 2, "results": [{"title": "t", "url": "u", "snippet": "s"}, {"title": "t2", "url": "u2"}]}"#)
        }
        ("/v1/search", "q=brave&num=10") => told(r#"{"web": {"results": [{"title": "t", "url": "u", "description": "s"}]}}"#),
        ("/v1/search", "q=google&num=10") => told(r#"{"items": [{"title": "t", "link": "u", "snippet": "s"}]}"#),
        _ => answer(404, &[], "no"),
    })
    .await;
    let mut plain = upstream.config();
    plain.named_tool.path = Some("/daily".into());
    plain.named_tool.parameters.insert("city".into(), "city".into());
    let mut nested_client = client([("weather", upstream.config()), ("search", upstream.config())]);
    let told = call(&mut nested_client, "weather_forecast", json!({"city": "New York", "days": 2})).await;
    assert_eq!((&told["city"], &told["days"][0]["low"]), (&json!("New York"), &json!(-1.0)));
    let told = call(&mut client([("weather", plain)]), "weather_forecast", json!({"city": "Berlin"})).await;
    assert_eq!(
        (&told["days"][0]["condition"], &told["days"][0]["precipitation_mm"]),
        (&json!("rain"), &Value::Null)
    );

    let told = call(&mut nested_client, "search_web", json!({"query": "a&b", "num_results": 1})).await;
    assert_eq!((&told["total"], told["results"].as_array().unwrap().len()), (&json!(2), 1));
    for query in ["brave", "google"] {
        let told = call(&mut nested_client, "search_web", json!({"query": query})).await;
        assert_eq!(told["results"], json!([{"title": "t", "url": "u", "snippet": "s"}]), "{query}");
    }
    failure(&mut nested_client, "weather_forecast", json!({"city": " "})).await;
    failure(&mut nested_client, "weather_forecast", json!({"city": "Berlin", "days": 99})).await;
}

#[tokio::test]
async fn a_message_goes_to_the_configured_webhook_or_to_an_allowed_host() {
    let upstream = Upstream::start(|seen| match seen.uri.path() {
        "/v1/services/hunter2secret" | "/other" => answer(200, &[], "ok"),
        "/fails" => told(r#"{"ok": false, "error": "channel_not_found"}"#),
        _ => answer(404, &[], seen.uri.path().to_owned()),
    })
    .await;
    let mut config = upstream.config();
    config.base_url = Some(format!("http://{}/v1/services/hunter2secret", upstream.address).into());
    config.allowed_methods = vec![Method::POST];
    config.auth = AuthConfig::Bearer { token: Secret::new("hunter2-token") };
    config.retry.max_attempts = std::num::NonZeroU32::new(3).unwrap();
    let mut closed = client([("slack", config.clone())]);
    let told =
        call(&mut closed, "send_slack_notification", json!({"channel": "#a", "message": "\"hi\"\n"})).await;
    assert_eq!(told, json!({"sent": true, "channel": "#a"}));
    let last = upstream.last();
    assert_eq!((last.method.clone(), last.uri.path()), (Method::POST, "/v1/services/hunter2secret"));
    assert_eq!(
        serde_json::from_slice::<Value>(&last.body).unwrap(),
        json!({"channel": "#a", "text": "\"hi\"\n"})
    );

    // Nobody allowed another one.
    let url = |path: &str| format!("http://{}{path}", upstream.address);
    let arguments = json!({"channel": "#a", "message": "x", "webhook_url": url("/other")});
    failure(&mut closed, "send_slack_notification", arguments.clone()).await;
    assert_eq!(upstream.count(), 1);

    config.webhook_hosts = vec![upstream.address.to_string()];
    let mut open = client([("slack", config.clone())]);
    call(&mut open, "send_slack_notification", arguments).await;
    // To another place no credentials go.
    assert_eq!((upstream.last().uri.path(), upstream.last().header("authorization")), ("/other", None));
    let before = upstream.count();
    for bad in [
        "http://evil.com/x",
        "http://127.0.0.1/x",
        "//evil.com",
        "file:///x",
        &url("/a/../b"),
        "https://127.0.0.1:1@evil.com/x",
    ] {
        let arguments = json!({"channel": "#a", "message": "x", "webhook_url": bad});
        let (text, _) = failure(&mut open, "send_slack_notification", arguments).await;
        assert!(text.starts_with("`webhook_url`"), "{text}");
    }
    assert_eq!(upstream.count(), before);
    let arguments = json!({"channel": "#a", "message": "x", "webhook_url": url("/fails")});
    let (text, _) = failure(&mut open, "send_slack_notification", arguments).await;
    assert!(text.contains("channel_not_found"), "{text}");

    // The webhook's path is its secret, if it was handed in as one.
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), url("/gone/hunter2secret")).unwrap();
    config.base_url = None;
    config.base_url_file = Some(file.path().to_owned());
    let (text, told) = failure(
        &mut client([("slack", config)]),
        "send_slack_notification",
        json!({"channel": "a", "message": "x"}),
    )
    .await;
    assert!(text.contains("/gone/[redacted]") && !told.to_string().contains("hunter2"), "{text} {told}");
}
