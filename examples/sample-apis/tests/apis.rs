//! What each of the sample APIs answers.

mod client;

use std::time::Duration;

use client::{Connection, call, get};
use sample_apis::{
    CLIENT_ID, CLIENT_SECRET, GITHUB_TOKEN, Options, SEARCH_KEY, SLACK_TOKEN, SLACK_WEBHOOK, Upstream,
};
use serde_json::{Value, json};
use tokio::time::sleep;

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
const ISSUES: &str = "/github/repos/octocat/hello-world/issues";

async fn start() -> (Upstream, String) {
    let upstream = Upstream::start(Options::default()).await.unwrap();
    let url = upstream.url();
    (upstream, url)
}

#[tokio::test]
async fn a_repository_is_told_and_counts_its_open_issues() {
    let (_upstream, url) = start().await;
    let reply = get(&url, "/github/repos/octocat/hello-world").await;
    assert_eq!(reply.status, 200);
    let repository = reply.json();
    assert_eq!(repository["full_name"], "octocat/hello-world");
    let open = get(&url, &format!("{ISSUES}?per_page=100")).await.json().as_array().unwrap().len();
    assert_eq!(repository["open_issues_count"], open);
    assert_eq!(get(&url, "/github/repos/octocat/none").await.status, 404);
}

#[tokio::test]
async fn a_private_repository_is_there_only_for_the_token() {
    let (_upstream, url) = start().await;
    let path = "/github/repos/octocat/private-notes";
    assert_eq!(get(&url, path).await.status, 404);
    assert_eq!(call(&url, "GET", path, &[("authorization", "Bearer wrong")], "").await.status, 404);
    let reply = call(&url, "GET", path, &[("authorization", &format!("Bearer {GITHUB_TOKEN}"))], "").await;
    assert_eq!((reply.status.as_u16(), reply.json()["private"].clone()), (200, json!(true)));
    assert_eq!(reply.header("cache-control"), Some("private, max-age=60"));
}

#[tokio::test]
async fn links_lead_through_all_issues_once() {
    let (_upstream, url) = start().await;
    let mut path = format!("{ISSUES}?state=all&per_page=20");
    let mut numbers = Vec::new();
    let mut pages = 0;
    loop {
        let reply = get(&url, &path).await;
        numbers
            .extend(reply.json().as_array().unwrap().iter().map(|issue| issue["number"].as_u64().unwrap()));
        pages += 1;
        assert!(pages <= 4, "the links never end");
        let link = reply.header("link").unwrap();
        let next = link.split(", ").find_map(|link| link.strip_suffix(">; rel=\"next\""));
        match next {
            // Absolute, at the origin that the caller named.
            Some(next) => path = next.strip_prefix("<http://sample.test").unwrap().to_owned(),
            None => {
                break assert!(
                    link.contains("page=3>; rel=\"prev\"") && link.contains("page=1>; rel=\"first\"")
                );
            }
        }
        assert!(link.contains("page=4>; rel=\"last\""), "{link}");
    }
    assert_eq!(pages, 4);
    assert_eq!(numbers, (1..=65).rev().collect::<Vec<u64>>());
}

#[tokio::test]
async fn issues_are_chosen_by_state_and_open_is_what_is_meant_by_none() {
    let (_upstream, url) = start().await;
    let states = async |query: &str| -> Vec<Value> {
        let reply = get(&url, &format!("{ISSUES}?per_page=100{query}")).await;
        assert_eq!(reply.header("link"), None, "all are on one page");
        reply.json().as_array().unwrap().iter().map(|issue| issue["state"].clone()).collect()
    };
    assert_eq!(states("").await, vec![json!("open"); 44]);
    assert_eq!(states("&state=open").await, vec![json!("open"); 44]);
    assert_eq!(states("&state=closed").await, vec![json!("closed"); 21]);
    assert_eq!(states("&state=all").await.len(), 65);
    let beyond = get(&url, &format!("{ISSUES}?page=9")).await;
    assert_eq!(beyond.json(), json!([]));
    assert!(beyond.header("link").unwrap().contains("page=2>; rel=\"prev\""), "{beyond:?}");
    for query in ["state=half", "page=0", "page=x", "per_page=101"] {
        assert_eq!(get(&url, &format!("{ISSUES}?{query}")).await.status, 422, "{query}");
    }
}

