//! Scopes, per tool, resource and prompt, with tokens that can be exchanged for ones with more.

use std::net::SocketAddr;

use serde_json::{Value, json};
use towline_auth::{AuthLayer, Jwt, ProtectedResource};

use crate::common::{ask, bearer, call, names, send, serve};
use crate::issuer::{AUDIENCE, Issuer, Mood, SigningKey};

struct World {
    address: SocketAddr,
    issuer: Issuer,
    key: SigningKey,
}

impl World {
    async fn begin() -> Self {
        let key = SigningKey::p256("one");
        let issuer = Issuer::start(Mood::Keys(vec![key.jwk()])).await;
        let resource = ProtectedResource::new(AUDIENCE, [issuer.url("")]).unwrap().scopes(["mcp"]);
        let jwt = Jwt::new(issuer.url(""), AUDIENCE, &issuer.url("/keys")).unwrap();
        let address = serve(AuthLayer::new().verifier(jwt).resource(resource)).await;
        Self { address, issuer, key }
    }

    fn token(&self, scopes: impl Into<Value>) -> String {
        let mut claims = self.issuer.claims();
        claims["scope"] = scopes.into();
        self.key.sign(&json!({"alg": "ES256", "kid": "one"}), &claims)
    }
}

fn challenge(scopes: &str) -> String {
    format!(
        r#"Bearer error="insufficient_scope", resource_metadata="https://mcp.example/.well-known/oauth-protected-resource/mcp", scope="{scopes}""#
    )
}

#[tokio::test]
async fn a_refusal_tells_all_scopes_that_are_missing_and_with_them_it_works() {
    let world = World::begin().await;
    let refused = call(world.address, &world.token("mcp db:read"), "drop").await;
    let told = challenge("db:admin db:write mcp");
    assert_eq!((refused.status, refused.header("www-authenticate")), (403, Some(&*told)));
    assert_eq!(refused.json()["error"]["data"]["kind"], "forbidden");
    // As a client does it: what it had, and what the challenge says.
    let scopes = told.split("scope=\"").nth(1).unwrap().trim_end_matches('"');
    let again = call(world.address, &world.token(format!("mcp db:read {scopes}")), "drop").await;
    assert_eq!((again.status, again.header("www-authenticate")), (200, None));
    assert!(again.body.contains("#ann"), "{again:?}");
    assert_eq!(again.header("cache-control"), Some("no-store"));
}

#[tokio::test]
async fn every_way_to_a_thing_needs_its_scopes() {
    let world = World::begin().await;
    let token = world.token("mcp");
    for (method, params, scopes) in [
        ("tools/call", json!({"name": "read", "arguments": {}}), "db:read mcp"),
        ("prompts/get", json!({"name": "review"}), "db:write mcp"),
        ("resources/read", json!({"uri": "db://pay/a"}), "mcp pay"),
        ("resources/read", json!({"uri": "db://p%61y/a"}), "mcp pay"),
        (
            "completion/complete",
            json!({"ref": {"type": "ref/prompt", "name": "review"}, "argument": {"name": "a", "value": ""}}),
            "db:write mcp",
        ),
        (
            "completion/complete",
            json!({"ref": {"type": "ref/resource", "uri": "db://pay/a"}, "argument": {"name": "a", "value": ""}}),
            "mcp pay",
        ),
    ] {
        let answer = ask(world.address, &token, method, params).await;
        assert_eq!(
            (answer.status, answer.header("www-authenticate")),
            (403, Some(&*challenge(scopes))),
            "{method}"
        );
        assert!(!answer.body.contains("money"));
    }
    let listen = json!({"jsonrpc": "2.0", "id": 1, "method": "subscriptions/listen", "params": {
        "notifications": {"resourceSubscriptions": ["db://shop/a", "db://pay/a"]},
        "_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28",
                  "io.modelcontextprotocol/clientInfo": {"name": "t", "version": "1"},
                  "io.modelcontextprotocol/clientCapabilities": {}}}});
    let headers = [&*bearer(&token), "mcp-protocol-version: 2026-07-28", "mcp-method: subscriptions/listen"];
    let answer = send(world.address, "POST", "/mcp", &headers, &listen.to_string()).await;
    assert_eq!(
        (answer.status, answer.header("www-authenticate")),
        (403, Some(&*challenge("mcp pay"))),
        "{answer:?}"
    );
    // A hidden tool is unknown also to who could get the scope, and everything needs `mcp`.
    let hidden = call(world.address, &token, "secret").await;
    assert!(hidden.body.contains("unknown tool: secret"), "{hidden:?}");
    let nothing = ask(world.address, &world.token(""), "tools/list", json!({})).await;
    assert_eq!((nothing.status, nothing.header("www-authenticate")), (403, Some(&*challenge("mcp"))));
}

