//! API keys over HTTP.

use serde_json::json;
use towline_auth::{ApiKey, ApiKeys, AuthLayer};

use crate::common::{ask, bearer, call, message, names, send, serve};

fn entry(key: &ApiKey, scopes: &str) -> String {
    key.entry().replace("scopes = []", &format!("scopes = [{scopes}]"))
}

#[tokio::test]
async fn a_key_lets_pass_who_shows_it_with_its_scopes() {
    let (key, other) = (ApiKey::generate("ci").unwrap(), ApiKey::generate("ci").unwrap());
    let keys = ApiKeys::parse(&entry(&key, r#""mcp", "db:read""#)).unwrap();
    let address = serve(AuthLayer::new().verifier(keys)).await;
    let answer = call(address, key.expose(), "read").await;
    assert!(answer.body.contains("key:ci"), "{answer:?}");
    assert_eq!(call(address, other.expose(), "read").await.status, 401);
    let tools = ask(address, key.expose(), "tools/list", json!({})).await;
    assert_eq!(names(&tools, "tools", "name"), ["open", "read"]);
}

#[tokio::test]
async fn with_a_key_what_is_forbidden_is_unknown() {
    let key = ApiKey::generate("ci").unwrap();
    let keys = ApiKeys::parse(&entry(&key, r#""mcp""#)).unwrap();
    let address = serve(AuthLayer::new().verifier(keys)).await;
    for (method, forbidden, unknown) in [
        ("tools/call", json!({"name": "drop"}), json!({"name": "what"})),
        ("tools/call", json!({"name": "secret"}), json!({"name": "nothin"})),
        ("prompts/get", json!({"name": "review"}), json!({"name": "nothin"})),
        ("resources/read", json!({"uri": "db://pay/a"}), json!({"uri": "db://pax/a"})),
    ] {
        let forbidden_name = forbidden.as_object().unwrap().values().next().unwrap().as_str().unwrap();
        let unknown_name = unknown.as_object().unwrap().values().next().unwrap().as_str().unwrap();
        let one = ask(address, key.expose(), method, forbidden.clone()).await;
        let other = ask(address, key.expose(), method, unknown.clone()).await;
        let same = one.body.replace(forbidden_name, unknown_name);
        assert_eq!((one.status, &*same), (other.status, &*other.body), "{method}");
        assert_eq!(one.header("www-authenticate"), None);
        assert!(other.body.contains("unknown") || other.body.contains("not found"), "{other:?}");
    }
}

#[tokio::test]
async fn who_fails_too_often_waits() {
    let key = ApiKey::generate("ci").unwrap();
    let keys = ApiKeys::parse(&entry(&key, r#""mcp""#)).unwrap();
    let address = serve(AuthLayer::new().verifier(keys).max_failures(Some(3))).await;
    let list = message("tools/list", &json!({}));
    // To have shown nothing is no failure: all clients begin so.
    for _ in 0..5 {
        assert_eq!(send(address, "POST", "/mcp", &[], &list).await.status, 401);
    }
    for _ in 0..3 {
        assert_eq!(send(address, "POST", "/mcp", &[&bearer("bad")], &list).await.status, 401);
    }
    let answer = send(address, "POST", "/mcp", &[&bearer(key.expose())], &list).await;
    assert_eq!(answer.status, 429);
    assert!(answer.header("retry-after").unwrap().parse::<u64>().unwrap() <= 61);
}

#[tokio::test]
async fn pages_read_refusals_only_if_they_may() {
    let address = serve(AuthLayer::new().readable_by("https://app.example")).await;
    for (origin, allowed) in
        [("https://app.example", Some("https://app.example")), ("https://evil.example", None)]
    {
        let answer = send(address, "POST", "/mcp", &[&format!("origin: {origin}")], "{}").await;
        assert_eq!((answer.status, answer.header("access-control-allow-origin")), (401, allowed));
        assert_eq!(answer.header("access-control-expose-headers"), allowed.map(|_| "WWW-Authenticate"));
    }
    // What a browser asks beforehand is for the service within, which runs nothing for it.
    let preflight = ["origin: https://evil.example", "access-control-request-method: POST"];
    assert_eq!(send(address, "OPTIONS", "/mcp", &preflight, "").await.status, 403);
}