#[tokio::test]
async fn who_has_an_answer_already_is_told_so_by_tag_or_by_date() {
    let (_upstream, url) = start().await;
    let first = get(&url, ISSUES).await;
    assert_eq!(first.header("cache-control"), Some("public, max-age=60"));
    assert_eq!(first.header("vary"), Some("Accept, Authorization"));
    let (tag, date) = (first.header("etag").unwrap(), first.header("last-modified").unwrap());
    let weak = format!("\"other\", W/{tag}");
    let before = "Wed, 14 Jan 2026 12:00:00 GMT";
    for (headers, expected) in [
        (vec![("if-none-match", tag)], 304),
        (vec![("if-none-match", weak.as_str())], 304),
        (vec![("if-none-match", "*")], 304),
        (vec![("if-none-match", "\"other\"")], 200),
        (vec![("if-modified-since", date)], 304),
        (vec![("if-modified-since", before)], 200),
        (vec![("if-modified-since", "yesterday")], 200),
        // The tag decides.
        (vec![("if-none-match", "\"other\""), ("if-modified-since", date)], 200),
        (vec![("if-none-match", tag), ("if-modified-since", before)], 304),
    ] {
        let reply = call(&url, "GET", ISSUES, &headers, "").await;
        assert_eq!(reply.status, expected, "{headers:?}");
        assert_eq!(reply.header("etag"), Some(tag));
        assert_eq!(reply.body.is_empty(), expected == 304);
    }
}