#[tokio::test]
async fn lists_show_what_the_caller_may_use() {
    let world = World::begin().await;
    for (scopes, tools, prompts, resources) in [
        ("mcp", vec!["open"], vec![], vec!["db://shop/a"]),
        ("mcp db:read db:write", vec!["open", "read"], vec!["review"], vec!["db://shop/a"]),
        (
            "mcp root",
            vec!["open", "read", "drop", "secret"],
            vec!["review"],
            vec!["db://shop/a", "db://pay/a"],
        ),
    ] {
        let token = world.token(scopes);
        let list = async |method: &str, list: &str, name: &str| {
            names(&ask(world.address, &token, method, json!({})).await, list, name)
        };
        assert_eq!(list("tools/list", "tools", "name").await, tools, "{scopes}");
        assert_eq!(list("prompts/list", "prompts", "name").await, prompts, "{scopes}");
        assert_eq!(list("resources/list", "resources", "uri").await, resources, "{scopes}");
    }
    // A modern client is told that the list is its own.
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {
        "_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28",
                  "io.modelcontextprotocol/clientInfo": {"name": "t", "version": "1"},
                  "io.modelcontextprotocol/clientCapabilities": {}}}});
    let token = bearer(&world.token("mcp"));
    let headers = [&*token, "mcp-protocol-version: 2026-07-28", "mcp-method: tools/list"];
    let answer = send(world.address, "POST", "/mcp", &headers, &body.to_string()).await;
    let result = &answer.json()["result"];
    assert_eq!((&result["cacheScope"], &result["resultType"]), (&json!("private"), &json!("complete")));
    assert_eq!(names(&answer, "tools", "name"), ["open"]);
}

#[tokio::test]
async fn each_message_of_a_batch_is_judged() {
    let world = World::begin().await;
    let call = |id: u32, tool: &str| json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": tool, "arguments": {}}});
    let batch = json!([call(1, "open"), call(2, "drop"), call(3, "secret"), call(4, "read")]).to_string();
    let headers = [bearer(&world.token("mcp")), "mcp-protocol-version: 2025-03-26".into()];
    let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
    let answer = send(world.address, "POST", "/mcp", &headers, &batch).await;
    assert_eq!(answer.status, 200);
    let answers = answer.json();
    let by_id = |id: u32| answers.as_array().unwrap().iter().find(|one| one["id"] == id).unwrap();
    assert!(by_id(1)["result"].is_object());
    assert_eq!((&by_id(2)["error"]["code"], &by_id(4)["error"]["code"]), (&json!(403), &json!(403)));
    assert_eq!(by_id(3)["error"]["message"], "unknown tool: secret");
    assert_eq!(send(world.address, "POST", "/mcp", &headers[1..], &batch).await.status, 401);
}

#[tokio::test]
async fn scopes_may_come_as_text_or_list() {
    let world = World::begin().await;
    assert_eq!(call(world.address, &world.token(json!(["mcp", "db:read"])), "read").await.status, 200);
    let message = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
    let token = bearer(&world.token("mcp"));
    assert_eq!(send(world.address, "POST", "/mcp", &[&token], message).await.status, 202);
    assert_eq!(send(world.address, "POST", "/mcp", &[], message).await.status, 401);
}
