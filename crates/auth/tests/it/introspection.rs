//! Tokens that the authorization server is asked about.

use serde_json::json;
use towline_auth::{Introspection, Rejection, Verify};

use crate::issuer::{AUDIENCE, Issuer, Mood, now};

#[tokio::test]
async fn the_answer_counts_and_is_kept_for_a_moment() {
    let good = json!({"active": true, "sub": "ann", "aud": AUDIENCE, "exp": now() + 60, "scope": "mcp"});
    let issuer = Issuer::start(Mood::Text(good.to_string())).await;
    let new = || {
        Introspection::new("https://id", AUDIENCE, &issuer.url("/ask"), "me", &"pass word".to_owned().into())
            .unwrap()
    };
    let tokens = new();
    for _ in 0..3 {
        let caller = tokens.verify("opaque&token=x").await.unwrap();
        assert_eq!(caller.principal.id(), "https://id#ann");
        assert!(caller.grant.scopes().contains("mcp"));
    }
    assert_eq!(issuer.count(), 1);
    let asked = issuer.asked.lock().unwrap().clone();
    assert!(asked.contains("token=opaque%26token%3Dx&"), "{asked}");
    assert!(asked.contains("authorization: Basic bWU6cGFzcyt3b3Jk"), "{asked}");

    for (name, value) in [
        ("active", json!(false)),
        ("aud", json!("https://other")),
        ("aud", json!(null)),
        ("exp", json!(now() - 1)),
        ("exp", json!(null)),
        ("sub", json!(null)),
        ("iss", json!("https://other")),
    ] {
        let mut bad = good.clone();
        bad[name] = value;
        issuer.set(Mood::Text(bad.to_string()));
        assert_eq!(new().verify("t").await.unwrap_err(), Rejection::Invalid, "{name}");
    }
    issuer.set(Mood::Status(500));
    let tokens = new();
    assert_eq!(tokens.verify("t").await.unwrap_err(), Rejection::Unavailable);
    issuer.set(Mood::Text(good.to_string()));
    assert!(tokens.verify("t").await.is_ok(), "that nobody could be asked is not kept");
}