#[tokio::test]
async fn an_opened_issue_comes_first_and_changes_the_tag() {
    let (_upstream, url) = start().await;
    let authorization = format!("Bearer {GITHUB_TOKEN}");
    let headers = [("authorization", authorization.as_str())];
    let before = get(&url, ISSUES).await;
    assert_eq!(call(&url, "POST", ISSUES, &[], r#"{"title":"No greeting"}"#).await.status, 401);
    assert_eq!(call(&url, "POST", ISSUES, &headers, "{").await.status, 400);
    assert_eq!(call(&url, "POST", ISSUES, &headers, "{}").await.status, 422);

    let reply = call(&url, "POST", ISSUES, &headers, r#"{"title":"No greeting"}"#).await;
    assert_eq!((reply.status.as_u16(), reply.json()["number"].clone()), (201, json!(66)));
    assert_eq!(reply.header("location"), Some(format!("http://sample.test{ISSUES}/66").as_str()));

    let after = call(&url, "GET", ISSUES, &[("if-none-match", before.header("etag").unwrap())], "").await;
    assert_eq!(after.status, 200);
    assert_eq!(after.json()[0]["title"], "No greeting");
    assert_eq!(after.header("last-modified"), None);
}

#[tokio::test]
async fn a_forecast_is_told_for_known_cities_in_any_case() {
    let (_upstream, url) = start().await;
    let reply = get(&url, "/weather/forecast?city=s%C3%A3o+paulo&days=14").await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.json()["city"], "São Paulo");
    assert_eq!(reply.json()["days"].as_array().unwrap().len(), 14);
    assert_eq!(reply.header("cache-control"), Some("public, max-age=60"));
    assert_eq!(get(&url, "/weather/forecast?city=Berlin").await.json()["days"].as_array().unwrap().len(), 3);
    let known = [("if-none-match", reply.header("etag").unwrap())];
    let again = call(&url, "GET", "/weather/forecast?city=S%C3%A3o%20Paulo&days=14", &known, "").await;
    assert_eq!(again.status, 304);
    for (query, expected) in [
        ("city=Atlantis", 404),
        ("", 400),
        ("city=", 400),
        ("city=Berlin&days=0", 400),
        ("city=Berlin&days=15", 400),
    ] {
        assert_eq!(get(&url, &format!("/weather/forecast?{query}")).await.status, expected, "{query}");
    }
}

#[tokio::test]
async fn how_long_answers_are_kept_can_be_set() {
    let options = Options { max_age: Duration::from_secs(5), ..Options::default() };
    let upstream = Upstream::start(options).await.unwrap();
    let reply = get(&upstream.url(), "/weather/forecast?city=Tokyo").await;
    assert_eq!(reply.header("cache-control"), Some("public, max-age=5"));
}

#[tokio::test]
async fn a_webhook_takes_json_and_forms_and_answers_in_words() {
    let (upstream, url) = start().await;
    let json = [("content-type", "application/json")];
    for (path, headers, body, expected) in [
        (SLACK_WEBHOOK, json, r##"{"channel":"#alerts","text":"one"}"##, (200, "ok")),
        (SLACK_WEBHOOK, [FORM], "payload=%7B%22text%22%3A%22t+w%26o%22%7D", (200, "ok")),
        (SLACK_WEBHOOK, json, "{", (400, "invalid_payload")),
        (SLACK_WEBHOOK, json, "[]", (400, "invalid_payload")),
        (SLACK_WEBHOOK, json, r#"{"text":""}"#, (400, "no_text")),
        (SLACK_WEBHOOK, json, r#"{"text":"x","channel":"elsewhere"}"#, (404, "channel_not_found")),
        ("/slack/services/T0001/B0001/guessed", json, r#"{"text":"x"}"#, (404, "no_service")),
    ] {
        let reply = call(&url, "POST", path, &headers, body).await;
        assert_eq!((reply.status.as_u16(), reply.text()), expected, "{body}");
    }
    let expected = json!([
        { "number": 1, "channel": "alerts", "text": "one", "by": "webhook" },
        { "number": 2, "channel": "general", "text": "t w&o", "by": "webhook" },
    ]);
    assert_eq!(get(&url, "/slack/sent").await.json()["messages"], expected);
    assert_eq!(json!(upstream.sent()), expected);
}

#[tokio::test]
async fn messages_by_token_are_answered_with_json_and_problems_are_not_ok() {
    let (upstream, url) = start().await;
    let path = "/slack/api/chat.postMessage";
    let authorization = format!("Bearer {SLACK_TOKEN}");
    let headers = [("authorization", authorization.as_str())];
    let reply = call(&url, "POST", path, &headers, r#"{"channel":"random","text":"hi"}"#).await;
    assert_eq!(reply.json()["message"]["text"], "hi");
    for (body, error) in [
        ("{", "invalid_json"),
        (r#"{"text":"x"}"#, "channel_not_found"),
        (r#"{"channel":"random"}"#, "no_text"),
    ] {
        let reply = call(&url, "POST", path, &headers, body).await;
        assert_eq!(reply.status, 200);
        assert_eq!(reply.json(), json!({ "ok": false, "error": error }));
    }
    let reply =
        call(&url, "POST", path, &[("authorization", "Bearer no")], r#"{"channel":"random","text":"x"}"#)
            .await;
    assert_eq!((reply.status.as_u16(), reply.header("www-authenticate")), (401, Some("Bearer")));
    assert_eq!(upstream.sent().len(), 1);
}

#[tokio::test]
async fn cursors_lead_through_all_results_once() {
    let (_upstream, url) = start().await;
    let key = [("x-api-key", SEARCH_KEY)];
    let mut path = "/search?q=a%20b&count=10".to_owned();
    let mut sizes = Vec::new();
    let mut urls = std::collections::HashSet::new();
    loop {
        let page = call(&url, "GET", &path, &key, "").await.json();
        assert_eq!((&page["query"], &page["total"]), (&json!("a b"), &json!(23)));
        let results = page["results"].as_array().unwrap();
        sizes.push(results.len());
        assert!(sizes.len() <= 3, "the cursors never end");
        urls.extend(results.iter().map(|result| result["url"].as_str().unwrap().to_owned()));
        match page["next_cursor"].as_str() {
            Some(cursor) => path = format!("/search?q=a%20b&count=10&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!((sizes, urls.len()), (vec![10, 10, 3], 23));
    let none = call(&url, "GET", "/search?q=nothing", &key, "").await.json();
    assert_eq!((&none["results"], &none["next_cursor"]), (&json!([]), &Value::Null));
}

#[tokio::test]
async fn search_wants_its_key_in_a_header_or_in_the_query() {
    let (_upstream, url) = start().await;
    let in_query = |key| format!("/search?q=x&api_key={key}");
    assert_eq!(get(&url, "/search?q=x").await.status, 401);
    assert_eq!(get(&url, &in_query("guessed")).await.status, 401);
    assert_eq!(get(&url, &in_query(SEARCH_KEY)).await.status, 200);
    assert_eq!(call(&url, "GET", "/search?q=x", &[("x-api-key", "guessed")], "").await.status, 401);
    assert_eq!(call(&url, "GET", "/search?q=x", &[("x-api-key", SEARCH_KEY)], "").await.status, 200);
    for query in ["", "q=", "q=x&count=0", "q=x&count=51", "q=x&cursor=guessed", "q=x&cursor=ZnJvbTo5OQ"] {
        let reply = get(&url, &format!("/search?api_key={SEARCH_KEY}&{query}")).await;
        assert_eq!(reply.status, 400, "{query}");
    }
}

async fn token(url: &str) -> String {
    let body = format!("grant_type=client_credentials&client_id={CLIENT_ID}&client_secret={CLIENT_SECRET}");
    let reply = call(url, "POST", "/oauth/token", &[FORM], &body).await;
    assert_eq!((reply.status.as_u16(), reply.header("cache-control")), (200, Some("no-store")));
    reply.json()["access_token"].as_str().unwrap().to_owned()
}

async fn report(url: &str, token: &str) -> client::Reply {
    call(url, "GET", "/oauth/report", &[("authorization", &format!("Bearer {token}"))], "").await
}

#[tokio::test]
async fn a_token_is_good_until_it_expires_or_is_revoked() {
    let options = Options { token_lifetime: Duration::from_secs(1), ..Options::default() };
    let upstream = Upstream::start(options).await.unwrap();
    let url = upstream.url();
    let first = token(&url).await;
    assert_eq!(report(&url, &first).await.status, 200);
    sleep(Duration::from_millis(1050)).await;
    let refused = report(&url, &first).await;
    assert_eq!(refused.status, 401);
    assert_eq!(refused.header("www-authenticate"), Some("Bearer error=\"invalid_token\""));

    let second = token(&url).await;
    assert_ne!(first, second);
    assert_eq!(report(&url, &second).await.status, 200);
    upstream.revoke_tokens();
    assert_eq!(report(&url, &second).await.status, 401);
    assert_eq!(get(&url, "/oauth/report").await.header("www-authenticate"), Some("Bearer"));
}

#[tokio::test]
async fn a_token_is_given_to_the_client_alone() {
    let (_upstream, url) = start().await;
    use base64::Engine as _;
    let basic = |text: String| format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(text));
    let right = basic(format!("{CLIENT_ID}:{CLIENT_SECRET}"));
    let wrong = basic(format!("{CLIENT_ID}:guessed"));
    for (authorization, body, status, error) in [
        (Some(&right), "grant_type=client_credentials", 200, None),
        (Some(&right), "grant_type=client_credentials&scope=reports", 200, None),
        (Some(&right), "grant_type=client_credentials&scope=all", 400, Some("invalid_scope")),
        (Some(&right), "grant_type=password", 400, Some("unsupported_grant_type")),
        (Some(&right), "", 400, Some("invalid_request")),
        (Some(&wrong), "grant_type=client_credentials", 401, Some("invalid_client")),
        (None, "grant_type=client_credentials", 401, Some("invalid_client")),
        (
            None,
            "grant_type=client_credentials&client_id=sample-client&client_secret=no",
            401,
            Some("invalid_client"),
        ),
    ] {
        let authorization = authorization.map(|value| ("authorization", value.as_str()));
        let headers: Vec<_> = [FORM].into_iter().chain(authorization).collect();
        let reply = call(&url, "POST", "/oauth/token", &headers, body).await;
        assert_eq!((reply.status.as_u16(), reply.json()["error"].as_str()), (status, error), "{body}");
        assert_eq!(reply.header("www-authenticate").is_some(), status == 401);
    }
    let not_a_form = call(&url, "POST", "/oauth/token", &[("authorization", &right)], "{}").await;
    assert_eq!(not_a_form.status, 400);
}

#[tokio::test]
async fn the_echo_tells_everything_that_arrived() {
    let (upstream, url) = start().await;
    let headers = [("x-a", "1"), ("x-a", "2"), ("authorization", "Bearer secret")];
    let told = call(&url, "PUT", "/echo?a=%20b", &headers, "hello").await.json();
    assert_eq!(
        (&told["method"], &told["path"], &told["query"]),
        (&json!("PUT"), &json!("/echo"), &json!("a=%20b"))
    );
    assert_eq!((&told["headers"]["x-a"], &told["body"]), (&json!(["1", "2"]), &json!("hello")));

    let [received] = &upstream.requests()[..] else { panic!() };
    assert_eq!((received.method.as_str(), received.query.as_deref()), ("PUT", Some("a=%20b")));
    assert_eq!(
        (received.header("authorization"), &received.body[..]),
        (Some("Bearer secret"), &b"hello"[..])
    );
}

#[tokio::test]
async fn the_log_tells_connections_apart_and_forgets_the_oldest() {
    let upstream = Upstream::start(Options { log: 3, ..Options::default() }).await.unwrap();
    let url = upstream.url();
    get(&url, "/weather/forecast").await;
    let mut connection = Connection::open(&url).await.unwrap();
    connection.get("/echo?1").await.unwrap();
    connection.get("/echo?2").await.unwrap();
    assert_eq!((upstream.count("/echo"), upstream.count("/weather"), upstream.count("/")), (2, 1, 3));
    let connections: Vec<u64> = upstream.requests().iter().map(|received| received.connection).collect();
    assert_eq!(connections, [1, 2, 2]);

    connection.get("/echo?3").await.unwrap();
    assert_eq!((upstream.count("/echo"), upstream.count("/")), (3, 3));
    let told = get(&url, "/requests?prefix=/echo").await.json();
    assert_eq!((&told["count"], &told["requests"][0]["query"]), (&json!(3), &json!("1")));
    assert_eq!(call(&url, "DELETE", "/requests", &[], "").await.status, 200);
    assert_eq!(upstream.requests().len(), 0);
}

#[tokio::test]
async fn what_is_not_there_is_not_found_and_other_methods_are_told_which() {
    let (_upstream, url) = start().await;
    assert_eq!(get(&url, "/").await.status, 404);
    assert_eq!(get(&url, "/github/repos/octocat").await.status, 404);
    assert_eq!(get(&url, "/github/repos/octocat/hello-world/").await.status, 404);
    let reply = call(&url, "PUT", ISSUES, &[], "").await;
    assert_eq!((reply.status.as_u16(), reply.header("allow")), (405, Some("GET, POST")));
    let head = call(&url, "HEAD", ISSUES, &[], "").await;
    assert_eq!((head.status.as_u16(), head.body.len()), (200, 0));
    let large = "x".repeat((4 << 20) + 1);
    assert_eq!(call(&url, "POST", "/echo", &[], &large).await.status, 413);
}
